"""What may be given as samples, graphs, tasks and ids of a data set."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import torch
from torch import Tensor

from sigraph.data.card import Card, CardGraph, CardSamples, CardTask
from sigraph.data.graph import PretrainGraph
from sigraph.data.task import Task
from sigraph.data.tokens import TokenColumn, has_tokens, with_vocabulary

if TYPE_CHECKING:
    from sigraph.data.dataset import SampleDataset

CHUNK = 1 << 24  # numbers checked at a time: 64 MB of float32
P = TypeVar("P", PretrainGraph, Task)


def checked_samples(samples: Any) -> Tensor | pa.Table:
    """Feature rows as a float32 tensor [N, F], or records; those of token sequences say how large the vocabulary is."""
    if isinstance(samples, pa.Table):
        return with_vocabulary(samples) if has_tokens(samples) else samples
    if not isinstance(samples, Tensor):
        raise ValueError(
            f"'samples' needs a float tensor [N, F], a pyarrow Table or a path in 'SampleDataset' (got {type(samples)})"
        )
    if samples.dim() != 2 or samples.size(1) == 0:
        raise ValueError(f"'samples' needs shape [N, F], F > 0, in 'SampleDataset' (got {list(samples.shape)})")
    if not samples.is_floating_point():
        raise ValueError(f"'samples' needs floats in 'SampleDataset' (got {samples.dtype}); use samples.float()")
    return samples.detach().float()


def check_finite(samples: Tensor) -> None:
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
            f"'samples' needs finite features in 'SampleDataset' (got NaN or infinite ones in {num_bad} rows; "
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
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise ValueError(f"{kind} {name!r} needs a name of letters, digits, '.', '_' and '-'")
        if not isinstance(part, expected):
            raise ValueError(
                f"{kind} {name!r} needs to be a {expected.__name__} in 'SampleDataset' (got a {type(part).__name__})"
            )
    return dict(parts)


def checked_ids(ids: Any) -> pa.Array | None:
    """What the user calls each sample, as an array of integers or text."""
    if ids is None or isinstance(ids, pa.Array):
        return ids
    if isinstance(ids, pa.ChunkedArray):
        return ids.combine_chunks()
    return pa.array(ids.tolist() if isinstance(ids, Tensor) else ids)


def checked_node(node: Any, num_samples: int, name: str = "node") -> Tensor:
    """Sample ids as a tensor, int64 [B]."""
    node = torch.as_tensor(node)
    if node.dim() != 1 or node.is_floating_point() or node.dtype == torch.bool:
        raise ValueError(f"{name!r} needs a 1-D tensor of integer sample ids (got {node.dtype} {list(node.shape)})")
    if node.numel():
        low, high = (int(v) for v in node.aminmax())
        if low < 0 or high >= num_samples:
            raise ValueError(f"{name!r} needs sample ids in [0, {num_samples}) (got [{low}, {high}])")
    return node.long()


def checked_names(names: Sequence[str] | None, width: int | None) -> list[str] | None:
    """Names of features, as many as a row has, each once."""
    if names is None:
        return None
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
