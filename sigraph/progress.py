"""How an experiment tells what it is doing; silent unless a terminal or a log wants to know."""

from __future__ import annotations

import sys
from typing import TextIO

from tqdm import tqdm


class Progress:
    """What a run reports to; this one says nothing.

    A run is first planned (:meth:`start`), then reports epochs of pre-training and the end of each (arm, seed).
    """

    def start(self, num_runs: int, num_epochs: int) -> None:
        """``num_runs`` pairs of arm and seed, ``num_epochs`` epochs of pre-training in all."""

    def epochs(self, what: str, count: int = 1) -> None:
        """``count`` epochs of pre-training are done (or were found done); ``what`` describes them."""

    def say(self, text: str) -> None:
        """One line that stays."""

    def close(self) -> None:
        """Nothing more comes."""


class BarProgress(Progress):
    """A bar over all epochs on a terminal, and a line for each finished (arm, seed) everywhere.

    Args:
        stream: Where it writes; a bar is drawn only if this is a terminal.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.bar: tqdm | None = None

    def start(self, num_runs: int, num_epochs: int) -> None:
        if self.stream.isatty() and num_epochs:
            layout = "{percentage:3.0f}% |{bar:30}| {elapsed} < {remaining}  {desc}"
            self.bar = tqdm(total=num_epochs, file=self.stream, leave=False, bar_format=layout)

    def epochs(self, what: str, count: int = 1) -> None:
        if self.bar is not None:
            self.bar.set_description_str(what, refresh=False)
            self.bar.update(count)

    def say(self, text: str) -> None:
        tqdm.write(text, file=self.stream)
        self.stream.flush()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
