"""Yeast proteins with sequences, from the interactions and annotations of go2ppi and the proteome of UniProt."""

import pyarrow as pa
import torch

from sigraph.data import SampleDataset
from sigraph.recipes.raw_text import commonest, graph_between, multi_hot, read_fasta, read_rows, read_terms
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
    names = sorted({end for pair in pairs for end in pair} & sequences.keys())
    columns = commonest(terms, NUM_TERMS)
    label = multi_hot([terms.get(name) for name in names], columns)
    split = SPLIT.draw((~label.isnan()).all(dim=1).nonzero().view(-1))
    samples = pa.table({"sequence": [sequences[name] for name in names]})
    graph = graph_between(pairs, names, drop_unknown=True)
    task = Task("go", label, split, about=f"split drawn: {SPLIT}", classes=columns)
    ppi, judged = interacting(read_rows(files["go2ppi_yeast/YC.ppi"], 3, "\t"), names)
    others = graph_between([pair for pair in pairs if frozenset(pair) not in judged], names, drop_unknown=True)
    graphs = {"interaction": graph, "interaction-without-ppi": others}
    return SampleDataset(samples, graphs, {"go": task, "ppi": ppi}, name=card.name, ids=names)


def interacting(rows, names):
    """The task ``ppi``, and every pair of its file, of whatever proteins."""
    place = {name: i for i, name in enumerate(names)}
    kept = [row for row in rows if row[0] != row[1] and row[0] in place and row[1] in place]
    pairs = torch.tensor([[place[row[0]], place[row[1]]] for row in kept]).T
    label = torch.tensor([{"+1.0": 1, "-1.0": 0}[row[2]] for row in kept])
    split = SPLIT_OF_PAIRS.draw(torch.arange(len(kept)), label)
    about, classes = f"split drawn: {SPLIT_OF_PAIRS}", ["no", "yes"]
    task = PairTask("ppi", pairs, label, split, len(names), ["rocauc", "ap", "accuracy"], about=about, classes=classes)
    return task, {frozenset(row[:2]) for row in rows}
