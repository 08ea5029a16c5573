"""What an experiment asks and which arms answer: the whole file's keys, its arms resolved, what has to fit together."""

# ruff: noqa: RUF009 -- `key` is `dataclasses.field` with a range
from __future__ import annotations

import copy
import dataclasses
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sigraph.config.defaults import complete_finetune, complete_pretrain
from sigraph.config.inductive import Inductive, arm_suffix
from sigraph.config.location import DEEPEST, ConfigError, Place
from sigraph.config.open_keys import open_keys
from sigraph.config.overlay import FROM, Component, construct, key, put
from sigraph.config.schema import ARM_KINDS, BEST, SAVE_MODELS, FinetuneConfig, Plain, PretrainConfig
from sigraph.config.search import MOST_TRIALS, Dimension, SearchConfig, check_search
from sigraph.files.paths import user_path
from sigraph.files.suggestions import did_you_mean

_INDUCTIVE, _LONGEST_TWIN = "pretrain.inductive", 60  # characters of a baseline's name in that of its twin
# Rows that stand in every table unless `references` is false or the file has arms of these names.
REFERENCES = {
    "majority": {"kind": "Majority"},
    "raw-features": {"kind": "RawFeatures"},
    "ridge": {"kind": "Ridge"},
}
# What an arm of a kind looks at beside `kind`; that it states anything else would change nothing.
_OF_KINDS = tuple(f"pretrain.{key}" for key in ("dataset", "graph", "reader", "inductive", "test_pairs"))
_OF_ENTRIES = ("task", "dataset", "primary")
_FOLDER = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._+=-]{0,98}[A-Za-z0-9_+=-])?")


@dataclass(frozen=True)
class ArmConfig:
    """One variant of an experiment with nothing left open: structure weight, data sets and primary task are set.

    Args:
        name: The arm's name.
        pretrain: Its pre-training.
        finetune: Its tasks.
        kind: Component: what it does instead of pre-training; null: it pre-trains.
    """

    name: str
    pretrain: PretrainConfig
    finetune: list[FinetuneConfig]
    kind: Component | None = None

    @property
    def num_epochs(self) -> int:
        """Epochs of pre-training; an arm of a kind has none."""
        return 0 if self.kind is not None else self.pretrain.trainer.max_epochs

    def to_dict(self) -> dict[str, Any]:
        """The settings that shape a result as plain containers. The name is none of them."""
        plain: dict[str, Any] = {"pretrain": self.pretrain.to_dict()}
        plain["finetune"] = [entry.to_dict() for entry in self.finetune]
        if self.kind is None:
            return plain
        looked_at = [key.removeprefix("pretrain.") for key in _OF_KINDS]
        return {
            "kind": copy.deepcopy(self.kind),
            "pretrain": {name: plain["pretrain"][name] for name in looked_at},
            "finetune": [{name: entry[name] for name in _OF_ENTRIES} for entry in plain["finetune"]],
        }


@dataclass(frozen=True, kw_only=True)
class ExperimentConfig(Plain):
    """One question: arms that differ in stated overrides and nothing else. Built by :func:`load_config`.

    Args:
        name: The experiment's name, also a folder's.
        question: What it asks, for people.
        seeds: One run per arm and seed; each >= 0; at most 5,000.
        pretrain: Pre-training of every arm, before its overrides.
        finetune: Tasks of every arm, before its overrides; at most 200.
        arms: Name -> dotted overrides under ``pretrain.`` and ``finetune.``, or a ``kind``: what it does instead of
            pre-training (docs/arms.md); at most 1,000.
        references: Add the arms ``majority``, ``raw-features`` and ``ridge``, which pre-train nothing and take seconds,
            where the data have features, tokens or text and the file has no arms of these names.
        baseline: The arm that others are compared with; null: none. Arms that see less in pre-training, or more
            (``pretrain.inductive``), are compared with one that differs from it in that alone, which is added.
        grid: Dotted key -> values to try; chosen per arm by validation of its primary task on the first seed. At most
            2,500 combinations.
        search: What ``sigraph run FILE --search N`` draws settings from, for each arm; null: nothing. See below.
        save_models: Of which seeds the encoders that ``head: full`` fine-tunes are kept: ``best``, of each arm and task
            that of the seed which validation prefers; ``all``; ``none``. Changes no result.
        output_dir: Folder that receives ``<name>/<arm>/...``; ``~`` is your home.
    """

    name: str = key()
    question: str = key("")
    seeds: list[int] = key(low=0, high=2**32 - 1, most=5_000)
    pretrain: PretrainConfig = key()
    finetune: list[FinetuneConfig] = key([], most=200)
    arms: dict[str, dict[str, Any]] = key({}, most=1_000)
    references: bool = key(True)
    baseline: str | None = key(None)
    grid: dict[str, list[Any]] = key({}, most=100)
    search: SearchConfig | None = key(None)
    save_models: str = key(BEST, one_of=SAVE_MODELS)
    output_dir: str = key("runs")

    @property
    def arm_names(self) -> list[str]:
        """The arms in the order of the file, then the references."""
        return [*self.arms, *self.reference_names]

    @property
    def reference_names(self) -> list[str]:
        """The references that are added to the file's arms; those that do not apply to the data are left out later."""
        wanted = self.references and self.finetune
        return [name for name in REFERENCES if name not in self.arms] if wanted else []

    def arm(self, name: str, source: str = "", chosen: Mapping[str, Any] | None = None) -> ArmConfig:
        """The arm's resolved settings. Its overrides apply shortest path first, so their order changes nothing.

        Args:
            name: One of :attr:`arm_names`.
            source: What error messages start with.
            chosen: Values of keys of :attr:`grid` and :attr:`search`; what the arm itself states wins.

        Raises:
            ConfigError: There is no such arm, or its overrides do not fit.
        """
        place = Place(f"{source}: arm {name!r}" if source else f"arm {name!r}")
        names = self.arm_names
        if name not in names:
            raise place.error(f"no such arm{did_you_mean(name, names)}; arms: {', '.join(names)}")
        own = self.arms[name] if name in self.arms else REFERENCES[name]
        tree: dict[str, Any] = {"pretrain": self.pretrain.to_dict()}
        tree |= {"finetune": [entry.to_dict() for entry in self.finetune]}
        kind: Component | None = None
        for path, value in [*in_order((chosen or {}).items(), place), *in_order(own.items(), place)]:
            if path[0] == "kind":
                kind = put(Component | None, kind, path[1:], value, place / "kind", {"home": ARM_KINDS})
                continue
            if path[0] not in ("pretrain", "finetune") or len(path) < 2:
                raise place.error(
                    f"{'.'.join(path)!r} needs to start with 'pretrain.' or 'finetune.', as an arm's do, or be 'kind'"
                )
            tree = put(ExperimentConfig, tree, path, value, place)
        if kind is not None:
            _check_looked_at(own, place)
        if kind is not None and FROM in tree["pretrain"]["encoder"]:
            tree["pretrain"]["encoder"] = {}  # it has none, and reads no samples as that of a folder does
        pretrain = construct(PretrainConfig, tree["pretrain"], place / "pretrain")
        finetune = construct(list[FinetuneConfig], tree["finetune"], place / "finetune")
        finetune = complete_finetune(finetune, pretrain.dataset, place, tuple(chosen or ()))
        return ArmConfig(name, complete_pretrain(pretrain, place), finetune, kind)

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
        return _same_arm(_twin(base, value), map(self.arm, self.arm_names))

    def grid_of(self, name: str, searched: Mapping[str, Any] | None = None) -> dict[str, list[Any]]:
        """The part of the grid that is open for an arm: keys it does not state itself and that act on it.

        None is for an arm of a kind, which chooses its settings itself.

        Args:
            name: The arm.
            searched: What a search chose for it before.
        """
        arm = self.arm(name, chosen=searched)
        if arm.kind is not None:
            return {}
        return {
            dotted: self.grid[dotted] for dotted in open_keys(arm.pretrain, arm.finetune, self.arms[name], self.grid)
        }

    def search_of(self, name: str) -> dict[str, Dimension]:
        """The part of the search space that is open for an arm, as :meth:`grid_of`; without a search nothing is."""
        if self.search is None or (arm := self.arm(name)).kind is not None:
            return {}
        space = self.search.dimensions
        ends = {dotted: one.ends for dotted, one in space.items()}
        found = open_keys(arm.pretrain, arm.finetune, self.arms[name], ends, weighs_objective=True)
        return {dotted: space[dotted] for dotted in found}


def _check_looked_at(own: Mapping[str, Any], place: Place) -> None:
    """Refuse what an arm of a kind states and nobody would look at."""
    for dotted in own:
        parts = dotted.split(".")
        fits = parts[0] == "kind" or any(f"{dotted}.".startswith(f"{key}.") for key in _OF_KINDS)
        if not fits and not (parts[0] == "finetune" and len(parts) > 2 and parts[2] in _OF_ENTRIES):
            known = ", ".join((*_OF_KINDS, *(f"finetune.<i>.{key}" for key in _OF_ENTRIES)))
            raise (place / dotted).error(
                f"{dotted!r} changes nothing in an arm of a 'kind', which pre-trains no encoder and looks at {known}; "
                "leave it out, or give it to the kind's own arguments (kind.NAME)"
            )


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
    known = dataclasses.replace(config, arms=arms).arm_names
    if config.baseline is not None and config.baseline not in known:
        close = did_you_mean(config.baseline, known)
        raise (place / "baseline").error(
            f"'baseline' needs to be an arm (got {config.baseline!r}){close}; arms: {', '.join(known)}"
        )
    # Data sets stay open here: an arm or an override may change the pre-training one.
    primary = [entry.primary for entry in complete_finetune(config.finetune, None, place)]
    finetune = [dataclasses.replace(e, primary=p) for e, p in zip(config.finetune, primary, strict=True)]
    config = dataclasses.replace(config, arms=arms, finetune=finetune)
    resolved = [config.arm(name, source=place.source) for name in arms]
    try:
        resolved += [config.arm(name, source=place.source) for name in config.reference_names]
    except ConfigError:  # the file alone names no data, each of its arms does: there is none that references are of
        if config.baseline is not None and config.baseline not in arms:
            raise
        config = dataclasses.replace(config, references=False)
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
    if config.search is not None:
        if not config.finetune:
            raise (place / "search").error(
                "'search' chooses by validation of the primary task, and 'finetune' names none"
            )
        check_search(config.search, config.seeds, config.grid, place / "search")
        for dotted, dimension in config.search.dimensions.items():
            for value in dimension.ends:
                for name in config.arms:
                    config.arm(name, f"{place.source}: search.space {dotted}={value!r}", {dotted: value})
    return config


def _missing_twins(
    baseline: str, arms: Mapping[str, dict[str, Any]], resolved: list[ArmConfig]
) -> dict[str, dict[str, Any]]:
    """Arms to add, so that each is compared with a baseline that sees the same: name -> overrides."""
    base = next(arm for arm in resolved if arm.name == baseline)
    own = arms[baseline] if baseline in arms else REFERENCES[baseline]
    stated = {key: value for key, value in own.items() if not f"{key}.".startswith(f"{_INDUCTIVE}.")}
    added: dict[str, dict[str, Any]] = {}
    values: list[Inductive] = [base.pretrain.inductive]
    for value in (arm.pretrain.inductive for arm in resolved if arm.kind is None or base.kind is not None):
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
