"""run(config): arms x seeds x tasks -> results."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from os import PathLike
from typing import Any

from sigraph.config import ExperimentConfig, config_from_dict, load_config
from sigraph.config.provenance import own_sources
from sigraph.config.search import refuse_search
from sigraph.config.trust import trusting
from sigraph.files.arguments import check_kinds, is_number, shown
from sigraph.files.memory import check_processes
from sigraph.leaderboard.leaderboard import Leaderboard
from sigraph.machines.launch import Launch, launched
from sigraph.machines.leader import check_size, follow, leading
from sigraph.machines.pool import Killed, in_processes
from sigraph.machines.trainer import TimeIsUp
from sigraph.running.arm_settings import Settled, check_all, finished_jobs, own_baselines, search_lines, settle
from sigraph.running.fitting import fit_share
from sigraph.running.jobs import Job, check_jobs
from sigraph.running.progress import Progress
from sigraph.running.run_one import experiment_folder, record_failure, run_folder, run_one
from sigraph.running.searching.draws import check_optuna

_LATE = "the time was up in the grid or the search of settings; the same command resumes"


@dataclass
class Results:
    """What an experiment gave: one record per (arm, seed), as in their ``results.json``."""

    config: ExperimentConfig
    records: list[dict[str, Any]] = field(default_factory=list)

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The records of runs that failed; each says why."""
        return [record for record in self.records if record["status"] == "failed"]

    @property
    def unfinished(self) -> list[dict[str, Any]]:
        """The records of runs that the time did not suffice for."""
        return [record for record in self.records if record["status"] == "unfinished"]

    def leaderboard(self) -> Leaderboard:
        """Means and spreads over seeds, of the runs that ended."""
        top = experiment_folder(self.config)
        ended = [
            {**record, "folder": str(top / record["arm"] / record["hash"] / f"seed-{record['seed']}")}
            for record in self.records
            if record["status"] != "unfinished"
        ]
        return Leaderboard(ended, baseline=self.config.baseline)


def run(
    config: ExperimentConfig | Mapping[str, Any] | str | PathLike[str],
    progress: Progress | None = None,
    jobs: int = 1,
    max_seconds: float | None = None,
    only: Sequence[Job] | None = None,
    trust: Iterable[str] = (),
    overrides: Iterable[str] | Mapping[str, Any] = (),
    search: int | None = None,
) -> Results:
    """Pre-train and fine-tune every arm for every seed; finished work is recognised, interrupted work resumed.

    A run that fails is a record with its reason and does not stop the others; settings that cannot work at all are an
    error before anything trains. With a ``grid``, each arm's settings are chosen first; with a ``search``, those that
    were found by ``search=N`` trials, now or before.

    Where torchrun or srun started several processes, each calls this; the first one does everything and the others take
    part in its pre-trainings. All return the same results.

    Args:
        config: From :func:`sigraph.load_config`; or the path of its YAML file, or the same as plain containers.
        progress: Told what happens.
        jobs: Runs at a time, each in a process of its own, >= 1. They share the processor's threads, so that sums may
            round in another order than with one.
        max_seconds: Save and stop after this long; the same call resumes. None: no limit.
        only: The (arm, seed) to run; None: all.
        trust: Packages or modules that the settings may name besides sigraph and what it builds on. Importing one runs
            its code; one that is not installed is looked for where you stand.
        overrides: What differs from ``config``, by dotted key: ``{"pretrain.structure_weight": 0.3}``, or a list such
            as ``["seeds=[0, 1]"]`` as the command line takes it.
        search: Trials of each arm within the experiment's ``search`` space, in all: those that were made before count.
            None: none are added. Needs the extra ``search``.

    Raises:
        ConfigError, ValueError: An arm cannot be built: a component, the data set or the graph does not fit; an arm or
            a seed is unknown; another process works on the same run.
    """
    config = _as_config(config, overrides)
    progress = Progress() if progress is None else progress
    check_kinds("run", progress=(progress, Progress))
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise ValueError(f"'jobs' needs to be >= 1 (got {shown(jobs)})")
    check_processes("jobs", jobs)
    if max_seconds is not None and (not is_number(max_seconds) or math.isnan(max_seconds)):
        raise ValueError(f"'max_seconds' needs to be a number, or None, in 'run' (got {shown(max_seconds)})")
    if search is not None:
        refuse_search(config.search, search)
        check_optuna()
    launch = launched()
    if launch is not None:
        config = _spread(config, launch, jobs)
        if launch.rank:
            with trusting(trust):
                return Results(config, follow(fit_share))
    deadline = None if max_seconds is None else time.time() + max_seconds
    results = Results(config)
    with trusting(trust), leading(results.records):
        _run(results, progress, jobs, deadline, only, search)
    return results


def _as_config(config: Any, overrides: Any) -> ExperimentConfig:
    """The settings, read if they are a file or plain containers, with what differs."""
    if isinstance(config, str | PathLike):
        return load_config(config, overrides)
    if isinstance(config, Mapping):
        return config_from_dict(config, overrides)
    if not isinstance(config, ExperimentConfig):
        raise ValueError(
            "'config' needs what sigraph.load_config gives, the path of a YAML file, or a mapping as in one, in 'run' "
            f"(got {shown(config)})"
        )
    return config_from_dict(config.to_dict(), overrides) if overrides else config


def _spread(config: ExperimentConfig, launch: Launch, jobs: int) -> ExperimentConfig:
    """The config for as many processes as were started, unless it says how many."""
    if jobs > 1:
        raise ValueError(f"'jobs' needs to be 1 where {launch.by} starts the processes (got {jobs})")
    trainer = config.pretrain.trainer
    if trainer.num_processes == 1:
        trainer = replace(trainer, devices=launch.local_size, num_nodes=launch.num_nodes)
        config = replace(config, pretrain=replace(config.pretrain, trainer=trainer))
    return config


def _run(
    results: Results,
    progress: Progress,
    jobs: int,
    deadline: float | None,
    only: Sequence[Job] | None,
    search: int | None,
) -> None:
    config = results.config
    wanted = check_jobs(config, only)
    names = list(dict.fromkeys(name for name, _ in wanted))
    for arm in (config.arm(name) for name in names):
        if arm.num_epochs:
            check_size(arm.pretrain.trainer.devices, arm.pretrain.trainer.num_nodes)
    for line in own_baselines(config, names):
        progress.say(line)
    done = finished_jobs(config, wanted, search)
    if unfinished := [name for name in names if any(job[0] == name and job not in done for job in wanted)]:
        found = check_all(config, unfinished, search is not None)
        for line in found.lines:
            progress.say(line)
        wanted = [(name, seed) for name, seed in wanted if name not in found.left_out]
    progress.start(len(wanted), sum(config.arm(name).num_epochs for name, _ in wanted))
    try:
        for record in _records(config, wanted, done, progress, jobs, deadline, search):
            results.records.append(record)
            progress.say(f"[{len(results.records)}/{len(wanted)}] {_summary(record)}")
    finally:
        progress.close()
    order = {job: i for i, job in enumerate(wanted)}
    results.records.sort(key=lambda record: order[record["arm"], record["seed"]])


def _records(
    config: ExperimentConfig,
    wanted: list[Job],
    done: list[Job],
    progress: Progress,
    jobs: int,
    deadline: float | None,
    search: int | None,
) -> Iterator[dict[str, Any]]:
    """The records as they come; those of runs that are done need no process of their own."""
    every = list(dict.fromkeys(name for name, _ in wanted))
    if here := wanted if jobs == 1 else done:
        chosen = _choose_all(config, list(dict.fromkeys(name for name, _ in here)), progress, deadline, search)
        for line in search_lines(config, every) if jobs == 1 else ():
            progress.say(line)
        for name, seed in here:
            yield _one(config, name, seed, chosen, progress, deadline)
    if not (wanted := [job for job in wanted if job not in here]):
        return
    names = list(dict.fromkeys(name for name, _ in wanted))
    plain = config.to_dict()
    if config.grid or search is not None:  # side by side; what they find is kept on disk, where the runs find it
        for _ in in_processes(partial(_choose_job, plain, deadline=deadline, search=search), names, jobs):
            pass
    for line in search_lines(config, every):
        progress.say(line)
    for (name, seed), record in in_processes(partial(_run_job, plain, deadline=deadline, search=search), wanted, jobs):
        progress.epochs(f"{name}, seed {seed}", config.arm(name).num_epochs)
        if isinstance(record, Killed):
            record = record_failure(config, config.arm(name), seed, record.reason, _about(config, name, seed, {}))
        yield record


Chosen = dict[str, Settled]


def _choose_all(
    config: ExperimentConfig, names: list[str], progress: Progress, deadline: float | None, search: int | None
) -> Chosen:
    """Settings of the wanted arms and of their baselines, without which a comparison cannot be named."""
    names = list(dict.fromkeys([*names, *filter(None, map(config.baseline_of, names))]))
    try:
        return {name: settle(config, name, search, progress, deadline) for name in names}
    except TimeIsUp:
        return {}


def _one(
    config: ExperimentConfig, name: str, seed: int, chosen: Chosen, progress: Progress, deadline: float | None
) -> dict[str, Any]:
    if not chosen:
        base = {"experiment": config.name, "arm": name, "seed": seed, "hash": "", "tasks": []}
        return {**base, "status": "unfinished", "reason": _LATE}
    about = _about(config, name, seed, chosen) | chosen[name].about
    return run_one(config, chosen[name].arm, seed, progress, deadline, about)


def _about(config: ExperimentConfig, name: str, seed: int, chosen: Chosen) -> dict[str, Any]:
    """What a leaderboard needs to find the run that another is compared with."""
    twin = config.baseline_of(name)
    about: dict[str, Any] = {"arms": config.arm_names, "baseline": config.baseline, "baseline_hash": None}
    if twin != config.baseline:
        about["baseline_arm"] = twin
    if twin == name != config.baseline:
        about["baseline_of"] = config.baseline
    if twin in chosen:
        arm = chosen[twin].arm
        about["baseline_hash"] = run_folder(config, arm, seed).parent.name
        about["baseline_sources"] = own_sources(arm.to_dict())
    return about


def _choose_job(plain: dict[str, Any], name: str, *, deadline: float | None, search: int | None = None) -> None:
    _choose_all(config_from_dict(plain), [name], Progress(), deadline, search)


def _run_job(plain: dict[str, Any], job: Job, *, deadline: float | None, search: int | None = None) -> dict[str, Any]:
    config, (name, seed) = config_from_dict(plain), job
    return _one(config, name, seed, _choose_all(config, [name], Progress(), deadline, search), Progress(), deadline)


def _summary(record: dict[str, Any]) -> str:
    what = f"{record['arm']}, seed {record['seed']}"
    if record["status"] != "ok":
        return f"{what}: {record['status'].upper()}, {record['reason']}"
    scores = ", ".join(f"{t['task']} ({t['head']}) test {t['metric']} {t['test']:.3f}" for t in record["tasks"])
    took = "already done" if record.get("found") else f"{record['wall_seconds']:.0f} s"
    return f"{what}: {scores or 'pre-trained'}{_neighbors(record)} ({took})"


def _neighbors(record: dict[str, Any]) -> str:
    """What a certificate says of nearest neighbours; nothing where a record is older than certificates."""
    found = (record["pretrain"] or {}).get("certificate") or {}
    parts = []
    if found.get("hit_rate") is not None:
        parts.append(f"{found['hit_rate']:.3f} are edges")
    if found.get("accuracy") is not None:
        promised = found.get("local_consistency")
        parts.append(
            f"{found['accuracy']:.3f} share a label" + ("" if promised is None else f" (promised {promised:.3f})")
        )
    return f"; nearest neighbours: {', '.join(parts)}" if parts else ""
