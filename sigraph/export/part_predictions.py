"""Predictions of the parts of samples: a token, a residue, a node."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from sigraph.encoders import Encoder
from sigraph.encoders.embed import encode
from sigraph.export.heads import Head
from sigraph.export.samples import ReadSamples
from sigraph.samples.batches import bounded_batches
from sigraph.tasks.parts import parts_of

_AT_ONCE = 4096  # samples


def predict_parts(
    head: Head, encoder: Encoder, samples: ReadSamples
) -> tuple[Mapping[str, pa.Array], Tensor | None, Tensor, Tensor]:
    """A row for each part of each sample, special tokens left out; one that is empty for a sample that was not read.

    Args:
        head: Of a task with a label a part.
        encoder: What it reads.
        samples: As they were read.

    Returns:
        ``id`` and ``position`` (from 0) of each row, their classes and values as of :class:`Predicted`, and which of
        the samples that were given each row is of.

    Raises:
        ValueError: The encoder gives no embeddings of parts, or some that are NaN or infinite.
    """
    if note := encoder.note_samples(samples.dataset):
        warnings.warn(note, stacklevel=2)
    numbers, values, sizes = [], [], []
    for node in bounded_batches(samples.dataset.store, torch.arange(len(samples.dataset)), _AT_ONCE):
        inputs, encoding = encode(encoder, samples.dataset, node)
        h, size = parts_of(encoding, inputs, head.task)
        if not bool(torch.isfinite(h).all()):
            raise ValueError(
                f"the encoder gives NaN or infinite embeddings for parts of samples from {int(node[0])} on"
            )
        number, value = head.predict(h.float().cpu())
        numbers += [] if number is None else [number]
        values.append(value)
        sizes.append(size.cpu())
    value, size = torch.cat(values), samples.spread(torch.cat(sizes), 1)  # an empty row of what was not read
    place = torch.repeat_interleave(torch.arange(len(size)), size)
    position = torch.arange(len(place)) - (size.cumsum(0) - size)[place]
    is_read = samples.is_read[place]
    spread = value.new_full((len(place), *value.shape[1:]), float("nan"))
    spread[is_read] = value
    classes = None
    if numbers:
        classes = torch.full((len(place),), -1)
        classes[is_read] = torch.cat(numbers)
    ids = pa.array(np.arange(len(size))) if samples.ids is None else samples.ids
    rows = {"id": ids.take(pa.array(place.numpy())), "position": pa.array(position.numpy(), mask=~is_read.numpy())}
    return rows, classes, spread, place
