"""What the objectives on graphs share: a batch with something of it replaced, and draws of some nodes of each graph."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sigraph.encoders import Encoder, Encoding
from sigraph.files.arguments import shown
from sigraph.samples.categories import Categories


def check_graphs(inputs: Any, owner: str) -> None:
    """Refuse what is no PyG batch of graphs."""
    if not isinstance(getattr(inputs, "edge_index", None), Tensor) or not isinstance(
        getattr(inputs, "ptr", None), Tensor
    ):
        raise ValueError(f"'inputs' needs graphs, a PyG batch, in {owner!r} (got {type(inputs).__name__})")


def check_kinds(value: Tensor, categories: Categories, name: str, owner: str) -> None:
    """Refuse attributes that are no kinds, or more or fewer than there are categories."""
    if value.is_floating_point() or value.size(1) != len(categories.known):
        raise ValueError(
            f"'inputs' needs {len(categories.known)} attributes {name} that are kinds, integers, in {owner!r} (got "
            f"{value.dtype} {list(value.shape)}); of real numbers: GraphMAE"
        )


def predicted(value: Any, categories: Categories, name: str, owner: str) -> list[int]:
    """The attributes that an argument says are to be predicted; None: the first one."""
    found = [0] if value is None else value
    is_list = isinstance(found, Sequence) and not isinstance(found, str) and len(found) > 0
    if not is_list or not all(type(one) is int and 0 <= one < len(categories.known) for one in found):
        raise ValueError(
            f"{name!r} needs a list of attributes, numbers in [0, {len(categories.known)}), in {owner!r} (got "
            f"{shown(value)})"
        )
    return sorted(set(found))


def check_parts(encoder: Encoder, part_channels: int, owner: str) -> None:
    """Refuse an encoder whose embeddings of nodes have another width."""
    if encoder.part_channels != part_channels:
        raise ValueError(
            f"'part_channels' needs to be the width of a node's embedding, {encoder.part_channels} of "
            f"{type(encoder).__name__}, in {owner!r} (got {part_channels})"
        )


def replaced(inputs: Any, **values: Any) -> Any:
    """The batch with other values; the one that was given stays as it is."""
    out = copy.copy(inputs)
    for name, value in values.items():
        setattr(out, name, value)
    return out


def nodes_of(encoding: Encoding, num_nodes: int, owner: str) -> Tensor:
    """Embeddings of the nodes. Shape [V, D']."""
    if encoding.h is None or len(encoding.h) != num_nodes:
        got = "none" if encoding.h is None else len(encoding.h)
        raise ValueError(
            f"h needs one row a node, {num_nodes}, for {owner!r} (got {got}); choose an encoder that gives embeddings "
            "of nodes: GraphEncoder, or ModuleEncoder with a pooling"
        )
    return encoding.h


def connected(encoding: Encoding) -> Tensor:
    """A zero that every parameter of the encoder has a gradient of: DDP waits for all of them."""
    return encoding.z[:0].sum()


def draw_some(whose: Tensor, count: int, rate: float, generator: torch.Generator | None) -> Tensor:
    """Draw some members of each of ``count`` groups: of n of them, the smaller of n and floor(n rate) + 1.

    Args:
        whose: The group of each member, ascending. Shape [M].
        count: Groups; members of later ones are never drawn.
        rate: Share, in [0, 1).
        generator: Source of the draw.

    Returns:
        Which are drawn. Shape [M] bool.

    Source: the number of hidden atoms in the published code of Hu et al., ICLR 2020.
    """
    kept = int(torch.searchsorted(whose, count))
    own = whose[:kept]
    size = own.bincount(minlength=count)
    order = torch.rand(kept, generator=generator).argsort()
    order = order[own[order].argsort(stable=True)]  # within each group, in the order of the draw
    place = torch.arange(kept) - (size.cumsum(0) - size)[own]  # of a member in its group; groups stand in order
    number = (size * rate).floor().long() + 1
    out = torch.zeros(len(whose), dtype=torch.bool)
    out[order[place < number[own]]] = True
    return out


def kind_losses(logits: Tensor, kind: Tensor, sizes: Sequence[int]) -> Tensor:
    """Cross-entropies of several attributes, averaged over the attributes. Logits [K, sum], kinds [K, A] -> sum, a
    scalar.
    """
    parts = [F.cross_entropy(part, kind[:, i], reduction="sum") for i, part in enumerate(logits.split(list(sizes), 1))]
    return torch.stack(parts).mean()
