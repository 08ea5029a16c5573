"""CliqueWorld: sentences of one topic each, joined where the topic is the same."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from sigraph.data.dataset import SampleDataset
from sigraph.data.graph import PretrainGraph
from sigraph.files.arguments import check_integers
from sigraph.files.random import keyed_generator
from sigraph.synthetic.base import SplitStream, World
from sigraph.synthetic.topics import topic_model
from sigraph.tasks.task import Task

_TOPIC, _SPLIT = 10, 11  # streams; the topic model has those below


class CliqueWorld(World):
    """Sentences of topics; the graph ``topics`` joins all of the same topic, the task ``topic`` asks for it.

    The graph tells everything (its local consistency is 1), the words tell something. How much noise in the graph a
    method bears is asked by the graph's own settings: ``graph: {name: topics, flip: 0.2}``, ``drop``, ``add``,
    ``rewire`` (:class:`~sigraph.graphs.DatasetGraph`).

    Args:
        num_samples: N, nodes of the graph, >= 10. A topic of n samples has n(n - 1)/2 edges.
        num_topics: T, all equally likely, at least 2.
        num_held_out: H, further sentences of the same topics, isolated nodes of the graph; they become the test
            samples.
        seed: Of the world that an experiment's YAML names.
        vocabulary, concentration, exponent, min_length, max_length: Of the sentences, see
            :class:`~sigraph.synthetic.TopicModel`.

    Shapes:
        - **samples:** N + H token sequences.

    Source: the semi-synthetic experiments of McDermott et al., "Structure-inducing pre-training", Nature Machine
    Intelligence 5, 2023. Differs in: sentences of a topic model rather than of a corpus.
    """

    def __init__(
        self,
        num_samples: int = 300,
        num_topics: int = 10,
        num_held_out: int = 0,
        seed: int = 0,
        vocabulary: int = 400,
        concentration: float = 200.0,
        exponent: float = 1.0,
        min_length: int = 6,
        max_length: int = 18,
    ) -> None:
        self._stream = SplitStream("CliqueWorld", num_samples, num_held_out)
        check_integers("CliqueWorld", 0, seed=seed)
        sentences = {
            "vocabulary": vocabulary,
            "concentration": concentration,
            "exponent": exponent,
            "min_length": min_length,
            "max_length": max_length,
        }
        self._model = topic_model("CliqueWorld", num_topics, sentences)
        self.num_topics, self.seed = num_topics, seed

    def generate(self, seed: int = 0) -> SampleDataset:
        def draw(count: int, generator: torch.Generator) -> torch.Tensor:
            return torch.randint(self.num_topics, (count,), generator=generator)

        topic = self._stream.draw(seed, _TOPIC, draw)  # [N + H]
        num_samples = self._stream.num_samples
        samples = self._model.write(F.one_hot(topic, self.num_topics), seed, num_samples)
        cliques = []
        for t in range(self.num_topics):
            member = (topic[:num_samples] == t).nonzero().view(-1)
            cliques.append(torch.combinations(member).t())
        graph = PretrainGraph(torch.cat(cliques, dim=1), num_nodes=len(topic))
        task = Task("topic", topic, self._stream.split(keyed_generator(seed, _SPLIT)))
        return SampleDataset(samples, {"topics": graph}, {"topic": task}, name=self._stream.name("clique-world"))
