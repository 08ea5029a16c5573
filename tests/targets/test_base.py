"""The contract, for every target of the package and every teacher that one may have."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from contracts import concrete_subclasses
from torch import Tensor

import sigraph.targets
import sigraph.targets.teachers
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.edges import LabelSetStore
from sigraph.targets import (
    GraphEmbedding,
    JoinedTargets,
    PropagatedFeatures,
    Target,
    TaskTeacher,
    TeacherEmbedding,
)
from sigraph.targets.teachers import CCASSG, GraphMAETeacher, Teacher
from sigraph.tasks import SeenLabels, Task

N, NUM_SHOWN, NOBODY, SILENT, ALONE = 36, 30, 27, 28, 29  # of the last three, who has no features or no edges
SMALL: dict[str, Any] = {"hidden_channels": 8, "max_epochs": 3}
# Without dropout of edges and attention, the order of edges, which a store has of its own, changes rounding alone.
TEACHERS: dict[str, Callable[[], Teacher]] = {
    "CCASSG": lambda: CCASSG(**SMALL, drop_edge=0.0),
    "GraphMAETeacher": lambda: GraphMAETeacher(**SMALL, num_heads=2, dropout=0.0),
    "GraphMAETeacher gcn": lambda: GraphMAETeacher(**SMALL, layer="gcn"),
}
# How to build one from the labels that may be seen; one without an entry fails here and asks for one.
EXAMPLES: dict[str, Callable[[dict[str, SeenLabels]], Target]] = {
    "GraphEmbedding": lambda labels: GraphEmbedding(6),
    "PropagatedFeatures": lambda labels: PropagatedFeatures(6, complete={"neighbors": 3, "weight": 0.3}),
    "JoinedTargets": lambda labels: JoinedTargets([PropagatedFeatures(6), TaskTeacher(labels, **SMALL)], "average", 6),
    "TaskTeacher": lambda labels: TaskTeacher(labels, out_channels=6, **SMALL),
    "TaskTeacher logits": lambda labels: TaskTeacher(labels, reads="logits", out_channels=6, **SMALL),
}
EXAMPLES |= {
    f"TeacherEmbedding {name}": lambda labels, make=make: TeacherEmbedding(make(), 6) for name, make in TEACHERS.items()
}
READ_NO_FEATURES, READ_NO_WEIGHTS = {"GraphEmbedding"}, {"TeacherEmbedding GraphMAETeacher"}
TAUGHT_BY_LABELS = {"JoinedTargets", "TaskTeacher", "TaskTeacher logits"}
SHOWN = torch.arange(NUM_SHOWN)


def world() -> tuple[Tensor, Tensor, Tensor]:
    """Counts of words, pairs and classes: two components of 13, one of the hidden, and samples without this or that."""
    draw = torch.Generator().manual_seed(0)
    y = torch.arange(N) % 2
    x = (torch.rand(N, 16, generator=draw) < 0.15).float()
    x[torch.arange(N), 8 * y + torch.randint(8, (N,), generator=draw)] = 2.0
    x[[NOBODY, SILENT]] = 0.0
    pairs = torch.combinations(torch.arange(N)).T
    pairs = pairs[:, (y[pairs[0]] == y[pairs[1]]) & (torch.rand(pairs.size(1), generator=draw) < 0.3)]
    pairs = pairs[:, ~torch.isin(pairs, torch.tensor([NOBODY, SILENT, ALONE])).any(dim=0)]
    return x, torch.cat([pairs, torch.tensor([[SILENT], [1]])], dim=1), y


def ground(x: Tensor, pairs: Tensor, y: Tensor, weight: Tensor | None = None) -> tuple[SampleDataset, PretrainGraph]:
    split = {"train": torch.arange(0, 12), "valid": torch.arange(12, 20), "test": torch.arange(20, N)}
    return SampleDataset(x, tasks={"topic": Task("topic", y, split)}), PretrainGraph(pairs, N, weight)


def seen(y: Tensor) -> dict[str, SeenLabels]:
    return {"topic": SeenLabels("classification", torch.where(torch.arange(len(y)) < 12, y, -1), 2)}


def fitted(name: str, x: Tensor, pairs: Tensor, y: Tensor, weight: Tensor | None = None, **arguments: Any) -> Tensor:
    return EXAMPLES[name](seen(y)).fit(*ground(x, pairs, y, weight), **arguments)


def test_every_target_and_every_teacher_has_an_example():
    known = {name.partition(" ")[0] for name in EXAMPLES}
    assert {kind.__name__ for kind in concrete_subclasses(Target, sigraph.targets)} == known
    kinds = concrete_subclasses(Teacher, sigraph.targets.teachers)
    assert {kind.__name__ for kind in kinds} == {name.partition(" ")[0] for name in TEACHERS}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_finite_row_a_sample_the_same_for_a_seed(name):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    found = fitted(name, *world(), seed=3)
    assert torch.equal(torch.get_rng_state(), before)  # what goes on around it draws as it would without
    assert found.shape == (N, 6) and found.dtype == torch.float32 and not found.requires_grad
    assert bool(torch.isfinite(found).all())
    torch.rand(5)
    with torch.inference_mode():
        again = fitted(name, *world(), seed=3)
    assert torch.equal(found, again) and not torch.allclose(found, fitted(name, *world(), seed=4), atol=1e-3)
    length = found.norm(dim=1)
    has_one = torch.ones(N, dtype=torch.bool)
    has_one[NOBODY] = False  # neither features nor edges: no target
    has_one[ALONE] = name not in READ_NO_FEATURES
    assert torch.equal(length > 0, has_one)
    torch.testing.assert_close(length[has_one], torch.ones(int(has_one.sum())), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", EXAMPLES)
def test_hidden_samples_change_no_bit(name):
    x, pairs, y = world()
    weight = torch.rand(pairs.size(1), generator=torch.Generator().manual_seed(1)) + 0.5
    found = fitted(name, x, pairs, y, weight, visible=SHOWN)
    assert not found[NUM_SHOWN:].any() and bool(found[:NOBODY].any(dim=1).all())
    draw = torch.Generator().manual_seed(2)
    x[NUM_SHOWN:] = torch.rand(N - NUM_SHOWN, 16, generator=draw)
    y = torch.cat([y[:NUM_SHOWN], 1 - y[NUM_SHOWN:]])
    among = (pairs < NUM_SHOWN).all(dim=0)
    planted = torch.stack([torch.arange(NUM_SHOWN, N), torch.randint(NUM_SHOWN, (N - NUM_SHOWN,), generator=draw)])
    pairs, weight = torch.cat([pairs[:, among], planted], dim=1), torch.cat([weight[among], torch.full((6,), 9.0)])
    mask = torch.arange(N) < NUM_SHOWN
    assert torch.equal(fitted(name, x, pairs, y, weight, visible=mask), found)


@pytest.mark.parametrize("name", EXAMPLES)
def test_labels_are_seen_by_those_alone_who_ask_for_them(name):
    x, pairs, y = world()
    found = fitted(name, x, pairs, y)
    other = torch.cat([1 - y[:6], y[6:]])
    assert torch.equal(fitted(name, x, pairs, other), found) == (name not in TAUGHT_BY_LABELS)
    unseen = torch.cat([y[:12], 1 - y[12:]])  # of validation and test
    assert torch.equal(fitted(name, x, pairs, unseen), found)


def test_who_reads_labels_says_so_by_its_constructor():
    for kind in concrete_subclasses(Target, sigraph.targets):
        assert kind.reads_labels == ("labels" in inspect.signature(kind).parameters), kind.__name__


@pytest.mark.parametrize("name", EXAMPLES)
def test_weights_are_read_and_two_levels_are_as_their_edges_written_out(name):
    x, pairs, y = world()
    weight = torch.where(torch.arange(pairs.size(1)) % 2 > 0, 4.0, 0.25)
    plain = fitted(name, x, pairs, y)
    assert torch.allclose(fitted(name, x, pairs, y, weight), plain, atol=1e-4) == (name in READ_NO_WEIGHTS)
    store = LabelSetStore.from_sets(torch.arange(N) % 7, torch.tensor([[0], [1]]))  # six cliques
    dataset, everyone = ground(x, pairs, y)[0], torch.arange(N)
    target = EXAMPLES[name](seen(y))
    found = target.fit(dataset, PretrainGraph.from_store(store))
    index, _ = store.edges_between(everyone, everyone)
    similar = [z @ z.T for z in (found, target.fit(dataset, PretrainGraph(index, N)))]
    torch.testing.assert_close(*similar, atol=2e-3, rtol=0)
