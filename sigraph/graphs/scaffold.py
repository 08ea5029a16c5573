"""ScaffoldGraph: molecules that share a scaffold are neighbours."""

from __future__ import annotations

import logging

import numpy as np
import pyarrow.compute as pc
import torch

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.edges import LabelSetStore
from sigraph.files.arguments import check_flags
from sigraph.graphs.base import GraphConstructor
from sigraph.graphs.molecules import distinct_text, smiles_of
from sigraph.samples.molecules import murcko_scaffolds

logger = logging.getLogger(__name__)


class ScaffoldGraph(GraphConstructor):
    """Molecules are joined if they have the same Bemis-Murcko scaffold: their rings and what links them.

    Args:
        column: Of SMILES, in the data set's records; ``id``: the samples' ids, where graphs have their SMILES as ids.
        chirality: Whether scaffolds that differ in their stereochemistry are different ones.
        generic: Whether only the shape counts: every atom of a scaffold is carbon, every bond single.
        acyclic: Whether molecules without a ring, all of whose scaffolds are empty, are joined with each other; False:
            they are isolated.

    The graph is two-level (:class:`~sigraph.data.LabelSetStore`): memory is O(N), however many molecules share a
    scaffold. Molecules that rdkit cannot read are isolated. Needs rdkit (extra ``molecules``).

    Scaffold splits put a scaffold into one part: this graph then joins no training molecule with a test molecule of its
    task, and what is learned from it about test molecules comes through the encoder alone.

    Raises:
        ImportError: By :meth:`base`: there is no rdkit.
        ValueError: By :meth:`base`: there is no such column, or no two molecules share a scaffold.

    Example:
        >>> dataset = SampleDataset(pa.table({"smiles": ["Cc1ccccc1", "Oc1ccccc1", "CCO", "C1CCCCC1"]}))
        >>> ScaffoldGraph()(dataset)
        PretrainGraph(num_nodes=4, num_edges=2)

    Source: Bemis and Murcko, "The properties of known drugs. 1. Molecular frameworks", J. Med. Chem. 1996.
    """

    def __init__(
        self, column: str = "smiles", chirality: bool = False, generic: bool = False, acyclic: bool = False
    ) -> None:
        check_flags("ScaffoldGraph", chirality=chirality, generic=generic, acyclic=acyclic)
        self.column, self.chirality, self.generic, self.acyclic = column, chirality, generic, acyclic

    def sources(self, dataset: SampleDataset) -> list[str]:
        """None: no graph of the data set is read."""
        return []

    def base(self, dataset: SampleDataset, generator: torch.Generator | None = None) -> PretrainGraph:
        smiles, number = distinct_text(smiles_of(dataset, self.column, "ScaffoldGraph"))
        scaffold = murcko_scaffolds(smiles, self.chirality, self.generic)
        if not self.acyclic:
            scaffold = pc.if_else(pc.equal(scaffold, ""), None, scaffold)
        code = scaffold.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        set_of = torch.from_numpy(code[number])
        graph = PretrainGraph.from_store(LabelSetStore.from_sets(set_of))
        if not graph.num_edges:
            raise ValueError(
                f"'ScaffoldGraph' made no edge: no two of {len(set_of):,} molecules in column {self.column!r} share a "
                "scaffold; 'generic: true' compares shapes alone"
            )
        logger.info(
            "%s molecules, %s with a scaffold of %s",
            *(f"{count:,}" for count in (len(set_of), int((set_of >= 0).sum()), int(code.max()) + 1)),
        )
        return graph
