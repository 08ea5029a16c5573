"""TeacherEmbedding: what a self-supervised graph network makes of the pre-training graph."""

from __future__ import annotations

import torch
from scipy.sparse import issparse
from torch import Tensor

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.files.arguments import check_flags, check_integers, check_kinds, check_numbers
from sigraph.files.random import keyed_seed
from sigraph.samples.vectors import Rows
from sigraph.targets.base import Target, rows_of
from sigraph.targets.rows import centred_unit, principal, rotated, unit
from sigraph.targets.teachers import Teacher


class TeacherEmbedding(Target):
    """Embeddings of the pre-training graph's nodes by a graph network that learnt without labels.

    Centred rows of unit length, their D principal channels, of unit length again, turned at random as
    :class:`~sigraph.targets.PropagatedFeatures` are. Each seed trains a teacher of its own.

    Args:
        teacher: A :class:`~sigraph.targets.teachers.Teacher`: :class:`~sigraph.targets.teachers.CCASSG` or
            :class:`~sigraph.targets.teachers.GraphMAETeacher`. Several are joined by
            :class:`~sigraph.targets.JoinedTargets`, each in a TeacherEmbedding.
        out_channels: D, >= 1; where the teacher has fewer, the last channels are 0.
        idf_power: Power of the inverse document frequency that counts are weighted by, >= 0; of counts only.
        rotate: Whether the channels are turned.

    Shapes:
        - **fit:** [N, D] float32; zeros for a sample without features and without edges.

    Source: of the teachers, see there; a graph network as the teacher of a network without a graph: Zhang et al.,
    "Graph-less Neural Networks", ICLR 2022, which distils predictions of labels.
    """

    def __init__(self, teacher: Teacher, out_channels: int = 256, idf_power: float = 0.5, rotate: bool = True) -> None:
        check_kinds("TeacherEmbedding", teacher=(teacher, Teacher))
        check_integers("TeacherEmbedding", 1, out_channels=out_channels)
        check_numbers("TeacherEmbedding", least=0, idf_power=idf_power)
        check_flags("TeacherEmbedding", rotate=rotate)
        self.teacher, self.out_channels, self.idf_power, self.rotate = teacher, out_channels, idf_power, rotate

    def compute(self, dataset: SampleDataset, graph: PretrainGraph, seed: int) -> Tensor:
        rows = rows_of(dataset, self.idf_power, "TeacherEmbedding")
        found = self.teacher.embed(rows, graph.store, keyed_seed(seed, 5) >> 1)
        return taught(found, rows, graph, self.out_channels, seed if self.rotate else None)


def taught(found: Tensor, rows: Rows, graph: PretrainGraph, out_channels: int, seed: int | None) -> Tensor:
    """Target rows of what a graph network makes of nodes; those without features and edges it knows nothing of.

    Args:
        found: Shape [N, C].
        rows: What it read. Shape [N, F].
        graph: The edges it read.
        out_channels: D.
        seed: Of how they are turned; None: they are not.

    Returns:
        Shape [N, D].
    """
    most = abs(rows).max(axis=1)
    own = torch.from_numpy((most.toarray() if issparse(most) else most).ravel() > 0)
    joined = graph.store.degree(torch.arange(len(found))) > 0
    found = centred_unit(torch.where((own | joined)[:, None], found, 0.0))
    return rotated(unit(principal(found, out_channels)), out_channels, seed)
