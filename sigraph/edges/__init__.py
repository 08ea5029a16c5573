"""Where edges are kept: stores in memory and mapped from disk, draws from them, edges sorted and merged out of core."""

from sigraph.edges.label_store import LabelSetStore
from sigraph.edges.store import CSRStore, EdgeStore

__all__ = ["CSRStore", "EdgeStore", "LabelSetStore"]
