"""TopologyWorld: a cycle with graphlets attached; labels are what a node's place in it is."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from sigraph.data.dataset import SampleDataset
from sigraph.data.graph import PretrainGraph
from sigraph.files.arguments import check_integers
from sigraph.files.random import keyed_generator
from sigraph.synthetic.base import SplitStream, World
from sigraph.synthetic.topics import topic_model
from sigraph.tasks.task import Task

_KIND, _COPY, _FREE, _SPLIT = 10, 11, 12, 13  # streams; the topic model has those below

# Node 0 is the one that is joined to the cycle.
GRAPHLETS: dict[str, list[tuple[int, int]]] = {
    "path": [(0, 1), (1, 2)],
    "triangle": [(0, 1), (0, 2), (1, 2)],
    "star": [(0, 1), (0, 2), (0, 3)],
    "square": [(0, 1), (1, 2), (2, 3), (0, 3)],
    "clique": [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)],
}
TASKS = ("motif", "role", "cluster")


class TopologyWorld(World):
    """A cycle of nodes, every ``gap``-th of which carries a graphlet: path, triangle, star, square or clique.

    Three tasks ask for what a node's place in the graph ``cycle`` is; sentences speak of one of them, or of none:

    - ``motif``: the kind of graphlet it belongs to, or the cycle;
    - ``role``: its structural role: nodes with the same graphlet degrees (:func:`graphlet_degrees`);
    - ``cluster``: which of ``num_clusters`` arcs of the cycle, with the graphlets on it, it lies on.

    Neighbours mostly share motif and cluster, seldom the role: a graph that can help with two tasks and not with the
    third.

    Args:
        num_samples: N, nodes of the graph, at least 10 for each cluster.
        tied_to: Task whose classes are the topics of the sentences; None: topics have nothing to do with the graph.
        num_clusters: At least 2.
        gap: Nodes of the cycle from one graphlet to the next, >= 1.
        num_held_out: H, further samples, isolated nodes of the graph: each has the classes of a node drawn at random
            and a sentence of its own. They become the test samples.
        seed: Of the world that an experiment's YAML names.
        vocabulary, concentration, exponent, min_length, max_length: Of the sentences, see
            :class:`~sigraph.synthetic.TopicModel`.

    Shapes:
        - **samples:** N + H token sequences.

    Source: the semi-synthetic experiments of McDermott et al., "Structure-inducing pre-training", Nature Machine
    Intelligence 5, 2023; graphlet degrees: Przulj, "Biological network comparison using graphlet degree distribution",
    Bioinformatics 23, 2007. Differs in: sentences of a topic model; roles by the graphlets of at most three nodes.
    """

    def __init__(
        self,
        num_samples: int = 300,
        tied_to: str | None = "motif",
        num_clusters: int = 6,
        gap: int = 3,
        num_held_out: int = 0,
        seed: int = 0,
        vocabulary: int = 400,
        concentration: float = 200.0,
        exponent: float = 1.0,
        min_length: int = 6,
        max_length: int = 18,
    ) -> None:
        if tied_to is not None and tied_to not in TASKS:
            raise ValueError(f"'tied_to' needs to be null, {', '.join(TASKS)} in 'TopologyWorld' (got {tied_to!r})")
        check_integers("TopologyWorld", 2, num_clusters=num_clusters)
        self._stream = SplitStream("TopologyWorld", num_samples, num_held_out)
        check_integers("TopologyWorld", 10 * num_clusters, num_samples=num_samples)
        check_integers("TopologyWorld", 1, gap=gap)
        check_integers("TopologyWorld", 0, seed=seed)
        self._sentences = {
            "vocabulary": vocabulary,
            "concentration": concentration,
            "exponent": exponent,
            "min_length": min_length,
            "max_length": max_length,
        }
        topic_model("TopologyWorld", 2, self._sentences)  # refuse wrong ones before the classes are counted
        self.tied_to, self.num_clusters, self.gap, self.seed = tied_to, num_clusters, gap, seed

    def generate(self, seed: int = 0) -> SampleDataset:
        num_samples, num_held_out = self._stream.num_samples, self._stream.num_held_out
        edges, motif, cluster = _cycle_with_graphlets(
            num_samples, self.gap, self.num_clusters, keyed_generator(seed, _KIND)
        )
        core = PretrainGraph(edges, num_nodes=num_samples)
        degrees, role = graphlet_degrees(core).unique(dim=0, return_inverse=True)
        labels = {"motif": motif, "role": role, "cluster": cluster}

        origin = torch.arange(num_samples)
        if num_held_out:
            extra = torch.randint(num_samples, (num_held_out,), generator=keyed_generator(seed, _COPY))
            origin = torch.cat([origin, extra])  # [N + H]
        names: dict[str, list[str | int]] = {
            "motif": ["cycle", *GRAPHLETS],
            "role": [" ".join(map(str, row)) for row in degrees.tolist()],
            "cluster": list(range(self.num_clusters)),
        }
        num_topics = len(names[self.tied_to or "motif"])
        if self.tied_to is not None:
            topic = labels[self.tied_to][origin]
        else:
            topic = self._stream.draw(seed, _FREE, lambda n, source: torch.randint(num_topics, (n,), generator=source))
        model = topic_model("TopologyWorld", num_topics, self._sentences)
        samples = model.write(F.one_hot(topic, num_topics), seed, num_samples)
        graph = PretrainGraph(edges, num_nodes=len(origin))
        split = self._stream.split(keyed_generator(seed, _SPLIT))
        tasks = {name: Task(name, labels[name][origin], split, classes=names[name]) for name in TASKS}
        return SampleDataset(
            samples, {"cycle": graph}, tasks, name=self._stream.name(f"topology-world-{self.tied_to or 'none'}")
        )


def graphlet_degrees(graph: PretrainGraph) -> Tensor:
    r"""How often each node takes each place in an induced connected subgraph of two or three nodes.

    Columns are the orbits: an end of an edge (the degree :math:`d_i`), an end of a path of three, its middle, a corner
    of a triangle. With :math:`t_i` triangles at a node:

    .. math:: d_i, \quad \sum_{j \in N(i)} (d_j - 1) - 2 t_i, \quad \binom{d_i}{2} - t_i, \quad t_i

    Shapes:
        - **returns:** [N, 4] int64

    Source: Przulj, "Biological network comparison using graphlet degree distribution", Bioinformatics 23, 2007, orbits
    0 to 3.
    """
    rowptr, col = graph.csr()
    degree = rowptr.diff()
    num_nodes = degree.numel()
    row = torch.arange(num_nodes).repeat_interleave(degree)
    # Common neighbours of the ends of every edge: each neighbour of one end, looked up among the other's.
    count = degree[col]
    edge = torch.arange(col.numel()).repeat_interleave(count)
    step = torch.arange(edge.numel()) - (count.cumsum(0) - count)[edge]
    third = col[rowptr[col][edge] + step]
    closed = torch.isin(row[edge] * num_nodes + third, row * num_nodes + col)
    zero = torch.zeros(num_nodes, dtype=torch.long)
    triangles = zero.index_add(0, row[edge], closed.long()) // 2
    ends = zero.index_add(0, row, degree[col] - 1) - 2 * triangles
    return torch.stack([degree, ends, degree * (degree - 1) // 2 - triangles, triangles], dim=1)


def _cycle_with_graphlets(
    num_nodes: int, gap: int, num_clusters: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Edges [2, E]; motif (0: cycle) and cluster of every node. Blocks of ``gap`` nodes of the cycle and a graphlet go
    around; a rest too small for a block is cycle."""
    kinds = list(GRAPHLETS)
    sizes = [1 + max(max(edge) for edge in GRAPHLETS[kind]) for kind in kinds]
    edges: list[tuple[int, int]] = []
    motif: list[int] = []
    carrier: list[int] = []  # the node of the cycle that a node is, or hangs on
    bag: list[int] = []
    while True:
        bag = bag or torch.randperm(len(kinds), generator=generator).tolist()  # every kind equally often
        kind, first = bag.pop(), len(motif)
        if first + gap + sizes[kind] > num_nodes:
            break
        motif += [0] * gap + [1 + kind] * sizes[kind]
        carrier += [*range(first, first + gap), *[first] * sizes[kind]]
        edges += [(first, first + gap), *((first + gap + a, first + gap + b) for a, b in GRAPHLETS[kinds[kind]])]
    motif += [0] * (num_nodes - len(motif))
    carrier += range(len(carrier), num_nodes)
    kind_of, hangs_on = torch.tensor(motif), torch.tensor(carrier)
    cycle = (kind_of == 0).nonzero().view(-1)
    around = torch.stack([cycle, cycle.roll(-1)])
    arc = torch.zeros(num_nodes, dtype=torch.long)
    arc[cycle] = torch.arange(len(cycle)) * num_clusters // len(cycle)
    return torch.cat([torch.tensor(edges, dtype=torch.long).view(-1, 2).t(), around], dim=1), kind_of, arc[hangs_on]
