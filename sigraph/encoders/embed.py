"""Embeddings of many samples."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from sigraph.data.batch import on_parts
from sigraph.data.dataset import SampleDataset
from sigraph.encoders.base import Encoder, Encoding, check_width, checked_encoding, run_encoder
from sigraph.files.arguments import check_integers, check_kinds, checked_node
from sigraph.samples.batches import bounded_batches, by_cost


@torch.no_grad()
def embed(encoder: Encoder, dataset: SampleDataset, node: Tensor | None = None, batch_size: int = 4096) -> Tensor:
    """Embed samples in evaluation mode; no graph is involved.

    Args:
        encoder: Its training mode, layer by layer, is as before when this returns.
        dataset: Where the samples are fetched from. Tokens that the encoder's vocabulary lacks are read as hidden ones;
            a warning says how many.
        node: Ids of the samples. Shape [M]; None: all of them.
        batch_size: Samples at a time, >= 1, alike lengths together; fewer of long sequences, large graphs and wide
            rows, so that a batch fits (:mod:`~sigraph.samples.batches`). Changes memory, not values.

    Returns:
        On the CPU. Shape [M, D].

    Raises:
        ValueError: An argument is of another kind; the encoder cannot read the samples; an embedding is NaN or infinite
            (names the first sample).
    """
    check_kinds("embed", encoder=(encoder, Encoder), dataset=(dataset, SampleDataset))
    check_integers("embed", 1, batch_size=batch_size)
    if note := encoder.note_samples(dataset):
        warnings.warn(note, stacklevel=3)  # one more for the decorator
    node = torch.arange(len(dataset)) if node is None else checked_node(node, len(dataset))
    like = next((weight for weight in encoder.parameters() if weight.is_floating_point()), torch.empty(0))
    check_width(encoder)
    order, done = by_cost(dataset.store, node), 0
    z = torch.empty(len(node), encoder.out_channels)
    with _evaluating(encoder):
        for ids in bounded_batches(dataset.store, node[order], batch_size):
            encoding = checked_encoding(encoder, run_encoder(encoder, _move(dataset.fetch(ids), like)), len(ids))
            z[order[done : done + len(ids)]] = encoding.z.float().cpu()
            done += len(ids)
    wrong = (~torch.isfinite(z).all(dim=1)).nonzero().view(-1)
    if wrong.numel():
        raise ValueError(
            f"the encoder gives NaN or infinite embeddings for {wrong.numel()} samples "
            f"(first: sample {int(node[wrong[0]])}); a smaller learning rate or gradient clipping may help"
        )
    return z


@torch.no_grad()
def encode(encoder: Encoder, dataset: SampleDataset, node: Tensor) -> tuple[Any, Encoding]:
    """What the encoder reads of some samples and what it makes of it, parts too, in evaluation mode, in one batch.

    Args:
        encoder: Its training mode is as before when this returns.
        dataset: Where the samples are fetched from.
        node: Their ids. Shape [B].
    """
    like = next((weight for weight in encoder.parameters() if weight.is_floating_point()), torch.empty(0))
    inputs = _move(dataset.fetch(node), like)
    with _evaluating(encoder):
        return inputs, checked_encoding(encoder, run_encoder(encoder, inputs), len(node))


@contextmanager
def _evaluating(encoder: Encoder) -> Iterator[None]:
    """Evaluation mode for a block; each layer is as before afterwards."""
    modes = [(module, module.training) for module in encoder.modules()]
    encoder.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _move(inputs, like):
    """To the device of the encoder's weights, and to their precision, which may be lower or higher in training."""
    if not isinstance(inputs, Tensor):
        return inputs.to(like.device) if hasattr(inputs, "to") else on_parts(inputs, lambda part: _move(part, like))
    return inputs.to(like.device, like.dtype if inputs.is_floating_point() else None)
