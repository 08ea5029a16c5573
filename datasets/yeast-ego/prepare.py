"""Ego-networks of the yeast protein interactions of go2ppi."""

from sigraph.recipes.protein_networks import protein_networks
from sigraph.recipes.raw_text import commonest, graph_between, multi_hot, read_rows, read_terms

NUM_TERMS = 40
BINDING = "GO:0005515"  # annotated from interactions, which are what a sample is


def prepare(files, card):
    """A graph around each protein, the graph ``interaction``, the task ``go`` with a drawn split."""
    pairs = read_rows(files["go2ppi_yeast/SC.ppi"], 2, "\t")
    terms = read_terms(files["go2ppi_yeast/SC.anno"])
    names = sorted({end for pair in pairs for end in pair})
    columns = [term for term in commonest(terms, NUM_TERMS + 1) if term != BINDING][:NUM_TERMS]
    label = multi_hot([terms.get(name) for name in names], columns)
    return protein_networks(card.name, graph_between(pairs, names), names, "go", label, columns)
