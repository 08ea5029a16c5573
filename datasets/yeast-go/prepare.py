"""Yeast proteins with sequences, from the interactions and annotations of go2ppi and the proteome of UniProt."""

import pyarrow as pa

from sigraph.data import SampleDataset
from sigraph.recipes.raw_text import commonest, graph_between, multi_hot, read_fasta, read_rows, read_terms
from sigraph.tasks import Task
from sigraph.tasks.splits import SplitRule

NUM_TERMS = 40
SPLIT = SplitRule("random", rates=(0.6, 0.2, 0.2), seed=0)


def prepare(files, card):
    """Records with ``sequence``, the graph ``interaction``, the task ``go`` with a drawn split."""
    pairs = read_rows(files["go2ppi_yeast/SC.ppi"], 2, "\t")
    terms = read_terms(files["go2ppi_yeast/SC.anno"])
    sequences = read_fasta(files["go2ppi_yeast/UP000002311_559292.fasta"])
    names = sorted({end for pair in pairs for end in pair} & sequences.keys())
    columns = commonest(terms, NUM_TERMS)
    label = multi_hot([terms.get(name) for name in names], columns)
    split = SPLIT.draw((~label.isnan()).all(dim=1).nonzero().view(-1))
    samples = pa.table({"sequence": [sequences[name] for name in names]})
    graph = graph_between(pairs, names, drop_unknown=True)
    task = Task("go", label, split, about=f"split drawn: {SPLIT}", classes=columns)
    return SampleDataset(samples, {"interaction": graph}, {"go": task}, name=card.name, ids=names)
