"""What may surprise about labels is said, with a way out; ordinary labels are not remarked on."""

import pyarrow as pa
import pytest
import torch

from sigraph.tables.label_hints import (
    classes_alike,
    integers_as_classes,
    lists_of_terms,
    numbers_as_classes,
    rare_classes,
)


def cells(*values):
    return pa.chunked_array([pa.array(values)])


@pytest.mark.parametrize(
    ("values", "mark"),
    [
        (["T1;T2", "T2;T3", "T1;T3", "T3", None], ";"),
        (["a|b", "b|c", "a", "c", "a|c"], "|"),
        (["x, y", "y, z", "x, z", "z, y"], ","),
        (["a", "b", "c"], None),
        (["Physics, applied", "Physics", "Maths", "Biology", "Law", "Arts"], None),
        (["a;b", "c;d"], None),  # as many terms as cells
        ([None, None], None),
    ],
)
def test_cells_that_hold_lists_of_terms(values, mark):
    notes = lists_of_terms("go", "terms", pa.chunked_array([pa.array(values, pa.string())]))
    assert bool(notes) == (mark is not None)
    assert not mark or (f"separated by {mark!r}" in notes[0] and "each term be a label: --terms go" in notes[0])


def test_classes_that_differ_in_blanks_or_case():
    assert "'a', 'A '" in classes_alike(cells("a", "A ", "b"))[0] and classes_alike(cells("a", "b", "a")) == []


def test_numbers_and_integers():
    assert "--task-type t=classification" in numbers_as_classes("t", torch.tensor([0.0, 1.0, 2.0, float("nan")]))[0]
    assert numbers_as_classes("t", torch.tensor([0.5, 1.0])) == [] and numbers_as_classes("t", torch.arange(3)) == []
    assert numbers_as_classes("t", torch.arange(50.0)) == []
    assert numbers_as_classes("t", torch.tensor([0.0, 1.0])) == []  # said where labels are judged
    assert integers_as_classes("t", torch.arange(30), list(range(30))) and not integers_as_classes(
        "t", torch.zeros(9), ["a"]
    )


def test_classes_that_a_part_lacks():
    y = torch.tensor([0] * 10 + [1] * 3 + [2])
    split = {"train": torch.tensor([0, 1, 10, 13]), "valid": torch.tensor([2, 11]), "test": torch.tensor([3, 4])}
    (note,) = rare_classes(y, split, ["x", "y", "z"])
    assert "2 of 3 classes are missing from valid and test" in note and "1 of them with a single sample" in note
    assert "'y' 3, 'z' 1" in note
    split = {part: torch.tensor([i, 10 + i, 13]) for i, part in enumerate(split)}
    assert rare_classes(y, split, ["x", "y", "z"]) == []
