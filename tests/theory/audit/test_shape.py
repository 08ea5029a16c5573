"""Degrees and components equal networkx's, block by block and set by set."""

import networkx as nx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sigraph.data import PretrainGraph
from sigraph.edges import LabelSetStore
from sigraph.theory.audit import shape as module
from sigraph.theory.audit.shape import GraphShape, components, graph_shape

pytestmark = pytest.mark.filterwarnings("ignore:'PretrainGraph' dropped")


@given(st.integers(0, 1000), st.integers(0, 25))
def test_equals_networkx(seed, num_edges):
    edges = torch.randint(0, 20, (2, num_edges), generator=torch.Generator().manual_seed(seed))
    found = graph_shape(PretrainGraph(edges, 23).store)
    g = nx.Graph([(u, v) for u, v in edges.t().tolist() if u != v])
    sizes = [len(part) for part in nx.connected_components(g)]
    degrees = sorted([*(d for _, d in g.degree), *[0] * (23 - len(g))])
    assert (found.num_nodes, found.num_edges) == (23, g.number_of_edges())
    assert (found.num_isolated, found.max_degree, found.median_degree) == (23 - len(g), degrees[-1], degrees[11])
    assert found.mean_degree == pytest.approx(sum(degrees) / 23)
    assert (found.num_components, found.largest_component) == (len(sizes), max(sizes, default=0))


@given(st.integers(0, 1000))
def test_blocks_change_nothing(seed):
    edges = torch.randint(0, 60, (2, 50), generator=torch.Generator().manual_seed(seed))
    store = PretrainGraph(edges, 60).store
    whole, blocks = components(store), module.edge_blocks
    module.edge_blocks = lambda store, size: blocks(store, 3)
    try:
        found = components(store)
    finally:
        module.edge_blocks = blocks
    assert torch.equal(found[:, None] == found, whole[:, None] == whole)


@given(st.integers(0, 1000))
def test_a_two_level_store_has_the_shape_of_its_written_out_edges(seed):
    generator = torch.Generator().manual_seed(seed)
    sets = torch.randint(-1, 12, (30,), generator=generator)  # some sets are empty and join nothing
    store = LabelSetStore.from_sets(sets, torch.randint(0, int(sets.max()) + 1, (2, 8), generator=generator))
    assert graph_shape(store) == graph_shape(store.expanded())


def test_without_nodes_and_without_edges():
    assert graph_shape(PretrainGraph(num_nodes=0).store) == GraphShape(0, 0, 0.0, 0.0, 0, 0, 0, 0)
    assert graph_shape(PretrainGraph(num_nodes=3).store) == GraphShape(3, 0, 0.0, 0.0, 0, 3, 0, 0)
