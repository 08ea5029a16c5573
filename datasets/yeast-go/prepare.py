"""Yeast proteins with sequences, from the interactions and annotations of go2ppi and the proteome of UniProt."""

import pyarrow as pa
import torch

from sigraph.data import SampleDataset
from sigraph.recipes.protein_pairs import judged_pairs
from sigraph.recipes.raw_text import (
    commonest,
    graph_between,
    multi_hot,
    read_fasta,
    read_rows,
    read_terms,
    with_sequence,
)
from sigraph.tasks import PairTask, Task
from sigraph.tasks.splits import SplitRule

NUM_TERMS = 40
SPLIT = SplitRule("random", rates=(0.6, 0.2, 0.2), seed=0)
SPLIT_OF_PAIRS = SplitRule("stratified", rates=(0.6, 0.2, 0.2), seed=0)


def prepare(files, card):
    """Records with ``sequence``; two graphs, the second without pairs of ``ppi``; the tasks ``go`` and ``ppi``."""
    pairs = read_rows(files["go2ppi_yeast/SC.ppi"], 2, "\t")
    terms = read_terms(files["go2ppi_yeast/SC.anno"])
    sequences = read_fasta(files["go2ppi_yeast/UP000002311_559292.fasta"])
    names = with_sequence((end for pair in pairs for end in pair), sequences, "SC.ppi")
    columns = commonest(terms, NUM_TERMS)
    label = multi_hot([terms.get(name) for name in names], columns)
    split = SPLIT.draw((~label.isnan()).all(dim=1).nonzero().view(-1))
    samples = pa.table({"sequence": [sequences[name] for name in names]})
    graph = graph_between(pairs, names, drop_unknown=True)
    task = Task("go", label, split, about=f"split drawn: {SPLIT}", classes=columns)
    found = judged_pairs(read_rows(files["go2ppi_yeast/YC.ppi"], 3, "\t"), names, "YC.ppi")
    others = graph_between([pair for pair in pairs if frozenset(pair) not in found.judged], names, drop_unknown=True)
    parts = SPLIT_OF_PAIRS.draw(torch.arange(len(found.label)), found.label)
    of = (found.pairs, found.label, parts, len(names), ["rocauc", "ap", "accuracy"])
    ppi = PairTask("ppi", *of, about=f"split drawn: {SPLIT_OF_PAIRS}", classes=["no", "yes"])
    graphs = {"interaction": graph, "interaction-without-ppi": others}
    return SampleDataset(samples, graphs, {"go": task, "ppi": ppi}, name=card.name, ids=names)
