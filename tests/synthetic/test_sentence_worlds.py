"""Worlds of sentences: graphs and labels by brute force, held-out samples beside unchanged first ones."""

import itertools
import math

import networkx as nx
import pytest
import torch

from sigraph.data import PretrainGraph
from sigraph.graphs import DatasetGraph
from sigraph.samples.tokens import TokenColumn
from sigraph.synthetic import CliqueWorld, ManifoldWorld, TopologyWorld
from sigraph.synthetic.surfaces import SURFACES
from sigraph.synthetic.topology import GRAPHLETS, graphlet_degrees

WORLDS = {
    "cliques": lambda **changes: CliqueWorld(**{"num_samples": 60, **changes}),
    **{name: lambda name=name, **changes: ManifoldWorld(name, **{"num_samples": 60, **changes}) for name in SURFACES},
    "motif": lambda **changes: TopologyWorld(**{"num_samples": 60, **changes}),
    "free": lambda **changes: TopologyWorld(**{"num_samples": 60, "tied_to": None, **changes}),
}
# Of the paper's own worlds of 300 samples.
PAPER = {"plane": 0.930, "moebius": 0.912, "sphere": 0.873, "torus": 0.893}


@pytest.mark.parametrize("world", WORLDS)
def test_held_out_samples_come_behind_unchanged_ones(world):
    alone, more = WORLDS[world]().generate(seed=5), WORLDS[world](num_held_out=25).generate(seed=5)
    assert len(more) == 85 and more.samples.slice(0, 60).equals(alone.samples)
    assert more.num_tokens == alone.num_tokens
    assert torch.equal(more.graph().edge_index, alone.graph().edge_index)  # the further ones are isolated
    for name, task in alone.tasks.items():
        split = more.task(name).split
        assert torch.equal(more.task(name).labels[:60], task.labels)
        assert split["test"].tolist() == list(range(60, 85)) and torch.equal(split["valid"], task.split["valid"])
        assert sorted([*split["train"].tolist(), *split["valid"].tolist()]) == list(range(60))
        assert sorted(torch.cat(list(task.split.values())).tolist()) == list(range(60))


@pytest.mark.parametrize("world", WORLDS)
def test_more_held_out_samples_keep_the_first_of_them(world):
    """They come from one stream in their order: of 25 the first 10 are the 10 that there would be alone."""
    few, many = WORLDS[world](num_held_out=10).generate(), WORLDS[world](num_held_out=25).generate()
    assert torch.equal(few.task().labels, many.task().labels[:70])


@pytest.mark.parametrize("world", WORLDS)
def test_held_out_samples_are_others(world):
    column = TokenColumn(WORLDS[world](num_held_out=60, min_length=15).generate().samples)
    sentence = [tuple(column.value[a:b]) for a, b in itertools.pairwise(column.offset)]
    assert not {*sentence[:60]} & {*sentence[60:]}


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: CliqueWorld(num_samples=9), "'num_samples' needs to be an integer >= 10 in 'CliqueWorld'"),
        (lambda: CliqueWorld(num_held_out=-1), "'num_held_out' needs"),
        (lambda: CliqueWorld(num_topics=1), "'num_topics' needs to be an integer >= 2 in 'CliqueWorld'"),
        (lambda: CliqueWorld(seed="x"), "'seed' needs"),
        (lambda: ManifoldWorld("tours"), "'manifold' needs to be one of plane, .*'tours'.*torus"),
        (lambda: ManifoldWorld("torus", radius=0.5), "'radius' needs to be in .0, 0.5. in 'ManifoldWorld'"),
        (lambda: ManifoldWorld(radius=0.0), "'radius' needs"),
        (lambda: ManifoldWorld(spread="wide"), "'spread' needs"),
        (lambda: TopologyWorld(tied_to="shape"), "'tied_to' needs to be null, motif, role, cluster"),
        (lambda: TopologyWorld(num_samples=50), "'num_samples' needs to be an integer >= 60"),
        (lambda: TopologyWorld(gap=0), "'gap' needs"),
        (lambda: TopologyWorld(concentration=0.0), "'concentration' needs to be > 0 in 'TopologyWorld'"),
    ],
)
def test_wrong_settings_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_cliques_join_equal_topics():
    dataset = CliqueWorld(num_samples=80, num_topics=5).generate(seed=2)
    label = dataset.task("topic").labels
    expected = (label[:, None] == label).fill_diagonal_(False).nonzero().t()
    assert torch.equal(dataset.graph("topics").edge_index, expected)
    assert dataset.graph().local_consistency(label) == 1.0


def test_flipped_edges_are_as_many_false_as_lost():
    dataset = CliqueWorld(num_samples=80, num_topics=5).generate()
    label, clean = dataset.task().labels, dataset.graph().num_edges
    noisy = DatasetGraph("topics", flip=0.3)(dataset, torch.Generator().manual_seed(0))
    row, col = noisy.edge_index
    false = int((label[row] != label[col]).sum())
    assert noisy.num_edges == clean and false == 2 * round(0.3 * clean / 2)


def test_flip_goes_without_drop():
    with pytest.raises(ValueError, match="'flip' goes without 'drop' and 'add'"):
        DatasetGraph(flip=0.1, drop=0.1)
    with pytest.raises(ValueError, match=r"'flip' needs to be in .0, 1. in 'DatasetGraph' .got 1.0"):
        DatasetGraph(flip=1.0)


@pytest.mark.parametrize("name", SURFACES)
def test_manifold_graph_and_labels_by_brute_force(name):
    world = ManifoldWorld(name, num_samples=120, num_held_out=20)
    dataset = world.generate(seed=1)
    graph, surface = dataset.graph("radius"), world.surface
    position = graph.pos[:120].double()
    near = surface.distance(position[:, None], position) <= world.radius
    assert torch.equal(graph.edge_index, near.fill_diagonal_(False).nonzero().t())
    assert graph.pos.shape == (140, surface.dim) and dataset.task().num_outputs == 3


@pytest.mark.parametrize("name", SURFACES)
def test_default_radius_gives_the_local_consistency_of_the_paper(name):
    found = []
    for seed in range(8):
        dataset = ManifoldWorld(name).generate(seed)
        found.append(dataset.graph().local_consistency(dataset.task().labels))
    assert sum(found) / len(found) == pytest.approx(PAPER[name], abs=0.02)


@pytest.mark.parametrize("name", SURFACES)
def test_default_radius_keeps_the_degree(name):
    small, large = (ManifoldWorld(name, num_samples=n).generate().graph() for n in (1000, 4000))
    assert large.num_edges / 4000 == pytest.approx(small.num_edges / 1000, rel=0.1)


def test_words_follow_the_place():
    """Near points share more words than far ones; with a wide spread they do not."""

    def contrast(spread):
        world = ManifoldWorld("torus", 600, spread=spread, concentration=20.0, min_length=40, max_length=40)
        dataset = world.generate()
        column = TokenColumn(dataset.samples)
        word = torch.zeros(600, dataset.num_tokens)
        row = torch.arange(600).repeat_interleave(40)
        word.index_put_((row, torch.tensor(column.value, dtype=torch.long)), torch.ones(len(row)), accumulate=True)
        word = torch.nn.functional.normalize(word)
        distance = world.surface.distance(dataset.graph().pos[:, None], dataset.graph().pos)
        similarity = word @ word.t()
        return (similarity[(distance < 0.1) & (distance > 0)].mean() / similarity[distance > 0.4].mean()).item()

    assert contrast(0.1) > 1.3 > 1.1 > contrast(10.0)


@pytest.mark.parametrize("seed", range(3))
def test_topology_is_a_cycle_with_graphlets(seed):
    dataset = TopologyWorld(num_samples=203, gap=4, num_clusters=5).generate(seed)
    graph = nx.Graph(dataset.graph("cycle").edge_index.t().tolist())
    motif, cluster = dataset.task("motif").labels, dataset.task("cluster").labels
    assert len(graph) == 203 and nx.is_connected(graph)
    ring = graph.subgraph((motif == 0).nonzero().view(-1).tolist())
    assert nx.is_connected(ring) and {degree for _, degree in ring.degree} == {2}
    rest = graph.subgraph((motif > 0).nonzero().view(-1).tolist())
    shapes = {kind: nx.Graph(edges) for kind, edges in GRAPHLETS.items()}
    counted = dict.fromkeys(GRAPHLETS, 0)
    carriers = []
    for nodes in nx.connected_components(rest):
        kinds = {list(GRAPHLETS)[motif[node] - 1] for node in nodes}
        assert len(kinds) == 1
        kind = kinds.pop()
        counted[kind] += 1
        assert nx.is_isomorphic(graph.subgraph(nodes), shapes[kind])
        joined = [node for node in ring if any(other in nodes for other in graph[node])]
        assert len(joined) == 1 and {int(cluster[node]) for node in nodes} == {int(cluster[joined[0]])}
        carriers += joined
    assert max(counted.values()) - min(counted.values()) <= 1
    assert len(set(carriers)) == len(carriers)
    for arc in range(5):  # each cluster is one stretch, with what hangs on it
        assert nx.is_connected(graph.subgraph((cluster == arc).nonzero().view(-1).tolist()))
        assert int(((cluster == arc) & (motif == 0)).sum()) in (len(ring) // 5, len(ring) // 5 + 1)


def brute_degrees(graph, num_nodes):
    """Every induced connected subgraph of two or three nodes."""
    count = torch.zeros(num_nodes, 4, dtype=torch.long)
    for a, b in graph.edges:
        count[a, 0] += 1
        count[b, 0] += 1
    for trio in itertools.combinations(range(num_nodes), 3):
        part = graph.subgraph(trio)
        if part.number_of_edges() == 3:
            count[list(trio), 3] += 1
        elif part.number_of_edges() == 2:
            for node, degree in part.degree:
                count[node, degree] += 1  # 1: an end of the path, 2: its middle
    return count


@pytest.mark.parametrize(("seed", "share"), [(0, 0.1), (1, 0.3), (2, 0.7), (3, 1.0), (4, 0.0)])
def test_graphlet_degrees_by_brute_force(seed, share):
    graph = nx.gnp_random_graph(14, share, seed=seed)
    edges = torch.tensor(list(graph.edges), dtype=torch.long).view(-1, 2).t()
    assert torch.equal(graphlet_degrees(PretrainGraph(edges, num_nodes=14)), brute_degrees(graph, 14))


def test_roles_are_the_classes_of_equal_graphlet_degrees():
    dataset = TopologyWorld(num_samples=60).generate(seed=1)
    graph = nx.Graph(dataset.graph().edge_index.t().tolist())
    expected, task = brute_degrees(graph, 60), dataset.task("role")
    for node in range(60):
        assert task.classes[task.labels[node]] == " ".join(map(str, expected[node].tolist()))
    assert task.num_outputs == len(expected.unique(dim=0))


def test_motif_and_cluster_are_locally_consistent_and_roles_are_not():
    dataset = TopologyWorld(num_samples=600).generate()
    found = {name: dataset.graph().local_consistency(task.labels) for name, task in dataset.tasks.items()}
    assert found["motif"] > 0.8 and found["cluster"] > 0.9 and found["role"] < 0.4


@pytest.mark.parametrize("tied_to", ["motif", "role", "cluster", None])
def test_sentences_speak_of_the_task_they_are_tied_to(tied_to):
    """Classes of the tied task differ in their words, those of others by chance (far less)."""
    dataset = TopologyWorld(600, tied_to, concentration=2.0, exponent=0.0).generate()
    column = TokenColumn(dataset.samples)
    first = torch.tensor(column.value[column.offset[:-1]], dtype=torch.long)
    information = {name: mutual_information(task.labels, first) for name, task in dataset.tasks.items()}
    if tied_to is None:  # what 600 draws give by chance
        shuffled = torch.randperm(600, generator=torch.Generator().manual_seed(0))
        chance = {name: mutual_information(t.labels, first[shuffled]) for name, t in dataset.tasks.items()}
        assert all(information[name] == pytest.approx(chance[name], rel=0.2) for name in chance)
    else:
        assert max(information, key=information.get) == tied_to


def mutual_information(a, b):
    joint = torch.zeros(int(a.max()) + 1, int(b.max()) + 1).double()
    joint.index_put_((a, b), torch.ones(len(a)).double(), accumulate=True)
    joint /= joint.sum()
    outer = joint.sum(dim=1, keepdim=True) * joint.sum(dim=0, keepdim=True)
    seen = joint > 0
    return float((joint[seen] * (joint[seen] / outer[seen]).log()).sum()) / math.log(2)
