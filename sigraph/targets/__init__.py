"""What embeddings are regressed onto: a row a sample, computed once from samples and graph, before anything trains."""

from sigraph.targets.base import Target
from sigraph.targets.graph_embedding import GraphEmbedding
from sigraph.targets.joined import JoinedTargets
from sigraph.targets.propagated_features import PropagatedFeatures
from sigraph.targets.task_teacher import TaskTeacher
from sigraph.targets.teacher_embedding import TeacherEmbedding

__all__ = ["GraphEmbedding", "JoinedTargets", "PropagatedFeatures", "Target", "TaskTeacher", "TeacherEmbedding"]
