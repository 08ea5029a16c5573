"""WHAT is fine-tuned and how it is scored: labels, splits, metrics."""

from sigraph.tasks.base import BaseTask
from sigraph.tasks.column_halves import column_halves
from sigraph.tasks.contacts import ContactTask
from sigraph.tasks.drawn import drawn
from sigraph.tasks.evaluator import Evaluator
from sigraph.tasks.labelled import LabelledTask
from sigraph.tasks.pairs import PairTask
from sigraph.tasks.parts import PartTask
from sigraph.tasks.retrieval import RetrievalTask
from sigraph.tasks.seen_labels import SeenLabels
from sigraph.tasks.task import Task

__all__ = [
    "BaseTask",
    "ContactTask",
    "Evaluator",
    "LabelledTask",
    "PairTask",
    "PartTask",
    "RetrievalTask",
    "SeenLabels",
    "Task",
    "column_halves",
    "drawn",
]
