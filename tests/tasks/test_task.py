"""Task: labels are read by their shape, and a split that would cheat is refused."""

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from torch_geometric.data import Data

from sigraph.tasks.task import Task, is_labelled, label_type

NAN = math.nan
CLASSES = torch.tensor([0, 1, 2, 0, 1, -1])
VALUES = torch.tensor([0.5, 1, 2, 3, -4, NAN])
WIDE = VALUES.double()  # floats of lists and arrays stay as wide as they are
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


def test_a_text_is_one_metric_wherever_a_list_could_stand():
    assert make(metrics="mcc").metrics == ("mcc",) and make(metric="mcc", metrics="accuracy").metrics == (
        "mcc",
        "accuracy",
    )
    for name in ("metric", "metrics"):
        with pytest.raises(ValueError, match=rf"'{name}' of task 'toy' needs a name or a list of names \(got set\)"):
            make(**{name: {"mcc", "accuracy"}})


def test_metrics_where_less_is_better():
    assert not make(VALUES, metric="mae").greater_is_better and make(metric="macro_f1").greater_is_better


@pytest.mark.parametrize(
    ("labels", "metric", "message"),
    [
        (
            CLASSES,
            "foo",
            r"'metric' of task 'toy' needs .* accuracy, macro_f1, .*rocauc, ap, .* for classification \(got 'foo'\)",
        ),
        (CLASSES, "acuracy", "did you mean 'accuracy'"),
        (VALUES, "accuracy", "one of rmse, mae, r2, pearson, spearman for regression"),
        (COLUMNS, "rmse", "one of rocauc, ap, macro_f1, micro_f1, accuracy for multilabel"),
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
        ([0.5, 1, 2, 3, -4, NAN], WIDE),
        (COLUMNS.tolist(), COLUMNS.double()),
        ([True, False, True, False, True, True], torch.tensor([1, 0, 1, 0, 1, 1])),
    ],
    ids=["list", "array", "numbers", "columns", "yes and no"],
)
def test_lists_and_arrays_become_tensors(given, labels):
    task = make(given, {"test": np.array([3])})
    torch.testing.assert_close(task.labels, labels, equal_nan=True)
    assert task.split["test"].tolist() == [3] and task.split["train"].tolist() == [0, 1]
    assert (task.type, task.num_outputs) == (make(labels).type, make(labels).num_outputs)


@pytest.mark.parametrize("labels", [["a", 1], [[0.0], [0.0, 1.0]], {0: 1}, "text", None], ids=str)
def test_what_is_neither_number_nor_name_is_no_label(labels):
    with pytest.raises(ValueError, match=r"'labels' of task 'toy' needs numbers or text, a label a sample"):
        make(labels)


def test_classes_by_name_are_kept():
    names = ["no", "yes", "no", "yes", None, ""]
    split = {"train": [0, 1], "valid": [2], "test": [3]}
    task = Task("toy", names, split)
    assert (task.classes, task.labels.tolist()) == (["no", "yes"], [0, 1, 0, 1, -1, -1])
    task = Task("toy", names, split, classes=np.array(["yes", "no"]))  # in an order of one's own
    assert task.classes == ["yes", "no"] and all(type(name) is str for name in task.classes)
    assert task.labels.tolist() == [1, 0, 1, 0, -1, -1]
    with pytest.raises(ValueError, match=r"needs the names in 'classes' \(got 'yes' at sample 1"):
        Task("toy", names, split, classes=["no", "maybe"])
    with pytest.raises(ValueError, match=r"'classes' of task 'toy' needs a name for each of 3 \(got 2\)"):
        make(classes=["a", "b"])
    with pytest.raises(ValueError, match="'classes' of task 'toy' needs a list of names"):
        make(classes="abc")


def test_masks_are_splits_under_the_names_of_pyg():
    mask = torch.zeros(3, 6, dtype=torch.bool)
    mask[0, [0, 1]] = mask[1, [2]] = mask[2, [3, 4]] = True
    data = Data(train_mask=mask[0], val_mask=mask[1], test_mask=mask[2])
    named = {"train_mask": data.train_mask, "val_mask": data.val_mask, "test_mask": data.test_mask}
    for split in (named, {"train": mask[0].tolist(), "val": mask[1].numpy(), "test": mask[2]}):
        found = Task("toy", CLASSES, split).split
        assert {part: ids.tolist() for part, ids in found.items()} == {"train": [0, 1], "valid": [2], "test": [3, 4]}
    assert Task("toy", CLASSES, {"train_idx": [0, 1], "dev": [2], "testing": [3]}).split["valid"].tolist() == [2]
    for value, message in (
        (mask[0][:5], r"split 'train' of task 'toy' needs a mask of shape \[6\] \(got \[5\]\)"),
        (mask.t(), r"needs a mask of shape \[6\] \(got \[6, 3\]\); of several splits side by side choose one: mask"),
        (mask[0].byte(), r"lists a sample twice; a mask needs to be boolean: mask.bool\(\)"),
        (torch.zeros(6, dtype=torch.bool), "split 'train' of task 'toy' is empty"),
    ):
        with pytest.raises(ValueError, match=message):
            make(split={"train": value})
    with pytest.raises(ValueError, match=r"once each \('valid' is there again as 'val_mask'\)"):
        make(split={"val_mask": [2]})
    with pytest.raises(ValueError, match=r"\(got Data\); of a PyG Data: {'train': data.train_mask"):
        Task("toy", CLASSES, data)


def test_targets_keep_their_digits():
    when = [1700000000.0 + i for i in range(6)]
    split = {"train": [0, 1, 2], "valid": [3], "test": [4]}
    for labels in (when, np.array(when), torch.tensor(when, dtype=torch.float64)):
        assert Task("toy", labels, split).labels.tolist() == when
    task = Task("toy", [1700000000 + i for i in range(6)], split, type="regression")
    assert task.labels.dtype == torch.float64 and task.labels.tolist() == when


def test_another_mark_of_missing_labels_is_an_option():
    split = {"train": [0, 1], "valid": [2], "test": [3]}
    assert Task("toy", [0, 1, 0, 1, -100], split, missing=-100).labels.tolist() == [0, 1, 0, 1, -1]
    assert Task("toy", [0.5, 1, 0, 1, -9], split, missing=-9).labels[4].isnan()


@pytest.mark.parametrize(
    ("labels", "options", "said"),
    [
        ([1, -1, 1, 1, -1, 1], {"split": {"train": [0], "valid": [2], "test": [3]}}, "1 and -1 alone: -1 is taken for"),
        ([1, 2, 1, 2, 1, 2], {"split": {"train": [0, 1]}}, r"no sample is of 1 of the 3 classes, such as 0 \(they are"),
        ([1.0, 0.0, 1.0, 0.0, 1.0, NAN], {}, "whole, and no more than two: if they are classes, say so"),
        ([0, 1, 2, 0, 2, 1], {}, "1 class is scored in 'valid' or 'test' but not in 'train': 2; they cannot be"),
        ([0, 1, 0, 0, 0, 1], {"metric": "rocauc"}, r"metric 'rocauc' is not defined: 'valid' holds class 0 alone, 1 "),
    ],
)
def test_what_may_surprise_is_warned_of_where_the_task_is_made(labels, options, said):
    with pytest.warns(UserWarning, match=f"task 'toy': .*{said}") as warned:
        make(labels, **options)
    assert all(warning.filename == __file__ for warning in warned)


def test_which_samples_are_labelled():
    assert is_labelled(CLASSES).tolist() == [True] * 5 + [False]
    assert is_labelled(VALUES).tolist() == [True] * 5 + [False]
    assert is_labelled(COLUMNS).tolist() == [True] * 5 + [False]  # one known column is enough
    assert is_labelled(torch.zeros(2, 3, dtype=torch.long)).tolist() == [True, True]


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"valid": [2, 1]}, r"split 'valid' of task 'toy' shares 1 sample with 'train' \(first: 1\)"),
        ({"test": [3, 2, 0]}, r"split 'test' of task 'toy' shares 2 samples with 'valid' \(first: 2\)"),
        ({"train": [0, 1, 0]}, "split 'train' of task 'toy' lists a sample twice"),
        ({"test": []}, "split 'test' of task 'toy' is empty"),
        ({"train": [0, 6]}, r"split 'train' .*in \[0, 6\) \(got \[0, 6\]\)"),
        ({"train": [-1, 0]}, r"split 'train' .*in \[0, 6\) \(got \[-1, 0\]\)"),
        ({"train": [0.5, 1.0]}, "split 'train' .*integer sample ids .*float64"),
        ({"train": [[0, 1]]}, r"split 'train' .*integer sample ids .*\[1, 2\]"),
        ({"test": [3, 5]}, r"split 'test' of task 'toy' lists 1 sample without a label \(first: 5\)"),
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
    with pytest.raises(ValueError, match=r"\(missing \['valid'\]; unknown \['val '\]\)"):
        Task("toy", CLASSES, {"train": [0], "val ": [1], "test": [2]})
    with pytest.raises(ValueError, match=r"unknown \['extra'\]"):
        make(split={"extra": [5]})
    with pytest.raises(ValueError, match=r"boolean masks, or a column with the part of each \(got list\)"):
        Task("toy", CLASSES, [[0], [1], [2]])
    with pytest.raises(ValueError, match="split 'valid' of task 'toy' needs a list of integer sample ids"):
        make(split={"valid": ["b"]})


@pytest.mark.parametrize("column", [list, np.array, pd.Series, pa.array])
def test_a_column_with_the_part_of_each_is_a_split(column):
    parts = ["train", "val", None, "test", "Train_mask", "dev"]
    task = Task("toy", torch.tensor([0, 1, 1, 0, 1, 0]), column(parts))
    assert {part: ids.tolist() for part, ids in task.split.items()} == {"train": [0, 4], "valid": [1, 5], "test": [3]}
    with pytest.raises(ValueError, match=r"the part of each of 6 samples \(got 5\)"):
        Task("toy", torch.tensor([0, 1, 1, 0, 1, 0]), column(parts[:5]))
    with pytest.raises(ValueError, match=r"unknown \['holdout'\]"):
        Task("toy", torch.tensor([0, 1, 1, 0, 1, 0]), column([*parts[:5], "holdout"]))
    with pytest.raises(ValueError, match="'split' of task 'toy' needs sample i in row i"):
        Task("toy", torch.tensor([0, 1, 1, 0, 1, 0]), pd.Series(parts, index=[5, 4, 3, 2, 1, 0]))


@pytest.mark.parametrize(
    ("labels", "changes", "message"),
    [
        (torch.zeros(2, 2, 2), {}, r"'labels' of task 'toy' needs to be 1-D .*\[2, 2, 2\]"),
        (torch.tensor(1), {}, "'labels' of task 'toy' needs to be 1-D"),
        (COLUMNS, {"type": "regression"}, r"'labels' of task 'toy' needs shape \[N\] for regression \(got \[6, 2\]\)"),
        (CLASSES, {"type": "multilabel"}, r"needs shape \[N, num_columns\] for multilabel \(got \[6\]\)"),
        (VALUES, {"type": "classification"}, r"needs classes as whole numbers \(got 0.5 at sample 0\)"),
        (CLASSES, {"metric": "ap"}, r"'metric' 'ap' of task 'toy' needs two classes \(got 3\); .*: accuracy, macro_f1"),
        (CLASSES - 1, {}, r"needs classes as integers >= 0, -1 where missing \(got -2 at sample 5\)"),
        (CLASSES, {"type": "ranking"}, "'type' needs to be one of classification, multilabel, regression .*'ranking'"),
        (COLUMNS * 2, {}, "'labels' of task 'toy' needs 0, 1 or missing .*got 2 in column 0 of sample 0"),
        (torch.full((6, 2), -1), {}, "split 'train' of task 'toy' lists 2 samples without a label"),
        (torch.full((6,), math.inf), {}, "'labels' of task 'toy' needs finite numbers, NaN where missing .*got inf"),
    ],
)
def test_labels_that_are_none_are_refused(labels, changes, message):
    with pytest.raises(ValueError, match=message):
        make(labels, **changes)


@pytest.mark.parametrize(
    ("labels", "classes", "ids"),
    [
        ([10, 20, 10, 20, 10, -1], [10, 20], [0, 1, 0, 1, 0, -1]),  # -1 is no name, and missing
        ([-5, 20, -5, 20, -5, -1], [-5, 20, -1], [0, 1, 0, 1, 0, 2]),
        ([10, 30, 10, 20, 10, 20], [10, 20], None),
        ([10, 20, 10, 20, 10, 20], [20, 10], [1, 0, 1, 0, 1, 0]),
        ([1, 2, 3, 1, 2, None], [1, 2, 3], [0, 1, 2, 0, 1, -1]),
        ([0, 1, 0, 1, 0, -1], [10, 20], [0, 1, 0, 1, 0, -1]),  # ids, of which -1 is missing
        ([1, 0, 1, 0, 1, 0], [0, 1], [1, 0, 1, 0, 1, 0]),
    ],
)
def test_integer_labels_are_ids_or_names(labels, classes, ids):
    split = {"train": [0, 1], "valid": [2, 3], "test": [4]}
    if ids is None:
        with pytest.raises(ValueError, match="needs a name for each of 31"):
            Task("toy", labels, split, classes=classes)
    else:
        assert Task("toy", labels, split, classes=classes).labels.tolist() == ids


def test_names_that_could_be_ids_in_another_order_are_said_to_be_read_as_ids():
    split = {"train": range(4), "valid": range(4, 8), "test": range(8, 12)}
    with pytest.warns(UserWarning, match="taken for class ids, so that a label 0 is class 0, called 1"):
        task = Task("toy", [1, 0] * 6, split, classes=[1, 0], metric="rocauc")
    assert task.labels[0] == 1 and task.called(1) == 0
    for classes, message in ((["a", "a"], "needs each name once .got 'a' again"), ([0.5, 1], "needs text or integers")):
        with pytest.raises(ValueError, match=f"'classes' of task 'toy' {message}"):
            Task("toy", [1, 0] * 6, split, classes=classes)


@pytest.mark.parametrize(
    ("labels", "missing", "message"),
    [
        (["a", "b"] * 3, 99, r"'missing' needs a text, as the labels are, .*\(got 99\)"),
        ([0, 1] * 3, "?", r"'missing' needs a number, as the labels are, .*\(got '\?'\)"),
        ([0, 1] * 3, True, "'missing' needs a number"),
        ([0.5, 1.0] * 3, [1], "'missing' needs a number"),
    ],
)
def test_a_mark_of_missing_labels_is_of_their_kind(labels, missing, message):
    with pytest.raises(ValueError, match=message):
        make(labels, missing=missing)


def test_a_mark_of_missing_labels_may_be_text_and_is_said_if_no_label_has_it():
    assert make(["a", "b", "a", "b", "a", "?"], missing="?").labels.tolist() == [0, 1, 0, 1, 0, -1]
    for labels, missing in ((["a", "b"] * 3, "?"), ([0, 1] * 3, -100), ([0.5, 1.5] * 3, -9)):
        with pytest.warns(UserWarning, match="no label is .*, which 'missing' says"):
            make(labels, missing=missing)


def test_masks_of_pandas_are_in_the_order_of_the_samples():
    mask = pd.Series([True, True, False, False, False, False])
    assert make(split={"train": mask}).split["train"].tolist() == [0, 1]
    with pytest.raises(ValueError, match="split 'train' of task 'toy' needs sample i in row i"):
        make(split={"train": mask.iloc[::-1]})
    assert make(split={"train": pd.Series([1, 0], index=[9, 1])}).split["train"].tolist() == [1, 0]  # ids, in any order
