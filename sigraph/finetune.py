"""FinetuneModule: encoder + head, trained on the few labels of a task; and the ways to use it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import AdamW

from sigraph.data import SampleDataset
from sigraph.encoders import Encoder, Encoding, embed
from sigraph.encoders.base import run_encoder
from sigraph.evaluation.finetune_settings import FinetuneSettings
from sigraph.evaluation.nearest_head import check_neighbors, nearest_predictions
from sigraph.evaluation.probe import Probe, converged_probe
from sigraph.evaluation.task_batches import (
    SCRATCH,
    Embedded,
    EmbeddedParts,
    Fetched,
    Source,
    TaskBatch,
    batches,
    check_parts_of,
    rows_of,
)
from sigraph.files.arguments import check_flags, check_integers, check_kinds, check_numbers
from sigraph.files.random import keyed_seed
from sigraph.machines.layer_rates import FreezeFirst, by_layer
from sigraph.machines.optimization import MakesOptimizer, MakesScheduler, check_makers, optimization
from sigraph.machines.trainer import KeepBest, fit, quiet_trainer
from sigraph.tasks import Evaluator
from sigraph.tasks.base import BaseTask, scores_of
from sigraph.tasks.kinds import LossSettings, check_label_smoothing

__all__ = ["FinetuneModule", "FinetuneResult", "FinetuneSettings", "check_fits_task", "fine_tune"]


class FinetuneModule(LightningModule):
    """An encoder and a head, trained with the loss of a task.

    Batches are ``(inputs, y)``, or :class:`~sigraph.evaluation.task_batches.TaskBatch` for tasks whose items are no
    samples. Logs ``train_loss`` and ``valid_<metric>``.

    Args:
        encoder: Pre-trained or not.
        head: Maps what the task reads, z [B, D] of samples, to predictions [B, num_outputs].
        evaluator: The task, or its evaluator: knows the loss and scores predictions.
        freeze_encoder: Train the head alone; the encoder stays in evaluation mode.
        optimizer: Makes the optimiser from the parameters that train.
        scheduler: Makes a learning-rate schedule from the optimiser, stepped once an epoch; None: constant.
        seed: Seed of dropout, keyed by epoch.
        target_scale: Divides the error of a regression before it is squared, so that the loss is the same in any unit.
        class_weight: Weight of each class (or of the 1s of each label column) in the loss. Shape [C]; None: the same.
        label_smoothing: Share of a label that is spread over all classes, in [0, 1).

    Differences of predictions and targets are taken in float64, so that targets keep the digits they have.
    """

    def __init__(
        self,
        encoder: Encoder,
        head: nn.Module,
        evaluator: Evaluator | BaseTask,
        freeze_encoder: bool = False,
        optimizer: MakesOptimizer = partial(AdamW, lr=1e-2),  # noqa: B008
        scheduler: MakesScheduler | None = None,
        seed: int = 0,
        target_scale: float = 1.0,
        class_weight: Tensor | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        check_kinds("FinetuneModule", encoder=(encoder, Encoder), head=(head, nn.Module))
        if not isinstance(evaluator, BaseTask):
            check_kinds("FinetuneModule", evaluator=(evaluator, Evaluator))
        check_flags("FinetuneModule", freeze_encoder=freeze_encoder)
        check_makers("FinetuneModule", optimizer, scheduler)
        check_integers("FinetuneModule", 0, seed=seed)
        check_numbers("FinetuneModule", above=0, target_scale=target_scale)
        check_label_smoothing(label_smoothing, "FinetuneModule")
        self.encoder, self.head = encoder, head
        self.evaluator = evaluator if isinstance(evaluator, Evaluator) else None
        self.task: Any = evaluator.task if isinstance(evaluator, Evaluator) else evaluator
        self.freeze_encoder, self.seed = freeze_encoder, seed
        self.loss_settings = LossSettings(class_weight, label_smoothing, target_scale)
        self._make_optimizer, self._make_scheduler = optimizer, scheduler
        self._seen: list[tuple[Tensor, Tensor, Tensor | None]] = []
        if freeze_encoder:
            encoder.requires_grad_(False).eval()  # Lightning keeps the modes it finds

    def train(self, mode: bool = True) -> FinetuneModule:
        super().train(mode)
        if self.freeze_encoder:
            self.encoder.eval()
        return self

    def forward(self, inputs: Any, place: Tensor | None = None) -> Tensor:
        """Predictions for samples, or for what a task reads of them.

        Args:
            inputs: Of the encoder.
            place: Where the samples of the task's items are in ``inputs``; None: every sample is an item.

        Returns:
            Shape [B, num_outputs].
        """
        encoding = run_encoder(self.encoder, inputs)
        return self.head(encoding.z if place is None else self.task.read(encoding, place, inputs))

    def loss(self, predicted: Tensor, y: Tensor) -> Tensor:
        """Mean loss over known labels."""
        return self.task.loss(predicted, y, self.loss_settings)

    def predict_batch(self, batch: tuple[Any, ...]) -> Tensor:
        """Predictions for a batch, ``(inputs, y)`` or a :class:`~sigraph.evaluation.task_batches.TaskBatch`."""
        return self(batch[0], batch.place if isinstance(batch, TaskBatch) else None)

    def training_step(self, batch: tuple[Any, ...], batch_idx: int) -> Tensor:
        loss = self.loss(self.predict_batch(batch), batch[1])
        if not bool(torch.isfinite(loss)):
            raise ValueError(
                f"the fine-tuning loss is {loss.item()} in epoch {self.current_epoch}; lower the learning rate"
            )
        self.log("train_loss", loss.detach(), batch_size=len(batch[1]))
        return loss

    def validation_step(self, batch: tuple[Any, ...], batch_idx: int) -> None:
        items = batch.items if isinstance(batch, TaskBatch) else None
        self._seen.append((batch[1].cpu(), _kept(self.predict_batch(batch)).cpu(), items))

    def on_validation_epoch_end(self) -> None:
        metric = self.task.metric
        predicted = torch.cat([part for _, part, _ in self._seen])
        items = [part.cpu() for _, _, part in self._seen if part is not None]
        if self.evaluator is None and items:
            found = scores_of(self.task, torch.cat(items), predicted, [metric])
        else:
            y = torch.cat([part for part, _, _ in self._seen])
            found = (self.evaluator or Evaluator(self.task)).eval({"y_true": y, "y_pred": predicted}, [metric])
        self._seen.clear()
        self.log(f"valid_{metric}", found[metric])

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Targets of a regression stay where double precision is, item numbers where they are read; both are few."""
        if not isinstance(batch, TaskBatch):
            batch = TaskBatch(*batch)
        y = batch.y if getattr(self.task, "type", "") == "regression" else batch.y.to(device)
        inputs = super().transfer_batch_to_device(batch.inputs, device, dataloader_idx)
        return TaskBatch(inputs, y, None if batch.place is None else batch.place.to(device), batch.items)

    def on_train_epoch_start(self) -> None:
        torch.manual_seed(keyed_seed(self.seed, self.current_epoch))

    def configure_optimizers(self) -> Any:
        trained = [p for p in self.parameters() if p.requires_grad]
        return optimization(trained, self._make_optimizer, self._make_scheduler)


@dataclass
class FinetuneResult:
    """Scores of the epoch that validation chose, and the model of that epoch."""

    valid: float
    test: float | None  # None if it was not asked for
    best_epoch: int
    num_parameters: int  # of the head
    model: FinetuneModule | None = field(default=None, repr=False)
    predicted: Tensor | None = field(default=None, repr=False)  # of the test items, as the evaluator took it
    scores: dict[str, dict[str, float]] = field(default_factory=dict)  # of every metric: valid and test
    probe: Probe | None = None  # with ``converged``: what validation chose
    head: nn.Module | None = field(default=None, repr=False)  # from what the task reads to predictions; of knn too


def fine_tune(
    encoder: Encoder,
    dataset: SampleDataset,
    task: BaseTask,
    settings: FinetuneSettings | None = None,
    seed: int = 0,
    accelerator: str = "auto",
    score_test: bool = True,
    embeddings: Tensor | None = None,
) -> FinetuneResult:
    """Fine-tune a copy of an encoder on a task; the epoch is chosen by validation, the test set is scored once.

    Args:
        encoder: It is not changed.
        dataset: The task's samples.
        task: Of any kind: items, labels, split and metrics.
        settings: How.
        seed: Seed of the head's initialisation, of dropout, of the order of batches and of negatives.
        accelerator: Of Lightning's trainer.
        score_test: False: the test labels are not looked at, as in a search over settings.
        embeddings: z of all samples by this encoder, if they are there already, for heads on frozen embeddings; as of
            :func:`~sigraph.encoders.embed`. Shape [N, D].
    """
    settings = settings or FinetuneSettings()
    check_kinds("fine_tune", encoder=(encoder, Encoder), dataset=(dataset, SampleDataset), task=(task, BaseTask))
    check_kinds("fine_tune", settings=(settings, FinetuneSettings))
    check_kinds("fine_tune", accelerator=(accelerator, str))
    check_integers("fine_tune", 0, seed=seed)
    check_flags("fine_tune", score_test=score_test)
    if embeddings is not None and embeddings.shape != (len(dataset), encoder.out_channels):
        need = f"[{len(dataset)}, {encoder.out_channels}]"
        raise ValueError(f"'embeddings' needs shape {need} in 'fine_tune' (got {list(embeddings.shape)})")
    check_fits_task(encoder, dataset, task, settings)
    if settings.head == "knn":
        nearest, parts = nearest_predictions(
            encoder, dataset, task, settings.k, settings.leave_one_out, score_test, embeddings=embeddings
        )
        scores = _scores(task, parts)
        valid, test = scores[task.metric]["valid"], scores[task.metric].get("test")
        return FinetuneResult(valid, test, 0, 0, predicted=parts.get("test"), scores=scores, head=nearest)
    torch.manual_seed(keyed_seed(seed, 0))
    head, loss = task.head(encoder, settings), task.loss_settings(settings)
    frozen = settings.head == "linear"
    source = _source(encoder, dataset, task, frozen, embeddings)
    body: Encoder = _Identity(encoder.out_channels)  # embeddings are computed once, then only the head works
    if isinstance(source, Fetched):
        body = copy.deepcopy(encoder).requires_grad_(True).train()
    optimizer = by_layer(settings.optimizer, body, settings.encoder_lr_scale, settings.layer_decay)
    module = FinetuneModule(body, head, task, frozen, optimizer, settings.scheduler, seed, loss.target_scale, *loss[:2])
    if isinstance(body, _Identity):
        body.train()  # its mode means nothing, and Lightning warns of modules in evaluation mode
    loaders = {part: batches(source, part, settings.batch_size, seed) for part in task.split}
    if settings.converged:
        if isinstance(source, Fetched):
            raise ValueError(f"'converged' needs embeddings of parts of at most {SCRATCH:,} bytes; use fewer samples")
        rows = {part: rows_of(source, part, seed) for part in ("train", "valid")}
        probe = converged_probe(task, head, rows["train"], rows["valid"][0], loss)
        best_valid, best_epoch = probe.valid, 0
    else:
        best = KeepBest(f"valid_{task.metric}", task.greater_is_better, settings.patience, settings.freeze_epochs)
        held = [FreezeFirst(body, settings.freeze_epochs)] if settings.freeze_epochs else []
        trainer = quiet_trainer(max_epochs=settings.max_epochs, accelerator=accelerator, callbacks=[best, *held])
        fit(trainer, module, loaders["train"], loaders["valid"])
        best.restore(module)
        probe, best_valid, best_epoch = None, best.score, best.epoch
    asked = [*(["valid"] if probe or len(task.metrics) > 1 else []), *(["test"] if score_test else [])]
    module.eval()
    parts = {part: _predicted(module, loaders[part]) for part in asked}
    scores = _scores(task, parts)
    if probe is None:
        scores[task.metric] = {"valid": best_valid} | {k: v for k, v in scores[task.metric].items() if k != "valid"}
    best_valid = scores[task.metric]["valid"]
    if frozen:
        module.encoder = copy.deepcopy(encoder).requires_grad_(False).eval()
    size, test = sum(p.numel() for p in head.parameters()), scores[task.metric].get("test")
    return FinetuneResult(best_valid, test, best_epoch, size, module, parts.get("test"), scores, probe, module.head)


def check_fits_task(encoder: Encoder, dataset: SampleDataset, task: BaseTask, settings: FinetuneSettings) -> None:
    """Refuse what cannot be fine-tuned, before anything trains; no random number is drawn that others would.

    Raises:
        ValueError: The samples are not the task's, the encoder cannot read them, the task cannot be scored, or a
            setting does not fit it.
    """
    task.check_samples(dataset.store)
    task.check_scorable()
    encoder.check_samples(dataset)
    if settings.head == "knn":
        check_neighbors(task, settings.k, settings.leave_one_out)
        return
    task.loss_settings(settings)
    with torch.random.fork_rng(devices=[]):
        head = task.head(encoder, settings)
    maker = by_layer(settings.optimizer, encoder, settings.encoder_lr_scale, settings.layer_decay)
    if maker is not settings.optimizer:  # not every optimiser takes several learning rates
        maker([*head.parameters(), *encoder.parameters()])
    if task.reads_parts:
        check_parts_of(encoder, dataset, task)


def _source(
    encoder: Encoder, dataset: SampleDataset, task: BaseTask, frozen: bool, embeddings: Tensor | None
) -> Source:
    """Where batches come from: what a frozen encoder makes of samples is computed once, as far as there is room."""
    if not frozen:
        return Fetched(task, dataset)
    if not task.reads_parts:
        return Embedded(task, embed(encoder, dataset) if embeddings is None else embeddings)
    items = torch.cat(list(task.split.values()))
    return EmbeddedParts.of(encoder, dataset, task, items) or Fetched(task, dataset)


@torch.no_grad()
def _predicted(module: FinetuneModule, loader: Any) -> Tensor:
    return torch.cat([_kept(module.predict_batch(batch)) for batch in loader])


def _scores(task: BaseTask, parts: dict[str, Tensor]) -> dict[str, dict[str, float]]:
    """Every metric on every part that was predicted."""
    found: dict[str, dict[str, float]] = {name: {} for name in task.metrics}
    for part, predicted in parts.items():
        for name, value in scores_of(task, task.split[part], predicted).items():
            found.setdefault(name, {})[part] = value
    return found


def _kept(predicted: Tensor) -> Tensor:
    """Predictions at least in single precision."""
    return predicted if predicted.dtype == torch.float64 else predicted.float()


class _Identity(Encoder):
    """Embeddings that were computed before."""

    def __init__(self, out_channels: int) -> None:
        super().__init__()
        self.out_channels = out_channels

    def forward(self, inputs: Tensor) -> Encoding:
        return Encoding(inputs)
