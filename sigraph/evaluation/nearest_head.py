"""The head ``knn``: labels of the nearest samples, nothing trains."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sigraph.data import SampleDataset
from sigraph.encoders import Encoder, embed
from sigraph.evaluation import neighbor_prediction
from sigraph.evaluation.retrieved import ranked_answers
from sigraph.tasks.base import BaseTask
from sigraph.tasks.kinds import KINDS, label_type
from sigraph.tasks.retrieval import RetrievalTask


class NearestHead(nn.Module):
    """Labels of the nearest of some samples by cosine, as a head: nothing in it trains.

    Args:
        z: Embeddings of the samples that answer. Shape [n, D].
        labels: Theirs, as :func:`~sigraph.evaluation.neighbor_prediction` takes them. Shape [n] or [n, L].
        k: How many of them vote, in [1, n].
        width: Classes of a classification; 0: others.
        gives_shares: Whether a classification gives shares of votes (of two classes, for the second), not classes.
    """

    z: Tensor
    labels: Tensor

    def __init__(self, z: Tensor, labels: Tensor, k: int, width: int = 0, gives_shares: bool = False) -> None:
        super().__init__()
        self.register_buffer("z", z)
        self.register_buffer("labels", labels)
        self.k, self.width, self.gives_shares = k, width, gives_shares

    def forward(self, z: Tensor) -> Tensor:
        """Predictions for embeddings [B, D], as the task's evaluator takes them."""
        if not (self.width and self.gives_shares):
            return neighbor_prediction(self.z, self._votes(), self.k, z)
        shares = self.shares(z)
        return shares[:, 1] if self.width == 2 else shares

    def shares(self, z: Tensor) -> Tensor:
        """Share of votes for each class. Shape [B, D] -> [B, width] float64."""
        known = self.labels >= 0
        votes = F.one_hot(self.labels[known].long(), self.width).double()
        return neighbor_prediction(self.z[known], votes, self.k, z)

    def _votes(self) -> Tensor:
        return KINDS[label_type(self.labels)].votes(self.labels, as_shares=False)

    def extra_repr(self) -> str:
        return f"k={self.k}, {len(self.z):,} samples"


def nearest_predictions(
    encoder: Encoder,
    dataset: SampleDataset,
    task: BaseTask,
    k: int,
    leave_one_out: bool = False,
    test: bool = True,
    embeddings: Tensor | None = None,
) -> tuple[NearestHead | None, dict[str, Tensor]]:
    """Votes (classes) or means (labels, regression) of the nearest samples by cosine; of a retrieval task, figures.

    Where a metric reads scores, the share of votes for each class (of two, for the second) in place of the class.

    Args:
        encoder: Embeds the samples.
        dataset: The task's samples.
        task: Labels and split; its items are samples, or queries, whose candidates are ranked.
        k: How many neighbours.
        leave_one_out: Ask all samples of the split but the one itself; else the training samples.
        test: Whether to predict the test samples, too.
        embeddings: Of all samples, if they are there already. Shape [N, D].

    Returns:
        The head that new samples ask, None of a retrieval task; and, under ``valid`` and ``test``, predictions for
        their samples, as the evaluator takes them.
    """
    check_neighbors(task, k, leave_one_out)
    if isinstance(task, RetrievalTask):
        z = embed(encoder, dataset, task.candidates) if embeddings is None else embeddings[task.candidates]
        ranked = {}
        for part in ("valid", "test") if test else ("valid",):
            items = task.split[part]
            asking = embed(encoder, dataset, items) if embeddings is None else embeddings[items]
            ranked[part] = ranked_answers(task, z, asking, items)
        return None, ranked
    given = checked_labels(task)
    kind, gives_shares = KINDS[label_type(given)], getattr(task, "needs_scores", False)
    labels = kind.votes(given, as_shares=gives_shares)
    width = kind.width(given) if kind.type == "classification" else 0

    def z_of(ids: Tensor) -> Tensor:
        return embed(encoder, dataset, ids) if embeddings is None else embeddings[ids]

    asked = ["valid", "test"] if test else ["valid"]
    if leave_one_out:
        ids = torch.cat(list(task.split.values()))
        z = z_of(ids)
        everyone = neighbor_prediction(z, labels[ids], k)
        sizes = [len(part) for part in task.split.values()]
        parts = dict(zip(task.split, torch.split(everyone, sizes), strict=True))
        return NearestHead(z, given[ids], k, width, gives_shares), {part: parts[part] for part in asked}
    train = task.split["train"]
    z = z_of(train)
    found = {part: neighbor_prediction(z, labels[train], k, z_of(task.split[part])) for part in asked}
    return NearestHead(z, given[train], k, width, gives_shares), found


def checked_labels(task: BaseTask) -> Tensor:
    """A label for each sample, which neighbours vote with.

    Raises:
        ValueError: The task has labels of other things than samples.
    """
    labels = task.sample_labels()
    if labels is None or task.item != "sample":
        raise ValueError(
            f"'head' knn needs a task with a label a sample, but task {task.name!r} has one a {task.item}; "
            "use linear or full"
        )
    return labels


def check_neighbors(task: BaseTask, k: int, leave_one_out: bool = False) -> None:
    """Refuse more neighbours than there are samples to ask.

    Raises:
        ValueError: ``k`` is too large; says how many there are. The task has no label a sample.
    """
    if isinstance(task, RetrievalTask):
        if leave_one_out:
            raise ValueError(
                f"'leave_one_out' does not act on task {task.name!r}, which ranks candidates; leave it out"
            )
        return
    checked_labels(task)
    most = sum(len(part) for part in task.split.values()) - 1 if leave_one_out else len(task.split["train"])
    if k > most:
        who = "other samples of the split" if leave_one_out else "training samples"
        raise ValueError(f"'k' needs to be <= {most}, the {who} of task {task.name!r} (got {k})")
