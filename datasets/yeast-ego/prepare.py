"""Ego-networks of the yeast protein interactions of go2ppi."""

import torch

from sigraph.data import SampleDataset
from sigraph.recipes import ego_networks, node_kinds
from sigraph.recipes.raw_text import commonest, graph_between, multi_hot, read_rows, read_terms
from sigraph.samples import Graphs
from sigraph.tasks import Task
from sigraph.tasks.splits import SplitRule

NUM_TERMS = 40
BINDING = "GO:0005515"  # annotated from interactions, which are what a sample is
HOPS, MAX_NODES = 2, 64
SPLIT = SplitRule("group", rates=(0.6, 0.2, 0.2), seed=0, column="sample")  # equal samples stay together


def prepare(files, card):
    """A graph around each protein, the graph ``interaction``, the task ``go`` with a drawn split."""
    pairs = read_rows(files["go2ppi_yeast/SC.ppi"], 2, "\t")
    terms = read_terms(files["go2ppi_yeast/SC.anno"])
    names = sorted({end for pair in pairs for end in pair})
    columns = [term for term in commonest(terms, NUM_TERMS + 1) if term != BINDING][:NUM_TERMS]
    label = multi_hot([terms.get(name) for name in names], columns)
    graph = graph_between(pairs, names)
    samples = ego_networks(graph, HOPS, MAX_NODES, node_kinds(graph))
    alike = torch.from_numpy(Graphs.alike([samples], None, None).loosest)
    known = (~label.isnan()).all(dim=1).nonzero().view(-1)
    split = SPLIT.draw(known, groups=alike[known])
    task = Task("go", label, split, about=f"split drawn: {SPLIT}", classes=columns)
    return SampleDataset(samples, {"interaction": graph}, {"go": task}, name=card.name, ids=names)
