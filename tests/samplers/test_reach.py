"""Balls, pairs within a few hops: against breadth-first search; hubs and dense graphs in bounded memory."""

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sigraph.data import PretrainGraph
from sigraph.samplers import reach
from sigraph.samplers.reach import ball, first_of_each, is_within, meetings, pairs_within


@st.composite
def cases(draw):
    n = draw(st.integers(1, 15))
    node = st.integers(0, n - 1)
    edges = draw(st.lists(st.tuples(node, node).filter(lambda e: e[0] < e[1]), max_size=20, unique=True))
    graph = PretrainGraph(torch.tensor(edges, dtype=torch.long).view(-1, 2).t(), n)
    distance = torch.full((n, n), 99)
    g = nx.Graph(edges)
    g.add_nodes_from(range(n))
    for source, reached in nx.all_pairs_shortest_path_length(g):
        for target, length in reached.items():
            distance[source, target] = length
    lists = [torch.tensor(draw(st.lists(node, max_size=8)), dtype=torch.long) for _ in range(2)]
    return graph.store, distance, *lists, draw(st.integers(1, 5))


@given(cases())
@settings(max_examples=60)
def test_against_breadth_first_search(case):
    store, distance, rows, cols, hops = case
    row, neighbor = store.all_neighbors(rows)
    expected = [(i, v) for i, u in enumerate(rows.tolist()) for v in store.neighbors(u).tolist()]
    assert list(zip(row.tolist(), neighbor.tolist(), strict=True)) == expected
    row, node = ball(store, rows, hops)
    found = torch.zeros(len(rows), len(distance), dtype=torch.long)
    found.index_put_((row, node), torch.ones_like(row), accumulate=True)
    assert torch.equal(found, (distance[rows] <= hops).long())  # each once
    between = distance[rows][:, cols]
    assert torch.equal(pairs_within(store, rows, cols, hops), ((between > 0) & (between <= hops)).nonzero().t())
    row, col = torch.ones_like(between).nonzero(as_tuple=True)
    assert torch.equal(is_within(store, rows, row, cols[col], hops), between[row, col] <= hops)


@given(st.integers(0, 4), st.integers(0, 6), st.integers(0, 100))
def test_first_of_each(rows, columns, key):
    values = torch.randint(-1, 4, (rows, columns), generator=torch.Generator().manual_seed(key))
    expected = [[value not in row[:i] for i, value in enumerate(row)] for row in values.tolist()]
    assert first_of_each(values).tolist() == expected


@pytest.mark.parametrize(("busy", "held"), [(0, 1 << 22), (256, 1 << 22), (256, 7), (10**9, 50)])
@pytest.mark.parametrize("density", [0.02, 0.3, 0.95])
def test_meetings_against_a_product_of_matrices(density, busy, held, monkeypatch):
    monkeypatch.setattr(reach, "_BUSY", busy)
    monkeypatch.setattr(reach, "_HELD", held)
    generator = torch.Generator().manual_seed(0)
    left, right = torch.rand(30, 90, generator=generator) < density, torch.rand(20, 90, generator=generator) < density
    left[:, 3], right[:, 3] = True, density > 0.02  # a hub
    row, around = left.nonzero().t()
    col, met = right.nonzero().t()
    mixed = torch.randperm(row.numel(), generator=generator)
    found = meetings(row[mixed], around[mixed], 30, col, met, 20)
    assert torch.equal(found, (left.double() @ right.double().t()).nonzero().t())


def test_a_step_on_a_nearly_complete_graph_lists_no_meetings():
    """Listed one by one they would be 10^9, some 50 GB."""
    pairs = torch.combinations(torch.arange(1_000)).t()
    graph = PretrainGraph(pairs[:, torch.rand(pairs.size(1), generator=torch.Generator().manual_seed(0)) > 0.01], 1_000)
    nodes = torch.arange(1_000)
    assert pairs_within(graph.store, nodes, nodes, 2).size(1) == 1_000 * 999
