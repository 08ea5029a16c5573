"""The contract of an encoder: sample -> z."""

from __future__ import annotations

from abc import ABC, abstractmethod
from os import PathLike
from typing import Any

import torch
from torch import Tensor, nn

from sigraph.config.described import Described
from sigraph.config.overlay import Component
from sigraph.data.dataset import SampleDataset
from sigraph.files.arguments import said
from sigraph.samples.encoding import Encoding

__all__ = ["Encoder", "Encoding", "samples_of"]


class Encoder(Described, nn.Module, ABC):
    """Maps samples, one by one, to embeddings; it never sees the graph.

    Implement :meth:`forward` and set :attr:`out_channels`. Constructor arguments named ``in_channels`` (width of the
    feature rows) and ``num_tokens`` (vocabulary of the token sequences) are filled from the data when the encoder comes
    from a YAML.
    """

    out_channels: int  # D
    autocast_dtype: torch.dtype | None = None  # of a mixed precision; None: all in the precision of the weights

    @property
    def part_channels(self) -> int:
        """D', the width of embeddings of parts; by default that of samples."""
        return self.out_channels

    @staticmethod
    def way_from(value: Any) -> str:
        """How an encoder is had from a value that is none, for messages; empty where there is no telling."""
        if isinstance(value, str | PathLike):
            return "load it: sigraph.load_encoder(RUN_FOLDER)"
        if isinstance(getattr(value, "_orig_mod", None), Encoder):
            return "compile it in place: encoder.compile()"
        return "a module becomes one as a subclass of sigraph.encoders.Encoder" if isinstance(value, nn.Module) else ""

    def check_samples(self, dataset: SampleDataset) -> None:
        """Refuse a data set whose samples this encoder cannot read, before anything trains; by default none is.

        Raises:
            ValueError: What the encoder needs, and what the samples are.
        """

    def prepare(self, dataset: SampleDataset) -> None:
        """Learn from samples, before the first step, what takes no training, such as scales of features.

        Args:
            dataset: The samples that pre-training sees.
        """

    def standing_alone(self, component: Component) -> Component:
        """What builds this encoder, its weights aside, where files that it was made from are not there.

        Args:
            component: What built it.
        """
        return component

    def note_samples(self, dataset: SampleDataset) -> str:
        """What of new samples this encoder does not know and reads as unknown, in words; empty: it knows everything.

        Samples are new where they are embedded alone, and nothing trains.

        Raises:
            ValueError: It cannot read the samples; by default as :meth:`check_samples`.
        """
        self.check_samples(dataset)
        return ""

    @abstractmethod
    def forward(self, inputs: Any) -> Encoding:
        """Encode a batch of samples, each independently of the others."""


def run_encoder(encoder: Encoder, inputs: Any) -> Encoding:
    """What an encoder makes of a batch, in its mixed precision where it has one; heads get single precision."""
    if encoder.autocast_dtype is None:
        return encoder(inputs)
    device = next((weight.device.type for weight in encoder.parameters()), "cpu")
    with torch.autocast(device, encoder.autocast_dtype):
        found = encoder(inputs)
    if not isinstance(found, Encoding):
        return found  # for others to refuse
    return found._replace(z=found.z.float(), h=None if found.h is None else found.h.float())


def samples_of(dataset: SampleDataset) -> str:
    """The samples of a data set for a message, by its name if it has one."""
    return f"the samples of data set {dataset.name!r}" if dataset.name else "the samples"


def check_width(encoder: Encoder) -> None:
    """Refuse an encoder that does not say how wide its embeddings are.

    Raises:
        ValueError: ``out_channels`` is missing, or no number.
    """
    width = getattr(encoder, "out_channels", None)
    if not isinstance(width, int):
        name = type(encoder).__name__
        raise ValueError(f"{name!r} needs to set 'out_channels', D of z [B, D], in its constructor (got {said(width)})")


def checked_encoding(encoder: Encoder, found: Any, number: int) -> Encoding:
    """What an encoder gave for ``number`` samples, if it keeps the contract.

    Raises:
        ValueError: It is no :class:`Encoding`, or ``z`` has another shape than [number, out_channels].
    """
    name = type(encoder).__name__
    if not isinstance(found, Encoding):
        raise ValueError(
            f"forward() of {name!r} needs to give sigraph.encoders.Encoding(z), z a tensor [B, D] (got {said(found)})"
        )
    check_width(encoder)
    width = encoder.out_channels
    shape = list(found.z.shape) if isinstance(found.z, Tensor) else None
    if shape != [number, width]:
        got = said(found.z) if shape is None else shape
        raise ValueError(f"forward() of {name!r} needs z of shape [{number}, {width}], out_channels wide (got {got})")
    return found
