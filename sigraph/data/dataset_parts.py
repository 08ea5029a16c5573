"""What may be given as samples, graphs, tasks and ids of a data set."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from scipy.sparse import issparse
from torch import Tensor

from sigraph.data.card import Card, CardGraph, CardSamples, CardTask
from sigraph.data.foreign import is_frame, said, way_from
from sigraph.data.graph import PretrainGraph
from sigraph.files.arguments import as_tensor
from sigraph.files.columns import is_text
from sigraph.files.precision import LARGEST, lost_in_float32, say_lost
from sigraph.samples.tokens import TokenColumn, has_tokens, with_vocabulary
from sigraph.tasks.task import Task

if TYPE_CHECKING:
    from sigraph.data.dataset import SampleDataset

CHUNK = 1 << 24  # numbers checked at a time: 64 MB of float32
P = TypeVar("P", PretrainGraph, Task)


def checked_samples(samples: Any, owner: str = "SampleDataset") -> Tensor | pa.Table:
    """Feature rows as a float32 tensor [N, F], or records; those of token sequences say how large the vocabulary is."""
    if isinstance(samples, pa.Table):
        return with_vocabulary(samples) if has_tokens(samples) else samples
    if not isinstance(samples, Tensor):
        raise ValueError(
            f"'samples' needs a float tensor [N, F], a pyarrow Table or a path in {owner!r} (got {type(samples)})"
            f"{_way_of_samples(samples)}"
        )
    if samples.dim() != 2 or samples.size(1) == 0 or samples.layout != torch.strided:
        sparse = "" if samples.layout == torch.strided else ", sparse; use samples.to_dense()"
        raise ValueError(f"'samples' needs shape [N, F], F > 0, in {owner!r} (got {list(samples.shape)}{sparse})")
    if not samples.is_floating_point():
        way = "" if samples.is_complex() else f"; use samples.{'double' if lost_in_float32(samples) else 'float'}()"
        raise ValueError(f"'samples' needs floats in {owner!r} (got {samples.dtype}){way}")
    say_lost("samples", owner, samples, stacklevel=5)
    rows = samples.detach().float()
    if samples.dtype == torch.float64 and bool((rows.isinf() & samples.isfinite()).any()):
        raise ValueError(
            f"'samples' needs features of at most {LARGEST:.4g}, float32, in {owner!r} (got "
            f"{float(samples[rows.isinf() & samples.isfinite()][0])})"
        )
    return rows


def _way_of_samples(samples: Any) -> str:
    if is_frame(samples):
        return (
            "; of a table: torch.tensor(frame.to_numpy()), with ids=frame.index and feature_names=frame.columns; rows "
            "are taken in their order, whatever the index of graphs and labels is"
        )
    if isinstance(samples, np.ndarray | list | tuple):
        return "; use torch.tensor(samples)"
    return "; use torch.tensor(samples.toarray())" if issparse(samples) else ""


def check_finite(samples: Tensor, owner: str = "SampleDataset") -> None:
    """Refuse NaN and infinite features, naming the first rows; reads a piece at a time."""
    rows = max(1, CHUNK // samples.size(1))
    bad: list[int] = []
    num_bad = 0
    for start in range(0, samples.size(0), rows):
        wrong = (~torch.isfinite(samples[start : start + rows])).any(dim=1).nonzero().view(-1)
        num_bad += wrong.numel()
        bad += (wrong[: 5 - len(bad)] + start).tolist()
    if num_bad:
        raise ValueError(
            f"'samples' needs finite features in {owner!r} (got NaN or infinite ones in {num_bad} rows; "
            f"first: {', '.join(map(str, bad))})"
        )


def describe_samples(samples: Tensor | pa.Table) -> str:
    """What the samples are, in words."""
    if isinstance(samples, Tensor):
        return f"rows of {samples.size(1)} features"
    if has_tokens(samples):
        return f"token sequences over a vocabulary of {TokenColumn(samples).num_tokens}"
    columns = [repr(name) for name in samples.column_names]
    return f"records with the columns {', '.join(columns[:5])}{', ...' if len(columns) > 5 else ''}"


def samples_of(dataset: SampleDataset) -> str:
    """The samples of a data set for a message, by its name if it has one."""
    return f"the samples of data set {dataset.name!r}" if dataset.name else "the samples"


def named_parts(kind: str, parts: Any, expected: type[P]) -> dict[str, P]:
    """Graphs or tasks by name, copied.

    Args:
        kind: ``graph`` or ``task``, for messages.
        parts: What was given; None: nothing.
        expected: What each needs to be.
    """
    if parts is None:
        return {}
    if not isinstance(parts, Mapping):
        raise ValueError(
            f"'{kind}s' needs a mapping of names to {kind}s in 'SampleDataset' (got a {type(parts).__name__}); "
            f'give {{"name": {kind}}}'
        )
    for name, part in parts.items():
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,239}", name):
            raise ValueError(f"{kind} {name!r:.60} needs a name of letters, digits, '.', '_' and '-', at most 240")
        if not isinstance(part, expected):
            way = way_from(part) if kind == "graph" else ""
            raise ValueError(
                f"{kind} {name!r} needs to be a {expected.__name__} in 'SampleDataset' (got a {type(part).__name__})"
                f"{way and ': ' + way}"
            )
    return dict(parts)


def checked_ids(ids: Any, owner: str = "SampleDataset") -> pa.Array | None:
    """What the user calls each sample, as an array of integers or text."""
    if ids is None:
        return None
    what = f"'ids' needs integers or text, one a sample, in a list or an array, in {owner!r} (got {said(ids)}"
    if isinstance(ids, str | bytes | Mapping | Set) or not isinstance(ids, Iterable):
        raise ValueError(f"{what})")
    try:
        ids = ids.tolist() if isinstance(ids, Tensor) else ids
        out = ids if isinstance(ids, pa.Array | pa.ChunkedArray) else pa.array(ids, from_pandas=True)
    except (
        pa.ArrowInvalid,
        pa.ArrowTypeError,
        pa.ArrowNotImplementedError,
        TypeError,
        ValueError,
        RuntimeError,
        KeyError,
    ) as error:
        raise ValueError(f"{what}: {str(error).partition(chr(10))[0]})") from error
    out = out.combine_chunks() if isinstance(out, pa.ChunkedArray) else out
    out = out.dictionary_decode() if isinstance(out, pa.DictionaryArray) else out
    if not pa.types.is_integer(out.type) and not is_text(out.type) and not pa.types.is_null(out.type):
        way = "; numbers such as 1.0 are written as integers, or as text" if pa.types.is_floating(out.type) else ""
        raise ValueError(f"{what} of {out.type}{way})")
    return out


def refuse_ambiguous_ids(ids: pa.Array) -> None:
    """Refuse ids by which a sample cannot be found again."""
    if ids.null_count:
        rows = np.flatnonzero(ids.is_null().to_numpy(zero_copy_only=False))
        first = ", ".join(map(str, rows[:5]))
        raise ValueError(f"'ids' needs an id for every sample in 'SampleDataset' ({rows.size:,} are missing: {first})")
    counts = pc.value_counts(ids)
    twice = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    if len(twice):
        first = ", ".join(f"{value!r:.60}" for value in twice[:5].to_pylist())
        raise ValueError(
            f"'ids' needs each id once in 'SampleDataset' ({len(twice):,} occur more than once: {first}); keep one row "
            "each"
        )


def checked_node(node: Any, num_samples: int, name: str = "node") -> Tensor:
    """Sample ids as a tensor, int64 [B]."""
    try:
        node = as_tensor(node)
    except ValueError as error:
        raise ValueError(f"{name!r} needs integer sample ids (got {said(node)}: {error})") from error
    node = node.long() if isinstance(node, Tensor) and node.shape == (0,) else node  # an empty list is of floats
    if node.dim() != 1 or node.is_floating_point() or node.is_complex() or node.dtype == torch.bool:
        way = f"; of a mask: {name}.nonzero().view(-1)" if node.dtype == torch.bool else ""
        raise ValueError(
            f"{name!r} needs a 1-D tensor of integer sample ids (got {node.dtype} {list(node.shape)}){way}"
        )
    if node.numel():
        low, high = (int(v) for v in node.aminmax())
        if low < 0 or high >= num_samples:
            raise ValueError(f"{name!r} needs sample ids in [0, {num_samples}) (got [{low}, {high}])")
    return node.long()


def checked_names(names: Sequence[str] | None, width: int | None) -> list[str] | None:
    """Names of features, as many as a row has, each once."""
    if names is None:
        return None
    if isinstance(names, str | bytes | Mapping | Set) or not isinstance(names, Iterable):
        raise ValueError(f"'feature_names' needs a list of names in 'SampleDataset' (got {said(names)})")
    found = [str(name) for name in names]
    if len(found) != width or len(set(found)) != len(found):
        got = f"{len(found)} names, {len(set(found))} of them different"
        raise ValueError(
            f"'feature_names' needs a name for each of {width or 0} features in 'SampleDataset' (got {got})"
        )
    return found


def card_to_write(dataset: SampleDataset, name: str) -> Card:
    """The card of a prepared folder: the data set's own, or one of what is there; with what was measured."""
    measured = dataset.measure()
    card = dataset.card or Card(
        dataset.name or name,
        samples=CardSamples(**measured["samples"]),
        graphs={key: CardGraph(num_edges=value["num_edges"]) for key, value in measured["graphs"].items()},
        tasks={
            key: CardTask(**{k: v for k, v in value.items() if k != "num_labelled"}, about=dataset.tasks[key].about)
            for key, value in measured["tasks"].items()
        },
    )
    samples = replace(card.samples, columns=dataset.feature_names)
    return replace(card, samples=samples, measured={**(card.measured or {}), **measured})
