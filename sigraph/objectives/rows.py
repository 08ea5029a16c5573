"""How far predicted rows of features are from the rows as they were."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

ROW_LOSSES = ("mse", "bce", "words")


def row_loss(
    predicted: Tensor, value: Tensor, loss: str, owner: str, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The sum of a loss over entries, and over how many, or over how much weight of words, it runs.

    Args:
        predicted: Numbers for ``mse``, logits for ``bce``, scores of a softmax over the row for ``words``. [S, F].
        value: The rows as they were. [S, F].
        loss: ``mse``, ``bce`` or ``words``.
        owner: Class whose loss it is, for messages.
        mask: Which entries count, bool [S, F]; None: all.

    Raises:
        ValueError: The rows are not what the loss is for.
    """
    if loss != "mse" and bool((value < 0).any() | ((loss == "bce") & (value > 1).any())):
        needed = "in [0, 1]" if loss == "bce" else ">= 0"
        raise ValueError(f"'loss' {loss} needs features {needed} in {owner!r}; use loss: mse")
    if loss == "words":
        amount = value if mask is None else value * mask  # [S, F] counts
        return -(amount * predicted.log_softmax(dim=1)).sum(), amount.sum()
    measure = F.binary_cross_entropy_with_logits if loss == "bce" else F.mse_loss
    entry = measure(predicted, value, reduction="none")
    if mask is None:
        return entry.sum(), torch.tensor(float(entry.numel()), device=entry.device)
    return (entry * mask).sum(), mask.sum()
