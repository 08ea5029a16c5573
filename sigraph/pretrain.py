"""PretrainModule: (1 - lambda) L_M + lambda L_SI, and its validation on held-out edges."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import AdamW

from sigraph.data import Pairs, PretrainBatch, PretrainGraph, SampleDataset
from sigraph.encoders import Encoder, PaddedEncoder, embed
from sigraph.evaluation import edge_retrieval, label_agreement
from sigraph.files.arguments import check_flags, check_integers, check_kinds, check_numbers
from sigraph.files.random import keyed_generator, keyed_seed
from sigraph.losses import CrossBatchMemory, StructureLoss
from sigraph.machines.distributed import average, denominator, gather, joint, rank, world_size
from sigraph.machines.optimization import MakesOptimizer, MakesScheduler, check_makers, optimization
from sigraph.objectives import Objective
from sigraph.samplers import HardNegativeSampler, PairSampler
from sigraph.samplers.refresh import RefreshNegatives
from sigraph.samples import Tokens


class PretrainModule(LightningModule):
    r"""Pre-trains an encoder so that its latent space reflects a graph over the samples.

    .. math:: L_{PT} = (1 - \lambda_{SI})\, L_M + \lambda_{SI}\, L_{SI}

    Args:
        encoder: Maps each sample to its embedding; encodes every unique sample of a step once.
        structure_loss: L_SI, on embeddings and pairs.
        objective: L_M, within each sample; None: structure alone.
        structure_weight: lambda_SI in [0, 1]. None: 1.0 without an objective, else 0.1. Below 1 an objective is
            required. At 0 the structure loss is not computed, at 1 the objective is not.
        sampler: The sampler whose pairs the batches hold; needed for pairs beyond the batch: with a
            :class:`~sigraph.losses.CrossBatchMemory`, which takes it from here, and on several processes.
        optimizer: Makes the optimiser from the parameters.
        scheduler: Makes a learning-rate schedule from the optimiser, stepped once an epoch; None: constant.
        seed: Seed of what is random in the step itself (dropout); keyed by step and process, so that a resumed run is
            the same.

    Raises:
        ValueError: The weight is out of range, or below 1 without an objective; the objective cannot read what the
            encoder gives.

    On several processes (``Trainer(devices=..., strategy="ddp")``) the samples of all of them are each other's
    candidates, and every mean runs over all of them: the gradient is that of one process with all samples.
    :func:`~sigraph.pretrain_loader` gives each its share of every batch. What looks at the samples of one process only,
    as batch normalisation does without ``sync_batchnorm=True``, still differs.

    Source: McDermott et al., "Structure-inducing pre-training", Nature Machine Intelligence 2023, Eq. 1.
    """

    def __init__(
        self,
        encoder: Encoder,
        structure_loss: StructureLoss,
        objective: Objective | None = None,
        structure_weight: float | None = None,
        sampler: PairSampler | None = None,
        optimizer: MakesOptimizer = partial(AdamW, lr=1e-3),  # noqa: B008
        scheduler: MakesScheduler | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        for name, value, needed in (("encoder", encoder, Encoder), ("structure_loss", structure_loss, StructureLoss)):
            if not isinstance(value, needed):
                way = Encoder.way_from(value) if needed is Encoder else ""
                got = f"(got {type(value).__name__}){way and '; ' + way}"
                raise ValueError(f"{name!r} needs to be a sigraph {needed.__name__} {got}")
        if objective is not None and not isinstance(objective, Objective):
            raise ValueError(f"'objective' needs to be a sigraph Objective (got {type(objective).__name__})")
        if objective is not None:
            objective.check_encoder(encoder)
        if structure_weight is None:
            structure_weight = 1.0 if objective is None else 0.1
        check_numbers("PretrainModule", least=0, most=1, structure_weight=structure_weight)
        check_makers("PretrainModule", optimizer, scheduler)
        check_integers("PretrainModule", 0, seed=seed)
        if structure_weight < 1 and objective is None:
            raise ValueError(
                f"'objective' is needed in 'PretrainModule' when 'structure_weight' is below 1 (got {structure_weight})"
            )
        for loss in structure_loss.modules():
            if isinstance(loss, CrossBatchMemory) and loss.sampler is None:
                if sampler is None:
                    raise ValueError("'sampler' is needed in 'PretrainModule' with a 'CrossBatchMemory' (got None)")
                loss.sampler = sampler
        self.encoder, self.structure_loss, self.objective = encoder, structure_loss, objective
        self.structure_weight, self.sampler, self.seed = float(structure_weight), sampler, seed
        self._make_optimizer, self._make_scheduler = optimizer, scheduler
        self._num_tokens, self._since = 0, 0.0  # tokens encoded in this epoch, and when it began

    def losses(self, batch: PretrainBatch) -> dict[str, Tensor]:
        """The parts of the loss on one batch and their weighted sum under ``loss``.

        Where ``torch.distributed`` is initialised, every process has to call this with its own batch; the loss of all
        is the mean of what they get.
        """
        return self._losses(batch)[0]

    def _losses(self, batch: PretrainBatch) -> tuple[dict[str, Tensor], Pairs]:
        """The parts, and the pairs that were looked at."""
        encoding = self.encoder(batch.inputs)
        weight, pairs, parts = self.structure_weight, batch.pairs, {}
        with joint():
            if weight > 0:
                pairs, candidates = self.meet(batch.node, encoding.z, batch.pairs)
                parts["structure_loss"] = self.structure_loss(encoding.z, pairs, candidates)
                if candidates is not None:  # every process takes part in the backward pass of the gather
                    parts["structure_loss"] = parts["structure_loss"] + candidates[:0].sum()
            if weight < 1 and self.objective is not None:
                if batch.target is None:
                    raise ValueError("the batch has no target: give the objective to the StructureCollator too")
                parts["objective_loss"] = self.objective(encoding, batch.target)
        if batch.target is not None and self.objective is None:
            raise ValueError(
                "the batch was made for an objective, its samples are corrupted: give it to PretrainModule too, or not "
                "to the StructureCollator (pretrain_loader)"
            )
        for name, value in parts.items():
            if not isinstance(value, Tensor) or value.dim():
                made = self.structure_loss if name == "structure_loss" else self.objective
                got = f"shape {list(value.shape)}" if isinstance(value, Tensor) else repr(value)
                raise ValueError(f"{name} needs to be a scalar tensor, returned by '{type(made).__name__}' (got {got})")
            found = average(value)  # a NaN of one process stops all of them
            if not bool(torch.isfinite(found)):
                raise ValueError(
                    f"{name} is {found.item()} in epoch {self.current_epoch}, step {self.global_step} (samples "
                    f"{batch.node[:5].tolist()}, ...); a smaller learning rate or gradient clipping may help"
                )
        factor = {"structure_loss": weight, "objective_loss": 1 - weight}
        parts["loss"] = torch.stack([factor[name] * value for name, value in parts.items()]).sum()
        return parts, pairs

    def meet(self, node: Tensor, z: Tensor, pairs: Pairs) -> tuple[Pairs, Tensor | None]:
        """The pairs of a batch's samples with the samples of all processes, and the embeddings of these.

        Args:
            node: Ids of the batch's samples. Shape [B].
            z: Their embeddings. Shape [B, D].
            pairs: Their square pairs, kept on a single process.

        Returns:
            Pairs of the B anchors with C candidates, and the candidates' embeddings [C, D]; None on a single process.
        """
        if world_size() == 1:
            return pairs, None
        if self.sampler is None:
            raise ValueError("'sampler' is needed in 'PretrainModule' on several processes (got None)")
        candidates, everyone = gather(z, node)
        return self.sampler.pairs(node.cpu(), everyone.cpu()).to(z.device), candidates

    def training_step(self, batch: PretrainBatch, batch_idx: int) -> Tensor:
        torch.manual_seed(keyed_seed(self.seed, self.global_step, batch_idx, *([rank()] if rank() else [])))
        parts, pairs = self._losses(batch)
        num_anchors = max(pairs.num_anchors, 1)
        count = torch.bincount(pairs.positive_index[0], minlength=num_anchors)
        shown = {name: value.detach() for name, value in parts.items()}
        shown["positives_per_anchor"] = count.float().mean()
        shown["anchors_without_positive"] = (count == 0).float().mean()
        if isinstance(self.encoder, PaddedEncoder) and isinstance(batch.inputs, Tokens):
            number = len(batch.inputs.token)
            self._num_tokens += number
            shown["unpadded_share"] = count.new_tensor(number / max(self.encoder.num_padded, 1), dtype=torch.float)
        if world_size() > 1:
            with joint():  # a process counts as much as it has anchors
                share = num_anchors / denominator(torch.tensor(float(num_anchors), device=count.device))
            for name in shown.keys() - parts.keys():
                shown[name] = share * shown[name]
            means = average(torch.stack([value.float() for value in shown.values()]))  # one message, not one each
            shown = dict(zip(shown, means, strict=True))
        self.log_dict(shown, on_step=False, on_epoch=True, batch_size=batch.num_seeds, sync_dist=world_size() > 1)
        return parts["loss"]

    def on_train_epoch_start(self) -> None:
        self._num_tokens, self._since = 0, time.perf_counter()

    def on_train_epoch_end(self) -> None:
        if self._num_tokens:
            rate = self._num_tokens / max(time.perf_counter() - self._since, 1e-9)
            self.log("tokens_per_second", rate, reduce_fx=torch.sum, sync_dist=world_size() > 1)

    def setup(self, stage: str) -> None:
        if stage != "fit":
            return
        if isinstance(self.sampler, HardNegativeSampler) and not any(
            isinstance(callback, RefreshNegatives) and callback.sampler is self.sampler
            for callback in self.trainer.callbacks  # type: ignore[attr-defined]
        ):
            raise ValueError(
                "'sampler' is a HardNegativeSampler in 'PretrainModule' that nothing refreshes; give the trainer "
                "callbacks=[RefreshNegatives(dataset, sampler)]"
            )
        if self.trainer.world_size == 1:
            return
        given = f"(got {self.trainer.world_size} processes)"
        if self.trainer.world_size != world_size():
            raise ValueError(f"'strategy' needs torch.distributed for 'PretrainModule' {given}; use strategy='ddp'")
        if self.structure_weight > 0 and self.sampler is None:
            raise ValueError(
                f"'sampler' is needed in 'PretrainModule' for 'devices' > 1 {given}: it says which samples of other "
                "processes are positive; give it, or train with devices=1"
            )
        if self.structure_weight > 0 and not self.structure_loss.additive:
            raise ValueError(
                f"'devices' needs to be 1 in 'PretrainModule' {given}: '{type(self.structure_loss).__name__}' has a "
                "forward() of its own, of which several processes cannot compute a part each; write it as terms()"
            )
        # DDP waits for a gradient of every parameter that asks for one
        idle = {0.0: self.structure_loss, 1.0: self.objective}.get(self.structure_weight)
        if idle is not None:
            idle.requires_grad_(False)

    def on_fit_start(self) -> None:
        if not self.encoder.training:  # Lightning does not do this, and dropout would be off
            self.encoder.train()

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        return batch.to(device, non_blocking=True)

    def configure_optimizers(self) -> Any:
        trained = [p for p in self.parameters() if p.requires_grad]
        return optimization(trained, self._make_optimizer, self._make_scheduler)


class HeldOutValidation(Callback):
    """Validates pre-training: ranks held-out edges, and asks whether nearest neighbours share a label.

    Logs ``valid_mrr`` and ``valid_hits@k``, and ``valid_label_agreement`` when labels are given. Neither is used to
    choose anything: every arm trains for the same number of steps.

    Args:
        dataset: All samples.
        edges: Held-out edges, each once. Shape [2, M]; with none, ranking is left out.
        graph: The graph that is trained on; its edges are no competitors in the ranking.
        y: Classes, -1 where missing or not to be looked at (test labels). Shape [N]; None: no agreement.
        every: Epochs between two validations, >= 1; the last epoch is validated as well.
        max_queries: Samples at most that are ranked from, and that ask for their nearest neighbour, >= 1; above it the
            same random ones every time. All samples stay candidates, so the figures are estimates of the full ones,
            and a validation costs one pass of the encoder and O(``max_queries`` N D). None: no limit.
        seed: Seed of that choice.
        validates_last: False: whoever trains measures the last epoch afterwards, with embeddings that serve others too.
    """

    def __init__(
        self,
        dataset: SampleDataset,
        edges: Tensor,
        graph: PretrainGraph,
        y: Tensor | None = None,
        every: int = 10,
        max_queries: int | None = 10_000,
        seed: int = 0,
        validates_last: bool = True,
    ) -> None:
        check_kinds("HeldOutValidation", dataset=(dataset, SampleDataset), graph=(graph, PretrainGraph))
        check_kinds("HeldOutValidation", edges=(edges, Tensor))
        check_integers("HeldOutValidation", 1, every=every, max_queries=1 if max_queries is None else max_queries)
        check_integers("HeldOutValidation", 0, seed=seed)
        count = len(dataset)
        if edges.dim() != 2 or edges.size(0) != 2 or edges.is_floating_point():
            got = f"{edges.dtype} {list(edges.shape)}"
            raise ValueError(f"'edges' needs sample ids, [2, num_edges], in 'HeldOutValidation' (got {got})")
        if edges.numel() and (int(edges.min()) < 0 or int(edges.max()) >= count):
            got = f"[{int(edges.min())}, {int(edges.max())}]"
            raise ValueError(f"'edges' needs sample ids in [0, {count}) in 'HeldOutValidation' (got {got})")
        if graph.num_nodes != count:
            got = f"{graph.num_nodes} nodes, {count} samples"
            raise ValueError(f"'graph' needs one node per sample in 'HeldOutValidation' (got {got})")
        if y is not None and (not isinstance(y, Tensor) or y.shape != (count,) or y.is_floating_point()):
            got = f"{y.dtype} {list(y.shape)}" if isinstance(y, Tensor) else type(y).__name__
            raise ValueError(f"'y' needs integer classes, a tensor [{count}], in 'HeldOutValidation' (got {got})")
        check_flags("HeldOutValidation", validates_last=validates_last)
        self.dataset, self.edges, self.graph, self.y, self.every = dataset, edges, graph, y, every
        self.validates_last = validates_last
        self.ends = _some(edges.flatten().unique(), max_queries, seed)
        self.asking = None if y is None else _some((y >= 0).nonzero().view(-1), max_queries, seed)
        self.history: list[dict[str, float]] = []

    def measure(self, encoder: Encoder, z: Tensor | None = None) -> dict[str, float]:
        """The validation figures of an encoder as it is.

        Args:
            encoder: It embeds the samples.
            z: What it gives for them, if that is known. Shape [N, D].
        """
        z = embed(encoder, self.dataset) if z is None else z
        figures = {}
        if self.edges.size(1):
            figures = {f"valid_{k}": v for k, v in edge_retrieval(z, self.edges, self.graph, query=self.ends).items()}
        if self.y is not None and int((self.y >= 0).sum()) > 1:
            figures["valid_label_agreement"] = label_agreement(z, self.y, self.asking)
        return figures

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        epoch = trainer.current_epoch + 1
        if epoch == trainer.max_epochs:
            if not self.validates_last:
                return
        elif epoch % self.every:
            return
        figures = self.measure(pl_module.encoder)  # type: ignore[arg-type]
        pl_module.log_dict(figures)
        self.history.append({"epoch": epoch, **figures})

    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history = list(state_dict["history"])


def _some(nodes: Tensor, most: int | None, seed: int) -> Tensor | None:
    """At most ``most`` of the nodes, the same ones for a seed; None: all of them."""
    if most is None or nodes.numel() <= most:
        return None
    return nodes[torch.randperm(nodes.numel(), generator=keyed_generator(seed))[:most]]
