"""PretrainBatch: one step of pre-training; SeedBatch and SeedBatchSampler: where it starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler

from sigraph.data.pairs import Pairs
from sigraph.files.arguments import as_tensor, check_integers
from sigraph.files.memory import check_fits
from sigraph.files.random import keyed_generator
from sigraph.machines.distributed import rank, world_size


@dataclass
class PretrainBatch:
    """What the encoder, the objective and the structure loss need for one step.

    Args:
        node: Ids of the unique samples of the step, the seed samples first. Shape [B].
        num_seeds: S, how many of them are seed samples.
        inputs: What the encoder reads, after the objective corrupted it: one entry per sample.
        pairs: Positives and negatives among the samples.
        target: What the objective predicts; None without an objective.
    """

    node: Tensor
    num_seeds: int
    inputs: Any
    pairs: Pairs
    target: Any = None

    def to(self, device: torch.device | str, non_blocking: bool = False) -> PretrainBatch:
        """Everything on ``device``."""
        return self._map(lambda value: value.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> PretrainBatch:
        """Everything in page-locked memory; called by the DataLoader."""
        return self._map(lambda value: value.pin_memory())

    def _map(self, function: Any) -> PretrainBatch:
        moved = {name: on_parts(getattr(self, name), function) for name in ("node", "inputs", "pairs", "target")}
        return replace(self, **moved)


def on_parts(value: Any, function: Any) -> Any:
    """Apply to everything in nested containers that can move between devices."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(on_parts(item, function) for item in value))
    if isinstance(value, list | tuple):
        return type(value)(on_parts(item, function) for item in value)
    if isinstance(value, dict):
        return {key: on_parts(item, function) for key, item in value.items()}
    return function(value) if hasattr(value, "pin_memory") else value


@dataclass
class SeedBatch:
    """The seed samples of one step on one process, and which, so that the step's randomness depends on nothing else."""

    seeds: Tensor  # [S]
    epoch: int
    step: int
    rank: int = 0


class SampleIds(Dataset):
    """The data set that a DataLoader over sample ids reads: an id is its own item, a :class:`SeedBatch` too."""

    def __init__(self, num_samples: int) -> None:
        self.num_samples = num_samples

    def __len__(self) -> int:
        return self.num_samples

    def __getitem__(self, item: Any) -> Any:
        return item


class SeedBatchSampler(DistributedSampler):  # else Lightning splits its batches over the processes once more
    """Shuffled batches of seed samples; every given sample once an epoch, unless ``num_steps`` says otherwise.

    Use as the ``sampler`` of a stock DataLoader over :class:`SampleIds` with ``batch_size=None``. The order depends on
    (seed, epoch) only, and :meth:`load_state_dict` continues in the middle of an epoch. Where ``torch.distributed`` is
    initialised, each process gets its share of every batch: none twice, as many steps on each, numbers of seed samples
    that differ by at most one.

    Args:
        ids: Sample ids to draw from. Shape [N]; or a number N for 0 .. N - 1.
        batch_size: S, seed samples a step, of all processes together, >= 1 and at least two for each of several; the
            last step of an epoch may have fewer.
        seed: Seed of the order.
        num_steps: Steps an epoch, >= 1, over as many shuffles as it takes; None: one shuffle. For arms that see fewer
            samples and are to take as many steps as the others.
    """

    def __init__(self, ids: Tensor | int, batch_size: int, seed: int = 0, num_steps: int | None = None) -> None:
        check_integers("SeedBatchSampler", 1, batch_size=batch_size, num_steps=1 if num_steps is None else num_steps)
        check_integers("SeedBatchSampler", 0, seed=seed)
        if isinstance(ids, int):
            check_fits("SeedBatchSampler", 8 * ids, ids=ids)
            ids = torch.arange(ids)
        try:
            self.ids = as_tensor(ids)
        except ValueError as error:
            raise ValueError(f"'ids' needs a list of integer sample ids in 'SeedBatchSampler' ({error})") from error
        if self.ids.numel() == 0:
            raise ValueError("'ids' needs at least one sample in 'SeedBatchSampler' (got none)")
        if self.ids.dim() != 1 or self.ids.is_floating_point() or self.ids.dtype == torch.bool:
            got = f"{self.ids.dtype} {list(self.ids.shape)}"
            raise ValueError(f"'ids' needs a list of integer sample ids in 'SeedBatchSampler' (got {got})")
        self.ids = self.ids.long()
        self.batch_size, self.seed = batch_size, seed
        self.num_steps = num_steps or -(-self.ids.numel() // batch_size)
        self.epoch = self.first_step = 0

    def set_epoch(self, epoch: int) -> None:
        """Which epoch the next iteration is; called by Lightning."""
        if epoch != self.epoch:
            self.epoch, self.first_step = epoch, 0

    def state_dict(self, step: int = 0) -> dict[str, int]:
        """Where an epoch stands after ``step`` steps."""
        return {"seed": self.seed, "epoch": self.epoch, "step": step}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue at a step of an epoch."""
        self.seed, self.epoch, self.first_step = state["seed"], state["epoch"], state["step"]

    def __len__(self) -> int:
        return self.num_steps

    def __iter__(self) -> Iterator[SeedBatch]:
        first, self.first_step = self.first_step, 0
        generator, step = keyed_generator(self.seed, self.epoch), 0
        own, size, sizes = rank(), world_size(), self._sizes()
        while step < self.num_steps:
            order = torch.randperm(self.ids.numel(), generator=generator)
            for seeds in self.ids[order].split(sizes)[: self.num_steps - step]:
                if step >= first:
                    yield SeedBatch(seeds.tensor_split(size)[own], self.epoch, step, own)
                step += 1

    def _sizes(self) -> list[int]:
        """Seed samples of each step over one shuffle; on several processes the last one leaves none without any."""
        size, total = world_size(), self.ids.numel()
        if size > 1 and (self.batch_size < 2 * size or total < size):
            raise ValueError(
                f"'batch_size' needs to be >= {2 * size}, of >= {size} samples, in 'SeedBatchSampler' on {size} "
                f"processes (got {self.batch_size}, of {total})"
            )
        whole, rest = divmod(total, self.batch_size)
        sizes = [self.batch_size] * whole + ([rest] if rest else [])
        if 0 < rest < size:
            sizes[-2:] = [self.batch_size - (size - rest), size]
        return sizes
