"""Where a pre-training is logged besides its CSV file: loggers of Lightning's, by one key."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from lightning.pytorch.loggers import CSVLogger, Logger

from sigraph.config import ConfigError
from sigraph.config.build import build, check
from sigraph.config.overlay import Component

WHERE = "pretrain.logger"
_OF_TENSORBOARD = ("tensorboard", "tensorboardX")


def check_logger(component: Component | None) -> None:
    """Refuse what is no logger, or writes by a package that is not there; nothing is built.

    Raises:
        ConfigError: Names the key, and what to install.
    """
    if component is None:
        return
    check(component, Logger, WHERE, save_dir=None)
    missing = not any(importlib.util.find_spec(name) for name in _OF_TENSORBOARD)
    if str(component["_target_"]).endswith("TensorBoardLogger") and missing:
        raise ConfigError(
            f"{WHERE}: TensorBoardLogger writes by tensorboard, which is not installed: "
            "pip install tensorboard; without it every pre-training keeps a CSV file"
        )


def loggers_of(component: Component | None, folder: Path, attempt: int) -> list[Logger]:
    """The CSV file of this attempt in the folder of the pre-training, and the logger that was asked for."""
    found: list[Logger] = [CSVLogger(folder, name="", version=f"log-{attempt}")]
    if component is not None:
        found.append(build(component, Logger, WHERE, save_dir=str(folder)))
    return found
