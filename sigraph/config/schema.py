"""Which keys the parts of an experiment file have: their types, defaults, units and ranges.

Adding a key is one line in a dataclass and one in its docstring; reading, checking, overrides and hashing follow.
"""

# ruff: noqa: RUF009 -- `key` is `dataclasses.field` with a range
from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from sigraph.config.class_weight import SAID, checked_class_weight
from sigraph.config.inductive import KINDS, Inductive, checked_inductive
from sigraph.config.overlay import ENCODERS, WORLDS, Component, DataSource, key

LOGGERS = "lightning.pytorch.loggers"  # and of loggers
ARM_KINDS = "sigraph.arms"  # the package that bare names of kinds refer to
TEST_PAIRS = ("refuse", "leave-out", "allow")
HEADS = ("linear", "full", "knn")
PAIRS = ("hadamard", "concatenate", "dot")
OF_KNN = ("k", "leave_one_out")  # keys that no other head looks at
OF_FULL = ("encoder_lr_scale", "layer_decay", "freeze_epochs")  # keys that act where the encoder trains alone
# Keys that act where steps are taken: not with knn, nor with a converged probe.
OF_STEPS = ("optimizer", "scheduler", "max_epochs", "patience", "batch_size", "dropout", "repeats")
OF_TRAINING = (*OF_STEPS, "normalize")  # not with knn
BEST, ALL, NONE = SAVE_MODELS = "best", "all", "none"  # encoders that are fine-tuned: of which seeds they are kept
MOST = 2**31 - 1  # samples of a step
# Keys since 0.1.0, and their defaults: where they have these, settings are what they were, and so is their hash.
_NEW: dict[str, Any] = {
    "test_pairs": "refuse",
    "reader": None,
    "logger": None,
    "pair": None,
    "class_weight": None,
    "label_smoothing": 0.0,
    "converged": False,
    "encoder_lr_scale": 1.0,
    "layer_decay": 1.0,
    "freeze_epochs": 0,
    "max_train_samples": None,
    "max_scored_samples": None,
    "samples_seed": 0,
    "repeats": 1,
    "steps_per_epoch": None,
}
STRATEGIES = ("auto", "ddp", "ddp_find_unused_parameters_true")


class Plain:
    """Settings that become plain containers."""

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain containers: a copy, free to change, ready for JSON and YAML."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]


@dataclass(frozen=True, kw_only=True)
class TrainerConfig(Plain):
    """How long and on what to pre-train; arguments of Lightning's Trainer.

    Args:
        max_epochs: Passes over the samples. 0: no pre-training, the encoder stays as initialised.
        gradient_clip_val: Largest norm of the gradient; null: no clipping.
        weight_average: Decay per step, in [0, 1), of an exponential moving average of the weights, which becomes the
            pre-trained encoder; null: the last weights.
        precision: Numbers that it computes with: ``32-true``; ``bf16-mixed`` or ``16-mixed`` (GPU alone), weights in
            float32 all the same; ``bf16-true`` or ``64-true``, weights as well. The encoder is kept in float32;
            with ``bf16-mixed`` it computes so in fine-tuning too, heads in float32.
        accelerator: ``auto``, ``cpu``, ``gpu``, ...; one that is not there is refused before anything trains.
        devices: Processes on each machine, a GPU each where there are GPUs. Several share every batch; which neighbours
            are drawn depends on how many there are, so that scores differ as they do between seeds. Left out under
            torchrun and srun: as many as they started. See docs/several-machines.md.
        num_nodes: Machines; above 1 under torchrun or srun only.
        strategy: ``auto`` or ``ddp``; ``ddp_find_unused_parameters_true`` for an encoder that leaves some of its
            weights out of a step.
    """

    max_epochs: int = key(100, low=0)
    gradient_clip_val: float | None = key(None, low=0)
    weight_average: float | None = key(None, low=0, below=1)
    precision: str = key("32-true")
    accelerator: str = key("auto")
    devices: int = key(1, low=1, high=100_000)
    num_nodes: int = key(1, low=1, high=100_000)
    strategy: str = key("auto", one_of=STRATEGIES)

    @property
    def num_processes(self) -> int:
        """Processes that train together."""
        return self.devices * self.num_nodes


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(Plain):
    """What is pre-trained on which graph, and how.

    Args:
        dataset: A card's name, or the path of a prepared folder; or a component, a world that generates its samples.
        graph: The pre-training graph: a graph of the card by name, ``{name: ..., hops: ...}``, or a component.
        reader: Component: raw records -> samples, learned from those that are pre-trained on; null: as prepared.
        encoder: Component: sample -> embedding. Or ``{from: FOLDER}``, a run's folder or one that ``save_encoder``
            wrote: training starts from its weights (with ``max_epochs: 0`` they are what is fine-tuned), and samples
            are read by its reader unless ``reader`` names one that learns the same. What the folder holds, wherever it
            lies, is what the settings' hash is made of.
        sampler: Component: which samples meet in a step.
        structure_loss: Component: the loss between samples.
        objective: Component: the loss within a sample; null: none.
        structure_weight: Share of the structure loss, in [0, 1]; below 1 an objective is needed.
            Null: 1.0 without objective, else 0.1.
        batch_size: Seed samples a step.
        steps_per_epoch: Steps that count as an epoch, for data of which a pass is too long; null: as many as a pass
            over all samples of the data set takes. Each epoch shuffles anew.
        inductive: What pre-training does not see, with as many steps as without. ``false``: it sees all samples and
            edges, without their labels. ``true``: no sample that a task of the data set validates or tests on, and none
            of its edges. ``test``: no test sample of a task, and none of its edges. ``edges``: all samples, but no edge
            of one that a task validates or tests on. ``outside-train``: what ``true`` hides, and every sample in no
            split, such as papers of the years between training and test. ``{share: 0.2}``: all but this share of each
            task's test samples, the same ones for every arm and seed, and none of their edges; hidden and seen test
            samples are scored apart too. ``{tasks: [go]}``: what ``true`` hides, for the sake of these tasks alone.
        test_pairs: Pairs of samples that a task tests, where the data set's graphs hold them: ``refuse`` such a graph,
            take them out (``leave-out``), or ``allow`` it, and results are suspicious.
        valid_edge_rate: Share of the graph's edges held out to validate pre-training, in [0, 1).
        valid_every: Epochs between validations.
        valid_queries: Samples at most that a validation asks about, which caps its cost; null: all. Changes no result.
        num_workers: Processes that prepare batches; 0: the main one does. Changes no result.
        logger: Component: a logger of Lightning's, such as ``TensorBoardLogger``, beside the CSV file that every
            pre-training keeps (``_pretrain/<hash>/seed-<s>/log-<i>/metrics.csv``); it writes there too, unless
            ``save_dir`` says otherwise. Changes no result.
        optimizer: Component: how the weights are moved.
        scheduler: Component: the learning-rate schedule; null: none.
        trainer: Length, precision, device.
    """

    dataset: DataSource = key(home=WORLDS)
    graph: Component = key(home="sigraph.graphs")
    reader: Component | None = key(None, home="sigraph.readers")
    encoder: Component = key(home=ENCODERS)
    sampler: Component = key({"_target_": "sigraph.samplers.NeighborPairSampler"}, home="sigraph.samplers")
    structure_loss: Component = key({"_target_": "sigraph.losses.MultiSimilarityLoss"}, home="sigraph.losses")
    objective: Component | None = key(None, home="sigraph.objectives")
    structure_weight: float | None = key(None, low=0, high=1)
    batch_size: int = key(1024, low=1, high=MOST)
    steps_per_epoch: int | None = key(None, low=1, high=MOST)
    inductive: Inductive = key(False, check=checked_inductive, is_said=KINDS)
    test_pairs: str = key("refuse", one_of=TEST_PAIRS)
    valid_edge_rate: float = key(0.05, low=0, below=1)
    valid_every: int = key(10, low=1)
    valid_queries: int | None = key(10_000, low=1, high=MOST)
    num_workers: int = key(0, low=0, high=100_000)
    logger: Component | None = key(None, home=LOGGERS)
    optimizer: Component = key({"_target_": "torch.optim.AdamW", "lr": 1e-3}, home="torch.optim")
    scheduler: Component | None = key(None, home="torch.optim.lr_scheduler")
    trainer: TrainerConfig = dataclasses.field(default_factory=TrainerConfig)


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig(Plain):
    """One task and how the pre-trained encoder is put to it.

    Args:
        task: A task of the data set.
        head: ``linear`` (probe on frozen embeddings), ``full`` (encoder and head are trained), ``knn``; tasks of pairs
            and of parts have the first two.
        primary: Whether this is the experiment's main result. The first entry is if none says so.
        dataset: Where the task lives; null: the pre-training data set. A mapping without ``_target_`` changes arguments
            of the pre-training world, e.g. ``{num_held_out: 1000}``.
        optimizer: Component: how the weights are moved.
        scheduler: Component: the learning-rate schedule; null: none.
        max_epochs: Most passes over the training samples.
        patience: Epochs without a better validation score after which training stops.
        batch_size: Samples (pairs, of a task of pairs) a step; null: all at once.
        k: Neighbours that vote (``knn``).
        leave_one_out: Let every validated or tested sample ask all other samples of the split, itself left out, instead
            of the training samples alone (``knn``): the nearest-neighbour accuracy that theory speaks of.
        normalize: Scale embeddings to unit length in front of the head, as the losses on cosines do.
        dropout: Rate on the embeddings in front of the head, in [0, 1].
        pair: What a head reads of a pair of samples: ``hadamard`` (product of their embeddings, number by number),
            ``concatenate`` (one behind the other; of an undirected relation their sum and the size of their
            difference) or ``dot`` (inner product); null: ``hadamard``, of a directed relation ``concatenate``.
        class_weight: Weight of each class, or of the 1s of each label column, in the loss: a list, class 0 first, or
            ``balanced``;
            null: every label counts the same.
        label_smoothing: Share of a label that is spread over all classes, in [0, 1).
        converged: The minimum of the loss plus an L2 penalty, its strength chosen by validation (``linear``), in place
            of ``max_epochs`` of ``optimizer``; keys of these steps (``optimizer``, ``scheduler``, ``max_epochs``,
            ``patience``, ``batch_size``, ``dropout``) are refused beside it.
        encoder_lr_scale: Learning rate of the encoder's highest layer as a share of the head's, above 0 (``full``).
        layer_decay: By which each layer's learning rate is that of the one above it, above 0 and at most 1 (``full``).
        freeze_epochs: Epochs at first in which the head trains alone, fewer than ``max_epochs``; ``patience`` counts
            from their end (``full``).
        max_train_samples: Training samples (pairs, of a task of pairs) at most, drawn once for all arms and seeds,
            whatever their labels; null: all.
        max_scored_samples: Validation samples at most, and test samples, drawn likewise; null: all.
        samples_seed: Seed of these draws.
        repeats: Fine-tunings of each pre-training, each with a seed of its own for head, dropout and order of batches.
            The scores of a run are their means; head and encoder are kept of the one that validation prefers. Refused
            with ``knn`` and ``converged``, which would give the same each time.
    """

    task: str = key()
    head: str = key(one_of=HEADS)
    primary: bool = key(False)
    dataset: DataSource | None = key(None, home=WORLDS, partial=True)
    optimizer: Component = key({"_target_": "torch.optim.AdamW", "lr": 1e-2, "weight_decay": 0.0}, home="torch.optim")
    scheduler: Component | None = key(None, home="torch.optim.lr_scheduler")
    max_epochs: int = key(300, low=1)
    patience: int = key(50, low=1)
    batch_size: int | None = key(None, low=1, high=MOST)
    k: int = key(5, low=1, high=MOST)
    leave_one_out: bool = key(False)
    normalize: bool = key(False)
    dropout: float = key(0.0, low=0, high=1)
    pair: str | None = key(None, one_of=PAIRS)
    class_weight: str | list[float] | None = key(None, check=checked_class_weight, is_said=SAID)
    label_smoothing: float = key(0.0, low=0, below=1)
    converged: bool = key(False)
    encoder_lr_scale: float = key(1.0, low=0)
    layer_decay: float = key(1.0, low=0, high=1)
    freeze_epochs: int = key(0, low=0, high=MOST)
    max_train_samples: int | None = key(None, low=1, high=MOST)
    max_scored_samples: int | None = key(None, low=1, high=MOST)
    samples_seed: int = key(0, low=0, high=MOST)
    repeats: int = key(1, low=1, high=1000)


def settings_hash(plain: Any) -> str:
    """First 12 hex digits of the SHA-256 of plain settings as canonical JSON; the order of keys changes nothing.

    Raises:
        TypeError: Something in ``plain`` is not str, int, float, bool, None, list or dict.
    """
    text = json.dumps(_without_new(plain), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _without_new(plain: Any) -> Any:
    """Without keys that 0.1.0 did not have where they say nothing: what was run before is found again."""
    if isinstance(plain, dict):
        kept = {key: value for key, value in plain.items() if key not in _NEW or value != _NEW[key]}
        return {key: _without_new(value) for key, value in kept.items()}
    return [_without_new(value) for value in plain] if isinstance(plain, list) else plain
