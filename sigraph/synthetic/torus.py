"""TorusWorld: bags of words of points on a flat torus, the embedded default data set."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.data.dataset import SampleDataset
from sigraph.data.graph import PretrainGraph
from sigraph.files.arguments import check_integers, is_number
from sigraph.files.memory import check_fits
from sigraph.files.random import keyed_generator
from sigraph.synthetic.base import World
from sigraph.synthetic.surfaces import Torus
from sigraph.tasks.task import Task

CHUNK = 1 << 24  # numbers of an intermediate at a time
TORUS = Torus()


class TorusWorld(World):
    r"""Points uniform on the flat torus :math:`[0, 1)^2`, each seen only through a bag of words.

    Topic :math:`t` has a centre :math:`c_t` and a distribution :math:`\phi_t \sim \mathrm{Dirichlet}(1/2)` over words.
    The bag of a point :math:`p` is drawn from the mixture at its place, :math:`d` being the distance on the torus:

    .. math:: w \sim \mathrm{Multinomial}\Big(n, \sum_t \theta_t(p)\, \phi_t\Big), \quad
              \theta(p) = \mathrm{softmax}_t\big(-d(p, c_t)^2 / 2 s^2\big)

    Graph ``radius`` joins points closer than ``radius``; task ``topic`` asks for the topic of the largest share. Words
    alone are weak evidence of the place, neighbours mostly share the topic: what a pre-training graph is good for.

    Args:
        num_samples: N.
        num_topics: Topics, spread over the torus, at least 2.
        vocabulary: Distinct words; the width of a feature row.
        num_words: Words in a bag, :math:`n`.
        radius: Largest distance of neighbours, in (0, 0.5); a node has about :math:`\pi\,\text{radius}^2 N` of them.
        spread: :math:`s`, how far a topic reaches, > 0, in the unit of the torus's side.
        train_per_topic: Training samples of each topic.
        num_valid: Validation samples.
        num_test: Test samples.

    Shapes:
        - **samples:** word counts [N, vocabulary].  **graph.pos:** the places [N, 2].

    Source: a first version of the semi-synthetic experiments of McDermott et al., "Structure-inducing pre-training",
    Nature Machine Intelligence 5, 2023. Differs in: words of Dirichlet topics rather than sentences of a corpus.
    """

    def __init__(
        self,
        num_samples: int = 1200,
        num_topics: int = 8,
        vocabulary: int = 400,
        num_words: int = 16,
        radius: float = 0.063,
        spread: float = 0.1,
        train_per_topic: int = 5,
        num_valid: int = 160,
        num_test: int = 1000,
    ) -> None:
        least = {"num_topics": 2, "vocabulary": 2}
        counts = {
            "num_samples": num_samples,
            "num_topics": num_topics,
            "vocabulary": vocabulary,
            "num_words": num_words,
            "train_per_topic": train_per_topic,
            "num_valid": num_valid,
            "num_test": num_test,
        }
        for name, value in counts.items():
            check_integers("TorusWorld", least.get(name, 1), **{name: value})
        if not is_number(radius) or not 0 < radius < 0.5:
            raise ValueError(f"'radius' needs to be in (0, 0.5) in 'TorusWorld' (got {radius!r})")
        if not is_number(spread) or not spread > 0:
            raise ValueError(f"'spread' needs to be > 0 in 'TorusWorld' (got {spread!r})")
        check_fits("TorusWorld", 4 * num_samples * vocabulary, num_samples=num_samples, vocabulary=vocabulary)
        check_fits("TorusWorld", 8 * num_words, num_words=num_words)
        check_fits("TorusWorld", 4 * num_topics * vocabulary, num_topics=num_topics, vocabulary=vocabulary)
        wanted = train_per_topic * num_topics + num_valid + num_test
        if wanted > num_samples:
            raise ValueError(
                f"'num_samples' needs to be >= {wanted} in 'TorusWorld', training, validation and test samples "
                f"together (got {num_samples})"
            )
        self.num_samples, self.num_topics, self.vocabulary, self.num_words = (
            num_samples,
            num_topics,
            vocabulary,
            num_words,
        )
        self.radius, self.spread = radius, spread
        self.train_per_topic, self.num_valid, self.num_test = train_per_topic, num_valid, num_test

    def generate(self, seed: int = 0) -> SampleDataset:
        places, words, splits = (keyed_generator(seed, stream) for stream in range(3))
        centre = TORUS.centres(self.num_topics, places)
        position = TORUS.draw(self.num_samples, places)  # [N, 2]
        # A sum of n squared normals is a Gamma(n/2): normalised ones are a Dirichlet.
        topic_word = torch.randn(self.num_topics, self.vocabulary, generator=words).square()  # [T, V]
        topic_word /= topic_word.sum(dim=1, keepdim=True)
        label = torch.empty(self.num_samples, dtype=torch.long)
        bags = torch.zeros(self.num_samples, self.vocabulary)
        rows = max(1, CHUNK // self.vocabulary)
        for start in range(0, self.num_samples, rows):
            part = slice(start, start + rows)
            distance = TORUS.distance(position[part, None], centre)  # [rows, T]
            label[part] = distance.argmin(dim=1)
            mixture = torch.softmax(-distance.square() / (2 * self.spread**2), dim=1)
            drawn = torch.multinomial(mixture @ topic_word, self.num_words, replacement=True, generator=words)
            bags[part].scatter_add_(1, drawn, torch.ones(drawn.shape))
        graph = PretrainGraph(TORUS.edges(position, self.radius), num_nodes=self.num_samples, pos=position)
        task = Task("topic", label, self._split(label, splits))
        return SampleDataset(bags, {"radius": graph}, {"topic": task}, name="torus-world")

    def _split(self, label: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Training samples of each topic, then validation and test samples of the rest, all at random."""
        order = torch.randperm(self.num_samples, generator=generator)
        order = order[label[order].argsort(stable=True)]  # by topic, at random within one
        count = torch.bincount(label, minlength=self.num_topics)
        if int(count.min()) < self.train_per_topic:
            raise ValueError(
                f"'train_per_topic' needs to be <= {int(count.min())} in 'TorusWorld', the samples of the smallest "
                f"topic (got {self.train_per_topic}); raise 'num_samples'"
            )
        rank = torch.arange(self.num_samples) - (count.cumsum(0) - count)[label[order]]  # within the topic
        train, rest = order[rank < self.train_per_topic], order[rank >= self.train_per_topic]
        rest = rest[torch.randperm(rest.numel(), generator=generator)]
        valid, test = rest[: self.num_valid], rest[self.num_valid : self.num_valid + self.num_test]
        return {"train": train, "valid": valid, "test": test}
