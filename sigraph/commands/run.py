"""``sigraph run FILE`` and ``sigraph demo`` on the command line."""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sigraph.config.trust import OPTION_HELP, trusting
from sigraph.files.counted import counted
from sigraph.files.temporary import own_prefix
from sigraph.machines.launch import launched

if TYPE_CHECKING:
    from sigraph.experiment import Results


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``sigraph run``."""
    add = parser.add_argument
    add("file", metavar="FILE", help="the experiment's YAML")
    add("overrides", nargs="*", metavar="KEY=VALUE", help="dotted overrides, values in YAML")
    add("--output-dir", help="where results are kept (default: the file's output_dir, else runs)")
    add("--jobs", type=int, default=1, metavar="N", help="runs at a time, a process each (default: 1)")
    add("--arm", action="append", metavar="NAME", help="only this arm; repeat for more")
    add("--seed", action="append", type=int, metavar="SEED", help="only this seed; repeat for more")
    add("--max-time", type=float, metavar="MINUTES", help="save and stop then; the same command resumes")
    add(
        "--search",
        type=int,
        metavar="N",
        help="N settings of each arm from the file's search space; best by validation",
    )
    add("--dry-run", action="store_true", help="say what would run: parameters, memory, time; keep nothing")
    add("--picture", action="store_true", help="draw the latent spaces of the baseline and the first arm: latent.png")
    add("--trust", action="append", default=[], metavar="NAME", help=OPTION_HELP)
    add("--list", action="store_true", help="print one command for each run, for a scheduler; --dry-run checks more")


def experiment_run(arguments: argparse.Namespace) -> int:
    """Run an experiment and show its table; or list its runs, or say what they would take."""
    with trusting(arguments.trust, beside=arguments.file):
        return _experiment_run(arguments)


def _experiment_run(arguments: argparse.Namespace) -> int:
    from sigraph.config import load_config
    from sigraph.config.shipped_names import refuse_unknown_names

    overrides = list(arguments.overrides)
    if arguments.output_dir is not None:
        overrides.append(f"output_dir={_quoted(arguments.output_dir)}")
    if arguments.max_time is not None and not 0 <= arguments.max_time < math.inf:
        raise ValueError(f"'--max-time' needs to be a number of minutes, >= 0 (got {arguments.max_time:g})")
    launch = launched()
    if launch is not None and launch.rank:
        return 0 if arguments.list or arguments.dry_run else _follow()
    config = load_config(arguments.file, overrides)
    if arguments.search is not None:
        from sigraph.config.search import refuse_search

        refuse_search(config.search, arguments.search)
    _check_place(arguments.file, config.pretrain.dataset)
    for name in arguments.arm or config.arm_names:
        refuse_unknown_names(config.arm(name).to_dict(), f"arm {name!r}: ")
    _check_output(config.output_dir, is_written=not arguments.list)
    arms, seeds = arguments.arm or config.arm_names, arguments.seed or config.seeds
    from sigraph.running.jobs import check_jobs

    wanted = check_jobs(config, [(name, seed) for seed in seeds for name in arms])
    if arguments.list:
        from sigraph.running.checks import check_components

        for name in dict.fromkeys(name for name, _ in wanted):
            check_components(config.arm(name))
        return _list(arguments, overrides, wanted)
    from sigraph.machines.trainer import quiet_libraries

    quiet_libraries()
    if arguments.dry_run:
        from sigraph.config.provenance import own_sources
        from sigraph.running.plan import plan_table

        print(plan_table(config, wanted, arguments.search))
        if own := own_sources(*(config.arm(name).to_dict() for name, _ in wanted)):
            print(f"code of your own, which was run: {', '.join(own)}")
        return 0
    from sigraph.experiment import run
    from sigraph.running.progress import BarProgress

    seconds = None if arguments.max_time is None else 60 * arguments.max_time
    results = run(config, BarProgress(), arguments.jobs, seconds, wanted, search=arguments.search)
    code = _show(results, arguments.debug)
    if arguments.picture and code == 0:
        print(_drawn(results))
    return code


def _drawn(results: Results) -> str:
    """Draw the baseline and the first other arm that pre-trains; what was drawn, or why nothing was."""
    config = results.config
    shown = {record["arm"] for record in results.records if record["seed"] == config.seeds[0]}
    trained = [name for name in config.arm_names if name in shown and config.arm(name).kind is None]
    trained = [name for name in trained if config.arm(name).pretrain.trainer.max_epochs]
    arms = [name for name in (config.baseline, *trained) if name in trained]
    arms = list(dict.fromkeys(arms))[:2]
    if not arms:
        return "no picture: no arm pre-trained with the first seed"
    return f"the latent spaces of {' and '.join(arms)}: {_picture(results, arms)}"


def _check_place(file: str, dataset: object) -> None:
    """Refuse to look where you stand for a folder that is beside the file."""
    from sigraph.files.ownership import MANIFEST

    beside = Path(file).parent
    if not isinstance(dataset, str) or beside == Path() or Path(dataset).exists():
        return
    if (beside / dataset / MANIFEST).is_file():
        from sigraph.recipes.prepare import dataset_names

        if dataset not in dataset_names():
            raise ValueError(
                f"'pretrain.dataset' is looked for where you stand, and {dataset!r} is beside {file}: cd {beside}, or "
                f"add pretrain.dataset={beside / dataset}"
            )


def _check_output(output_dir: str, is_written: bool) -> None:
    """Refuse a place for results that is a file, or lies below one, or where no folder can be made."""
    path = Path(output_dir)
    above = next((folder for folder in (path, *path.parents) if folder.exists()), path)
    if above.exists() and not above.is_dir():
        raise ValueError(f"'output_dir' needs to be a folder (got {output_dir}: {above} is a file); name another one")
    if above == path or not is_written:
        return
    try:
        Path(tempfile.mkdtemp(prefix=own_prefix(above / path.name), dir=above)).rmdir()
    except OSError as error:
        why = f"'output_dir' cannot be made here ({error.strerror}); name another one"
        raise OSError(error.errno, why, output_dir) from error


def _follow() -> int:
    """One of several processes that torchrun or srun started: the first one says what to do."""
    from sigraph.machines.leader import follow
    from sigraph.machines.trainer import quiet_libraries
    from sigraph.running.fitting import fit_share

    quiet_libraries()
    follow(fit_share)
    return 0


def _list(arguments: argparse.Namespace, overrides: list[str], wanted: list[tuple[str, int]]) -> int:
    """One command a run, for any scheduler; they may run in any order and at the same time."""
    import shlex

    trust = [word for name in arguments.trust for word in ("--trust", name)]
    options = [*trust, *([] if arguments.search is None else ["--search", str(arguments.search)])]
    for name, seed in wanted:
        command = ["sigraph", "run", arguments.file, *overrides, *options, "--arm", name, "--seed", str(seed)]
        print(shlex.join(command))
    return 0


def demo_run(arguments: argparse.Namespace) -> int:
    """Run the embedded default and show what the graph gave."""
    from sigraph.config import load_config
    from sigraph.data.card import shipped_folder
    from sigraph.experiment import run
    from sigraph.machines.trainer import quiet_libraries
    from sigraph.running.progress import BarProgress

    file = shipped_folder().parent / "experiments" / "manifold-torus" / "demo.yaml"
    config = load_config(file, [f"output_dir={_quoted(arguments.output_dir)}"])
    print(_DEMO_TEXT.format(num_seeds=len(config.seeds)))
    sys.stdout.flush()
    quiet_libraries()
    results = run(config, BarProgress())
    code = _show(results, arguments.debug)
    if code == 0:
        print(f"\nthe latent spaces, without and with the graph: {_picture(results, ['objective-only', 'sipt'])}")
        print(_NEXT)
    return code


_NEXT = """
next: sigraph init papers.csv cites.csv --run            your own files to such a table
      sigraph run experiments/manifold-torus/demo.yaml   this one as a file, yours to change; KEY=VALUE overrides it"""
_DEMO_TEXT = """\
1,200 samples lie on a torus; each shows only 16 noisy words. The pre-training graph joins samples that lie close
together. Which of 8 topics is a sample about? 40 labels to train on, 1,000 test samples, {num_seeds} seeds, four arms:
  sipt            masked words + the graph          objective-only   masked words alone
  rewired-graph   the same, graph's ends shuffled   no-pretraining   random encoder
Beside them stand three references that pre-train nothing: majority, raw-features, ridge (words -> neighbours' words).
The encoder sees one sample at a time: the graph is used in pre-training only.
"""


def _picture(results: Results, arms: list[str]) -> Path:
    """The latent spaces of two arms of a finished run, first seed."""
    import torch

    from sigraph.report import latent_figure
    from sigraph.running.parts import load_parts
    from sigraph.running.run_one import run_folder

    config = results.config
    panels, seed = {}, config.seeds[0]
    for name in arms:
        arm = config.arm(name)
        panels[name], dataset, observed = load_parts(arm.pretrain, seed, run_folder(config, arm, seed))
    found = [task for task in dataset.tasks.values() if task.type == "classification"]
    first = config.finetune[0].task if config.finetune else None
    task = next((one for one in found if one.name == first), found[0] if found else None)
    path = Path(config.output_dir) / config.name / "latent.png"
    if task is None:  # nothing to colour by
        unknown = torch.full((len(dataset),), -1)
        return latent_figure(panels, unknown, path, seed=seed)
    consistency = observed.local_consistency(task.labels)
    return latent_figure(panels, task.labels, path, consistency, task.name, seed, task.classes)


def _show(results: Results, debug: bool) -> int:
    from sigraph.leaderboard.hints import hint_lines
    from sigraph.leaderboard.latent_table import latent_table
    from sigraph.leaderboard.leakage_lines import leakage_lines
    from sigraph.leaderboard.trials import trial_lines

    config = results.config
    print(f"\n{config.name}: {config.question}\n" if config.question else f"\n{config.name}\n")
    folder = Path(config.output_dir) / config.name
    if not results.records:
        print("nothing was run: no arm that was asked for applies to the data")
    elif not config.finetune:
        print(latent_table(results.records))
        print(f"\nnothing was fine-tuned: no task is named; mean ± unbiased standard deviation over seeds; {folder}")
    else:
        print(results.leaderboard().table())
        print(f"\nmean ± unbiased standard deviation over seeds; everything is kept in {folder}")
    for line in [*leakage_lines(results.records), *trial_lines(results.records), *hint_lines(results.records)]:
        print(line)
    for reason in dict.fromkeys(record["reason"] for record in results.failed):
        same = [record for record in results.failed if record["reason"] == reason]
        runs = "; ".join(
            f"{arm}, seed {', '.join(str(record['seed']) for record in same if record['arm'] == arm)}"
            for arm in dict.fromkeys(record["arm"] for record in same)
        )
        print(f"failed: {runs}: {reason}", file=sys.stderr)
        if debug:
            print(same[0]["traceback"], file=sys.stderr)
    if results.failed and not debug:
        print("results.json holds the traceback of each; --debug shows them", file=sys.stderr)
    if results.unfinished:
        print(
            f"\n{counted(len(results.unfinished), 'run is', 'runs are')} not finished; the same command resumes",
            file=sys.stderr,
        )
    failed = [record for record in results.failed if record["arm"] not in config.reference_names]
    return 1 if failed or results.unfinished else 0  # arms that nobody asked for fail no run


def _quoted(text: str) -> str:
    """As a YAML string, whatever it holds."""
    import json

    return json.dumps(text)
