"""Edges of a networkx graph: which node is which sample, and no weight or group is lost unsaid."""

from __future__ import annotations

import math
import warnings
from collections.abc import Hashable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor

from sigraph.data.edges import GivenEdges, checked_count
from sigraph.data.foreign import is_networkx, way_from
from sigraph.files.arguments import said

_OWNER = "'PretrainGraph.from_networkx'"
SHOWN = 5


def read_networkx(
    g: Any, weight: str | None = "weight", num_nodes: int | None = None, nodes: Any = None, group: str | None = None
) -> GivenEdges:
    """As :meth:`~sigraph.data.PretrainGraph.from_networkx`, which says what the arguments are."""
    if not is_networkx(g):
        way = way_from(g)
        raise ValueError(f"'g' needs a networkx graph in {_OWNER} (got {said(g)}){way and ': ' + way}")
    for name, value in (("weight", weight), ("group", group)):
        if value is not None and not isinstance(value, Hashable):
            raise ValueError(f"{name!r} needs the name of an attribute, or None, in {_OWNER} (got {said(value)})")
    place, count = _places(g, num_nodes, nodes)
    edges = list(g.edges(data=True))
    ends = torch.tensor([[place[u], place[v]] for u, v, _ in edges], dtype=torch.long).view(-1, 2).t()
    weights = None if weight is None else _weights(edges, weight)
    groups = None if group is None else _groups(g, group, place, count)
    _say_left_out(g, edges, weight, group, weights is not None)
    return GivenEdges(ends, count, weights, groups, range(count) if nodes is None else list(place))


def _places(g: Any, num_nodes: Any, nodes: Any) -> tuple[Mapping[Any, int], int]:
    """The sample of each node, and the number of samples."""
    count = None if num_nodes is None else checked_count(num_nodes)
    if nodes is not None:
        return _listed(g, nodes, count)
    own = list(g.nodes)
    size = len(own) if count is None else count
    wrong = [node for node in own if not _is_integer(node)]
    if wrong:
        way = "; if they are text that says sample numbers: networkx.relabel_nodes(g, int)"
        text = all(isinstance(node, str) and node.isdigit() for node in own)
        raise ValueError(
            f"'nodes' needs to say which node is which sample in {_OWNER}: its nodes are no sample numbers (such as "
            f"{wrong[0]!r:.60}) and stand in the order in which they were first mentioned; give a list, sample i being "
            f"nodes[i]{way if text else ''}"
        )
    outside = [node for node in own if not 0 <= node < size]
    if outside:
        raise ValueError(
            f"'num_nodes' or 'nodes' is needed in {_OWNER}: {len(outside):,} of {len(own):,} nodes are no sample "
            f"numbers in [0, {size}) (first: {outside[0]}); give the number of samples by 'num_nodes', those without "
            "an edge counted, or by 'nodes' a list, sample i being nodes[i]"
        )
    return {node: int(node) for node in own}, size


def _listed(g: Any, nodes: Any, count: int | None) -> tuple[Mapping[Any, int], int]:
    """Places as a list says."""
    if isinstance(nodes, set | frozenset | dict | str | bytes) or not isinstance(nodes, Iterable):
        raise ValueError(f"'nodes' needs a list, sample i being nodes[i], in {_OWNER} (got {said(nodes)})")
    for method in ("tolist", "to_pylist"):
        nodes = getattr(nodes, method)() if hasattr(nodes, method) else nodes
    nodes = list(nodes)
    odd = [node for node in nodes if not isinstance(node, Hashable)]
    if odd:
        raise ValueError(f"'nodes' needs nodes of the graph in {_OWNER} (got {said(odd[0])})")
    place = {node: i for i, node in enumerate(nodes)}
    if len(place) < len(nodes):
        twice = next(node for i, node in enumerate(nodes) if place[node] != i)
        raise ValueError(f"'nodes' needs each node once in {_OWNER} (got {twice!r:.60} again)")
    if count is not None and count != len(nodes):
        raise ValueError(f"'num_nodes' needs to be the length of 'nodes', {len(nodes)}, in {_OWNER} (got {count})")
    unknown = [node for node in g.nodes if node not in place]
    if unknown:
        hint = ""
        if place and all(isinstance(node, str) for node in unknown) != all(isinstance(node, str) for node in place):
            hint = f"; those of the list are written otherwise, such as {nodes[0]!r:.60}"
        raise ValueError(
            f"'nodes' needs every node of the graph in {_OWNER} ({len(unknown):,} are missing, such as "
            f"{unknown[0]!r:.60}){hint}; add them, or give g.subgraph(nodes)"
        )
    return place, len(nodes)


def _weights(edges: list[tuple[Any, Any, dict]], name: str) -> Tensor | None:
    """The weights of all edges; None if no edge has one."""
    given: list[Any] = [data.get(name) for _, _, data in edges]
    missing = [i for i, value in enumerate(given) if value is None]
    if len(missing) == len(edges):
        there = _names(data for _, _, data in edges)
        if edges and name != "weight":
            raise ValueError(
                f"'weight' needs an attribute of the edges in {_OWNER} (got {name!r}, there are: {there or 'none'})"
            )
        return None
    if missing:
        u, v, _ = edges[missing[0]]
        raise ValueError(
            f"{len(missing):,} of {len(edges):,} edges have no {name!r} in {_OWNER} (first: {u!r:.60} to {v!r:.60}); "
            "give them one, or leave weights out by weight=None"
        )
    wrong = [i for i, value in enumerate(given) if not isinstance(value, Real) or not 0 <= float(value) < math.inf]
    if wrong:
        u, v, _ = edges[wrong[0]]
        raise ValueError(
            f"'weight' needs finite numbers >= 0 in {_OWNER} (got {len(wrong):,} others; first: "
            f"{given[wrong[0]]!r:.60} from {u!r:.60} to {v!r:.60}); weight=None leaves weights out"
        )
    return torch.tensor([float(value) for value in given], dtype=torch.double)


def _groups(g: Any, name: str, place: Mapping[Any, int], count: int) -> Tensor:
    """A node attribute as numbers; every sample has one."""
    given = {node: data[name] for node, data in g.nodes(data=True) if data.get(name) is not None}
    if len(given) < count:
        there = _names(data for _, data in g.nodes(data=True))
        first = next((f"{node!r:.60}" for node in place if node not in given), "a sample without a node")
        raise ValueError(
            f"'group' needs an attribute of every sample's node in {_OWNER} ({count - len(given):,} of {count:,} have "
            f"no {name!r}, first: {first}; there are: {there or 'none'})"
        )
    number: dict[Any, int] = {}
    out = torch.empty(count, dtype=torch.long)
    for node, value in given.items():
        out[place[node]] = number.setdefault(value, len(number))
    return out


def _say_left_out(g: Any, edges: list, weight: str | None, group: str | None, weighted: bool) -> None:
    of_edges = "" if weight is None else _names((data for _, _, data in edges), weight if weighted else None)
    of_nodes = _names((data for _, data in g.nodes(data=True)), group)
    parts = [f"{kind} attributes {names}" for kind, names in (("edge", of_edges), ("node", of_nodes)) if names]
    if parts:
        way = "; weight=NAME makes one the weights" if of_edges and not weighted else ""
        warnings.warn(f"'PretrainGraph.from_networkx' keeps no {' and no '.join(parts)}{way}", stacklevel=5)


def _names(attributes: Iterable[dict], but: str | None = None) -> str:
    """The names that occur, for a message."""
    found = [repr(name) for name in dict.fromkeys(name for one in attributes for name in one) if name != but]
    return ", ".join(found[:SHOWN]) + (", ..." if len(found) > SHOWN else "")


def _is_integer(node: Any) -> bool:
    return isinstance(node, Integral) and not isinstance(node, bool)
