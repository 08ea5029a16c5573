"""Ego-networks of the protein interactions of three species, from go2ppi."""

from collections import Counter

import torch

from sigraph.data import PretrainGraph
from sigraph.recipes.protein_networks import protein_networks
from sigraph.recipes.raw_text import graph_between, multi_hot, read_rows, read_terms

SPECIES = ["go2ppi_yeast/SC", "go2ppi_species/AT", "go2ppi_species/MM"]  # yeast, thale cress, mouse: groups 0, 1, 2
LEAST = 10  # carriers of a term in each species
BINDING = "GO:0005515"  # annotated from interactions, which are what a sample is


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
    return protein_networks(card.name, graph, names, "go", label, columns)


def shared(terms):
    """Terms that enough proteins carry in every species, the commonest of all first."""
    carried = [Counter(term for listed in some.values() for term in set(listed)) for some in terms]
    found = [term for term in carried[0] if term != BINDING and all(count[term] >= LEAST for count in carried)]
    return sorted(found, key=lambda term: (-sum(count[term] for count in carried), term))
