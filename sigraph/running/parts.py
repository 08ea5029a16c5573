"""From the settings of a pre-training to its parts: data, graph, encoder, losses, sampler."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from sigraph.config import ArmConfig, ConfigError, PretrainConfig, settings_hash
from sigraph.config.build import Bases, build, check, is_shipped, partial_build, working
from sigraph.config.overlay import Component
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.encoders import Encoder, embed
from sigraph.evaluation.nearest_head import check_neighbors
from sigraph.files.memory import check_processes
from sigraph.files.random import keyed_generator, keyed_seed
from sigraph.graphs import GraphConstructor, hold_out_edges
from sigraph.graphs.label_graph import reads_labels
from sigraph.leaderboard.result_files import ENCODER
from sigraph.losses import CrossBatchMemory, StructureLoss
from sigraph.machines.devices import check_device
from sigraph.objectives import Objective
from sigraph.pretrain import PretrainModule
from sigraph.running.data_source import open_data
from sigraph.running.leakage_check import LeakageCheck
from sigraph.samplers import PairSampler
from sigraph.tasks import Evaluator
from sigraph.tasks.scorable import check_scorable

# Every use of a seed has a stream of its own: (seed, which).
INIT, GRAPH, HOLDOUT, STEPS, HEAD = range(5)
# Late-bound sizes of samples: what has them, and the way to it.
_READ = {
    "in_channels": (
        "feature rows",
        "prepare it from columns of numbers alone (--ignore the others), or name a class that reads records",
    ),
    "num_tokens": (
        "token sequences",
        "give them a column 'tokens' (sigraph.data.token_table), or name a class that reads them as they are",
    ),
    "node_channels": ("graphs", "give a list of torch_geometric Data as samples, or name a class that reads them"),
}


def pretrain_hash(config: PretrainConfig) -> str:
    """Hash of what shapes the pre-trained encoder; workers, the pace of validation and the machines do not.

    How many processes share a batch does, as each draws for itself.
    """
    plain = config.to_dict()
    for key in ("num_workers", "valid_every", "valid_queries"):
        plain.pop(key)
    for key in ("devices", "num_nodes", "strategy"):
        plain["trainer"].pop(key)
    if config.trainer.num_processes > 1:  # one process has no key of its own: hashes from before there were several
        plain["trainer"]["num_processes"] = config.trainer.num_processes
    return settings_hash(plain)


@dataclass
class Parts:
    """Everything of a pre-training, built from its config for one seed and not yet trained."""

    config: PretrainConfig
    seed: int
    dataset: SampleDataset  # what is pre-trained on; `whole` without validation and test samples if inductive
    whole: SampleDataset
    graph: PretrainGraph  # what is trained on
    held_out: torch.Tensor  # [2, M]
    module: PretrainModule
    sampler: PairSampler
    objective: Objective | None

    @property
    def steps_per_epoch(self) -> int:
        """As many as over the whole data set, so that an inductive arm takes no fewer than the others."""
        return -(-len(self.whole) // self.config.batch_size)


def build_parts(config: PretrainConfig, seed: int) -> Parts:
    """Open the data and build graph, encoder, losses and sampler.

    Raises:
        ConfigError: A component does not fit.
        ValueError: The data set or the graph does not.
    """
    whole = open_data(config.dataset)
    dataset = whole.subset(seen_in_pretraining(whole)) if config.inductive else whole
    constructor: GraphConstructor = build(config.graph, GraphConstructor, "pretrain.graph")
    with working(type(constructor).__name__, config.graph, "pretrain.graph"):
        observed = _observed(constructor, dataset, whole, seed)
    observed, held_out = hold_out_edges(observed, config.valid_edge_rate, keyed_generator(seed, HOLDOUT))
    with working(type(constructor).__name__, config.graph, "pretrain.graph"):
        graph = constructor.expand(observed)
    torch.manual_seed(keyed_seed(seed, INIT))
    encoder = _build_reader(config.encoder, Encoder, "pretrain.encoder", dataset)
    encoder.check_samples(dataset)
    objective = None
    if config.objective is not None:
        channels = {"encoder_channels": encoder.out_channels}
        objective = _build_reader(config.objective, Objective, "pretrain.objective", dataset, **channels)
        _check_vocabulary(encoder, objective)
    sampler = build(config.sampler, PairSampler, "pretrain.sampler", graph=graph)
    scheduler = None
    if config.scheduler is not None:
        length = {"T_max": max(config.trainer.max_epochs, 1)}
        scheduler = partial_build(config.scheduler, LRScheduler, "pretrain.scheduler", **length)
    module = PretrainModule(
        encoder,
        build(config.structure_loss, StructureLoss, "pretrain.structure_loss", encoder_channels=encoder.out_channels),
        objective,
        config.structure_weight,
        sampler,
        partial_build(config.optimizer, Optimizer, "pretrain.optimizer"),
        scheduler,
        seed=keyed_seed(seed, STEPS) >> 1,
    )
    _check_shared(config, module)
    if isinstance(loss := module.structure_loss, CrossBatchMemory):
        loss.check_size(encoder.out_channels)
    return Parts(config, seed, dataset, whole, graph, held_out, module, sampler, objective)


def _check_vocabulary(encoder: Encoder, objective: Objective) -> None:
    """Refuse an objective that puts tokens into sequences which the encoder does not know."""
    known, used = (getattr(part, "num_tokens", None) for part in (encoder, objective))
    if isinstance(known, int) and isinstance(used, int) and used > known:
        raise ConfigError(f"pretrain.objective.num_tokens: needs to be <= {known}, that of the encoder (got {used})")


def _check_shared(config: PretrainConfig, module: PretrainModule) -> None:
    """Refuse what several processes cannot train together."""
    size, loss = config.trainer.num_processes, module.structure_loss
    if size == 1:
        return
    if config.batch_size < 2 * size:
        raise ConfigError(
            f"pretrain.batch_size: needs to be >= {2 * size}, two samples for each of {size} processes "
            f"(got {config.batch_size})"
        )
    if module.structure_weight > 0 and not loss.additive:
        raise ConfigError(
            f"pretrain.structure_loss: {size} processes cannot compute a part of {type(loss).__name__!r} each; train "
            "with pretrain.trainer.devices=1, or write it as terms()"
        )


def _observed(constructor: GraphConstructor, dataset: SampleDataset, whole: SampleDataset, seed: int) -> PretrainGraph:
    """The observed edges among the samples that are pre-trained on; a part of the data set itself has no labels."""
    generator = keyed_generator(seed, GRAPH)
    if dataset is whole or not reads_labels(constructor):
        return constructor.base(dataset, generator)
    everywhere = whole.replace(graphs={"made": constructor.base(whole, generator)})
    return everywhere.subset(seen_in_pretraining(whole)).graph()


def load_parts(config: PretrainConfig, seed: int, folder: Path) -> tuple[torch.Tensor, SampleDataset, PretrainGraph]:
    """Embeddings of all samples by a finished pre-training, its data set, and the graph as it was observed."""
    parts = build_parts(config, seed)
    encoder = parts.module.encoder
    encoder.load_state_dict(load_file(folder / ENCODER))
    constructor: GraphConstructor = build(config.graph, GraphConstructor, "pretrain.graph")
    observed = constructor.base(parts.whole, keyed_generator(seed, GRAPH))
    return embed(encoder, parts.whole), parts.whole, observed


def seen_in_pretraining(dataset: SampleDataset) -> torch.Tensor:
    """Samples that no task of the data set validates or tests on: all that an inductive pre-training may see."""
    seen = torch.ones(len(dataset), dtype=torch.bool)
    for task in dataset.tasks.values():
        seen[task.split["valid"]] = seen[task.split["test"]] = False
    if not bool(seen.any()):
        raise ValueError(f"'inductive' leaves no sample of {dataset.name!r}: every one is validated or tested on")
    return seen.nonzero().view(-1)


def visible_classes(parts: Parts) -> torch.Tensor | None:
    """Classes of the first classification task where pre-training may look: train and valid, never test samples."""
    for task in parts.whole.tasks.values():
        if task.type == "classification":
            y = torch.full_like(task.labels, -1)
            for part in ("train", "valid"):
                y[task.split[part]] = task.labels[task.split[part]]
            return y[seen_in_pretraining(parts.whole)] if parts.config.inductive else y
    return None


def check_arms(arms: list[ArmConfig], seed: int) -> list[str]:
    """Build every arm's parts once and look its tasks up, so that what cannot work is said before anything trains.

    Returns:
        What is worth saying of leakage, a line for each task.

    Raises:
        ConfigError, ValueError: What does not fit, and in which arm.
    """
    leakage = LeakageCheck()
    built: dict[str, tuple[SampleDataset, Encoder]] = {}
    for arm in arms:
        code, graph = pretrain_hash(arm.pretrain), None
        with said_of(arm):
            if code not in built:
                check_device(arm.pretrain.trainer)
                check_processes("pretrain.num_workers", arm.pretrain.num_workers)
                parts = build_parts(arm.pretrain, seed)
                _draw_once(parts)
                graph = parts.graph
                built[code] = parts.whole, parts.module.encoder
            whole, encoder = built[code]
            for i, entry in enumerate(arm.finetune):
                own = entry.dataset == arm.pretrain.dataset
                home = whole if own or entry.dataset is None else open_data(entry.dataset, f"finetune.{i}.dataset")
                encoder.check_samples(home)
                Evaluator(task := home.task(entry.task))
                check_scorable(task)
                if entry.head == "knn":
                    check_neighbors(task, entry.k, entry.leave_one_out)
                leakage.look(arm, whole, home, task, graph)
                partial_build(entry.optimizer, Optimizer, f"finetune.{i}.optimizer")
    return leakage.lines()


def _draw_once(parts: Parts) -> None:
    """Draw the samples of one step, whose number only the sampler knows."""
    number = min(parts.config.batch_size, len(parts.dataset))
    with working(type(parts.sampler).__name__, parts.config.sampler, "pretrain.sampler"):
        parts.sampler.sample(torch.arange(number), keyed_generator(0))


def check_components(arm: ArmConfig) -> None:
    """Check what an arm's components name, opening no data, building nothing and running no code of one's own.

    Of a component that names a module of one's own it is only looked whether it may be imported and is there.

    Raises:
        ConfigError: A class is not there or of the wrong kind, or has no such argument; in which arm.
    """
    config = arm.pretrain
    filled = dict.fromkeys(("in_channels", "num_tokens", "node_channels", "edge_channels", "encoder_channels"))
    slots: list[tuple[str, Bases, dict[str, Any]]] = [
        ("graph", GraphConstructor, {}),
        ("encoder", Encoder, filled),
        ("sampler", PairSampler, {"graph": None}),
        ("structure_loss", StructureLoss, filled),
        ("objective", Objective, filled),
    ]
    with said_of(arm):
        for slot, base, late in slots:
            component = getattr(config, slot)
            if component is not None and is_shipped(component, f"pretrain.{slot}"):
                check(component, base, f"pretrain.{slot}", **late)
        for where, optimizer in [
            ("pretrain", config.optimizer),
            *((f"finetune.{i}", entry.optimizer) for i, entry in enumerate(arm.finetune)),
        ]:
            if is_shipped(optimizer, f"{where}.optimizer"):
                partial_build(optimizer, Optimizer, f"{where}.optimizer")


@contextlib.contextmanager
def said_of(arm: ArmConfig) -> Iterator[None]:
    """Errors about settings say whose they are."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"arm {arm.name!r}: {error}") from error


def _build_reader(component: Component, expected: Bases, where: str, dataset: SampleDataset, **available: Any) -> Any:
    """Build what reads samples; refuse what needs feature rows or token sequences where the samples are none."""
    # A size fills what the YAML leaves open, except for limits that are open by themselves (max_length: null, or 512).
    sizes = {name: size for name, size in dataset.sizes.items() if name != "max_length"}
    available |= {"in_channels": None, "num_tokens": None, "node_channels": None, "edge_channels": None, **sizes}
    target = check(component, expected, where, **available)
    for name, (needed, way) in _READ.items():
        size = inspect.signature(target).parameters.get(name)
        if size is not None and size.default is size.empty and component.get(name, available[name]) is None:
            raise ConfigError(
                f"{where}: {target.__name__!r} needs {needed}, but the samples of data set {dataset.name!r} are "
                f"{dataset.store.describe()}; {way}"
            )
    return build(component, expected, where, **available)
