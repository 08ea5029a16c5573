"""Columns that give the label or the split away are found; features that are merely good are not."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from sigraph.samples.given import as_samples
from sigraph.tables.giveaways import say_giveaways
from sigraph.tasks import Task

N = 90
G = np.random.default_rng(0)
Y = np.arange(N) % 3
NOISE = G.normal(size=N)
ORDER = {part: torch.arange(N)[i::3] for i, part in enumerate(("train", "valid", "test"))}
SPLIT = {"train": torch.arange(60), "valid": torch.arange(60, 75), "test": torch.arange(75, N)}


def said(columns, labels, split=SPLIT, is_given=False, samples=None):
    task = Task("t", torch.as_tensor(labels), split)
    features = torch.as_tensor(np.stack([*columns.values()], axis=1), dtype=torch.float32)
    return say_giveaways(as_samples(features if samples is None else samples), [*columns], task, is_given)


@pytest.mark.parametrize(
    ("column", "found"),
    [
        (Y, True),
        (7 - 2 * Y, True),
        (np.array([4.5, -1.0, 2.25])[Y], True),  # in no order, but each value goes with a class
        (Y * 2 + (np.arange(N) % 2), True),  # finer than the classes
        (np.where(np.arange(N) == 5, 1, Y), False),  # all but one
        (Y > 0, False),
        (NOISE, False),
        (Y + NOISE / 100, False),  # a feature that parts the classes is a good one
        (np.zeros(N), False),
        (np.arange(N), False),
    ],
)
def test_classes(column, found):
    notes = said({"noise": NOISE, "c": column}, Y)
    assert bool(notes) == found
    assert not found or "the column 'c' tells the class of every labelled sample" in notes[0]
    assert not found or notes[0].endswith("leave it out (--ignore c)")


def test_the_row_number_of_a_sorted_file_tells_the_class():
    assert "'row'" in said({"noise": NOISE, "row": np.arange(N)}, np.sort(Y))[0]
    assert said({"noise": np.sort(NOISE)}, np.sort(Y)) == []


def test_a_few_samples_of_a_class_prove_nothing():
    rare = (np.arange(N) < 4).astype(int)
    assert (
        said({"word": rare}, rare, {"train": torch.arange(30), "valid": torch.arange(30, 60), "test": SPLIT["test"]})
        == []
    )


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda y: y, True),
        (lambda y: -3 * y + 7, True),
        (lambda y: np.exp(y / 4), True),
        (lambda y: y + 0.1 * NOISE[::-1], False),
        (lambda y: y > 0, False),
        (lambda y: NOISE[::-1], False),
    ],
)
def test_numbers(make, found):
    assert bool(said({"noise": NOISE[::-1].copy(), "c": make(NOISE)}, NOISE)) == found


def test_whole_numbers_as_targets():
    assert said({"c": Y}, Y.astype(float)) and not said({"c": Y + NOISE / 100}, Y.astype(float))


def test_columns_of_labels():
    labels = np.stack([Y == 0, Y > 0, G.random(N) < 0.5], axis=1).astype(float)
    assert "'b' tells a column of labels" in said({"noise": NOISE, "b": 1 - labels[:, 2]}, labels)[0]
    assert said({"b": G.random(N) < 0.5}, labels) == []


def test_the_split_if_it_was_given():
    fold = np.arange(N) % 3
    labels = G.integers(0, 2, N)
    (note,) = said({"noise": NOISE, "fold": fold}, labels, ORDER, is_given=True)
    assert "the column 'fold' tells which part of the split a sample is in" in note and "--ignore fold" in note
    assert said({"noise": NOISE, "fold": fold}, labels, ORDER) == []


def test_records_and_missing_labels():
    y = np.where(np.arange(N) < 5, -1, Y)
    split = {**SPLIT, "train": torch.arange(5, 60)}
    table = pa.table({"id": [f"p{i}" for i in range(N)], "kind": [f"k{v}" for v in Y], "n": Y * 3, "z": NOISE})
    (note,) = said({"x": NOISE}, y, split, samples=table)
    assert "each of the columns 'kind', 'n' tells the class" in note and "--ignore kind --ignore n" in note
    assert said({"x": NOISE}, np.sort(Y), samples=table.select(["id", "z"])) == []  # texts have no order


def test_all_rows_are_looked_at_in_the_end(monkeypatch):
    monkeypatch.setattr("sigraph.tables.giveaways._CELLS", 64)
    monkeypatch.setattr("sigraph.tables.giveaways._ROWS", (30, 30))
    wrong = Y.copy()
    wrong[np.arange(0, N, 30)] = 1  # three samples, which a look at thirty may miss
    notes = said({"noise": NOISE, "wrong": wrong, "c": Y, "more": NOISE}, Y)
    assert len(notes) == 1 and "the column 'c' tells" in notes[0]
