"""Data sets by name: a card and a recipe that downloads and prepares; OGB's from their official files."""

from sigraph.recipes.ego_networks import ego_networks, node_kinds
from sigraph.recipes.prepare import data_root, open_dataset, prepare

__all__ = ["data_root", "ego_networks", "node_kinds", "open_dataset", "prepare"]
