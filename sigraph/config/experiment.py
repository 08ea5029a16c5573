"""What an experiment asks and which arms answer: the whole file's keys, its arms resolved, what has to fit together."""

# ruff: noqa: RUF009 -- `key` is `dataclasses.field` with a range
from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sigraph.config.defaults import complete_finetune, complete_pretrain
from sigraph.config.inductive import Inductive, arm_suffix
from sigraph.config.location import DEEPEST, Place
from sigraph.config.overlay import construct, key, put
from sigraph.config.schema import OF_KNN, OF_STEPS, OF_TRAINING, FinetuneConfig, Plain, PretrainConfig
from sigraph.files.paths import user_path
from sigraph.files.suggestions import did_you_mean

MOST_TRIALS = 2_500  # combinations of a grid
_INDUCTIVE, _LONGEST_TWIN = "pretrain.inductive", 60  # characters of a baseline's name in that of its twin
_FOLDER = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._+=-]{0,98}[A-Za-z0-9_+=-])?")


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
class ExperimentConfig(Plain):
    """One question: arms that differ in stated overrides and nothing else. Built by :func:`load_config`.

    Args:
        name: The experiment's name, also a folder's.
        question: What it asks, for people.
        seeds: One run per arm and seed; each >= 0; at most 5,000.
        pretrain: Pre-training of every arm, before its overrides.
        finetune: Tasks of every arm, before its overrides; at most 200.
        arms: Name -> dotted overrides under ``pretrain.`` and ``finetune.``; at most 1,000.
        baseline: The arm that others are compared with; null: none. Arms that see less in pre-training, or more
            (``pretrain.inductive``), are compared with one that differs from it in that alone, which is added.
        grid: Dotted key -> values to try; chosen per arm by validation of its primary task on the first seed. At most
            2,500 combinations.
        output_dir: Folder that receives ``<name>/<arm>/...``; ``~`` is your home.
    """

    name: str = key()
    question: str = key("")
    seeds: list[int] = key(low=0, high=2**32 - 1, most=5_000)
    pretrain: PretrainConfig = key()
    finetune: list[FinetuneConfig] = key([], most=200)
    arms: dict[str, dict[str, Any]] = key({}, most=1_000)
    baseline: str | None = key(None)
    grid: dict[str, list[Any]] = key({}, most=100)
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
        return ArmConfig(name, complete_pretrain(pretrain, place), complete_finetune(finetune, pretrain.dataset, place))

    def baseline_of(self, name: str) -> str | None:
        """The arm that an arm is compared with: the baseline, or its twin that sees what the arm sees.

        Which samples and edges are hidden (``pretrain.inductive``) is the only thing in which a twin differs; where an
        experiment lacks one it is added when it is loaded. None: there is no baseline.
        """
        if self.baseline is None:
            return None
        value, base = self.arm(name).pretrain.inductive, self.arm(self.baseline)
        if value == base.pretrain.inductive:
            return self.baseline
        return _same_arm(_twin(base, value), map(self.arm, self.arms))

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
        for i, entry in enumerate(arm.finetune):
            whole = f"finetune.{i}"
            heads = open_keys.get(f"{whole}.head", [entry.head])
            if not entry.primary:  # it is not what the values are chosen by
                idle.append(whole)
            elif whole not in open_keys:
                idle += [f"{whole}.{key}" for key in OF_KNN if "knn" not in heads]
                idle += [f"{whole}.{key}" for key in OF_TRAINING if heads == ["knn"]]
                converged = all(open_keys.get(f"{whole}.converged", [entry.converged]))
                idle += [f"{whole}.{key}" for key in OF_STEPS if converged and heads == ["linear"]]
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
    primary = [entry.primary for entry in complete_finetune(config.finetune, None, place)]
    finetune = [dataclasses.replace(e, primary=p) for e, p in zip(config.finetune, primary, strict=True)]
    config = dataclasses.replace(config, arms=arms, finetune=finetune)
    resolved = [config.arm(name, source=place.source) for name in arms]
    if config.baseline is not None:
        config = dataclasses.replace(config, arms={**arms, **_missing_twins(config.baseline, arms, resolved)})
    _check_number_of_trials(config.grid, place / "grid")
    for dotted, values in config.grid.items():
        at = place / "grid" / dotted
        if dotted.partition(".")[0] not in ("pretrain", "finetune") or "." not in dotted:
            raise at.error(f"a key of 'grid' needs to start with 'pretrain.' or 'finetune.' (got {dotted!r})")
        if not values or any(value in values[:i] for i, value in enumerate(values)):
            raise at.error(f"'grid' needs different values to try for {dotted!r} (got {values})")
        for value in values:
            for name in config.arms:
                config.arm(name, f"{place.source}: grid {dotted}={value!r}", {dotted: value})
    return config


def _missing_twins(
    baseline: str, arms: Mapping[str, dict[str, Any]], resolved: list[ArmConfig]
) -> dict[str, dict[str, Any]]:
    """Arms to add, so that each is compared with a baseline that sees the same: name -> overrides."""
    base = next(arm for arm in resolved if arm.name == baseline)
    stated = {key: value for key, value in arms[baseline].items() if not f"{key}.".startswith(f"{_INDUCTIVE}.")}
    added: dict[str, dict[str, Any]] = {}
    values: list[Inductive] = [base.pretrain.inductive]
    for value in (arm.pretrain.inductive for arm in resolved):
        if value in values:
            continue
        values.append(value)
        if _same_arm(_twin(base, value), resolved) is None:
            name = f"{baseline[:_LONGEST_TWIN]}-{arm_suffix(value)}"
            while name in arms:  # an arm of other settings
                name += "-2"
            added[name] = {**stated, _INDUCTIVE: value}
    return added


def _twin(arm: ArmConfig, inductive: Inductive) -> ArmConfig:
    return dataclasses.replace(arm, pretrain=dataclasses.replace(arm.pretrain, inductive=inductive))


def _same_arm(wanted: ArmConfig, arms: Iterable[ArmConfig]) -> str | None:
    """The name of the first arm with these settings."""
    return next((arm.name for arm in arms if dataclasses.replace(wanted, name=arm.name) == arm), None)


def _folder(text: str, place: Place) -> str:
    """A folder's path, ``~`` spelled out."""
    if not text.strip() or "\0" in text:
        raise place.error(f"'output_dir' needs to be a folder (got {text!r})")
    try:
        path = user_path(text)
    except ValueError as error:
        raise place.error(f"'output_dir': {error}") from error
    if str(path).startswith("~"):
        raise place.error(f"'output_dir' names a home that is not there (got {text!r})")
    return str(path) if text.startswith("~") else text


def _check_number_of_trials(grid: Mapping[str, list[Any]], place: Place) -> None:
    """Counted before any is made."""
    number = math.prod(len(values) for values in grid.values())
    if number > MOST_TRIALS:
        keys = ", ".join(f"{dotted} ({len(values):,} values)" for dotted, values in grid.items())
        raise place.error(
            f"'grid' has {number:,} combinations of {keys}, each a pre-training of every arm; at most {MOST_TRIALS:,} "
            "are tried: leave values out"
        )
