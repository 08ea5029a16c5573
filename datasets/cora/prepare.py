"""Cora from the raw files of Planetoid."""

from sigraph.recipes.planetoid import read_planetoid


def prepare(files, card):
    """Features, the graph ``citation``, the task ``topic`` with the public split."""
    return read_planetoid(files, card.name)
