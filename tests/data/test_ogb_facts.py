"""What OGB says of its sets: our table is that of the installed package, in our words."""

import sys

import numpy as np
import pytest

from sigraph.data.ogb_facts import _installed, ogb_facts, ogb_names, own_facts
from sigraph.tasks import Evaluator, Task
from sigraph.tasks.metrics import METRIC_NAMES


def test_our_table_is_that_of_ogb():
    pytest.importorskip("pandas")
    installed = _installed()
    if not installed:
        pytest.skip("ogb is not installed")
    assert own_facts() == installed


def test_without_ogb_our_table_serves(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert _installed() == {} and len(own_facts()) == 27


def test_every_task_has_a_type_and_a_metric_of_ours_but_subtokens():
    for name in ogb_names():
        facts = ogb_facts(name)
        if facts.kind == "link":
            assert facts.type == "pair" and facts.our_metric in ("hits@20", "hits@50", "hits@100", "mrr", "rocauc")
        elif name == "ogbg-code2":
            assert facts.type is None
        else:
            assert facts.our_metric in METRIC_NAMES[facts.type], name
        assert facts.url.startswith("https://") and facts.folder == name.replace("-", "_")


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"did you mean 'ogbg-molbace'\?"):
        ogb_facts("ogbg-molbase")


FEW = [name for name in ogb_names() if ogb_facts(name).type not in (None, "pair") and ogb_facts(name).num_tasks < 200]


@pytest.mark.parametrize("name", FEW)
def test_the_official_evaluator_gives_our_number(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "outdated", None)  # ogb would ask the network for its newest version
    pytest.importorskip("ogb")
    from ogb.graphproppred import Evaluator as OfGraphs
    from ogb.nodeproppred import Evaluator as OfNodes

    facts, rng = ogb_facts(name), np.random.default_rng(len(name))
    official = {"node": OfNodes, "graph": OfGraphs}[facts.kind](name)
    rows, columns = 200, facts.num_tasks
    if facts.type == "classification":
        y = rng.integers(0, 7, (rows, 1))
        y[:7, 0] = range(7)
        scores = rng.normal(size=(rows, 7))
        theirs = official.eval({"y_true": y, "y_pred": scores.argmax(axis=1)[:, None]})
    elif facts.type == "regression":
        y, scores = rng.normal(size=(rows, 1)), rng.normal(size=(rows, 1))
        theirs = official.eval({"y_true": y, "y_pred": scores})
    else:
        y = (rng.random((rows, columns)) < 0.3).astype(float)
        if columns > 2:
            y[rng.random(y.shape) < 0.3] = np.nan
            y[:, 1], y[:, 2] = np.where(np.isnan(y[:, 1]), np.nan, 0), 1.0  # of one class
        scores = rng.normal(size=y.shape)
        theirs = official.eval({"y_true": y, "y_pred": scores})
    ids = np.arange(rows)
    labels = y[:, 0] if facts.type in ("classification", "regression") else y
    task = Task(
        name, labels, {"train": ids[:100], "valid": ids[100:150], "test": ids[150:]}, facts.our_metric, facts.type
    )
    ours = Evaluator(task).eval({"y_true": labels, "y_pred": scores})
    assert ours == {facts.our_metric: pytest.approx(theirs[facts.metric], rel=1e-12)}
