"""Embeddings: z of all samples by one finished encoder, computed once for all that ask."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.data import SampleDataset
from sigraph.encoders import Encoder, embed
from sigraph.running.ground import Ground
from sigraph.tasks import Task
from sigraph.tasks.base import BaseTask


class Embeddings:
    """z of samples by a finished encoder, computed when first asked for.

    The samples that pre-training saw are embedded by themselves: which others there are, and how long they are, changes
    no bit of what is measured on these.

    Args:
        encoder: Its weights stay as they are from the first question on.
        ground: What it was pre-trained on.
    """

    def __init__(self, encoder: Encoder, ground: Ground) -> None:
        self._encoder, self._whole, self._dataset = encoder, ground.whole, ground.dataset
        self._samples = ground.sight.samples
        self._seen: Tensor | None = None
        self._other: tuple[str, Tensor, Tensor] | None = None

    @property
    def seen(self) -> Tensor:
        """Of the samples that are pre-trained on, in their order. Shape [M, D]."""
        if self._seen is None:
            self._seen = embed(self._encoder, self._dataset)
        return self._seen

    def of(self, dataset: SampleDataset, task: BaseTask | None = None) -> Tensor:
        """Of a data set that is read as the pre-training's was; what was asked last is kept.

        Args:
            dataset: Any, the pre-training's own among them, of which all samples are embedded.
            task: On another data set, a task of samples: only those of its split are needed, which may be a few that
                were drawn. None: all are.

        Returns:
            NaN where a sample is not needed. Shape [N, D].
        """
        data, own = dataset.fingerprint, dataset.fingerprint == self._whole.fingerprint
        needed = torch.arange(len(dataset))
        if not own and isinstance(task, Task):
            needed = torch.cat(list(task.split.values())).unique()
        if self._other is None or self._other[0] != data or not torch.equal(self._other[1], needed):
            self._other = data, needed, self._all() if own else self._some(dataset, needed)
        return self._other[2]

    def _some(self, dataset: SampleDataset, needed: Tensor) -> Tensor:
        found = embed(self._encoder, dataset, needed)
        z = found.new_full((len(dataset), found.size(1)), torch.nan)
        z[needed] = found
        return z

    def _all(self) -> Tensor:
        if self._samples is None:
            return self.seen
        hidden = torch.ones(len(self._whole), dtype=torch.bool)
        hidden[self._samples] = False
        rest = hidden.nonzero().view(-1)
        z = torch.empty(len(self._whole), self.seen.size(1))
        z[self._samples] = self.seen
        z[rest] = embed(self._encoder, self._whole, rest)
        return z
