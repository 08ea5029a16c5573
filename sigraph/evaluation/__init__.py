"""Tasks, metrics, evaluators, retrieval and tables."""

from sigraph.data.task import Task
from sigraph.evaluation.evaluator import Evaluator
from sigraph.evaluation.leaderboard import Leaderboard
from sigraph.evaluation.neighbors import label_agreement, nearest_neighbors
from sigraph.evaluation.retrieval import edge_retrieval

__all__ = ["Evaluator", "Leaderboard", "Task", "edge_retrieval", "label_agreement", "nearest_neighbors"]
