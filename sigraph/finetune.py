"""FinetuneModule: encoder + head, trained on the few labels of a task; and the ways to use it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import AdamW
from torch.utils.data import DataLoader

from sigraph.data import SampleDataset
from sigraph.encoders import Encoder, Encoding, embed
from sigraph.evaluation.nearest_head import nearest_predictions
from sigraph.files.arguments import check_choices, check_flags, check_integers, check_kinds, check_numbers
from sigraph.files.random import keyed_generator, keyed_seed
from sigraph.machines.optimization import MakesOptimizer, MakesScheduler, check_makers, optimization
from sigraph.machines.trainer import KeepBest, fit, quiet_trainer
from sigraph.samples.batches import bounded_number
from sigraph.tasks import Evaluator, Task
from sigraph.tasks.scorable import check_scorable

HEADS = ("linear", "full", "knn")


class FinetuneModule(LightningModule):
    """An encoder and a head, trained with cross-entropy (classes, multi-label) or squared error (regression).

    Batches are ``(inputs, y)``. Logs ``train_loss`` and ``valid_<metric>``.

    Args:
        encoder: Pre-trained or not.
        head: Maps z [B, D] to predictions [B, num_outputs].
        evaluator: Scores predictions; tells the type of the labels.
        freeze_encoder: Train the head alone; the encoder stays in evaluation mode.
        optimizer: Makes the optimiser from the parameters that train.
        scheduler: Makes a learning-rate schedule from the optimiser, stepped once an epoch; None: constant.
        seed: Seed of dropout, keyed by epoch.
        target_scale: Divides the error of a regression before it is squared, so that the loss is the same in any unit.

    Differences of predictions and targets are taken in float64, so that targets keep the digits they have.
    """

    def __init__(
        self,
        encoder: Encoder,
        head: nn.Module,
        evaluator: Evaluator,
        freeze_encoder: bool = False,
        optimizer: MakesOptimizer = partial(AdamW, lr=1e-2),  # noqa: B008
        scheduler: MakesScheduler | None = None,
        seed: int = 0,
        target_scale: float = 1.0,
    ) -> None:
        super().__init__()
        check_kinds("FinetuneModule", encoder=(encoder, Encoder), head=(head, nn.Module))
        check_kinds("FinetuneModule", evaluator=(evaluator, Evaluator))
        check_flags("FinetuneModule", freeze_encoder=freeze_encoder)
        check_makers("FinetuneModule", optimizer, scheduler)
        check_integers("FinetuneModule", 0, seed=seed)
        check_numbers("FinetuneModule", above=0, target_scale=target_scale)
        self.encoder, self.head, self.evaluator = encoder, head, evaluator
        self.freeze_encoder, self.seed, self.target_scale = freeze_encoder, seed, target_scale
        self._make_optimizer, self._make_scheduler = optimizer, scheduler
        self._seen: list[tuple[Tensor, Tensor]] = []
        if freeze_encoder:
            encoder.requires_grad_(False).eval()  # Lightning keeps the modes it finds

    def train(self, mode: bool = True) -> FinetuneModule:
        super().train(mode)
        if self.freeze_encoder:
            self.encoder.eval()
        return self

    def forward(self, inputs: Any) -> Tensor:
        """Predictions for samples. Shape [B, num_outputs]."""
        return self.head(self.encoder(inputs).z)

    def loss(self, predicted: Tensor, y: Tensor) -> Tensor:
        """Mean loss over known labels."""
        kind = self.evaluator.task.type
        if kind == "classification":
            return F.cross_entropy(predicted, y.long())
        if kind == "regression":
            found = _wide(predicted).view(-1)
            return ((found - _wide(y).to(found.device)) / self.target_scale).float().square().mean()
        known = ~torch.isnan(y.float())
        return F.binary_cross_entropy_with_logits(predicted[known], y[known].float())

    def training_step(self, batch: tuple[Any, Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(self(batch[0]), batch[1])
        if not bool(torch.isfinite(loss)):
            raise ValueError(
                f"the fine-tuning loss is {loss.item()} in epoch {self.current_epoch}; lower the learning rate"
            )
        self.log("train_loss", loss.detach(), batch_size=len(batch[1]))
        return loss

    def validation_step(self, batch: tuple[Any, Tensor], batch_idx: int) -> None:
        self._seen.append((batch[1].cpu(), _kept(self(batch[0])).cpu()))

    def on_validation_epoch_end(self) -> None:
        y_true, y_pred = (torch.cat(part) for part in zip(*self._seen, strict=True))
        self._seen.clear()
        metric = self.evaluator.metric
        self.log(f"valid_{metric}", self.evaluator.eval({"y_true": y_true, "y_pred": y_pred})[metric])

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Targets of a regression stay where double precision is; they are few."""
        if self.evaluator.task.type != "regression":
            return super().transfer_batch_to_device(batch, device, dataloader_idx)
        inputs, y = batch
        return super().transfer_batch_to_device(inputs, device, dataloader_idx), y

    def on_train_epoch_start(self) -> None:
        torch.manual_seed(keyed_seed(self.seed, self.current_epoch))

    def configure_optimizers(self) -> Any:
        trained = [p for p in self.parameters() if p.requires_grad]
        return optimization(trained, self._make_optimizer, self._make_scheduler)


@dataclass
class FinetuneSettings:
    """How a task is fine-tuned.

    Args:
        head: ``linear``: a linear probe on frozen embeddings; ``full``: encoder and linear head train together;
            ``knn``: the classes of the nearest training samples by cosine, nothing trains.
        optimizer, scheduler: As in :class:`FinetuneModule`.
        max_epochs: Epochs at most, >= 1.
        patience: Epochs without a better validation score before training stops, >= 1.
        batch_size: Samples a step; None: all training samples at once, as far as they fit
            (:mod:`~sigraph.samples.batches`).
        k: Neighbours asked by ``knn``, >= 1.
        dropout: Dropout on the embedding before the head, in [0, 1].
        normalize: Scale embeddings to unit length before the head, as losses on cosines do.
        leave_one_out: With ``knn`` every validated or tested sample asks all other samples of the split, itself left
            out, instead of the training samples alone.
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

    def __post_init__(self) -> None:
        check_choices("FinetuneSettings", HEADS, head=self.head)
        check_makers("FinetuneSettings", self.optimizer, self.scheduler)
        check_integers("FinetuneSettings", 1, max_epochs=self.max_epochs, patience=self.patience, k=self.k)
        check_integers("FinetuneSettings", 1, batch_size=1 if self.batch_size is None else self.batch_size)
        check_numbers("FinetuneSettings", least=0, most=1, dropout=self.dropout)
        check_flags("FinetuneSettings", normalize=self.normalize, leave_one_out=self.leave_one_out)
        if self.leave_one_out and self.head != "knn":
            raise ValueError(f"'leave_one_out' needs 'head' knn (got {self.head!r})")


@dataclass
class FinetuneResult:
    """Scores of the epoch that validation chose, and the model of that epoch."""

    valid: float
    test: float | None  # None if it was not asked for
    best_epoch: int
    num_parameters: int  # of the head
    model: FinetuneModule | None = field(default=None, repr=False)
    predicted: Tensor | None = field(default=None, repr=False)  # of the test samples, as the evaluator took it


def fine_tune(
    encoder: Encoder,
    dataset: SampleDataset,
    task: Task,
    settings: FinetuneSettings | None = None,
    seed: int = 0,
    accelerator: str = "auto",
    score_test: bool = True,
) -> FinetuneResult:
    """Fine-tune a copy of an encoder on a task; the epoch is chosen by validation, the test set is scored once.

    Args:
        encoder: It is not changed.
        dataset: The task's samples.
        task: Labels, split and metric.
        settings: How.
        seed: Seed of the head's initialisation, of dropout and of the order of batches.
        accelerator: Of Lightning's trainer.
        score_test: False: the test labels are not looked at, as in a search over settings.
    """
    settings = settings or FinetuneSettings()
    check_kinds("fine_tune", encoder=(encoder, Encoder), dataset=(dataset, SampleDataset), task=(task, Task))
    check_kinds("fine_tune", settings=(settings, FinetuneSettings))
    check_kinds("fine_tune", accelerator=(accelerator, str))
    check_integers("fine_tune", 0, seed=seed)
    check_flags("fine_tune", score_test=score_test)
    evaluator = Evaluator(task)
    if task.num_samples != len(dataset):
        raise ValueError(f"task {task.name!r} needs one label per sample, {len(dataset)} (got {task.num_samples})")
    check_scorable(task)
    encoder.check_samples(dataset)
    if settings.head == "knn":
        parts = nearest_predictions(encoder, dataset, task, settings.k, settings.leave_one_out, score_test)
        scores = {
            part: evaluator.eval({"y_true": task.labels[task.split[part]], "y_pred": predicted})[evaluator.metric]
            for part, predicted in parts.items()
        }
        return FinetuneResult(scores["valid"], scores.get("test"), 0, 0, predicted=parts.get("test"))
    torch.manual_seed(keyed_seed(seed, 0))
    scale = [_UnitLength()] if settings.normalize else []
    head = nn.Sequential(*scale, nn.Dropout(settings.dropout), nn.Linear(encoder.out_channels, task.num_outputs))
    target_scale = 1.0
    if task.type == "regression":
        head.append(unit := _TargetUnit(task.labels[task.split["train"]]))
        target_scale = unit.scale
    frozen = settings.head == "linear"
    if frozen:  # embeddings are computed once, then only the head works
        table: Any = embed(encoder, dataset)
        body: Encoder = _Identity(encoder.out_channels)
    else:
        table, body = dataset, copy.deepcopy(encoder).requires_grad_(True).train()
    module = FinetuneModule(body, head, evaluator, frozen, settings.optimizer, settings.scheduler, seed, target_scale)
    if frozen:
        body.train()  # its mode means nothing, and Lightning warns of modules in evaluation mode
    loaders = {part: _loader(table, task, part, settings.batch_size, seed) for part in task.split}
    best = KeepBest(f"valid_{evaluator.metric}", evaluator.greater_is_better, settings.patience)
    trainer = quiet_trainer(max_epochs=settings.max_epochs, accelerator=accelerator, callbacks=[best])
    fit(trainer, module, loaders["train"], loaders["valid"])
    best.restore(module)
    test = predicted = None
    if score_test:
        with torch.no_grad():
            module.eval()
            predicted = torch.cat([_kept(module(inputs)) for inputs, _ in loaders["test"]])
        test = evaluator.eval({"y_true": task.labels[task.split["test"]], "y_pred": predicted})[evaluator.metric]
    if frozen:
        module.encoder = copy.deepcopy(encoder).requires_grad_(False).eval()
    size = sum(p.numel() for p in head.parameters())
    return FinetuneResult(best.score, test, best.epoch, size, module, predicted)


class _UnitLength(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return F.normalize(z, dim=1)


class _TargetUnit(nn.Module):
    """From standard scores to the unit of the training labels: years, dollars or degrees train alike.

    In float64: seconds since 1970 differ by less than what float32 rounds there.
    """

    def __init__(self, y: Tensor) -> None:
        super().__init__()
        known = y[~torch.isnan(y)].double()
        self.mean = float(known.mean()) if known.numel() else 0.0
        self.scale = (float((known - self.mean).square().mean().sqrt()) if known.numel() else 0.0) or 1.0

    def forward(self, score: Tensor) -> Tensor:
        return _wide(score) * self.scale + self.mean

    def extra_repr(self) -> str:
        return f"mean={self.mean:g}, scale={self.scale:g}"


def _wide(value: Tensor) -> Tensor:
    """In float64, on the CPU where the device has none."""
    return (value.cpu() if value.device.type == "mps" else value).double()


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


class _Rows:
    """Fetches (inputs, y) of listed samples; ``table`` is a data set or a tensor of embeddings."""

    def __init__(self, table: Any, labels: Tensor) -> None:
        self.fetch = table.fetch if isinstance(table, SampleDataset) else table.__getitem__
        self.labels = labels

    def __call__(self, ids: list[int]) -> tuple[Any, Tensor]:
        node = torch.as_tensor(ids, dtype=torch.long)
        return self.fetch(node), self.labels[node]


def _loader(table: Any, task: Task, part: str, batch_size: int | None, seed: int) -> DataLoader:
    ids = task.split[part]
    size = batch_size or (len(ids) if part == "train" else 4096)
    if batch_size is None and isinstance(table, SampleDataset):
        size = min(size, bounded_number(table.store, ids))
    return DataLoader(
        ids.tolist(),  # type: ignore[arg-type]
        batch_size=min(size, len(ids)),
        shuffle=part == "train" and size < len(ids),
        generator=keyed_generator(seed, 1),
        collate_fn=_Rows(table, task.labels),
    )
