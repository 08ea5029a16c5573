"""What ``damage`` damages, and what a user does with it: opens, reads, scores, resumes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import worlds
from forked import forked

import sigraph as sg

ALL_BYTES = 4096  # of files up to this size every byte is tried


class Subject(NamedTuple):
    """A folder that is damaged, and what a user does with it.

    Args:
        name: The kind in the table.
        make: Fills the folder.
        use: All that a user gets from it: plain values, tensors; raises what the user would meet.
        alone: Whether each use needs a process of its own: one that trains.
        most: Bytes up to which all of a file are tried.
        files: Patterns of the files that are damaged.
    """

    name: str
    make: Callable[[Path], None]
    use: Callable[[Path], Any]
    alone: bool = False
    most: int = ALL_BYTES
    files: tuple[str, ...] = ("*",)


def subjects() -> list[Subject]:
    """All of them."""
    records = ("pretrain.json", "finetune/*.json", "results.json", "_grid/*")
    found = [
        Subject(f"prepared {kind}", lambda f, kind=kind: worlds.dataset(kind).save(f), _open_dataset)
        for kind in ("features", "records", "tokens")
    ]
    return [
        *found,
        Subject("prepared own tables", _own_tables, _open_dataset),
        Subject("store: CSR", lambda f: worlds.graphs()["weighted"].save(f), _open_graph),
        Subject("store: label sets", lambda f: worlds.graphs()["sets"].save(f), _open_graph),
        Subject("store: built out of core", _out_of_core, _open_graph),
        Subject(
            "run: table, encoder", _finished, _read_run, files=("results.json", "config.yaml", "encoder.safetensors")
        ),
        Subject("run: found again", _finished, _find, files=records),
        Subject("run: resumed", _finished, _resume, True, 150, (*records, "config.yaml", "encoder.safetensors")),
        Subject("run: progress.ckpt", _unfinished, _resume, True, files=("progress.ckpt",)),
    ]


def _own_tables(folder: Path) -> None:
    beside = folder.with_name(f"{folder.name}-tables")
    worlds.write_tables(beside)
    os.chdir(beside)
    arguments = ("prepare", "--samples", "samples.csv", "--edges", "cites=cites.csv", "--label", "topic", "--out")
    if worlds.command(*arguments, str(folder)) != 0:
        raise RuntimeError("own tables could not be prepared")


def _out_of_core(folder: Path) -> None:
    beside = folder.with_name(f"{folder.name}-tables")
    worlds.write_tables(beside)
    sg.data.build_store(beside / "numbered.csv", folder, 24)


def _open_dataset(folder: Path) -> dict[str, Any]:
    return worlds.everything(sg.SampleDataset.open(folder))


def _open_graph(folder: Path) -> dict[str, Any]:
    return {"graph": worlds.of_graph(sg.PretrainGraph.open(folder))}


def _finished(folder: Path, deadline: float | None = None) -> None:
    worlds.write_tables(folder)
    os.chdir(folder)
    tables = ("prepare", "--samples", "samples.csv", "--edges", "cites=cites.csv", "--label", "topic")
    code = worlds.command(*tables, "--task", "size=more.csv", "--out", "mine")
    worlds.experiment(
        folder,
        pretrain__trainer={"max_epochs": 2, "accelerator": "cpu"},
        finetune=[{"task": "topic", "head": "knn", "k": 2, "primary": True}],
        grid={"pretrain.structure_weight": [0.5, 0.9]},
    )
    if deadline is None and (code or worlds.command("run", "mine.yaml")):
        raise RuntimeError("the experiment fails undamaged")


def _unfinished(folder: Path) -> None:
    """Killed when its first checkpoint is there."""
    _finished(folder, deadline=0.0)
    worlds.experiment(
        folder,
        pretrain__trainer={"max_epochs": 2, "accelerator": "cpu"},
        finetune=[{"task": "topic", "head": "knn", "k": 2}],
    )
    ended = forked(lambda: (_stop_after_an_epoch(), worlds.command("run", "mine.yaml")))
    if not list(folder.rglob("progress.ckpt")):
        raise RuntimeError(f"no checkpoint was left: {ended}")


def _stop_after_an_epoch() -> None:
    from sigraph.machines.trainer import Tick

    before = Tick.on_train_epoch_end

    def stop(self: Tick, trainer: Any, module: Any) -> None:
        before(self, trainer, module)
        if trainer.current_epoch == 1:
            os._exit(0)

    Tick.on_train_epoch_end = stop  # type: ignore[method-assign]


def _rows(folder: Path) -> dict[str, Any]:
    """The table of all runs, and why rows are none."""
    board = sg.evaluation.Leaderboard.from_folder(folder / "runs")
    rows = [{key: value for key, value in row.items() if key != "seconds"} for row in board.rows()]
    reasons = [str(record.get("reason")) for record in board.records if record.get("status") != "ok"]
    return {"rows": rows, "told": "\n".join(reasons)}


def _read_run(folder: Path) -> dict[str, Any]:
    """The table, and the encoder taken home."""
    found = _rows(folder)
    found["bytes of the table"] = sg.evaluation.Leaderboard.from_folder(folder / "runs").table()
    run = next(file.parent for file in (folder / "runs").rglob("results.json") if not file.parent.name.startswith("_"))
    if found["told"]:  # a row says it; what `embed` says is judged too, where it says anything else
        try:
            encoder = sg.load_encoder(run)
        except (ValueError, OSError) as error:
            if "results.json" in str(error):
                return found
            raise
    else:
        encoder = sg.load_encoder(run)
    found["z"] = sg.embed(
        encoder, sg.SampleDataset(torch.linspace(-1, 1, 12).view(4, 3))
    )  # new samples of three features
    found["told on"] = [str(part) for part in sg.export.pretrained_on(run)]
    return found


class _Again(BaseException):
    """A stage would be made again."""


def _find(folder: Path) -> dict[str, Any]:
    """The same command again, as far as it finds what is there: what :func:`_resume` makes again, it is told."""
    from sigraph.running import stages

    def again(*arguments: Any, **options: Any) -> Any:
        raise _Again

    before = stages.fit_parts, stages.fine_tune
    stages.fit_parts = stages.fine_tune = again
    try:
        return _resume(folder)
    except _Again:
        return {"again": True}
    finally:
        stages.fit_parts, stages.fine_tune = before


def _resume(folder: Path) -> dict[str, Any]:
    """The same command again, and the encoder that it leaves."""
    code = worlds.command("run", "mine.yaml")
    if code:
        raise ValueError(f"exit code {code}")
    found = _rows(folder)
    runs = [file for file in sorted((folder / "runs").rglob("encoder.safetensors")) if "_pretrain" not in file.parts]
    found["weights"] = [file.read_bytes() for file in runs]
    return found
