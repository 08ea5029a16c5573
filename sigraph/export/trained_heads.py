"""Which of a run's heads is meant, and the encoder that it reads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sigraph.encoders import Encoder
from sigraph.export.heads import Head, read_head
from sigraph.export.load import KeptEncoder, encoder_of, load_encoder, open_kept
from sigraph.files.suggestions import did_you_mean
from sigraph.leaderboard.result_files import FINETUNE, HEADS, MODELS, PRETRAIN_FOLDER

FULL = "full"
SHOWN = 5


class TrainedHead(NamedTuple):
    """A head of a run.

    Args:
        head: What predicts.
        entry: What the run's record says of its fine-tuning.
        kept: The run's folder.
        note: Which other heads there are, where nothing said that this one is meant; for people.
    """

    head: Head
    entry: dict[str, Any]
    kept: KeptEncoder
    note: str

    def encoder(self, in_channels: int | None) -> Encoder:
        """The encoder that it reads: the pre-trained one, or that which was fine-tuned with it.

        Args:
            in_channels: As of :func:`~sigraph.load_encoder`.

        Raises:
            ValueError: The one that was fine-tuned is not kept; says where there is one, or how it is made.
        """
        kept, model = self.kept, self.entry.get("model")
        if self.entry["head"] != FULL:
            return load_encoder(kept.path, in_channels)
        if model and (kept.path / MODELS / model["file"]).is_file():
            return encoder_of(kept, kept.path / MODELS / model["file"], model["sha256"], in_channels, ())
        what = f"{kept.path} keeps no encoder that was fine-tuned on {self.entry['task']!r}"
        way = "run the experiment again with save_models=all, which makes what is missing"
        if model and (others := sorted(kept.path.absolute().parent.glob(f"seed-*/{MODELS}/{model['file']}"))):
            raise ValueError(f"{what}: validation prefers another seed; predict from {others[0].parents[1]}, or {way}")
        raise ValueError(f"{what}; {way}")


def trained_head(run: str | os.PathLike[str], task: str | None = None, head: str | None = None) -> TrainedHead:
    """A head of a run.

    Args:
        run: Its folder.
        task, head: As of :func:`~sigraph.predict`.

    Raises:
        ValueError: There is no such head, it is not kept, or it predicts nothing by itself.
    """
    kept = open_kept(run)
    entry, note = chosen_entry(kept.path, [] if kept.record is None else kept.record["tasks"], task, head)
    found = read_head(kept.path / HEADS, _files(kept, entry))
    found.check()
    return TrainedHead(found, entry, kept, note)


def chosen_entry(
    run: str | os.PathLike[str], tasks: Sequence[dict[str, Any]], task: str | None, head: str | None
) -> tuple[dict[str, Any], str]:
    """The fine-tuning that is asked for, and which others there are where something was left open.

    Without a word it is the primary one; of a task alone its primary head, else its first.

    Args:
        run: The folder, for messages.
        tasks: What the run's record says of its fine-tunings.
        task, head: As of :func:`~sigraph.predict`.
    """
    if not tasks:
        raise ValueError(f"{run} holds an encoder and no head: nothing was fine-tuned; name a run with tasks")
    names = list(dict.fromkeys(entry["task"] for entry in tasks))
    if task is not None and task not in names:
        raise ValueError(f"the run has no task {task!r}{did_you_mean(task, names)}; it has: {', '.join(names)}")
    primary = next((entry for entry in tasks if entry.get("primary")), tasks[0])
    if task is None and head is None:
        return primary, _others(tasks, primary)
    if task is None and (by_file := [entry for entry in tasks if head == _name(entry)]):
        return by_file[0], ""
    task = task or primary["task"]
    of_task = [entry for entry in tasks if entry["task"] == task]
    fitting = [entry for entry in of_task if head in (None, entry["head"], _name(entry))]
    found = [entry for entry in fitting if entry.get("primary")] or fitting
    if found and (head is None or len(found) == 1):
        return found[0], _others(of_task, found[0]) if head is None else ""
    there = ", ".join(f"{entry['head']} ({_name(entry)})" for entry in of_task)
    what = "has several heads" if fitting else f"has no head {head!r}"
    raise ValueError(f"task {task!r} {what}; choose one by --head: {there}")


def _others(tasks: Sequence[dict[str, Any]], chosen: dict[str, Any]) -> str:
    """Which heads there are besides, by the options that name them."""
    said = []
    for entry in tasks:
        alike = [one for one in tasks if (one["task"], one["head"]) == (entry["task"], entry["head"])]
        by_name = f"--task {entry['task']} --head {entry['head'] if len(alike) == 1 else _name(entry)}"
        said += [by_name] if entry is not chosen else []
    more = f" and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
    return f"other heads: {', '.join(said[:SHOWN])}{more}" if said else ""


def _name(entry: dict[str, Any]) -> str:
    """Name of a fine-tuning's files, without their ending."""
    file = (entry.get("trained_head") or entry.get("predictions") or {}).get("file")
    return f"{entry['task'][:80]}-{entry['head']}-{entry.get('settings')}" if file is None else Path(file).stem


def _files(kept: KeptEncoder, entry: dict[str, Any]) -> dict[str, str]:
    if entry.get("trained_head"):
        return entry["trained_head"]
    about, seed = kept.about, (kept.record or {}).get("seed")
    file = Path(PRETRAIN_FOLDER) / str(about.get("settings")) / f"seed-{seed}" / FINETUNE / f"{_name(entry)}.json"
    top = kept.path.absolute().parents
    raise ValueError(
        f"{kept.path} keeps no head of task {entry['task']!r} ({entry['head']}): it was run before heads were kept; "
        f"remove {top[2] / file if len(top) > 2 else file} and run the experiment again, which makes this "
        "fine-tuning, and nothing else, again"
    )
