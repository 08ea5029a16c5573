"""The contract of a teacher: a graph network that learns from features and edges alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from lightning.fabric.utilities import move_data_to_device
from torch import Tensor, nn
from torch_geometric.nn.models.basic_gnn import BasicGNN

from sigraph.edges import EdgeStore
from sigraph.files.arguments import check_choices, check_integers, check_numbers
from sigraph.graph_networks.features import dense_rows
from sigraph.graph_networks.layered import LayeredInference
from sigraph.graph_networks.subgraphs import Subgraph, Subgraphs, as_input
from sigraph.graph_networks.training import ACCELERATORS, own_training
from sigraph.samples.vectors import Rows


class Teacher(ABC):
    """Trains a graph network without labels and embeds every node with it.

    A new kind is a subclass in a file of its own that says :attr:`hidden_channels` and :attr:`num_layers`, and
    implements :meth:`network` and :meth:`loss`. What a target holds may hold numbers and texts only, and so may a
    teacher: the network lives as long as :meth:`embed`.

    Where messages of the whole graph fit into 1 GB, a step takes the whole graph; else a part, all nodes that random
    walks of as many steps as there are layers reach from ``batch_size`` nodes. Nodes are embedded with all their
    neighbours, a layer at a time.

    Args:
        lr: Learning rate of Adam, > 0.
        weight_decay: Of Adam, >= 0.
        max_epochs: Times that every node is looked at, >= 1.
        batch_size: Walks in a step; None: the whole graph where it fits, else 2,048.
        max_steps: Steps at most, where a step takes a part, >= 1.
        accelerator: ``auto``: a CUDA GPU if there is one, else the CPU; ``cpu`` or ``gpu``.
    """

    hidden_channels: int  # C
    num_layers: int
    reads_sparse: ClassVar[bool] = False  # whether sparse rows come as torch's sparse CSR; else they are made dense

    def __init__(
        self,
        lr: float,
        weight_decay: float,
        max_epochs: int,
        batch_size: int | None,
        max_steps: int,
        accelerator: str,
    ) -> None:
        name = type(self).__name__
        check_numbers(name, above=0, lr=lr)
        check_numbers(name, least=0, weight_decay=weight_decay)
        check_integers(name, 1, max_epochs=max_epochs, max_steps=max_steps)
        if batch_size is not None:
            check_integers(name, 2, batch_size=batch_size)
        check_choices(name, ACCELERATORS, accelerator=accelerator)
        self.lr, self.weight_decay, self.max_epochs = lr, weight_decay, max_epochs
        self.batch_size, self.max_steps, self.accelerator = batch_size, max_steps, accelerator

    @abstractmethod
    def network(self, in_channels: int) -> nn.Module:
        """What is trained. Its ``encoder``, a PyG model without norm, embeds the nodes."""

    @abstractmethod
    def loss(self, network: Any, part: Subgraph) -> Tensor:
        """What a step makes smaller, of a graph or a part of one; draws from torch's random numbers. -> scalar"""

    def embed(self, rows: Rows, store: EdgeStore, seed: int) -> Tensor:
        """Train, and embed every node.

        Args:
            rows: Features, node i has row i. Shape [N, F], dense or sparse.
            store: The edges, at least one.
            seed: Of everything random.

        Returns:
            Float32 [N, C].

        Raises:
            ValueError: The loss is no finite number.
        """
        if not self.reads_sparse:
            rows = dense_rows(rows).numpy()
        with own_training(seed, self.accelerator) as device:
            parts = Subgraphs(store, rows, self.hidden_channels, self.num_layers, self.batch_size, seed)
            network = self.network(rows.shape[1]).to(device).train()
            self._train(network, parts, device)
            network.eval()
            encoder: BasicGNN = network.encoder
            with torch.no_grad():
                return LayeredInference(store)(encoder, as_input(rows).to(device)).cpu()

    def _train(self, network: nn.Module, parts: Subgraphs, device: torch.device) -> None:
        optimizer = torch.optim.Adam(network.parameters(), lr=self.lr, weight_decay=self.weight_decay)
        last, number = None if not parts.are_parts else self.max_steps, 0
        for epoch in range(self.max_epochs):
            for part in parts.epoch(epoch):
                if number == last:
                    return
                loss = self.loss(network, move_data_to_device(part, device))
                if not bool(torch.isfinite(loss)):
                    raise ValueError(
                        f"the loss of {type(self).__name__!r} is {loss.item()} in step {number} of epoch {epoch}; "
                        f"lower 'lr' (got {self.lr:g})"
                    )
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                number += 1
