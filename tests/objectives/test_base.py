"""The contract, for every objective of the package."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from contracts import concrete_subclasses

import sigraph.objectives
from sigraph.data import SampleDataset
from sigraph.encoders import Encoder, GRUEncoder, MLPEncoder
from sigraph.objectives import MaskedFeature, MaskedToken, Objective
from sigraph.samples import Tokens, token_table

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
NODE = torch.arange(10, 17)


every_objective = pytest.mark.parametrize("objective_type", concrete_subclasses(Objective, sigraph.objectives))


def example(objective_type: type[Objective]):
    torch.manual_seed(0)
    return EXAMPLES[objective_type.__name__]()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows(inputs: Any, start: int | None, stop: int | None) -> Any:
    """Some samples of a batch."""
    if isinstance(inputs, Tokens):
        return Tokens(inputs.token[start:stop], inputs.length[start:stop])
    return inputs[start:stop]


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
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
    assert not same(rows(corrupted, 0, 3), rows(inputs, 0, 3))


@every_objective
def test_all_randomness_comes_from_the_generator(objective_type):
    objective, _, inputs = example(objective_type)
    before = torch.get_rng_state()
    one, two, other = (objective.corrupt(inputs, NODE, 7, seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert same(one, two) and not same(one, other)


@every_objective
def test_a_scalar_whose_gradient_reaches_encoder_and_objective(objective_type):
    objective, encoder, inputs = example(objective_type)
    corrupted, target = objective.corrupt(inputs, NODE, 4, seeded())
    loss = objective(encoder(corrupted), target)
    assert loss.shape == () and loss.isfinite() and loss > 0
    loss.backward()
    for name, parameter in [*encoder.named_parameters(), *objective.named_parameters()]:
        assert parameter.grad is not None and parameter.grad.isfinite().all() and (parameter.grad != 0).any(), name


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
