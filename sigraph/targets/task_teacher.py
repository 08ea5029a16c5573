"""TaskTeacher: what a supervised graph network makes of the pre-training graph."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from lightning.fabric.utilities import move_data_to_device
from torch import Tensor

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.files.arguments import check_choices, check_flags, check_integers, check_numbers, check_rates, shown
from sigraph.files.memory import check_fits
from sigraph.files.random import keyed_generator, keyed_seed
from sigraph.files.suggestions import did_you_mean
from sigraph.graph_networks.batches import Everything, NodeBatch, NodeBatches
from sigraph.graph_networks.features import dense_rows
from sigraph.graph_networks.layered import LayeredInference
from sigraph.graph_networks.network import GraphNetwork
from sigraph.graph_networks.training import ACCELERATORS, own_training
from sigraph.targets.base import Target, rows_of
from sigraph.targets.teacher_embedding import taught
from sigraph.tasks.kinds import KINDS
from sigraph.tasks.seen_labels import SeenLabels

READS = ("hidden", "logits")


class TaskTeacher(Target):
    r"""What a GCN says that was trained on a task's training labels: its last hidden rows, or its predictions.

    Trained as :class:`~sigraph.arms.SupervisedGNN` is, without validation labels: pre-training may not see them. With
    the last hidden activations H and :math:`P = D^{-1/2}(A+I)D^{-1/2}`, ``hidden`` are the rows of PH, of which the
    predictions, ``logits``, are a linear map. Centred rows of unit length, their D principal channels, of unit length
    again, turned at random as :class:`~sigraph.targets.PropagatedFeatures` are.

    A pre-training with it belongs to another class of methods than one without: records say that labels were used.

    Args:
        labels: What may be seen of the labels, by task; filled in from the data set: of the samples that pre-training
            may see, those of each task's train split.
        task: Name of the task; None: the only one whose labels are of samples.
        reads: ``hidden`` or ``logits``; numbers have ``hidden`` alone.
        out_channels: D, >= 1; where there are fewer, the last channels are 0.
        hidden_channels: Width of the GCN, >= 1.
        num_layers: In [2, 10].
        dropout: Rate on the input of every layer, in [0, 1).
        lr: Learning rate of AdamW, > 0.
        weight_decay: Of AdamW, >= 0.
        max_epochs: Epochs, >= 1.
        held_back_rate: Share of the training labels, in [0, 1), whose loss chooses how many of these epochs are taken;
            then all labels are trained on for as many. 0: all epochs.
        batch_size, num_neighbors: As in :class:`~sigraph.arms.SupervisedGNN`.
        idf_power: Power of the inverse document frequency that counts are weighted by, >= 0; of counts only.
        rotate: Whether the channels are turned.
        accelerator: ``auto``: a CUDA GPU if there is one, else the CPU; ``cpu`` or ``gpu``.

    Shapes:
        - **fit:** [N, D] float32; zeros for a sample without features and without edges.

    Raises:
        ValueError: There is no such task, or none of its labels may be seen.

    Source: a supervised graph network as the teacher of a network without a graph: Zhang et al., "Graph-less Neural
    Networks", ICLR 2022, which distils its predictions; the GCN: Kipf & Welling, ICLR 2017.
    """

    reads_labels = True

    def __init__(
        self,
        labels: Mapping[str, SeenLabels],
        task: str | None = None,
        reads: str = "hidden",
        out_channels: int = 256,
        hidden_channels: int = 256,
        num_layers: int = 2,
        dropout: float = 0.5,
        lr: float = 0.01,
        weight_decay: float = 0.05,
        max_epochs: int = 100,
        held_back_rate: float = 0.0,
        batch_size: int | None = None,
        num_neighbors: int = 15,
        idf_power: float = 0.5,
        rotate: bool = True,
        accelerator: str = "auto",
    ) -> None:
        name = "TaskTeacher"
        check_choices(name, READS, reads=reads)
        check_integers(name, 1, out_channels=out_channels, hidden_channels=hidden_channels, max_epochs=max_epochs)
        check_integers(name, 2, most=10, num_layers=num_layers)
        check_integers(name, 1, batch_size=1 if batch_size is None else batch_size, num_neighbors=num_neighbors)
        check_rates(name, dropout=dropout, held_back_rate=held_back_rate)
        check_numbers(name, above=0, lr=lr)
        check_numbers(name, least=0, weight_decay=weight_decay, idf_power=idf_power)
        check_flags(name, rotate=rotate)
        check_choices(name, ACCELERATORS, accelerator=accelerator)
        check_fits(name, 4 * hidden_channels**2, hidden_channels=hidden_channels)
        self.task, self.labels = _of_task(labels, task)
        if reads == "logits" and self.labels.num_outputs < 2:
            raise ValueError(f"'reads' needs to be 'hidden' in {name!r}: task {self.task!r} predicts one number")
        self.reads, self.out_channels = reads, out_channels
        self.hidden_channels, self.num_layers = hidden_channels, num_layers
        self.dropout, self.lr, self.weight_decay, self.max_epochs = dropout, lr, weight_decay, max_epochs
        self.held_back_rate, self.batch_size, self.num_neighbors = held_back_rate, batch_size, num_neighbors
        self.idf_power, self.rotate, self.accelerator = idf_power, rotate, accelerator

    def among(self, ids: Tensor) -> TaskTeacher:
        out = copy.copy(self)
        out.labels = self.labels._replace(y=self.labels.y[ids])
        return out

    def compute(self, dataset: SampleDataset, graph: PretrainGraph, seed: int) -> Tensor:
        y = self.labels.y
        if len(y) != len(dataset):
            raise ValueError(
                f"'labels' needs a label a sample in 'TaskTeacher', missing or not (got {len(y)}, and {len(dataset)} "
                "samples)"
            )
        rows = rows_of(dataset, self.idf_power, "TaskTeacher")
        with own_training(keyed_seed(seed, 6), self.accelerator) as device:
            batches = NodeBatches(
                graph, dense_rows(rows), self.num_layers, self.batch_size, self.num_neighbors, keyed_seed(seed, 7)
            )
            network = self._trained(batches, seed, device).eval()
            with torch.no_grad():
                over = LayeredInference(graph.store)
                if self.reads == "logits":
                    found = over(network.model, batches.rows.to(device))
                else:
                    found = over.normalised(over.before_last(network.model, batches.rows.to(device)))
        return taught(found.cpu(), rows, graph, self.out_channels, seed if self.rotate else None)

    def _trained(self, batches: NodeBatches, seed: int, device: torch.device) -> GraphNetwork:
        first = keyed_seed(seed, 9)
        node = KINDS[self.labels.type].is_labelled(self.labels.y).nonzero().view(-1)
        if not self.held_back_rate:
            return self._taught(batches, node, self.max_epochs, device, first)[0]
        if len(node) < 2:
            raise ValueError(f"'held_back_rate' needs two labels of task {self.task!r} in 'TaskTeacher' (got 1)")
        node = node[torch.randperm(len(node), generator=keyed_generator(seed, 8))]
        size = min(max(1, round(self.held_back_rate * len(node))), len(node) - 1)
        _, best = self._taught(batches, node[size:].sort().values, self.max_epochs, device, first, node[:size])
        return self._taught(batches, node.sort().values, best, device, first)[0]

    def _taught(
        self,
        batches: NodeBatches,
        node: Tensor,
        num_epochs: int,
        device: torch.device,
        first: int,
        held_back: Tensor | None = None,
    ) -> tuple[GraphNetwork, int]:
        """A network that was trained on some nodes' labels, and after how many epochs those held back cost least."""
        kind, y, width = KINDS[self.labels.type], self.labels.y, self.labels.num_outputs
        settings, unit_of = kind.loss_settings(y[node], width, None, 0.0, "'TaskTeacher'"), kind.unit(y[node])
        sizes = (batches.rows.size(1), self.hidden_channels, self.num_layers, width)
        torch.manual_seed(first)
        network = GraphNetwork("gcn", *sizes, self.dropout).to(device)
        optimizer = torch.optim.AdamW(network.parameters(), lr=self.lr, weight_decay=self.weight_decay)

        def loss_of(inputs: NodeBatch | Everything, target: Tensor) -> Tensor:
            found = network(move_data_to_device(inputs, device)).z
            return kind.loss(found if unit_of is None else unit_of(found), target.to(device), settings)

        best, least = num_epochs, float("inf")
        for epoch in range(1, num_epochs + 1):
            for inputs, target in batches.loader(node, y[node], train=True):
                loss = loss_of(inputs, target)
                if not bool(torch.isfinite(loss)):
                    raise ValueError(f"the loss of 'TaskTeacher' is {loss.item()} in epoch {epoch}; lower 'lr'")
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            if held_back is not None:
                with torch.no_grad():
                    cost = float(loss_of(batches.exact(held_back), y[held_back]))
                if cost < least:
                    best, least = epoch, cost
        return network, best


def _of_task(labels: Mapping[str, SeenLabels], task: str | None) -> tuple[str, SeenLabels]:
    """The task that is meant, and what may be seen of its labels."""
    name = "TaskTeacher"
    if not isinstance(labels, Mapping) or not all(isinstance(one, SeenLabels) for one in labels.values()):
        raise ValueError(
            f"'labels' needs a mapping of tasks to sigraph.tasks.SeenLabels in {name!r} (got {shown(labels)}); in a "
            "YAML it is filled in"
        )
    known = ", ".join(map(repr, labels)) or "none"
    if task is None and len(labels) != 1:
        raise ValueError(f"'task' needs a name in {name!r}: there is not one task of samples (there are: {known})")
    task = next(iter(labels)) if task is None else task
    if not isinstance(task, str) or task not in labels:
        raise ValueError(
            f"'task' of {name!r} names {shown(task)}, which is no task of samples{did_you_mean(task, labels)} (there "
            f"are: {known})"
        )
    found = labels[task]
    if not bool(KINDS[found.type].is_labelled(found.y).any()):
        raise ValueError(f"'task' of {name!r} names {task!r}, of which pre-training may see no label")
    return task, found
