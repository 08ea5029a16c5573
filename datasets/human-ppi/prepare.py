"""Ego-networks of the human protein interactions of node2vec, from the text files of BioNEV."""

from sigraph.recipes.protein_networks import protein_networks, read_node2vec_ppi


def prepare(files, card):
    """A graph around each protein, the graph ``interaction``, the task ``hallmark`` with a drawn split."""
    nodes, graph, label, columns = read_node2vec_ppi(files)
    return protein_networks(card.name, graph, nodes, "hallmark", label, columns)
