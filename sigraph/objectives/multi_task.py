"""MultiTask: predict the labels of training samples, of several tasks at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sigraph.encoders import Encoding
from sigraph.files.arguments import check_flags, check_integers, shown
from sigraph.files.memory import check_fits
from sigraph.files.suggestions import did_you_mean
from sigraph.objectives.base import Objective
from sigraph.tasks.kinds import KINDS
from sigraph.tasks.seen_labels import SeenLabels

Labels = tuple[Tensor, ...]  # of the samples of a step, a tensor for each task


class MultiTask(Objective):
    r"""Supervised pre-training: a linear head for each task predicts its labels from the embedding.

    .. math:: L_M = \frac{1}{T} \sum_t \frac{1}{|K_t|} \sum_{i \in K_t} \ell_t(W_t z_i + b_t,\; y_{it})

    over the known labels K_t of each task's train split: the cross-entropy for classes, the binary one for label
    columns, each column by itself, the squared error in units of the labels for numbers.

    Args:
        labels: What may be seen of the labels, by task; filled in from the data set: of the samples that pre-training
            may see, those of each task's train split.
        encoder_channels: D, width of the embedding.
        tasks: Names of the tasks; None: all whose labels are of samples. They may be tasks that are fine-tuned
            afterwards: the record says that labels were used, and an arm without is no baseline of one with.
        all_samples: Predict for every sample of the step instead of the seed samples only.

    Shapes:
        - **inputs:** any samples  ->  the same, and the labels of S of them.  **returns:** scalar, >= 0.

    Samples without a label play no part in its mean.

    Source: the supervised pre-training of Hu et al., "Strategies for Pre-training Graph Neural Networks", ICLR 2020,
    section 3.2.1; as L_M in McDermott et al. 2023. Differs in: tasks of any type, each with the same weight.

    Guide:
        reads: any samples
        predicts: labels of training samples, of several tasks
    """

    def __init__(
        self,
        labels: Mapping[str, SeenLabels],
        encoder_channels: int,
        tasks: list[str] | None = None,
        all_samples: bool = False,
    ) -> None:
        super().__init__()
        name = "MultiTask"
        check_integers(name, 1, encoder_channels=encoder_channels)
        check_flags(name, all_samples=all_samples)
        if not isinstance(labels, Mapping) or not all(isinstance(one, SeenLabels) for one in labels.values()):
            raise ValueError(
                f"'labels' needs a mapping of tasks to sigraph.tasks.SeenLabels in {name!r} (got {shown(labels)}); in "
                "a YAML it is filled in"
            )
        is_list = isinstance(tasks, Sequence) and not isinstance(tasks, str) and len(tasks) > 0
        if tasks is not None and not is_list:
            raise ValueError(f"'tasks' needs a list of names, or null, in {name!r} (got {shown(tasks)})")
        names = list(labels) if tasks is None else list(dict.fromkeys(tasks))
        if not names:
            raise ValueError(f"{name!r} needs a data set with a task whose labels are of samples (got none)")
        for task in names:
            if task not in labels:
                known = ", ".join(map(repr, labels)) or "none"
                raise ValueError(
                    f"'tasks' of {name!r} names {task!r}, which is no task of samples{did_you_mean(str(task), labels)} "
                    f"(there are: {known})"
                )
            if not bool(KINDS[labels[task].type].is_labelled(labels[task].y).any()):
                raise ValueError(
                    f"'tasks' of {name!r} names {task!r}, of which pre-training may see no label; leave it out"
                )
        self.tasks, self.all_samples = names, all_samples
        self.labels = {task: labels[task] for task in names}
        width = sum(one.num_outputs for one in self.labels.values())
        check_fits(name, 4 * encoder_channels * width, encoder_channels=encoder_channels)
        self.heads = nn.ModuleList(_head(one, encoder_channels) for one in self.labels.values())
        self.settings = [
            KINDS[one.type].loss_settings(one.y, one.num_outputs, None, 0.0, f"task {task!r}")
            for task, one in self.labels.items()
        ]

    def corrupt(
        self, inputs: Any, node: Tensor, num_seeds: int, generator: torch.Generator | None = None
    ) -> tuple[Any, Labels]:
        chosen = node if self.all_samples else node[:num_seeds]
        return inputs, tuple(one.y[chosen] for one in self.labels.values())

    def forward(self, encoding: Encoding, target: Labels) -> Tensor:
        losses = []
        for one, y, head, settings in zip(self.labels.values(), target, self.heads, self.settings, strict=True):
            kind = KINDS[one.type]
            known = ~torch.isnan(y) if y.is_floating_point() else y >= 0
            count = known.sum().float()
            losses.append(self.mean(kind.loss(head(encoding.z[: len(y)]), y, settings).float() * count, count))
        return torch.stack(losses).mean()


def _head(labels: SeenLabels, channels: int) -> nn.Module:
    linear, unit = nn.Linear(channels, labels.num_outputs), KINDS[labels.type].unit(labels.y)
    return linear if unit is None else nn.Sequential(linear, unit)
