"""From the settings of an optimiser and its schedule to both, tried before anything trains."""

from __future__ import annotations

from typing import NamedTuple

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from sigraph.config import ConfigError, FinetuneConfig, PretrainConfig
from sigraph.config.build import partial_build, working
from sigraph.finetune import FinetuneSettings
from sigraph.machines.devices import device_kind
from sigraph.machines.optimization import MakesOptimizer, MakesScheduler, try_steps


class Makers(NamedTuple):
    """What makes an optimiser from parameters, and a schedule from an optimiser."""

    optimizer: MakesOptimizer
    scheduler: MakesScheduler | None


def makers_of(config: PretrainConfig | FinetuneConfig, where: str, accelerator: str) -> Makers:
    """Optimiser and schedule of a pre-training or a fine-tuning; both have taken a step of tiny weights.

    Args:
        config: Has them.
        where: Its dotted key, for messages: ``pretrain``, ``finetune.0``.
        accelerator: Where it will train.

    Raises:
        ConfigError: One of them does not fit, or fails in a step; names its key.
    """
    kind = device_kind(accelerator)
    device = kind if kind in ("cuda", "mps") else "cpu"
    optimizer = partial_build(config.optimizer, Optimizer, f"{where}.optimizer")
    with working(optimizer.func.__name__, config.optimizer, f"{where}.optimizer"):
        try_steps(optimizer, None, device)
    if config.scheduler is None:
        return Makers(optimizer, None)
    epochs = config.trainer.max_epochs if isinstance(config, PretrainConfig) else config.max_epochs
    scheduler = partial_build(config.scheduler, LRScheduler, f"{where}.scheduler", T_max=max(epochs, 1))
    with working(scheduler.func.__name__, config.scheduler, f"{where}.scheduler"):
        try_steps(optimizer, scheduler, device)
    return Makers(optimizer, scheduler)


def finetune_settings(config: FinetuneConfig, where: str, accelerator: str) -> FinetuneSettings:
    """How a task is fine-tuned, from its settings.

    Args:
        config: Of the fine-tuning.
        where: Its dotted key, for messages: ``finetune.0``.
        accelerator: Where it will train.

    Raises:
        ConfigError: Settings do not fit together; names their key.
    """
    makers = makers_of(config, where, accelerator)
    try:
        return FinetuneSettings(
            config.head,
            *makers,
            config.max_epochs,
            config.patience,
            config.batch_size,
            config.k,
            config.dropout,
            config.normalize,
            config.leave_one_out,
            config.pair,
            config.class_weight,
            config.label_smoothing,
            config.converged,
            config.encoder_lr_scale,
            config.layer_decay,
            config.freeze_epochs,
        )
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error
