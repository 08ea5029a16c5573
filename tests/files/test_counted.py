"""A number with what it counts."""

import pytest

from sigraph.files.counted import counted


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [
        (1, ("cell",), "1 cell"),
        (0, ("cell",), "0 cells"),
        (1234, ("cell is", "cells are"), "1,234 cells are"),
        (1, ("class is", "classes are"), "1 class is"),
    ],
)
def test_a_number_is_said_with_its_noun(number, words, said):
    assert counted(number, *words) == said
