"""WHERE a pre-training graph comes from."""

from sigraph.graphs.base import GraphConstructor
from sigraph.graphs.dataset import DatasetGraph
from sigraph.graphs.holdout import hold_out_edges
from sigraph.graphs.hops import hop_graph
from sigraph.graphs.noise import perturb_edges
from sigraph.graphs.rewire import rewire_edges

__all__ = ["DatasetGraph", "GraphConstructor", "hold_out_edges", "hop_graph", "perturb_edges", "rewire_edges"]
