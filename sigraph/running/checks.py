"""What is looked at before anything trains: that every arm can work, with all that its grid and its search may set."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from sigraph.arms import ArmKind
from sigraph.config import ArmConfig, ConfigError, FinetuneConfig, PretrainConfig, settings_hash
from sigraph.config.build import Bases, check, is_shipped, working
from sigraph.config.overlay import FROM
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.encoders import Encoder
from sigraph.files.memory import check_processes
from sigraph.files.random import keyed_generator
from sigraph.finetune import check_fits_task
from sigraph.graphs import GraphConstructor
from sigraph.losses import StructureLoss
from sigraph.machines.devices import check_device
from sigraph.objectives import Objective
from sigraph.readers import Reader
from sigraph.running.asked_task import asked_task, draw_of
from sigraph.running.data_source import open_data
from sigraph.running.ground import Ground, build_ground, ground_hash, seen_data
from sigraph.running.kinds import as_pretrained, build_kind, entries_of, look_up, missing_of
from sigraph.running.leakage_check import LeakageCheck
from sigraph.running.loggers import check_logger
from sigraph.running.optimizers import finetune_settings, makers_of
from sigraph.running.parts import SIZES, Parts, build_parts, pretrain_hash, said_of
from sigraph.running.reading import read_alike
from sigraph.running.start import start_of
from sigraph.samplers import PairSampler

Trials = Sequence[tuple[dict[str, Any], ArmConfig]]  # what a grid or a search sets, and the arm with it


class Checked(NamedTuple):
    """What was found before anything trains."""

    lines: list[str]  # what is worth saying
    left_out: dict[str, str]  # arms that are not run, and why


def check_arms(
    arms: Sequence[ArmConfig],
    seed: int,
    grids: Mapping[str, Trials] | None = None,
    references: Sequence[ArmConfig] = (),
    searches: Mapping[str, Trials] | None = None,
) -> Checked:
    """Build every arm's parts once and look its tasks up, so that what cannot work is said before anything trains.

    Args:
        arms: Their settings.
        seed: Of the pre-training that is built.
        grids: By arm what its grid tries, each looked at as an arm is.
        references: Arms that nobody asked for: one that cannot work is left out.
        searches: By arm what its search may draw, key by key; each looked at as an arm is.

    Returns:
        What is worth saying of readers, of arms of a kind, and of leakage a line for each task; and what is left out.

    Raises:
        ConfigError, ValueError: What does not fit, in which arm, and with which values of its grid.
    """
    look, left_out = _Look(seed), {}
    for arm in arms:
        with said_of(arm):
            look(arm, keep=True)
            for what, trials in (("grid", grids), ("search.space", searches)):
                for settings, trial in sorted((trials or {}).get(arm.name, ()), key=_shared):
                    with said_of_trial(settings, ValueError, what):
                        look(trial)
    for arm in references:
        try:
            look(arm)
        except ValueError as error:
            left_out[arm.name] = str(error)
    said = [f"arm {name!r} is left out: {reason}" for name, reason in left_out.items()]
    return Checked([*look.notes, *look.leakage.lines(), *said], left_out)


def _shared(trial: tuple[dict[str, Any], ArmConfig]) -> tuple[str, str]:
    """Trials that share a graph stand together, among them those that pre-train the same."""
    pretrain = trial[1].pretrain
    return ground_hash(pretrain), pretrain_hash(pretrain)


class _Look:
    """Looks at arms one after the other; what was just built is not built again."""

    def __init__(self, seed: int) -> None:
        self.seed, self.leakage = seed, LeakageCheck()
        self._ground: tuple[str, Ground] | None = None  # the last one: graphs may be large
        self._built: dict[str, tuple[SampleDataset, Encoder]] = {}
        self._last: tuple[str, tuple[SampleDataset, Encoder]] | None = None
        self._pairs: dict[str, dict[str, int]] = {}  # by ground, tested pairs that its graph holds
        self._seen: set[tuple[str, str]] = set()
        self.notes: dict[str, None] = {}  # what readers do not know, once each
        self._noted: list[tuple[Reader, str]] = []  # a reader that was asked, and of which data: it reads all of them

    def __call__(self, arm: ArmConfig, keep: bool = False) -> None:
        """Look at an arm; ``keep`` what it built, for others that pre-train the same."""
        if arm.kind is not None:
            self._look_at_kind(arm)
            return
        check_logger(arm.pretrain.logger)
        code, graph = pretrain_hash(arm.pretrain), None
        built = self._last[1] if self._last is not None and self._last[0] == code else self._built.get(code)
        if built is None:
            parts = self._build(arm.pretrain)
            built, graph = (parts.whole, parts.module.encoder), parts.graph
        self._last = code, built
        if keep:
            self._built[code] = built
        for i, entry in enumerate(arm.finetune):
            key = code, settings_hash(entry.to_dict())
            if key not in self._seen:
                self._seen.add(key)
                self._look_at_task(arm, entry, f"finetune.{i}", *built, graph)

    def _look_at_kind(self, arm: ArmConfig) -> None:
        alike, missing = as_pretrained(arm), missing_of(arm, self.seed)
        entries = entries_of(arm)
        if missing and len(missing) == len(entries):
            raise ConfigError(f"kind: {type(build_kind(arm)).__name__!r} {next(iter(missing.values()))}")
        for reason in dict.fromkeys(missing.values()):
            tasks = ", ".join(task for task, found in missing.items() if found == reason)
            self.notes[f"arm {arm.name!r} leaves out {tasks}: {reason}"] = None
        whole = seen_data(alike.pretrain)[0]
        ground = build_ground(alike.pretrain, self.seed) if alike.pretrain.structure_weight else None
        graph, pairs = (None, None) if ground is None else (ground.graph, ground.pairs)
        for entry in entries:
            home, task = look_up(arm, entry)
            task.check_scorable()
            self.leakage.look(alike, whole, home, task, graph, pairs)

    def _build(self, config: PretrainConfig) -> Parts:
        check_device(config.trainer)
        check_processes("pretrain.num_workers", config.num_workers)
        code = ground_hash(config)
        if self._ground is None or self._ground[0] != code:
            self._ground = None
            self._ground = code, build_ground(config, self.seed)
        self._note(self._ground[1].whole)
        if config.encoder.get(FROM) is not None:
            self.notes[
                f"the encoder starts from {config.encoder[FROM]}: which samples and labels it has seen is not looked "
                "at, so that a gain over arms that start anew may come from there"
            ] = None
        self._pairs[code] = self._ground[1].pairs
        parts = build_parts(config, self.seed, self._ground[1])
        _draw_once(parts)
        return parts

    def _note(self, dataset: SampleDataset) -> None:
        """Keep what the data set's reader reads as unknown; a data set that was looked at is not read again."""
        reader, data = dataset.reader, dataset.fingerprint
        if reader is None or dataset.records is None or any(reader is one and data == of for one, of in self._noted):
            return
        self._noted.append((reader, data))
        if note := reader.note(dataset.records):
            self.notes[f"{type(reader).__name__}, data set {dataset.name}: {note}"] = None

    def _look_at_task(
        self,
        arm: ArmConfig,
        entry: FinetuneConfig,
        where: str,
        whole: SampleDataset,
        encoder: Encoder,
        graph: PretrainGraph | None,
    ) -> None:
        own = entry.dataset == arm.pretrain.dataset
        home = whole if own or entry.dataset is None else open_data(entry.dataset, f"{where}.dataset")
        home = read_alike(home, whole)
        self._note(home)
        task = asked_task(home, entry)
        if draw_of(entry):
            self.notes[f"task {task.name!r}: {task.about}"] = None
        if task.left_out:
            self.notes[f"data set {home.name!r}, task {task.name!r}: {task.left_out}"] = None
        settings = finetune_settings(entry, where, arm.pretrain.trainer.accelerator)
        check_fits_task(encoder, home, task, settings)
        self.leakage.look(arm, whole, home, task, graph, self._pairs.get(ground_hash(arm.pretrain)))


@contextlib.contextmanager
def said_of_trial(
    settings: Mapping[str, Any], kind: type[ValueError] = ConfigError, what: str = "grid"
) -> Iterator[None]:
    """Errors about settings say which values of a grid, or of what else, they come from."""
    try:
        yield
    except kind as error:
        values = ", ".join(f"{key}={value!r:.60}" for key, value in settings.items())
        raise ConfigError(f"{what} {values}: {error}") from error


def _draw_once(parts: Parts) -> None:
    """Draw the samples of one step, whose number only the sampler knows."""
    number = min(parts.config.batch_size, len(parts.dataset))
    with working(type(parts.sampler).__name__, parts.config.sampler, "pretrain.sampler"):
        parts.sampler.sample(torch.arange(number), keyed_generator(0))


def check_components(arm: ArmConfig) -> None:
    """Check what an arm's components name, opening no data, building nothing and running no code of one's own.

    Of a component that names a module of one's own it is only looked whether it may be imported and is there.

    Raises:
        ConfigError: A class is not there or of the wrong kind, or has no such argument; in which arm.
    """
    if arm.kind is not None:
        with said_of(arm):
            if is_shipped(arm.kind, "kind"):
                check(arm.kind, ArmKind, "kind")
        return
    # Of what is filled in only the names are known, and that components inside others get it too.
    config, filled = arm.pretrain, dict.fromkeys((*SIZES, "encoder_channels"), "filled in")
    of_losses = {**filled, "labels": "filled in"}
    slots: list[tuple[str, Bases, dict[str, Any]]] = [
        ("graph", GraphConstructor, {}),
        ("reader", Reader, {}),
        ("encoder", Encoder, filled),
        ("sampler", PairSampler, {"graph": None}),
        ("structure_loss", StructureLoss, of_losses),
        ("objective", Objective, {**of_losses, "part_channels": "filled in"}),
    ]
    with said_of(arm):
        for slot, base, late in slots:
            component = getattr(config, slot)
            if slot == "encoder" and FROM in component:
                start_of(config)
            elif component is not None and is_shipped(component, f"pretrain.{slot}"):
                check(component, base, f"pretrain.{slot}", **late)
        check_logger(config.logger)
        sections: list[tuple[str, PretrainConfig | FinetuneConfig]] = [("pretrain", config)]
        sections += [*((f"finetune.{i}", entry) for i, entry in enumerate(arm.finetune))]
        for where, section in sections:
            schedule = section.scheduler is None or is_shipped(section.scheduler, f"{where}.scheduler")
            if is_shipped(section.optimizer, f"{where}.optimizer") and schedule:
                makers_of(section, where, config.trainer.accelerator)
