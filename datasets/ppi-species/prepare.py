"""Ego-networks of the protein interactions of three species, from go2ppi."""

from collections import Counter

import torch

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.recipes import ego_networks, node_kinds
from sigraph.recipes.raw_text import graph_between, multi_hot, read_rows, read_terms
from sigraph.samples import Graphs
from sigraph.tasks import Task
from sigraph.tasks.splits import SplitRule

SPECIES = ["go2ppi_yeast/SC", "go2ppi_species/AT", "go2ppi_species/MM"]  # yeast, thale cress, mouse: groups 0, 1, 2
LEAST = 10  # carriers of a term in each species
BINDING = "GO:0005515"  # annotated from interactions, which are what a sample is
HOPS, MAX_NODES = 2, 64
SPLIT = SplitRule("group", rates=(0.6, 0.2, 0.2), seed=0, column="sample")  # equal samples stay together


def prepare(files, card):
    """A graph around each protein, the graph ``interaction`` with species as groups, the task ``go``."""
    pairs = [read_rows(files[f"{name}.ppi"], 2, "\t") for name in SPECIES]
    terms = [read_terms(files[f"{name}.anno"]) for name in SPECIES]
    members = [sorted({end for pair in some for end in pair}) for some in pairs]
    names = [name for some in members for name in some]
    species = torch.arange(len(SPECIES)).repeat_interleave(torch.tensor([len(some) for some in members]))
    columns = shared(terms)
    label = multi_hot([found.get(name) for some, found in zip(members, terms, strict=True) for name in some], columns)
    plain = graph_between([pair for some in pairs for pair in some], names)
    graph = PretrainGraph(plain.edge_index, len(names), group=species)
    samples = ego_networks(plain, HOPS, MAX_NODES, node_kinds(plain))
    alike = torch.from_numpy(Graphs.alike([samples], None, None).loosest)
    known = (~label.isnan()).all(dim=1).nonzero().view(-1)
    split = SPLIT.draw(known, groups=alike[known])
    task = Task("go", label, split, about=f"split drawn: {SPLIT}", classes=columns)
    return SampleDataset(samples, {"interaction": graph}, {"go": task}, name=card.name, ids=names)


def shared(terms):
    """Terms that enough proteins carry in every species, the commonest of all first."""
    carried = [Counter(term for listed in some.values() for term in set(listed)) for some in terms]
    found = [term for term in carried[0] if term != BINDING and all(count[term] >= LEAST for count in carried)]
    return sorted(found, key=lambda term: (-sum(count[term] for count in carried), term))
