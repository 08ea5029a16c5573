"""Tasks from labels: types, splits given and drawn, and everything a label file can get wrong."""

import pyarrow as pa
import pytest
import torch

from sigraph.tables import TableReport, from_tables

SAMPLES = pa.table({"id": list(range(12)), "x": [0.5] * 12, "team": [i // 3 for i in range(12)]})
EDGES = pa.table({"source": [0, 1], "target": [1, 2]})
THIRDS = (0.34, 0.33, 0.33)


def task(labels, ids=range(12), report=None, **options):
    """The task that some columns of labels make."""
    columns = labels if isinstance(labels, dict) else {"label": labels}
    table = pa.table({"id": list(ids), **columns})
    options = {"split_rates": None if "split" in map(str.lower, columns) else THIRDS, **options}
    return from_tables(SAMPLES, EDGES, {"t": table}, report=report, **options).task()


@pytest.mark.parametrize(
    ("labels", "kind", "classes", "first"),
    [
        ([3, 7] * 6, "classification", [3, 7], [0, 1, 0]),
        (["b", "", "a", "b"] * 3, "classification", ["a", "b"], [1, -1, 0]),
        ([True, False, None, True] * 3, "classification", [0, 1], [1, 0, -1]),
        ([-1, 1] * 6, "classification", [-1, 1], [0, 1, 0]),
        ([0.5, 1.0, 2.5] * 4, "regression", None, [0.5, 1.0, 2.5]),
    ],
)
def test_types_of_labels(labels, kind, classes, first):
    found = task(labels)
    assert (found.type, found.classes) == (kind, classes) and found.labels[:3].tolist() == first


def test_several_columns_are_multilabel_and_gaps_are_missing():
    found = task({"toxic": [1, 0, None] * 4, "green": [True, False, True] * 4})
    assert found.type == "multilabel" and found.metric == "rocauc"
    assert found.labels[:2].tolist() == [[1, 1], [0, 0]] and torch.isnan(found.labels[2, 0])


def test_the_type_can_be_said():
    assert task([0.0, 1.0, None] * 4, task_types="classification").labels[:3].tolist() == [0, 1, -1]
    assert task([10, 20] * 6, task_types={"t": "regression"}).labels[:2].tolist() == [10.0, 20.0]
    for labels, kind, message in (
        (["a", "b"] * 6, "regression", "needs numbers for regression"),
        (
            [0.5, 1.5] * 6,
            "classification",
            r"column 'label' needs classes as whole numbers \(got 0.5 at row 1 and 11 more\)",
        ),
        ([0, 1] * 6, "ranking", "needs classification, regression or terms"),
    ):
        with pytest.raises(ValueError, match=message):
            task(labels, task_types=kind)


def test_words_for_missing_labels_are_said_also_where_they_spoil_the_split():
    report = TableReport()
    task(["a", "b", "NA"] * 4, report=report)
    assert "note     4 labels are the text 'NA', kept as a class; leave the cell blank" in str(report)
    numbers = [f"0.{i}" for i in range(1, 12)]
    with pytest.raises(
        ValueError, match=r"12 classes of 12 samples.*; 1 label is the text '\?', kept as a class \(all other"
    ):
        task([*numbers, "?"], split="random")


def test_a_given_split_is_kept_whatever_its_words():
    words = ["train", "Training", "val", "dev", "validation", "TEST", "", None, "train", "train", "test", "valid"]
    report = TableReport()
    labels = [0, 1, 0, 1, 0, 1, 0, 1, None, 1, 0, 1]
    found = task({"label": labels, "Split": words}, report=report)
    assert {part: ids.tolist() for part, ids in found.split.items()} == {
        "train": [0, 1, 9],  # 8 has no label
        "valid": [2, 3, 4, 11],
        "test": [5, 10],
    }
    assert "as given by column 'split'" in str(report) and "1 sample with a split but no label" in str(report)


@pytest.mark.parametrize("options", [{"split": "random"}, {"split": "stratified"}, {"split_rates": THIRDS}])
@pytest.mark.parametrize("words", [["train"] * 12, ["train", "valid", "test"] * 4, ["nonsense"] * 12])
def test_a_split_that_is_asked_for_is_drawn_beside_a_column_and_this_is_said(options, words):
    """Also where the column is what is wrong, since messages advise it."""
    labels = [0, 1] * 6
    drawn = task(labels, **{"split_rates": None, **options}).split
    samples = SAMPLES.append_column("split", pa.array(words)).append_column("t", pa.array(labels))
    for door in ("task", "label"):
        report = TableReport()
        if door == "task":
            found = task({"label": labels, "split": words}, report=report, **options)
        else:
            found = from_tables(samples, EDGES, labels=["t"], report=report, **options).task()
        assert {part: ids.tolist() for part, ids in found.split.items()} == {p: i.tolist() for p, i in drawn.items()}
        assert "split    train" in str(report) and "column 'split' is not used, since" in str(report)


def test_drawn_splits_cover_the_labelled_samples_only():
    for how in ("random", "stratified", "group:team", None):
        found = task([0.0, 1.5, None] * 4 if how == "random" else [0, 1, None] * 4, split=how)
        assert torch.cat(list(found.split.values())).sort().values.tolist() == [0, 1, 3, 4, 6, 7, 9, 10]
    for part in task([0, 1, 1] * 4, split="group:team").split.values():
        assert part.numel() % 3 == 0


def test_rows_may_repeat_if_they_agree():
    report = TableReport()
    found = task([0, 1, 1, 0, 1, 0, 0], ids=[5, 6, 6, 7, 8, 9, 9], report=report)
    assert found.labels.tolist() == [-1] * 5 + [0, 1, 0, 1, 0, -1, -1] and "2 rows repeat another one" in str(report)
    for columns in ({"label": [0, 1, 0, 1]}, {"label": [0, 1, 1, 1], "split": ["train", "test", "valid", "valid"]}):
        with pytest.raises(
            ValueError,
            match=r"1 id has rows that disagree about label or split \(6; such as rows 2 and 3\); keep one",
        ):
            task(columns, ids=[5, 6, 6, 7])


def test_labels_of_unknown_ids():
    report = TableReport()
    with pytest.raises(ValueError, match=r"labels for 2 unknown ids in 3 rows \(77, 99\); drop them by --drop-unknown"):
        task([0, 1] * 6 + [0, 1, 0], ids=[*range(12), 77, 99, 99])
    found = task([0, 1] * 6 + [5, 6, 7], ids=[*range(12), 77, 99, 99], drop_unknown=True, report=report)
    assert found.classes == [0, 1] and "dropped 2 unknown ids in 3 rows" in str(report)


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (
            {"label": [0, 1] * 6, "split": ["train", "train", "test"] * 4},
            {},
            r"leaves 'valid' empty \(train 8",
        ),
        ([0, 1] + [None] * 10, {}, r"leaves '.*' empty"),
        (
            {"label": ["a", "b", "c"] * 4, "split": ["train", "valid", "test"] * 4},
            {},
            r"2 classes do not occur in train: 'b', 'c'.*stratified",
        ),
        ({"p": [1, 0, 0] * 4, "q": [0, 1, 1] * 4, "split": ["train", "valid", "test"] * 4}, {}, "in train: 'q'"),
        ({"label": [0, 1] * 6, "split": ["left", "right"] * 6}, {}, r"needs train, valid .* \(got 'left', 'right'\)"),
        ({"label": [0, 1] * 6, "split": [0, 1] * 6}, {}, r"needs train, valid or test \(got integers\)"),
        ([1] * 12, {}, r"needs at least two classes \(got \[1\]\)"),
        ([None] * 12, {}, r"needs labels \(got 12 rows, all of them blank\)"),
        ({"p": [0, 1] * 6, "remark": ["x", "y"] * 6}, {}, r"needs label columns of 0 and 1, .*text in column 'remark'"),
        ({"p": [0, 1] * 6, "q": [0, 2] * 6}, {}, r"needs 0, 1 or missing .*got 2 in column 'q' of row 2"),
        ({}, {}, r"needs a column of labels besides 'id'"),
        ([0.5, 1.5] * 6, {"split": "stratified"}, "no classes to stratify"),
        ([[1], [2]] * 6, {}, "needs numbers or text, .*got list"),
    ],
)
def test_labels_that_do_not_make_a_task(labels, options, message):
    with pytest.raises(ValueError, match=message):
        task(labels, **options)


def test_what_may_surprise_is_noted():
    for labels, note in (
        ([-1, 1] * 6, "-1 is taken for a class"),
        ([1, 2, 3, 4, 5] * 2 + [1, 2], "5 integer classes; if they are numbers: --task-type t=regression"),
        ([0.0, 1.0] * 6, "if they are classes, say so (--task-type classification"),
        ([0.0, 1.0, 2.0] * 4, "if they are classes, say --task-type classification"),
    ):
        report = TableReport()
        task(labels, report=report)
        assert note in str(report) and str(report).count("classes, say") <= 1


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            [f"{i},000" for i in range(1, 13)],
            r"12 classes of 12 samples, since the labels are text \(such as '1,000'\)",
        ),
        ([f"{i}%" for i in range(12)], r"text \(such as '0%'\).*write numbers as"),
        (
            list(range(100, 112)),
            "the labels are integers, and each different one .*if they are numbers: --task-type t=reg",
        ),
        ([*range(11), 0], "11 classes of 12 samples.*--task-type t=reg"),
    ],
)
@pytest.mark.parametrize("split", [None, ["train", "valid", "test"] * 4])
def test_numbers_taken_for_classes_are_the_cause_that_is_named(labels, message, split):
    """And not the split, which no other one would mend."""
    with pytest.raises(ValueError, match=message):
        task({"label": labels} if split is None else {"label": labels, "split": split})
