"""Balls, pairs within a few hops: against breadth-first search."""

import networkx as nx
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sigraph.data import PretrainGraph
from sigraph.samplers.reach import ball, first_of_each, is_within, neighbors_of, pairs_within


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
    row, neighbor = neighbors_of(store, rows)
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
