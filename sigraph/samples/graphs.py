"""Graphs: samples that are graphs themselves, kept flat with pointers and fetched as a PyG batch."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from sigraph.edges.draw import expand
from sigraph.files.arguments import is_of, said
from sigraph.files.random import mixed
from sigraph.files.sums import HeldArray
from sigraph.samples.alike import Alike, hashed_rows, numbered
from sigraph.samples.base import Add, Files, Samples, feed_array, save_array

if TYPE_CHECKING:
    from torch_geometric.data import Batch

ROUNDS = 3  # of colour refinement, by which graphs are told apart whatever the numbering of their nodes
_KEPT = ("x", "edge_index", "edge_attr")


class Graphs(Samples):
    """Graphs with attributes of nodes and, if all have them, of edges; each lies in memory or on disk as rows of few
    large arrays.

    Args:
        x: Attributes of all nodes, one graph after the other; floats, or integers of any width that stand for
            categories and are fetched as int64. [V, F]
        edge_index: Ends of all edges, numbered within their graph. Integers [E, 2]
        node_ptr: Where each graph's nodes begin, and their end. int64 [N + 1]
        edge_ptr: Where its edges begin, and their end. int64 [N + 1]
        edge_attr: Attributes of all edges. [E, G]; None: there are none.

    Make them of PyG's by :meth:`of`, or give a list of ``Data`` as a data set's samples.

    Guide:
        given: list of PyG ``Data``, PyG data set
        an encoder is given: a PyG ``Batch``
    """

    kind, mark = "graphs", "samples.node_ptr.npy"
    names = ("x", "edge_index", "node_ptr", "edge_ptr", "edge_attr")

    def __init__(self, x: Any, edge_index: Any, node_ptr: Any, edge_ptr: Any, edge_attr: Any = None) -> None:
        self.x, self.edge_index, self.node_ptr, self.edge_ptr = map(_held, (x, edge_index, node_ptr, edge_ptr))
        self.edge_attr = None if edge_attr is None else _held(edge_attr)

    @classmethod
    def of(cls, graphs: Any, owner: str = "SampleDataset") -> Graphs:
        """Of a list of ``torch_geometric.data.Data``, or a PyG data set.

        Args:
            graphs: Each has ``x`` [V_i, F] and ``edge_index`` [2, E_i] (no edges: [2, 0]); all or none have
                ``edge_attr`` [E_i, G]. One-dimensional attributes are columns.
            owner: Who asks, for messages.

        Raises:
            ValueError: Something is no graph, has no nodes, or attributes of another width; an edge ends outside its
                graph. The message names the sample.
        """
        listed = [graphs[i] for i in range(len(graphs))]
        if not listed:
            raise ValueError(f"'samples' needs at least one graph in {owner!r} (got none)")
        parts = [_checked(graph, i, owner) for i, graph in enumerate(listed)]
        first = parts[0]
        for i, part in enumerate(parts):
            for name, own, needed in zip(_KEPT, part, first, strict=True):
                if (own is None) != (needed is None):
                    there, not_there = (0, i) if own is None else (i, 0)
                    raise ValueError(
                        f"'samples' needs {name!r} in all graphs or in none in {owner!r} (sample {there} has it, "
                        f"sample {not_there} has not)"
                    )
                if own is None or needed is None or name == "edge_index":
                    continue
                if own.shape[1:] != needed.shape[1:] or own.dtype != needed.dtype:
                    raise ValueError(
                        f"'samples' needs {name!r} of one width and type in {owner!r} (sample 0: {needed.dtype} "
                        f"{list(needed.shape)}, sample {i}: {own.dtype} {list(own.shape)})"
                    )
        if others := _other_attributes(listed):
            kept = "labels belong into a Task" if "y" in others else "put what an encoder is to see into x or edge_attr"
            warnings.warn(
                f"'samples' keeps x, edge_index and edge_attr of graphs in {owner!r} and leaves out "
                f"{', '.join(map(repr, others[:5]))}; {kept}",
                stacklevel=4,
            )
        x = torch.cat([part[0] for part in parts])
        edge_index = torch.cat([part[1].t() for part in parts])
        edge_attr = None if first[2] is None else torch.cat([part[2] for part in parts if part[2] is not None])
        node_ptr = _pointers([len(part[0]) for part in parts])
        edge_ptr = _pointers([part[1].size(1) for part in parts])
        out = cls(_narrow(x), edge_index, node_ptr, edge_ptr, None if edge_attr is None else _narrow(edge_attr))
        out.check(owner)
        return out

    @property
    def sizes(self) -> Mapping[str, int]:
        out = {"node_channels": self.x.raw.size(1)}
        return out if self.edge_attr is None else {**out, "edge_channels": self.edge_attr.raw.size(1)}

    def __len__(self) -> int:
        return len(self.node_ptr) - 1

    def _rows(self, pointer: HeldArray, node: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Which sample of ``node`` each row is of, the rows, and how many each has."""
        start = pointer.take(node)
        count = pointer.take(node + 1) - start
        return *expand(start, count), count

    def fetch(self, node: Tensor) -> Batch:
        """A PyG batch: ``x``, ``edge_index``, ``edge_attr``, ``batch`` (whose each node is) and ``ptr``."""
        from torch_geometric.data import Batch  # not before there are graphs to read

        owner, rows, size = self._rows(self.node_ptr, node)
        edge_owner, edges, _ = self._rows(self.edge_ptr, node)
        ptr = _pointers(size)
        ends = self.edge_index.take(edges) + ptr[edge_owner][:, None]
        edge_attr = None if self.edge_attr is None else _wide(self.edge_attr.take(edges))
        x = _wide(self.x.take(rows))
        out = Batch(x=x, edge_index=ends.t().contiguous(), edge_attr=edge_attr, batch=owner, ptr=ptr)
        out._num_graphs = len(node)
        return out

    def take(self, node: Tensor) -> Graphs:
        _, rows, size = self._rows(self.node_ptr, node)
        _, edges, num_edges = self._rows(self.edge_ptr, node)
        edge_attr = None if self.edge_attr is None else self.edge_attr.take(edges)
        ends = self.edge_index.take(edges)
        return Graphs(self.x.take(rows), ends, _pointers(size), _pointers(num_edges), edge_attr)

    def describe(self) -> str:
        edges = f" and {self.edge_attr.raw.size(1)} of edges" if self.edge_attr is not None else ""
        return f"graphs with {self.x.raw.size(1)} attributes of nodes{edges}"

    def cost(self) -> Tensor:
        """Nodes of each graph. [N]"""
        return self.node_ptr.whole().diff()

    def num_parts(self) -> Tensor:
        """Nodes of each graph. [N]"""
        return self.cost()

    def check(self, owner: str = "SampleDataset") -> None:
        """Refuse attributes that are not finite, graphs without nodes and edges that end outside their graph."""
        size, num_edges = self.node_ptr.whole().diff(), self.edge_ptr.whole().diff()
        if bool((size <= 0).any()):
            bad = (size <= 0).nonzero().view(-1)
            raise ValueError(
                f"'samples' needs graphs with nodes in {owner!r} ({bad.numel()} have none; first: sample "
                f"{int(bad[0])}); leave them out, or give them a node that says so"
            )
        ends = self.edge_index.whole()
        whose = torch.arange(len(self)).repeat_interleave(num_edges)
        wrong = ((ends < 0) | (ends >= size[whose][:, None])).any(dim=1).nonzero().view(-1)
        if wrong.numel():
            i = int(whose[wrong[0]])
            raise ValueError(
                f"'samples' needs edges between nodes of their graph in {owner!r} ({wrong.numel()} end elsewhere; "
                f"first: {ends[wrong[0]].tolist()} in sample {i}, which has {int(size[i])} nodes)"
            )
        for name, held, pointer in (("x", self.x, self.node_ptr), ("edge_attr", self.edge_attr, self.edge_ptr)):
            values = None if held is None else held.whole()
            if values is None or not values.is_floating_point():
                continue
            bad = (~torch.isfinite(values)).any(dim=1).nonzero().view(-1)
            if bad.numel():
                i = int(torch.searchsorted(pointer.whole(), bad[0], right=True)) - 1
                raise ValueError(
                    f"'samples' needs finite {name!r} in {owner!r} (got NaN or infinite values in {bad.numel()} rows; "
                    f"first: sample {i})"
                )

    def _arrays(self) -> dict[str, Tensor]:
        held = {name: getattr(self, name) for name in self.names}
        return {name: part.whole() for name, part in held.items() if part is not None}

    def feed(self, add: Add) -> None:
        add(b"graphs\n")
        for name, value in self._arrays().items():
            feed_array(add, name, value)

    def save(self, folder: Path) -> None:
        for name, value in self._arrays().items():
            save_array(folder, f"samples.{name}.npy", value)

    @classmethod
    def open(cls, files: Files) -> Graphs:
        found = {name: f"samples.{name}.npy" for name in cls.names}
        return cls(**{name: files.array(file) for name, file in found.items() if name != "edge_attr" or file in files})

    @classmethod
    def alike(cls, sets: Sequence[Any], ids: pa.Array | None, kinds: Mapping[str, str] | None) -> Alike:
        """Array by array; and ``isomorphic``: by colours that no numbering of the nodes changes, as Weisfeiler and
        Leman (1968) refine them, three rounds. Graphs that these colours do not tell apart are taken for the same.
        """
        exact, loose = (np.concatenate([one._colours(whole) for one in sets]) for whole in (True, False))
        return Alike({"exact": numbered(exact), "isomorphic": numbered(loose)}, "graphs")

    def _colours(self, by_number: bool) -> np.ndarray:
        """A 64-bit hash of each graph; of its nodes in their order, or in any. [N] uint64"""
        node_ptr, edge_ptr = self.node_ptr.whole().numpy(), self.edge_ptr.whole().numpy()
        whose = np.repeat(np.arange(len(self)), np.diff(edge_ptr))
        ends = self.edge_index.whole().numpy() + node_ptr[whose][:, None]  # over all graphs
        colour = hashed_rows(self.x.whole())
        if by_number:
            place = np.arange(len(colour)) - np.repeat(node_ptr[:-1], np.diff(node_ptr))
            colour = mixed(colour ^ mixed(place.astype(np.uint64) + np.uint64(1)))
        edge = np.zeros(len(ends), np.uint64) if self.edge_attr is None else hashed_rows(self.edge_attr.whole())
        for _ in range(1 if by_number else ROUNDS):
            told = mixed(mixed(colour[ends[:, 0]]) + mixed(edge + np.uint64(7)))  # from source to target
            heard = np.zeros(len(colour), np.uint64)
            np.add.at(heard, ends[:, 1], told)
            colour = mixed(colour + mixed(heard + np.uint64(13)))
        return _sum_of(mixed(colour), node_ptr)


def _held(values: Tensor | HeldArray) -> HeldArray:
    return values if isinstance(values, HeldArray) else HeldArray(values)


def _sum_of(values: np.ndarray, pointer: np.ndarray) -> np.ndarray:
    total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(values, dtype=np.uint64)])
    return mixed(total[pointer[1:]] - total[pointer[:-1]])


def _pointers(count: Any) -> Tensor:
    count = torch.as_tensor(count, dtype=torch.long)
    return torch.cat([count.new_zeros(1), count.cumsum(0)])


def _narrow(values: Tensor) -> Tensor:
    """Floats in single precision."""
    return values.float() if values.is_floating_point() else values


def _wide(values: Tensor) -> Tensor:
    """Categories, however narrow they are kept, as embeddings take them."""
    return values if values.is_floating_point() else values.long()


def _checked(graph: Any, i: int, owner: str) -> tuple[Tensor, Tensor, Tensor | None]:
    if not is_of(graph, "torch_geometric.data", "Data"):
        raise ValueError(
            f"'samples' needs graphs, each a torch_geometric Data, in {owner!r} (sample {i} is {said(graph)})"
        )
    x, ends, edge_attr = (graph.get(name) for name in _KEPT)
    if not _is_table(x):
        got = "none" if x is None else said(x)
        raise ValueError(
            f"'samples' needs attributes of nodes, x, a dense tensor of numbers [V, F], in {owner!r} (sample {i} has "
            f"{got}); of nodes that are all alike: data.x = torch.ones(data.num_nodes, 1)"
        )
    if not _is_table(ends) or ends.dim() != 2 or ends.size(0) != 2 or ends.is_floating_point():
        got = "none" if ends is None else said(ends)
        raise ValueError(
            f"'samples' needs integers edge_index [2, E] in {owner!r} (sample {i} has {got}); without edges: "
            "torch.empty(2, 0, dtype=torch.long)"
        )
    if edge_attr is not None and not _is_table(edge_attr):
        raise ValueError(
            f"'samples' needs edge_attr to be a dense tensor of numbers [E, G] in {owner!r} (sample {i} has "
            f"{said(edge_attr)})"
        )
    x = x[:, None] if x.dim() == 1 else x
    edge_attr = edge_attr[:, None] if edge_attr is not None and edge_attr.dim() == 1 else edge_attr
    if edge_attr is not None and len(edge_attr) != ends.size(1):
        raise ValueError(
            f"'samples' needs a row of 'edge_attr' for each edge in {owner!r} (sample {i} has {len(edge_attr)} rows, "
            f"{ends.size(1)} edges)"
        )
    if graph.num_nodes != len(x):
        raise ValueError(
            f"'samples' needs a row of x for each node in {owner!r} (sample {i} has {len(x)} rows, {graph.num_nodes} "
            "nodes)"
        )
    return x.detach().cpu(), ends.detach().cpu().long(), None if edge_attr is None else edge_attr.detach().cpu()


def _is_table(values: Any) -> bool:
    """Whether it is a dense tensor of real numbers with one or two dimensions, of at least one column."""
    if not isinstance(values, Tensor) or values.layout != torch.strided or values.is_meta:
        return False
    real = not values.is_complex() and values.dtype != torch.bool
    return real and (values.dim() == 1 or (values.dim() == 2 and (values.size(1) > 0 or len(values) == 2)))


def _other_attributes(graphs: list[Any]) -> list[str]:
    """What graphs have besides what is kept."""
    names = {str(name) for graph in graphs for name, _ in graph}
    return sorted(names - {*_KEPT, "num_nodes"})
