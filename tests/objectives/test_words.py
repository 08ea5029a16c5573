"""Which tokens are of one word: also where a mark of none, or another sequence, lies between two."""

import pytest
import torch

from sigraph.objectives.words import words_of
from sigraph.samples import Tokens

INPUTS = Tokens(torch.arange(8), torch.tensor([0, 5, 8]), unit=torch.tensor([0, 0, -1, -1, 1, 1, 1, 2]))


def test_words_end_with_their_sequence_and_marks_stand_alone():
    assert words_of(INPUTS, torch.arange(8), "x").tolist() == [0, 0, 1, 2, 3, 4, 4, 5]
    assert words_of(INPUTS, torch.tensor([1, 4, 6, 7]), "x").tolist() == [0, 1, 2, 3]


def test_samples_that_do_not_say_are_named():
    with pytest.raises(ValueError, match=r"'whole_units' needs samples that say .* in 'Owner'"):
        words_of(INPUTS._replace(unit=None), torch.arange(8), "Owner")
