"""The two stages of a run, each kept on disk and recognised when it is there: pre-training and fine-tuning."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.loggers import CSVLogger
from safetensors.torch import load_file, save_file
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import get_ema_avg_fn

from sigraph import __version__
from sigraph.build import build, partial_build
from sigraph.collate import pretrain_loader
from sigraph.config import FinetuneConfig, PretrainConfig, settings_hash
from sigraph.data import PretrainGraph, SampleDataset, open_dataset
from sigraph.data.folder import atomic_file
from sigraph.data.random import keyed_generator, keyed_seed
from sigraph.encoders import Encoder, embed
from sigraph.evaluation import Evaluator
from sigraph.finetune import FinetuneSettings, fine_tune, quiet_trainer
from sigraph.graphs import GraphConstructor, hold_out_edges
from sigraph.losses import StructureLoss
from sigraph.objectives import Objective
from sigraph.pretrain import HeldOutValidation, PretrainModule
from sigraph.samplers import PairSampler

ENCODER, PROGRESS, PRETRAIN, FINETUNE = "encoder.safetensors", "progress.ckpt", "pretrain.json", "finetune"
# Every use of a seed has a stream of its own: (seed, which).
_INIT, _GRAPH, _HOLDOUT, _STEPS, _HEAD = range(5)


def pretrain_hash(config: PretrainConfig) -> str:
    """Hash of what shapes the pre-trained encoder; workers and the pace of validation do not."""
    plain = config.to_dict()
    for key in ("num_workers", "valid_every"):
        plain.pop(key)
    return settings_hash(plain)


@dataclass
class Parts:
    """Everything of a pre-training, built from its config for one seed and not yet trained."""

    config: PretrainConfig
    seed: int
    dataset: SampleDataset
    graph: PretrainGraph  # what is trained on
    held_out: torch.Tensor  # [2, M]
    module: PretrainModule
    sampler: PairSampler
    objective: Objective | None


def build_parts(config: PretrainConfig, seed: int) -> Parts:
    """Open the data and build graph, encoder, losses and sampler.

    Raises:
        ConfigError: A component does not fit.
        ValueError: The data set or the graph does not.
    """
    dataset = open_dataset(config.dataset)
    constructor: GraphConstructor = build(config.graph, GraphConstructor, "pretrain.graph")
    observed = constructor.base(dataset, keyed_generator(seed, _GRAPH))
    observed, held_out = hold_out_edges(observed, config.valid_edge_rate, keyed_generator(seed, _HOLDOUT))
    graph = constructor.expand(observed)
    torch.manual_seed(keyed_seed(seed, _INIT))
    encoder = build(config.encoder, Encoder, "pretrain.encoder", in_channels=dataset.in_channels)
    objective = None
    if config.objective is not None:
        channels = {"in_channels": dataset.in_channels, "encoder_channels": encoder.out_channels}
        objective = build(config.objective, Objective, "pretrain.objective", **channels)
    sampler = build(config.sampler, PairSampler, "pretrain.sampler", graph=graph)
    scheduler = None
    if config.scheduler is not None:
        length = {"T_max": max(config.trainer.max_epochs, 1)}
        scheduler = partial_build(config.scheduler, LRScheduler, "pretrain.scheduler", **length)
    module = PretrainModule(
        encoder,
        build(config.structure_loss, StructureLoss, "pretrain.structure_loss"),
        objective,
        config.structure_weight,
        sampler,
        partial_build(config.optimizer, Optimizer, "pretrain.optimizer"),
        scheduler,
        seed=keyed_seed(seed, _STEPS) >> 1,
    )
    return Parts(config, seed, dataset, graph, held_out, module, sampler, objective)


def pretrain_stage(
    config: PretrainConfig, seed: int, folder: Path, tick: Callable[[int], None] = lambda count: None
) -> tuple[Encoder, SampleDataset, dict[str, Any]]:
    """Pre-train for one seed, or find it done.

    Args:
        config: What to pre-train.
        seed: Seed of everything random in it.
        folder: Holds the result (encoder, figures) and, while it runs, a checkpoint that a later call resumes from.
        tick: Called with the number of epochs that were done.

    Returns:
        The encoder, its data set, and the figures that are kept in ``pretrain.json``.
    """
    parts = build_parts(config, seed)
    encoder = parts.module.encoder
    record = _read_record(folder / PRETRAIN, parts.dataset.fingerprint)
    if record is not None and (folder / ENCODER).is_file():
        encoder.load_state_dict(load_file(folder / ENCODER))
        tick(config.trainer.max_epochs)
        return encoder, parts.dataset, record
    folder.mkdir(parents=True, exist_ok=True)
    validation = HeldOutValidation(
        parts.dataset, parts.held_out, parts.graph, _visible_classes(parts.dataset), config.valid_every
    )
    seconds, num_steps = 0.0, 0
    if config.trainer.max_epochs > 0:
        seconds, num_steps = _fit(parts, validation, folder, tick)
    record = {
        "data": parts.dataset.fingerprint,
        "version": __version__,
        "seed": seed,
        "num_steps": num_steps,
        "seconds": seconds,
        "num_nodes": int(parts.graph.num_nodes or 0),
        "num_edges": parts.graph.num_edges // 2,
        "num_edges_held_out": parts.held_out.size(1),
        "num_parameters": {
            "encoder": _count(encoder),
            "other": _count(parts.module) - _count(encoder),
        },
        "encoder": {**config.encoder, **_late_channels(encoder, config)},
        "validation": validation.history or [{"epoch": 0, **validation.measure(encoder)}],
    }
    with atomic_file(folder / ENCODER) as file:
        save_file(encoder.state_dict(), file)
    write_json(folder / PRETRAIN, record)
    (folder / PROGRESS).unlink(missing_ok=True)
    return encoder, parts.dataset, record


def _fit(parts: Parts, validation: HeldOutValidation, folder: Path, tick: Callable[[int], None]) -> tuple[float, int]:
    config = parts.config
    loader = pretrain_loader(
        parts.dataset,
        parts.sampler,
        parts.objective,
        config.batch_size,
        keyed_seed(parts.seed, _STEPS) >> 1,
        config.num_workers,
    )
    saver = SaveProgress(folder / PROGRESS, pretrain_hash(config) + parts.dataset.fingerprint)
    checkpoint = saver.found()
    average = []
    if config.trainer.weight_average is not None:
        average = [WeightAveraging(avg_fn=get_ema_avg_fn(config.trainer.weight_average))]
    clock = time.perf_counter()
    trainer = quiet_trainer(
        max_epochs=config.trainer.max_epochs,
        gradient_clip_val=config.trainer.gradient_clip_val,
        precision=config.trainer.precision,
        accelerator=config.trainer.accelerator,
        logger=CSVLogger(folder, name="", version=f"log-{len(list(folder.glob('log-*')))}"),  # one a resumption
        callbacks=[*average, validation, _Tick(tick), saver],
    )
    trainer.fit(parts.module, loader, ckpt_path=checkpoint, weights_only=True)
    if average:  # the last figures are those of the encoder that is kept
        validation.history[-1] = {**validation.history[-1], **validation.measure(parts.module.encoder)}
    return saver.seconds_before + time.perf_counter() - clock, trainer.global_step


class SaveProgress(Callback):
    """Saves a checkpoint at the end of an epoch when the last one is some seconds old.

    Args:
        path: The checkpoint, replaced atomically.
        key: Says what is trained; a checkpoint of something else is ignored.
        every_seconds: Least time between two.
    """

    def __init__(self, path: Path, key: str, every_seconds: float = 20.0) -> None:
        self.path, self.key, self.every_seconds = path, key, every_seconds
        self.seconds_before = 0.0
        self._start = self._last = time.perf_counter()

    def found(self) -> Path | None:
        """The checkpoint to resume from, if there is one of the same training."""
        if not self.path.is_file():
            return None
        try:
            saved = torch.load(self.path, weights_only=True, map_location="cpu")
            same = saved["callbacks"][type(self).__qualname__]["key"] == self.key
        except Exception as error:  # torch raises many kinds on a damaged file; all mean: start again, and say so
            raise ValueError(f"{self.path} cannot be read ({error}); remove it to start again") from error
        return self.path if same else None

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        now = time.perf_counter()
        if now - self._last < self.every_seconds or trainer.current_epoch + 1 == trainer.max_epochs:
            return
        self._last = now
        with atomic_file(self.path) as file:
            trainer.save_checkpoint(file)

    def state_dict(self) -> dict[str, Any]:
        return {"key": self.key, "seconds": self.seconds_before + time.perf_counter() - self._start}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seconds_before = state_dict["seconds"]


class _Tick(Callback):
    def __init__(self, tick: Callable[[int], None]) -> None:
        self.tick = tick

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.tick(trainer.current_epoch)  # epochs that an earlier, interrupted run did

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.tick(1)


def load_parts(config: PretrainConfig, seed: int, folder: Path) -> tuple[torch.Tensor, SampleDataset, PretrainGraph]:
    """Embeddings of all samples by a finished pre-training, its data set, and the graph as it was observed."""
    parts = build_parts(config, seed)
    encoder = parts.module.encoder
    encoder.load_state_dict(load_file(folder / ENCODER))
    constructor: GraphConstructor = build(config.graph, GraphConstructor, "pretrain.graph")
    observed = constructor.base(parts.dataset, keyed_generator(seed, _GRAPH))
    return embed(encoder, parts.dataset), parts.dataset, observed


def finetune_stage(
    config: FinetuneConfig, seed: int, encoder: Encoder, dataset: SampleDataset, folder: Path, accelerator: str = "auto"
) -> dict[str, Any]:
    """Fine-tune one task for one seed, or find it done.

    Args:
        config: Task, head and how.
        seed: Seed of the head and of the order of batches.
        encoder: Pre-trained; not changed.
        dataset: The pre-training data set; the task's own one is opened if it is another.
        folder: Of the pre-training; the result is kept below it.
        accelerator: Of Lightning's trainer.
    """
    plain = config.to_dict()
    plain.pop("primary")
    file = folder / FINETUNE / f"{config.task}-{config.head}-{settings_hash(plain)}.json"
    home = dataset if config.dataset in (None, dataset.name) else open_dataset(str(config.dataset))
    record = _read_record(file, home.fingerprint)
    if record is None:
        scheduler = None
        if config.scheduler is not None:
            scheduler = partial_build(config.scheduler, LRScheduler, "finetune.scheduler", T_max=config.max_epochs)
        settings = FinetuneSettings(
            config.head,
            partial_build(config.optimizer, Optimizer, "finetune.optimizer"),
            scheduler,
            config.max_epochs,
            config.patience,
            config.batch_size,
            config.k,
            config.dropout,
            config.normalize,
        )
        clock = time.perf_counter()
        task = home.task(config.task)
        result = fine_tune(encoder, home, task, settings, keyed_seed(seed, _HEAD) >> 1, accelerator)
        record = {
            "data": home.fingerprint,
            "version": __version__,
            "task": config.task,
            "dataset": home.name,
            "head": config.head,
            "metric": Evaluator(task).metric,
            "greater_is_better": task.greater_is_better,
            "valid": result.valid,
            "test": result.test,
            "best_epoch": result.best_epoch,
            "num_parameters": result.num_parameters,
            "seconds": time.perf_counter() - clock,
        }
        write_json(file, record)
    return {**record, "primary": config.primary}


def check_arms(arms: list[Any], seed: int) -> None:
    """Build every arm's parts once and look its tasks up, so that what cannot work is said before anything trains."""
    seen = set()
    for arm in arms:
        if pretrain_hash(arm.pretrain) not in seen:
            seen.add(pretrain_hash(arm.pretrain))
            dataset = build_parts(replace(arm.pretrain, num_workers=0), seed).dataset
        for entry in arm.finetune:
            home = dataset if entry.dataset in (None, dataset.name) else open_dataset(entry.dataset)
            Evaluator(home.task(entry.task))
            partial_build(entry.optimizer, Optimizer, "finetune.optimizer")


def write_json(path: Path, value: Any) -> None:
    """Write JSON, all or nothing; NaN is refused."""
    with atomic_file(path) as file:
        file.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n")


def _read_record(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """A finished stage's record, if it is there and was made from the same data by the same version."""
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON ({error}); remove it to run this again") from error
    return record if (record.get("data"), record.get("version")) == (fingerprint, __version__) else None


def _visible_classes(dataset: SampleDataset) -> torch.Tensor | None:
    """Classes of the first classification task where pre-training may look at them: training and validation samples."""
    for task in dataset.tasks.values():
        if task.type == "classification":
            y = torch.full_like(task.labels, -1)
            for part in ("train", "valid"):
                y[task.split[part]] = task.labels[task.split[part]]
            return y
    return None


def _late_channels(encoder: Encoder, config: PretrainConfig) -> dict[str, int]:
    width = getattr(encoder, "in_channels", None)
    return {} if width is None or "in_channels" in config.encoder else {"in_channels": int(width)}


def _count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
