"""TanimotoGraph: molecules joined to those whose fingerprints are nearest."""

from __future__ import annotations

import functools
import logging

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.files.arguments import check_flags, check_integers, is_number, shown
from sigraph.files.counted import counted
from sigraph.graphs.base import GraphConstructor
from sigraph.graphs.knn import undirected
from sigraph.graphs.molecules import distinct_text, smiles_of
from sigraph.neighbors.search import nearest_samples
from sigraph.neighbors.tanimoto import TanimotoSearch
from sigraph.samples.molecules import morgan_fingerprints

logger = logging.getLogger(__name__)


class TanimotoGraph(GraphConstructor):
    """Each molecule is joined to the k others whose Morgan fingerprints are most similar by Tanimoto, exactly.

    Args:
        k: Neighbours of each molecule, >= 1. As edges have no direction, a molecule that many find near has more.
        column: Of SMILES, in the data set's records; ``id``: the samples' ids, where graphs have their SMILES as ids.
        radius: Of the fingerprint, in bonds, >= 0; 2 is ECFP4.
        num_bits: Of the folded fingerprint, >= 8.
        mutual: Join two molecules only if each is among the other's nearest; otherwise one of the two is enough.
        min_similarity: Tanimoto similarity below which two are not joined, in [0, 1].

    Every pair is compared, a block of rows at a time. Of equally similar molecules those listed first come first;
    molecules of one fingerprint are each other's nearest, those that follow in number first, cyclically. Molecules that
    rdkit cannot read are isolated. Needs rdkit (extra ``molecules``).

    Raises:
        ImportError: By :meth:`base`: there is no rdkit.
        ValueError: By :meth:`base`: there is no such column, no more than k molecules can be read, or none are similar
            enough.

    Source: Rogers and Hahn, "Extended-connectivity fingerprints", J. Chem. Inf. Model. 2010.
    """

    def __init__(
        self,
        k: int = 10,
        column: str = "smiles",
        radius: int = 2,
        num_bits: int = 2048,
        mutual: bool = False,
        min_similarity: float = 0.0,
    ) -> None:
        check_integers("TanimotoGraph", 1, k=k)
        check_integers("TanimotoGraph", 0, radius=radius)
        check_integers("TanimotoGraph", 8, num_bits=num_bits)
        check_flags("TanimotoGraph", mutual=mutual)
        if not is_number(min_similarity) or not 0 <= min_similarity <= 1:
            raise ValueError(f"'min_similarity' needs to be in [0, 1] in 'TanimotoGraph' (got {shown(min_similarity)})")
        self.k, self.column, self.radius, self.num_bits = k, column, radius, num_bits
        self.mutual, self.min_similarity = mutual, min_similarity

    def sources(self, dataset: SampleDataset) -> list[str]:
        """None: no graph of the data set is read."""
        return []

    def base(self, dataset: SampleDataset, generator: torch.Generator | None = None) -> PretrainGraph:
        smiles, number = distinct_text(smiles_of(dataset, self.column, "TanimotoGraph"))
        bits = morgan_fingerprints(smiles, self.radius, self.num_bits)
        node = torch.from_numpy(np.flatnonzero(np.diff(bits.indptr)[number]))  # that can be read
        if self.k >= len(node):
            raise ValueError(
                f"'k' needs to be below the number of molecules that can be read, {len(node):,}, in 'TanimotoGraph' "
                f"(got {self.k})"
            )
        if len(node) < len(number):
            _say_isolated(dataset.fingerprint, self.column, len(number) - len(node))
        first, kind_of = _equal_rows(bits)
        kind = torch.from_numpy(kind_of[number[node.numpy()]])  # [M]
        used, kind = kind.unique(return_inverse=True)
        at = torch.full((len(used),), len(kind)).scatter_reduce(0, kind, torch.arange(len(kind)), "amin")
        at, order = at.sort()  # fingerprints in the order of the molecules that have them first
        kind, rows = order.argsort()[kind], bits[first[used[order].numpy()]]
        row, col = nearest_samples(TanimotoSearch(rows), self.k, (at, kind))
        if self.min_similarity > 0:
            near = similarity(rows, kind[row].numpy(), kind[col].numpy()) >= self.min_similarity
            row, col = row[near], col[near]
        graph = PretrainGraph(undirected(node[row], node[col], len(number), self.mutual), len(number))
        if not graph.num_edges:
            raise ValueError(
                f"'TanimotoGraph' made no edge: no two of {len(node):,} molecules are as similar as "
                f"{self.min_similarity}{' both ways' if self.mutual else ''}; lower 'min_similarity'"
            )
        return graph


@functools.lru_cache(maxsize=64)  # each seed and arm makes the graph anew: of one data set it is said once
def _say_isolated(fingerprint: str, column: str, count: int) -> None:
    logger.warning("%s cannot be read: isolated", counted(count, "molecule"))


def similarity(bits: csr_matrix, row: np.ndarray, col: np.ndarray) -> Tensor:
    """Tanimoto similarity of pairs of rows. Shape [P], [P] -> [P] float64."""
    size = np.diff(bits.indptr).astype(np.float64)
    step = 1 << 18
    shared = [
        np.asarray(bits[row[i : i + step]].multiply(bits[col[i : i + step]]).sum(axis=1)).reshape(-1)
        for i in range(0, len(row), step)
    ]
    both = np.concatenate([np.empty(0), *shared]).astype(np.float64)
    return torch.from_numpy(both / np.maximum(size[row] + size[col] - both, 1))


def _equal_rows(bits: csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """The first row of each kind [U], and the kind of each row [N]."""
    packed = [np.packbits(bits[i : i + 4_096].toarray() > 0, axis=1) for i in range(0, bits.shape[0], 4_096)]
    table = np.ascontiguousarray(np.concatenate(packed))
    as_one = table.view(np.dtype((np.void, table.shape[1]))).reshape(-1)
    _, first, kind = np.unique(as_one, return_index=True, return_inverse=True)
    return first, kind.reshape(-1)
