"""How weights are moved: what cannot be stepped is refused by name, what can is tried without a trace."""

from functools import partial

import pytest
import torch
from torch.optim import SGD, AdamW, SparseAdam
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR

from sigraph.machines.optimization import check_makers, optimization, try_steps


def weights():
    return [torch.nn.Parameter(torch.ones(2))]


@pytest.mark.parametrize(
    ("optimizer", "scheduler", "said"),
    [
        (partial(SGD, lr=0.1), ReduceLROnPlateau, r"each step of 'ReduceLROnPlateau' asks for metrics; choose another"),
        (partial(SGD, lr=0.1), lambda made: made, r"'scheduler' needs to make a torch.*LRScheduler"),
        (lambda parameters: "AdamW", None, r"'optimizer' needs to make a torch.optim.Optimizer \(made 'AdamW'\)"),
    ],
)
def test_what_lightning_could_not_use_is_refused(optimizer, scheduler, said):
    with pytest.raises(ValueError, match=said):
        optimization(weights(), optimizer, scheduler)


@pytest.mark.parametrize("given", [("AdamW", None), (None, None), (SGD, "StepLR"), (SGD, 0)])
def test_names_make_nothing(given):
    with pytest.raises(ValueError, match=r"needs what is called with the .* in 'Owner', e\.g\. functools"):
        check_makers("Owner", *given)


@pytest.mark.parametrize("broken", [partial(SGD, lr=1e11), partial(AdamW, lr=1e308), partial(SGD, lr=float("nan"))])
def test_steps_that_lead_nowhere_are_refused(broken):
    with pytest.raises((ValueError, RuntimeError), match=r"choose smaller values|learning rate|without overflow"):
        try_steps(broken, None, "cpu")


def test_a_trial_raises_what_a_step_would_and_draws_nothing():
    for broken in ((partial(AdamW, lr=1e300), None), (SparseAdam, None), (SGD, partial(StepLR, step_size=0))):
        with pytest.raises((RuntimeError, ZeroDivisionError)):
            try_steps(*broken, "cpu")
    state = torch.get_rng_state()
    for optimizer in (AdamW, torch.optim.LBFGS, partial(SGD, lr=1.0, momentum=0.9)):
        try_steps(optimizer, partial(StepLR, step_size=1), "cpu")
    assert torch.equal(state, torch.get_rng_state())
