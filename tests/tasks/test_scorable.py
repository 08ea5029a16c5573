"""A task that cannot be scored is found by its labels and split, with the part, the class and a way out."""

import math
import warnings

import pytest
import torch

from sigraph.tables import TableReport, from_tables
from sigraph.tasks import Task
from sigraph.tasks.scorable import check_scorable, score_notes, undefined, unlearnable
from sigraph.tasks.task import said_elsewhere

NAN = math.nan
SPLIT = {"train": [0, 1, 2, 3], "valid": [4, 5], "test": [6, 7]}


def task(labels, metric="", **options):
    with said_elsewhere():
        return Task("t", labels, SPLIT, metric, **options)


def test_a_part_of_one_class_leaves_ranking_undefined_and_accuracy_not():
    names = ["no", "yes", "no", "yes", "no", "no", "yes", "no"]
    for metric in ("rocauc", "ap"):
        with pytest.raises(
            ValueError, match=rf"task 't': metric '{metric}' .*'valid' holds class 'no' alone, 2 samples;"
        ):
            check_scorable(task(names, metric))
        assert (
            "a split that has both in that part or another metric (accuracy or macro_f1)"
            in undefined(task(names, metric))[0]
        )
    for metric in ("accuracy", "macro_f1"):
        check_scorable(task(names, metric))
    check_scorable(task([0, 1, 0, 1, 0, 1, 1, 0], "rocauc"))


def test_label_columns_need_one_with_both():
    columns = torch.tensor([[0, 1], [1, 0], [0, 1], [1, 0], [1, 0], [1, 0], [0, NAN], [1, 1]])
    (reason,) = undefined(task(columns, classes=["tox", "green"]))
    assert "in 'valid', 2 samples ('tox' 2 x 1 of 2, 'green' 0 x 1 of 2)" in reason and "'test'" not in reason
    columns[4, 0] = 0
    check_scorable(task(columns))
    (note_valid, note_test) = score_notes(task(columns, classes=["tox", "green"]))
    assert "rocauc leaves out 1 of 2 label columns in 'valid', which lack 0 or 1 there: 'green'" in note_valid
    assert "in 'test'" in note_test


def test_correlation_needs_two_values():
    values = [0.5, 1.5, 2.5, 3.5, 4.5, 4.5, 6.5, 7.5]
    with pytest.raises(ValueError, match=r"all targets in 'valid' are 4.5, 2 samples; .*another metric \(rmse or mae"):
        check_scorable(task(values, "spearman"))
    for metric in ("rmse", "mae"):
        check_scorable(task(values, metric))


def test_what_cannot_be_learnt():
    said = "1 class is scored in 'valid' or 'test' but not in 'train': 2; they cannot be learnt"
    assert unlearnable(task([0, 1, 0, 1, 2, 1, 0, 1])) == [said]
    assert unlearnable(task([0.5] * 4 + [1.0, 2, 3, 4])) == ["all targets in 'train' are 0.5: nothing to learn"]
    columns = torch.tensor([[0, 1]] * 4 + [[1, 1]] * 4)
    assert "1 label column is 1 scored in 'valid' or 'test' but not in 'train': 0" in unlearnable(task(columns))[0]
    assert unlearnable(task([0, 1, 0, 1, 1, 1, 0, 1])) == []


def test_one_class_and_ids_without_end_are_refused():
    with pytest.raises(ValueError, match="all samples of its split are of class 'a': there is nothing to tell apart"):
        check_scorable(task(["a"] * 8))
    with pytest.raises(ValueError, match=r"2 classes have ids up to 1,000,000,000,000, .*renumber them from 0"):
        check_scorable(task([0, 10**12] * 4))


def test_a_rare_class_and_the_positive_one_are_said():
    labels = torch.zeros(200, dtype=torch.long)
    labels[[0, 70, 140]] = 1
    split = {"train": range(70), "valid": range(70, 140), "test": range(140, 200)}
    (note,) = score_notes(Task("t", labels, split, classes=["no", "yes"]))
    assert note == (
        "class 'yes' has 1.5% of the labels: always 'no' gives accuracy 0.985; "
        "metrics that fit: rocauc, ap or macro_f1 (--metric); "
        "finetune.class_weight: balanced gives it weight in the loss"
    )
    assert score_notes(Task("t", labels, split, "rocauc", classes=["no", "yes"])) == [
        "rocauc ranks by the score of 'yes', the second of the two classes",
        "class 'yes' has 1.5% of the labels; finetune.class_weight: balanced gives it weight in the loss",
    ]
    labels[[1, 71, 141]] = 2
    (note,) = score_notes(Task("t", labels, split))
    assert (
        note.startswith("all classes but 0 have 3.0% of the labels")
        and "fit: macro_f1 (--metric); finetune.class_weight: balanced gives them" in note
    )
    assert score_notes(Task("t", torch.arange(8) % 2, SPLIT)) == []


def table(labels, **options):
    import pyarrow as pa

    samples = pa.table({"id": list(range(12)), "x": [0.5 * i for i in range(12)]})
    edges, report = pa.table({"source": [0, 1], "target": [1, 2]}), TableReport()
    return from_tables(
        samples, edges, {"t": pa.table({"id": list(range(12)), **labels})}, report=report, **options
    ), report


def test_tables_are_told_at_once():
    split = ["train"] * 6 + ["valid"] * 3 + ["test"] * 3
    one = {"y": ["no", "yes"] * 3 + ["no"] * 3 + ["yes", "no", "yes"], "split": split}
    with pytest.raises(
        ValueError, match=r"task 't': metric 'rocauc' .*'valid' holds class 'no' alone, .*mend that column"
    ):
        table(one, metrics="rocauc")
    table(one)
    columns = {"a": [0, 1] * 3 + [1, 1, 0, 0, 1, 0], "b": [1, 0] * 3 + [0] * 6, "split": split}
    data, report = table(columns)
    assert "rocauc leaves out 1 of 2 label columns in 'valid', which lack 0 or 1 there: 'b'" in str(report)
    assert data.task().classes == ["a", "b"]
    with warnings.catch_warnings():  # the report says it, and saved ones said it when they were made
        warnings.simplefilter("error")
        table(columns)
    data, report = table({"y": ["no", "yes"] * 6}, metrics="ap", split_rates=(0.34, 0.33, 0.33))
    assert "metric ap" in str(report) and "ap ranks by the score of 'yes'" in str(report)


@pytest.mark.parametrize("place", [0, 4, 7])
def test_targets_whose_squares_no_number_holds_are_refused(place):
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    values[place] = -1e300
    with pytest.raises(ValueError, match=r"targets need to be within 1e\+100.*got 1e\+300.*larger unit"):
        check_scorable(task(values))
    check_scorable(task([value * 1e30 for value in range(1, 9)]))
