"""Predictions kept as Parquet: what was predicted, or an error that says what the file is."""

import os
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sigraph.files.atomic import sha256
from sigraph.leaderboard.predictions import Predictions, PredictionsError, damage, read_predictions, write_predictions
from sigraph.leaderboard.records import TaskResult

RESULT = TaskResult(
    dataset="toy", task="t", head="linear", metric="accuracy", valid=0.5, test=0.5, num_parameters=0, seconds=0.0
)
ITEM = np.array([3, 5, 9])
CASES = [
    Predictions("classification", ITEM, np.array([0, 2, 1]), np.eye(3, dtype=np.float32)),
    Predictions("classification", ITEM, np.array([0, 2, 1]), np.array([0, 2, 2])),
    Predictions("multilabel", ITEM, np.array([[0, np.nan]] * 3), np.ones((3, 2), np.float32)),
    Predictions("regression", ITEM, np.array([0.1, 0.2, 1e9]), np.array([[0.1], [0.2], [1 / 3]])),
    Predictions("regression", ITEM, np.array([0.1, 0.2, 1e9]), np.array([[0.1], [0.2], [1 / 3]]), np.array([0, 1, 1])),
]


def result(file):
    return replace(RESULT, predictions={"file": file.name, "sha256": sha256(file)})


@pytest.mark.parametrize("case", CASES)
def test_what_is_written_is_read(case, tmp_path):
    file = tmp_path / "p.parquet"
    digest = write_predictions(file, case, {"id": pa.array(["a", "b", "c"])})
    assert digest == sha256(file) and digest == write_predictions(file, case, {"id": pa.array(["a", "b", "c"])})
    found = read_predictions(tmp_path, result(file))
    assert found.kind == case.kind
    for name in ("item", "y_true", "y_pred"):
        np.testing.assert_array_equal(getattr(found, name), getattr(case, name))
        assert getattr(found, name).dtype == getattr(case, name).dtype
    names = [name for name in pq.read_schema(file).names if name != "repeat"]
    assert names[:2] == ["item", "id"] and names[2].startswith("y_true") and names[-1].startswith("y_pred")
    assert [len(one.item) for one in found.each()] == ([3] if case.repeat is None else [1, 2])
    assert np.concatenate([one.item for one in found.each()]).tolist() == ITEM.tolist()
    assert read_predictions(tmp_path, RESULT) is None and damage(tmp_path, RESULT) is None


def cut(file):
    file.write_bytes(file.read_bytes()[:-1])


def pipe(file):
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize(
    ("change", "said"),
    [(lambda f: f.unlink(), "is missing"), (cut, "is damaged"), (pipe, "is no file of predictions")],
)
def test_what_was_lost_or_altered_is_said(change, said, tmp_path):
    file = tmp_path / "p.parquet"
    write_predictions(file, CASES[0])
    told = result(file)
    change(file)
    assert said in damage(tmp_path, told)
    with pytest.raises(PredictionsError, match=said):
        read_predictions(tmp_path, told)


@pytest.mark.parametrize(
    "table",
    [
        {"item": ITEM, "y_true": ITEM, "y_pred": ["a", "b", "c"]},
        {"item": ITEM, "y_true": ITEM},
        {"item": ITEM, "y_true": ITEM, "y_pred_0": ITEM, "y_pred_7": ITEM},
        {"item": [1, None, 2], "y_true": ITEM, "y_pred": ITEM},
        {"item": [[1], [2], [3]], "y_true": ITEM, "y_pred": ITEM},
    ],
)
def test_another_file_under_a_right_sum_is_no_predictions(table, tmp_path):
    file = tmp_path / "p.parquet"
    pq.write_table(pa.table(table), file)
    with pytest.raises(PredictionsError):
        read_predictions(tmp_path, result(file))
    file.write_bytes(b"PAR1 or not")
    with pytest.raises(PredictionsError, match="holds no predictions"):
        read_predictions(tmp_path, result(file))
