"""TorusWorld: the graph is the radius graph of the places, the labels the nearest centres, the words a weak hint."""

import pytest
import torch

from sigraph.synthetic import TorusWorld
from sigraph.synthetic.torus import TORUS


def small(**changes):
    settings = {"num_samples": 200, "num_topics": 4, "vocabulary": 50, "radius": 0.1, "num_valid": 20, "num_test": 100}
    return TorusWorld(**{**settings, **changes})


def test_distance_goes_around():
    a, b = torch.tensor([[0.05, 0.5], [0.1, 0.1]]), torch.tensor([[0.95, 0.5], [0.4, 0.5]])
    torch.testing.assert_close(TORUS.distance(a, b), torch.tensor([0.1, 0.5]))


def test_graph_is_the_radius_graph_of_the_places():
    graph = small().generate(seed=1).graph("radius")
    distance = TORUS.distance(graph.pos[:, None], graph.pos)  # [N, N]
    expected = (distance < 0.1).fill_diagonal_(False).nonzero().t()
    assert torch.equal(graph.edge_index, expected)
    across = (graph.pos[graph.edge_index[0]] - graph.pos[graph.edge_index[1]]).abs().amax(dim=1) > 0.5
    assert across.any()  # some edges go around


def test_edges_of_a_hundred_thousand_places():
    position = torch.rand(100_000, 2, generator=torch.Generator().manual_seed(0))
    edges = TORUS.edges(position, 0.002)  # N x N floats would be 40 GB
    assert edges.size(1) == pytest.approx(3.14159 * 0.002**2 * 1e10 / 2, rel=0.02)
    assert (TORUS.distance(position[edges[0]], position[edges[1]]) <= 0.002 + 1e-6).all()


def test_bags_hold_the_words_asked_for():
    samples = small(num_words=9).generate().samples
    assert samples.shape == (200, 50) and (samples.sum(dim=1) == 9).all()
    assert torch.equal(samples, samples.round()) and (samples >= 0).all()


def test_chunks_change_nothing_but_the_memory(monkeypatch):
    whole = small().generate()
    monkeypatch.setattr("sigraph.synthetic.torus.CHUNK", 50 * 7)
    pieces = small().generate()
    assert torch.equal(whole.task().labels, pieces.task().labels)
    assert torch.equal(whole.graph().edge_index, pieces.graph().edge_index)
    assert (pieces.samples.sum(dim=1) == 16).all()


def test_split_is_balanced_and_as_large_as_asked():
    task = small(train_per_topic=3).generate(seed=2).task("topic")
    assert torch.bincount(task.labels[task.split["train"]]).tolist() == [3] * 4
    assert task.split["valid"].numel() == 20 and task.split["test"].numel() == 100
    assert task.num_outputs == 4


def test_words_follow_the_place():
    """Samples of one topic share more words than samples of two; with a wide spread they do not."""

    def contrast(spread):
        dataset = small(num_samples=1000, num_topics=4, spread=spread, num_words=40).generate()
        words, label = torch.nn.functional.normalize(dataset.samples), dataset.task().labels
        same = label[:, None] == label
        similarity = words @ words.t()
        return (similarity[same].mean() / similarity[~same].mean()).item()

    assert contrast(0.1) > 1.2 > 1.08 > contrast(10.0)


def test_default_words_are_weak_evidence_and_neighbors_strong():
    """What makes it a demo: a linear classifier on few labels is half right, LC is near 0.86, degree near 15."""
    linear = pytest.importorskip("sklearn.linear_model")
    dataset = TorusWorld().generate()
    task, graph = dataset.task(), dataset.graph()
    train, test = task.split["train"], task.split["test"]
    model = linear.LogisticRegression(max_iter=1000).fit(dataset.samples[train], task.labels[train])
    assert 0.4 < model.score(dataset.samples[test], task.labels[test]) < 0.65
    assert 0.85 < graph.local_consistency(task.labels) < 0.9
    assert 14 < graph.num_edges / len(dataset) < 16


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_samples": 100}, "'num_samples' needs to be >= 140 in 'TorusWorld'.*got 100"),
        ({"num_topics": 1}, "'num_topics' needs to be an integer >= 2"),
        ({"num_words": 0}, "'num_words' needs to be an integer >= 1"),
        ({"radius": 0.5}, "'radius' needs to be in .0, 0.5."),
        ({"radius": 0.0}, "'radius'"),
        ({"spread": 0.0}, "'spread' needs to be > 0"),
    ],
)
def test_wrong_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        small(**change)


def test_topic_too_small_for_its_training_samples_is_refused():
    with pytest.raises(ValueError, match="'train_per_topic' needs to be <= "):
        small(num_samples=200, num_topics=8, train_per_topic=20, num_valid=10, num_test=10).generate()
