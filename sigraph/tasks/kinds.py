"""Kinds of labels - classes, label columns, numbers: what missing means, how wide a prediction is, what it loses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sigraph.files.arguments import check_numbers, is_number


class LossSettings(NamedTuple):
    """What a loss weighs labels with.

    Args:
        class_weight: Weight of each class (or of the 1s of each label column). Shape [C]; None: all the same.
        label_smoothing: Share of a label that is spread over all classes, in [0, 1).
        target_scale: Divides errors of numbers before they are squared, > 0, so that a loss is the same in any unit.
    """

    class_weight: Tensor | None = None
    label_smoothing: float = 0.0
    target_scale: float = 1.0


class LabelKind(ABC):
    """What all labels of one type have in common; one for each type, see :data:`KINDS`."""

    type: ClassVar[str]
    missing: ClassVar[float]  # what stands for a label that is not known

    @abstractmethod
    def width(self, y: Tensor) -> int:
        """Numbers of a prediction."""

    @abstractmethod
    def is_labelled(self, y: Tensor) -> Tensor:
        """Which rows carry a label. bool [N]"""

    @abstractmethod
    def loss(self, predicted: Tensor, y: Tensor, settings: LossSettings) -> Tensor:
        """Mean loss over known labels; 0 where none is. Shape [n, width], [n] or [n, width] -> scalar."""

    @abstractmethod
    def votes(self, y: Tensor, as_shares: bool) -> Tensor:
        """Labels as nearest neighbours vote with them: classes, or what shares and means are taken of."""

    def hidden(self, y: Tensor, shown: Tensor) -> Tensor:
        """The labels of the rows ``shown`` (ids), missing elsewhere; where -1 cannot mean missing, in floats."""
        y = y if self.type == "classification" or y.is_floating_point() else y.float()
        out = torch.full_like(y, self.missing)
        out[shown] = y[shown]
        return out

    def unit(self, y: Tensor) -> TargetUnit | None:
        """What brings predictions into the unit of training labels; None: they have none."""
        return None

    def loss_settings(
        self, train: Tensor, width: int, class_weight: Any, label_smoothing: float, owner: str
    ) -> LossSettings:
        """Settings of the loss, from what a user asks for and the training labels.

        Args:
            train: Training labels, missing ones among them.
            width: Numbers of a prediction.
            class_weight: None, ``balanced`` or a weight for each class (label column).
            label_smoothing: In [0, 1).
            owner: Whose, for messages.

        Raises:
            ValueError: Numbers have no classes to weigh or smooth; weights are not one a class, or not above 0.
        """
        check_label_smoothing(label_smoothing, owner)
        if class_weight is None:
            return LossSettings(None, label_smoothing)
        if isinstance(class_weight, str):
            if class_weight != "balanced":
                raise ValueError(
                    f"'class_weight' needs to be None, 'balanced' or a list in {owner} (got {class_weight!r})"
                )
            return LossSettings(self.balance(train, width), label_smoothing)
        given = class_weight.tolist() if isinstance(class_weight, Tensor) else list(class_weight)
        if len(given) != width or not all(is_number(one) and 0 < one < float("inf") for one in given):
            what = "class" if self.type == "classification" else "label column"
            raise ValueError(
                f"'class_weight' needs a number > 0 for each {what}, {width:,}, of {owner} (got {given!s:.60})"
            )
        return LossSettings(torch.tensor(given, dtype=torch.float32), label_smoothing)

    @abstractmethod
    def balance(self, train: Tensor, width: int) -> Tensor:
        """Weights under which all classes (both answers of each label column) count the same. Shape [width]."""


class Classes(LabelKind):
    """1-D integers, -1 missing; cross-entropy over a score for each class."""

    type = "classification"
    missing = -1

    def width(self, y: Tensor) -> int:
        return int(y.max()) + 1 if y.numel() else 0

    def is_labelled(self, y: Tensor) -> Tensor:
        return y >= 0

    def loss(self, predicted: Tensor, y: Tensor, settings: LossSettings) -> Tensor:
        y = y.long()
        if not bool((y >= 0).any()):
            return predicted.sum() * 0.0
        weight = None if settings.class_weight is None else settings.class_weight.to(predicted)
        return F.cross_entropy(predicted, y, weight, ignore_index=-1, label_smoothing=settings.label_smoothing)

    def votes(self, y: Tensor, as_shares: bool) -> Tensor:
        if not as_shares:
            return y
        if self.width(y) == 2:
            return y.double()  # means are the share of votes for the second class
        return F.one_hot(y.clamp(min=0).long(), self.width(y)).double().masked_fill(y[:, None] < 0, torch.nan)

    def balance(self, train: Tensor, width: int) -> Tensor:
        count = train[train >= 0].long().bincount(minlength=width)
        return count.sum() / ((count > 0).sum() * count.clamp(min=1)).float()  # as scikit-learn's; absent ones: unused


class Columns(LabelKind):
    """2-D of 0 and 1, NaN missing; binary cross-entropy over a score for each column."""

    type = "multilabel"
    missing = float("nan")

    def width(self, y: Tensor) -> int:
        return y.size(1)

    def is_labelled(self, y: Tensor) -> Tensor:
        return ~torch.isnan(y).all(dim=1) if y.is_floating_point() else torch.ones(len(y), dtype=torch.bool)

    def loss(self, predicted: Tensor, y: Tensor, settings: LossSettings) -> Tensor:
        known = ~torch.isnan(y.float())
        if not bool(known.any()):
            return predicted.sum() * 0.0
        target = y[known].float()
        if settings.label_smoothing:
            target = target * (1 - settings.label_smoothing) + settings.label_smoothing / 2
        weight = settings.class_weight
        if weight is not None:
            weight = weight.to(predicted).expand_as(predicted)[known]
        return F.binary_cross_entropy_with_logits(predicted[known], target, pos_weight=weight)

    def votes(self, y: Tensor, as_shares: bool) -> Tensor:
        return y.float()

    def balance(self, train: Tensor, width: int) -> Tensor:
        ones, zeros = (train == 1).sum(dim=0), (train == 0).sum(dim=0)
        return torch.where((ones > 0) & (zeros > 0), zeros / ones.clamp(min=1), 1.0).float()


class Numbers(LabelKind):
    """1-D floats, NaN missing; squared error in units of the training labels.

    Differences of predictions and targets are taken in float64, so that targets keep the digits they have.
    """

    type = "regression"
    missing = float("nan")

    def width(self, y: Tensor) -> int:
        return 1

    def is_labelled(self, y: Tensor) -> Tensor:
        return ~torch.isnan(y) if y.is_floating_point() else torch.ones(len(y), dtype=torch.bool)

    def loss(self, predicted: Tensor, y: Tensor, settings: LossSettings) -> Tensor:
        found = wide(predicted).view(-1)
        target = wide(y).to(found.device)
        known = ~torch.isnan(target)
        if not bool(known.all()):
            found, target = found[known], target[known]
        if not target.numel():
            return predicted.sum() * 0.0
        return ((found - target) / settings.target_scale).float().square().mean()

    def votes(self, y: Tensor, as_shares: bool) -> Tensor:
        return y.double()

    def unit(self, y: Tensor) -> TargetUnit | None:
        return TargetUnit(y)

    def loss_settings(
        self, train: Tensor, width: int, class_weight: Any, label_smoothing: float, owner: str
    ) -> LossSettings:
        for name, is_set in (("class_weight", class_weight is not None), ("label_smoothing", label_smoothing != 0)):
            if is_set:
                raise ValueError(f"{name!r} needs classes or label columns, but {owner} predicts numbers; leave it out")
        return LossSettings(target_scale=TargetUnit(train).scale)

    def balance(self, train: Tensor, width: int) -> Tensor:
        raise ValueError("numbers have no classes to balance")


class TargetUnit(nn.Module):
    """From standard scores to the unit of the training labels: years, dollars or degrees train alike.

    In float64: seconds since 1970 differ by less than what float32 rounds there.

    Args:
        y: Training labels, NaN missing. Shape [n].
    """

    def __init__(self, y: Tensor) -> None:
        super().__init__()
        known = y[~torch.isnan(y)].double()
        self.mean = float(known.mean()) if known.numel() else 0.0
        self.scale = (float((known - self.mean).square().mean().sqrt()) if known.numel() else 0.0) or 1.0

    @classmethod
    def of(cls, mean: float, scale: float) -> TargetUnit:
        """Of a mean and a standard deviation that are known already."""
        unit = cls(torch.empty(0))
        unit.mean, unit.scale = mean, scale
        return unit

    def forward(self, score: Tensor) -> Tensor:
        return wide(score) * self.scale + self.mean

    def extra_repr(self) -> str:
        return f"mean={self.mean:g}, scale={self.scale:g}"


KINDS: dict[str, LabelKind] = {kind.type: kind for kind in (Classes(), Columns(), Numbers())}


def label_type(y: Tensor) -> str:
    """The type of a label tensor by its shape and dtype.

    Args:
        y: 1-D integer = classes (-1 missing); 1-D float = regression (NaN missing); 2-D = multi-label in {0, 1}
            (NaN missing).

    Raises:
        ValueError: ``y`` has another shape.
    """
    if y.dim() == 2:
        return "multilabel"
    if y.dim() == 1:
        return "regression" if y.is_floating_point() else "classification"
    raise ValueError(f"'y' needs to be 1-D (classes, regression) or 2-D (multi-label) (got shape {list(y.shape)})")


def is_labelled(y: Tensor) -> Tensor:
    """Which samples carry a label (multi-label: at least one column that is not missing). Shape [N] bool."""
    return KINDS[label_type(y)].is_labelled(y)


def check_label_smoothing(value: Any, owner: str) -> None:
    """Refuse what is no share in [0, 1)."""
    check_numbers(owner, least=0, label_smoothing=value)
    if value >= 1:
        raise ValueError(f"'label_smoothing' needs to be in [0, 1) in {owner!r} (got {value})")


def check_class_weight(value: Any, owner: str) -> None:
    """Refuse what is none of None, ``balanced`` and a list of numbers; how many there need to be, a task knows."""
    is_list = isinstance(value, Tensor) or (isinstance(value, Sequence) and not isinstance(value, str))
    if not (value is None or value == "balanced" if not is_list else len(value) > 0):
        raise ValueError(
            f"'class_weight' needs to be None, 'balanced' or a weight for each class in {owner!r} (got {value!r:.40})"
        )


def wide(value: Tensor) -> Tensor:
    """In float64, on the CPU where the device has none."""
    return (value.cpu() if value.device.type == "mps" else value).double()
