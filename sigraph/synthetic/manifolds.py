"""ManifoldWorld: sentences of points on a surface, joined where the points are near."""

from __future__ import annotations

import math

import torch

from sigraph.data.dataset import SampleDataset
from sigraph.data.graph import PretrainGraph
from sigraph.files.arguments import check_integers, is_number, is_one_of
from sigraph.files.random import keyed_generator
from sigraph.files.suggestions import did_you_mean
from sigraph.synthetic.base import SplitStream, World
from sigraph.synthetic.surfaces import SURFACES
from sigraph.synthetic.topics import topic_model
from sigraph.tasks.task import Task

_CENTRE, _PLACE, _SPLIT = 10, 11, 12  # streams; the topic model has those below
# Neighbours of a node far from any border. With the default topics and 300 samples the local consistency is about .93
# (plane), .91 (Moebius strip), .87 (sphere), .89 (torus).
DEGREE = {"plane": 12.0, "moebius": 10.0, "sphere": 12.5, "torus": 8.0}


class ManifoldWorld(World):
    r"""Points uniform on a surface of area 1, each seen only through a sentence.

    Topics have centres far from each other. The sentence at a point :math:`p` is drawn from a mixture of topics,
    :math:`d` being the geodesic distance:

    .. math:: \theta_t(p) = \mathrm{softmax}_t\big(-d(p, c_t)^2 / 2 s^2\big)

    The graph ``radius`` joins points within ``radius``; the task ``topic`` asks for the topic of the largest share.

    Args:
        manifold: ``plane`` (the unit square), ``moebius`` (a flat strip of 2 by 1/2), ``sphere``, ``torus`` (flat).
        num_samples: N, nodes of the graph, >= 10.
        num_topics: T, at least 2.
        radius: Largest geodesic distance of neighbours, > 0; None: such that a node has about as many neighbours
            whatever N is, and the local consistency with 300 samples is near that of the paper's worlds.
        spread: :math:`s`, how far a topic reaches, > 0, in the unit of the square's side.
        num_held_out: H, further points of the same surface, isolated nodes of the graph; they become the test samples.
        seed: Of the world that an experiment's YAML names.
        vocabulary, concentration, exponent, min_length, max_length: Of the sentences, see
            :class:`~sigraph.synthetic.TopicModel`.

    Shapes:
        - **samples:** N + H token sequences.  **graph.pos:** the points, [N + H, 2], on the sphere [N + H, 3].

    Source: the semi-synthetic experiments of McDermott et al., "Structure-inducing pre-training", Nature Machine
    Intelligence 5, 2023. Differs in: sentences of a topic model rather than of a corpus.
    """

    def __init__(
        self,
        manifold: str = "plane",
        num_samples: int = 300,
        num_topics: int = 3,
        radius: float | None = None,
        spread: float = 0.2,
        num_held_out: int = 0,
        seed: int = 0,
        vocabulary: int = 400,
        concentration: float = 200.0,
        exponent: float = 1.0,
        min_length: int = 6,
        max_length: int = 18,
    ) -> None:
        if not is_one_of(manifold, list(SURFACES)):
            raise ValueError(
                f"'manifold' needs to be one of {', '.join(SURFACES)} in 'ManifoldWorld' (got {manifold!r})"
                f"{did_you_mean(str(manifold), SURFACES)}"
            )
        self._stream = SplitStream("ManifoldWorld", num_samples, num_held_out)
        check_integers("ManifoldWorld", 0, seed=seed)
        sentences = {
            "vocabulary": vocabulary,
            "concentration": concentration,
            "exponent": exponent,
            "min_length": min_length,
            "max_length": max_length,
        }
        self._model = topic_model("ManifoldWorld", num_topics, sentences)
        self.manifold, self.surface = manifold, SURFACES[manifold]()
        if radius is None:
            radius = math.sqrt(DEGREE[manifold] / (math.pi * num_samples))
        for name, value, most in (("radius", radius, self.surface.reach), ("spread", spread, math.inf)):
            if not is_number(value) or not 0 < value < most:
                raise ValueError(f"{name!r} needs to be in (0, {most:.4g}) in 'ManifoldWorld' (got {value!r})")
        self.num_topics, self.radius, self.spread, self.seed = num_topics, radius, spread, seed

    def generate(self, seed: int = 0) -> SampleDataset:
        num_samples = self._stream.num_samples
        position = self._stream.draw(seed, _PLACE, self.surface.draw)  # [N + H, dim]
        centre = self.surface.centres(self.num_topics, keyed_generator(seed, _CENTRE))  # [T, dim]
        distance = self.surface.distance(position[:, None], centre)  # [N + H, T]
        mixture = torch.softmax(-distance.double().square() / (2 * self.spread**2), dim=1)
        samples = self._model.write(mixture, seed, num_samples)
        edges = self.surface.edges(position[:num_samples], self.radius)
        graph = PretrainGraph(edges, num_nodes=len(position), pos=position)
        task = Task("topic", distance.argmin(dim=1), self._stream.split(keyed_generator(seed, _SPLIT)))
        return SampleDataset(
            samples, {"radius": graph}, {"topic": task}, name=self._stream.name(f"manifold-world-{self.manifold}")
        )
