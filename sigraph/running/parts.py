"""From the settings of a pre-training to its parts: data, graph, encoder, losses, sampler."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from sigraph.config import ArmConfig, ConfigError, PretrainConfig, settings_hash
from sigraph.config.build import Bases, build, check, working
from sigraph.config.overlay import Component
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.encoders import Encoder
from sigraph.encoders.base import check_width
from sigraph.files.random import keyed_generator, keyed_seed
from sigraph.graphs import GraphConstructor
from sigraph.leaderboard.result_files import ENCODER
from sigraph.losses import CrossBatchMemory, StructureLoss
from sigraph.machines.devices import BF16_MIXED
from sigraph.objectives import Objective
from sigraph.pretrain import PretrainModule
from sigraph.running.embeddings import Embeddings
from sigraph.running.ground import GRAPH, INIT, STEPS, Ground, build_ground
from sigraph.running.learnt_labels import reads_labels
from sigraph.running.optimizers import makers_of
from sigraph.running.start import settings_of, start_of, started_encoder
from sigraph.running.visible import shown_labels
from sigraph.samplers import PairSampler
from sigraph.tasks import Task

CHANGE_NOTHING = ("num_workers", "valid_every", "valid_queries", "logger")  # of what is trained
OPEN = ("max_length",)  # limits that are open by themselves: a YAML that leaves them out means that
SIZES = (
    "in_channels",
    "num_tokens",
    "pad_token",
    "mask_token",
    "node_channels",
    "edge_channels",
)  # sizes of samples that fill constructors
# Late-bound sizes of samples: what has them, and the way to it.
_READ = {
    "in_channels": (
        "feature rows",
        "name a reader that makes them of records (pretrain.reader: TfIdf, TableFeatures), prepare it from columns of "
        "numbers alone (--ignore the others), or name a class that reads what there is",
    ),
    "num_tokens": (
        "token sequences",
        "name a reader that makes them of records (pretrain.reader: WordTokens, SymbolTokens), give them a column "
        "'tokens' (sigraph.data.token_table), or name a class that reads what there is",
    ),
    "node_channels": ("graphs", "give a list of torch_geometric Data as samples, or name a class that reads them"),
}


def pretrain_hash(config: PretrainConfig) -> str:
    """Hash of what shapes the pre-trained encoder; workers, the pace of validation and the machines do not.

    How many processes share a batch does, as each draws for itself.
    """
    plain = settings_of(config)
    for key in CHANGE_NOTHING:
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
    ground: Ground
    module: PretrainModule
    sampler: PairSampler
    objective: Objective | None

    @property
    def dataset(self) -> SampleDataset:
        """What is pre-trained on."""
        return self.ground.dataset

    @property
    def whole(self) -> SampleDataset:
        """All samples of the data set."""
        return self.ground.whole

    @property
    def graph(self) -> PretrainGraph:
        """What is trained on; node i is sample i of :attr:`dataset`."""
        return self.ground.graph

    @property
    def held_out(self) -> torch.Tensor:
        """Edges that validate. Shape [2, M]."""
        return self.ground.held_out

    @property
    def visible(self) -> dict[str, Any]:
        """What shapes the pre-training besides its settings, as a record has it."""
        return self.ground.visible(self.config)

    @cached_property
    def embeddings(self) -> Embeddings:
        """What the encoder makes of all samples; ask when it is trained."""
        return Embeddings(self.module.encoder, self.ground)

    @property
    def steps_per_epoch(self) -> int:
        """As many as over the whole data set, so that an inductive arm takes no fewer than the others; or as said."""
        return self.config.steps_per_epoch or -(-len(self.whole) // self.config.batch_size)


def build_parts(config: PretrainConfig, seed: int, ground: Ground | None = None) -> Parts:
    """Build encoder, losses and sampler on the data and the graph, which are built as well if they are not given.

    Raises:
        ConfigError: A component does not fit.
        ValueError: The data set or the graph does not.
    """
    ground = ground or build_ground(config, seed)
    dataset, graph = ground.dataset, ground.graph
    makers = makers_of(config, "pretrain", config.trainer.accelerator)
    torch.manual_seed(keyed_seed(seed, INIT))
    start = start_of(config)
    if start is None:
        encoder = _build_reader(config.encoder, Encoder, "pretrain.encoder", dataset)
    else:
        encoder = started_encoder(start, dataset)
    if config.trainer.precision in BF16_MIXED:
        encoder.autocast_dtype = torch.bfloat16
    check_width(encoder)
    encoder.check_samples(dataset)
    if start is None:
        encoder.prepare(dataset)
    objective = None
    labels = {"labels": shown_labels(ground.whole, ground.sight)} if reads_labels(config) else {}
    late = {"encoder_channels": encoder.out_channels, **labels}
    if config.objective is not None:
        of_parts = {**late, "part_channels": encoder.part_channels}
        objective = _build_reader(config.objective, Objective, "pretrain.objective", dataset, **of_parts)
        _check_vocabulary(encoder, objective)
        with working(type(objective).__name__, config.objective, "pretrain.objective"):
            objective.check_samples(dataset.store)
    sampler = build(config.sampler, PairSampler, "pretrain.sampler", graph=graph)
    module = PretrainModule(
        encoder,
        build(config.structure_loss, StructureLoss, "pretrain.structure_loss", **late),
        objective,
        config.structure_weight,
        sampler,
        *makers,
        seed=keyed_seed(seed, STEPS) >> 1,
    )
    _check_shared(config, module)
    for loss in module.structure_loss.modules():
        if isinstance(loss, CrossBatchMemory):
            loss.check_size(encoder.out_channels)
    module.structure_loss.prepare(dataset, graph, seed)
    return Parts(config, seed, ground, module, sampler, objective)


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


def load_parts(config: PretrainConfig, seed: int, folder: Path) -> tuple[torch.Tensor, SampleDataset, PretrainGraph]:
    """Embeddings of all samples by a finished pre-training, its data set, and the graph as it was observed."""
    parts = build_parts(config, seed)
    encoder = parts.module.encoder
    encoder.load_state_dict(load_file(folder / ENCODER))
    constructor: GraphConstructor = build(config.graph, GraphConstructor, "pretrain.graph")
    observed = constructor.base(parts.whole, keyed_generator(seed, GRAPH))
    return parts.embeddings.of(parts.whole), parts.whole, observed


def visible_classes(parts: Parts) -> torch.Tensor | None:
    """Classes of the first classification task where pre-training may look: never those of test or hidden samples."""
    for task in parts.whole.tasks.values():
        if isinstance(task, Task) and task.type == "classification":
            y = torch.full_like(task.labels, -1)
            for part in ("train", "valid"):
                y[task.split[part]] = task.labels[task.split[part]]
            samples, joined = parts.ground.sight
            if samples is not None:
                return y[samples]
            if joined is not None:
                y[~torch.isin(torch.arange(len(y)), joined)] = -1
            return y
    return None


@contextlib.contextmanager
def said_of(arm: ArmConfig) -> Iterator[None]:
    """Errors about settings say whose they are."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"arm {arm.name!r}: {error}") from error


def _build_reader(component: Component, expected: Bases, where: str, dataset: SampleDataset, **available: Any) -> Any:
    """Build what reads samples; refuse what needs feature rows or token sequences where the samples are none."""
    sizes = {name: size for name, size in dataset.sizes.items() if name not in OPEN}
    available |= {**dict.fromkeys(_READ), **sizes}
    target = check(component, expected, where, **available)
    for name, (needed, way) in _READ.items():
        size = inspect.signature(target).parameters.get(name)
        if size is not None and size.default is size.empty and component.get(name, available[name]) is None:
            raise ConfigError(
                f"{where}: {target.__name__!r} needs {needed}, but the samples of data set {dataset.name!r} are "
                f"{dataset.store.describe()}; {way}"
            )
    return build(component, expected, where, **available)
