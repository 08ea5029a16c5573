"""The two stages of a run, each kept on disk and recognised when it is there: pre-training and fine-tuning."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from inspect import signature
from pathlib import Path
from typing import Any

from filelock import FileLock
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch.nn import Module

from sigraph import __version__
from sigraph.config import FinetuneConfig, PretrainConfig, settings_hash
from sigraph.config.inductive import Inductive
from sigraph.config.overlay import DataSource
from sigraph.config.provenance import commit, own_sources
from sigraph.config.schema import NONE
from sigraph.data import SampleDataset
from sigraph.encoders import Encoder
from sigraph.files.atomic import atomic_file, sha256
from sigraph.files.sealed import write_sealed
from sigraph.finetune import FinetuneResult, fine_tune
from sigraph.leaderboard.records import FORMAT, PretrainInfo, TaskResult
from sigraph.leaderboard.result_files import ENCODER, FINETUNE, READER
from sigraph.losses import StructureLoss
from sigraph.running.asked_task import asked_task
from sigraph.running.data_source import open_data
from sigraph.running.embeddings import Embeddings
from sigraph.running.fitting import PROGRESS, Fitted, fit_parts, made_from, validation_of
from sigraph.running.kept_models import keep, lost
from sigraph.running.leakage_check import scored_apart, without_repeated
from sigraph.running.optimizers import finetune_settings
from sigraph.running.parts import OPEN, Parts, build_parts, pretrain_hash, visible_classes
from sigraph.running.predicted import keep_predictions, lost_predictions
from sigraph.running.reading import read_alike
from sigraph.running.records import plain, read_record
from sigraph.running.repeats import fine_tune_each, head_seed, num_repeats
from sigraph.running.start import start_of
from sigraph.running.visible import hidden_test
from sigraph.theory.certificates import certify

logger = logging.getLogger(__name__)

MOST_NAMES = 10_000
PRETRAIN, LOCK = "pretrain.json", ".lock"
_LONGEST_NAME = 80  # of a task, in the name of a file
_ALL_PAIRS, _SOME_ANCHORS = 20_000, 2_000  # samples up to which a certificate looks at all pairs; anchors beyond


def pretrain_stage(
    config: PretrainConfig,
    seed: int,
    folder: Path,
    tick: Callable[[int], None] = lambda count: None,
    deadline: float | None = None,
    parts: Parts | None = None,
) -> tuple[Encoder, SampleDataset, dict[str, Any]]:
    """Pre-train for one seed, or find it done.

    Args:
        config: What to pre-train.
        seed: Seed of everything random in it.
        folder: Holds the result (encoder, figures) and, while it runs, a checkpoint that a later call resumes from.
            Arms that pre-train the same share it: whoever comes second waits and finds it done.
        tick: Called with the number of epochs that were done.
        deadline: When to save and stop, on the clock of :func:`time.time`.
        parts: What ``config`` builds for ``seed``, if it was built already; it is used up.

    Returns:
        The encoder, the whole data set, and the figures that are kept in ``pretrain.json``.

    Raises:
        TimeIsUp: The deadline passed; the same call resumes.
    """
    parts = parts or build_parts(config, seed)
    encoder, asked = parts.module.encoder, _asked(parts)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / LOCK):
        record = read_record(folder / PRETRAIN, PretrainInfo, asked, _without_sum)
        if record is not None and _load(encoder, folder / ENCODER, record["encoder_sha256"]):
            (folder / PROGRESS).unlink(missing_ok=True)  # of one that was killed after its last file
            if parts.whole.reader is not None and not _is_kept(folder / READER, record.get("reader_sha256")):
                write_sealed(folder / READER, {"state": parts.whole.reader.state()})  # the same records teach the same
            tick(config.trainer.max_epochs)
            return encoder, parts.whole, record
        if config.trainer.max_epochs > 0:
            fitted = fit_parts(parts, folder, tick, deadline)
        else:
            fitted = Fitted(0.0, 0, [])
        last = {"epoch": config.trainer.max_epochs, **validation_of(parts).measure(encoder, parts.embeddings.seen)}
        record = {
            **asked,
            "format": FORMAT,
            "commit": commit(),
            "num_steps": fitted.num_steps,
            "seconds": fitted.seconds,
            "num_nodes": int(parts.graph.num_nodes or 0),
            "num_edges": parts.graph.num_edges // 2,
            "num_edges_held_out": parts.held_out.size(1),
            "num_parameters": {"encoder": _count(encoder), "other": _count(parts.module) - _count(encoder)},
            "features": _features(parts.whole),
            "validation": [*fitted.history, last],
            "certificate": _certificate(parts),
        }
        (folder / PRETRAIN).unlink(missing_ok=True)  # a record of other data never stands beside this encoder
        with atomic_file(folder / ENCODER) as file:
            file.write_bytes(save(encoder.state_dict()))  # its own way to files leaves strange ones after kill -9
        record["encoder_sha256"] = sha256(folder / ENCODER)
        if parts.whole.reader is not None:
            write_sealed(folder / READER, {"state": parts.whole.reader.state()})
            record["reader_sha256"] = sha256(folder / READER)
        PretrainInfo.from_dict(record).write(folder / PRETRAIN)
        (folder / PROGRESS).unlink(missing_ok=True)
    return encoder, parts.whole, record


def _asked(parts: Parts) -> dict[str, Any]:
    """What the record of a pre-training says before anything is trained, and what one that is found has to say."""
    config, start = parts.config, start_of(parts.config)
    component = config.encoder if start is None else start.component
    reader = config.reader if start is None or config.reader is not None else start.reader
    return {
        **made_from(parts),
        "version": __version__,
        "settings": pretrain_hash(config),
        "seed": parts.seed,
        "dataset": plain(config.dataset),
        "graph": plain(config.graph),
        **({} if reader is None else {"reader": plain(reader)}),
        "encoder": plain(
            parts.module.encoder.standing_alone({**_late_channels(parts.module.encoder, parts.whole), **component})
        ),
        **({} if start is None else {"encoder_from": start.digest}),
        "transductive": not config.inductive,
        "num_steps": parts.steps_per_epoch * config.trainer.max_epochs,
    }


def _without_sum(record: Mapping[str, Any]) -> str | None:
    return None if "encoder_sha256" in record else "'encoder_sha256' is missing"


def _certificate(parts: Parts) -> dict[str, Any]:
    """What the latent space holds of the graph and, where pre-training may look, of the labels; plain numbers."""
    loss: StructureLoss | None = parts.module.structure_loss
    if parts.config.trainer.num_processes > 1 and any(True for _ in parts.module.structure_loss.parameters()):
        loss = None  # what it learned stayed with the processes
    z = parts.embeddings.seen
    most = _SOME_ANCHORS if len(z) > _ALL_PAIRS else None
    return certify(z, parts.graph, loss, visible_classes(parts), most).to_dict()


def _is_kept(file: Path, digest: str | None) -> bool:
    return file.is_file() and sha256(file) == digest


def _load(encoder: Encoder, file: Path, digest: str) -> bool:
    """Whether the kept weights could be loaded; missing or damaged ones are said and made again."""
    if not file.is_file():
        logger.warning("%s is missing; pre-training it again", file)
        return False
    if sha256(file) != digest:
        logger.warning("%s is damaged (its sum is another); pre-training it again", file)
        return False
    try:
        encoder.load_state_dict(load_file(file))
    except (SafetensorError, RuntimeError) as error:
        logger.warning("%s is damaged (%s); pre-training it again", file, error)
        return False
    return True


def finetune_hash(config: FinetuneConfig) -> str:
    """Hash of what shapes a fine-tuning, given its encoder."""
    return settings_hash({key: value for key, value in config.to_dict().items() if key != "primary"})


def finetune_file(config: FinetuneConfig) -> str:
    """Where a fine-tuning is kept, below its pre-training."""
    return f"{FINETUNE}/{config.task[:_LONGEST_NAME]}-{config.head}-{finetune_hash(config)}.json"


def finetune_stage(
    config: FinetuneConfig,
    seed: int,
    encoder: Encoder,
    dataset: SampleDataset,
    folder: Path,
    accelerator: str = "auto",
    score_test: bool = True,
    pretrained: Mapping[str, Any] | None = None,
    inductive: Inductive = False,
    embeddings: Embeddings | None = None,
    pretrained_on: DataSource | None = None,
    save_models: str = NONE,
) -> dict[str, Any]:
    """Fine-tune one task for one seed, or find it done.

    Args:
        config: Task, head and how.
        seed: Seed of the head and of the order of batches.
        encoder: Pre-trained; not changed.
        dataset: The pre-training data set; the task's own one is opened if it is another.
        folder: Of the pre-training; the result is kept below it.
        accelerator: Of Lightning's trainer.
        score_test: False for a trial of a grid: its test score is never computed, and nothing is kept.
        pretrained: The record of the pre-training; a fine-tuning of another encoder is not found.
        inductive: Of the pre-training; says which test samples are scored apart too.
        embeddings: What the encoder makes of samples, where that is asked once for all tasks.
        pretrained_on: What ``dataset`` was opened from: a task on the same is not opened again.
        save_models: Whether an encoder that is fine-tuned is kept: ``best``, ``all`` or ``none``.
    """
    settings_of, pretrained = config.to_dict(), pretrained or {}
    code, name = finetune_hash(config), finetune_file(config)
    file = folder / name
    opened = config.dataset is None or config.dataset == pretrained_on
    home = dataset if opened or config.dataset is None else open_data(config.dataset, "finetune.dataset")
    home = read_alike(home, dataset)
    task, is_own = asked_task(home, config), home.fingerprint == dataset.fingerprint
    asked = {
        "data": home.fingerprint,
        "pretrain_data": dataset.fingerprint,
        "sources": {**(pretrained.get("sources") or {}), **(own_sources(settings_of) or {})} or None,
        "version": __version__,
        "settings": code,
        "seed": seed,
        "encoder_sha256": pretrained.get("encoder_sha256"),
        "task": config.task,
        "dataset": home.name,
        "head": config.head,
        "metric": task.metric,
        "greater_is_better": task.greater_is_better,
    }

    def wrong(found: Mapping[str, Any]) -> str | None:
        return lost_predictions(folder, found) or lost(folder, name, found, save_models)

    record = read_record(file, TaskResult, asked, wrong)
    if record is None:
        settings = finetune_settings(config, "finetune", accelerator)
        clock = time.perf_counter()
        z = None if embeddings is None or config.head == "full" or task.reads_parts else embeddings.of(home, task)
        hidden = hidden_test(dataset, task, inductive) if is_own else None

        def once(repeat: int) -> FinetuneResult:
            return fine_tune(encoder, home, task, settings, head_seed(seed, repeat), accelerator, score_test, z)

        def figures(result: FinetuneResult) -> dict[str, Any]:
            return {
                "valid": result.valid,
                "test": result.test,
                "scores": result.scores,
                **scored_apart(task, result.predicted, hidden),
                **without_repeated(home, task, result.predicted, home.fingerprint),
            }

        done = fine_tune_each(once, num_repeats(config), task.greater_is_better, figures)
        result = done.kept
        record = {
            **asked,
            "format": FORMAT,
            "commit": commit(),
            **done.figures,
            "best_epoch": result.best_epoch,
            "num_parameters": result.num_parameters,
            "seconds": time.perf_counter() - clock,
            **({} if result.probe is None else {"probe": result.probe._asdict()}),
        }
        if score_test:
            record |= keep_predictions(folder, file.stem, home, task, done.predicted)
            record |= keep(folder, file.stem, task, config.head, result, save_models)
            TaskResult.from_dict(record).write(file)
    return {**record, "primary": config.primary}


def _late_channels(encoder: Encoder, dataset: SampleDataset) -> dict[str, int]:
    """What the encoder was built with beyond its settings, so that it can be built again without the data."""
    asked = signature(type(encoder)).parameters
    sizes = {name: size for name, size in dataset.sizes.items() if name in asked and name not in OPEN}
    return {name: size for name, size in sizes.items() if size != asked[name].default}


def _features(dataset: SampleDataset) -> list[str] | None:
    """Names of the features, by which new samples are matched; too many would bury the rest of the record."""
    names = dataset.feature_names
    return names if names is not None and len(names) <= MOST_NAMES else None


def _count(module: Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
