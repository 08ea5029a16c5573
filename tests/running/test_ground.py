"""Data and graphs of pre-trainings: built once for all arms and seeds that share them."""

import pytest
import torch

from sigraph.config import config_from_dict
from sigraph.data import SampleDataset
from sigraph.graphs import DatasetGraph
from sigraph.running import ground
from sigraph.running.ground import build_ground


@pytest.fixture
def made(monkeypatch):
    """What was rewired, each time that a graph of the card was observed."""
    seen, base = [], DatasetGraph.base
    monkeypatch.setattr(DatasetGraph, "base", lambda self, *given: seen.append(self.rewire) or base(self, *given))
    return seen


def of(toy, **changes):
    return config_from_dict({**toy, "pretrain": {**toy["pretrain"], **changes}}).arm("sipt").pretrain


def test_arms_and_seeds_share_what_is_the_same_for_them(toy, made):
    first = build_ground(of(toy), 0)
    assert build_ground(of(toy, structure_weight=0.0, batch_size=3), 0) is first
    other = build_ground(of(toy), 1)
    assert other.dataset is first.dataset and made == [0.0]
    assert not torch.equal(other.held_out, first.held_out)  # drawn for each seed
    rewired = of(toy, graph={"name": "blocks", "rewire": 1.0})
    graphs = [build_ground(rewired, seed).graph for seed in (0, 1, 0)]
    assert made == [0.0, 1.0, 1.0] and graphs[0] is graphs[2]
    assert not torch.equal(graphs[0].edge_index, graphs[1].edge_index)


def test_what_is_kept_is_little_and_of_these_very_data(toy, toy_dataset, made, tmp_path, monkeypatch):
    first = build_ground(of(toy), 0)
    moved = SampleDataset(toy_dataset.samples + 1, toy_dataset.graphs, toy_dataset.tasks, name="toy")
    moved.save(tmp_path / "toy", overwrite=True)
    second = build_ground(of(toy), 0)
    assert second is not first and torch.equal(second.dataset.samples, moved.samples) and len(made) == 2
    for hops in range(2, 3 + ground.KEPT):
        build_ground(of(toy, graph={"name": "blocks", "hops": hops}), 0)
    assert len(ground._grounds._found) <= ground.KEPT
    monkeypatch.setattr(ground, "KEPT_EDGES", 1)
    last = build_ground(of(toy, graph={"name": "blocks", "hops": 9}), 0)
    assert [found for _, found in ground._grounds._found.values()] == [last]
