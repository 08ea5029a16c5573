"""Lightning trainers as sigraph uses them, and what it hangs onto them."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor

from sigraph.files.atomic import atomic_file
from sigraph.files.sealed import DamagedError
from sigraph.machines.checkpoint import SealedCheckpoints, read_checkpoint
from sigraph.machines.launch import launched

logger = logging.getLogger(__name__)


def quiet_libraries() -> None:
    """Silence remarks of Lightning and PyTorch that a user of sigraph cannot act on."""
    for module in ("lightning", "torch"):
        warnings.filterwarnings("ignore", module=rf"{module}\..*")


@contextmanager
def quietly() -> Iterator[None]:
    """:func:`quiet_libraries` for a block, for those who call from Python; what other code warns of is heard."""
    with warnings.catch_warnings():
        quiet_libraries()
        yield


class TimeIsUp(Exception):
    """The time given to an experiment is over; what was done is saved."""


class KeepBest(Callback):
    """Keeps the weights of the best validated epoch in memory and stops when it lies too far back.

    Args:
        monitor: Name of the logged score.
        greater_is_better: Which way is better; on a tie the earlier epoch stays.
        patience: Epochs without a better score before training stops.
        start: The first epoch that patience counts.
    """

    def __init__(self, monitor: str, greater_is_better: bool, patience: int, start: int = 0) -> None:
        self.monitor, self.sign, self.patience = monitor, 1 if greater_is_better else -1, patience
        self.start = start
        self.score, self.epoch = float("nan"), -1
        self.state: dict[str, Tensor] = {}

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking:
            return
        score = float(trainer.callback_metrics[self.monitor])
        if self.epoch < 0 or self.sign * score > self.sign * self.score:
            self.score, self.epoch = score, trainer.current_epoch
            self.state = {name: value.detach().clone() for name, value in pl_module.state_dict().items()}
        elif trainer.current_epoch - max(self.epoch, self.start - 1) >= self.patience:
            trainer.should_stop = True

    def restore(self, module: LightningModule) -> None:
        """Put the best weights back."""
        module.load_state_dict(self.state)


def fit(
    trainer: Trainer, module: LightningModule, train: Any, valid: Any = None, ckpt_path: Path | None = None
) -> None:
    """``trainer.fit`` that loads no pickled code, and from which Ctrl-C comes out as a KeyboardInterrupt."""
    try:
        with quietly():
            trainer.fit(module, train, valid, ckpt_path=ckpt_path, weights_only=True)
    except SystemExit:  # what Lightning makes of Ctrl-C
        raise KeyboardInterrupt from None
    except RuntimeError as error:
        if "killed by signal: Terminated" in str(error):  # a loader's worker; this process may be told in a moment
            time.sleep(0.5)
        raise


def quiet_trainer(**options: Any) -> Trainer:
    """A Lightning trainer that says nothing and leaves nothing on disk unless told to; its checkpoints are sealed."""
    quiet: dict[str, Any] = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "devices": 1,
        "log_every_n_steps": 1,
        "plugins": [SealedCheckpoints()],
    }
    if launched() is not None and "strategy" not in options:  # else as many devices are wanted as were started
        quiet["plugins"].append(LightningEnvironment())
    for name in ("lightning.pytorch", "lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators.cuda"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with quietly():
        return Trainer(**{**quiet, **options})


def shared_training(devices: int, num_nodes: int, accelerator: str, strategy: str) -> dict[str, Any]:
    """Options of a trainer whose process group is there already, with a process for each device."""
    backend = process_backend(accelerator)
    ddp = DDPStrategy(
        cluster_environment=LightningEnvironment(),
        process_group_backend=backend,
        find_unused_parameters=strategy == "ddp_find_unused_parameters_true",
        gradient_as_bucket_view=True,  # gradients are summed where they lie
    )
    # On the CPU torch has no batch normalisation over processes.
    return {"devices": devices, "num_nodes": num_nodes, "strategy": ddp, "sync_batchnorm": backend == "nccl"}


def process_backend(accelerator: str) -> str:
    """How the processes of a training talk: ``nccl`` between GPUs, else ``gloo``."""
    return "nccl" if accelerator != "cpu" and torch.cuda.is_available() else "gloo"


class SaveProgress(Callback):
    """Saves a checkpoint at the end of an epoch when the last one is some seconds old.

    Several processes save together, when the first one's clock says so; it alone writes.

    Args:
        path: The checkpoint, replaced atomically.
        key: Says what is trained; a checkpoint of something else is not resumed from.
        every_seconds: Least time between two.
        deadline: When to save and stop, on the clock of :func:`time.time`; None: never.
    """

    def __init__(self, path: Path, key: str, every_seconds: float = 20.0, deadline: float | None = None) -> None:
        self.path, self.key, self.every_seconds, self.deadline = path, key, every_seconds, deadline
        self.seconds_before, self.epochs_before = 0.0, 0
        self._start = self._last = time.perf_counter()

    def found(self) -> Path | None:
        """The checkpoint to resume from, if there is one of the same training; another, or a damaged one, is said."""
        if not self.path.is_file():
            return None
        try:
            saved = read_checkpoint(self.path)
            key = saved["callbacks"][type(self).__qualname__]["key"]
            epochs = saved["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
        except DamagedError as error:
            logger.warning("%s; pre-training starts again", error)
            return None
        except (KeyError, TypeError, IndexError) as error:
            logger.warning("%s is the checkpoint of no pre-training (%r); it starts again", self.path, error)
            return None
        if key != self.key:
            logger.warning(
                "%s is of other settings, data or code, or another seed; pre-training starts again", self.path
            )
            return None
        self.epochs_before = epochs
        return self.path

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.current_epoch + 1 == trainer.max_epochs:
            return
        now = time.perf_counter()
        late = self.deadline is not None and time.time() > self.deadline
        late, due = trainer.strategy.broadcast((late, late or now - self._last >= self.every_seconds))
        if due:
            self._last = now
            with atomic_file(self.path) if trainer.is_global_zero else nullcontext(self.path) as file:
                trainer.save_checkpoint(file)
        if late:
            raise TimeIsUp

    def state_dict(self) -> dict[str, Any]:
        return {"key": self.key, "seconds": self.seconds_before + time.perf_counter() - self._start}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seconds_before = state_dict["seconds"]


class Tick(Callback):
    """Calls back with the number of epochs that are done."""

    def __init__(self, tick: Callable[[int], None]) -> None:
        self.tick = tick

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.tick(trainer.current_epoch)  # epochs that an earlier, interrupted run did

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.tick(1)
