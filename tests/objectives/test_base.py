"""The contract, for every objective of the package."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from contracts import concrete_subclasses
from torch_geometric.data import Batch, Data

import sigraph.objectives
from sigraph.data import SampleDataset
from sigraph.encoders import Encoder, GraphEncoder, GRUEncoder, MLPEncoder
from sigraph.objectives import (
    AttributeMasking,
    ContextPrediction,
    Denoising,
    EdgePrediction,
    GraphMAE,
    JointObjective,
    MaskedFeature,
    MaskedToken,
    MultiTask,
    Objective,
)
from sigraph.samples import Tokens, token_table
from sigraph.tasks import SeenLabels


def graphs(kinds: bool) -> Batch:
    """Seven rings of 5 to 11 nodes; attributes of nodes and edges are kinds, or numbers."""
    draw, found = torch.Generator().manual_seed(0), []
    for size in range(5, 12):
        i = torch.arange(size)
        ends = torch.cat([torch.stack([i, (i + 1) % size]), torch.stack([(i + 1) % size, i])], dim=1)
        x = torch.randint(3, (size, 2), generator=draw) if kinds else torch.randn(size, 4, generator=draw)
        attributes = torch.randint(2, (size, 1), generator=draw).repeat(2, 1)
        found.append(Data(x=x, edge_index=ends, edge_attr=attributes if kinds else None))
    return SampleDataset(found).fetch(torch.arange(7))


def labels() -> dict[str, SeenLabels]:
    draw = torch.Generator().manual_seed(0)
    columns = torch.randint(2, (17, 2), generator=draw).float()
    columns[12, 0] = float("nan")
    classes = torch.randint(3, (17,), generator=draw)
    classes[11] = -1
    numbers = 30 + 5 * torch.randn(17, generator=draw)
    return {
        "kind": SeenLabels("classification", classes, 3),
        "columns": SeenLabels("multilabel", columns, 2),
        "number": SeenLabels("regression", numbers, 1),
    }


# How to build one, an encoder for it and seven samples; an objective without an entry fails here and asks for one.
EXAMPLES: dict[str, Callable[[], tuple[Objective, Encoder, Any]]] = {
    "MaskedFeature": lambda: (
        MaskedFeature(6, 5, mask_rate=0.5),
        MLPEncoder(6, 8, 5),
        torch.randn(7, 6, generator=torch.Generator().manual_seed(0)),
    ),
    "MaskedToken": lambda: (
        MaskedToken(12, 8, mask_rate=0.5, hide_rate=0.6, random_rate=0.2),
        GRUEncoder(12, 6, 8),
        SampleDataset(token_table([[2, 3, 4, 5], [6, 7], [11], [3, 2, 9], [8, 8], [11, 2], [5, 6, 7]], 12)).fetch(
            torch.arange(7)
        ),
    ),
}
EXAMPLES |= {
    "AttributeMasking": lambda: (
        AttributeMasking(32, [3, 3], edge_categories=[2], mask_rate=0.05),
        GraphEncoder(2, 32, 4, 2, layer="gine", node_encoder=[3, 3], edge_encoder=[2]),
        graphs(kinds=True),
    ),
    "ContextPrediction": lambda: (
        ContextPrediction(16, GraphEncoder(4, 16, 4, 2), num_hops=2, num_negatives=2),
        GraphEncoder(4, 16, 4, 2),
        graphs(kinds=False),
    ),
    "Denoising": lambda: (  # of token sequences: test_denoising.py
        Denoising(5, in_channels=6),
        MLPEncoder(6, 8, 5),
        torch.randn(7, 6, generator=torch.Generator().manual_seed(0)),
    ),
    "EdgePrediction": lambda: (EdgePrediction(0.2), GraphEncoder(4, 16, 4, 2), graphs(kinds=False)),
    "GraphMAE": lambda: (
        GraphMAE(4, 16, mask_rate=0.3, replace_rate=0.2),
        GraphEncoder(4, 16, 4, 2, node_encoder="linear"),
        graphs(kinds=False),
    ),
    "JointObjective": lambda: (
        JointObjective([MaskedFeature(6, 5, mask_rate=0.5), MultiTask(labels(), 5)], [0.5, 2.0]),
        MLPEncoder(6, 8, 5),
        torch.randn(7, 6, generator=torch.Generator().manual_seed(0)),
    ),
    "MultiTask": lambda: (
        MultiTask(labels(), 5),
        MLPEncoder(6, 16, 5),
        torch.randn(7, 6, generator=torch.Generator().manual_seed(0)),
    ),
}
NODE = torch.arange(10, 17)
HIDES_NOTHING = ("ContextPrediction", "MultiTask")
UNREAD = ("linear.weight", "linear.bias", "context_encoder.linear.weight", "context_encoder.linear.bias")  # of h alone


every_objective = pytest.mark.parametrize("objective_type", concrete_subclasses(Objective, sigraph.objectives))


def example(objective_type: type[Objective]):
    torch.manual_seed(0)
    return EXAMPLES[objective_type.__name__]()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows(inputs: Any, start: int | None, stop: int | None) -> Any:
    """Some samples of a batch."""
    if isinstance(inputs, Tokens):
        return inputs.take(torch.arange(len(inputs.length))[start:stop])
    if isinstance(inputs, Batch):
        size = inputs.num_graphs
        return [inputs_of(inputs, i) for i in range(size)[slice(start, stop)]]
    return inputs[start:stop]


def inputs_of(batch: Batch, i: int) -> list[torch.Tensor]:
    """What an encoder reads of one graph."""
    own, edge = batch.batch == i, batch.batch[batch.edge_index[0]] == i
    hidden = batch.get("node_mask", torch.zeros_like(own)), batch.get("edge_mask", torch.zeros_like(edge))
    parts = [batch.x[own], hidden[0][own], batch.edge_index[:, edge] - batch.ptr[i], hidden[1][edge]]
    return parts if batch.edge_attr is None else [*parts, batch.edge_attr[edge]]


def same(a: Any, b: Any) -> bool:
    if isinstance(a, Batch):
        return same(rows(a, None, None), rows(b, None, None))
    if isinstance(a, torch.Tensor):
        return torch.equal(a.nan_to_num(99), b.nan_to_num(99))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def test_finds_the_objectives():
    assert "MaskedFeature" in {objective.__name__ for objective in concrete_subclasses(Objective, sigraph.objectives)}


@every_objective
def test_is_exported_and_documented(objective_type):
    assert objective_type.__name__ in sigraph.objectives.__all__
    for part in ("Args:", "Shapes:", "Source:"):
        assert part in (objective_type.__doc__ or "")


@every_objective
def test_corrupts_seed_samples_only_and_never_in_place(objective_type):
    objective, _, inputs = example(objective_type)
    before = copy.deepcopy(inputs)
    corrupted, _ = objective.corrupt(inputs, NODE, 3, seeded())
    assert same(inputs, before)
    assert type(corrupted) is type(inputs) and same(rows(corrupted, 3, None), rows(inputs, 3, None))
    assert same(rows(corrupted, 0, 3), rows(inputs, 0, 3)) == (objective_type.__name__ in HIDES_NOTHING)


@every_objective
def test_all_randomness_comes_from_the_generator(objective_type):
    objective, _, inputs = example(objective_type)
    before = torch.get_rng_state()
    one, two, other = (objective.corrupt(inputs, NODE, 7, seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert same(one, two) and (objective_type.__name__ == "MultiTask" or not same(one, other))


@every_objective
def test_a_scalar_whose_gradient_reaches_encoder_and_objective(objective_type):
    objective, encoder, inputs = example(objective_type)
    corrupted, target = objective.corrupt(inputs, NODE, 4, seeded())
    loss = objective(encoder(corrupted), target)
    assert loss.shape == () and loss.isfinite() and loss > 0
    loss.backward()
    for name, parameter in [*encoder.named_parameters(), *objective.named_parameters()]:
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert (parameter.grad != 0).any() or (encoder.part_channels != encoder.out_channels and name in UNREAD), name


@every_objective
def test_can_be_learnt(objective_type):
    objective, encoder, inputs = example(objective_type)
    corrupted, target = objective.corrupt(inputs, NODE, 7, seeded())
    optimizer = torch.optim.Adam([*encoder.parameters(), *objective.parameters()], lr=0.02)
    first = objective(encoder(corrupted), target).item()
    for _ in range(60):
        optimizer.zero_grad()
        objective(encoder(corrupted), target).backward()
        optimizer.step()
    assert objective(encoder(corrupted), target).item() < first / 4


@every_objective
def test_without_seed_samples_zero_and_connected(objective_type):
    objective, encoder, inputs = example(objective_type)
    corrupted, target = objective.corrupt(inputs, NODE, 0, seeded())
    assert same(corrupted, inputs)
    loss = objective(encoder(corrupted), target)
    loss.backward()
    assert loss == 0 and all((p.grad == 0).all() for p in encoder.parameters() if p.grad is not None)


@every_objective
def test_as_many_means_are_taken_whatever_a_process_holds(objective_type, monkeypatch):
    """Each is a message to all processes, which wait for one another."""
    objective, encoder, inputs = example(objective_type)
    counts = []
    for part in objective.modules():
        if isinstance(part, Objective):
            monkeypatch.setattr(part, "mean", lambda total, count: counts.append(float(count)) or total)
    number = []
    for num_seeds in (7, 1, 0):
        counts.clear()
        corrupted, target = objective.corrupt(inputs, NODE, num_seeds, seeded())
        objective(encoder(corrupted), target)
        number.append(len(counts))
        assert (sum(counts) > 0) == (num_seeds > 0)
    assert len(set(number)) == 1 and number[0] > 0
