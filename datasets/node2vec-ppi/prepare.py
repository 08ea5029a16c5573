"""The human protein interactions of node2vec, from the text files of BioNEV."""

import pyarrow as pa

from sigraph.data import SampleDataset
from sigraph.recipes.raw_text import graph_between, multi_hot, read_label_numbers, read_rows
from sigraph.tasks import Task
from sigraph.tasks.splits import SplitRule

NUM_LABELS = 50
SPLIT = SplitRule("random", rates=(0.6, 0.2, 0.2), seed=0)


def prepare(files, card):
    """Records with nothing but ``node``, the graph ``interaction``, the task ``hallmark`` with a drawn split."""
    rows = read_rows(files["node2vec_ppi/node2vec_PPI.edgelist"], 3)
    labels = read_label_numbers(files["node2vec_ppi/node2vec_PPI_labels.txt"], NUM_LABELS)
    nodes = sorted({int(node) for row in rows for node in row[:2]} | labels.keys())
    columns = [str(number) for number in range(1, NUM_LABELS + 1)]
    label = multi_hot([labels.get(node) for node in nodes], columns)
    split = SPLIT.draw((~label.isnan()).all(dim=1).nonzero().view(-1))
    graph = graph_between(rows, [str(node) for node in nodes])
    task = Task("hallmark", label, split, about=f"split drawn: {SPLIT}", classes=columns)
    samples = pa.table({"node": nodes})
    return SampleDataset(samples, {"interaction": graph}, {"hallmark": task}, name=card.name, ids=nodes)
