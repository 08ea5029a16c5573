"""Several processes as one: embeddings and ids gathered with their gradient, and counts that are shared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

_JOINT: ContextVar[bool] = ContextVar("joint", default=False)


def world_size() -> int:
    """Number of processes, 1 unless ``torch.distributed`` is initialised."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of the processes this is, in [0, world_size)."""
    return dist.get_rank() if world_size() > 1 else 0


@contextmanager
def joint() -> Iterator[None]:
    r"""Inside, a mean of sums is a process's part of the mean over all processes.

    With sums :math:`s_r` and counts :math:`n_r` of W processes, process r computes :math:`W s_r / \sum_q n_q`. The mean
    of the parts, and of their gradients as DDP takes it, is that of one process that has all samples. Every process
    has to compute the same means in the same order. Without several processes this changes nothing.
    """
    token = _JOINT.set(True)
    try:
        yield
    finally:
        _JOINT.reset(token)


def denominator(count: Tensor) -> Tensor:
    """What a sum is divided by to be a mean: the count, or 1 where it is 0; inside :func:`joint` that of all processes.

    Args:
        count: Of how many terms the sum is, >= 0, any shape.

    Returns:
        Same shape; the same type, except that integers become floats where processes share them.
    """
    if not _JOINT.get() or world_size() == 1:
        return count.masked_fill(count == 0, 1)
    total = count.detach().to(torch.float64, copy=True)
    dist.all_reduce(total)
    shared = total.masked_fill(total == 0, 1) / world_size()
    return shared.to(count.dtype if count.is_floating_point() else torch.get_default_dtype())


def average(value: Tensor) -> Tensor:
    """The mean of a detached value over all processes; itself if there is only one."""
    if world_size() == 1:
        return value.detach()
    total = value.detach().clone()
    dist.all_reduce(total)
    return total / world_size()


def gather(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Rows of all processes, in the order of the processes, on each of them.

    The gradient of a row is the sum of what every process asks of it. A gather that cuts the gradient would lose the
    part of a sample's signal that it has as a candidate of the others, half of it for symmetric losses. Every process
    has to run the backward pass.

    Args:
        *tensors: With as many rows on this process; other processes may have other numbers of rows, also none. Halves
            are gathered in float32, so that gradients add up in it.

    Shapes:
        - each **tensor:** [B_r, ...]  ->  [B_0 + ... + B_(W-1), ...]
    """
    if world_size() == 1:
        return tensors
    size = torch.tensor([tensors[0].size(0)], device=tensors[0].device)
    found = [torch.empty_like(size) for _ in range(world_size())]
    dist.all_gather(found, size)
    sizes = torch.cat(found).tolist()
    return tuple(_Gather.apply(x.float() if x.is_floating_point() and x.itemsize < 4 else x, sizes) for x in tensors)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, sizes: list[int]) -> Tensor:
        ctx.sizes = sizes
        padded = x.new_zeros(max(sizes), *x.shape[1:])  # collectives need one shape
        padded[: x.size(0)] = x
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        total = grad.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.split(ctx.sizes)[dist.get_rank()], None
