"""Yeast proteins with sequences and the pairs of PIPR, which are scrambled; GO terms from the annotations of go2ppi."""

import pyarrow as pa

from sigraph.data import SampleDataset
from sigraph.recipes.raw_text import commonest, graph_between, multi_hot, read_rows, read_terms
from sigraph.tasks import Task
from sigraph.tasks.splits import SplitRule

NUM_TERMS = 40
SPLIT = SplitRule("random", rates=(0.6, 0.2, 0.2), seed=0)


def prepare(files, card):
    """Records with ``sequence``, the graph ``pairs`` of label 1, the task ``go`` with a drawn split."""
    names, sequences = zip(*read_rows(files["yeast_ppi/protein.dictionary.tsv"], 2, "\t"), strict=True)
    rows = read_rows(files["yeast_ppi/protein.actions.tsv"], 3, "\t")
    wrong = {row[2] for row in rows} - {"0", "1"}
    if wrong:
        raise ValueError(f"{files['yeast_ppi/protein.actions.tsv']} needs 0 or 1 in column 3 (got {sorted(wrong)})")
    terms = read_terms(files["go2ppi_yeast/SC.anno"])
    columns = commonest(terms, NUM_TERMS)
    label = multi_hot([terms.get(name) for name in names], columns)
    split = SPLIT.draw((~label.isnan()).all(dim=1).nonzero().view(-1))
    graph = graph_between([row for row in rows if row[2] == "1"], names)
    task = Task("go", label, split, about=f"split drawn: {SPLIT}", classes=columns)
    samples = pa.table({"sequence": sequences})
    return SampleDataset(samples, {"pairs": graph}, {"go": task}, name=card.name, ids=names)
