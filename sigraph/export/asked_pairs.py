"""Pairs that predictions are asked for: a file or a table of ids, of given samples or of the run's own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from sigraph.export.load import load_reader, pretrained_on
from sigraph.export.own_samples import own_dataset
from sigraph.export.samples import ReadSamples, read_by
from sigraph.files.arguments import is_frame, said
from sigraph.tables.edge_file import read_edges
from sigraph.tables.ids import IdColumn, IdIndex, read_ids

_SHOWN = 3


class AskedPairs(NamedTuple):
    """Pairs of samples that are to be embedded.

    Args:
        rows: The ids as they were given: ``id_0``, ``id_1``.
        embedded: Samples, and which of them (of ``dataset``) to embed; all of these stand one behind the other.
        place: Where among these the samples of each pair are, -1: one is not there, or cannot be read. Shape [2, P]
        note: What is worth saying of the pairs.
    """

    rows: Mapping[str, pa.Array]
    embedded: list[tuple[ReadSamples, Tensor]]
    place: Tensor
    note: str

    @property
    def is_there(self) -> Tensor:
        """Which pairs have both samples. Shape [P] bool."""
        return (self.place >= 0).all(dim=0)


def asked_pairs(pairs: Any, samples: ReadSamples, run: str | os.PathLike[str] | None) -> AskedPairs:
    """Read pairs, and find their samples.

    Args:
        pairs: A file or a table with two columns of ids (``source`` and ``target`` or the like, else the first two), or
            a list of pairs.
        samples: Whose ids they are.
        run: Whose own samples are looked at for ids that are none of ``samples``; None: these are its own.

    Raises:
        ValueError: There are no pairs, ids are missing, or no pair has two samples.
    """
    own, why = None, ""
    if run is not None:
        try:
            own = own_dataset(run, pretrained_on(run))
        except (ValueError, OSError) as error:
            why = f", and the run's own samples are not there to look at ({error})"
    known = [_text_ids(samples.ids, samples.num_given), *([] if own is None else [_text_ids(own.ids, len(own))])]
    name, ids = _ids(pairs, pc.unique(pa.concat_arrays(known)))
    text = pa.concat_arrays([one.cast(pa.large_string()) for one in ids])
    found, count = _places(samples, text), len(ids[0])
    sources = [(samples, found)]
    if run is not None and own is not None and bool((found == _UNKNOWN).any()):
        read = read_by(load_reader(run), own, pretrained_on(run))
        sources.append((read, torch.where(found == _UNKNOWN, _places(read, text), _UNKNOWN)))
    place, embedded, start = torch.full((len(text),), -1), [], 0
    for source, where in sources:
        node, back = where[where >= 0].unique(return_inverse=True)
        place[where >= 0] = back + start
        start += len(node)
        if len(node):
            embedded.append((source, node))
    unknown = torch.stack([where < 0 for _, where in sources]).all(dim=0)
    no_sample = torch.stack([where == _UNKNOWN for _, where in sources]).all(dim=0)
    note = _said(text, unknown, no_sample, why)
    asked = AskedPairs({f"id_{i}": one for i, one in enumerate(ids)}, embedded, place.view(2, count), note)
    if not bool(asked.is_there.any()):
        raise ValueError(f"{name}: no pair has two samples that can be read: {note or 'it holds no pair'}")
    return asked


_UNKNOWN, _UNREAD = -1, -2  # no sample has the id; the sample cannot be read


def _ids(pairs: Any, known: pa.Array) -> tuple[str, list[pa.Array]]:
    """What pairs are called in messages, and both columns of ids; by ``known`` ones a missing header is noticed."""
    if is_frame(pairs) and hasattr(pairs, "to_dict") and not isinstance(pairs, pa.Table):
        pairs = pa.Table.from_pandas(pairs, preserve_index=False)
    if not isinstance(pairs, str | Path | os.PathLike | pa.Table):
        listed = pairs.tolist() if hasattr(pairs, "tolist") else pairs
        fits = isinstance(listed, Sequence) and all(isinstance(one, list | tuple) and len(one) == 2 for one in listed)
        if not fits or not listed:
            raise ValueError(
                f"'pairs' needs a file or a table with two columns of ids, or a list of pairs (got {said(pairs)})"
            )
        pairs = pa.table({f"id_{i}": [one[i] for one in listed] for i in (0, 1)})
    source = Path(pairs) if isinstance(pairs, os.PathLike) else pairs
    name = "'pairs'" if isinstance(source, pa.Table) else str(source)
    file, columns = read_edges(source, name=name, index=IdIndex(IdColumn("samples", known, False, True)))
    return name, [read_ids(file, column).ids for column in columns]


def _text_ids(ids: pa.Array | None, count: int) -> pa.Array:
    """What samples are called, as text; by their numbers where they have no ids."""
    return (pa.array(np.arange(count)) if ids is None else ids).cast(pa.large_string())


def _places(samples: ReadSamples, text: pa.Array) -> Tensor:
    """Where in ``dataset`` the sample of each id is; -1 of no sample, -2 of one that could not be read. Shape [R]"""
    found = pc.fill_null(pc.index_in(text, value_set=_text_ids(samples.ids, samples.num_given)), _UNKNOWN)
    place = torch.from_numpy(found.to_numpy(zero_copy_only=False).astype(np.int64))
    if samples.row is None:
        return place
    of_given = samples.spread(torch.arange(len(samples.dataset)), _UNREAD)
    return torch.where(place >= 0, of_given[place], place)


def _said(text: pa.Array, unknown: Tensor, no_sample: Tensor, why: str) -> str:
    """How many pairs have nothing predicted, and why."""
    count = int(unknown.view(2, -1).any(dim=0).sum())
    if not count:
        return ""
    ids = pc.unique(text.filter(pa.array(no_sample.numpy())))
    first = ", ".join(map(repr, ids[:_SHOWN].to_pylist())) + (", ..." if len(ids) > _SHOWN else "")
    which = f"{len(ids):,} ids are no sample's ({first}){why}" if len(ids) else "samples cannot be read"
    return f"{count:,} pairs are left empty: {which}"
