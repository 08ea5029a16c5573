"""FinetuneSettings: how a task is fine-tuned, checked before anything trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor
from torch.optim import AdamW

from sigraph.files.arguments import check_choices, check_flags, check_integers, check_numbers
from sigraph.machines.optimization import MakesOptimizer, MakesScheduler, check_makers
from sigraph.tasks.kinds import check_class_weight, check_label_smoothing

HEADS = ("linear", "full", "knn")
PAIRS = ("hadamard", "concatenate", "dot")


@dataclass
class FinetuneSettings:
    """How a task is fine-tuned.

    Args:
        head: ``linear``: a linear probe on frozen embeddings; ``full``: encoder and linear head train together;
            ``knn``: the classes of the nearest training samples by cosine, nothing trains (one label a sample).
        optimizer, scheduler: As in :class:`FinetuneModule`.
        max_epochs: Epochs at most, >= 1.
        patience: Epochs without a better validation score before training stops, >= 1.
        batch_size: Items of the task (samples, pairs) a step; None: all training items at once, as far as they fit
            (:mod:`~sigraph.samples.batches`).
        k: Neighbours asked by ``knn``, >= 1.
        dropout: Dropout on the embedding before the head, in [0, 1].
        normalize: Scale embeddings to unit length before the head, as losses on cosines do.
        leave_one_out: With ``knn`` every validated or tested sample asks all other samples of the split, itself left
            out, instead of the training samples alone.
        pair: What a head reads of a pair of samples: ``hadamard``, the product of their embeddings, number by number;
            ``concatenate``, one behind the other where the relation is directed, else their sum and the size of their
            difference; ``dot``, their inner product. None: ``hadamard`` where the relation is undirected, else
            ``concatenate``. For tasks of pairs alone.
        class_weight: Weight of each class (or of the 1s of each label column) in the loss: a list, or ``balanced``:
            all classes count the same, and so do both answers of a label column. None: every label counts the same.
        label_smoothing: Share of a label that is spread over all classes, in [0, 1).
        converged: With ``linear``: the minimum of the loss plus an L2 penalty, found by scikit-learn; the strength is
            chosen by validation among those of :data:`~sigraph.evaluation.probe.STRENGTHS`. ``optimizer``,
            ``scheduler``, ``max_epochs``, ``patience`` and ``batch_size`` do not act.
        encoder_lr_scale: With ``full``: learning rate of the encoder's highest layer, as a share of the head's, > 0.
        layer_decay: With ``full``: by which the learning rate of each layer of the encoder is that of the one above, in
            (0, 1] (:mod:`~sigraph.machines.layer_rates`).
        freeze_epochs: With ``full``: epochs at first in which the head trains alone, >= 0 and below ``max_epochs``;
            ``patience`` counts from their end.
    """

    head: str = "linear"
    optimizer: MakesOptimizer = partial(AdamW, lr=1e-2)  # noqa: RUF009
    scheduler: MakesScheduler | None = None
    max_epochs: int = 300
    patience: int = 50
    batch_size: int | None = None
    k: int = 5
    dropout: float = 0.0
    normalize: bool = False
    leave_one_out: bool = False
    pair: str | None = None
    class_weight: str | Sequence[float] | Tensor | None = None
    label_smoothing: float = 0.0
    converged: bool = False
    encoder_lr_scale: float = 1.0
    layer_decay: float = 1.0
    freeze_epochs: int = 0

    def __post_init__(self) -> None:
        check_choices("FinetuneSettings", HEADS, head=self.head)
        check_makers("FinetuneSettings", self.optimizer, self.scheduler)
        check_integers("FinetuneSettings", 1, max_epochs=self.max_epochs, patience=self.patience, k=self.k)
        check_integers("FinetuneSettings", 1, batch_size=1 if self.batch_size is None else self.batch_size)
        check_numbers("FinetuneSettings", least=0, most=1, dropout=self.dropout)
        check_flags("FinetuneSettings", normalize=self.normalize, leave_one_out=self.leave_one_out)
        if self.leave_one_out and self.head != "knn":
            raise ValueError(f"'leave_one_out' needs 'head' knn (got {self.head!r})")
        if self.pair is not None:
            check_choices("FinetuneSettings", PAIRS, pair=self.pair)
        check_class_weight(self.class_weight, "FinetuneSettings")
        check_label_smoothing(self.label_smoothing, "FinetuneSettings")
        check_flags("FinetuneSettings", converged=self.converged)
        check_numbers("FinetuneSettings", above=0, encoder_lr_scale=self.encoder_lr_scale)
        check_numbers("FinetuneSettings", above=0, most=1, layer_decay=self.layer_decay)
        check_integers("FinetuneSettings", 0, freeze_epochs=self.freeze_epochs)
        of_full = {"encoder_lr_scale": self.encoder_lr_scale != 1, "layer_decay": self.layer_decay != 1}
        of_full["freeze_epochs"] = self.freeze_epochs > 0
        if self.head != "full" and any(of_full.values()):
            name = next(name for name, acts in of_full.items() if acts)
            raise ValueError(
                f"{name!r} acts with 'head' full, where the encoder trains (got {self.head!r}); leave it out"
            )
        if self.freeze_epochs >= self.max_epochs:
            got = f"{self.freeze_epochs} of {self.max_epochs}"
            raise ValueError(f"'freeze_epochs' needs to be below 'max_epochs', or the encoder never trains (got {got})")
        acts = {"pair": self.pair, "class_weight": self.class_weight, "label_smoothing": self.label_smoothing or None}
        idle = [name for name, value in acts.items() if value is not None] if self.head == "knn" else []
        if idle:
            raise ValueError(f"{idle[0]!r} does not act with 'head' knn, where nothing trains; leave it out")
        if self.converged and (self.head != "linear" or self.label_smoothing or self.dropout):
            got = f"{self.head!r}, label_smoothing {self.label_smoothing}, dropout {self.dropout}"
            raise ValueError(f"'converged' needs 'head' linear without 'label_smoothing' and 'dropout' (got {got})")
