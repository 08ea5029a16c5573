"""The audit: figures, verdicts and reasons, what it looks at, what it refuses, and how often it cries wolf."""

import json
import math
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

import sigraph
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.data.consistency import local_consistency
from sigraph.edges import LabelSetStore
from sigraph.tasks import Task
from sigraph.theory.audit import audit
from sigraph.theory.audit.audit import decide
from sigraph.theory.leakage.report import LeakageReport

NAN = math.nan
FIVE = PretrainGraph([[0, 1, 2], [1, 2, 3]], 5)
pytestmark = pytest.mark.filterwarnings("ignore:'PretrainGraph' dropped")


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def graph_of(num_nodes, num_edges, seed=0):
    return PretrainGraph(torch.randint(0, num_nodes, (2, num_edges), generator=seeded(seed)), num_nodes)


def blocks(count=120, rate=0.15, noise=0.02):
    """Classes 0, 1, 2 in turn, and edges mostly within them."""
    y = torch.arange(count) % 3
    pairs = torch.combinations(torch.arange(count)).t()
    chance = torch.where(y[pairs[0]] == y[pairs[1]], rate, noise)
    return PretrainGraph(pairs[:, torch.rand(pairs.size(1), generator=seeded(0)) < chance], count), y


def split_of(count):
    ids = torch.arange(count)
    return {"train": ids[: count // 2], "valid": ids[count // 2 : 2 * count // 3], "test": ids[2 * count // 3 :]}


def only(graph, tasks, **options):
    (row,) = audit(graph, tasks, **options).rows
    return row


def test_figures_of_a_row():
    graph, y = blocks()
    row = only(graph, y)
    rowptr, col = graph.csr()
    assert row.local_consistency == pytest.approx(local_consistency(rowptr, col, y))
    assert row.low < row.local_consistency < row.high
    assert row.null == "exact" and row.null_mean == pytest.approx(39 / 119)
    assert row.z == pytest.approx((row.local_consistency - row.null_mean) / row.null_std)
    assert row.gain == row.local_consistency - row.null_mean
    assert row.majority == pytest.approx(40 / 120) and row.labels == "given" and row.type == "classification"
    assert (row.num_samples, row.num_labelled, row.num_counted, row.coverage) == (120, 120, 120, 1)
    assert row.verdict == "promising" and "above the share of the largest class, 0.333" in row.reason
    assert [part.name for part in row.parts] == ["0", "1", "2"] and sum(part.count for part in row.parts) == 120
    mean = sum(part.count * part.local_consistency for part in row.parts) / 120
    assert mean == pytest.approx(row.local_consistency)
    assert row.shape.num_edges == graph.num_edges // 2


def test_label_columns_and_numbers():
    graph, y = blocks()
    columns = torch.nn.functional.one_hot(y).float()
    row = only(graph, {"functions": columns})
    assert row.type == "multilabel" and row.majority is None and row.verdict == "promising"
    parts = [part.local_consistency for part in row.parts]
    assert row.local_consistency == pytest.approx(sum(parts) / 3)
    values = y.float() + 0.1 * torch.randn(120, generator=seeded(1))
    row = only(graph, {"size": values}, draws=30)
    assert row.type == "regression" and row.null == "permuted" and row.null_draws == 30 and row.parts == []
    assert row.verdict == "promising" and abs(row.null_mean) < 0.1 and row.low < row.local_consistency < row.high


def test_coverage_is_counted_over_the_tasks_samples():
    graph = PretrainGraph([[0, 1, 3], [1, 2, 4]], 7)
    row = only(graph, torch.tensor([0, 0, -1, 1, -1, 1, -1]))
    assert (row.num_samples, row.num_counted) == (4, 2)
    assert row.coverage == 0.75  # 0, 1 and 3 have a neighbour, 5 has none
    assert row.labelled_coverage == 0.5  # 3's neighbour has no label


def test_labels_of_test_samples_are_not_looked_at_unless_asked_for():
    graph, y = blocks()
    split = split_of(120)
    other = y.clone()
    other[split["test"]] = (y[split["test"]] + 1) % 3
    one, two = (only(graph, Task("topic", labels, split)) for labels in (y, other))
    assert one.local_consistency == two.local_consistency and one.null_mean == two.null_mean and one.labels == "seen"
    assert (one.num_samples, one.num_labelled) == (120, 80)
    assert only(graph, Task("topic", y, split), labels="all").num_labelled == 120
    assert only(graph, Task("topic", y, split), labels="train").num_labelled == 60
    wrong = only(graph, Task("topic", other, split), labels="all")
    assert wrong.local_consistency < one.local_consistency and wrong.labels == "all"
    columns = torch.nn.functional.one_hot(y)  # integers hold no NaN
    assert only(graph, Task("functions", columns, split)).num_labelled == 80


def test_several_graphs_and_tasks_are_ranked():
    graph, y = blocks()
    sparse = PretrainGraph(num_nodes=120)
    tasks = {"topic": y, "noise": torch.randint(0, 3, (120,), generator=seeded(9))}
    report = audit({"blocks": graph, "none": sparse}, tasks)
    assert [(row.graph, row.task) for row in report.rows] == [
        *(("blocks", name) for name in tasks),
        *(("none", name) for name in tasks),
    ]
    ranked = report.ranking()
    assert (ranked[0].graph, ranked[0].task) == ("blocks", "topic")
    assert [row.verdict for row in ranked] == ["promising", "useless", "useless", "useless"]
    said = report.to_dict()
    assert [row["rank"] for row in said["rows"]] == [1, 2, 3, 4]
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    table = report.table()
    assert str(report) == table
    assert (
        table.startswith("| graph ") and "the graph has no edges" in table and "blocks × topic: **promising**" in table
    )


def test_classes_may_be_any_numbers():
    graph, y = blocks()
    wild = torch.tensor([7, 10**12, 2**40])[y]
    wild[3] = -1
    plain = torch.where(wild < 0, -1, y)
    one, two = only(graph, wild), only(graph, plain)
    assert [part.name for part in one.parts] == ["7", str(10**12), str(2**40)]
    assert one.local_consistency == two.local_consistency and one.z == two.z
    named = Task("topic", y, split_of(120), classes=["a", "b", "c"])
    assert [part.name for part in only(graph, named).parts] == ["a", "b", "c"]
    sets = PretrainGraph.from_store(LabelSetStore.from_sets(torch.arange(120) % 3))
    assert only(sets, wild).local_consistency == 1 and sets.local_consistency(wild) == 1


def test_tasks_as_a_list_of_tasks():
    graph, y = blocks()
    tasks = [Task(name, y, split_of(120)) for name in ("one", "two")]
    assert [row.task for row in audit(graph, tasks).rows] == ["one", "two"]
    with pytest.raises(ValueError, match="two tasks of the same name"):
        audit(graph, [tasks[0], tasks[0]])


@pytest.mark.parametrize(
    ("value", "mean", "z", "verdict"),
    [
        (0.50, 0.30, 2.99, "useless"),
        (0.50, 0.30, 3.0, "promising"),
        (0.45, 0.30, 40.0, "promising"),
        (0.44, 0.30, 40.0, "weak"),
        (0.10, 0.30, -9.0, "useless"),
        (None, None, None, "useless"),
        (1.0, 1.0, None, "useless"),
    ],
)
def test_the_rule_of_the_verdict(value, mean, z, verdict):
    found, reason = decide(value, mean, z)
    assert found == verdict and reason
    leak = LeakageReport("topic", {"train": 5, "valid": 5, "test": 5}, is_label_cliques=True)
    assert decide(value, mean, z, leak) == ("suspicious", "; ".join(leak.reasons)) and leak.reasons


def test_the_default_rounds_no_gain_up():
    assert decide(0.3 + 0.15, 0.3, 9.0)[0] == "promising" and decide(0.3 + 0.1499, 0.3, 9.0)[0] == "weak"


def test_leakage_makes_a_graph_suspicious():
    y = torch.arange(60) % 3
    pairs = torch.combinations(torch.arange(60)).t()
    cliques = PretrainGraph(pairs[:, y[pairs[0]] == y[pairs[1]]], 60)
    task = Task("topic", y, split_of(60))
    row = only(cliques, task)
    assert row.verdict == "suspicious" and "cliques" in row.reason and row.leakage["suspicious"]
    assert audit({"a": cliques, "b": blocks(60)[0]}, task).ranking()[-1].graph == "a"
    x = torch.randn(60, 4, generator=seeded(0))
    x[40:45] = x[:5]  # test rows that are training rows
    graph = blocks(60)[0]
    row = only(graph, task, dataset=SampleDataset(x, {"g": graph}, {"topic": task}))
    assert row.verdict == "suspicious" and "5 of 20 test samples" in row.reason
    assert only(graph, task).verdict == "promising"  # without the samples there is nothing to see


@pytest.mark.parametrize(
    ("y", "reason"),
    [
        (torch.full((6,), -1), "there are no labels"),
        (torch.full((6,), NAN), "there are no labels"),
        (torch.full((6, 2), NAN), "there are no labels"),
        (torch.zeros(6, 2), "no sample carries a label"),
        (torch.tensor([3, 3, 3, 3, 3, 3]), "of one class"),
        (torch.ones(6), "the target is constant"),
        (torch.tensor([1.0, 1, 1, 1, 5, 5]), "the target is constant among samples with a labelled neighbour"),
        (torch.tensor([0, -1, 1, -1, 1, 1]), "no labelled sample has a labelled neighbour"),
        (torch.tensor([0.0, 1.0, NAN, NAN, NAN, NAN]), "draws"),
    ],
)
def test_what_cannot_be_told_is_useless_with_a_reason(y, reason):
    row = only(PretrainGraph([[0, 1, 2], [1, 2, 3]], 6), y)
    assert row.verdict == "useless" and row.z is None and re.search(reason, row.reason)
    json.dumps(audit(PretrainGraph([[0, 1, 2], [1, 2, 3]], 6), y).to_dict(), allow_nan=False)


def test_graphs_without_edges_or_nodes():
    row = only(PretrainGraph(num_nodes=4), torch.tensor([0, 1, 0, 1]))
    assert row.verdict == "useless" and row.reason == "the graph has no edges" and row.coverage == 0
    row = only(PretrainGraph(num_nodes=0), torch.empty(0, dtype=torch.long))
    assert row.verdict == "useless" and row.coverage is None
    complete = PretrainGraph(torch.combinations(torch.arange(8)).t(), 8)
    assert "every permutation" in only(complete, torch.arange(8) % 2).reason


@pytest.mark.parametrize(
    ("graph", "tasks", "options", "message"),
    [
        (FIVE, {"t": torch.zeros(4).long()}, {}, r"task 't' needs one label a node of graph 'graph', 5.*got 4"),
        ({"g": FIVE}, Task("t", torch.arange(6) % 2, split_of(6)), {}, "graph 'g', 5.*got 6"),
        ({}, torch.zeros(5), {}, "'graph' needs a PretrainGraph, or some by name"),
        (torch.eye(5), torch.zeros(5), {}, r"'graph' needs a PretrainGraph.*got Tensor"),
        (FIVE, {}, {}, "at least one task"),
        (FIVE, {"t": ["a", "b"]}, {}, "task 't' needs one label a node of graph 'graph', 5.*got 2"),
        (FIVE, {"t": "ab"}, {}, "task 't' needs a Task or labels in 'audit'"),
        (FIVE, {"t": ["a", 1]}, {}, "task 't' in 'audit' needs numbers or text"),
        (FIVE, torch.tensor([0, 1, -2, 0, 1]), {}, r"task 'task' in 'audit' needs classes as integers >= 0.*got -2"),
        (FIVE, ["t"], {}, "task 'task' needs one label a node"),
        (FIVE, [Task("t", torch.arange(5) % 2, split_of(5)), 1], {}, "got a list of Task, int"),
        (FIVE, None, {}, r"'tasks' needs a Task, several.*got NoneType"),
        (FIVE, 3, {}, r"'tasks' needs a Task, several.*got int"),
        (FIVE, "topic", {}, r"'tasks' needs a Task, several.*got str"),
        (FIVE, [], {}, "at least one task"),
        (FIVE, torch.full((5, 2), 2.0), {}, "0, 1 or missing"),
        (FIVE, torch.tensor([1.0, math.inf, 0, 0, 0]), {}, "finite numbers, NaN where missing"),
        (FIVE, torch.zeros(5, 1, 1), {}, "task 'task' in 'audit' needs to be 1-D"),
        (FIVE, torch.zeros(5), {"labels": "test"}, "'labels' needs to be one of seen, train, all"),
        (FIVE, torch.zeros(5), {"null": "shuffle"}, "'null' needs to be one of permute, rewire"),
        (FIVE, torch.zeros(5), {"draws": 1}, "'draws' needs to be an integer >= 2"),
        (FIVE, torch.zeros(5), {"seed": -1}, "'seed' needs to be an integer >= 0"),
    ],
)
def test_what_does_not_fit_is_said(graph, tasks, options, message):
    with pytest.raises(ValueError, match=message):
        audit(graph, tasks, **options)


def test_labels_are_read_as_a_task_reads_them():
    names = ["a", "a", "b", "b", None]
    expected = audit(FIVE, torch.tensor([0, 0, 1, 1, -1])).to_dict()
    for labels in (names, tuple(names), pd.Series(names), pa.array(names), pd.DataFrame({"y": names})):
        assert audit(FIVE, labels).to_dict() == audit(FIVE, {"task": labels}).to_dict() == expected
    with pytest.warns(UserWarning, match="task 'task' in 'audit': the labels are 1 and -1 alone") as warned:
        audit(FIVE, [1, -1, 1, 1, -1])
    assert warned[0].filename == __file__


@pytest.mark.parametrize("labels", [[0, 0, 1, 1, -1], [0.0, 0.5, 1.0, 2.0, math.nan], [[0, 1], [1, 0]] * 2 + [[0, 0]]])
@pytest.mark.parametrize("as_given", [np.array, list])
def test_arrays_and_lists_are_labels_as_tensors_are(labels, as_given):
    wanted, found = audit(FIVE, torch.tensor(labels)), audit(FIVE, as_given(labels))
    assert found.rows == wanted.rows and found.rows[0].task == "task"
    assert audit(FIVE, {"task": as_given(labels)}).rows[0].type == wanted.rows[0].type


def test_two_level_graphs_are_audited_without_being_written_out(monkeypatch):
    def refuse(self):
        raise AssertionError("the edges were written out")

    monkeypatch.setattr(LabelSetStore, "expanded", refuse)
    sets = torch.arange(30_000) % 3
    graph = PretrainGraph.from_store(LabelSetStore.from_sets(sets))
    y = torch.where(torch.rand(30_000, generator=seeded(0)) < 0.7, sets, torch.randint(0, 3, (30_000,)))
    report = audit(graph, {"near": y, "split": Task("near", y, split_of(30_000))}, resamples=20)
    assert [row.verdict for row in report.rows] == ["promising", "promising"]
    assert report.rows[0].shape.num_edges == 3 * 10_000 * 9_999 // 2


def test_opened_graphs_give_what_they_gave_in_memory(tmp_path):
    graph, y = blocks()
    graph.save(tmp_path / "graph")
    assert audit(PretrainGraph.open(tmp_path / "graph"), y).to_dict() == audit(graph, y).to_dict()


def test_rewired_graphs_as_chance():
    graph, y = blocks(60)
    row = only(graph, y, null="rewire", draws=10)
    assert row.null == "rewired" and row.null_draws == 10 and row.verdict == "promising"
    assert row.null_mean == pytest.approx(1 / 3, abs=0.1)


def test_random_labels_seldom_pass():
    """1,000 tasks that have nothing to do with the graph, of all types: z >= 3 in at most five of them."""
    graph = graph_of(120, 400)
    tasks = {}
    for seed in range(500):
        tasks[f"classes {seed}"] = torch.randint(-1, 2 + seed % 5, (120,), generator=seeded(seed))
        tasks[f"labels {seed}"] = (torch.rand(120, 4, generator=seeded(1000 + seed)) < 0.25).float()
    rows = audit(graph, tasks, resamples=2).rows
    z = torch.tensor([row.z for row in rows])
    assert len(rows) == 1000 and sum(row.verdict != "useless" for row in rows) <= 5
    assert abs(float(z.mean())) < 0.15 and 0.9 < float(z.std()) < 1.1  # neither blind nor easily frightened


def test_random_numbers_seldom_pass():
    graph = graph_of(60, 150)
    tasks = {str(seed): torch.randn(60, generator=seeded(seed)) for seed in range(60)}
    z = torch.tensor([row.z for row in audit(graph, tasks, resamples=2, draws=30).rows])
    assert int((z >= 3).sum()) <= 1 and abs(float(z.mean())) < 0.4 and 0.8 < float(z.std()) < 1.25


def test_the_public_name():
    graph, y = blocks()
    assert sigraph.audit(graph, y).rows[0].verdict == "promising"


def test_a_rare_class_and_an_undefined_metric_are_noted():
    graph, y = blocks()
    rare = (torch.arange(120) % 40 == 0).long()
    split = {"train": range(60), "valid": range(60, 81), "test": range(81, 120)}
    row = only(graph, Task("t", rare, split, classes=["no", "yes"]))
    assert row.notes == [
        "class 'yes' has 3.7% of the labels: always 'no' gives accuracy 0.963; "
        "metrics that fit: rocauc, ap or macro_f1 (--metric); "
        "finetune.class_weight: balanced gives it weight in the loss"
    ]
    assert "always 'no' gives" in audit(graph, Task("t", rare, split, classes=["no", "yes"])).table()
    assert "class '1' has 2.5% of the labels" in only(graph, rare).notes[0]  # no Task, no metric
    with pytest.warns(UserWarning, match="not defined"):
        late = Task("t", rare, {**split, "valid": range(61, 80)}, "ap")
    assert only(graph, late).notes[1:] == [
        "metric 'ap' is not defined: 'valid' holds class 0 alone, 19 samples and 'test' holds class 0 alone, "
        "39 samples; give it a split that has both in that part or another metric (accuracy or macro_f1)"
    ]
    assert only(graph, y).notes == []
