"""What each arm runs with: its own settings, those that a search chose within its space, those that its grid chose."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sigraph.config import ArmConfig, ConfigError, ExperimentConfig
from sigraph.config.search import search_seeds
from sigraph.running import grid
from sigraph.running.checks import Checked, check_arms
from sigraph.running.found import found
from sigraph.running.jobs import Job
from sigraph.running.kinds import check_stated
from sigraph.running.parts import said_of
from sigraph.running.progress import Progress
from sigraph.running.run_one import pretrain_folder, run_folder
from sigraph.running.searching.search import best_of, is_complete, kept_search, said, search
from sigraph.running.searching.trial import check_trials


class Settled(NamedTuple):
    """An arm with nothing left to choose, and how it was chosen."""

    arm: ArmConfig
    search: dict[str, Any] | None  # as in DrawnSearch; None: nothing was drawn for it
    grid: dict[str, Any] | None  # as in GridSearch; None: none is open for it

    @property
    def about(self) -> dict[str, Any]:
        """What a record of its runs says of it."""
        return {name: value for name, value in (("search", self.search), ("grid", self.grid)) if value is not None}


def settle(
    config: ExperimentConfig,
    name: str,
    number: int | None = None,
    progress: Progress | None = None,
    deadline: float | None = None,
) -> Settled:
    """An arm with the settings that its search chose, and with these those of its grid.

    Args:
        config: The experiment.
        name: The arm's name.
        number: Trials of its search; None: those that were made.
        progress: Told what happens.
        deadline: When to save and stop, on the clock of :func:`time.time`.

    Raises:
        TimeIsUp: The deadline passed; the same call resumes.
    """
    drawn = search(config, name, number, progress, deadline)
    arm, tried = grid.choose(config, name, progress, deadline, drawn and drawn["chosen"])
    return Settled(arm, drawn, tried)


def finished_jobs(config: ExperimentConfig, jobs: Sequence[Job], number: int | None = None) -> list[Job]:
    """Those of some (arm, seed) that need nothing done; no sample of a prepared data set is read.

    Args:
        config: The experiment.
        jobs: To look at.
        number: Trials that searches are asked for; None: none.
    """
    done = []
    for name in dict.fromkeys(name for name, _ in jobs):
        try:
            arm = _settled(config, name, number)
        except ConfigError:  # it is said when the arm is looked at
            continue
        if arm is None:
            continue
        for seed in (seed for other, seed in jobs if other == name):
            folders = run_folder(config, arm, seed), pretrain_folder(config, arm, seed)
            if found(arm, seed, *folders, config.save_models) is not None:
                done.append((name, seed))
    return done


def _settled(config: ExperimentConfig, name: str, number: int | None) -> ArmConfig | None:
    """An arm with what was chosen for it; None: something is still to be chosen."""
    if not is_complete(config, name, number):
        return None
    drawn = kept_search(config, name)
    return grid.settled(config, name, drawn and drawn["chosen"])


def check_all(config: ExperimentConfig, names: Sequence[str], is_searched: bool = False) -> Checked:
    """Check arms and all that their grids would try, as :func:`check_arms`; their baselines' grids are with them.

    Args:
        config: The experiment.
        names: Of the arms.
        is_searched: Whether settings are drawn as well: every choice and both ends of every range are looked at.

    Returns:
        What is worth saying of leakage, and of keys of the grid that change nothing; and which of the references that
        the file does not name are left out.
    """
    every = list(dict.fromkeys([*names, *filter(None, map(config.baseline_of, names))]))
    grids = {
        name: [(settings, config.arm(name, chosen=settings)) for settings in grid.combinations(open_keys)]
        for name in every
        if (open_keys := config.grid_of(name))
    }
    searches = {name: list(_ends(config, name)) for name in every if is_searched and config.search_of(name)}
    arms = [config.arm(name) for name in dict.fromkeys([*names, *grids, *searches])]
    idle = [key for key in config.grid if not any(key in config.grid_of(arm.name) for arm in arms)]
    said = [f"grid: {key!r} changes nothing in any of these arms, so its values are not tried" for key in idle]
    if is_searched and config.search is not None:
        idle = [key for key in config.search.space if not any(key in config.search_of(arm.name) for arm in arms)]
        said += [f"search: {key!r} changes nothing in any of these arms, so nothing is drawn for it" for key in idle]
    for arm in arms:
        if arm.kind is not None:
            with said_of(arm):
                check_stated(arm, config.arms.get(arm.name, {}))
    references = [arm for arm in arms if arm.name in config.reference_names]
    checked = check_arms([arm for arm in arms if arm not in references], config.seeds[0], grids, references, searches)
    if config.search is not None:
        seed = search_seeds(config.search, config.seeds)[0]
        for name in searches:
            with said_of(config.arm(name)):
                check_trials(config.arm(name), config.search_of(name), seed, config.search.redraws)
    return checked._replace(lines=[*checked.lines, *said])


def _ends(config: ExperimentConfig, name: str) -> Iterator[tuple[dict[str, Any], ArmConfig]]:
    for key, one in config.search_of(name).items():
        for end in one.ends:
            yield {key: end}, config.arm(name, chosen={key: end})


def own_baselines(config: ExperimentConfig, names: Sequence[str]) -> list[str]:
    """Which arms are compared with a twin of the baseline that sees what they see, a line for each twin."""
    compared: dict[str, list[str]] = {}
    for name in names:
        twin = config.baseline_of(name)
        alike = twin is not None and (config.arm(name).kind is None) == (config.arm(twin).kind is None)
        if twin is not None and alike and twin not in (config.baseline, name):
            compared.setdefault(twin, []).append(name)
    return [
        f"{', '.join(arms)} {'is' if len(arms) == 1 else 'are'} compared with {twin}: {config.baseline} with "
        f"pretrain.inductive {json.dumps(config.arm(twin).pretrain.inductive)}"
        for twin, arms in compared.items()
    ]


def search_lines(config: ExperimentConfig, names: Sequence[str]) -> list[str]:
    """What arms run with where the experiment has a search: what it chose, or that it stands open; a line each.

    Args:
        config: The experiment.
        names: Of the arms; their baselines are with them.
    """
    lines, still_open, number = [], [], {}
    for name in dict.fromkeys([*names, *filter(None, map(config.baseline_of, names))]):
        if not config.search_of(name):
            continue
        record = kept_search(config, name)
        if record is None:
            still_open.append(name)
            continue
        number[name] = len(record["tried"])
        best = best_of(record["tried"], record["greater_is_better"])
        if best["valid"] is None:
            lines.append(f"{name}: all {number[name]} trials of its search failed, the first one's settings are run")
            continue
        redraws = f" and {record['redraws']} redrawn splits" if record["redraws"] else ""
        lines.append(
            f"{name} runs with what a search of {number[name]} trials chose by validation (mean {record['metric']} "
            f"{best['valid']:.4f} over seeds {', '.join(map(str, record['seeds']))}{redraws}): {said(best['settings'])}"
        )
    if still_open:
        lines.append(
            f"{', '.join(still_open)}: the file's own settings are run; a search stands open (--search N: N trials of "
            "each arm)"
        )
    most = max(number.values(), default=0)
    if any(not is_complete(config, name, most) for name in number):
        counts = ", ".join(f"{name} {count}" for name, count in number.items())
        lines.append(
            f"arms were searched unequally, which favours those with more trials ({counts}); --search {most} makes up "
            "for it"
        )
    return lines
