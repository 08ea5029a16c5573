"""Ground: what a pre-training stands on whatever its encoder and losses, its samples and its graph; built once."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from sigraph.config import PretrainConfig, settings_hash
from sigraph.config.build import build, working
from sigraph.config.inductive import meaning
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.files.random import keyed_generator
from sigraph.graphs import GraphConstructor, hold_out_edges
from sigraph.graphs.label_graph import labels_read
from sigraph.running.data_source import fingerprint_of, open_data
from sigraph.running.learnt_labels import learns_labels
from sigraph.running.reading import read_for_pretraining
from sigraph.running.start import check_reader, reader_of, reader_to_use
from sigraph.running.visible import Sight, lifted, make_graph, shown_edges, shown_samples, sight
from sigraph.theory.leakage.pairs import held_pairs, tested_pairs

# Every use of a seed has a stream of its own: (seed, which).
INIT, GRAPH, HOLDOUT, STEPS, HEAD = range(5)
KEPT, KEPT_EDGES = 3, 20_000_000  # grounds that are kept for the next arm and seed, and edges of all of them together

T = TypeVar("T")


@dataclass
class Observed:
    """Data and the edges that were observed, before any are held out."""

    whole: SampleDataset  # all samples, as the reader reads them
    dataset: SampleDataset  # those that are pre-trained on
    sight: Sight
    constructor: GraphConstructor
    graph: PretrainGraph  # over the samples that may be joined
    group: Tensor | None  # of the samples that are pre-trained on, where these are more than may be joined
    edges: tuple[int, str]  # undirected edges of the data set that the graph may be made of: how many, their sum
    pairs: dict[str, int]  # by task, pairs that it tests and the graph has from the data set
    is_drawn: bool  # whether the graph is another for another seed


@dataclass
class Ground:
    """What a pre-training stands on."""

    dataset: SampleDataset  # what is pre-trained on; `whole` without the samples that it does not see
    whole: SampleDataset
    graph: PretrainGraph  # what is trained on; node i is sample i of `dataset`
    held_out: Tensor  # [2, M]
    sight: Sight
    edges: tuple[int, str]  # as in Observed
    labels: str  # whose labels the graph is made of
    pairs: dict[str, int]  # as in Observed

    def visible(self, config: PretrainConfig) -> dict[str, Any]:
        """What shapes a pre-training besides its settings, as a record has it."""
        uses = bool(config.structure_weight and config.trainer.max_epochs)
        found = _visible(config, self.whole, self.sight, (self.edges, self.labels) if uses else None)
        return {**found, "labels": _most(found["labels"], "train" if learns_labels(config) else "none")}


def _most(*words: str) -> str:
    return max(words, key=("none", "train", "all").index)


class _Kept(Generic[T]):
    """The last few, as long as their graphs are not too large together."""

    def __init__(self) -> None:
        self._found: OrderedDict[tuple[Any, ...], tuple[int, T]] = OrderedDict()

    def get(self, *key: Any) -> T | None:
        if key not in self._found:
            return None
        self._found.move_to_end(key)
        return self._found[key][1]

    def put(self, found: T, num_edges: int, *key: Any) -> T:
        self._found[key] = num_edges, found
        while len(self._found) > KEPT or (
            len(self._found) > 1 and sum(size for size, _ in self._found.values()) > KEPT_EDGES
        ):
            self._found.popitem(last=False)
        return found


_grounds, _observations = _Kept[Ground](), _Kept[Observed]()
_seen = _Kept[tuple[SampleDataset, SampleDataset, Sight]]()


def ground_hash(config: PretrainConfig) -> str:
    """Hash of what shapes :class:`Ground`."""
    return settings_hash([_of_observed(config), config.valid_edge_rate])


def _of_observed(config: PretrainConfig) -> list[Any]:
    return [config.dataset, reader_of(config), config.graph, config.inductive, config.test_pairs]


def build_ground(config: PretrainConfig, seed: int) -> Ground:
    """Open the data and build the graph, or find both built for an arm that shares them.

    Raises:
        ConfigError, ValueError: The data set or the graph does not fit.
    """
    data = fingerprint_of(config.dataset, "pretrain.dataset")
    key = data, ground_hash(config), seed
    ground = _grounds.get(*key)
    if ground is not None:
        return ground
    observed = observe(config, seed)
    kept, held_out = hold_out_edges(observed.graph, config.valid_edge_rate, keyed_generator(seed, HOLDOUT))
    constructor = observed.constructor
    with working(type(constructor).__name__, config.graph, "pretrain.graph"):
        graph = constructor.expand(kept)
    found = observed.sight
    graph = _over_all(observed, graph)
    if found.samples is None and found.joined is not None:
        held_out = found.joined[held_out]
    labels = labels_read(constructor)
    ground = Ground(observed.dataset, observed.whole, graph, held_out, found, observed.edges, labels, observed.pairs)
    return _grounds.put(ground, graph.num_edges, *key)


def seen_data(config: PretrainConfig) -> tuple[SampleDataset, SampleDataset, Sight]:
    """All samples as the reader reads them, those that pre-training may see, and which these are; opened once."""
    key = fingerprint_of(config.dataset), settings_hash([config.dataset, reader_of(config), config.inductive])
    if (kept := _seen.get(*key)) is not None:
        return kept
    whole = open_data(config.dataset)
    found = sight(whole, config.inductive)
    whole = read_for_pretraining(whole, config.reader, found.samples, reader_to_use(config))
    check_reader(config, whole)
    return _seen.put((whole, shown_samples(whole, found), found), 0, *key)


def observed_graph(config: PretrainConfig, seed: int) -> PretrainGraph:
    """The observed edges, none held out, before anything is derived from them; node i is sample i that is visible."""
    observed = observe(config, seed)
    return _over_all(observed, observed.graph)


def whole_graph(config: PretrainConfig, dataset: SampleDataset, seed: int) -> tuple[PretrainGraph, GraphConstructor]:
    """The graph that is pre-trained on, none of its edges held out, over all samples of a data set; what made it.

    For an audit: node i is sample i, those that pre-training may not see are isolated.
    """
    constructor: GraphConstructor = build(config.graph, GraphConstructor, "pretrain.graph")
    found = sight(dataset, config.inductive)
    leaves_out = config.test_pairs == "leave-out"
    return make_graph(constructor, dataset, found, keyed_generator(seed, GRAPH), leaves_out), constructor


def visible_of(config: PretrainConfig, seed: int, reads_graph: bool) -> dict[str, Any]:
    """What shapes an arm that pre-trains nothing, as a record has it; edges only if it reads the graph."""
    whole, _, found = seen_data(config)
    observed = observe(config, seed) if reads_graph else None
    graph = None if observed is None else (observed.edges, labels_read(observed.constructor))
    return _visible(config, whole, found, graph)


def _visible(
    config: PretrainConfig, whole: SampleDataset, found: Sight, graph: tuple[tuple[int, str], str] | None
) -> dict[str, Any]:
    samples = torch.arange(len(whole)) if found.samples is None else found.samples
    return {
        "inductive": meaning(config.inductive),
        "samples": [samples.numel(), hashlib.sha256(samples.numpy().tobytes()).hexdigest()[:12]],
        "edges": None if graph is None else list(graph[0]),
        "labels": "none" if graph is None else graph[1],
        "graph_at_inference": False,
    }


def _over_all(observed: Observed, graph: PretrainGraph) -> PretrainGraph:
    """A graph over the samples that may be joined as one over those that are pre-trained on."""
    found = observed.sight
    if found.samples is None and found.joined is not None:
        return lifted(graph, found.joined, len(observed.whole), observed.group)
    return graph


def observe(config: PretrainConfig, seed: int) -> Observed:
    """Open the data and make the graph that is observed, or find both made for an arm that shares them."""
    data = fingerprint_of(config.dataset, "pretrain.dataset")
    code = settings_hash(_of_observed(config))
    for which in (None, seed):
        if (observed := _observations.get(data, code, which)) is not None:
            return observed
    whole, dataset, found = seen_data(config)
    source = shown_edges(whole, found, config.test_pairs == "leave-out")
    constructor: GraphConstructor = build(config.graph, GraphConstructor, "pretrain.graph")
    if found.joined is not None:
        constructor = constructor.among(found.joined, len(whole))
    generator = keyed_generator(seed, GRAPH)
    before, group = generator.get_state(), None
    with working(type(constructor).__name__, config.graph, "pretrain.graph"):
        graph = constructor.base(source, generator)
        drew = not torch.equal(before, generator.get_state())  # else it is the same for every seed
        if found.samples is None and found.joined is not None and graph.group is not None:
            whole_constructor: GraphConstructor = build(config.graph, GraphConstructor, "pretrain.graph")
            group = whole_constructor.base(whole, keyed_generator(seed, GRAPH)).group
    edges = _edges_that_may_be_seen(constructor, source, whole, found)
    pairs = _pairs_that_are_held(constructor, source, whole, found, graph)
    observed = Observed(whole, dataset, found, constructor, graph, group, edges, pairs, drew)
    return _observations.put(observed, graph.num_edges, data, code, seed if drew else None)


def _pairs_that_are_held(
    constructor: GraphConstructor, source: SampleDataset, whole: SampleDataset, found: Sight, graph: PretrainGraph
) -> dict[str, int]:
    """By task, how many of the pairs that it tests the observed graph has from a graph of the data set.

    That samples are near is no answer: pairs that a constructor finds by itself do not count.
    """
    place = torch.arange(len(whole))
    if found.joined is not None:
        place = torch.full((len(whole),), -1)
        place[found.joined] = torch.arange(found.joined.numel())
    held = {}
    for name, pairs in tested_pairs(whole).items():
        seen = place[pairs]
        seen = seen[:, (seen >= 0).all(dim=0)]
        given = torch.zeros(seen.size(1), dtype=torch.bool)
        for graph_name in constructor.sources(source):
            given |= held_pairs(source.graph(graph_name), seen)
        if number := int((given & held_pairs(graph, seen)).sum()):
            held[name] = number
    return held


def _edges_that_may_be_seen(
    constructor: GraphConstructor, source: SampleDataset, whole: SampleDataset, found: Sight
) -> tuple[int, str]:
    """Of the graphs of the data set that a constructor names, those between samples that may be joined.

    Edges that it makes of what the samples hold are no further knowledge, so that a neighbour graph sees none; nor does
    it matter what becomes of them, so that a rewired graph sees the edges of its original.
    """
    count, digest = 0, hashlib.sha256()
    for name in sorted(constructor.sources(source)):
        rowptr, col = source.graph(name).csr()
        row, col = torch.repeat_interleave(rowptr.diff()), col.long()
        pair = torch.stack([row, col])[:, row < col]
        if found.joined is not None:
            pair = found.joined[pair]  # ascending, so that the order stays
        count += pair.size(1)
        digest.update(json.dumps([name, pair.size(1)]).encode())
        digest.update(pair.contiguous().numpy().tobytes())
    return count, digest.hexdigest()[:12]
