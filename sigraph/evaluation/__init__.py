"""How well a latent space reflects a graph and labels: retrieval of edges, votes of nearest neighbours."""

from sigraph.evaluation.label_votes import label_agreement, neighbor_prediction
from sigraph.evaluation.retrieval import edge_retrieval, graph_retrieval
from sigraph.files.lazy_names import lazy_names
from sigraph.neighbors.exact import nearest_neighbors
from sigraph.tasks import Evaluator, Task

__all__ = [
    "Evaluator",
    "Task",
    "edge_retrieval",
    "graph_retrieval",
    "label_agreement",
    "nearest_neighbors",
    "neighbor_prediction",
]

# Tables of runs stand above, and were found here in 0.1.0.
__getattr__ = lazy_names(__name__, {"Leaderboard": "sigraph.leaderboard"})
