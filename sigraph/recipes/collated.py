"""Graphs as PyG's in-memory data sets lie on disk: one file of all of them in a row, of any version, read safely."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sigraph.files.paths import user_path
from sigraph.samples import Graphs

# Classes by which PyG's files name what holds the arrays; none of them is imported, an inert stand-in is filled.
_HOLDERS = (
    "torch_geometric.data.data.Data",
    "torch_geometric.data.data.DataEdgeAttr",
    "torch_geometric.data.data.DataTensorAttr",
    "torch_geometric.data.storage.GlobalStorage",
)
_ROWS = {"x": "x", "edge_index": "edge_index", "edge_attr": "edge_attr"}


class Collated(NamedTuple):
    """What a file holds.

    Args:
        samples: Its graphs.
        others: What else each graph has, such as ``y``: a row a graph. Shape [N, ...]; what differs in size from graph
            to graph is left out.
    """

    samples: Graphs
    others: dict[str, Tensor]


class _Holder:
    """Takes the attributes of an object of a file, and does nothing with them."""


@contextlib.contextmanager
def _nothing_but(allowed: list[Any]) -> Iterator[None]:
    """In this block torch makes no other classes: neither those that libraries have allowed, as PyG its own."""
    before = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        with torch.serialization.safe_globals(allowed):
            yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)


def _mapping(*_: Any) -> dict:
    """For a defaultdict, whatever it makes."""
    return {}


def read_collated(path: str | Path) -> Collated:
    """Graphs from the file that PyG's ``InMemoryDataset`` writes, ``processed/*.pt``.

    The published data of Hu et al. 2020 (chemistry and biology, PyG 1) are such files, and so is what today's PyG
    writes. Nothing in them is executed: arrays, dictionaries and lists are read, and no class but an inert one is made.

    Args:
        path: The file: of (data, slices), PyG 1 and 2, or (dictionary, slices, class), PyG from 2.4 on.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds something else, or what would have to be executed; or graphs that are none.

    Source: Hu et al., "Strategies for pre-training graph neural networks", ICLR 2020, for the data.
    """
    file = user_path(path)
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file")
    allowed: list[Any] = [(_Holder, name) for name in _HOLDERS]
    allowed += [(_mapping, "collections.defaultdict"), (dict, "builtins.dict")]
    try:
        with _nothing_but(allowed):
            found = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever torch says of a file that is none, or that asks for more
        reason = " ".join(str(error).rpartition("WeightsUnpickler error:")[2].strip().partition("\n")[0].split()[:20])
        raise ValueError(f"{file} is no file of PyG's that can be read without executing it ({reason})") from error
    held, slices = _parts(found, file)
    count = _numbers(held, slices, file)
    missing = [name for name in ("x", "edge_index") if name not in held or name not in slices]
    if missing:
        raise ValueError(f"{file} needs graphs with x and edge_index (lacks {', '.join(missing)})")
    x, ends = _columns(held["x"]), held["edge_index"]
    edge_attr = _columns(held["edge_attr"]) if "edge_attr" in held and "edge_attr" in slices else None
    node_ptr, edge_ptr = count["x"], count["edge_index"]
    whole = {"x": (len(x), node_ptr), "edge_index": (ends.size(-1), edge_ptr)}
    if edge_attr is not None:
        whole["edge_attr"] = (len(edge_attr), count["edge_attr"])
    for name, (size, pointer) in whole.items():
        if int(pointer[0]) != 0 or int(pointer[-1]) != size or bool((pointer.diff() < 0).any()):
            raise ValueError(f"{file}: slices of {name!r} do not fit its {size:,} rows")
    if (
        ends.dim() != 2
        or ends.size(0) != 2
        or (edge_attr is not None and not torch.equal(count["edge_attr"], edge_ptr))
    ):
        raise ValueError(f"{file}: edge_index needs shape [2, E] and edge_attr a row an edge (got {list(ends.shape)})")
    samples = Graphs(
        _narrow(x), ends.t().contiguous(), node_ptr, edge_ptr, None if edge_attr is None else _narrow(edge_attr)
    )
    samples.check("read_collated")
    others = {
        name: _by_graph(value, count[name]) for name, value in held.items() if name in count and name not in _ROWS
    }
    return Collated(samples, {name: rows for name, rows in others.items() if rows is not None})


def signed_labels(y: Tensor) -> Tensor:
    """Labels as Hu et al.'s files have them, 1, -1 and 0 for missing, as tasks take them: 1, 0 and NaN.

    Raises:
        ValueError: There is another value.
    """
    if not bool(torch.isin(y, torch.tensor([-1, 0, 1], dtype=y.dtype)).all()):
        raise ValueError(f"'y' needs -1, 0 and 1 alone in 'signed_labels' (got {y.unique()[:5].tolist()})")
    return torch.where(y == 0, float("nan"), (y > 0).float())


def _parts(found: Any, file: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The arrays, and where each graph's part of them begins."""
    held, slices = found[:2] if isinstance(found, tuple) and len(found) >= 2 else (None, None)
    if isinstance(held, _Holder):
        held = vars(held)
        if isinstance(store := held.get("_store"), _Holder):  # PyG 2
            held = vars(store).get("_mapping")
    if not isinstance(held, Mapping) or not isinstance(slices, Mapping):
        raise ValueError(f"{file} needs the arrays and slices of an InMemoryDataset (got {type(found).__name__})")
    return {name: value for name, value in held.items() if isinstance(value, Tensor)}, dict(slices)


def _numbers(held: Mapping[str, Tensor], slices: Mapping[str, Any], file: Path) -> dict[str, Tensor]:
    """Where each graph's rows begin, and their end, by attribute. [N + 1] each"""
    count = {}
    for name in held.keys() & slices.keys():
        try:
            count[name] = torch.as_tensor(slices[name]).long().view(-1)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"{file}: slices of {name!r} are no numbers") from error
    if len({len(pointer) for pointer in count.values()}) > 1:
        raise ValueError(f"{file}: slices speak of different numbers of graphs")
    return count


def _columns(values: Tensor) -> Tensor:
    return values[:, None] if values.dim() == 1 else values


def _narrow(values: Tensor) -> Tensor:
    return values.float() if values.is_floating_point() else values


def _by_graph(values: Tensor, pointer: Tensor) -> Tensor | None:
    """A row a graph. [N, k, ...], or [N, ...] where k is 1; None where graphs have different numbers."""
    size = pointer.diff()
    if not len(size) or not values.dim() or bool((size != size[0]).any()) or int(pointer[-1]) != len(values):
        return None
    rows = values.view(len(size), int(size[0]), *values.shape[1:])
    return rows[:, 0] if rows.size(1) == 1 else rows
