"""WHERE a pre-training graph comes from. Names are imported when they are first used."""

from typing import TYPE_CHECKING

from sigraph.files.lazy_names import lazy_names

if TYPE_CHECKING:
    from sigraph.graphs.base import GraphConstructor
    from sigraph.graphs.bipartite import BipartiteGraph
    from sigraph.graphs.closure import HopClosure
    from sigraph.graphs.combine import IntersectionGraph, UnionGraph
    from sigraph.graphs.dataset import DatasetGraph
    from sigraph.graphs.holdout import hold_out_edges
    from sigraph.graphs.hops import hop_graph
    from sigraph.graphs.knn import KNNGraph
    from sigraph.graphs.label_agreement import LabelAgreement
    from sigraph.graphs.label_cliques import LabelCliques
    from sigraph.graphs.label_graph import LabelGraph
    from sigraph.graphs.label_jaccard import LabelJaccard
    from sigraph.graphs.noise import perturb_edges
    from sigraph.graphs.radius import RadiusGraph
    from sigraph.graphs.rewire import rewire_edges
    from sigraph.graphs.rewired import Rewired
    from sigraph.graphs.scaffold import ScaffoldGraph
    from sigraph.graphs.tanimoto import TanimotoGraph

__all__ = [
    "BipartiteGraph",
    "DatasetGraph",
    "GraphConstructor",
    "HopClosure",
    "IntersectionGraph",
    "KNNGraph",
    "LabelAgreement",
    "LabelCliques",
    "LabelGraph",
    "LabelJaccard",
    "RadiusGraph",
    "Rewired",
    "ScaffoldGraph",
    "TanimotoGraph",
    "UnionGraph",
    "hold_out_edges",
    "hop_graph",
    "perturb_edges",
    "rewire_edges",
]

_HERE = {
    "BipartiteGraph": "bipartite",
    "DatasetGraph": "dataset",
    "GraphConstructor": "base",
    "HopClosure": "closure",
    "IntersectionGraph": "combine",
    "KNNGraph": "knn",
    "LabelAgreement": "label_agreement",
    "LabelCliques": "label_cliques",
    "LabelGraph": "label_graph",
    "LabelJaccard": "label_jaccard",
    "RadiusGraph": "radius",
    "Rewired": "rewired",
    "ScaffoldGraph": "scaffold",
    "TanimotoGraph": "tanimoto",
    "UnionGraph": "combine",
    "hold_out_edges": "holdout",
    "hop_graph": "hops",
    "perturb_edges": "noise",
    "rewire_edges": "rewire",
}
__getattr__ = lazy_names(__name__, {name: f"{__name__}.{module}" for name, module in _HERE.items()})
