"""Data sets by name: a card and a recipe that downloads and prepares."""

from sigraph.recipes.prepare import data_root, open_dataset, prepare

__all__ = ["data_root", "open_dataset", "prepare"]
