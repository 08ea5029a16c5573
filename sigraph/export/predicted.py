"""predict: what a run's fine-tuned heads say of samples, pairs and parts, by class or in the unit of the labels."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from sigraph.config.trust import trusting
from sigraph.encoders import embed
from sigraph.export.asked_pairs import AskedPairs, asked_pairs
from sigraph.export.chosen_run import chosen_run
from sigraph.export.heads import PAIRS, PART, Head
from sigraph.export.own_samples import own_samples
from sigraph.export.part_predictions import predict_parts
from sigraph.export.samples import ReadSamples, check_features, read_samples
from sigraph.export.trained_heads import TrainedHead, trained_head

KNOWN = "known"
_SHOWN = 3
_AT_ONCE = 1 << 16  # pairs


@dataclass(frozen=True)
class Predicted:
    """Predictions by a head: a row a sample, a pair or a part.

    Args:
        head: What predicted: task, kind, names of classes.
        ids: Of the samples; None: sample i is row i, or the rows are no samples.
        number: Of a classification, the class of each row, -1 where nothing is predicted. Shape [N]; None: others.
        value: Probabilities of classes [N, C] or of a 1 in each label column [N, L], which of nearest neighbours are
            shares of votes; or numbers in the unit of the labels [N]; NaN where nothing is predicted. float64.
        note: What is worth saying of the samples: what of them is not known, counted.
        rows: What each row is of, by column: ``id_0`` and ``id_1`` of a pair, ``id`` and ``position`` of a part, which
            counts from 0; empty: of the sample of ``ids``.
        known: Share of what the run knows of a row's words, letters or cells (of the less known sample of a pair): what
            is predicted from 0 is from nothing. Shape [N]; None: the run's reader cannot tell.
    """

    head: Head
    ids: pa.Array | None
    number: Tensor | None
    value: Tensor
    note: str = ""
    rows: Mapping[str, pa.Array] = field(default_factory=dict)
    known: Tensor | None = None

    @property
    def names(self) -> list[str]:
        """What the classes or label columns are called, their numbers where they have no names."""
        width = self.value.size(1) if self.value.dim() == 2 else 0
        return [str(name) for name in (self.head.classes or range(width))[:width]]

    def to_table(self) -> pa.Table:
        """A row a sample, a pair or a part.

        ``id`` (``id_0``, ``id_1``; ``id``, ``position``); ``predicted``, the class by name or the number; ``p_<name>``,
        probabilities; ``known``. What could not be read has nothing predicted: null.
        """
        ids = np.arange(len(self.value)) if self.ids is None else self.ids
        columns: dict[str, Any] = dict(self.rows) or {"id": ids}
        empty = self.value.isnan().view(len(self.value), -1).any(dim=1).numpy()
        if self.number is not None:
            called = self.head.classes or list(range(self.value.size(1)))
            listed = zip(self.number.tolist(), empty.tolist(), strict=True)
            columns["predicted"] = pa.array([None if nothing else called[number] for number, nothing in listed])
        if self.value.dim() == 1:
            columns["predicted"] = pa.array(self.value.numpy(), mask=empty)
        columns |= {f"p_{name}": pa.array(self.value[:, i].numpy(), mask=empty) for i, name in enumerate(self.names)}
        if self.known is not None:
            columns[KNOWN] = self.known.numpy()
        return pa.table(columns)


def predict(
    folder: str | os.PathLike[str],
    samples: Any = None,
    task: str | None = None,
    head: str | None = None,
    trust: Iterable[str] = (),
    pairs: Any = None,
) -> Predicted:
    """Predictions of samples, of pairs of them or of their parts, by a head that a run trained.

    Args:
        folder: The run's folder; or one above it, of one experiment: then it is the run that validation prefers of the
            first arm whose name begins with ``sipt``, as ``note`` says.
        samples: A file, a data set, a table, a list of texts, or feature rows: as in
            :func:`~sigraph.export.samples.read_samples`; None: those of the run. The run's reader reads them; words,
            letters and categories that it does not know are the unknown one, and samples that it cannot read have empty
            predictions; both are counted in ``note``.
        task: Name of the task; None: the run's primary one.
        head: ``linear``, ``full`` or ``knn``, where a task has several, or the name of its file in ``heads/``.
        trust: As in :func:`~sigraph.load_encoder`.
        pairs: Of a task of pairs, which: a file or a table with two columns of ids, or a list of pairs; of samples or,
            what is none of them, of those of the run.

    Raises:
        FileNotFoundError, NotADirectoryError, ConfigError: As in :func:`~sigraph.load_encoder`.
        ValueError: There is no such task or head; the head, or the encoder that was fine-tuned with it, is not kept
            (says how it is made); the head predicts nothing by itself; or samples or pairs do not fit.

    Example:
        >>> found = sigraph.predict("runs/mine", "new.csv", task="topic")
        >>> found.to_table().to_pandas()
    """
    with trusting(trust):
        run = chosen_run(folder, task, head)
        trained = trained_head(run.path, task, head)
        check_pairs(trained.head, pairs is not None)
        read = own_samples(run.path) if samples is None else read_samples(run.path, samples)
        return predict_by(trained, read, samples, pairs, run.note)


def check_pairs(head: Head, are_given: bool) -> None:
    """Refuse a task of pairs without pairs, and pairs for another task."""
    if (head.item in PAIRS) == are_given:
        return
    if are_given:
        raise ValueError(f"task {head.task!r} has a label a {head.item}, and no pairs are asked for: leave out --pairs")
    raise ValueError(f"task {head.task!r} has a label a pair: say which pairs, --pairs FILE with two columns of ids")


def predict_by(
    trained: TrainedHead, samples: ReadSamples, given: Any = None, pairs: Any = None, note: str = ""
) -> Predicted:
    """:func:`predict` of samples that were read.

    Args:
        trained: The head, from :func:`~sigraph.export.trained_heads.trained_head`.
        samples: From :func:`~sigraph.export.samples.read_samples`.
        given: What the samples were asked for by, for messages; None: they are the run's own.
        pairs: As of :func:`predict`.
        note: Which run it is.
    """
    head, path = trained.head, trained.kept.path
    encoder = trained.encoder(samples.dataset.in_channels)
    check_features(path, encoder, samples.dataset, samples.note, given)
    rows: Mapping[str, pa.Array] = {}
    notes = [note]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        if head.item in PAIRS:
            asked = asked_pairs(pairs, samples, None if given is None else path)
            z = [embed(encoder, one.dataset, node) for one, node in asked.embedded]
            number, value = _of_pairs(head, torch.cat(z), asked)
            rows, share = asked.rows, _known_of_pairs(asked)
            notes += [asked.note, _nothing_known("pairs", share, asked.is_there, list(rows.values()))]
        else:
            share, ids = _known(samples), samples.ids
            notes.append(_nothing_known("samples", share, samples.is_read, [] if ids is None else [ids]))
            if head.item == PART:
                rows, number, value, place = predict_parts(head, encoder, samples)
                share = None if share is None else share[place]
            else:
                number, value = head.predict(embed(encoder, samples.dataset))
                number = None if number is None else samples.spread(number, -1)
                value = samples.spread(value, float("nan"))
    notes += [*(str(warning.message) for warning in said), trained.note]
    note = samples.note + "".join(f" ({one})" for one in notes if one)
    return Predicted(head, None if rows else samples.ids, number, value, note.strip(), rows, share)


def _known(samples: ReadSamples) -> Tensor | None:
    """How much the run knows of each sample that was given; None: its reader cannot tell. Shape [N]"""
    reader, records = samples.dataset.reader, samples.dataset.records
    found = None if reader is None or records is None else reader.known(records)
    return None if found is None else samples.spread(torch.from_numpy(np.asarray(found, np.float64)), 0.0)


def _nothing_known(what: str, share: Tensor | None, is_there: Tensor, ids: list[pa.Array]) -> str:
    """How many samples (pairs) were read and hold nothing that the run knows, and the first of them."""
    places = [] if share is None else ((share == 0) & is_there).nonzero().view(-1).tolist()
    if not places:
        return ""
    first = [", ".join(repr(one[i].as_py()) for one in ids) or f"row {i + 1}" for i in places[:_SHOWN]]
    return (
        f"{len(places):,} of {len(is_there):,} {what} hold nothing that the run knows, so that predictions say nothing "
        f"of them, and {KNOWN!r} is 0: {'; '.join(first)}{'; ...' if len(places) > _SHOWN else ''}"
    )


def _known_of_pairs(asked: AskedPairs) -> Tensor | None:
    """Of each pair, of the sample that is known less; 0 where one is not there."""
    shares = []
    for samples, node in asked.embedded:
        share = _known(samples)
        if share is None:
            return None
        shares.append((share if samples.row is None else share[samples.row])[node])
    known = torch.cat(shares)
    found = torch.zeros(asked.place.size(1), dtype=torch.float64)
    there = asked.is_there
    found[there] = known[asked.place[:, there]].amin(dim=0)
    return found


def _of_pairs(head: Head, z: Tensor, asked: AskedPairs) -> tuple[Tensor | None, Tensor]:
    """A prediction for each pair; nothing where one of its samples is not there."""
    there = asked.is_there.nonzero().view(-1)
    found = [head.predict(z[asked.place[:, part].T]) for part in there.split(_AT_ONCE)]
    value = torch.cat([value for _, value in found])
    spread = value.new_full((asked.place.size(1), *value.shape[1:]), float("nan"))
    spread[there] = value
    if found[0][0] is None:
        return None, spread
    number = torch.full((asked.place.size(1),), -1)
    number[there] = torch.cat([number for number, _ in found if number is not None])
    return number, spread
