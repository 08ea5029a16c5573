"""What an experiment would do, before it does it: parameters, steps, an estimate of time and memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sigraph.config import ArmConfig, ExperimentConfig
from sigraph.config.search import search_seeds
from sigraph.files.markdown import markdown_table
from sigraph.running.arm_settings import check_all, own_baselines, search_lines
from sigraph.running.found import found
from sigraph.running.jobs import Job, check_jobs
from sigraph.running.kinds import build_kind
from sigraph.running.measured import Known, measure
from sigraph.running.parts import pretrain_hash
from sigraph.running.repeats import num_repeats
from sigraph.running.run_one import pretrain_folder, run_folder
from sigraph.running.searching.search import kept_search, num_trials

_TOKENS = ["tokens a seed", "tokens in all", "tokens a second"]
_READ = "tokens: real ones, without padding, that the encoder reads in the steps of pre-training"
# Of an arm that pre-trains nothing: what it fits is not known before, and takes seconds.
_NOTHING = {"num_parameters": None, "num_samples": None, "num_edges": None, "num_steps": 0, "seconds": 0.0}
_NOTHING |= {"num_tokens": None, "tokens_per_second": None, "peak_memory_mb": 0.0}
_NOTHING |= {"trials": 0, "pretrainings": 0, "draws": 0, "pretrained_draws": 0}


def plan(
    config: ExperimentConfig,
    jobs: Sequence[Job] | None = None,
    say: Callable[[str], None] = lambda line: None,
    search: int | None = None,
) -> list[dict[str, Any]]:
    """One row an arm, from building it and timing a few real steps on its first seed; nothing is kept.

    ``seconds`` is the pre-training of one seed with its validations, ``num_seeds`` how many of them there are,
    ``num_found`` how many of these are finished (of an arm with a grid, or with trials to make, that is not known: 0),
    ``trials`` what the grid tries on the first one, ``pretrainings`` how many different pre-trainings that takes.
    ``draws`` are the trials that its search has still to make, ``pretrained_draws`` the pre-trainings of these: each as
    long as that of the arm, whatever is drawn. Arms that pre-train the same share it. What a search chose before is
    what is timed. Fine-tuning is not in it: how long it takes depends on when validation stops it. An arm of a kind
    pre-trains nothing; ``kind`` says what it does. ``num_tokens`` and ``tokens_per_second`` of encoders of token
    sequences are as of :func:`~sigraph.running.measured.measure`. What arms share is measured once.

    Args:
        config: The experiment.
        jobs: The (arm, seed) that would run; None: all.
        say: Told what is worth saying of leakage, a line for each task, of a grid and of a search.
        search: Trials of each arm's search that are asked for; None: none.

    Raises:
        ConfigError, ValueError: As in :func:`~sigraph.experiment.run`, before anything is timed.
    """
    jobs = check_jobs(config, jobs)
    seeds: dict[str, list[int]] = {}
    for name, seed in jobs:
        seeds.setdefault(name, []).append(seed)
    checked = check_all(config, list(seeds), search is not None)
    chosen = search_lines(config, list(seeds)) if search is None else []  # else it is not known yet
    for line in [*own_baselines(config, list(seeds)), *checked.lines, *chosen]:
        say(line)
    rows: list[dict[str, Any]] = []
    timed: dict[str, dict[str, Any]] = {}
    known: Known = {}
    for name, own in seeds.items():
        drawn = kept_search(config, name)
        arm = config.arm(name, chosen=drawn and drawn["chosen"])
        if name in checked.left_out:
            continue
        if arm.kind is not None:
            rows.append({"arm": name, "kind": build_kind(arm).kind, "shares": None, "num_seeds": len(own), **_NOTHING})
            rows[-1]["num_found"] = _num_found(config, arm, own)
            continue
        code = pretrain_hash(arm.pretrain)
        shared = next((other for other, same in timed.items() if same["code"] == code), None)
        if shared is None:
            timed[name] = {"code": code, **measure(arm, own[0], known)}
        rows.append({"arm": name, "shares": shared, "num_seeds": len(own), **timed[shared or name]})
        rows[-1] |= _trials(config, name, drawn and drawn["chosen"]) | _draws(config, name, search)
        rows[-1]["num_found"] = 0 if rows[-1]["draws"] else _num_found(config, arm, own)
    return rows


def plan_table(config: ExperimentConfig, jobs: Sequence[Job] | None = None, search: int | None = None) -> str:
    """The rows of :func:`plan` as text, with the total and what is worth saying of leakage, a grid and a search."""
    notes: list[str] = []
    rows = plan(config, jobs, notes.append, search)
    reads_tokens = any(row["num_tokens"] is not None for row in rows)
    titles = ["arm", "parameters", "samples", "edges", "steps a seed", "seconds a seed"]
    titles += [*_TOKENS * reads_tokens, "grid", *["search"] * (search is not None)]
    cells = []
    for row in rows:
        if "kind" in row:
            cells.append([row["arm"], f"{row['kind']}: pre-trains nothing", *[""] * (len(titles) - 2)])
            continue
        shown = f"shares {row['shares']}'s" if row["shares"] else f"{row['seconds']:.0f}"
        grid = f"{row['trials']} trials" if row["trials"] else ""
        sizes = [f"{row[name]:,}" for name in ("num_parameters", "num_samples", "num_edges", "num_steps")]
        drawn = [f"{row['draws']} trials" if row["draws"] else ""] * (search is not None)
        cells.append([row["arm"], *sizes, shown, *_tokens(row) * reads_tokens, grid, *drawn])
    peak = max((row["peak_memory_mb"] for row in rows), default=0.0)
    runs, done = (sum(row[name] for row in rows) for name in ("num_seeds", "num_found"))
    total = sum(_num_pretrained(row) * row["seconds"] for row in rows)
    text = [
        markdown_table(titles, cells),
        "",
        f"{runs} runs ({len(rows)} arms), {sum(map(num_repeats, config.finetune))} fine-tunings each"
        + (f"; {done} are finished and not run again" if done else ""),
        f"pre-training: about {_shown(total)} in all, from a few timed steps an arm; fine-tuning comes on top",
        *[_READ] * reads_tokens,
        f"memory: about {peak:,.0f} MB a process",
        *notes,
    ]
    return "\n".join(text)


def _num_pretrained(row: Mapping[str, Any]) -> int:
    """Pre-trainings that an arm has still to make: of its seeds, of what its grid tries, of the draws of its search."""
    own = row["num_seeds"] - 1 + row["pretrainings"] - row["num_found"]
    return (0 if row["shares"] else max(own, 0)) + row["pretrained_draws"]


def _tokens(row: Mapping[str, Any]) -> list[str]:
    """Cells of tokens: those of one seed, those of all that is still to be pre-trained, those of a second."""
    if row["num_tokens"] is None:
        return [""] * len(_TOKENS)
    number = _num_pretrained(row)
    cells = [row["num_tokens"], number * row["num_tokens"], row["tokens_per_second"]]
    return [_rounded(cell) for cell in cells]


def _rounded(number: float) -> str:
    """To three digits: an estimate has no more."""
    return f"{float(f'{number:.3g}'):,.0f}"


def _num_found(config: ExperimentConfig, arm: ArmConfig, seeds: Sequence[int]) -> int:
    """How many of an arm's runs are finished; of one whose settings a grid chooses that is not known."""
    if config.grid_of(arm.name):
        return 0
    done = 0
    for seed in seeds:
        folder, shared = run_folder(config, arm, seed), pretrain_folder(config, arm, seed)
        done += found(arm, seed, folder, shared, config.save_models) is not None
    return done


def _trials(config: ExperimentConfig, name: str, searched: Mapping[str, Any] | None) -> dict[str, int]:
    open_keys = config.grid_of(name, searched)
    tried = [dict(zip(open_keys, values, strict=True)) for values in itertools.product(*open_keys.values())]
    codes = {pretrain_hash(config.arm(name, chosen={**(searched or {}), **one}).pretrain) for one in tried}
    return {"trials": len(tried) if open_keys else 0, "pretrainings": len(codes)}


def _draws(config: ExperimentConfig, name: str, search: int | None) -> dict[str, int]:
    """Trials that a search has still to make, and the pre-trainings that they take."""
    number = 0 if search is None else num_trials(config, name, search)
    if config.search is None or not number:
        return {"draws": 0, "pretrained_draws": 0}
    differ = any(key.startswith("pretrain.") for key in config.search_of(name))  # else all of them share it
    return {
        "draws": number,
        "pretrained_draws": len(search_seeds(config.search, config.seeds)) * (number if differ else 1),
    }


def _shown(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
