"""Which keys an experiment file has: their types, defaults, units and ranges.

Adding a key is one line in a dataclass and one in its docstring; reading, checking, overrides and hashing follow.
"""

# ruff: noqa: RUF009 -- `key` is `dataclasses.field` with a range
from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sigraph.config.overlay import WORLDS, Component, DataSource, construct, key, put
from sigraph.config.place import DEEPEST, Place
from sigraph.config.settle import settle_finetune, settle_pretrain
from sigraph.files.suggestions import did_you_mean

HEADS = ("linear", "full", "knn")
MOST = 2**31 - 1  # samples of a step
MOST_TRIALS = 2_500  # combinations of a grid
STRATEGIES = ("auto", "ddp", "ddp_find_unused_parameters_true")
_FOLDER = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._+=-]{0,98}[A-Za-z0-9_+=-])?")


class _Plain:
    def to_dict(self) -> dict[str, Any]:
        """The settings as plain containers: a copy, free to change, ready for JSON and YAML."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]


@dataclass(frozen=True, kw_only=True)
class TrainerConfig(_Plain):
    """How long and on what to pre-train; arguments of Lightning's Trainer.

    Args:
        max_epochs: Passes over the samples. 0: no pre-training, the encoder stays as initialised.
        gradient_clip_val: Largest norm of the gradient; null: no clipping.
        weight_average: Decay per step, in [0, 1), of an exponential moving average of the weights, which becomes the
            pre-trained encoder; null: the last weights.
        precision: Numbers that it computes with: ``32-true``; ``bf16-mixed`` or ``16-mixed`` (GPU alone), weights in
            float32 all the same; ``bf16-true`` or ``64-true``, weights as well. The encoder is kept in float32.
        accelerator: ``auto``, ``cpu``, ``gpu``, ...; one that is not there is refused before anything trains.
        devices: Processes on each machine, a GPU each where there are GPUs. Several share every batch; which neighbours
            are drawn depends on how many there are, so that scores differ as they do between seeds. Left out under
            torchrun and srun: as many as they started. See docs/several-machines.md.
        num_nodes: Machines; above 1 under torchrun or srun only.
        strategy: ``auto`` or ``ddp``; ``ddp_find_unused_parameters_true`` for an encoder that leaves some of its
            weights out of a step.
    """

    max_epochs: int = key(100, low=0)
    gradient_clip_val: float | None = key(None, low=0)
    weight_average: float | None = key(None, low=0, below=1)
    precision: str = key("32-true")
    accelerator: str = key("auto")
    devices: int = key(1, low=1, high=100_000)
    num_nodes: int = key(1, low=1, high=100_000)
    strategy: str = key("auto", one_of=STRATEGIES)

    @property
    def num_processes(self) -> int:
        """Processes that train together."""
        return self.devices * self.num_nodes


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(_Plain):
    """What is pre-trained on which graph, and how.

    Args:
        dataset: A card's name, or the path of a prepared folder; or a component, a world that generates its samples.
        graph: The pre-training graph: a graph of the card by name, ``{name: ..., hops: ...}``, or a component.
        encoder: Component: sample -> embedding.
        sampler: Component: which samples meet in a step.
        structure_loss: Component: the loss between samples.
        objective: Component: the loss within a sample; null: none.
        structure_weight: Share of the structure loss, in [0, 1]; below 1 an objective is needed.
            Null: 1.0 without objective, else 0.1.
        batch_size: Seed samples a step.
        inductive: Take the samples that a task of the data set validates or tests on out of pre-training, with their
            edges; as many steps as without. Default: transductive, all samples without their labels.
        valid_edge_rate: Share of the graph's edges held out to validate pre-training, in [0, 1).
        valid_every: Epochs between validations.
        valid_queries: Samples at most that a validation asks about, which caps its cost; null: all. Changes no result.
        num_workers: Processes that prepare batches; 0: the main one does. Changes no result.
        optimizer: Component: how the weights are moved.
        scheduler: Component: the learning-rate schedule; null: none.
        trainer: Length, precision, device.
    """

    dataset: DataSource = key(home=WORLDS)
    graph: Component = key(home="sigraph.graphs")
    encoder: Component = key(home="sigraph.encoders")
    sampler: Component = key({"_target_": "sigraph.samplers.NeighborPairSampler"}, home="sigraph.samplers")
    structure_loss: Component = key({"_target_": "sigraph.losses.MultiSimilarityLoss"}, home="sigraph.losses")
    objective: Component | None = key(None, home="sigraph.objectives")
    structure_weight: float | None = key(None, low=0, high=1)
    batch_size: int = key(1024, low=1, high=MOST)
    inductive: bool = key(False)
    valid_edge_rate: float = key(0.05, low=0, below=1)
    valid_every: int = key(10, low=1)
    valid_queries: int | None = key(10_000, low=1, high=MOST)
    num_workers: int = key(0, low=0, high=100_000)
    optimizer: Component = key({"_target_": "torch.optim.AdamW", "lr": 1e-3}, home="torch.optim")
    scheduler: Component | None = key(None, home="torch.optim.lr_scheduler")
    trainer: TrainerConfig = dataclasses.field(default_factory=TrainerConfig)


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig(_Plain):
    """One task and how the pre-trained encoder is put to it.

    Args:
        task: A task of the data set.
        head: ``linear`` (probe on frozen embeddings), ``full`` (encoder and head are trained), ``knn``.
        primary: Whether this is the experiment's main result. The first entry is if none says so.
        dataset: Where the task lives; null: the pre-training data set. A mapping without ``_target_`` changes arguments
            of the pre-training world, e.g. ``{num_held_out: 1000}``.
        optimizer: Component: how the weights are moved.
        scheduler: Component: the learning-rate schedule; null: none.
        max_epochs: Most passes over the training samples.
        patience: Epochs without a better validation score after which training stops.
        batch_size: Samples a step; null: all at once.
        k: Neighbours that vote (``knn``).
        leave_one_out: Let every validated or tested sample ask all other samples of the split, itself left out, instead
            of the training samples alone (``knn``): the nearest-neighbour accuracy that theory speaks of.
        normalize: Scale embeddings to unit length in front of the head, as the losses on cosines do.
        dropout: Rate on the embeddings in front of the head, in [0, 1].
    """

    task: str = key()
    head: str = key(one_of=HEADS)
    primary: bool = key(False)
    dataset: DataSource | None = key(None, home=WORLDS, partial=True)
    optimizer: Component = key({"_target_": "torch.optim.AdamW", "lr": 1e-2, "weight_decay": 0.0}, home="torch.optim")
    scheduler: Component | None = key(None, home="torch.optim.lr_scheduler")
    max_epochs: int = key(300, low=1)
    patience: int = key(50, low=1)
    batch_size: int | None = key(None, low=1, high=MOST)
    k: int = key(5, low=1, high=MOST)
    leave_one_out: bool = key(False)
    normalize: bool = key(False)
    dropout: float = key(0.0, low=0, high=1)


@dataclass(frozen=True)
class ArmConfig:
    """One variant of an experiment with nothing left open: structure weight, data sets and primary task are set.

    Args:
        name: The arm's name.
        pretrain: Its pre-training.
        finetune: Its tasks.
    """

    name: str
    pretrain: PretrainConfig
    finetune: list[FinetuneConfig]

    def to_dict(self) -> dict[str, Any]:
        """The settings that shape a result as plain containers. The name is none of them."""
        return {"pretrain": self.pretrain.to_dict(), "finetune": [entry.to_dict() for entry in self.finetune]}


@dataclass(frozen=True, kw_only=True)
class ExperimentConfig(_Plain):
    """One question: arms that differ in stated overrides and nothing else. Built by :func:`load_config`.

    Args:
        name: The experiment's name, also a folder's.
        question: What it asks, for people.
        seeds: One run per arm and seed; each >= 0.
        pretrain: Pre-training of every arm, before its overrides.
        finetune: Tasks of every arm, before its overrides.
        arms: Name -> dotted overrides under ``pretrain.`` and ``finetune.``.
        baseline: The arm that others are compared with; null: none.
        grid: Dotted key -> values to try; chosen per arm by validation of its primary task on the first seed. At most
            2,500 combinations.
        output_dir: Folder that receives ``<name>/<arm>/...``; ``~`` is your home.
    """

    name: str = key()
    question: str = key("")
    seeds: list[int] = key(low=0, high=2**32 - 1)
    pretrain: PretrainConfig = key()
    finetune: list[FinetuneConfig] = key([])
    arms: dict[str, dict[str, Any]] = key({})
    baseline: str | None = key(None)
    grid: dict[str, list[Any]] = key({})
    output_dir: str = key("runs")

    @property
    def arm_names(self) -> list[str]:
        """The arms in the order of the file."""
        return list(self.arms)

    def arm(self, name: str, source: str = "", chosen: Mapping[str, Any] | None = None) -> ArmConfig:
        """The arm's resolved settings. Its overrides apply shortest path first, so their order changes nothing.

        Args:
            name: One of :attr:`arm_names`.
            source: What error messages start with.
            chosen: Values of :attr:`grid` keys; what the arm itself states wins.

        Raises:
            ConfigError: There is no such arm, or its overrides do not fit.
        """
        place = Place(f"{source}: arm {name!r}" if source else f"arm {name!r}")
        if name not in self.arms:
            raise place.error(f"no such arm{did_you_mean(name, self.arms)}; arms: {', '.join(self.arms)}")
        tree = {"pretrain": self.pretrain.to_dict(), "finetune": [entry.to_dict() for entry in self.finetune]}
        overrides = [*in_order((chosen or {}).items(), place), *in_order(self.arms[name].items(), place)]
        for path, value in overrides:
            if path[0] not in ("pretrain", "finetune") or len(path) < 2:
                raise place.error(f"{'.'.join(path)!r} needs to start with 'pretrain.' or 'finetune.', as an arm's do")
            tree = put(ExperimentConfig, tree, path, value, place)
        pretrain = construct(PretrainConfig, tree["pretrain"], place / "pretrain")
        finetune = construct(list[FinetuneConfig], tree["finetune"], place / "finetune")
        return ArmConfig(name, settle_pretrain(pretrain, place), settle_finetune(finetune, pretrain.dataset, place))

    def grid_of(self, name: str) -> dict[str, list[Any]]:
        """The part of the grid that is open for an arm: keys it does not state itself and that act on it."""
        arm = self.arm(name)
        stated = [tuple(dotted.split(".")) for dotted in self.arms[name]]
        open_keys = {
            dotted: values
            for dotted, values in self.grid.items()
            if not any(tuple(dotted.split("."))[: len(own)] == own for own in stated)
        }
        trained = any(open_keys.get("pretrain.trainer.max_epochs", [arm.pretrain.trainer.max_epochs]))
        structured = any(open_keys.get("pretrain.structure_weight", [arm.pretrain.structure_weight]))
        idle = [*([] if trained else ["pretrain"]), *([] if structured else ["pretrain.structure_loss"])]
        return {
            dotted: values
            for dotted, values in open_keys.items()
            if not any(f"{dotted}.".startswith(f"{part}.") for part in idle)
        }


def in_order(overrides: Any, place: Place) -> list[tuple[tuple[str, ...], Any]]:
    """Dotted overrides as (path, value), what holds others first: shorter paths, and ``_target_`` before arguments."""
    split = [(tuple(dotted.split(".")), value) for dotted, value in overrides]
    for path, _ in split:
        if len(path) > DEEPEST:
            raise place.error(f"an override's key needs at most {DEEPEST} parts (got {len(path):,})")
        if not all(path):
            raise place.error(f"an override needs a dotted key such as pretrain.batch_size (got {'.'.join(path)!r})")
    return sorted(split, key=lambda item: (len(item[0]), item[0][-1] != "_target_"))


def check_experiment(config: ExperimentConfig, place: Place) -> ExperimentConfig:
    """The config with the primary task and the default arm filled in, after every arm has been resolved once.

    Raises:
        ConfigError: Names, seeds, baseline, tasks or an arm's overrides do not fit.
    """
    if not _FOLDER.fullmatch(config.name):
        raise (place / "name").error(f"'name' needs to be usable as a folder name (got {config.name!r})")
    if not config.seeds:
        raise (place / "seeds").error("'seeds' needs at least one seed (got [])")
    repeated = sorted(seed for seed, count in Counter(config.seeds).items() if count > 1)
    if repeated:
        raise (place / "seeds").error(f"'seeds' lists {repeated} more than once")
    config = dataclasses.replace(config, output_dir=_folder(config.output_dir, place / "output_dir"))
    arms = config.arms or {"sipt": {}}
    for name in arms:
        if not _FOLDER.fullmatch(name):
            raise (place / "arms" / name).error(
                f"an arm's name needs letters, digits or . _ + = - (first a letter or digit), as a folder is "
                f"called after it (got {name!r})"
            )
    if config.baseline is not None and config.baseline not in arms:
        close = did_you_mean(config.baseline, arms)
        raise (place / "baseline").error(
            f"'baseline' needs to be an arm (got {config.baseline!r}){close}; arms: {', '.join(arms)}"
        )
    # Data sets stay open here: an arm or an override may change the pre-training one.
    primary = [entry.primary for entry in settle_finetune(config.finetune, None, place)]
    finetune = [dataclasses.replace(e, primary=p) for e, p in zip(config.finetune, primary, strict=True)]
    config = dataclasses.replace(config, arms=arms, finetune=finetune)
    for name in arms:
        config.arm(name, source=place.source)
    _check_number_of_trials(config.grid, place / "grid")
    for dotted, values in config.grid.items():
        at = place / "grid" / dotted
        if dotted.partition(".")[0] not in ("pretrain", "finetune") or "." not in dotted:
            raise at.error(f"a key of 'grid' needs to start with 'pretrain.' or 'finetune.' (got {dotted!r})")
        if not values or any(value in values[:i] for i, value in enumerate(values)):
            raise at.error(f"'grid' needs different values to try for {dotted!r} (got {values})")
        for value in values:
            for name in arms:
                config.arm(name, f"{place.source}: grid {dotted}={value!r}", {dotted: value})
    return config


def _folder(text: str, place: Place) -> str:
    """A folder's path, ``~`` spelled out."""
    if not text.strip() or "\0" in text:
        raise place.error(f"'output_dir' needs to be a folder (got {text!r})")
    if not text.startswith("~"):
        return text
    try:
        return str(Path(text).expanduser())
    except RuntimeError as error:
        raise place.error(f"'output_dir' names a home that is not there (got {text!r})") from error


def _check_number_of_trials(grid: Mapping[str, list[Any]], place: Place) -> None:
    """Counted before any is made."""
    number = math.prod(len(values) for values in grid.values())
    if number > MOST_TRIALS:
        keys = ", ".join(f"{dotted} ({len(values):,} values)" for dotted, values in grid.items())
        raise place.error(
            f"'grid' has {number:,} combinations of {keys}, each a pre-training of every arm; at most {MOST_TRIALS:,} "
            "are tried: leave values out"
        )


def settings_hash(plain: Any) -> str:
    """First 12 hex digits of the SHA-256 of plain settings as canonical JSON; the order of keys changes nothing.

    Raises:
        TypeError: Something in ``plain`` is not str, int, float, bool, None, list or dict.
    """
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
