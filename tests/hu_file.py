"""A small file in the form in which Hu et al. 2020 published protein networks: PyG 1, torch's old container."""

import numpy as np
import torch
import torch_geometric.data.data
from torch_geometric.data import Data, InMemoryDataset

SPECIES = [3702, 6239, 511145, 7227, 9606, 10090, 4932, 7955]
# What PyG 1 pickled: an object of the class Data with the arrays for its attributes.
OldData = type("Data", (), {"__module__": "torch_geometric.data.data"})


def hu_graphs(count=60, seed=0):
    """As pretrain-gnns makes them: x ones, edges in both directions, seven kinds of evidence and two columns of 0."""
    draw, out = np.random.default_rng(seed), []
    for i in range(count):
        size = int(draw.integers(2, 7))
        ends = np.stack([np.arange(size - 1), np.arange(1, size)])
        both = np.stack([ends, ends[::-1]], axis=2).reshape(2, -1)
        kinds = np.repeat(np.c_[draw.integers(0, 2, (size - 1, 7)), np.zeros((size - 1, 2), int)], 2, axis=0)
        one = Data(torch.ones(size, 1), torch.tensor(both), torch.tensor(kinds, dtype=torch.float))
        one.species_id = torch.tensor([SPECIES[i % 8]])
        one.center_node_idx = torch.tensor([int(draw.integers(size))])
        one.go_target_downstream = torch.tensor(draw.integers(0, 2, 4))
        one.go_target_pretrain = torch.tensor(draw.integers(0, 2, 12))
        out.append(one)
    return out


def write_hu_file(path, graphs, monkeypatch):
    data, slices = InMemoryDataset.collate(graphs)
    plain = OldData()
    plain.__dict__.update(data.to_dict(), face=None, norm=None, pos=None)
    with monkeypatch.context() as patch:
        patch.setattr(torch_geometric.data.data, "Data", OldData)
        torch.save((plain, dict(slices)), path, _use_new_zipfile_serialization=False)
    return path
