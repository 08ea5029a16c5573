"""What every kind of arm has to keep, found by itself."""

import pyarrow as pa
import pytest
import torch
from arm_cases import READS_SMILES, N, dataset, given, graph, home, make, predict, samples
from contracts import concrete_subclasses

import sigraph.arms
from sigraph.arms import ArmKind, Given, SupervisedGNN
from sigraph.arms.base import KINDS
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.samples import SparseFeatures
from sigraph.tasks import Evaluator, Task

FOUND = concrete_subclasses(ArmKind, sigraph.arms)
TYPES = ["classification", "multilabel", "regression"]


def test_there_are_kinds():
    assert {"Majority", "RawFeatures", "LSA", "Ridge", "LabelPropagation", "SupervisedGNN"} <= {
        kind.__name__ for kind in FOUND
    }
    assert {kind.kind for kind in FOUND} == set(KINDS)
    assert all(kind.reads_graph for kind in FOUND if kind.graph_at_inference)


@pytest.mark.parametrize("of_type", TYPES)
@pytest.mark.parametrize("kind", FOUND)
def test_predictions_are_those_the_evaluator_takes_and_better_than_nothing(kind, of_type):
    data = home(kind, of_type=of_type, weighted=True)
    task, found = data.task(), predict(kind, data)
    evaluator = Evaluator(task)
    for part, predicted in (("valid", found.valid), ("test", found.test)):
        y = task.labels[task.split[part]]
        assert len(predicted) == len(y) and bool(torch.isfinite(predicted).all())
        score = evaluator.eval({"y_true": y, "y_pred": predicted})[evaluator.metric]
        if kind.__name__ not in ("Majority", "SupervisedGNN"):
            assert score < 0.45 if of_type == "regression" else score > 0.65
    assert found.num_parameters >= 0 and found.num_trials >= 1
    assert predict(kind, data, score_test=False).test is None


@pytest.mark.parametrize("sight", [None, torch.arange(20)])
@pytest.mark.parametrize("kind", FOUND)
def test_the_seed_decides_and_labels_of_the_test_change_nothing(kind, sight):
    data = home(kind)
    found, again = (predict(kind, data, sight, seed=5) for _ in range(2))
    assert torch.equal(found.test, again.test) and found.num_trials == again.num_trials
    if not kind.draws:
        assert torch.equal(found.test, predict(kind, data, sight, seed=6).test)
    y = data.task().labels.clone()
    y[40:] = 1 - y[40:]
    planted = Task("block", y, data.task().split)
    assert torch.equal(predict(kind, data, sight, planted, seed=5).test, found.test)


@pytest.mark.parametrize("kind", [kind for kind in FOUND if not kind.graph_at_inference])
def test_hidden_samples_change_nothing_but_their_own_predictions(kind):
    """Features and edges of what is hidden: predictions of the others stay to the bit."""
    node, data = torch.arange(40), home(kind)
    if kind.__name__ in READS_SMILES:
        x = samples("smiles").take([*range(50), *range(59, 49, -1)])
    else:
        x = samples().clone()
        x[50:] = 3 * x[50:].flip(0)
    other = graph()
    moved = torch.cat([other.edge_index[:, (other.edge_index < 40).all(dim=0)], torch.tensor([[45], [50]])], dim=1)
    moved = moved[:, moved[0] < moved[1]]
    planted = SampleDataset(x, {"g": PretrainGraph(moved, N)}, dict(data.tasks), name="blocks")
    ours, theirs = predict(kind, data, node), predict(kind, planted, node)
    assert torch.equal(ours.valid, theirs.valid) and torch.equal(ours.test[:10], theirs.test[:10])


@pytest.mark.parametrize("samples_kind", ["sparse", "numbers", "text", "tokens"])
@pytest.mark.parametrize("kind", [kind for kind in FOUND if kind.__name__ not in ("Majority", *READS_SMILES)])
def test_every_kind_of_samples_with_numbers(kind, samples_kind):
    data = dataset(samples_kind)
    assert make(kind).applies(given(data), data.task()) == ""
    found = predict(kind, data)
    assert len(found.test) == 20 and bool(torch.isfinite(found.test).all())


@pytest.mark.parametrize("kind", FOUND)
def test_samples_without_numbers_are_said(kind):
    data = home(kind)
    nothing = SampleDataset(pa.table({"page": list(range(N))}), dict(data.graphs), dict(data.tasks))
    reason = make(kind).applies(given(nothing), nothing.task())
    if kind.__name__ in READS_SMILES:
        assert "has no molecules to read" in reason and "there are: 'page'" in reason
    else:
        needs = kind.__name__ not in ("Majority", "LabelPropagation")
        assert ("features, tokens or columns of text" in reason) if needs else reason == ""
    elsewhere = make(kind).applies(given(data, own=False), data.task())
    assert ("pre-training graph" in elsewhere) == kind.graph_at_inference


@pytest.mark.parametrize("kind", FOUND)
def test_a_class_that_no_training_sample_has_and_one_class_alone(kind):
    data = home(kind)
    y, split = data.task().labels.clone(), data.task().split
    y[45:50] = 2
    with pytest.warns(UserWarning, match="cannot be learnt"):
        three = Task("block", y, split)
    assert predict(kind, data, task=three).test.shape == (20, 3)
    y[:20] = 1
    with pytest.warns(UserWarning, match="cannot be learnt"):
        one = Task("block", y, split)
    found = predict(kind, data, task=one).test
    assert bool(torch.isfinite(found).all()) and (kind.draws or bool((found.argmax(dim=1) == 1).all()))


@pytest.mark.parametrize("kind", FOUND)
def test_sparse_rows_are_never_made_dense_at_once(kind, monkeypatch):
    if kind.__name__ in READS_SMILES:
        pytest.skip("reads molecules")
    if kind.__name__ == "SupervisedGNN":
        pytest.skip("reads dense rows, within a stated bound")
    data = dataset("sparse")
    monkeypatch.setattr(SparseFeatures, "vectors", lambda self: pytest.fail("made dense"))
    monkeypatch.setattr(SparseFeatures, "fetch", lambda self, node: pytest.fail("made dense"))
    dense = predict(kind, dataset())
    torch.testing.assert_close(predict(kind, data).test, dense.test, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("node", [None, torch.arange(20)])
def test_a_reference_trains_on_what_is_visible_and_predicts_with_all(node):
    """The same edges at inference; those of training are others, or are the same in another object."""
    data, task = dataset(), dataset().task()
    visible = data if node is None else data.subset(node)
    none = PretrainGraph(num_nodes=len(visible))
    again = PretrainGraph(visible.graph().edge_index[:, visible.graph().edge_index.diff(dim=0)[0] > 0], len(visible))
    kind, found = SupervisedGNN(max_epochs=3, hidden_channels=4, dropout=0.0), {}
    for name, seen in (("seen", visible.graph()), ("again", again), ("none", none)):
        found[name] = kind.predict(Given(data, visible, node, True, lambda s=seen: s, data.graph, "cpu"), task).test
    torch.testing.assert_close(found["seen"], found["again"])
    assert not torch.allclose(found["seen"], found["none"])


@pytest.mark.parametrize("layer", ["gcn", "sage", "gin"])
def test_large_graphs_train_on_batches_with_the_edges_among_them(layer):
    data, task = dataset(weighted=True), dataset().task()
    sizes = {"layer": layer, "max_epochs": 3, "dropout": 0.0, "num_layers": 3}
    whole = predict(SupervisedGNN(**sizes), data).test
    batched = predict(SupervisedGNN(**sizes, batch_size=60, num_neighbors=60), data).test
    torch.testing.assert_close(whole, batched, atol=1e-4, rtol=1e-4)  # all that a layer reads is reached
    small = SupervisedGNN(layer, max_epochs=2, batch_size=7, num_neighbors=2)
    assert torch.equal(predict(small, data, seed=1).test, predict(small, data, seed=1).test)
    assert small.predict(given(data), task).test.shape == (20, 2)


def test_a_graph_network_reads_fewer_channels_where_asked():
    data = home(SupervisedGNN)
    whole, few = (SupervisedGNN(hidden_channels=4, max_epochs=1, feature_channels=c) for c in (None, 2))
    sizes = [one.predict(given(data), data.task()).num_parameters for one in (whole, few)]
    assert sizes[0] - sizes[1] == 4 * (data.store.given.shape[1] - 2)
