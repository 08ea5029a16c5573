"""Files of PyG's in-memory data sets, of the forms that its versions wrote; nothing in them is executed."""

import os
from collections import defaultdict

import pytest
import torch
import torch_geometric.data.data
from torch_geometric.data import Batch, Data, InMemoryDataset

from sigraph.data import SampleDataset
from sigraph.recipes.collated import read_collated, signed_labels


def graphs():
    draw = torch.Generator().manual_seed(0)
    out = []
    for size in (3, 1, 4, 2):
        i = torch.arange(size - 1)
        ends = torch.stack([torch.cat([i, i + 1]), torch.cat([i + 1, i])])
        x = torch.randint(5, (size, 2), generator=draw)
        bond = torch.randint(3, (ends.size(1), 2), generator=draw)
        y = torch.randint(-1, 2, (3,), generator=draw)
        out.append(Data(x=x, edge_index=ends, edge_attr=bond, y=y, id=torch.tensor([size])))
    return out


class InMemory(InMemoryDataset):
    def __init__(self, root, listed):
        self.listed = listed
        super().__init__(str(root))
        self.load(self.processed_paths[0])

    processed_file_names = "data.pt"

    def process(self):
        self.save(self.listed, self.processed_paths[0])


# What PyG 1 pickled: an object of the class Data with the arrays for its attributes.
OldData = type("Data", (), {"__module__": "torch_geometric.data.data"})


def of_pyg_1(path, monkeypatch):
    data, slices = InMemoryDataset.collate(graphs())
    plain = OldData()
    plain.__dict__.update(data.to_dict(), face=None)
    with monkeypatch.context() as patch:
        patch.setattr(torch_geometric.data.data, "Data", OldData)
        lists = {name: value.tolist() if name == "y" else value for name, value in slices.items()}
        torch.save((plain, lists), path, _use_new_zipfile_serialization=False)


def of_pyg_2(path, monkeypatch):
    data, slices = InMemoryDataset.collate(graphs())
    torch.save((data, defaultdict(dict, slices)), path)


def of_today(path, monkeypatch):
    InMemoryDataset.save(graphs(), str(path))


@pytest.mark.parametrize("write", [of_pyg_1, of_pyg_2, of_today])
def test_every_form_gives_the_graphs_and_what_else_they_have(tmp_path, monkeypatch, write):
    write(tmp_path / "data.pt", monkeypatch)
    samples, others = read_collated(tmp_path / "data.pt")
    batch, expected = (
        samples.fetch(torch.tensor([2, 0, 1, 3])),
        Batch.from_data_list([graphs()[i] for i in (2, 0, 1, 3)]),
    )
    for name in ("x", "edge_index", "edge_attr", "batch", "ptr"):
        assert torch.equal(batch[name], expected[name]), name
    assert torch.equal(others["y"], torch.stack([graph.y for graph in graphs()]))
    assert others["id"].tolist() == [3, 1, 4, 2] and set(others) == {"y", "id"}
    SampleDataset(samples).save(tmp_path / "prepared")


def test_a_data_set_of_pyg_is_samples_itself_and_some_of_it(tmp_path):
    dataset = InMemory(tmp_path, graphs())
    with pytest.warns(UserWarning, match="leaves out 'id', 'y'"):
        whole, some = SampleDataset(dataset), SampleDataset(dataset[torch.tensor([2, 0])])
    assert whole.store.digest() == read_collated(dataset.processed_paths[0]).samples.digest()
    assert some.store.digest() == whole.store.take(torch.tensor([2, 0])).digest()


class Planted:
    def __reduce__(self):
        return os.mkdir, ("planted",)


@pytest.mark.parametrize("place", ["data", "slices", "class", "attribute"])
def test_a_planted_pickle_is_not_executed(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    data, slices = InMemoryDataset.collate(graphs())
    held = data.to_dict()
    planted = {
        "data": (Planted(), slices),
        "slices": (held, {**slices, "x": Planted()}),
        "class": (held, slices, Planted()),
        "attribute": ({**held, "extra": Planted()}, slices),
    }
    torch.save(planted[place], "data.pt")
    with pytest.raises(ValueError, match="no file of PyG's that can be read without executing it"):
        read_collated("data.pt")
    assert not (tmp_path / "planted").exists()


def test_what_is_no_such_file_is_said(tmp_path):
    data, slices = InMemoryDataset.collate(graphs())
    held = data.to_dict()
    file = tmp_path / "data.pt"
    with pytest.raises(FileNotFoundError):
        read_collated(file)
    short = {**slices, "x": slices["x"] - 1}
    for content, words in (
        ([1, 2], "needs the arrays and slices"),
        (({"x": held["x"]}, slices), "lacks edge_index"),
        ((held, short), "slices of 'x' do not fit its 10 rows"),
        ((held, {**slices, "y": [0, 1]}), "different numbers of graphs"),
        ((held, {**slices, "x": "no"}), "slices of 'x' are no numbers"),
        (({**held, "edge_index": held["edge_index"] + 9}, slices), "edges between nodes of their graph"),
    ):
        torch.save(content, file)
        with pytest.raises(ValueError, match=words):
            read_collated(file)
    file.write_bytes(b"no pickle")
    with pytest.raises(ValueError, match="no file of PyG's"):
        read_collated(file)


def test_signed_labels():
    got = signed_labels(torch.tensor([[1, -1], [0, 1]]))
    assert got[0].tolist() == [1, 0] and got[1, 0].isnan() and got[1, 1] == 1
    with pytest.raises(ValueError, match="-1, 0 and 1 alone"):
        signed_labels(torch.tensor([2]))
