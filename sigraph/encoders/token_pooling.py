"""TokenPooling: the states of a sequence's tokens -> one embedding."""

from __future__ import annotations

from torch import Tensor, nn

POOLINGS = ("mean", "max", "cls", "attention")


class TokenPooling(nn.Module):
    """One embedding of each sequence; what lies behind its end plays no part.

    Args:
        kind: ``mean`` or ``max`` over all tokens, special ones too; ``cls``, the first one; ``attention``, a mean whose
            weights a linear map of each state learns.
        channels: D.

    Shapes:
        - **state:** [B, L, D].  **is_real:** bool [B, L], the first true in every row  ->  [B, D]
    """

    def __init__(self, kind: str, channels: int) -> None:
        super().__init__()
        self.kind = kind
        self.gate = nn.Linear(channels, 1) if kind == "attention" else None

    def forward(self, state: Tensor, is_real: Tensor) -> Tensor:
        if self.kind == "cls":
            return state[:, 0]
        shown = is_real[:, :, None]
        if self.kind == "max":
            return state.masked_fill(~shown, float("-inf")).max(dim=1).values
        if self.gate is not None:
            weight = self.gate(state).masked_fill(~shown, float("-inf")).softmax(dim=1)
            return (weight * state.masked_fill(~shown, 0)).sum(dim=1)
        return state.masked_fill(~shown, 0).sum(dim=1) / shown.sum(dim=1)
