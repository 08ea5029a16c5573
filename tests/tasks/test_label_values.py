"""Labels are judged once: whatever holds them, the same values pass, with the same words for those that do not."""

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from scipy.sparse import csr_matrix

from sigraph.tasks.label_values import label_values

NAN = math.nan
WHAT = "'labels'"


def told(value, type="", **options):
    found = label_values(value, WHAT, type, **options)
    return found.type, found.y.tolist(), found.classes


CLASSES = [0, 2, None, 1]
HOLDERS = {
    "tensor": torch.tensor([0, 2, -1, 1]),
    "unsigned": np.ma.array(np.array([0, 2, 9, 1], dtype=np.uint8), mask=[0, 0, 1, 0]),
    "array": np.array([0, 2, -1, 1], dtype=">i4"),
    "masked": np.ma.array([0, 2, 7, 1], mask=[0, 0, 1, 0]),
    "objects": np.array(CLASSES, dtype=object),
    "list": CLASSES,
    "tensors": [torch.tensor(one) for one in (0, 2, -1, 1)],
    "series": pd.Series(CLASSES, dtype="Int64"),
    "arrow": pa.array(CLASSES),
    "chunked": pa.chunked_array([[0, 2], [None, 1]]),
    "column": torch.tensor([[0], [2], [-1], [1]]),
    "reversed": np.array([1, -1, 2, 0])[::-1],
}


@pytest.mark.parametrize("value", HOLDERS.values(), ids=HOLDERS)
def test_classes_in_any_holder(value):
    found = label_values(value, WHAT)
    assert (found.type, found.y.tolist(), found.classes, found.notes) == ("classification", [0, 2, -1, 1], None, [])
    assert found.y.dtype in (torch.int32, torch.int64)  # -1 fits


@pytest.mark.parametrize(
    "value",
    [
        ["b", "a", None, "", "b"],
        np.array(["b", "a", "", "", "b"]),
        np.array([b"b", b"a", b"", b"", b"b"]),
        np.ma.array(["b", "a", "x", "y", "b"], mask=[0, 0, 1, 1, 0]),
        pd.Series(["b", "a", None, pd.NA, "b"]),
        pd.Series(["b", "a", None, None, "b"]).astype("category"),
        pd.DataFrame({"topic": ["b", "a", None, None, "b"]}),
        pa.array(["b", "a", None, None, "b"]).dictionary_encode(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_classes_by_name_in_any_holder(value):
    assert told(value) == ("classification", [1, 0, -1, -1, 1], ["a", "b"])


def test_numbers_keep_their_digits_and_their_gaps():
    fine = 1.1  # no float32
    for value in (
        [fine, None],
        np.array([fine, NAN]),
        np.ma.array([fine, 7.0], mask=[0, 1]),
        pd.Series([fine, None]),
        pa.array([fine, None]),
        torch.tensor([fine, NAN], dtype=torch.float64),
        np.array([[fine], [NAN]]),
    ):
        found = label_values(value, WHAT)
        assert found.type == "regression" and found.y.dtype == torch.float64
        assert found.y[0].item() == fine and found.y[1].isnan()
    assert label_values(torch.tensor([0.5]), WHAT).y.dtype == torch.float32  # as it was given
    assert label_values(torch.tensor([0.5], dtype=torch.bfloat16), WHAT).y.tolist() == [0.5]
    assert told([2**53, -3], "regression") == ("regression", [2.0**53, -3.0], None)
    with pytest.raises(
        ValueError, match=r"numbers that float64 can hold \(got 9007199254740993 at sample 0\); subtract"
    ):
        told([2**53 + 1, 0], "regression")


def test_label_columns_in_any_holder():
    for value in (
        [[0, None], [1, 1]],
        torch.tensor([[0, NAN], [1, 1]]),
        torch.tensor([[0, -1], [1, 1]]),
        np.ma.array([[0, 1], [1, 1]], mask=[[0, 1], [0, 0]]),
        pd.DataFrame({"p": [0, 1], "q": [None, 1]}),
        pa.table({"p": [False, True], "q": [None, 1.0]}),
    ):
        found = label_values(value, WHAT)
        assert (
            found.type == "multilabel" and found.y[0, 1].isnan() and found.y.nan_to_num(9).tolist() == [[0, 9], [1, 1]]
        )
    assert label_values(pd.DataFrame({"p": [0, 1], "q": [1, 1]}), WHAT).classes == ["p", "q"]
    assert told(csr_matrix([[0, 1], [1, 1]])) == ("multilabel", [[0, 1], [1, 1]], None)
    assert told(torch.tensor([[0, 1], [1, 1]]).to_sparse()) == ("multilabel", [[0, 1], [1, 1]], None)


def test_the_type_can_be_said():
    assert told([0.0, 1.0, NAN], "classification") == ("classification", [0, 1, -1], None)
    assert told([[0, 1], [1, 0], [NAN, NAN]], "classification") == ("classification", [1, 0, -1], None)  # one-hot
    assert told([[0], [1]], "classification") == ("classification", [0, 1], None)
    assert told([[0], [1]]) == ("multilabel", [[0], [1]], None)  # one label column, as OGB's molecules have
    assert told([[3.5], [1.0]]) == ("regression", [3.5, 1.0], None)
    assert told([True, False], "regression") == ("regression", [1.0, 0.0], None)
    assert told([1, -7, 0], "regression", missing=-7)[1][0::2] == [1.0, 0.0]


REFUSED = {
    "-2": (
        [0, -2, -5],
        "",
        r"classes as integers >= 0, -1 where missing \(got -2 at sample 1 and 1 more\); another mark",
    ),
    "-1 where another value is missing": ([-1, -100], "", r"\(got -1 at sample 0\)"),
    "half a class": ([0.0, 0.5], "classification", r"classes as whole numbers \(got 0.5 at sample 1\)"),
    "infinite": ([0.5, math.inf], "", r"finite numbers, NaN where missing \(got inf at sample 1\)"),
    "infinite class": ([math.inf], "classification", r"classes as whole numbers \(got inf"),
    "half a label": ([[0, 0.5]], "", r"0, 1 or missing .* in label columns \(got 0.5 in column 1 of sample 0\)"),
    "-1 in floats": ([[0.0, -1.0]], "", r"\(got -1 in column 1 of sample 0\)"),
    "infinite label": ([[0.0, math.inf]], "", r"\(got inf in column 1 of sample 0\)"),
    "complex": (
        torch.zeros(2, dtype=torch.complex64),
        "",
        r"\(got a tensor of torch.complex64\)",
    ),
    "complex array": (np.zeros(2, dtype=complex), "", r"got an array of complex numbers"),
    "dates": (np.array(["2020-01-01"], dtype="datetime64[D]"), "", r"got an array of dates\); convert them first"),
    "timestamps": (pa.array([0], pa.timestamp("s")), "", r"got timestamp\[s\]"),
    "mixed": (["a", 1], "", r"of one kind \(got int and str\)"),
    "ragged": ([[0], [0, 1]], "", r"got list: .*inhomogeneous"),
    "lists": (pa.array([[1], [2]]), "", r"got list"),
    "too large": ([2**70], "", r"of one kind \(got int\)"),
    "too large for a signed one": (np.array([2**63], dtype=np.uint64), "", r"integers below 2\^63"),
    "no shape": (torch.tensor(1), "", r"1-D .* or 2-D .*\[\]"),
    "deep": (torch.zeros(2, 2, 2), "", r"1-D .* or 2-D .*\[2, 2, 2\]"),
    "text as numbers": (["1.5", "x"], "regression", r"numbers for regression \(got text, such as 'x' at sample 1\)"),
    "text in columns": ([["a", "b"]], "", r"one column of classes \(got rows of text\)"),
    "several 1": ([[1, 1], [0, 1]], "classification", r"one 1 in each row, .*got another row at sample 0"),
    "wide numbers": ([[0.5, 1]], "regression", r"shape \[N\] for regression \(got \[1, 2\]\)"),
    "mapping": ({0: 1}, "", r"got dict"),
    "nothing": (None, "", r"got NoneType"),
}


@pytest.mark.parametrize(("value", "type", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_label_is_said(value, type, message):
    missing = -100 if isinstance(value, list) and -100 in value else None
    with pytest.raises(ValueError, match=f"'labels' needs .*{message}|'labels' needs to be {message}"):
        label_values(value, WHAT, type, missing=missing)


NOTES = {
    "signed": ([1, -1, 1], "1 and -1 alone: -1 is taken for missing, which leaves one class; two classes are (y + 1)"),
    "from one": ([1, 2, 3], "no sample is of 1 of the 4 classes, such as 0 (they are counted from 0: y - 1"),
    "gap": ([0, 1, 5], "no sample is of 3 of the 6 classes, such as 2 (renumbered by unique())"),
    "one-hot": ([[0, 1], [1, 0]], "each row has exactly one 1 in 2 columns (one-hot)"),
    "signed columns": ([[1, -1], [1, 1]], "-1 stands in 1 label cells and is taken for missing; no cell is 0"),
    "one column": ([[0], [1]], "shape [N, 1] of 0 and 1 is one label column"),
    "word": (["a", "NA"], "1 label is the text 'NA', kept as a class"),
    "whole": ([0.0, 1.0], "whole, and no more than two"),
}


@pytest.mark.parametrize(("value", "said"), NOTES.values(), ids=NOTES)
def test_what_may_surprise_is_noted(value, said):
    (note,) = label_values(value, WHAT).notes
    assert said in note


def test_what_is_ordinary_is_not_noted():
    for value in (
        [0, 1, 2, -1],
        [1, None, 0],
        [0.5, 1.5],
        [1.0, 2.0, 3.0],
        ["a", "b"],
        [[0, 1], [1, 1]],
        [[0, 0], [1, 0]],
    ):
        assert label_values(value, WHAT).notes == []
    (note,) = label_values([-1, 5], WHAT, "regression").notes
    assert "-1 stands for 1 label and is taken for a number" in note
    assert label_values([-1, -5], WHAT, "regression").notes == []


def test_places_are_said_in_the_callers_words():
    with pytest.raises(ValueError, match=r"got -3 at line 12\)"):
        label_values([0, -3], "labels.csv", at=lambda row: f"line {row + 11}")


def test_labels_are_not_copied_without_need():
    y = torch.arange(5)
    assert label_values(y, WHAT).y.data_ptr() == y.data_ptr()
    frozen = np.arange(3)
    frozen.flags.writeable = False
    assert label_values(frozen, WHAT).y.tolist() == [0, 1, 2]
