"""Pairs of yeast proteins that interact or do not, and a graph without them, from go2ppi and UniProt's proteome."""

import pyarrow as pa
import torch

from sigraph.data import SampleDataset
from sigraph.recipes.protein_pairs import judged_pairs
from sigraph.recipes.raw_text import graph_between, read_fasta, read_rows, with_sequence
from sigraph.tasks import PairTask
from sigraph.tasks.splits import SplitRule

SPLIT = SplitRule("stratified", rates=(0.6, 0.2, 0.2), seed=0)
SPLIT_OF_PROTEINS = SplitRule("random", rates=(0.5, 0.2, 0.3), seed=0)
METRICS = ["accuracy", "rocauc", "ap"]


def prepare(files, card):
    """Records with ``sequence``, the graph ``interaction`` without the pairs; tasks ``pairs`` and ``new-proteins``."""
    edges = read_rows(files["go2ppi_yeast/SC.ppi"], 2, "\t")
    rows = read_rows(files["go2ppi_yeast/YC.ppi"], 3, "\t")
    sequences = read_fasta(files["go2ppi_yeast/UP000002311_559292.fasta"])
    names = with_sequence((end for row in (*edges, *rows) for end in row[:2]), sequences, "SC.ppi and YC.ppi")
    found = judged_pairs(rows, names, "YC.ppi")
    graph = graph_between([edge for edge in edges if frozenset(edge) not in found.judged], names, drop_unknown=True)
    tasks = {}
    for name, split, about in (
        ("pairs", SPLIT.draw(torch.arange(len(found.label)), found.label), f"split drawn: {SPLIT}"),
        ("new-proteins", among_proteins(found.pairs, len(names)), f"split of proteins drawn: {SPLIT_OF_PROTEINS}"),
    ):
        of = (found.pairs, found.label, split, len(names), METRICS)
        tasks[name] = PairTask(name, *of, about=about, classes=["no", "yes"])
    samples = pa.table({"sequence": [sequences[name] for name in names]})
    return SampleDataset(samples, {"interaction": graph}, tasks, name=card.name, ids=names)


def among_proteins(pairs, num_proteins):
    """Pairs whose proteins are of one part of a split of the proteins; the others are in no part."""
    paired, part = pairs.unique(), torch.full((num_proteins,), -1)
    for number, proteins in enumerate(SPLIT_OF_PROTEINS.draw(paired).values()):
        part[proteins] = number
    first, second = part[pairs]
    return {
        name: ((first == i) & (second == i)).nonzero().view(-1) for i, name in enumerate(("train", "valid", "test"))
    }
