"""Tasks, metrics, evaluators, retrieval and tables."""

from sigraph.evaluation.leaderboard import Leaderboard
from sigraph.evaluation.neighbors import label_agreement, nearest_neighbors, neighbor_prediction
from sigraph.evaluation.retrieval import edge_retrieval, graph_retrieval
from sigraph.tasks.evaluator import Evaluator
from sigraph.tasks.task import Task

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
