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

from sigraph.config import ArmConfig, ConfigError, PretrainConfig, settings_hash
from sigraph.config.build import Bases, build, check, working
from sigraph.config.overlay import Component
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.encoders import Encoder, embed
from sigraph.files.random import keyed_generator, keyed_seed
from sigraph.graphs import GraphConstructor, hold_out_edges
from sigraph.graphs.label_graph import reads_labels
from sigraph.leaderboard.result_files import ENCODER
from sigraph.losses import CrossBatchMemory, StructureLoss
from sigraph.objectives import Objective
from sigraph.pretrain import PretrainModule
from sigraph.running.data_source import open_data
from sigraph.running.optimizers import makers_of
from sigraph.running.reading import read_for_pretraining
from sigraph.samplers import PairSampler

# Every use of a seed has a stream of its own: (seed, which).
INIT, GRAPH, HOLDOUT, STEPS, HEAD = range(5)
CHANGE_NOTHING = ("num_workers", "valid_every", "valid_queries")  # of what is trained
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
    plain = config.to_dict()
    for key in CHANGE_NOTHING:
        plain.pop(key)
    for key in ("devices", "num_nodes", "strategy"):
        plain["trainer"].pop(key)
    if config.trainer.num_processes > 1:  # one process has no key of its own: hashes from before there were several
        plain["trainer"]["num_processes"] = config.trainer.num_processes
    return settings_hash(plain)


@dataclass
class Ground:
    """What a pre-training stands on, whatever its encoder and losses: its samples and its graph."""

    dataset: SampleDataset  # what is pre-trained on; `whole` without validation and test samples if inductive
    whole: SampleDataset
    graph: PretrainGraph  # what is trained on
    held_out: torch.Tensor  # [2, M]


@dataclass
class Parts:
    """Everything of a pre-training, built from its config for one seed and not yet trained."""

    config: PretrainConfig
    seed: int
    dataset: SampleDataset  # these four as in Ground
    whole: SampleDataset
    graph: PretrainGraph
    held_out: torch.Tensor
    module: PretrainModule
    sampler: PairSampler
    objective: Objective | None

    @property
    def steps_per_epoch(self) -> int:
        """As many as over the whole data set, so that an inductive arm takes no fewer than the others."""
        return -(-len(self.whole) // self.config.batch_size)


def ground_hash(config: PretrainConfig) -> str:
    """Hash of what shapes :class:`Ground`."""
    return settings_hash([config.dataset, config.reader, config.graph, config.inductive, config.valid_edge_rate])


def build_ground(config: PretrainConfig, seed: int) -> Ground:
    """Open the data and build the graph.

    Raises:
        ConfigError, ValueError: The data set or the graph does not fit.
    """
    whole = open_data(config.dataset)
    seen = seen_in_pretraining(whole) if config.inductive else None
    whole = read_for_pretraining(whole, config.reader, seen)
    dataset = whole if seen is None else whole.subset(seen)
    constructor: GraphConstructor = build(config.graph, GraphConstructor, "pretrain.graph")
    with working(type(constructor).__name__, config.graph, "pretrain.graph"):
        observed = _observed(constructor, dataset, whole, seed)
    observed, held_out = hold_out_edges(observed, config.valid_edge_rate, keyed_generator(seed, HOLDOUT))
    with working(type(constructor).__name__, config.graph, "pretrain.graph"):
        graph = constructor.expand(observed)
    return Ground(dataset, whole, graph, held_out)


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
    encoder = _build_reader(config.encoder, Encoder, "pretrain.encoder", dataset)
    encoder.check_samples(dataset)
    objective = None
    if config.objective is not None:
        channels = {"encoder_channels": encoder.out_channels}
        objective = _build_reader(config.objective, Objective, "pretrain.objective", dataset, **channels)
        _check_vocabulary(encoder, objective)
    sampler = build(config.sampler, PairSampler, "pretrain.sampler", graph=graph)
    module = PretrainModule(
        encoder,
        build(config.structure_loss, StructureLoss, "pretrain.structure_loss", encoder_channels=encoder.out_channels),
        objective,
        config.structure_weight,
        sampler,
        *makers,
        seed=keyed_seed(seed, STEPS) >> 1,
    )
    _check_shared(config, module)
    if isinstance(loss := module.structure_loss, CrossBatchMemory):
        loss.check_size(encoder.out_channels)
    return Parts(config, seed, dataset, ground.whole, graph, ground.held_out, module, sampler, objective)


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
