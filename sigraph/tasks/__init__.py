"""WHAT is fine-tuned and how it is scored: labels, splits, metrics."""

from sigraph.tasks.evaluator import Evaluator
from sigraph.tasks.task import Task

__all__ = ["Evaluator", "Task"]
