"""LabelJaccard: samples that share most of their labels are neighbours."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.data import PretrainGraph
from sigraph.edges import LabelSetStore
from sigraph.files.arguments import check_flags, is_number, shown
from sigraph.graphs.label_graph import LabelGraph
from sigraph.graphs.label_sets import distinct_rows, overlaps, read_label_sets


class LabelJaccard(LabelGraph):
    r"""Samples are joined if the Jaccard similarity of their label sets, :math:`|A \cap B| / |A \cup B|`, is large.

    Pre-training with it is the supervised contrastive learning of multi-label data that weighs or picks positives by
    the overlap of their labels; with ``threshold: 1`` it is label cliques of whole label sets.

    Args:
        labels: Name of a multi-label task; None: the data set's first task.
        threshold: Least similarity of neighbours, in (0, 1].
        weighted: Whether an edge weighs its similarity; False: unweighted.
        allow_label_edges: False: only samples of the task's train split take part, all others are isolated. True:
            every labelled sample, which leaks the labels of validation and test samples into pre-training.

    Shapes:
        - **labels:** [N, L] of 0 and 1; NaN (or -1 in integers) where missing.

    A sample's set are the labels it is known to carry: a missing one is shared with nobody. Samples that carry none are
    isolated. The graph is two-level: S distinct label sets are compared, in blocks, and edges between samples are not
    written out. Comparing takes O(S^2 L) at worst; sets of too different sizes are not compared.

    Example:
        >>> LabelJaccard(threshold=0.5).from_labels(torch.tensor([[1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]]))
        PretrainGraph(num_nodes=4, num_edges=2)
    """

    def __init__(
        self,
        labels: str | None = None,
        threshold: float = 0.5,
        weighted: bool = False,
        allow_label_edges: bool = False,
    ) -> None:
        super().__init__(labels, allow_label_edges)
        if not is_number(threshold) or not 0 < threshold <= 1:
            raise ValueError(f"'threshold' needs to be in (0, 1] in 'LabelJaccard' (got {shown(threshold)})")
        check_flags("LabelJaccard", weighted=weighted)
        self.threshold, self.weighted = threshold, weighted

    def from_labels(self, labels: Tensor) -> PretrainGraph:
        carried, _ = read_label_sets(labels, "LabelJaccard")
        takes_part = carried.any(dim=1).nonzero().view(-1)
        sets, number = distinct_rows(carried[takes_part], carried.size(1))  # [S, L]
        size = sets.sum(dim=1)  # rising
        # |A and B| <= |A| and |A or B| >= |B|: from some size on B is too large for A. One more, for rounding.
        stop = torch.searchsorted(size, (size.double() / self.threshold).long() + 1, right=True)
        index, weight = [torch.empty(2, 0, dtype=torch.long)], [torch.empty(0, dtype=torch.double)]
        for first, shared in overlaps(sets, stop):
            # J >= c is |A and B| >= c / (1 + c) (|A| + |B|); here with room for rounding, below exactly.
            enough = self.threshold / (1 + self.threshold) * size.float() - 0.01
            rows, cols = shared.shape
            likely = shared >= enough[first : first + rows, None] + enough[first : first + cols]
            a, b = likely.nonzero(as_tuple=True)
            a, b = a[a < b], b[a < b]
            both = shared[a, b].double()
            similarity = both / (size[first + a] + size[first + b] - both)
            near = similarity >= self.threshold
            index.append(torch.stack([a[near], b[near]]) + first)
            weight.append(similarity[near])
        set_of = torch.full((len(carried),), -1)
        set_of[takes_part] = number
        edge_weight = torch.cat(weight).float() if self.weighted else None
        return PretrainGraph.from_store(LabelSetStore.from_sets(set_of, torch.cat(index, dim=1), edge_weight))
