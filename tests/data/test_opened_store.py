"""An opened store: shared by workers, forked or not, its memory flat; swapped, truncated and replaced files."""

import pickle
import re
import shutil
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from sigraph.data import PretrainGraph
from sigraph.edges import CSRStore


def random_graph(num_nodes, num_edges, seed=0, group=None):
    edges = torch.randint(0, num_nodes, (2, num_edges), generator=torch.Generator().manual_seed(seed))
    graph = PretrainGraph(num_nodes=num_nodes, group=group)
    graph._adopt(CSRStore.from_edges(edges, num_nodes))
    return graph


def private_memory():
    """Bytes of this process that it shares with none and that no file backs."""
    return int(re.search(r"RssAnon:\s*(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024


class Draws(IterableDataset):
    """Steps drawn from a graph; each tells the worker's private memory and a sum of what was drawn."""

    def __init__(self, graph, num_steps):
        self.graph, self.num_steps = graph, num_steps

    def __iter__(self):
        worker = get_worker_info()
        torch.set_num_threads(1)
        generator = torch.Generator().manual_seed(worker.id)
        store = self.graph.store
        for step in range(self.num_steps):
            seeds = torch.randint(0, store.num_nodes, (4096,), generator=generator)
            drawn = (
                store.draw_neighbors(seeds, 2, generator).sum() + store.draw_non_neighbors(seeds, 2, generator).sum()
            )
            yield worker.id, step, private_memory(), int(drawn)


@pytest.fixture(scope="module")
def million(tmp_path_factory):
    path = tmp_path_factory.mktemp("stores") / "million"
    random_graph(100_000, 500_000).save(path)  # about 10^6 directed edges
    return path


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs Linux's account of memory")
@pytest.mark.parametrize("context", ["fork", "forkserver"])
def test_two_workers_share_the_pages_and_their_memory_stays_flat(million, context):
    size = (million / "col.npy").stat().st_size
    loader = DataLoader(Draws(PretrainGraph.open(million), 60), None, num_workers=2, multiprocessing_context=context)
    told = sorted(list(row) for row in loader)
    for worker in (0, 1):
        memory = [row[2] for row in told if row[0] == worker]
        assert len(memory) == 60 and memory[-1] - memory[9] < size / 2, memory
    assert told[0][3] != told[60][3]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs Linux's account of memory")
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_ten_million_edges_take_no_memory_of_the_workers(tmp_path, context):
    random_graph(1_000_000, 5_000_000).save(tmp_path / "g")
    size = (tmp_path / "g" / "col.npy").stat().st_size
    assert size > 39e6  # 10^7 directed edges
    graph = PretrainGraph.open(tmp_path / "g")
    assert graph.num_edges > 9_999_000
    loader = DataLoader(Draws(graph, 400), None, num_workers=2, multiprocessing_context=context)
    told = sorted(list(row) for row in loader)
    for worker in (0, 1):
        memory = [row[2] for row in told if row[0] == worker]
        assert len(memory) == 400 and memory[-1] - memory[9] < 4e6, memory  # ten steps to warm up, then flat


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs Linux's account of memory")
def test_opening_takes_no_proportional_memory_and_builds_no_edge_index(million):
    PretrainGraph.open(million)
    before = private_memory()
    graphs = [PretrainGraph.open(million) for _ in range(20)]
    assert private_memory() - before < (million / "col.npy").stat().st_size
    graph = graphs[0]
    assert graph.num_edges > 990_000 and graph.num_nodes == 100_000 and "1000" in repr(graph)
    assert all("edge_index" not in graph.__dict__["_store"] for graph in graphs)
    assert graph.edge_index.shape == (2, graph.num_edges)


def test_a_graph_pickles_as_its_path_groups_too(tmp_path):
    graph = random_graph(20_000, 10, group=torch.arange(20_000) % 7)
    graph.save(tmp_path / "g")
    opened = PretrainGraph.open(tmp_path / "g")
    sent = pickle.dumps(opened)
    assert len(sent) < 5_000
    back = pickle.loads(sent)
    assert torch.equal(back.group, graph.group) and torch.equal(back.edge_index, graph.edge_index)
    assert len(pickle.dumps(pickle.loads(sent))) < 5_000 and torch.equal(opened.group, graph.group)
    opened.group[3] = 5  # no longer what the file holds
    assert pickle.loads(pickle.dumps(opened)).group[3] == 5
    opened = PretrainGraph.open(tmp_path / "g")
    opened.group = None
    assert pickle.loads(pickle.dumps(opened)).group is None


@pytest.mark.parametrize("name", ["rowptr.npy", "col.npy", "weight.npy", "group.npy"])
@pytest.mark.parametrize("change", ["truncated", "swapped", "removed"])
def test_files_that_are_not_those_that_were_written_are_refused(tmp_path, name, change):
    for seed in (0, 1):
        generator = torch.Generator().manual_seed(seed)
        ring = (torch.arange(500) + 1) % 500
        edges = torch.stack([torch.randperm(500, generator=generator), torch.arange(500)])
        edges = torch.stack([edges[0], edges[0][ring]])  # 500 edges in both, so that all files are of one size
        weight, group = torch.rand(500, generator=generator), torch.randint(0, 9, (500,), generator=generator)
        if seed:
            edges[:, 0] = torch.tensor([0, 250])
        PretrainGraph(edges, 500, weight, group).save(tmp_path / str(seed))
    file = tmp_path / "0" / name
    if change == "truncated":
        file.write_bytes(file.read_bytes()[:-4])
    elif change == "swapped":
        shutil.copyfile(tmp_path / "1" / name, file)
    else:
        file.unlink()
    with pytest.raises((ValueError, FileNotFoundError), match=name):
        PretrainGraph.open(tmp_path / "0")


def test_a_store_that_was_replaced_is_not_taken_for_the_one_that_was_opened(tmp_path):
    random_graph(50, 100, seed=0).save(tmp_path / "g")
    opened = PretrainGraph.open(tmp_path / "g")
    expected = opened.store.col.clone()
    sent = pickle.dumps(opened)
    random_graph(50, 100, seed=1).save(tmp_path / "g")
    with pytest.raises(ValueError, match="replaced since"):
        pickle.loads(sent)
    opened.save(tmp_path / "copy")  # what was opened, not what lies there now
    assert torch.equal(CSRStore.open(tmp_path / "copy", verify=True).col, expected)
    shutil.rmtree(tmp_path / "g")
    with pytest.raises(FileNotFoundError):
        pickle.loads(sent)
    assert torch.equal(opened.store.col, expected)


def test_an_opened_store_is_copied_as_it_is(tmp_path):
    graph = PretrainGraph([[0, 1], [1, 2]], 4, [0.5, 2.0], [0, 0, 1, 1])
    graph.save(tmp_path / "a")
    PretrainGraph.open(tmp_path / "a").save(tmp_path / "b")
    back = PretrainGraph.open(tmp_path / "b", verify=True)
    assert torch.equal(back.edge_index, graph.edge_index) and torch.equal(back.edge_weight, graph.edge_weight)
    assert torch.equal(back.group, graph.group)
    back.save(tmp_path / "b")  # onto itself
    assert PretrainGraph.open(tmp_path / "b", verify=True).num_edges == 4
