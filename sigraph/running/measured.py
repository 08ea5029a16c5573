"""One arm before it is trained: its sizes, the tokens it will read, and what a few of its real steps take."""

from __future__ import annotations

import math
import resource
import sys
import time
from dataclasses import replace
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from sigraph.collate import pretrain_loader
from sigraph.config import ArmConfig, settings_hash
from sigraph.data import PretrainBatch, SampleDataset, SeedBatchSampler
from sigraph.encoders import Encoder, embed
from sigraph.files.random import keyed_generator
from sigraph.machines.trainer import fit, quiet_trainer
from sigraph.running.fitting import validation_of
from sigraph.running.parts import Parts, build_parts
from sigraph.running.start import reader_of
from sigraph.samplers import HardNegativeSampler
from sigraph.samplers.refresh import RefreshNegatives
from sigraph.samples import Tokens

TIMED_STEPS, MOST_SECONDS = 8, 5.0
FIRST_EMBEDDED, EMBEDDING_SECONDS = 64, 4.0  # samples that are embedded first; then twice as many, while there is time

Known = dict[str, float]


def measure(arm: ArmConfig, seed: int, known: Known | None = None) -> dict[str, Any]:
    """Build an arm that pre-trains and time a few of its steps; nothing is kept.

    Args:
        arm: The arm.
        seed: Of the pre-training.
        known: Seconds that arms share, such as those of embedding all samples once; it is read, and added to. None:
            nothing is shared.

    Returns:
        ``num_parameters``, ``num_samples``, ``num_edges``, ``num_steps``; ``seconds`` of the whole pre-training, with
        its validations and the pools of a sampler that looks at embeddings; ``peak_memory_mb``. Of an encoder of token
        sequences also ``num_tokens``, the real tokens that it reads in these steps, those of seed samples counted and
        the others' estimated from the timed steps, and ``tokens_per_second`` of the timed steps; None of others, and
        where nothing is trained.
    """
    parts = build_parts(replace(arm.pretrain, num_workers=0), seed)
    num_epochs = arm.pretrain.trainer.max_epochs
    seconds, num_tokens, clock = 0.0, None, None
    if num_epochs:
        known = {} if known is None else known
        clock, ranking = _timed(parts)
        validations = math.ceil(num_epochs / arm.pretrain.valid_every)
        seconds = num_epochs * parts.steps_per_epoch * clock.seconds
        seconds += validations * (_embedding_seconds(parts, known) + _figures_seconds(parts, known))
        if isinstance(parts.sampler, HardNegativeSampler):
            refreshes = math.ceil(num_epochs / parts.sampler.refresh_every)
            seconds += refreshes * (_embedding_seconds(parts, known) + ranking)
        num_tokens = _tokens_of_epoch(parts, clock)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
    return {
        "num_parameters": sum(parameter.numel() for parameter in parts.module.parameters()),
        "num_samples": len(parts.dataset),
        "num_edges": parts.graph.num_edges // 2,
        "num_steps": parts.steps_per_epoch * num_epochs,
        "seconds": seconds,
        "peak_memory_mb": peak,
        "num_tokens": None if num_tokens is None else num_epochs * num_tokens,
        "tokens_per_second": None if clock is None else clock.tokens_per_second,
    }


class _Clock(Callback):
    """Stops a training after so many steps, and tells what one took and read: the first warms up, its time is left out.

    Args:
        num_steps: Steps that are timed.
    """

    def __init__(self, num_steps: int) -> None:
        self.num_steps, self.times = num_steps, list[float]()
        self.tokens = list[tuple[int, int]]()  # a step: of its seed samples, of all its samples

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: PretrainBatch, batch_idx: int
    ) -> None:
        self.times.append(time.perf_counter())
        if isinstance(batch.inputs, Tokens):
            self.tokens.append((int(batch.inputs.ptr[batch.num_seeds]), len(batch.inputs.token)))
        spent = self.times[-1] - self.times[0]
        trainer.should_stop = len(self.times) > self.num_steps or (spent > MOST_SECONDS and len(self.times) > 1)

    @property
    def seconds(self) -> float:
        """Of a step."""
        return (self.times[-1] - self.times[0]) / (len(self.times) - 1)

    @property
    def tokens_per_second(self) -> float | None:
        """Real ones, of all samples of the timed steps; None: they read no tokens."""
        read = sum(total for _, total in self.tokens[1:])
        return read / max(self.times[-1] - self.times[0], 1e-9) if self.tokens else None

    @property
    def joined_tokens(self) -> float:
        """Of the samples that join the seed samples of a step, on average."""
        return sum(total - own for own, total in self.tokens) / len(self.tokens)


class _FilledOnce(RefreshNegatives):
    """Fills the pools of a sampler by embeddings that mean nothing: to rank them and to draw takes no less time."""

    seconds = 0.0

    def _refresh(self, pl_module: LightningModule) -> None:
        if self.sampler.pool is None:
            z = _any_embeddings(self.dataset, pl_module.encoder)  # type: ignore[arg-type]
            start = time.perf_counter()
            self.figures = self.sampler.refresh(z)
            self.seconds = time.perf_counter() - start


def _any_embeddings(dataset: SampleDataset, encoder: Encoder) -> Tensor:
    return torch.randn(len(dataset), encoder.out_channels, generator=keyed_generator(0))


def _timed(parts: Parts) -> tuple[_Clock, float]:
    """Steps as the trainer takes them, whole epochs if these are short; and seconds of filling a sampler's pools."""
    config, an_epoch = parts.config, parts.steps_per_epoch
    loader = pretrain_loader(parts.dataset, parts.sampler, parts.objective, config.batch_size, num_steps=an_epoch)
    clock = _Clock(max(1, TIMED_STEPS // an_epoch) * an_epoch if an_epoch < TIMED_STEPS else TIMED_STEPS)
    pools = [_FilledOnce(parts.dataset, parts.sampler)] if isinstance(parts.sampler, HardNegativeSampler) else []
    trainer = quiet_trainer(
        max_epochs=-1,
        gradient_clip_val=config.trainer.gradient_clip_val,
        precision=config.trainer.precision,
        accelerator=config.trainer.accelerator,
        callbacks=[*pools, clock],
    )
    fit(trainer, parts.module, loader)
    return clock, sum(one.seconds for one in pools)


def _tokens_of_epoch(parts: Parts, clock: _Clock) -> int | None:
    """Each seed sample's own length, and as many tokens of others as the timed steps read; None: no tokens are read."""
    length = parts.dataset.store.cost()
    if not clock.tokens or length is None:
        return None
    seeds = SeedBatchSampler(len(parts.dataset), parts.config.batch_size, num_steps=parts.steps_per_epoch)
    own = sum(int(length[step.seeds].sum()) for step in seeds)
    return own + round(parts.steps_per_epoch * clock.joined_tokens)


def _figures_seconds(parts: Parts, known: Known) -> float:
    """Of what a validation measures on embeddings, whatever these are."""
    config = parts.config
    key = settings_hash(
        ["figures", *_read(parts), config.graph, config.test_pairs, config.valid_edge_rate, config.valid_queries]
    )
    if key not in known:
        z = _any_embeddings(parts.dataset, parts.module.encoder)
        start = time.perf_counter()
        validation_of(parts).measure(parts.module.encoder, z)
        known[key] = time.perf_counter() - start
    return known[key]


def _embedding_seconds(parts: Parts, known: Known) -> float:
    """Of embedding all samples that are pre-trained on."""
    trainer = parts.config.trainer
    key = settings_hash(["embedding", *_read(parts), trainer.precision, trainer.accelerator])
    if key not in known:
        known[key] = _embedded(parts)
    return known[key]


def _read(parts: Parts) -> list[Any]:
    """What is embedded, and by what."""
    config = parts.config
    return [config.dataset, reader_of(config), config.inductive, config.encoder]


def _embedded(parts: Parts) -> float:
    """Seconds of embedding all samples, from as many of them as a few seconds allow."""
    cost = parts.dataset.store.cost()
    node = torch.randperm(len(parts.dataset), generator=keyed_generator(parts.seed))
    done, size, spent = 0, FIRST_EMBEDDED, 0.0
    while True:
        some = node[done : done + size]
        start = time.perf_counter()
        embed(parts.module.encoder, parts.dataset, some)
        took = time.perf_counter() - start
        done, size, spent = done + len(some), 2 * size, spent + took
        if done == len(node):
            return spent
        if spent + 2 * took > EMBEDDING_SECONDS:
            share = len(node) / len(some) if cost is None else float(cost.sum() / cost[some].sum())
            return took * share
