"""SupervisedGNN: what a graph network reaches that has the graph at inference; PyG's models."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from sklearn.decomposition import TruncatedSVD
from torch import Tensor, nn
from torch.optim import AdamW
from torch.utils.data import DataLoader
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.nn.models import GCN, GIN, GraphSAGE

from sigraph.arms.base import ArmKind, Given, Prediction, without_vectors
from sigraph.arms.whole_graph import LayeredInference
from sigraph.data import PretrainGraph
from sigraph.edges import EdgeStore
from sigraph.encoders import Encoder, Encoding
from sigraph.files.arguments import check_choices, check_integers, check_numbers, check_rates
from sigraph.files.random import keyed_generator, keyed_seed
from sigraph.finetune import FinetuneModule
from sigraph.machines.trainer import KeepBest, fit, quiet_trainer
from sigraph.samples.vectors import Vectors, as_tensor
from sigraph.tasks import Task
from sigraph.tasks.kinds import TargetUnit

MODELS = {"gcn": GCN, "sage": GraphSAGE, "gin": GIN}
MOST_NUMBERS = 1 << 28  # of a dense matrix of features: 1 GB
WHOLE = 4_000_000  # nodes and directed edges together up to which a step takes the whole graph
_REDUCED = 256  # channels of features that are too many


class SupervisedGNN(ArmKind):
    """A graph network trained on the task's labels alone; the same split, the epoch chosen by validation.

    It reads features and neighbours of every sample that it predicts. Where pre-training is ``inductive`` it trains on
    the visible samples and the edges among them and predicts with the whole graph, as new samples would come with their
    edges. Large graphs (above 4 million nodes and edges) train on batches: the samples reached from the batch in as
    many steps as there are layers, with the edges among them that a layer reads. They are validated and tested with
    all neighbours, a layer at a time (:class:`~sigraph.arms.whole_graph.LayeredInference`). Only ``gcn`` reads weights
    of edges.

    Args:
        layer: ``gcn`` (Kipf & Welling, ICLR 2017), ``sage`` (Hamilton et al., NeurIPS 2017), ``gin`` (Xu et al., ICLR
            2019).
        hidden_channels: Width, >= 1.
        num_layers: Layers, in [1, 10].
        dropout: Rate on the input of every layer, in [0, 1).
        lr: Learning rate of AdamW, > 0.
        weight_decay: Of AdamW, >= 0.
        max_epochs: Epochs at most, >= 1.
        patience: Epochs without a better validation score before training stops, >= 1.
        batch_size: Training samples a step on batches; None: the whole graph where it is not large, else 1,024.
        num_neighbors: Neighbours drawn of each sample in a step, on batches, >= 1.
    """

    kind = "reference"
    reads_graph = True
    graph_at_inference = True
    draws = True

    def __init__(
        self,
        layer: str = "gcn",
        hidden_channels: int = 64,
        num_layers: int = 2,
        dropout: float = 0.5,
        lr: float = 0.01,
        weight_decay: float = 0.05,
        max_epochs: int = 300,
        patience: int = 50,
        batch_size: int | None = None,
        num_neighbors: int = 15,
    ) -> None:
        check_choices("SupervisedGNN", tuple(MODELS), layer=layer)
        check_integers("SupervisedGNN", 1, hidden_channels=hidden_channels, max_epochs=max_epochs, patience=patience)
        check_integers("SupervisedGNN", 1, most=10, num_layers=num_layers)
        check_integers("SupervisedGNN", 1, batch_size=batch_size or 1, num_neighbors=num_neighbors)
        check_rates("SupervisedGNN", dropout=dropout)
        check_numbers("SupervisedGNN", above=0, lr=lr)
        check_numbers("SupervisedGNN", least=0, weight_decay=weight_decay)
        self.layer, self.hidden_channels, self.num_layers, self.dropout = layer, hidden_channels, num_layers, dropout
        self.lr, self.weight_decay, self.max_epochs, self.patience = lr, weight_decay, max_epochs, patience
        self.batch_size, self.num_neighbors = batch_size, num_neighbors

    def applies(self, given: Given, task: Task) -> str:
        if not given.own:
            return "needs the task's samples in the pre-training graph (they are another data set)"
        return without_vectors(given)

    def predict(self, given: Given, task: Task, seed: int = 0, score_test: bool = True) -> Prediction:
        rows = _features(given)
        everywhere = _Nodes(self, given.full_graph, rows, seed)
        seen = everywhere
        if given.graph is not given.full_graph:
            seen = _Nodes(self, given.graph, rows if given.node is None else rows[given.node], seed)
        train, place = _visible_among(task.split["train"], given)
        torch.manual_seed(keyed_seed(seed, 0))
        encoder = _GraphNetwork(self, rows.size(1), task.num_outputs)
        is_number = task.type == "regression"
        unit = TargetUnit(task.labels[task.split["train"]]) if is_number else nn.Identity()
        scale = unit.scale if isinstance(unit, TargetUnit) else 1.0
        optimizer = partial(AdamW, lr=self.lr, weight_decay=self.weight_decay)
        module = FinetuneModule(encoder, unit, task, optimizer=optimizer, seed=seed, target_scale=scale)
        best = KeepBest(f"valid_{task.metric}", task.greater_is_better, self.patience)
        trainer = quiet_trainer(max_epochs=self.max_epochs, accelerator=given.accelerator, callbacks=[best])
        valid, test = task.split["valid"], task.split["test"]
        fit(
            trainer,
            module,
            seen.loader(place, task.labels[train], train=True),
            everywhere.loader(valid, task.labels[valid]),
        )
        best.restore(module)
        predicted = partial(_predicted, module, everywhere)
        size = sum(parameter.numel() for parameter in encoder.parameters())
        return Prediction(predicted(valid), predicted(test) if score_test else None, size, best.epoch)


class _Batch(NamedTuple):
    """Nodes of a step, the edges among them, and which of them are asked about."""

    x: Tensor  # [M, F]
    edge_index: Tensor  # [2, E]
    edge_weight: Tensor | None  # [E]
    asked: Tensor  # [B] places among the M
    within: tuple[int, ...] = ()  # of each layer, how many of the nodes, the first ones, it is needed of; none: all


class _Everything(NamedTuple):
    """All nodes, evaluated a layer at a time, and which of them are asked about."""

    x: Tensor  # [N, F]
    over: LayeredInference
    asked: Tensor  # [B]


class _GraphNetwork(Encoder):
    """PyG's model; the embedding of a sample is its prediction."""

    def __init__(self, kind: SupervisedGNN, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.dropout = nn.Dropout(kind.dropout)
        sizes = (in_channels, kind.hidden_channels, kind.num_layers, out_channels)
        self.model = MODELS[kind.layer](*sizes, dropout=kind.dropout)

    def forward(self, inputs: _Batch | _Everything) -> Encoding:
        if isinstance(inputs, _Everything):
            return Encoding(inputs.over(self.model, inputs.x)[inputs.asked])
        if inputs.within:
            return Encoding(self._trimmed(inputs)[inputs.asked])
        weight = {"edge_weight": inputs.edge_weight} if self.model.supports_edge_weight else {}
        return Encoding(self.model(self.dropout(inputs.x), inputs.edge_index, **weight)[inputs.asked])

    def _trimmed(self, inputs: _Batch) -> Tensor:
        """The model's forward pass, each layer of the nodes alone that those after it read. [within[-1], D]"""
        x, index, norm = self.dropout(inputs.x), inputs.edge_index, None
        if self.model.supports_edge_weight:
            index, norm = gcn_norm(index, inputs.edge_weight, len(x))
        for number, (conv, within) in enumerate(zip(self.model.convs, inputs.within, strict=True)):
            into = index[1] < within
            index = index[:, into]
            if norm is None:
                x = conv((x, x[:within]), index)
            else:  # normalised above: edges from outside count
                norm = norm[into]
                x = conv.propagate(index, x=conv.lin(x), edge_weight=norm)[:within] + conv.bias
            if number < len(inputs.within) - 1:
                x = self.model.dropout(self.model.act(x))
        return x


class _Nodes:
    """Samples with their features and edges, as batches."""

    def __init__(self, kind: SupervisedGNN, graph: PretrainGraph, rows: Tensor, seed: int) -> None:
        self.store: EdgeStore = graph.store
        self.rows, self.seed, self.num_layers, self.num_neighbors = rows, seed, kind.num_layers, kind.num_neighbors
        self.size = kind.batch_size
        if self.size is None and self.store.num_nodes + graph.num_edges > WHOLE:
            self.size = 1024
        self._all: _Batch | None = None
        self._layered: LayeredInference | None = None
        if self.size is None:
            self._all = self._among(torch.arange(self.store.num_nodes))

    def loader(self, node: Tensor, y: Tensor, train: bool = False) -> DataLoader:
        """Batches of (inputs, labels); what is not trained on is one."""
        pairs: Any = list(range(len(node)))
        size = self.size if train and self.size is not None else len(node)
        generator = keyed_generator(self.seed, 0)

        def collate(place: list[int]) -> tuple[_Batch | _Everything, Tensor]:
            at = torch.tensor(place)
            return (self._drawn(node[at], generator) if train else self._exact(node[at])), y[at]

        shuffle = train and self.size is not None
        return DataLoader(pairs, size, shuffle, generator=keyed_generator(self.seed, 0, 1), collate_fn=collate)

    def _drawn(self, node: Tensor, generator: torch.Generator) -> _Batch:
        """What some nodes are trained with."""
        if self._all is not None:
            return self._all._replace(asked=node)
        asked = node.unique()
        hops = [asked]
        for _ in range(self.num_layers):
            drawn = self.store.draw_neighbors(hops[-1], self.num_neighbors, generator).unique()
            hops.append(drawn[(drawn >= 0) & ~torch.isin(drawn, torch.cat(hops))])
        batch, sizes = self._among(torch.cat(hops)), torch.tensor([len(hop) for hop in hops])
        hop = torch.arange(len(hops)).repeat_interleave(sizes)
        near = hop[batch.edge_index].diff(dim=0)[0].abs() <= 1  # what a layer reads, the one before it has made
        weight = None if batch.edge_weight is None else batch.edge_weight[near]
        within = tuple(sizes.cumsum(0).tolist()[-2::-1])
        return _Batch(batch.x, batch.edge_index[:, near], weight, torch.searchsorted(asked, node), within)

    def _exact(self, node: Tensor) -> _Batch | _Everything:
        """What some nodes are predicted with: all their neighbours."""
        if self._all is not None:
            return self._all._replace(asked=node)
        if self._layered is None:
            self._layered = LayeredInference(self.store)
        return _Everything(self.rows, self._layered, node)

    def _among(self, node: Tensor) -> _Batch:
        index, edge = self.store.edges_between(node, node)
        return _Batch(self.rows[node], index, self.store.weight_of(edge), node)


def _features(given: Given) -> Tensor:
    """Dense rows of all samples; very many features are reduced, as visible samples have them."""
    vectors = Vectors(given.visible.store)
    rows = vectors(given.dataset.store)
    if rows.shape[0] * rows.shape[1] > MOST_NUMBERS:
        reduced = TruncatedSVD(min(_REDUCED, rows.shape[1]), random_state=0).fit(vectors(given.visible.store))
        rows = reduced.transform(rows).astype("float32")
    return as_tensor(rows)


def _visible_among(train: Tensor, given: Given) -> tuple[Tensor, Tensor]:
    """Training samples that are visible, and which node each of them is. Shape [n] each."""
    if given.node is None:
        return train, train
    place = torch.full((len(given.dataset),), -1)
    place[given.node] = torch.arange(len(given.node))
    visible = train[place[train] >= 0]
    if not visible.numel():
        raise ValueError("'SupervisedGNN' needs training samples that 'inductive' does not hide (got none)")
    return visible, place[visible]


def _predicted(module: FinetuneModule, nodes: _Nodes, node: Tensor) -> Tensor:
    module.eval()

    def parts() -> Iterator[Tensor]:
        for inputs, _ in nodes.loader(node, node):
            found = module(inputs)
            yield found if found.dtype == torch.float64 else found.float()

    with torch.no_grad():
        return torch.cat(list(parts())).cpu()
