"""Sums over neighbours equal slow loops, on rows in memory, block by block, and set by set."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import sigraph.edges.neighborhood as neighborhood
from sigraph.data import PretrainGraph
from sigraph.data.consistency import node_agreement
from sigraph.edges import LabelSetStore
from sigraph.edges.neighborhood import edge_blocks, neighbor_matches, neighbor_sums

pytestmark = pytest.mark.filterwarnings("ignore:'PretrainGraph' dropped")


@st.composite
def stores(draw):
    """A plain or a two-level store of up to 12 nodes."""
    count = draw(st.integers(1, 12))
    ends = st.integers(0, count - 1)
    edges = torch.tensor(draw(st.lists(st.tuples(ends, ends), max_size=20)), dtype=torch.long).view(-1, 2).t()
    if draw(st.booleans()):
        return PretrainGraph(edges, count).store
    sets = torch.tensor(draw(st.lists(st.integers(-1, count - 1), min_size=count, max_size=count)))
    number = int(sets.max()) + 1
    return LabelSetStore.from_sets(sets, edges % number if number else None)


@given(stores(), st.integers(0, 3), st.integers(1, 5), st.sampled_from([torch.float32, torch.float64]))
def test_sums_and_matches_equal_loops(store, width, size, dtype):
    generator = torch.Generator().manual_seed(width)
    value = torch.randint(-3, 4, (store.num_nodes, width), generator=generator).to(dtype)
    y = torch.randint(-1, 3, (store.num_nodes,), generator=generator)
    around = [store.neighbors(node) for node in range(store.num_nodes)]
    before = neighborhood.BLOCK
    neighborhood.BLOCK = size  # so that rows fall into several blocks
    try:
        sums, matches = neighbor_sums(store, value), neighbor_matches(store, y)
    finally:
        neighborhood.BLOCK = before
    assert sums.dtype == dtype and torch.equal(sums, torch.stack([value[near].sum(dim=0) for near in around]))
    expected = [int((y[near] == y[i]).sum()) if y[i] >= 0 else 0 for i, near in enumerate(around)]
    assert matches.tolist() == expected


def test_blocks_hold_every_row_once_and_a_long_row_whole():
    store = PretrainGraph([[0, 0, 0, 1, 4], [1, 2, 3, 2, 5]], 8).store
    blocks = list(edge_blocks(store, 2))
    assert [first for first, *_ in blocks] == [0, *(last for _, last, *_ in blocks[:-1])] and blocks[-1][1] == 8
    assert torch.cat([col for *_, col in blocks]).equal(store.col)
    assert torch.cat([rowptr.diff() for _, _, rowptr, _ in blocks]).equal(store.rowptr.diff())
    assert blocks[0][3].numel() == 3  # node 0 alone, though the block is to hold 2


@given(st.integers(0, 1000), st.sampled_from(["classes", "labels", "number"]))
def test_a_two_level_store_agrees_as_its_written_out_edges_do(seed, kind):
    generator = torch.Generator().manual_seed(seed)
    sets = torch.randint(-1, 8, (25,), generator=generator)
    store = LabelSetStore.from_sets(sets, torch.randint(0, int(sets.max()) + 1, (2, 6), generator=generator))
    y = torch.randint(-1, 3, (25,), generator=generator)
    if kind == "labels":
        y = torch.where(torch.rand(25, 3, generator=generator) < 0.2, torch.nan, (y[:, None] > 0).float())
    elif kind == "number":
        y = torch.where(y < 0, torch.nan, torch.randint(0, 9, (25,), generator=generator).double())
    two_level, plain = node_agreement(store, y), node_agreement(store.expanded(), y)
    assert torch.equal(two_level.node, plain.node) and torch.equal(two_level.column, plain.column)
    assert torch.equal(two_level.share, plain.share)


def test_local_consistency_writes_no_two_level_graph_out(monkeypatch):
    def refuse(self):
        raise AssertionError("the edges were written out")

    monkeypatch.setattr(LabelSetStore, "expanded", refuse)
    y = torch.arange(20_000) % 2
    graph = PretrainGraph.from_store(LabelSetStore.from_sets(y))
    assert graph.num_edges > 50_000_000 and graph.local_consistency(y) == 1
    assert graph.local_consistency(torch.arange(20_000) // 10_000) == pytest.approx(4999 / 9999)


def test_an_opened_graph_gives_what_it_gave_in_memory(tmp_path):
    graph = PretrainGraph(torch.randint(0, 50, (2, 120), generator=torch.Generator().manual_seed(0)), 50)
    graph.save(tmp_path / "graph")
    y = torch.arange(50) % 3
    assert PretrainGraph.open(tmp_path / "graph").local_consistency(y) == graph.local_consistency(y)
