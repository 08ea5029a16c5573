"""edge_retrieval: ranks against loops, ties, filtering, queries."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sigraph.data import PretrainGraph
from sigraph.evaluation import edge_retrieval
from sigraph.graphs import hold_out_edges
from sigraph.neighbors import similarity


def brute(z: torch.Tensor, edges: torch.Tensor, graph: PretrainGraph | None, ks: tuple[int, ...]) -> dict[str, float]:
    unit = torch.nn.functional.normalize(z, dim=1)
    held = [tuple(edge) for edge in edges.t().tolist()] + [tuple(edge) for edge in edges.flip(0).t().tolist()]
    trained = set() if graph is None else {tuple(edge) for edge in graph.edge_index.t().tolist()}
    ranks = []
    for a, b in held:
        rank = 1.0
        for c in range(len(z)):
            if c == a or (a, c) in trained or (a, c) in held:
                continue
            score, own = (float((unit[a] * unit[x]).sum()) for x in (c, b))
            rank += 1 if score > own + 1e-9 else 0.5 if abs(score - own) <= 1e-9 else 0
        ranks.append(rank)
    hits = {f"hits@{k}": sum(rank <= k for rank in ranks) / len(ranks) for k in ks}
    return {"mrr": sum(1 / rank for rank in ranks) / len(ranks), **hits}


@st.composite
def cases(draw):
    n = draw(st.integers(2, 9))
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    listed = draw(st.lists(st.sampled_from(pairs), unique=True, min_size=1))
    split = draw(st.integers(1, len(listed)))
    held = torch.tensor(listed[:split]).t()
    rest = torch.tensor(listed[split:], dtype=torch.long).view(-1, 2).t()
    # axis-aligned embeddings: cosines are exactly 0, 1 or -1, so that ties are common and exact
    axis, sign = (torch.tensor(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))) for _ in range(2))
    z = torch.eye(2, dtype=torch.double)[axis] * (2 * sign[:, None] - 1)
    if draw(st.booleans()):
        z = torch.randn(n, 3, generator=torch.Generator().manual_seed(n), dtype=torch.double)
    return z, held, PretrainGraph(rest, num_nodes=n) if draw(st.booleans()) else None


@settings(max_examples=80, deadline=None)
@given(cases())
def test_against_loops_with_ties_and_filtering(case):
    z, edges, graph = case
    found, expected = edge_retrieval(z, edges, graph, ks=(1, 2, 5)), brute(z, edges, graph, (1, 2, 5))
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("budget", [1, 65, 1 << 22])
def test_chunks_change_nothing(budget, monkeypatch):
    monkeypatch.setattr(similarity, "BUDGET", budget)
    generator = torch.Generator().manual_seed(0)
    ring = PretrainGraph(torch.stack([torch.arange(30), (torch.arange(30) + 1) % 30]), num_nodes=30)
    graph, edges = hold_out_edges(ring, 0.4, generator)
    z = torch.randn(30, 3, generator=generator, dtype=torch.double)
    assert edge_retrieval(z, edges, graph) == pytest.approx(brute(z, edges, graph, (1, 10)))


def test_ranks_by_hand():
    angle = torch.tensor([0.0, 10, 25, 60]) * torch.pi / 180
    z = torch.stack([angle.cos(), angle.sin()], dim=1)
    edges = torch.tensor([[0], [2]])  # from 0: after 1, rank 2; from 2: 1 at 15 degrees, 0 at 25, rank 2
    assert edge_retrieval(z, edges) == pytest.approx({"mrr": 0.5, "hits@1": 0, "hits@10": 1})
    trained = PretrainGraph([[0], [1]], num_nodes=4)  # 1 is no competitor for 0
    assert edge_retrieval(z, edges, trained) == pytest.approx({"mrr": 0.75, "hits@1": 0.5, "hits@10": 1})
    both = torch.tensor([[0, 1], [2, 0]])  # other held-out partners are no competitors either: 2 -> 0 stays behind 1
    assert edge_retrieval(z, both)["mrr"] == pytest.approx((1 + 1 + 1 / 2 + 1) / 4)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_constant_encoder_gains_nothing(value):
    n = 101
    edges = torch.stack([torch.arange(0, 100, 2), torch.arange(1, 101, 2)])
    figures = edge_retrieval(torch.full((n, 4), value), edges)
    assert figures["mrr"] == pytest.approx(1 / (1 + (n - 2) / 2))  # the middle of all ranks
    assert figures["hits@1"] == figures["hits@10"] == 0


def test_partners_that_coincide_are_found_first():
    z = torch.eye(10).repeat_interleave(2, dim=0)
    edges = torch.stack([torch.arange(0, 20, 2), torch.arange(1, 20, 2)])
    assert edge_retrieval(z, edges) == {"mrr": 1.0, "hits@1": 1.0, "hits@10": 1.0}


@pytest.mark.parametrize("shape", [(2, 0), (3, 2), (2,)])
def test_bad_edges_are_named(shape):
    with pytest.raises(ValueError, match=r"'edges' needs shape \[2, M\] with M >= 1 in 'edge_retrieval'"):
        edge_retrieval(torch.eye(3), torch.zeros(shape, dtype=torch.long))


@settings(max_examples=30, deadline=None)
@given(cases(), st.data())
def test_queries_keep_the_filter_of_all_held_out_edges(case, data):
    z, edges, graph = case
    ends = edges.reshape(-1).unique().tolist()
    query = data.draw(st.lists(st.sampled_from(ends), unique=True, min_size=1))
    found = edge_retrieval(z, edges, graph, ks=(1, 2), query=torch.tensor(query))
    both = torch.cat([edges, edges.flip(0)], dim=1)
    total = {"mrr": 0.0, "hits@1": 0.0, "hits@2": 0.0}
    for end in query:  # one end at a time, its partners' other edges and all else as trained on
        mine = both[:, both[0] == end]
        rest = both[:, (both[0] != end) & (both[1] != end)]
        trained = torch.empty(2, 0, dtype=torch.long) if graph is None else graph.edge_index
        alone = brute_from(z, mine, PretrainGraph(torch.cat([rest, trained], dim=1), num_nodes=len(z)), (1, 2))
        total = {name: value + alone[name] for name, value in total.items()}
    number = sum(int((both[0] == end).sum()) for end in query)
    assert found == pytest.approx({name: value / number for name, value in total.items()})


def brute_from(z, edges, graph, ks):
    """Sums over edges ranked from their first end alone."""
    unit = torch.nn.functional.normalize(z, dim=1)
    partners, trained = set(edges[1].tolist()), set(graph.store.neighbors(int(edges[0, 0])).tolist())
    total = dict.fromkeys(["mrr", *(f"hits@{k}" for k in ks)], 0.0)
    for a, b in edges.t().tolist():
        others = [c for c in range(len(z)) if c != a and c not in partners | trained]
        gap = [float((unit[a] * (unit[c] - unit[b])).sum()) for c in others]
        rank = 1 + sum(1.0 if g > 1e-9 else 0.5 if abs(g) <= 1e-9 else 0.0 for g in gap)
        total["mrr"] += 1 / rank
        for k in ks:
            total[f"hits@{k}"] += rank <= k
    return total


def test_queries_need_a_held_out_end():
    edges = torch.tensor([[0], [2]])
    with pytest.raises(ValueError, match="'query' needs an end of a held-out edge in 'edge_retrieval'"):
        edge_retrieval(torch.eye(3), edges, query=torch.tensor([1]))
    with pytest.raises(ValueError, match=r"'query' needs ids in \[0, 3\)"):
        edge_retrieval(torch.eye(3), edges, query=torch.tensor([3]))
