"""What a graph encoder makes of the attributes of nodes and edges before its layers: rows of its own width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sigraph.samples.categories import Categories, categories_of_edges, categories_of_nodes

_MOST = 1_024  # combinations of kinds that are all summed in advance


class LinearInput(nn.Module):
    """A linear map of real-valued attributes; what is hidden, and loops, have learnt attributes of their own.

    Args:
        in_channels: F, attributes.
        out_channels: D, width of the layers.
        has_loop: Whether rows for loops are asked for.

    Shapes:
        - **value:** [M, F], **hidden:** bool [M] or None  ->  [M, D]
    """

    def __init__(self, in_channels: int, out_channels: int, has_loop: bool = False) -> None:
        super().__init__()
        self.linear = nn.Linear(in_channels, out_channels)
        self.hidden = nn.Parameter(torch.zeros(in_channels))
        self.loop = nn.Parameter(torch.zeros(in_channels)) if has_loop else None

    def forward(self, value: Tensor, hidden: Tensor | None = None) -> Tensor:
        value = value.to(self.linear.weight.dtype)
        if hidden is None:  # DDP waits for a gradient of every parameter
            return self.linear(value) + self.hidden[:0].sum()
        return self.linear(torch.where(hidden[:, None], self.hidden, value))

    def loop_row(self) -> Tensor:
        """Of an edge from a node to itself. Shape [D]."""
        return self.linear(self.loop)


class CategoryInput(nn.Module):
    """The sum of an embedding for each attribute, which are kinds; what is hidden, and loops, are kinds of their own.

    Args:
        categories: Of the attributes.
        out_channels: D, width of the layers.

    Shapes:
        - **value:** integers [M, F], **hidden:** bool [M] or None  ->  [M, D]

    Source: the atom and bond encoders of Hu et al., "Open Graph Benchmark", NeurIPS 2020, and of Hu et al.,
    "Strategies for Pre-training Graph Neural Networks", ICLR 2020. Differs in: one table holds all attributes' rows.
    """

    rows: Tensor
    start: Tensor
    hidden: Tensor
    loop: Tensor
    every: Tensor
    stride: Tensor

    def __init__(self, categories: Categories, out_channels: int) -> None:
        super().__init__()
        self.table = nn.EmbeddingBag(sum(categories.rows), out_channels, mode="sum")
        for rows in self.table.weight.data.split(list(categories.rows)):
            nn.init.xavier_uniform_(rows)
        start, held = torch.tensor([0, *categories.rows[:-1]]).cumsum(0), (categories.rows, categories.hidden)
        rows, hidden = map(torch.tensor, held)
        number = math.prod(categories.rows)
        self.num_rows, self.num_every = sum(categories.rows), number if number <= _MOST else 0
        every, stride = rows.new_empty(0, len(rows)), torch.ones_like(rows)
        if self.num_every:  # few enough: each combination is summed once, however many carry it
            every = torch.cartesian_prod(*map(torch.arange, categories.rows)).view(-1, len(rows)) + start
            stride = rows.flip(0).cumprod(0).flip(0) // rows
        loop = torch.tensor(categories.loop or categories.hidden) + start
        named = {"rows": rows, "start": start, "hidden": hidden, "loop": loop, "every": every, "stride": stride}
        for name, value in named.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, value: Tensor, hidden: Tensor | None = None) -> Tensor:
        value = value.long()
        if hidden is not None:
            value = torch.where(hidden[:, None], self.hidden, value)
        wrong = (value < 0) | (value >= self.rows)
        if value.device.type == "cpu" and bool(wrong.any()):  # elsewhere the table refuses it, with less to say
            column = int(wrong.any(dim=0).nonzero()[0])
            raise ValueError(
                f"'inputs' needs kinds in [0, {int(self.rows[column])}) as attribute {column} (got "
                f"{int(value[:, column][wrong[:, column]][0])})"
            )
        if not self.num_every:
            return self.table((value + self.start).masked_fill(wrong, self.num_rows))
        which = (value * self.stride).sum(dim=1).masked_fill(wrong.any(dim=1), self.num_every)
        return self.table(self.every).index_select(0, which)

    def loop_row(self) -> Tensor:
        """Of an edge from a node to itself. Shape [D]."""
        return self.table(self.loop[None])[0]


Input = LinearInput | CategoryInput


def inputs_of(
    value: str | Sequence[int],
    channels: int | None,
    out_channels: int,
    owner: str,
    num_edges: int = 0,
    loops: bool = False,
) -> tuple[list[Input], int, Categories | None]:
    """Modules that read the attributes of nodes or of edges.

    Args:
        value: ``linear``, or categories as :func:`~sigraph.samples.categories.categories_of_nodes` takes them.
        channels: Attributes of a node or an edge; None: as many as there are categories.
        out_channels: Width of the layers.
        owner: Whose they are, for messages.
        num_edges: How many modules that read edges, each with weights of its own; 0: one that reads nodes.
        loops: Whether the layers add an edge from each node to itself.

    Returns:
        The modules, how many attributes they read, and their categories.

    Raises:
        ValueError: ``value`` is neither, or does not fit ``channels``.
    """
    edges, count = num_edges > 0, max(num_edges, 1)
    what, name, size = ("edges", "edge", "edge_channels") if edges else ("nodes", "node", "node_channels")
    if value == "linear":
        if channels is None:
            raise ValueError(
                f"{size!r} needs graphs with attributes of {what} in {owner!r} (got none); without, choose layers that "
                "do not read them"
            )
        return [LinearInput(channels, out_channels, loops) for _ in range(count)], channels, None
    meant: Any = categories_of_edges if edges else categories_of_nodes
    found: Categories = meant(value, f"{name}_encoder", owner)
    if channels is not None and channels != len(found.known):
        raise ValueError(
            f"'{name}_encoder' {value!r} reads {len(found.known)} attributes of {what} in {owner!r}, but they have "
            f"{channels}; use '{name}_encoder': linear, or a list with a number of kinds for each"
        )
    return [CategoryInput(found, out_channels) for _ in range(count)], len(found.known), found
