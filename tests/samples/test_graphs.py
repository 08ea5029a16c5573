"""Graphs as samples: what comes out of the flat arrays is what PyG makes of the list."""

import pickle

import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.datasets import FakeDataset

from sigraph.data import SampleDataset
from sigraph.samples import Graphs
from sigraph.theory.leakage.near_duplicates import find_alike


def ring(size: int, seed: int = 0, attributes: int = 2) -> Data:
    """A ring, both directions; without attributes of edges for 0."""
    draw = torch.Generator().manual_seed(100 * size + seed)
    i = torch.arange(size)
    ends = torch.cat([torch.stack([i, (i + 1) % size]), torch.stack([(i + 1) % size, i])], dim=1)
    ends = ends if size > 1 else ends[:, :0]
    data = Data(x=torch.rand(size, 3, generator=draw), edge_index=ends)
    if attributes:
        data.edge_attr = torch.rand(ends.size(1), attributes, generator=draw)
    return data


LIST = [ring(size) for size in (3, 1, 5, 4, 1, 7)]


@pytest.mark.parametrize("attributes", [0, 2])
def test_a_batch_is_what_pyg_makes_of_the_list(tmp_path, attributes):
    graphs = [ring(size, attributes=attributes) for size in (3, 1, 5, 4)]
    dataset, node = SampleDataset(graphs), torch.tensor([2, 0, 2, 1])
    assert dataset.sizes == {"node_channels": 3} | ({"edge_channels": 2} if attributes else {})
    dataset.save(tmp_path / "d")
    opened = SampleDataset.open(tmp_path / "d", verify=True)
    expected = Batch.from_data_list([graphs[i] for i in node.tolist()])
    for one in (dataset, opened, pickle.loads(pickle.dumps(opened)), dataset.subset(torch.arange(4))):
        batch = one.fetch(node)
        for name in ("x", "edge_index", "batch", "ptr", *(["edge_attr"] if attributes else [])):
            assert torch.equal(batch[name], expected[name]), name
        assert batch.num_graphs == 4 and len(one) == 4 and one.store.cost().tolist() == [3, 1, 5, 4]
        assert (batch.edge_attr is None) == (attributes == 0)
    assert opened.card.samples.kind == "graphs" and "graphs with 3 attributes of nodes" in dataset.store.describe()
    assert dataset.fingerprint == SampleDataset(graphs).fingerprint != SampleDataset(graphs[::-1]).fingerprint
    assert dataset.subset(torch.tensor([1])).fetch(torch.tensor([0])).edge_index.shape == (2, 0)
    assert dataset.fetch(torch.empty(0, dtype=torch.long)).num_graphs == 0


def test_a_pyg_data_set_and_categories():
    fake = FakeDataset(num_graphs=4, avg_num_nodes=5)
    batch = SampleDataset(fake).fetch(torch.arange(4))
    assert torch.equal(batch.edge_index, Batch.from_data_list([fake[i] for i in range(4)]).edge_index)
    atoms = SampleDataset([Data(x=torch.tensor([6, 8]), edge_index=torch.tensor([[0, 1], [1, 0]]))])
    assert atoms.fetch(torch.tensor([0])).x.tolist() == [[6], [8]]  # integers stay


def test_a_flipped_bit_on_disk_is_noticed(tmp_path):
    SampleDataset(LIST).save(tmp_path / "d")
    file = tmp_path / "d" / "samples.edge_index.npy"
    data = bytearray(file.read_bytes())
    data[-8] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(ValueError, match="does not match its sum"):
        SampleDataset.open(tmp_path / "d").fetch(torch.arange(6))


def renumbered(data: Data) -> Data:
    order = torch.randperm(data.num_nodes, generator=torch.Generator().manual_seed(1))
    place = order.argsort()
    return Data(x=data.x[order], edge_index=place[data.edge_index], edge_attr=data.edge_attr)


def test_equal_graphs_are_found_and_those_that_differ_in_numbering_alone():
    changed = ring(5)
    changed.edge_attr = changed.edge_attr.flip(0)
    found = find_alike(Graphs.of([*LIST, ring(5), renumbered(ring(7)), changed]))
    exact, same = found.levels["exact"], found.levels["isomorphic"]
    assert exact[2] == exact[6] and len(set(exact)) == 7  # both graphs of one node are equal as well
    assert same[5] == same[7] and same[2] == same[6] != same[8] and len(set(same)) == 6


def without(data: Data, name: str) -> Data:
    out = data.clone()
    del out[name]
    return out


def changed(**parts) -> Data:
    out = ring(3)
    for name, value in parts.items():
        out[name] = value
    return out


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("CCO", "sample 1 is a str"),
        (without(ring(3), "x"), r"\[V, F\].*sample 1 has none.*torch.ones"),
        (changed(x=torch.ones(3, 3).numpy()), r"x, a dense tensor .*sample 1 has a numpy ndarray"),
        (changed(x=torch.ones(3, 3).to_sparse()), "x, a dense tensor"),
        (changed(x=torch.ones(3, 3) * 1j), "x, a dense tensor"),
        (changed(x=torch.ones(3, 0)), "x, a dense tensor"),
        (changed(edge_index=torch.ones(2, 6).bool()), r"integers edge_index"),
        (changed(edge_attr=[1.0] * 6), "edge_attr to be a dense tensor"),
        (changed(num_nodes=7), "a row of x for each node .*3 rows, 7 nodes"),
        (without(ring(3), "edge_index"), r"edge_index \[2, E\].*torch.empty"),
        (without(ring(3), "edge_attr"), "'edge_attr' in all graphs or in none .*sample 1 has not"),
        (changed(x=torch.ones(3, 4)), r"'x' of one width .*sample 1: torch.float32 \[3, 4\]"),
        (changed(x=torch.ones(3, 3).long()), "'x' of one width and type"),
        (changed(x=torch.full((3, 3), float("nan"))), "finite 'x' .*first: sample 1"),
        (changed(edge_attr=torch.ones(2, 2)), "a row of 'edge_attr' for each edge .*2 rows, 6 edges"),
        (changed(edge_index=torch.tensor([[0, 1, 2, 0, 1, 9]] * 2)), r"\[9, 9\] in sample 1, which has 3 nodes"),
        (Data(x=torch.ones(0, 3), edge_index=torch.empty(2, 0).long(), edge_attr=torch.ones(0, 2)), "with nodes"),
    ],
)
def test_what_is_no_graph_is_named(wrong, words):
    with pytest.raises(ValueError, match=f"(?s){words}"):
        SampleDataset([ring(3), wrong])


def test_what_is_not_kept_is_said_and_one_graph_alone_is_no_list():
    with pytest.warns(UserWarning, match="leaves out 'pos', 'y'; labels belong into a Task"):
        SampleDataset([changed(y=torch.tensor(1), pos=torch.ones(3, 2))])
    with pytest.raises(ValueError, match=r"graphs come in a list, each a sample: \[samples\]"):
        SampleDataset(ring(3))
    with pytest.raises(ValueError, match=r"samples.to_data_list\(\)"):
        SampleDataset(Batch.from_data_list([ring(3)]))
