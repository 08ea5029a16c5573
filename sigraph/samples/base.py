"""The contract of samples: what a data set holds, in memory or mapped from disk."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import pyarrow as pa
from torch import Tensor

from sigraph.files.sums import HeldArray
from sigraph.samples.alike import Alike

Add = Callable[[bytes | memoryview], None]


class Files(Protocol):
    """The files of a prepared folder, each compared with its sum when it is read."""

    def __contains__(self, name: object) -> bool: ...
    def array(self, name: str) -> HeldArray:
        """A ``.npy`` file, mapped."""

    def checked(self, name: str) -> Path:
        """The path of a file that was just read and compared."""


class Samples(ABC):
    """N samples of one kind. Who uses them asks for what it needs, never for the kind.

    A new kind is a subclass in a file of its own; :class:`~sigraph.data.SampleDataset` takes it as ``samples``.
    """

    kind: ClassVar[str]  # the card's word: features, tokens, records, graphs
    mark: ClassVar[str]  # the file of a prepared folder that says it holds such samples

    @property
    @abstractmethod
    def sizes(self) -> Mapping[str, int]:
        """What constructor arguments of these names are filled with, e.g. ``in_channels``, ``num_tokens``."""

    @abstractmethod
    def __len__(self) -> int:
        """N."""

    @abstractmethod
    def fetch(self, node: Tensor) -> Any:
        """What an encoder is given for some samples, in their order; one listed twice comes twice.

        Args:
            node: Sample ids in [0, N). Shape [B].
        """

    @abstractmethod
    def take(self, node: Tensor) -> Samples:
        """Some samples, in memory. Shape [B]."""

    @abstractmethod
    def describe(self) -> str:
        """What they are, in words: ``rows of 7 features``."""

    @abstractmethod
    def feed(self, add: Add) -> None:
        """Give all content, in an order of its own, to a digest."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write into a folder of a data set, :attr:`mark` among the files; arrays are plain ``.npy``."""

    @classmethod
    @abstractmethod
    def open(cls, files: Files) -> Samples:
        """Open what :meth:`save` wrote; arrays are mapped."""

    @classmethod
    @abstractmethod
    def alike(cls, sets: Sequence[Any], ids: pa.Array | None, kinds: Mapping[str, str] | None) -> Alike:
        """Which samples of one or several sets of this kind are the same sample again, numbered in a row.

        Args:
            sets: Each of this class.
            ids: The first set's ids, where they may stand among its columns: they are no content.
            kinds: What columns of records hold.
        """

    @property
    def given(self) -> Any:
        """Them as users know them: a tensor, a table, a list; by default themselves."""
        return self

    def check(self, owner: str = "SampleDataset") -> None:  # noqa: B027 -- most kinds have nothing to look at
        """Read everything once and refuse what cannot be used, such as NaN; ``owner`` asks for it."""

    def cost(self) -> Tensor | None:
        """What each sample costs an encoder, in tokens or nodes, float or integer [N]; None: all the same."""
        return None

    def num_parts(self) -> Tensor | None:
        """Parts of each sample that may carry a label, special tokens left out. int64 [N]; None: they have no parts."""
        return None

    def vectors(self) -> Tensor | None:
        """A row of numbers for each sample, for nearest neighbours. [N, F]; None: there is none."""
        return None

    def records(self) -> pa.Table | None:
        """Named columns, for who reads single ones. N rows; None: there are none."""
        return None

    def unknown(self, num_tokens: int) -> tuple[int, int, int]:
        """Tokens that a vocabulary of this size lacks, tokens in all, samples with such a token."""
        return 0, 0, 0

    def digest(self) -> str:
        """SHA-256 of the content."""
        found = hashlib.sha256()
        self.feed(found.update)
        return found.hexdigest()


def feed_array(add: Add, name: str, value: Tensor | None) -> None:
    """An array, with its name, type and shape, into a digest."""
    if value is not None:
        array = np.ascontiguousarray(value.detach().cpu().numpy())
        add(f"{name} {array.dtype} {array.shape}\n".encode())
        add(array.data if array.size else b"")


def save_array(folder: Path, name: str, value: Tensor) -> None:
    """An array as a plain ``.npy`` file of a folder."""
    np.save(folder / name, np.ascontiguousarray(value.detach().cpu().numpy()), allow_pickle=False)
