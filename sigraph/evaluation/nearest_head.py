"""The head ``knn``: labels of the nearest samples, nothing trains."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.data import SampleDataset
from sigraph.encoders import Encoder, embed
from sigraph.evaluation import neighbor_prediction
from sigraph.tasks.base import BaseTask
from sigraph.tasks.kinds import KINDS, label_type


def nearest_predictions(
    encoder: Encoder,
    dataset: SampleDataset,
    task: BaseTask,
    k: int,
    leave_one_out: bool = False,
    test: bool = True,
    embeddings: Tensor | None = None,
) -> dict[str, Tensor]:
    """Votes (classes) or means (labels, regression) of the nearest samples by cosine.

    Where a metric reads scores, the share of votes for each class (of two, for the second) in place of the class.

    Args:
        encoder: Embeds the samples.
        dataset: The task's samples.
        task: Labels and split; its items are samples.
        k: How many neighbours.
        leave_one_out: Ask all samples of the split but the one itself; else the training samples.
        test: Whether to predict the test samples, too.
        embeddings: Of all samples, if they are there already. Shape [N, D].

    Returns:
        ``valid`` and ``test``: predictions for their samples, as the evaluator takes them.
    """
    check_neighbors(task, k, leave_one_out)
    given = checked_labels(task)
    labels = KINDS[label_type(given)].votes(given, as_shares=getattr(task, "needs_scores", False))

    def z_of(ids: Tensor) -> Tensor:
        return embed(encoder, dataset, ids) if embeddings is None else embeddings[ids]

    asked = ["valid", "test"] if test else ["valid"]
    if leave_one_out:
        ids = torch.cat(list(task.split.values()))
        everyone = neighbor_prediction(z_of(ids), labels[ids], k)
        sizes = [len(part) for part in task.split.values()]
        parts = dict(zip(task.split, torch.split(everyone, sizes), strict=True))
        return {part: parts[part] for part in asked}
    train = task.split["train"]
    z = z_of(train)
    return {part: neighbor_prediction(z, labels[train], k, z_of(task.split[part])) for part in asked}


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
    checked_labels(task)
    most = sum(len(part) for part in task.split.values()) - 1 if leave_one_out else len(task.split["train"])
    if k > most:
        who = "other samples of the split" if leave_one_out else "training samples"
        raise ValueError(f"'k' needs to be <= {most}, the {who} of task {task.name!r} (got {k})")
