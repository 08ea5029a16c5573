"""LabelPropagation: training labels spread over the graph; features are not looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from sigraph.arms.base import ArmKind, Given, Prediction
from sigraph.arms.choice import Candidate, better_of
from sigraph.edges.propagation import Propagation
from sigraph.files.arguments import check_integers, is_number, shown
from sigraph.tasks import Task

_LEAST = 1e-9  # of a prior, beside what arrives: it decides where nothing does


class LabelPropagation(ArmKind):
    r"""Labels of the training samples, spread by :math:`\sum_{k \le K} (1-a) a^k (D^{-1/2} A D^{-1/2})^k`.

    Needs the edges of the samples that it predicts: the graph is used at inference, that of all samples also where
    pre-training is ``inductive``. Of classes the share of what arrives at a sample counts, of label columns that of
    ones among what is known, of numbers the weighted mean. Where nothing arrives, the training samples' shares or mean.

    Args:
        alphas: Values of a, the share that goes on in a step, to choose from by validation; each in (0, 1).
        num_steps: K, >= 1.

    Source: Zhou et al., "Learning with local and global consistency", NeurIPS 2003.
    """

    kind = "closed-form"
    reads_graph = True
    graph_at_inference = True

    def __init__(self, alphas: Sequence[float] = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99), num_steps: int = 50) -> None:
        if not isinstance(alphas, list | tuple) or not alphas or not all(is_number(a) and 0 < a < 1 for a in alphas):
            raise ValueError(f"'alphas' needs numbers in (0, 1) in 'LabelPropagation' (got {shown(alphas)})")
        check_integers("LabelPropagation", 1, num_steps=num_steps)
        self.alphas, self.num_steps = tuple(alphas), num_steps

    def applies(self, given: Given, task: Task) -> str:
        return "" if given.own else "needs the task's samples in the pre-training graph (they are another data set)"

    def predict(self, given: Given, task: Task, seed: int = 0, score_test: bool = True) -> Prediction:
        start, known = _start(task, given.full_graph.store.num_nodes)
        return better_of(task, self._candidates(given, task, start, known), score_test)

    def _candidates(self, given: Given, task: Task, start: Tensor, known: Tensor) -> Iterator[Candidate]:
        width = start.size(1)
        for alpha in self.alphas:
            spread = Propagation(given.full_graph.store, 1 - alpha, self.num_steps, loops=False)
            arrived = spread(torch.cat([start, known], dim=1))
            scores = _scores(task, start, known, arrived[:, :width], arrived[:, width:])
            by_part = {part: scores[node] for part, node in task.split.items()}
            yield Candidate(by_part.__getitem__, 0)


def _start(task: Task, num_nodes: int) -> tuple[Tensor, Tensor]:
    """What training samples send out, and how much of it is known. Shape [N, num_outputs] and [N, 1 or num_outputs]."""
    train = task.split["train"]
    y = task.labels[train]
    start = torch.zeros(num_nodes, task.num_outputs, dtype=torch.float64)
    known = torch.zeros(num_nodes, task.num_outputs if task.type == "multilabel" else 1, dtype=torch.float64)
    if task.type == "classification":
        start[train, y.long()], known[train] = 1.0, 1.0
    else:
        y = y.double().view(len(train), -1)
        start[train], known[train] = y.nan_to_num(0.0), (~y.isnan()).double()
    return start, known


def _scores(task: Task, start: Tensor, known: Tensor, arrived: Tensor, weight: Tensor) -> Tensor:
    """Predictions of all samples. Shape [N, num_outputs]."""
    prior = start.sum(dim=0) / known.sum(dim=0).clamp(min=1.0)
    if task.type == "multilabel":
        prior = torch.where(known.sum(dim=0) > 0, prior, 0.5)
    mean = (arrived + _LEAST * prior) / (weight + _LEAST)
    if task.type == "regression":
        return mean
    if task.type == "multilabel":
        return torch.logit(mean, eps=1e-6).float()
    return mean.clamp(min=1e-12).log().float()
