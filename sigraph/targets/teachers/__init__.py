"""Self-supervised graph networks, whose embeddings of the pre-training graph's nodes are targets."""

from sigraph.targets.teachers.base import Teacher
from sigraph.targets.teachers.cca_ssg import CCASSG
from sigraph.targets.teachers.graph_mae import GraphMAETeacher

__all__ = ["CCASSG", "GraphMAETeacher", "Teacher"]
