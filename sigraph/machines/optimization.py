"""How weights are moved: what Lightning is told of an optimiser and its schedule, and a trial of both."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from sigraph.files.arguments import shown

LARGEST = 1e15  # of a weight that was 1 two steps before

MakesOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]
MakesScheduler = Callable[[Optimizer], LRScheduler]


def check_makers(owner: str, optimizer: Any, scheduler: Any) -> None:
    """Refuse what makes no optimiser or schedule, such as its name."""
    for name, value, first in (("optimizer", optimizer, "parameters"), ("scheduler", scheduler, "optimiser")):
        if not callable(value) and not (value is None and name == "scheduler"):
            way = "functools.partial(torch.optim.AdamW, lr=1e-3)"
            if name == "scheduler":
                way = "functools.partial(torch.optim.lr_scheduler.StepLR, step_size=10), or None"
            raise ValueError(
                f"{name!r} needs what is called with the {first} and makes one in {owner!r}, e.g. {way} "
                f"(got {shown(value)})"
            )


def optimization(
    parameters: Iterable[nn.Parameter], optimizer: MakesOptimizer, scheduler: MakesScheduler | None
) -> Optimizer | dict[str, Any]:
    """What ``configure_optimizers`` of a Lightning module returns: the optimiser, or a mapping with its schedule too.

    Raises:
        ValueError: What was made is of another kind, or a schedule that cannot be stepped once an epoch.
    """
    moving = optimizer(parameters)
    if not isinstance(moving, Optimizer):
        raise ValueError(f"'optimizer' needs to make a torch.optim.Optimizer (made {shown(moving)})")
    if scheduler is None:
        return moving
    schedule = scheduler(moving)
    if not isinstance(schedule, LRScheduler):
        raise ValueError(f"'scheduler' needs to make a torch.optim.lr_scheduler.LRScheduler (made {shown(schedule)})")
    asked = [p.name for p in inspect.signature(schedule.step).parameters.values() if p.default is p.empty]
    if asked:
        raise ValueError(
            f"'scheduler' needs a schedule that goes by epochs alone, but each step of {type(schedule).__name__!r} "
            f"asks for {', '.join(asked)}; choose another, e.g. CosineAnnealingLR"
        )
    return {"optimizer": moving, "lr_scheduler": schedule}


def try_steps(optimizer: MakesOptimizer, scheduler: MakesScheduler | None, device: str) -> None:
    """Take a few tiny weights through two epochs of one step, so that what a step cannot work with is raised here.

    Args:
        optimizer: Makes the optimiser from the parameters.
        scheduler: Makes a schedule from the optimiser; None: constant.
        device: Where training will be.
    """
    weights = [nn.Parameter(torch.ones(shape, device=device)) for shape in ((2, 2), (2,))]
    made = optimization(weights, optimizer, scheduler)
    moving, schedule = (made, None) if isinstance(made, Optimizer) else (made["optimizer"], made["lr_scheduler"])

    def closure() -> torch.Tensor:
        moving.zero_grad()
        loss = torch.stack([weight.square().sum() for weight in weights]).sum()
        loss.backward()
        return loss

    for _ in range(2):
        moving.step(closure)  # type: ignore[arg-type]
        if schedule is not None:
            schedule.step()
    largest = max(float(weight.detach().abs().max()) for weight in weights)
    if not largest <= LARGEST:
        raise ValueError(
            f"it moves weights of 1 to {largest:.3g} in two steps, from where nothing comes back; choose smaller values"
        )
