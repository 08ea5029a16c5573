"""The training of a pre-training: in this process, or in several that exist for it alone."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch.distributed as dist
from lightning.pytorch.callbacks import WeightAveraging
from safetensors.torch import load, save
from torch.optim.swa_utils import get_ema_avg_fn

from sigraph import __version__
from sigraph.collate import pretrain_loader
from sigraph.config import PretrainConfig, settings_hash
from sigraph.config.location import Place
from sigraph.config.overlay import construct
from sigraph.config.provenance import own_sources
from sigraph.files.random import keyed_seed
from sigraph.machines.distributed import rank, world_size
from sigraph.machines.leader import run_apart
from sigraph.machines.trainer import SaveProgress, Tick, fit, process_backend, quiet_trainer, shared_training
from sigraph.pretrain import HeldOutValidation
from sigraph.running.ground import STEPS
from sigraph.running.loggers import loggers_of
from sigraph.running.parts import Parts, build_parts, pretrain_hash, visible_classes
from sigraph.samplers import HardNegativeSampler
from sigraph.samplers.refresh import RefreshNegatives

PROGRESS = "progress.ckpt"
Ticks = Callable[[int], None]


class Fitted(NamedTuple):
    """What a training gave besides the weights."""

    seconds: float  # also those of interrupted runs before this one
    num_steps: int
    history: list[dict[str, float]]  # validation, but of the last epoch


def fit_parts(parts: Parts, folder: Path, tick: Ticks, deadline: float | None) -> Fitted:
    """Train the parts, in as many processes as their config says; afterwards the encoder has the trained weights.

    Args:
        parts: Not yet trained.
        folder: Receives a checkpoint that the same call resumes from, and logs.
        tick: Called with the number of epochs that were done.
        deadline: When to save and stop, on the clock of :func:`time.time`.

    Raises:
        TimeIsUp: The deadline passed.
    """
    trainer = parts.config.trainer
    if trainer.num_processes == 1:
        return _fit(parts, folder, tick, deadline)
    job = {"config": parts.config.to_dict(), "seed": parts.seed, "folder": str(folder.absolute()), "deadline": deadline}
    backend = process_backend(trainer.accelerator)
    fitted, encoder = run_apart(fit_share, job, trainer.devices, trainer.num_nodes, backend, tick)
    parts.module.encoder.load_state_dict(load(encoder))
    return fitted


def fit_share(job: dict[str, Any], tick: Ticks) -> tuple[Fitted, bytes]:
    """Train as one of several processes, each of which builds the parts for itself; the result and the weights."""
    config = construct(PretrainConfig, job["config"], Place("pretrain"))
    parts = build_parts(config, job["seed"])
    fitted = _fit(parts, Path(job["folder"]), tick, job["deadline"])
    return fitted, save(parts.module.encoder.state_dict())


def validation_of(parts: Parts) -> HeldOutValidation:
    """How a pre-training is validated; the last epoch when it is over."""
    return HeldOutValidation(
        parts.dataset,
        parts.held_out,
        parts.graph,
        visible_classes(parts),
        parts.config.valid_every,
        parts.config.valid_queries,
        validates_last=False,
    )


def refreshing(parts: Parts) -> list[RefreshNegatives]:
    """What a trainer needs besides for samplers that look at the embeddings; nothing for others."""
    return [RefreshNegatives(parts.dataset, parts.sampler)] if isinstance(parts.sampler, HardNegativeSampler) else []


def made_from(parts: Parts) -> dict[str, Any]:
    """What a pre-training depends on besides its settings and the version."""
    return {"data": parts.whole.fingerprint, "sources": own_sources(parts.config.to_dict())}


def _fit(parts: Parts, folder: Path, tick: Ticks, deadline: float | None) -> Fitted:
    config, validation = parts.config, validation_of(parts)
    loader = pretrain_loader(
        parts.dataset,
        parts.sampler,
        parts.objective,
        config.batch_size,
        keyed_seed(parts.seed, STEPS) >> 1,
        config.num_workers,
        parts.steps_per_epoch,
    )
    key = settings_hash([pretrain_hash(config), parts.seed, __version__, made_from(parts)])
    saver = SaveProgress(folder / PROGRESS, key, deadline=deadline)
    checkpoint = saver.found()
    _check_alike(f"{key}, {parts.graph.num_edges} edges, {saver.epochs_before} epochs done in {folder}")
    average = []
    if config.trainer.weight_average is not None:
        average = [WeightAveraging(avg_fn=get_ema_avg_fn(config.trainer.weight_average))]
    options = {"accelerator": config.trainer.accelerator}
    if world_size() > 1:
        given = config.trainer
        options |= shared_training(given.devices, given.num_nodes, given.accelerator, given.strategy)
    clock = time.perf_counter()
    trainer = quiet_trainer(
        max_epochs=config.trainer.max_epochs,
        gradient_clip_val=config.trainer.gradient_clip_val,
        precision=config.trainer.precision,
        logger=loggers_of(config.logger, folder, _attempts(folder)),
        callbacks=[*average, *refreshing(parts), validation, Tick(tick), saver],
        **options,
    )
    trainer.strategy.precision_plugin.convert_module(parts.module)  # else a checkpoint of float64 would be rounded
    fit(trainer, parts.module, loader, ckpt_path=checkpoint)
    parts.module.float()  # whatever it was trained in: what is kept and measured from here on
    history = [figures for figures in validation.history if figures["epoch"] < config.trainer.max_epochs]
    return Fitted(saver.seconds_before + time.perf_counter() - clock, trainer.global_step, history)


def _attempts(folder: Path) -> int:
    """A number that no ``log-<i>`` in the folder has: a logger clears the folder that it is given."""
    found = [re.fullmatch(r"log-([0-9]{1,9})", file.name) for file in folder.glob("log-*")]
    return max((int(name[1]) + 1 for name in found if name), default=0)


def _check_alike(mine: str) -> None:
    """Refuse to train together what is not the same: other data, other code, a folder that not all machines share."""
    if world_size() == 1:
        return
    store = dist.distributed_c10d._get_default_store()
    if rank() == 0:
        store.set("sigraph-training", mine)
    theirs = store.get("sigraph-training").decode()
    if mine != theirs:
        raise ValueError(
            f"every process needs the same data, code and output_dir, which machines have to share (process {rank()} "
            f"has {mine!r}, process 0 {theirs!r})"
        )
