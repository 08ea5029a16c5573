"""The human protein interactions of node2vec, from the text files of BioNEV."""

import pyarrow as pa

from sigraph.data import SampleDataset
from sigraph.recipes.protein_networks import read_node2vec_ppi
from sigraph.tasks import Task
from sigraph.tasks.splits import SplitRule

SPLIT = SplitRule("random", rates=(0.6, 0.2, 0.2), seed=0)


def prepare(files, card):
    """Records with nothing but ``node``, the graph ``interaction``, the task ``hallmark`` with a drawn split."""
    nodes, graph, label, columns = read_node2vec_ppi(files)
    split = SPLIT.draw((~label.isnan()).all(dim=1).nonzero().view(-1))
    task = Task("hallmark", label, split, about=f"split drawn: {SPLIT}", classes=columns)
    samples = pa.table({"node": nodes})
    return SampleDataset(samples, {"interaction": graph}, {"hallmark": task}, name=card.name, ids=nodes)
