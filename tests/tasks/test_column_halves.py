"""Half of a task's columns make a graph, the other half is predicted: no label is both, and leakage knows."""

import pytest
import torch

from sigraph.data import SampleDataset
from sigraph.graphs import LabelAgreement
from sigraph.tasks import Task, column_halves
from sigraph.theory.leakage.leakage import leakage

NAN = float("nan")


def rows(num_samples=60, width=8, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return (torch.rand(num_samples, width, generator=draw) < 0.4).float()


def task_of(labels, **more):
    n = len(labels)
    split = {"train": range(n // 2), "valid": range(n // 2, 3 * n // 4), "test": range(3 * n // 4, n)}
    return Task("assays", labels, split, **more)


def test_each_column_is_in_one_of_the_two():
    task = task_of(rows(), classes=[f"c{i}" for i in range(8)], metric="ap", about="Of a table.")
    graph, rest = column_halves(task)
    assert graph.name == "assays-graph" and rest.name == "assays" and graph.num_outputs == rest.num_outputs == 4
    assert sorted([*graph.classes, *rest.classes]) == task.classes and rest.classes == sorted(rest.classes)
    for half in (graph, rest):
        assert torch.equal(half.labels, task.labels[:, [task.classes.index(name) for name in half.classes]])
        assert half.metric == "ap" and half.about.startswith(
            "Of a table; 4 of 8 columns of 'assays', share 0.5, seed 0"
        )
    assert column_halves(task)[1].classes == rest.classes
    assert len({tuple(column_halves(task, seed=seed)[1].classes) for seed in range(6)}) > 1
    assert [half.num_outputs for half in column_halves(task, share=0.01)] == [1, 7]
    assert [half.num_outputs for half in column_halves(task, share=0.8)] == [6, 2]


def test_equal_columns_stay_together():
    labels = rows(width=3).repeat(1, 3)  # each column three times
    labels[::7, ::3] = NAN
    for seed in range(5):
        graph, rest = column_halves(task_of(labels), seed=seed)
        assert {graph.num_outputs, rest.num_outputs} == {3, 6}
        for one in graph.labels.t():
            assert not any(torch.equal(one.nan_to_num(-1), other.nan_to_num(-1)) for other in rest.labels.t())


def test_samples_without_a_label_left_leave_the_split():
    labels = rows(width=2)
    labels[:10, 0], labels[20:25, 1] = NAN, NAN
    halves = column_halves(task_of(labels))
    for half in halves:
        assert bool((~half.labels.isnan()).any(dim=1)[half.split["train"]].all())
    assert sorted(len(half.split["train"]) for half in halves) == [20, 25]
    labels[45:, 0] = NAN
    with pytest.raises(ValueError, match=r"no sample of 'test' has a label in the 1 columns.*another 'seed'"):
        column_halves(task_of(labels))


def test_what_cannot_be_halved_is_said():
    with pytest.raises(ValueError, match=r"several label columns .*'assays', classification"):
        column_halves(task_of(torch.arange(60) % 3))
    with pytest.raises(ValueError, match=r"several label columns .*1 column"):
        column_halves(task_of(rows(width=1)))
    with pytest.raises(ValueError, match="columns that differ"):
        column_halves(task_of(rows(width=1).repeat(1, 4)))
    for wrong in ({"share": 1}, {"share": 0.0}, {"seed": -1}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))!r} needs"):
            column_halves(task_of(rows()), **wrong)


def test_leakage_is_silent_of_the_other_half_and_loud_of_a_column_in_both():
    task = task_of(rows(200))
    graph, rest = column_halves(task)
    dataset = SampleDataset(torch.randn(200, 3), tasks={"assays": rest, "assays-graph": graph, "all": task})

    def found(name):
        made = LabelAgreement(name, max_differences=1, allow_label_edges=True)
        return leakage(dataset, made(dataset), rest, graph_labels=made)

    assert not found("assays-graph").suspicious
    report = found("all")
    assert report.suspicious and report.label_edges[0]["test"] > 0
    one = Task("one", rest.labels[:, 2].long(), rest.split)  # a column as two classes
    made = LabelAgreement("all", max_differences=1, allow_label_edges=True)
    assert leakage(dataset, made(dataset), one, graph_labels=made).suspicious
