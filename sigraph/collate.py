"""StructureCollator: seed samples -> PretrainBatch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from sigraph.data import PretrainBatch, SampleDataset, SampleIds, SeedBatch, SeedBatchSampler
from sigraph.files.arguments import check_integers
from sigraph.files.random import keyed_generator
from sigraph.objectives import Objective
from sigraph.samplers import PairSampler


class StructureCollator:
    """The ``collate_fn`` of a stock DataLoader over sample ids.

    All randomness of a step is keyed: by (seed, epoch, step, process) when the seed samples come as a
    :class:`~sigraph.data.SeedBatch`, else by (seed, the seed samples themselves). The number of workers changes
    nothing.

    Args:
        dataset: Where samples are fetched from.
        sampler: Which samples join the seed samples and which pairs are positive.
        objective: Corrupts the samples; None: they stay as they are.
        seed: Seed of all draws, >= 0.

    Raises:
        ValueError: An argument is of another kind, as when two are swapped; the sampler's graph has another number of
            nodes than the data set has samples.
    """

    def __init__(
        self, dataset: SampleDataset, sampler: PairSampler, objective: Objective | None = None, seed: int = 0
    ) -> None:
        for name, value, kind in (
            ("dataset", dataset, SampleDataset),
            ("sampler", sampler, PairSampler),
            ("objective", objective, Objective),
        ):
            if not isinstance(value, kind) and (name != "objective" or value is not None):
                raise ValueError(
                    f"{name!r} needs to be a sigraph {kind.__name__} in 'StructureCollator' (got a "
                    f"{type(value).__name__}); the order is dataset, sampler, objective"
                )
        check_integers("StructureCollator", 0, seed=seed)
        if sampler.num_nodes != len(dataset):
            raise ValueError(
                f"'sampler' needs a graph with one node per sample, {len(dataset)}, in 'StructureCollator' "
                f"(got {sampler.num_nodes} nodes)"
            )
        self.dataset, self.sampler, self.seed = dataset, sampler, seed
        self.objective = objective

    def __call__(self, seeds: SeedBatch | Tensor | list[int]) -> PretrainBatch:
        if isinstance(seeds, SeedBatch):
            key = (self.seed, seeds.epoch, seeds.step, *([seeds.rank] if seeds.rank else []))
            ids, generator = seeds.seeds, keyed_generator(*key)
        else:
            ids = torch.as_tensor(seeds).view(-1)
            if ids.numel() and (ids.is_floating_point() or ids.dtype == torch.bool):
                raise ValueError(f"'seeds' needs integer sample ids in 'StructureCollator' (got {ids.dtype})")
            ids = ids.long()
            generator = keyed_generator(self.seed, *ids.abs().tolist())
        if ids.numel() == 0:
            raise ValueError("'seeds' needs at least one sample in 'StructureCollator' (got none)")
        if int(ids.min()) < 0 or int(ids.max()) >= len(self.dataset):
            raise ValueError(
                f"'seeds' needs sample ids in [0, {len(self.dataset)}) in 'StructureCollator' "
                f"(got [{int(ids.min())}, {int(ids.max())}])"
            )
        node, pairs = self.sampler.sample(ids, generator)
        inputs: Any = self.dataset.fetch(node)
        target = None
        num_seeds = int(ids.unique().numel())
        if self.objective is not None:
            inputs, target = self.objective.corrupt(inputs, node, num_seeds, generator)
        return PretrainBatch(node, num_seeds, inputs, pairs, target)


class _LateLoader(DataLoader):
    """Starts to draw when the first batch is asked for.

    A stock DataLoader's workers draw as soon as there is an iterator. Lightning makes one before it sets the epoch, so
    that a resumed training would see the first epoch's batches again.
    """

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        yield from super().__iter__()


def pretrain_loader(
    dataset: SampleDataset,
    sampler: PairSampler,
    objective: Objective | None = None,
    batch_size: int = 1024,
    seed: int = 0,
    num_workers: int = 0,
    num_steps: int | None = None,
) -> DataLoader:
    """A DataLoader whose batches are the same for any number of workers and can be continued mid-epoch.

    Args:
        dataset, sampler, objective, seed: As in :class:`StructureCollator`.
        batch_size: Seed samples a step, of all processes together.
        num_workers: Processes that prepare batches; 0: the training process itself.
        num_steps: Steps an epoch; None: every sample once.

    Raises:
        ValueError: As in :class:`StructureCollator`; a number is none, or too small.
    """
    collator = StructureCollator(dataset, sampler, objective, seed)
    check_integers("pretrain_loader", 1, batch_size=batch_size, num_steps=1 if num_steps is None else num_steps)
    check_integers("pretrain_loader", 0, num_workers=num_workers)
    return _LateLoader(
        SampleIds(len(dataset)),
        batch_size=None,
        sampler=SeedBatchSampler(len(dataset), batch_size, seed, num_steps),
        collate_fn=collator,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        generator=keyed_generator(seed),  # else the loader draws from the global stream, which dropout uses
    )
