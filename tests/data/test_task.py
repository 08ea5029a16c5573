"""Task: labels are read by their shape, and a split that would cheat is refused."""

import math

import numpy as np
import pytest
import torch

from sigraph.data.task import Task, is_labelled, label_type

NAN = math.nan
CLASSES = torch.tensor([0, 1, 2, 0, 1, -1])
VALUES = torch.tensor([0.5, 1, 2, 3, -4, NAN])
COLUMNS = torch.tensor([[1.0, 0], [0, 1], [NAN, 1], [0, 0], [1, 0], [NAN, NAN]])


def make(labels=CLASSES, split=None, **changes):
    parts = {"train": [0, 1], "valid": torch.tensor([2]), "test": torch.tensor([4, 3], dtype=torch.int32)}
    return Task("toy", labels, {**parts, **(split or {})}, **changes)


@pytest.mark.parametrize(
    ("labels", "kind", "outputs", "metric", "greater"),
    [
        (CLASSES, "classification", 3, "accuracy", True),
        (VALUES, "regression", 1, "rmse", False),
        (COLUMNS, "multilabel", 2, "rocauc", True),
        (COLUMNS.nan_to_num(0).long(), "multilabel", 2, "rocauc", True),
    ],
)
def test_the_type_is_read_off_the_labels(labels, kind, outputs, metric, greater):
    task = make(labels)
    assert (task.type, task.num_outputs, task.metric, task.greater_is_better) == (kind, outputs, metric, greater)
    assert label_type(labels) == kind and task.num_samples == 6
    assert make(labels, type=kind).type == kind
    assert [ids.tolist() for ids in task.split.values()] == [[0, 1], [2], [4, 3]]
    assert list(task.split) == ["train", "valid", "test"]
    assert all(ids.dtype == torch.long for ids in task.split.values())


def test_metrics_where_less_is_better():
    assert not make(VALUES, metric="mae").greater_is_better and make(metric="macro_f1").greater_is_better


@pytest.mark.parametrize(
    ("labels", "metric", "message"),
    [
        (
            CLASSES,
            "foo",
            r"'metric' of task 'toy' needs .* accuracy, macro_f1 for classification \(got 'foo'\)",
        ),
        (CLASSES, "acuracy", "did you mean 'accuracy'"),
        (VALUES, "accuracy", "one of rmse, mae, spearman for regression"),
        (COLUMNS, "rmse", "one of rocauc, ap for multilabel"),
    ],
)
def test_a_metric_that_the_type_does_not_have_is_refused(labels, metric, message):
    with pytest.raises(ValueError, match=message):
        make(labels, metric=metric)


@pytest.mark.parametrize(
    ("given", "labels"),
    [
        ([0, 1, 2, 0, 1, -1], CLASSES),
        (np.array([0, 1, 2, 0, 1, -1]), CLASSES),
        ([0.5, 1, 2, 3, -4, NAN], VALUES),
        (COLUMNS.tolist(), COLUMNS),
        ([True, False, True, False, True, True], torch.tensor([1, 0, 1, 0, 1, 1])),
    ],
    ids=["list", "array", "numbers", "columns", "yes and no"],
)
def test_lists_and_arrays_become_tensors(given, labels):
    task = make(given, {"test": np.array([3])})
    torch.testing.assert_close(task.labels, labels, equal_nan=True)
    assert task.split["test"].tolist() == [3] and task.split["train"].tolist() == [0, 1]
    assert (task.type, task.num_outputs) == (make(labels).type, make(labels).num_outputs)


@pytest.mark.parametrize("labels", [["a", "b"], np.array(["a"]), [0, None], [[0.0], [0.0, 1.0]], {0: 1}], ids=str)
def test_what_is_no_number_is_no_label(labels):
    with pytest.raises(ValueError, match=r"'labels' of task 'toy' needs numbers: .*'classes'.*got (list|ndarray|dict)"):
        make(labels)


def test_which_samples_are_labelled():
    assert is_labelled(CLASSES).tolist() == [True] * 5 + [False]
    assert is_labelled(VALUES).tolist() == [True] * 5 + [False]
    assert is_labelled(COLUMNS).tolist() == [True] * 5 + [False]  # one known column is enough
    assert is_labelled(torch.zeros(2, 3, dtype=torch.long)).tolist() == [True, True]


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"valid": [2, 1]}, r"split 'valid' of task 'toy' shares 1 samples with 'train' \(first: 1\)"),
        ({"test": [3, 2, 0]}, r"split 'test' of task 'toy' shares 2 samples with 'valid' \(first: 2\)"),
        ({"train": [0, 1, 0]}, "split 'train' of task 'toy' lists a sample twice"),
        ({"test": []}, "split 'test' of task 'toy' is empty"),
        ({"train": [0, 6]}, r"split 'train' .*in \[0, 6\) \(got \[0, 6\]\)"),
        ({"train": [-1, 0]}, r"split 'train' .*in \[0, 6\) \(got \[-1, 0\]\)"),
        ({"train": [0.5, 1.0]}, "split 'train' .*integer sample ids .*float32"),
        ({"train": [True, True, False, False, False, False]}, "split 'train' .*integer sample ids .*bool"),
        ({"train": [[0, 1]]}, r"split 'train' .*integer sample ids .*\[1, 2\]"),
        ({"test": [3, 5]}, r"split 'test' of task 'toy' lists 1 samples without a label \(first: 5\)"),
    ],
)
def test_a_wrong_split_is_refused(split, message):
    with pytest.raises(ValueError, match=message):
        make(split=split)


@pytest.mark.parametrize("labels", [VALUES, COLUMNS])
def test_a_split_may_not_list_missing_values(labels):
    with pytest.raises(ValueError, match=r"without a label \(first: 5\)"):
        make(labels, {"test": [5]})


def test_a_split_needs_three_parts():
    with pytest.raises(ValueError, match=r"needs train, valid, test \(missing \['valid', 'test'\]\)"):
        Task("toy", CLASSES, {"train": [0]})
    with pytest.raises(ValueError, match=r"\(missing \['valid'\]; unknown \['val'\]\)"):
        Task("toy", CLASSES, {"train": [0], "val": [1], "test": [2]})
    with pytest.raises(ValueError, match=r"unknown \['extra'\]"):
        make(split={"extra": [5]})
    with pytest.raises(ValueError, match=r"as a mapping to sample ids \(got list\)"):
        Task("toy", CLASSES, [[0], [1], [2]])
    with pytest.raises(ValueError, match="split 'valid' of task 'toy' needs a list of integer sample ids"):
        make(split={"valid": ["b"]})


@pytest.mark.parametrize(
    ("labels", "changes", "message"),
    [
        (torch.zeros(2, 2, 2), {}, r"'y' needs to be 1-D .*\[2, 2, 2\]"),
        (torch.tensor(1), {}, "'y' needs to be 1-D"),
        (
            CLASSES,
            {"type": "regression"},
            "'labels' of task 'toy' read as classification, but 'type' says 'regression'",
        ),
        (CLASSES, {"type": "ranking"}, "'type' needs to be one of classification, multilabel, regression .*'ranking'"),
        (COLUMNS * 2, {}, "'labels' of task 'toy' need to be 0, 1 or NaN"),
        (torch.full((6, 2), -1), {}, "'labels' of task 'toy' need to be 0, 1 or NaN"),
        (torch.full((6,), math.inf), {}, "'labels' of task 'toy' need to be finite or NaN"),
    ],
)
def test_labels_that_are_none_are_refused(labels, changes, message):
    with pytest.raises(ValueError, match=message):
        make(labels, **changes)
