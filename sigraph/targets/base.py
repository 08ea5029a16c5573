"""The contract of a target: what embeddings are regressed onto, a row a sample, from samples and graph."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.files.arguments import check_flags, check_integers, check_kinds, checked_node
from sigraph.samples.vectors import Rows, Vectors, has_vectors
from sigraph.targets.kept import kept_once


class Target(ABC):
    """Computes a row for each sample from the samples and the graph that pre-training may see.

    A new kind is a subclass in a file of its own that says :attr:`out_channels` and implements :meth:`compute`;
    constructor arguments come from the YAML, ``target: {_target_: sigraph.targets.PropagatedFeatures, restart: 0.05}``.
    What tells one target from another are its class, the file that defines it, and its attributes: they are what a kept
    target is found again by, so that an attribute holds numbers, texts, tensors, other targets, and lists of these.
    """

    out_channels: int  # D
    reads_labels: ClassVar[bool] = False  # whether it looks at training labels

    @abstractmethod
    def compute(self, dataset: SampleDataset, graph: PretrainGraph, seed: int) -> Tensor:
        """The target of all samples that it is given; it is given no others.

        Args:
            dataset: Visible samples.
            graph: Over them, node i is sample i; at least one edge.
            seed: Of everything random.

        Returns:
            Finite float32 [M, D]; a row of zeros says that a sample has no target.
        """

    def among(self, ids: Tensor) -> Target:
        """The target of some of the samples alone; one that holds something of each sample holds it of these. [M]"""
        return self

    def fit(
        self,
        dataset: SampleDataset,
        graph: PretrainGraph,
        visible: Tensor | None = None,
        seed: int = 0,
        keep: bool = False,
    ) -> Tensor:
        """The target of each sample, which uses nothing of samples that are not visible.

        Args:
            dataset: All samples.
            graph: Over them, node i is sample i.
            visible: Which samples may be seen, ids [M] or a mask [N]; None: all.
            seed: Of everything random, >= 0.
            keep: Keep it on disk under ``SIGRAPH_DATA``, in ``targets/``, mapped, and find it there the next time.

        Returns:
            Float32 [N, D]; rows of samples that are not visible are zeros.

        Raises:
            ValueError: Dataset and graph do not fit, no sample is visible, or :meth:`compute` gives something else.
        """
        name = type(self).__name__
        check_kinds(f"{name}.fit", dataset=(dataset, SampleDataset), graph=(graph, PretrainGraph))
        check_integers(f"{name}.fit", 0, seed=seed)
        check_flags(f"{name}.fit", keep=keep)
        if graph.num_nodes != len(dataset):
            got = f"{graph.num_nodes} nodes, {len(dataset)} samples"
            raise ValueError(f"'graph' needs a node a sample in '{name}.fit' (got {got})")
        num_samples, ids = len(dataset), None if visible is None else _ids(visible, len(dataset), name)
        target = self
        if ids is not None:
            target, dataset, graph = self.among(ids), dataset.subset(ids), _among(graph, ids)
        if not graph.num_edges:
            raise ValueError(f"'graph' needs an edge between visible samples in '{name}.fit' (got none)")
        if keep:
            found = kept_once(target, dataset, graph, seed, target._computed)
        else:
            found = target._computed(dataset, graph, seed)
        if ids is None:
            return found
        out = found.new_zeros(num_samples, found.size(1))
        out[ids] = found
        return out

    def _computed(self, dataset: SampleDataset, graph: PretrainGraph, seed: int) -> Tensor:
        found, wanted = self.compute(dataset, graph, seed), [len(dataset), self.out_channels]
        if not isinstance(found, Tensor) or list(found.shape) != wanted or found.dtype != torch.float32:
            got = f"{found.dtype} {list(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(f"compute() of '{type(self).__name__}' needs to return float32 {wanted} (got {got})")
        if not bool(torch.isfinite(found).all()):
            bad = (~torch.isfinite(found).all(dim=1)).nonzero().view(-1)
            raise ValueError(
                f"compute() of '{type(self).__name__}' needs to return finite numbers (got NaN or infinity in "
                f"{bad.numel()} rows, first {int(bad[0])})"
            )
        return found


def rows_of(dataset: SampleDataset, idf_power: float, owner: str) -> Rows:
    """A row of numbers for each sample, as :class:`~sigraph.samples.vectors.Vectors` makes them.

    Raises:
        ValueError: The samples have none.
    """
    if not has_vectors(dataset.store):
        raise ValueError(
            f"{owner!r} needs features, tokens or columns of text (the samples are {dataset.store.describe()}); a "
            "target of the graph alone is GraphEmbedding"
        )
    return Vectors(dataset.store, idf_power)(dataset.store)


def _ids(visible: Tensor, num_samples: int, name: str) -> Tensor:
    """Ascending ids of visible samples."""
    if isinstance(visible, Tensor) and visible.dtype == torch.bool:
        if visible.shape != (num_samples,):
            raise ValueError(f"'visible' needs a mask [{num_samples}] in '{name}.fit' (got {list(visible.shape)})")
        visible = visible.nonzero().view(-1)
    ids = checked_node(visible, num_samples, "visible").unique()
    if not ids.numel():
        raise ValueError(f"'visible' needs at least one sample in '{name}.fit' (got none)")
    return ids


def _among(graph: PretrainGraph, ids: Tensor) -> PretrainGraph:
    """The edges among some samples; node i is ``ids[i]``."""
    index, edge = graph.store.edges_between(ids, ids)
    group = None if graph.group is None else graph.group[ids]
    return PretrainGraph(index, ids.numel(), graph.store.weight_of(edge), group)
