"""predict: what a run's fine-tuned heads say of samples, by class and in the unit of the labels; no graph involved."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from torch import Tensor

from sigraph.config.trust import trusting
from sigraph.encoders import Encoder, embed
from sigraph.export.heads import Head, read_head
from sigraph.export.load import KeptEncoder, encoder_of, load_encoder, open_kept
from sigraph.export.samples import ReadSamples, check_features, read_samples
from sigraph.files.suggestions import did_you_mean
from sigraph.leaderboard.result_files import FINETUNE, HEADS, MODELS, PRETRAIN_FOLDER

FULL = "full"


@dataclass(frozen=True)
class Predicted:
    """Predictions of samples by a head.

    Args:
        head: What predicted: task, kind, names of classes.
        ids: Of the samples; None: sample i is row i.
        number: Of a classification, the class of each sample. Shape [N]; None: others.
        value: Probabilities of classes [N, C] or of a 1 in each label column [N, L], which of nearest neighbours are
            shares of votes; or numbers in the unit of the labels [N]. float64.
        note: What is worth saying of the samples: what of them is not known, counted.
    """

    head: Head
    ids: pa.Array | None
    number: Tensor | None
    value: Tensor
    note: str = ""

    @property
    def names(self) -> list[str]:
        """What the classes or label columns are called, their numbers where they have no names."""
        width = self.value.size(1) if self.value.dim() == 2 else 0
        return [str(name) for name in (self.head.classes or range(width))[:width]]

    def to_table(self) -> pa.Table:
        """A row a sample: ``id``; ``predicted``, the class by name or the number; ``p_<name>``, probabilities."""
        columns: dict[str, Any] = {"id": np.arange(len(self.value)) if self.ids is None else self.ids}
        if self.number is not None:
            called = self.head.classes or list(range(self.value.size(1)))
            columns["predicted"] = pa.array([called[number] for number in self.number.tolist()])
        if self.value.dim() == 1:
            columns["predicted"] = self.value.numpy()
        columns |= {f"p_{name}": self.value[:, i].numpy() for i, name in enumerate(self.names)}
        return pa.table(columns)


def predict(
    folder: str | os.PathLike[str],
    samples: Any,
    task: str | None = None,
    head: str | None = None,
    trust: Iterable[str] = (),
) -> Predicted:
    """Predictions of samples by a head that a run trained.

    Args:
        folder: The run's folder.
        samples: A file, a data set, a table, a list of texts, or feature rows: as in
            :func:`~sigraph.export.samples.read_samples`. The run's reader reads them; words, letters and categories
            that it does not know are the unknown one, counted in ``note``.
        task: Name of the task; None: the run's primary one.
        head: ``linear``, ``full`` or ``knn``, where a task has several, or the name of its file in ``heads/``.
        trust: As in :func:`~sigraph.load_encoder`.

    Raises:
        FileNotFoundError, NotADirectoryError, ConfigError: As in :func:`~sigraph.load_encoder`.
        ValueError: There is no such task or head; the head, or the encoder that was fine-tuned with it, is not kept
            (says how it is made); the head predicts nothing of single samples; or the samples do not fit.

    Example:
        >>> found = sigraph.predict("runs/mine/sipt/0a1b2c3d4e5f/seed-0", "new.csv", task="topic")
        >>> found.to_table().to_pandas()
    """
    with trusting(trust):
        return predict_of(folder, read_samples(folder, samples), task, head, samples)


def predict_of(
    folder: str | os.PathLike[str], samples: ReadSamples, task: str | None, head: str | None, given: Any = None
) -> Predicted:
    """:func:`predict` of samples that were read.

    Args:
        folder: The run's folder.
        samples: From :func:`~sigraph.export.samples.read_samples`.
        task, head: As in :func:`predict`.
        given: What the samples were asked for by, for messages.
    """
    kept = open_kept(folder)
    entry = _chosen(kept, task, head)
    trained = read_head(kept.path / HEADS, _kept_head(kept, entry))
    dataset, note = samples
    encoder = _encoder(kept, entry, dataset.in_channels)
    check_features(folder, encoder, dataset, note, given)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        number, value = trained.predict(embed(encoder, dataset))
    note += "".join(f" ({warning.message})" for warning in said)
    return Predicted(trained, dataset.ids, number, value, note.strip())


def _chosen(kept: KeptEncoder, task: str | None, head: str | None) -> dict[str, Any]:
    """The fine-tuning that is asked for; without a word the primary one."""
    tasks = [] if kept.record is None else kept.record["tasks"]
    if not tasks:
        raise ValueError(f"{kept.path} holds an encoder and no head: nothing was fine-tuned; name a run with tasks")
    names = list(dict.fromkeys(entry["task"] for entry in tasks))
    if task is None and head is None:
        return next((entry for entry in tasks if entry["primary"]), tasks[0])
    if task is not None and task not in names:
        raise ValueError(f"the run has no task {task!r}{did_you_mean(task, names)}; it has: {', '.join(names)}")
    if task is None:
        task = next((entry for entry in tasks if entry["primary"]), tasks[0])["task"]
    fitting = [entry for entry in tasks if entry["task"] == task]
    if head is not None:
        fitting = [entry for entry in fitting if head in (entry["head"], _name(entry))]
    primary = [entry for entry in fitting if entry["primary"]]
    if len(primary or fitting) == 1:
        return (primary or fitting)[0]
    there = ", ".join(f"{entry['head']} ({_name(entry)})" for entry in tasks if entry["task"] == task)
    what = "has several heads" if fitting else f"has no head {head!r}"
    raise ValueError(f"task {task!r} {what}; choose one by --head: {there}")


def _name(entry: dict[str, Any]) -> str:
    """Name of a fine-tuning's files, without their ending."""
    file = (entry.get("trained_head") or entry.get("predictions") or {}).get("file")
    return f"{entry['task'][:80]}-{entry['head']}-{entry.get('settings')}" if file is None else Path(file).stem


def _kept_head(kept: KeptEncoder, entry: dict[str, Any]) -> dict[str, str]:
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


def _encoder(kept: KeptEncoder, entry: dict[str, Any], in_channels: int | None) -> Encoder:
    """The encoder that a head reads: the pre-trained one, or that which was fine-tuned with it."""
    if entry["head"] != FULL:
        return load_encoder(kept.path, in_channels)
    model = entry.get("model")
    if model and (kept.path / MODELS / model["file"]).is_file():
        return encoder_of(kept, kept.path / MODELS / model["file"], model["sha256"], in_channels, ())
    what = f"{kept.path} keeps no encoder that was fine-tuned on {entry['task']!r}"
    way = "run the experiment again with save_models=all, which makes what is missing"
    if model and (others := sorted(kept.path.absolute().parent.glob(f"seed-*/{MODELS}/{model['file']}"))):
        raise ValueError(f"{what}: validation prefers another seed; predict from {others[0].parents[1]}, or {way}")
    raise ValueError(f"{what}; {way}")
