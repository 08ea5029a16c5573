"""LabelCliques: samples of one class are neighbours."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from sigraph.data import PretrainGraph
from sigraph.edges import LabelSetStore
from sigraph.files.arguments import check_choices
from sigraph.graphs.label_graph import LabelGraph
from sigraph.tasks.label_values import labels_said


class LabelCliques(LabelGraph):
    """Every two samples of one class are joined: a clique a class.

    With this graph structure-inducing pre-training *is* supervised pre-training on the labels, by supervised
    contrastive learning where the structure loss is contrastive (Khosla et al., "Supervised Contrastive Learning",
    NeurIPS 2020). Local consistency with these labels is 1.

    Args:
        labels: Name of a classification task; None: the data set's first task.
        allow_label_edges: False: only samples of the task's train split take part, all others are isolated. True:
            every labelled sample, which leaks the labels of validation and test samples into pre-training.
        unlabelled: What samples are whose label is missing or may not be seen. ``negatives``: of every sample, as
            isolated ones are in any graph, though some are of its class; ``apart``: no pair at all, as each is a group
            of its own (:attr:`~sigraph.PretrainGraph.group`). In a :class:`UnionGraph` they are apart in the other
            graphs too.

    The graph is two-level (:class:`~sigraph.data.LabelSetStore`): memory is O(N), however large the cliques. Samples
    without a label (-1) are isolated. With a :class:`~sigraph.losses.LinkPredictionLoss` and ``unlabelled: apart`` it
    is the same-family prediction of PLUS (Min et al., "Pre-Training of Deep Bidirectional Protein Sequence
    Representations with Structural Information", IEEE Access 2021), with a score of two embeddings in place of one of
    two sequences that are softly aligned.

    Example:
        >>> LabelCliques().from_labels(torch.tensor([0, 1, 0, -1, 1, 0]))
        PretrainGraph(num_nodes=6, num_edges=8)

    Source: McDermott et al. 2023, where supervised pre-training is the case of label cliques.
    """

    def __init__(
        self,
        labels: str | None = None,
        allow_label_edges: bool = False,
        unlabelled: Literal["negatives", "apart"] = "negatives",
    ) -> None:
        super().__init__(labels, allow_label_edges)
        check_choices("LabelCliques", ("negatives", "apart"), unlabelled=unlabelled)
        self.unlabelled = unlabelled

    def from_labels(self, labels: Tensor) -> PretrainGraph:
        found = labels_said(labels, "'labels' of 'LabelCliques'", is_dense=False)
        labels = found.y
        if found.type != "classification":
            raise ValueError(
                f"'labels' needs classes, integers or names of shape [N], in 'LabelCliques' (got {labels.dtype} "
                f"{list(labels.shape)}); rows of labels are for 'LabelAgreement' (equal rows: max_differences: 0)"
            )
        known = labels >= 0
        set_of = torch.full_like(labels, -1, dtype=torch.long)
        set_of[known] = labels[known].unique(return_inverse=True)[1]  # classes may be any numbers
        group = None if self.unlabelled == "negatives" else torch.where(known, 0, torch.arange(1, len(known) + 1))
        return PretrainGraph.from_store(LabelSetStore.from_sets(set_of), group)
