"""The head ``knn``: labels of the nearest samples, nothing trains."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.data import SampleDataset
from sigraph.encoders import Encoder, embed
from sigraph.evaluation import neighbor_prediction
from sigraph.tasks import Task


def nearest_predictions(
    encoder: Encoder, dataset: SampleDataset, task: Task, k: int, leave_one_out: bool = False, test: bool = True
) -> dict[str, Tensor]:
    """Votes (classes) or means (labels, regression) of the nearest samples by cosine.

    Where the metric ranks by the second of two classes, the share of votes for it in place of the class.

    Args:
        encoder: Embeds the samples.
        dataset: The task's samples.
        task: Labels and split.
        k: How many neighbours.
        leave_one_out: Ask all samples of the split but the one itself; else the training samples.
        test: Whether to predict the test samples, too.

    Returns:
        ``valid`` and ``test``: predictions for their samples, as the evaluator takes them.
    """
    check_neighbors(task, k, leave_one_out)
    labels = task.labels
    if task.type == "multilabel":
        labels = labels.float()
    elif task.is_ranking or task.type == "regression":
        labels = labels.double()  # means: the share of votes for the second class, or the targets'
    asked = ["valid", "test"] if test else ["valid"]
    if leave_one_out:
        ids = torch.cat(list(task.split.values()))
        everyone = neighbor_prediction(embed(encoder, dataset, ids), labels[ids], k)
        sizes = [len(part) for part in task.split.values()]
        parts = dict(zip(task.split, torch.split(everyone, sizes), strict=True))
        return {part: parts[part] for part in asked}
    train = task.split["train"]
    z = embed(encoder, dataset, train)
    return {part: neighbor_prediction(z, labels[train], k, embed(encoder, dataset, task.split[part])) for part in asked}


def check_neighbors(task: Task, k: int, leave_one_out: bool = False) -> None:
    """Refuse more neighbours than there are samples to ask.

    Raises:
        ValueError: ``k`` is too large; says how many there are.
    """
    most = sum(len(part) for part in task.split.values()) - 1 if leave_one_out else len(task.split["train"])
    if k > most:
        who = "other samples of the split" if leave_one_out else "training samples"
        raise ValueError(f"'k' needs to be <= {most}, the {who} of task {task.name!r} (got {k})")
