"""Batches of a task's items: fetched to be encoded, or of embeddings that were computed once."""

from __future__ import annotations

import logging
import tempfile
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from sigraph.data import SampleDataset
from sigraph.encoders import Encoder, Encoding
from sigraph.encoders.embed import encode
from sigraph.files.random import keyed_generator
from sigraph.samples.batches import NUMBERS, bounded_number
from sigraph.tasks.base import BaseTask

logger = logging.getLogger(__name__)

SCRATCH = 4 << 30  # bytes at most of what a frozen encoder's parts may take on disk; beyond, they are encoded again
MOST_ITEMS = 4096  # of a batch that nothing trains on
MOST_ROWS = 1 << 18  # of a prediction for one
ORDER, NEGATIVES = 1, 2  # keys of the order of batches, of the negatives that steps draw


class TaskBatch(NamedTuple):
    """Some items of a task.

    Args:
        inputs: What an encoder reads of the samples that the items touch; or embeddings of these, or rows for a head.
        y: What is predicted, a row an item or a part.
        place: Where in ``inputs`` the items' samples are; None: ``inputs`` are a row for each prediction.
        items: Which items. Shape [n]
    """

    inputs: Any
    y: Tensor
    place: Tensor | None = None
    items: Tensor | None = None


class Source(ABC):
    """Where batches of a task's items come from."""

    def __init__(self, task: BaseTask) -> None:
        self.task = task

    @abstractmethod
    def fetch(self, items: Tensor, generator: torch.Generator | None = None) -> TaskBatch:
        """A batch; with a generator it is one to train on, to which a task may add negatives."""

    @abstractmethod
    def most(self, items: Tensor) -> int:
        """Items of a batch at most."""


class Fetched(Source):
    """Samples as an encoder reads them."""

    def __init__(self, task: BaseTask, dataset: SampleDataset) -> None:
        super().__init__(task)
        self.dataset = dataset

    def fetch(self, items: Tensor, generator: torch.Generator | None = None) -> TaskBatch:
        node, place, y = self.task.step(items, generator)
        return TaskBatch(self.dataset.fetch(node), y, place, items)

    def most(self, items: Tensor) -> int:
        _, place, _ = self.task.step(items[:1], keyed_generator(0))  # how many samples an item takes
        return max(1, bounded_number(self.dataset.store, self.task.samples(items)[0]) // place.numel())


class Embedded(Source):
    """Embeddings of samples, computed once.

    Args:
        task: It reads no parts.
        z: Of all samples of the data set. Shape [N, D].
    """

    def __init__(self, task: BaseTask, z: Tensor) -> None:
        super().__init__(task)
        self.z = z

    def fetch(self, items: Tensor, generator: torch.Generator | None = None) -> TaskBatch:
        node, place, y = self.task.step(items, generator)
        return TaskBatch(self.z[node], y, place, items)

    def most(self, items: Tensor) -> int:
        return len(items)


class EmbeddedParts(Source):
    """What a head reads of a frozen encoder's parts: in float16, in a mapped file that is gone when nobody reads it."""

    def __init__(self, task: BaseTask, items: Tensor, rows: np.ndarray) -> None:
        super().__init__(task)
        self.rows = rows  # [R, D'] float16
        self.place = torch.full((task.num_items,), -1)
        self.place[items] = torch.arange(len(items))
        self.size = task.row_items(items).bincount(minlength=len(items))
        self.start = self.size.cumsum(0) - self.size

    @classmethod
    def of(cls, encoder: Encoder, dataset: SampleDataset, task: BaseTask, items: Tensor) -> EmbeddedParts | None:
        """Encode items once; None, which is said, if that takes more than :data:`SCRATCH` or does not fit float16."""
        total, written, width = len(task.row_items(items)), 0, 0
        file = tempfile.TemporaryFile()  # noqa: SIM115 -- lives as long as it is mapped
        for part in items.split(min(MOST_ITEMS, Fetched(task, dataset).most(items))):
            node, place = task.samples(part)
            inputs, encoding = encode(encoder, dataset, node)
            rows = task.read(encoding, place, inputs).half().cpu()
            width = rows.size(1)
            if total * width * 2 > SCRATCH:
                logger.info("%s: %d parts take more than %d bytes; encoded in every epoch", task.name, total, SCRATCH)
                return None
            if not bool(torch.isfinite(rows).all()):
                logger.warning("%s: embeddings of parts do not fit into float16; encoded in every epoch", task.name)
                return None
            try:
                file.write(rows.numpy().tobytes())
            except OSError as error:
                logger.warning("%s: no room for embeddings of parts (%s); encoded in every epoch", task.name, error)
                return None
            written += len(rows)
        if written != total:
            raise ValueError(f"the encoder gives {written:,} parts for {total:,} labels of task {task.name!r}")
        file.flush()
        return cls(task, items, np.memmap(file, np.float16, "r", shape=(total, width)))

    def fetch(self, items: Tensor, generator: torch.Generator | None = None) -> TaskBatch:
        place = self.place[items]
        size = self.size[place]
        first = torch.repeat_interleave(self.start[place] - (size.cumsum(0) - size), size)
        row = (first + torch.arange(len(first))).numpy()
        return TaskBatch(torch.from_numpy(self.rows[row].astype(np.float32)), self.task.target(items), None, items)

    def most(self, items: Tensor) -> int:
        longest = int(self.size[self.place[items]].max())
        return max(1, NUMBERS // max(1, longest * self.rows.shape[1]))


class _Collate:
    """Batches of listed items; of those that are trained on, each step draws with a key of its own."""

    def __init__(self, source: Source, seed: int | None) -> None:
        self.source, self.seed, self.step = source, seed, 0

    def __call__(self, items: list[int]) -> TaskBatch:
        generator = None if self.seed is None else keyed_generator(self.seed, NEGATIVES, self.step)
        self.step += 1
        return self.source.fetch(torch.as_tensor(items, dtype=torch.long), generator)


def batches(source: Source, part: str, batch_size: int | None, seed: int) -> DataLoader:
    """A loader of a part of the split, shuffled where it trains in several steps.

    Args:
        source: Of its batches.
        part: ``train``, ``valid`` or ``test``.
        batch_size: Items a step; None: all training items at once, as far as they fit.
        seed: Of their order, and of negatives.
    """
    items = source.task.split[part]
    size = batch_size or min(len(items) if part == "train" else MOST_ITEMS, source.most(items))
    rows = len(source.task.row_items(items[:1]))  # an item: a link with its candidates takes a thousand
    if part != "train" and size * rows > MOST_ROWS:
        size = max(1, MOST_ROWS // rows)
    return DataLoader(
        items.tolist(),  # type: ignore[arg-type]
        batch_size=min(size, len(items)),
        shuffle=part == "train" and size < len(items),
        generator=keyed_generator(seed, ORDER),
        collate_fn=_Collate(source, seed if part == "train" else None),
    )


def rows_of(source: Source, part: str, seed: int) -> tuple[Tensor, Tensor]:
    """What a head reads of a whole part of the split, and its targets, where embeddings were computed before."""
    generator = keyed_generator(seed, NEGATIVES, 0) if part == "train" else None
    batch = source.fetch(source.task.split[part], generator)
    if batch.place is None:
        return batch.inputs, batch.y
    return source.task.read(Encoding(batch.inputs), batch.place, None), batch.y


def check_parts_of(encoder: Encoder, dataset: SampleDataset, task: BaseTask) -> None:
    """Refuse samples or an encoder without the parts that a task has labels of; one sample is encoded.

    Raises:
        ValueError: There are no parts, as many embeddings as labels, or not as wide as the encoder says.
    """
    if dataset.store.num_parts() is None:
        raise ValueError(
            f"task {task.name!r} has labels of parts, but the samples are {dataset.store.describe()}, which have none; "
            "make token sequences or graphs of them (a reader does)"
        )
    items = task.split["train"][:1]
    node, place = task.samples(items)
    inputs, encoding = encode(encoder, dataset, node)
    rows, wanted = task.read(encoding, place, inputs), len(task.target(items))
    if len(rows) != wanted:
        raise ValueError(
            f"task {task.name!r} has {wanted:,} labels of sample {int(node[0])}, but {type(encoder).__name__!r} gives "
            f"{len(rows):,} embeddings of its parts"
        )
    if rows.size(1) != encoder.part_channels:
        raise ValueError(
            f"'part_channels' of {type(encoder).__name__!r} needs to be {rows.size(1)}, the width of its h (got "
            f"{encoder.part_channels})"
        )
