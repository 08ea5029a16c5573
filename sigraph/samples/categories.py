"""Categories: attributes of nodes and edges that are kinds, not quantities, and how many kinds each has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sigraph.files.arguments import shown


class Categories(NamedTuple):
    """The kinds of some attributes; attribute f of a node or an edge is an integer in [0, known[f]).

    Args:
        known: How many kinds data may hold, by attribute.
        rows: How many an encoder tells apart, at least as many: kinds that no data hold, e.g. for hidden ones, too.
        hidden: What stands in place of attributes that are hidden.
        loop: What stands for the edge from a node to itself, where a layer adds one; empty for nodes.
    """

    known: tuple[int, ...]
    rows: tuple[int, ...]
    hidden: tuple[int, ...]
    loop: tuple[int, ...] = ()


def _nodes(*known: int) -> Categories:
    return Categories(known, tuple(size + 1 for size in known), known)


def _edges(*known: int) -> Categories:
    return Categories(known, tuple(size + 2 for size in known), known, tuple(size + 1 for size in known))


# "ogb": as ogb.utils.features has them (atomic number, chirality, degree, charge, hydrogens, radical electrons,
# hybridisation, aromatic, in a ring; kind of bond, stereo, conjugated), one more each for what is hidden. "hu2020": Hu
# et al. 2020 (atomic number - 1 and chirality; kind of bond and direction), with their own numbers for hidden and loop.
NODES = {"ogb": _nodes(119, 5, 12, 12, 10, 6, 6, 2, 2), "hu2020": Categories((119, 3), (120, 3), (119, 0))}
EDGES = {"ogb": _edges(5, 6, 2), "hu2020": Categories((4, 3), (6, 3), (5, 0), (4, 0))}


def categories_of_nodes(value: Any, name: str, owner: str) -> Categories:
    """The categories of nodes' attributes that an argument means.

    Args:
        value: ``ogb``, ``hu2020``, or how many kinds each attribute has, a list.
        name: Of the argument, for messages.
        owner: Whose argument it is, for messages.

    Raises:
        ValueError: It is neither.
    """
    return _meant(value, NODES, _nodes, name, owner)


def categories_of_edges(value: Any, name: str, owner: str) -> Categories:
    """As :func:`categories_of_nodes`, of edges' attributes."""
    return _meant(value, EDGES, _edges, name, owner)


def _meant(value: Any, named: dict[str, Categories], of: Any, name: str, owner: str) -> Categories:
    if isinstance(value, str) and value in named:
        return named[value]
    is_list = isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 0
    if is_list and all(type(size) is int and size >= 1 for size in value):
        return of(*value)
    raise ValueError(
        f"{name!r} needs to be one of {', '.join(named)} or a list, how many kinds each attribute has (integers >= 1), "
        f"in {owner!r} (got {shown(value)})"
    )
