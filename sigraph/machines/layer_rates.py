"""Learning rates by layer: what was pre-trained moves less than a new head, the lowest layers least; or later."""

from __future__ import annotations

from collections.abc import Iterable

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import nn
from torch.optim import Optimizer

from sigraph.machines.layers import layers_of
from sigraph.machines.optimization import MakesOptimizer


def by_layer(optimizer: MakesOptimizer, encoder: nn.Module, scale: float, decay: float) -> MakesOptimizer:
    r"""An optimiser's maker that lowers the learning rate of an encoder's layers.

    .. math:: \eta_l = \eta \cdot s \cdot d^{\,L - l}, \qquad l = 1, \dots, L

    Args:
        optimizer: Makes the optimiser, with the rate :math:`\eta` that all other parameters have.
        encoder: Its :math:`L` layers are those of :func:`layers_of`.
        scale: :math:`s` > 0.
        decay: :math:`d`, in (0, 1].

    Returns:
        ``optimizer`` itself where both are 1.

    Source: layer-wise decay as in Clark et al., "ELECTRA", ICLR 2020.
    """
    if scale == 1 and decay == 1:
        return optimizer
    named, layers = dict(encoder.named_parameters()), layers_of(encoder)
    rate = {
        id(named[name]): scale * decay ** (len(layers) - number)
        for number, names in enumerate(layers, start=1)
        for name in names
    }

    def make(parameters: Iterable[nn.Parameter]) -> Optimizer:
        groups: dict[float, list[nn.Parameter]] = {}
        for parameter in parameters:
            groups.setdefault(rate.get(id(parameter), 1.0), []).append(parameter)
        made = optimizer([{"params": some} for some in groups.values()])  # type: ignore[misc]
        for group, factor in zip(made.param_groups, groups, strict=True):
            group["lr"] = group["lr"] * factor
        return made

    return make


class FreezeFirst(Callback):
    """Holds a part of a module still, in evaluation mode, for the first epochs of a training.

    Args:
        part: Of the module that trains.
        num_epochs: >= 1.
    """

    def __init__(self, part: nn.Module, num_epochs: int) -> None:
        self.part, self.num_epochs = part, num_epochs
        self._trained = [parameter for parameter in part.parameters() if parameter.requires_grad]

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.current_epoch < self.num_epochs:
            self._let_move(False)
            self.part.eval()
        elif trainer.current_epoch == self.num_epochs:
            self._let_move(True)
            self.part.train()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._let_move(True)

    def _let_move(self, moves: bool) -> None:
        for parameter in self._trained:
            parameter.requires_grad_(moves)
            if not moves:
                parameter.grad = None
