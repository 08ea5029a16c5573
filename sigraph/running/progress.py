"""How an experiment tells what it is doing; silent unless a terminal or a log wants to know."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from tqdm import tqdm

from sigraph.files.foreign_text import printable, unguarded


class Progress:
    """What a run reports to; this one says nothing.

    A run is first planned (:meth:`start`), then reports epochs of pre-training and the end of each (arm, seed).
    """

    @staticmethod
    def way_from(value: Any) -> str:
        """How settings go to :func:`sigraph.run` that were given in this place, for messages."""
        return "settings that differ: overrides=..." if isinstance(value, str | list | tuple | Mapping) else ""

    def start(self, num_runs: int, num_epochs: int) -> None:
        """``num_runs`` pairs of arm and seed, ``num_epochs`` epochs of pre-training in all."""

    def epochs(self, what: str, count: int = 1) -> None:
        """``count`` epochs of pre-training are done (or were found done); ``what`` describes them."""

    def say(self, text: str) -> None:
        """One line that stays."""

    def close(self) -> None:
        """Nothing more comes."""


class BarProgress(Progress):
    """A line for each finished (arm, seed); a bar over all epochs on a terminal, elsewhere a line now and then.

    Args:
        stream: Where it writes; a bar is drawn only if this is a terminal.
        every_seconds: Without a bar, least time between two lines about what is not finished.
    """

    def __init__(self, stream: TextIO | None = None, every_seconds: float = 60.0) -> None:
        self.stream, self.every_seconds = unguarded(stream or sys.stderr), every_seconds
        self.bar: tqdm | None = None
        self._done, self._total, self._last = 0, 0, time.monotonic()

    def start(self, num_runs: int, num_epochs: int) -> None:
        self._total = num_epochs
        if self.stream.isatty() and num_epochs:
            layout = "{percentage:3.0f}% |{bar:30}| {elapsed} < {remaining}  {desc}"
            self.bar = tqdm(total=num_epochs, file=self.stream, leave=False, bar_format=layout)

    def epochs(self, what: str, count: int = 1) -> None:
        if self.bar is not None:
            self.bar.set_description_str(printable(what), refresh=False)
            self.bar.update(count)
            return
        self._done += count
        if time.monotonic() - self._last >= self.every_seconds:
            self.say(f"{what} ({self._done} of {self._total} epochs of pre-training in all)")

    def say(self, text: str) -> None:
        self._last = time.monotonic()
        tqdm.write(printable(text), file=self.stream)
        self.stream.flush()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
