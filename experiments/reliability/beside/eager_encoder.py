"""An encoder whose processes save after every epoch and meet the fault that the environment names."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

from sigraph.encoders import MLPEncoder
from sigraph.machines.distributed import rank, world_size
from sigraph.machines.trainer import SaveProgress


class EagerEncoder(MLPEncoder):
    """An MLP; among several processes, each is armed once it is built."""

    def __init__(self, in_channels: int, **options: Any) -> None:
        super().__init__(in_channels, **options)
        save_always()
        if world_size() > 1:
            _arm(f"rank{rank()}")


def save_always() -> None:
    """A checkpoint after every epoch, however young the last one is."""
    before = SaveProgress.__init__
    if before.__name__ != "eager":

        def eager(self: SaveProgress, *arguments: Any, **options: Any) -> None:
            before(self, *arguments, **{"every_seconds": 0.0, **options})

        SaveProgress.__init__ = eager  # type: ignore[method-assign]


def _arm(who: str) -> None:
    file = os.environ.get("SIGRAPH_RELIABILITY_FAULTS")
    if file and not hasattr(_arm, "done"):
        _arm.done = True  # type: ignore[attr-defined]
        spec = importlib.util.spec_from_file_location("reliability_faults", file)
        module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
        import sys

        sys.modules["reliability_faults"] = module
        spec.loader.exec_module(module)  # type: ignore[union-attr]
        module.arm_as_told(who)
