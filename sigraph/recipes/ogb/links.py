"""Links of ``ogbl-*``: positive pairs of each part, and the official negatives that they are ranked against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sigraph.recipes.ogb.splits import PARTS, read_link_split

_ENDS = (("edge", None), ("source_node", "target_node"), ("head", "tail"))
_AGAINST = {"target_node_neg": "target", "tail_neg": "target", "head_neg": "source"}


@dataclass
class Links:
    """The pairs of one part.

    Args:
        positive: Source and target of each. [n, 2]
        negative: Pairs that all positives are ranked against, as ``hits@k`` and ROC-AUC have it; None: there are none.
            [m, 2]
        against: Nodes that take the place of a positive's ``target`` or ``source``, as MRR has it. [n, K] each
        relation: Of each positive, where edges have types. [n]
    """

    positive: np.ndarray
    negative: np.ndarray | None = None
    against: dict[str, np.ndarray] = field(default_factory=dict)
    relation: np.ndarray | None = None


def read_links(folder: Path, num_nodes: int, first: Mapping[str, int] | None = None) -> dict[str, Links]:
    """The official split of links, by part.

    Args:
        folder: ``split/<name>`` of the official files.
        num_nodes: N.
        first: Number of the first node of each type, where nodes are numbered by type; then ``head_type`` and
            ``tail_type`` say which. None: there is one type.

    Raises:
        ValueError: A part has no pairs, they do not fit each other, or end at no node.
    """
    parts = {}
    for part, content in read_link_split(folder).items():
        parts[part] = _links(content, f"{part!r} in {folder}", num_nodes, first)
    if parts["train"].positive.size == 0:
        raise ValueError(f"'train' in {folder} holds no pair")
    return parts


def held_out(parts: Mapping[str, Links]) -> np.ndarray:
    """Pairs that are validated or tested and not trained on, each once, the smaller end first. [n, 2]

    A pre-training graph that holds one of them tells an answer. A pair that is in the official training edges too, as
    a collaboration of several years is, tells nothing new.
    """
    train, *rest = (np.sort(parts[part].positive, axis=1) for part in PARTS)
    scored = np.unique(np.concatenate(rest), axis=0)
    width = int(max(train.max(initial=0), scored.max(initial=0))) + 1
    known = np.isin(scored[:, 0] * width + scored[:, 1], train[:, 0] * width + train[:, 1])
    return scored[~known]


def _links(content: dict[str, Any], what: str, num_nodes: int, first: Mapping[str, int] | None) -> Links:
    names = next((ends for ends in _ENDS if ends[0] in content), None)
    if names is None:
        raise ValueError(f"{what} holds no pairs (it has {', '.join(content)})")
    source, target = names
    shift = {end: _first_of(content.get(f"{end}_type"), first, what) for end in ("head", "tail")}
    if target is None:
        positive = _pairs(content[source], what)
    else:
        both = [np.asarray(content[name], np.int64).reshape(-1) for name in (source, target)]
        positive = np.stack([both[0] + shift["head"], both[1] + shift["tail"]], axis=1)
    out = Links(positive, None if content.get("edge_neg") is None else _pairs(content["edge_neg"], what))
    for name, side in _AGAINST.items():
        if content.get(name) is not None:
            end = shift["head" if side == "source" else "tail"]
            out.against[side] = np.asarray(content[name], np.int64) + np.reshape(end, (-1, 1))
            if out.against[side].ndim != 2 or len(out.against[side]) != len(positive):
                raise ValueError(f"{what}: {name!r} needs a row for each of {len(positive)} pairs")
    if content.get("relation") is not None:
        out.relation = np.asarray(content["relation"], np.int64).reshape(-1)
    for ids in (positive, out.negative, *out.against.values()):
        if ids is not None and ids.size and not 0 <= int(ids.min()) <= int(ids.max()) < num_nodes:
            raise ValueError(f"{what} holds a pair of a node that is none of {num_nodes:,}")
    return out


def _pairs(value: Any, what: str) -> np.ndarray:
    pairs = np.asarray(value)
    if pairs.dtype.kind not in "iu" or pairs.ndim != 2 or pairs.shape[1] != 2:
        raise ValueError(f"{what} needs pairs of ids [n, 2] (got {pairs.dtype} {list(pairs.shape)})")
    return pairs.astype(np.int64)


def _first_of(kinds: Any, first: Mapping[str, int] | None, what: str) -> Any:
    if first is None or kinds is None:
        return 0
    if unknown := sorted(set(kinds) - first.keys()):
        raise ValueError(f"{what} names nodes of a type that is none: {unknown[0]!r}")
    return np.array([first[kind] for kind in kinds], np.int64)
