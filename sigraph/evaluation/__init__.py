"""Tasks, metrics, evaluators, retrieval and tables."""

from sigraph.data.task import Task
from sigraph.evaluation.evaluator import Evaluator
from sigraph.evaluation.leaderboard import Leaderboard
from sigraph.evaluation.neighbors import label_agreement, nearest_neighbors, neighbor_prediction
from sigraph.evaluation.retrieval import edge_retrieval, graph_retrieval

__all__ = [
    "Evaluator",
    "Leaderboard",
    "Task",
    "edge_retrieval",
    "graph_retrieval",
    "label_agreement",
    "nearest_neighbors",
    "neighbor_prediction",
]
