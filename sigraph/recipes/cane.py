"""The Cora of CANE: abstracts, citations and classes, a line each, a blank line where a paper has no class."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from sigraph.data.graph import PretrainGraph
from sigraph.recipes.raw_text import graph_between, read_lines, read_rows

NUM_CLASSES = 7


class CaneCora(NamedTuple):
    """What the three files hold."""

    texts: list[str]
    label: Tensor  # int64 [N], -1: none
    graph: PretrainGraph

    @property
    def labelled(self) -> Tensor:
        """Papers with a class, ascending."""
        return (self.label >= 0).nonzero().view(-1)


def read_cane(files: Mapping[str, Path]) -> CaneCora:
    """Texts, classes and citations.

    Args:
        files: ``cane_cora/data.txt``, ``cane_cora/group.txt`` and ``cane_cora/graph.txt`` by these names.

    Raises:
        ValueError: Lines of classes are not as many as texts, a class is none, a citation is of no paper.
    """
    texts = read_lines(files["cane_cora/data.txt"])
    label = read_classes(files["cane_cora/group.txt"], len(texts))
    pairs = read_rows(files["cane_cora/graph.txt"], 2)
    return CaneCora(texts, label, graph_between(pairs, [str(node) for node in range(len(texts))]))


def read_classes(path: Path, num_texts: int) -> Tensor:
    """Class of each paper, -1 where its line is blank: leaving such a line out would shift all labels behind it."""
    lines = [line.strip() for line in read_lines(path)]
    if len(lines) != num_texts:
        raise ValueError(
            f"{path} needs a line for each of the {num_texts} texts, a blank one where there is no label "
            f"(got {len(lines)}, {lines.count('')} of them blank)"
        )
    for number, line in enumerate(lines, start=1):
        if line and not (line.isdecimal() and int(line) < NUM_CLASSES):
            raise ValueError(f"{path}, line {number}: needs a class in [0, {NUM_CLASSES}) or nothing (got {line!r})")
    return torch.tensor([int(line) if line else -1 for line in lines])
