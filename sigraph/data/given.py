"""What may be given as the graphs, tasks, ids and feature names of a data set."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from numbers import Integral
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from torch import Tensor

from sigraph.data.foreign import way_from
from sigraph.data.sample_graph import SampleGraph
from sigraph.files.arguments import said, shown
from sigraph.files.columns import is_text
from sigraph.files.suggestions import did_you_mean


def named_items(kind: str, items: Any, expected: Any) -> dict[str, Any]:
    """Graphs or tasks by name, copied.

    Args:
        kind: ``graph`` or ``task``, for messages.
        items: What was given; None: nothing.
        expected: What each needs to be.
    """
    if items is None:
        return {}
    if not isinstance(items, Mapping):
        raise ValueError(
            f"'{kind}s' needs a mapping of names to {kind}s in 'SampleDataset' (got a {type(items).__name__}); "
            f'give {{"name": {kind}}}'
        )
    for name, item in items.items():
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,239}", name):
            raise ValueError(f"{kind} {name!r:.60} needs a name of letters, digits, '.', '_' and '-', at most 240")
        if not isinstance(item, expected):
            way = way_from(item) if kind == "graph" else ""
            called = getattr(expected, "kind_name", expected.__name__.removeprefix("Base"))
            raise ValueError(
                f"{kind} {name!r} needs to be a {called} in 'SampleDataset' (got a {type(item).__name__})"
                f"{way and ': ' + way}"
            )
    return dict(items)


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


def refuse_other_names(ids: pa.Array, graph: SampleGraph, name: str) -> None:
    """Refuse ids beside a graph whose nodes are called otherwise, or the same in another order.

    Args:
        ids: What the user calls each sample.
        graph: Node i is sample i; of :meth:`PretrainGraph.from_networkx` it knows what node i was called.
        name: The graph's, for messages.
    """
    names = graph.names_of_nodes
    if names is None or len(names) != len(ids):
        return
    called = ids.to_pylist()
    if isinstance(names, range):  # the nodes are sample numbers: ids may be anything but these in another order
        if not pa.types.is_integer(ids.type) or called == list(names) or sorted(called) != list(names):
            return
    elif any(not isinstance(node, str | Integral) for node in names) or list(map(str, called)) == list(map(str, names)):
        return
    row = next(i for i, (one, other) in enumerate(zip(called, names, strict=True)) if str(one) != str(other))
    order = "in another order" if {*map(str, called)} == {*map(str, names)} else "called otherwise"
    raise ValueError(
        f"'ids' needs node i of graph {name!r} to be sample i in 'SampleDataset' (the nodes are {order}: sample {row} "
        f"is {called[row]!r:.60}, node {row} {names[row]!r:.60}); from_networkx(..., nodes=ids) puts them in this "
        "order; where they are rightly called otherwise: graph.names_of_nodes = None"
    )


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


def chosen(kind: str, items: Mapping[str, Any], name: str | None, dataset: str) -> Any:
    """The graph or task of a name; without one the first."""
    if not items:
        way = "; make one with a constructor of sigraph.graphs, such as KNNGraph or LabelCliques" * (kind == "graph")
        raise ValueError(f"data set {dataset!r} has no {kind}{way}")
    if name is None:
        return items[next(iter(items))]
    if not isinstance(name, str) or name not in items:
        raise ValueError(
            f"unknown {kind} {shown(name)} of data set {dataset!r}{did_you_mean(str(name), items)}; there are: "
            f"{', '.join(items)}"
        )
    return items[name]
