"""SupervisedGNN: what a graph network reaches that has the graph at inference; PyG's models."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from sigraph.arms.base import ArmKind, Given, Prediction, without_vectors
from sigraph.data import PretrainGraph
from sigraph.files.arguments import check_choices, check_integers, check_numbers, check_rates
from sigraph.files.random import keyed_seed
from sigraph.finetune import FinetuneModule
from sigraph.graph_networks.batches import NodeBatches
from sigraph.graph_networks.features import dense_rows
from sigraph.graph_networks.network import MODELS, GraphNetwork
from sigraph.machines.trainer import KeepBest, fit, quiet_trainer
from sigraph.samples.vectors import Vectors
from sigraph.tasks import Task
from sigraph.tasks.kinds import TargetUnit


class SupervisedGNN(ArmKind):
    """A graph network trained on the task's labels alone; the same split, the epoch chosen by validation.

    It reads features and neighbours of every sample that it predicts. Where pre-training is ``inductive`` it trains on
    the visible samples and the edges among them and predicts with the whole graph, as new samples would come with their
    edges. Large graphs (above 4 million nodes and edges) train on batches: the samples reached from the batch in as
    many steps as there are layers, with the edges among them that a layer reads. They are validated and tested with
    all neighbours, a layer at a time (:class:`~sigraph.graph_networks.layered.LayeredInference`). Only ``gcn`` reads
    weights of edges.

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
        feature_channels: Width to which features that are wider are reduced by a truncated singular value
            decomposition, >= 1: an epoch on words is many times faster. None: 256 where dense rows would take more than
            1 GB, else all.
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
        feature_channels: int | None = None,
    ) -> None:
        check_choices("SupervisedGNN", tuple(MODELS), layer=layer)
        check_integers("SupervisedGNN", 1, hidden_channels=hidden_channels, max_epochs=max_epochs, patience=patience)
        check_integers("SupervisedGNN", 1, most=10, num_layers=num_layers)
        check_integers("SupervisedGNN", 1, batch_size=batch_size or 1, num_neighbors=num_neighbors)
        check_integers("SupervisedGNN", 1, feature_channels=1 if feature_channels is None else feature_channels)
        check_rates("SupervisedGNN", dropout=dropout)
        check_numbers("SupervisedGNN", above=0, lr=lr)
        check_numbers("SupervisedGNN", least=0, weight_decay=weight_decay)
        self.layer, self.hidden_channels, self.num_layers, self.dropout = layer, hidden_channels, num_layers, dropout
        self.lr, self.weight_decay, self.max_epochs, self.patience = lr, weight_decay, max_epochs, patience
        self.batch_size, self.num_neighbors, self.feature_channels = batch_size, num_neighbors, feature_channels

    def applies(self, given: Given, task: Task) -> str:
        if not given.own:
            return "needs the task's samples in the pre-training graph (they are another data set)"
        return without_vectors(given)

    def predict(self, given: Given, task: Task, seed: int = 0, score_test: bool = True) -> Prediction:
        rows = _features(given, self.feature_channels)
        everywhere = self._batches(given.full_graph, rows, seed)
        seen = everywhere
        if given.graph is not given.full_graph:
            seen = self._batches(given.graph, rows if given.node is None else rows[given.node], seed)
        train, place = _visible_among(task.split["train"], given)
        torch.manual_seed(keyed_seed(seed, 0))
        sizes = (rows.size(1), self.hidden_channels, self.num_layers, task.num_outputs)
        encoder = GraphNetwork(self.layer, *sizes, self.dropout)
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

    def _batches(self, graph: PretrainGraph, rows: Tensor, seed: int) -> NodeBatches:
        return NodeBatches(graph, rows, self.num_layers, self.batch_size, self.num_neighbors, seed)


def _features(given: Given, channels: int | None) -> Tensor:
    """Dense rows of all samples; very many features are reduced, as visible samples have them."""
    vectors = Vectors(given.visible.store)
    return dense_rows(vectors(given.dataset.store), lambda: vectors(given.visible.store), channels)


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


def _predicted(module: FinetuneModule, nodes: NodeBatches, node: Tensor) -> Tensor:
    module.eval()

    def parts() -> Iterator[Tensor]:
        for inputs, _ in nodes.loader(node, node):
            found = module(inputs)
            yield found if found.dtype == torch.float64 else found.float()

    with torch.no_grad():
        return torch.cat(list(parts())).cpu()
