"""The null of local consistency equals all permutations where it is a closed form, and many draws elsewhere."""

import itertools
import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sigraph.data import PretrainGraph
from sigraph.data.consistency import node_agreement
from sigraph.theory.audit.null import permutation_null, rewiring_null

NAN = math.nan
pytestmark = pytest.mark.filterwarnings("ignore:'PretrainGraph' dropped")


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def graph_of(num_nodes, num_edges, seed=0):
    return PretrainGraph(torch.randint(0, num_nodes, (2, num_edges), generator=seeded(seed)), num_nodes)


def counted(graph, y):
    """Labelled nodes with a labelled neighbour."""
    known = (y >= 0) if y.dim() == 1 and not y.is_floating_point() else ~torch.isnan(y.float().view(len(y), -1)).all(1)
    return [i for i in known.nonzero().view(-1).tolist() if bool(known[graph.store.neighbors(i)].any())]


def by_hand(graph, y, orders):
    """Local consistency, and that of each column, of permuted labels."""
    node = counted(graph, y)
    values, parts = [], []
    for order in orders:
        shuffled = y.clone()
        shuffled[node] = y[[node[i] for i in order]]
        found = node_agreement(graph.store, shuffled)
        values.append(found.value())
        parts.append(found.by_column())
    return torch.tensor(values, dtype=torch.double), torch.stack(parts)


@st.composite
def labelled(draw):
    """A graph of up to six nodes with edges and some without, and classes or label columns, some missing."""
    joined, alone = draw(st.integers(2, 6)), draw(st.integers(0, 2))
    ends = st.integers(0, joined - 1)
    edges = draw(st.lists(st.tuples(ends, ends), min_size=1, max_size=12))
    graph = PretrainGraph(torch.tensor(edges).t(), joined + alone)
    count = joined + alone
    if draw(st.booleans()):
        return graph, torch.tensor(draw(st.lists(st.integers(-1, 2), min_size=count, max_size=count)))
    row = st.lists(st.sampled_from([0.0, 1.0]), min_size=3, max_size=3)
    rows = st.lists(st.one_of(row, st.just([NAN] * 3)), min_size=count, max_size=count)
    return graph, torch.tensor(draw(rows))


@settings(max_examples=60, deadline=None)
@given(labelled())
def test_closed_form_equals_all_permutations(case):
    graph, y = case
    found = node_agreement(graph.store, y)
    assume(found.node.numel() > 0)
    null = permutation_null(graph.store, y, found)
    value, parts = by_hand(graph, y, itertools.permutations(range(len(counted(graph, y)))))
    assert null.how == "exact" and null.num_draws is None
    assert null.mean == pytest.approx(float(value.mean()), abs=1e-9)
    assert null.std == pytest.approx(float(value.std(correction=0)), abs=1e-6)
    assert torch.allclose(null.part_mean, parts.mean(dim=0), equal_nan=True)
    assert torch.allclose(null.part_std, parts.std(dim=0, correction=0), atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("kind", ["classes", "labels"])
def test_closed_form_equals_many_draws_on_a_larger_graph(kind):
    graph = graph_of(300, 900)
    y = torch.randint(-1, 4, (300,), generator=seeded(1))
    if kind == "labels":  # columns that go together, whose mean varies more than if they did not
        y = (torch.randn(300, 1, generator=seeded(1)) + torch.randn(300, 6, generator=seeded(2)) > 1).float()
    null = permutation_null(graph.store, y, node_agreement(graph.store, y))
    size = len(counted(graph, y))
    value, parts = by_hand(graph, y, [torch.randperm(size, generator=seeded(i)).tolist() for i in range(600)])
    assert abs(null.mean - value.mean()) < 4 * null.std / 600**0.5
    assert null.std == pytest.approx(float(value.std()), rel=0.12)
    assert torch.allclose(null.part_std, parts.std(dim=0), rtol=0.15)
    if kind == "labels":
        alone = float((null.part_std**2).sum().sqrt()) / 6
        assert null.std > 1.2 * alone


def test_closed_form_keeps_its_digits_on_many_nodes():
    """Disjoint pairs, by hand: a pair of classes of equal size agrees with probability (n/2 - 1) / (n - 1)."""
    n = 200_000
    graph = PretrainGraph(torch.arange(n).view(-1, 2).t(), n)
    y = torch.arange(n) % 2
    null = permutation_null(graph.store, y, node_agreement(graph.store, y))
    p = (n / 2 - 1) / (n - 1)
    both = p * (n / 2 - 2) * (n / 2 - 3) / ((n - 2) * (n - 3)) + p * (n / 2) * (n / 2 - 1) / ((n - 2) * (n - 3))
    pairs = n / 2
    variance = (pairs * p + pairs * (pairs - 1) * both - (pairs * p) ** 2) / pairs**2
    assert null.mean == pytest.approx(p, rel=1e-12) and null.std == pytest.approx(variance**0.5, rel=1e-3)


@pytest.mark.parametrize("kind", ["number", "holes"])
def test_draws_are_permutations_of_the_nodes_that_count(kind):
    graph = graph_of(60, 60)
    y = torch.randn(60, generator=seeded(0))
    y[::7] = NAN
    if kind == "holes":
        y = (torch.rand(60, 3, generator=seeded(0)) < 0.4).float()
        y[torch.rand(60, 3, generator=seeded(1)) < 0.3] = NAN
    found = node_agreement(graph.store, y)
    null = permutation_null(graph.store, y, found, draws=300, seed=5)
    value, parts = by_hand(graph, y, [torch.randperm(len(counted(graph, y)), generator=seeded(i)) for i in range(300)])
    assert null.how == "permuted" and null.num_draws == 300
    assert abs(null.mean - value.mean()) < 5 * float(value.std()) / 150**0.5
    assert null.std == pytest.approx(float(value.std()), rel=0.2)
    again = permutation_null(graph.store, y, found, draws=300, seed=5)
    other = permutation_null(graph.store, y, found, draws=300, seed=6)
    assert (again.mean, again.std) == (null.mean, null.std) != (other.mean, other.std)
    if kind == "holes":
        assert torch.allclose(null.part_mean, parts.nanmean(dim=0), atol=0.05)


def test_a_drawn_correlation_is_that_of_the_permuted_target():
    """Two nodes, two permutations: whatever is drawn, neighbours are each other's opposite."""
    graph, y = PretrainGraph([[0], [1]], 3), torch.tensor([1.0, 2.0, 7.0])
    null = permutation_null(graph.store, y, node_agreement(graph.store, y), draws=5)
    assert null.mean == pytest.approx(-1) and null.std == 0 and null.num_draws == 5


def test_isolated_nodes_change_nothing():
    """Labels of nodes without a neighbour never enter, so that the null is that of the others alone."""
    edges = torch.randint(0, 40, (2, 100), generator=seeded(3))
    y = torch.randint(0, 3, (40,), generator=seeded(4))
    wide = torch.cat([y, torch.full((60,), 2)])
    alone, with_isolated = (
        permutation_null(graph.store, labels, node_agreement(graph.store, labels))
        for graph, labels in ((PretrainGraph(edges, 40), y), (PretrainGraph(edges, 100), wide))
    )
    assert (with_isolated.mean, with_isolated.std) == (alone.mean, alone.std)


def test_where_no_permutation_changes_anything_the_spread_is_zero():
    complete = PretrainGraph(torch.combinations(torch.arange(9)).t(), 9)
    y = torch.arange(9) % 3
    null = permutation_null(complete.store, y, node_agreement(complete.store, y))
    assert null.mean == pytest.approx(2 / 8) and null.std == 0 and bool((null.part_std == 0).all())
    columns = torch.nn.functional.one_hot(y).float()
    null = permutation_null(complete.store, columns, node_agreement(complete.store, columns))
    assert null.mean == pytest.approx(2 / 8) and null.std == 0


def test_rewired_graphs_keep_degrees_and_lose_what_they_join():
    y = torch.arange(120) // 40
    pairs = torch.combinations(torch.arange(120)).t()
    same = pairs[:, y[pairs[0]] == y[pairs[1]]]
    graph = PretrainGraph(same[:, torch.rand(same.size(1), generator=seeded(0)) < 0.2], 120)
    found = node_agreement(graph.store, y)
    null = rewiring_null(graph, y, found, draws=8)
    assert found.value() == 1 and null.how == "rewired" and null.num_draws == 8
    assert null.mean == pytest.approx(1 / 3, abs=0.05) and 0 < null.std < 0.05
    assert rewiring_null(graph, y, found, draws=8).mean == null.mean
