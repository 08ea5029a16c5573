"""PretrainModule: (1 - lambda) L_M + lambda L_SI, and its validation on held-out edges."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from sigraph.data import PretrainBatch, PretrainGraph, SampleDataset
from sigraph.data.random import keyed_seed
from sigraph.encoders import Encoder, embed
from sigraph.evaluation import edge_retrieval, label_agreement
from sigraph.losses import StructureLoss
from sigraph.objectives import Objective
from sigraph.samplers import PairSampler


class PretrainModule(LightningModule):
    r"""Pre-trains an encoder so that its latent space reflects a graph over the samples.

    .. math:: L_{PT} = (1 - \lambda_{SI})\, L_M + \lambda_{SI}\, L_{SI}

    Args:
        encoder: Maps each sample to its embedding; encodes every unique sample of a step once.
        structure_loss: L_SI, on embeddings and pairs.
        objective: L_M, within each sample; None: structure alone.
        structure_weight: lambda_SI in [0, 1]. None: 1.0 without an objective, else 0.1. Below 1 an objective is
            required. At 0 the structure loss is not computed, at 1 the objective is not.
        sampler: The sampler whose pairs the batches hold; kept for losses that need pairs beyond the step.
        optimizer: Makes the optimiser from the parameters.
        scheduler: Makes a learning-rate schedule from the optimiser, stepped once an epoch; None: constant.
        seed: Seed of what is random in the step itself (dropout); keyed by step, so that a resumed run is the same.

    Raises:
        ValueError: The weight is out of range, or below 1 without an objective.

    Source: McDermott et al., "Structure-inducing pre-training", Nature Machine Intelligence 2023, Eq. 1.
    """

    def __init__(
        self,
        encoder: Encoder,
        structure_loss: StructureLoss,
        objective: Objective | None = None,
        structure_weight: float | None = None,
        sampler: PairSampler | None = None,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer] = partial(AdamW, lr=1e-3),  # noqa: B008
        scheduler: Callable[[Optimizer], LRScheduler] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        for name, value, needed in (("encoder", encoder, Encoder), ("structure_loss", structure_loss, StructureLoss)):
            if not isinstance(value, needed):
                raise ValueError(f"{name!r} needs to be a sigraph {needed.__name__} (got {type(value).__name__})")
        if objective is not None and not isinstance(objective, Objective):
            raise ValueError(f"'objective' needs to be a sigraph Objective (got {type(objective).__name__})")
        if structure_weight is None:
            structure_weight = 1.0 if objective is None else 0.1
        if not 0 <= structure_weight <= 1:
            raise ValueError(f"'structure_weight' needs to be in [0, 1] in 'PretrainModule' (got {structure_weight})")
        if structure_weight < 1 and objective is None:
            raise ValueError(
                f"'objective' is needed in 'PretrainModule' when 'structure_weight' is below 1 (got {structure_weight})"
            )
        self.encoder, self.structure_loss, self.objective = encoder, structure_loss, objective
        self.structure_weight, self.sampler, self.seed = float(structure_weight), sampler, seed
        self._make_optimizer, self._make_scheduler = optimizer, scheduler

    def losses(self, batch: PretrainBatch) -> dict[str, Tensor]:
        """The parts of the loss on one batch and their weighted sum under ``loss``."""
        encoding = self.encoder(batch.inputs)
        weight, parts = self.structure_weight, {}
        if weight > 0:
            parts["structure_loss"] = self.structure_loss(encoding.z, batch.pairs)
        if weight < 1 and self.objective is not None:
            if batch.target is None:
                raise ValueError("the batch has no target: give the objective to the StructureCollator too")
            parts["objective_loss"] = self.objective(encoding, batch.target)
        for name, value in parts.items():
            if not bool(torch.isfinite(value)):
                raise ValueError(
                    f"{name} is {value.item()} in epoch {self.current_epoch}, step {self.global_step} (samples "
                    f"{batch.node[:5].tolist()}, ...); a smaller learning rate or gradient clipping may help"
                )
        factor = {"structure_loss": weight, "objective_loss": 1 - weight}
        parts["loss"] = torch.stack([factor[name] * value for name, value in parts.items()]).sum()
        return parts

    def training_step(self, batch: PretrainBatch, batch_idx: int) -> Tensor:
        torch.manual_seed(keyed_seed(self.seed, self.global_step, batch_idx))
        parts = self.losses(batch)
        num_anchors = max(batch.pairs.num_anchors, 1)
        count = torch.bincount(batch.pairs.positive_index[0], minlength=num_anchors)
        shown = {name: value.detach() for name, value in parts.items()}
        shown["positives_per_anchor"] = count.float().mean()
        shown["anchors_without_positive"] = (count == 0).float().mean()
        self.log_dict(shown, on_step=False, on_epoch=True, batch_size=batch.num_seeds)
        return parts["loss"]

    def on_fit_start(self) -> None:
        if self.trainer.world_size > 1:
            raise ValueError(
                f"'devices' needs to be 1 in 'PretrainModule' (got {self.trainer.world_size} processes): negatives are "
                "not gathered over processes yet, so more of them would train another loss"
            )
        if not self.encoder.training:  # Lightning does not do this, and dropout would be off
            self.encoder.train()

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return batch.to(device, non_blocking=True)

    def configure_optimizers(self) -> Any:
        optimizer = self._make_optimizer([p for p in self.parameters() if p.requires_grad])
        if self._make_scheduler is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": self._make_scheduler(optimizer)}


class HeldOutValidation(Callback):
    """Validates pre-training: ranks held-out edges, and asks whether nearest neighbours share a label.

    Logs ``valid_mrr`` and ``valid_hits@k``, and ``valid_label_agreement`` when labels are given. Neither is used to
    choose anything: every arm trains for the same number of steps.

    Args:
        dataset: All samples.
        edges: Held-out edges, each once. Shape [2, M]; with none, ranking is left out.
        graph: The graph that is trained on; its edges are no competitors in the ranking.
        y: Classes, -1 where missing or not to be looked at (test labels). Shape [N]; None: no agreement.
        every: Epochs between two validations, >= 1; the last epoch is always validated.
    """

    def __init__(
        self,
        dataset: SampleDataset,
        edges: Tensor,
        graph: PretrainGraph,
        y: Tensor | None = None,
        every: int = 10,
    ) -> None:
        if every < 1:
            raise ValueError(f"'every' needs to be >= 1 in 'HeldOutValidation' (got {every})")
        self.dataset, self.edges, self.graph, self.y, self.every = dataset, edges, graph, y, every
        self.history: list[dict[str, float]] = []

    def measure(self, encoder: Encoder) -> dict[str, float]:
        """The validation figures of an encoder as it is."""
        z = embed(encoder, self.dataset)
        figures = {}
        if self.edges.size(1):
            figures = {f"valid_{k}": v for k, v in edge_retrieval(z, self.edges, self.graph).items()}
        if self.y is not None and int((self.y >= 0).sum()) > 1:
            figures["valid_label_agreement"] = label_agreement(z, self.y)
        return figures

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        epoch = trainer.current_epoch + 1
        if epoch % self.every and epoch != trainer.max_epochs:
            return
        figures = self.measure(pl_module.encoder)  # type: ignore[arg-type]
        pl_module.log_dict(figures)
        self.history.append({"epoch": epoch, **figures})

    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history = list(state_dict["history"])
