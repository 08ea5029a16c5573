"""Pairs: nothing inconsistent is built, exclusions equal brute force, moving keeps everything."""

import dataclasses
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sigraph.data.pairs import Pairs, equal_pairs
from sigraph.edges.draw import expand


def index(*pairs):
    return torch.tensor(pairs, dtype=torch.long).view(-1, 2).t().contiguous()


def full():
    """Every field set: 3 anchors, 4 candidates."""
    return Pairs(
        positive_index=index((0, 1), (2, 3)),
        num_anchors=3,
        num_candidates=4,
        weight=torch.tensor([0.5, 2.0]),
        self_index=torch.tensor([0, -1, 2]),
        anchor_id=torch.tensor([10, 11, 12]),
        candidate_id=torch.tensor([10, 13, 12, 14]),
        anchor_group=torch.tensor([0, 0, 1]),
        candidate_group=torch.tensor([0, 0, 1, 1]),
        negative_index=index((0, 3)),
        ignore_index=index((1, 1), (1, 2)),
    )


TENSORS = [field.name for field in dataclasses.fields(Pairs) if not field.name.startswith("num_")]


def test_the_plain_case():
    pairs = Pairs.square(index((0, 1), (1, 0)), 3, weight=torch.ones(2))
    assert (pairs.num_anchors, pairs.num_candidates, pairs.num_positives) == (3, 3, 2)
    assert pairs.self_index.tolist() == [0, 1, 2] and pairs.weight.tolist() == [1, 1]
    assert pairs.excluded_index().tolist() == [[0, 1, 2], [0, 1, 2]]


@pytest.mark.parametrize(("a", "c"), [(0, 0), (0, 3), (3, 0)])
def test_sizes_may_be_zero(a, c):
    pairs = Pairs(
        index(), a, c, self_index=torch.full((a,), -1), anchor_id=torch.arange(a), candidate_id=torch.arange(c)
    )
    expected = [[i, i] for i in range(min(a, c))]
    assert pairs.excluded_index().t().tolist() == expected and pairs.num_positives == 0
    assert Pairs.square(index(), 0).excluded_index().shape == (2, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positive_index": index((3, 0), (0, 0))}, r"'positive_index' needs anchor positions in \[0, 3\) .*\[0, 3\]"),
        ({"positive_index": index((0, 4), (0, 0))}, r"'positive_index' needs candidate positions in \[0, 4\)"),
        ({"positive_index": index((0, -1), (0, 0))}, r"'positive_index' needs candidate positions .*\[-1, 0\]"),
        ({"positive_index": index((-1, 0), (0, 0))}, "'positive_index' needs anchor positions"),
        ({"negative_index": index((3, 0))}, "'negative_index' needs anchor positions"),
        ({"ignore_index": index((0, 4))}, "'ignore_index' needs candidate positions"),
        ({"positive_index": torch.zeros(2, 2)}, r"int64 tensor of shape \[2, \*\] .*float32"),
        ({"positive_index": torch.zeros(2, 2, dtype=torch.int32)}, "int64 tensor .*int32"),
        ({"positive_index": torch.zeros(3, 2, dtype=torch.long)}, r"shape \[2, \*\] .*\[3, 2\]"),
        ({"negative_index": torch.zeros(2, dtype=torch.long)}, "'negative_index' needs to be an int64 tensor"),
        ({"weight": torch.ones(3)}, r"'weight' needs shape \[2\] .*\[3\]"),
        ({"weight": torch.ones(2, 1)}, r"'weight' needs shape \[2\]"),
        ({"weight": torch.tensor([1.0, -1.0])}, "'weight' needs finite values >= 0"),
        ({"weight": torch.tensor([1.0, float("nan")])}, "'weight' needs finite values >= 0"),
        ({"weight": torch.tensor([1.0, float("inf")])}, "'weight' needs finite values >= 0"),
        ({"self_index": torch.tensor([0, 1])}, r"'self_index' needs shape \[3\]"),
        ({"self_index": torch.tensor([0, 4, 2])}, r"'self_index' needs .*\[0, 4\), or -1, .*\[0, 4\]"),
        ({"self_index": torch.tensor([0, -2, 2])}, r"'self_index' needs .*\[-2, 2\]"),
        ({"self_index": torch.tensor([0.0, 0.0, 2.0])}, "'self_index' needs int64"),
        ({"anchor_id": torch.arange(4)}, r"'anchor_id' needs shape \[3\]"),
        ({"candidate_id": torch.arange(3)}, r"'candidate_id' needs shape \[4\]"),
        ({"anchor_group": torch.zeros(2)}, r"'anchor_group' needs shape \[3\]"),
        ({"candidate_group": torch.zeros(5)}, r"'candidate_group' needs shape \[4\]"),
        ({"anchor_id": None}, "'anchor_id' and 'candidate_id' need to be given together"),
        ({"candidate_id": None}, "'anchor_id' and 'candidate_id' need to be given together"),
        ({"anchor_group": None}, "'anchor_group' and 'candidate_group' need to be given together"),
        ({"candidate_group": None}, "'anchor_group' and 'candidate_group' need to be given together"),
        ({"positive_index": index((0, 0), (2, 3))}, "lists an anchor as its own positive"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    full()  # fits
    with pytest.raises(ValueError, match=message):
        full().replace(**change)


def test_replace_is_a_checked_copy():
    pairs = full()
    other = pairs.replace(weight=None)
    assert other.weight is None and pairs.weight is not None and other.anchor_id is pairs.anchor_id


def test_to_moves_every_tensor_and_keeps_the_rest():
    moved = full().to("meta")
    assert all(getattr(moved, name).device.type == "meta" for name in TENSORS)
    assert (moved.num_anchors, moved.num_candidates) == (3, 4) and type(moved) is Pairs
    pairs = full()
    stays = pairs.to("cpu", non_blocking=True)
    assert stays is not pairs and all(torch.equal(getattr(stays, name), getattr(pairs, name)) for name in TENSORS)
    plain = Pairs.square(index((0, 1)), 2).to("meta")
    assert plain.weight is None and plain.negative_index is None and plain.positive_index.is_meta
    back = pickle.loads(pickle.dumps(pairs))
    assert all(torch.equal(getattr(back, name), getattr(pairs, name)) for name in TENSORS)


def test_pin_memory_asks_every_tensor(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: asked.append(self) or self)
    full().pin_memory()
    assert len(asked) == len(TENSORS) == 9


def test_excluded_pairs_by_hand():
    # own positions (0, 0), (2, 2); equal ids the same two; ignored (1, 1), (1, 2). Groups are not listed.
    assert full().excluded_index().t().tolist() == [[0, 0], [1, 1], [1, 2], [2, 2]]
    assert Pairs(index((0, 1)), 2, 2).excluded_index().shape == (2, 0)


@given(st.integers(1, 6), st.integers(1, 6), st.data())
def test_excluded_pairs_equal_brute_force(a, c, data):
    def values(size, low, high):
        return data.draw(st.lists(st.integers(low, high), min_size=size, max_size=size))

    self_index, anchor_id, candidate_id = values(a, -1, c - 1), values(a, 0, 4), values(c, 0, 4)
    ignored = data.draw(st.lists(st.tuples(st.integers(0, a - 1), st.integers(0, c - 1)), max_size=5))
    with_self, with_id, with_ignored = (data.draw(st.booleans()) for _ in range(3))
    pairs = Pairs(
        index(),
        a,
        c,
        self_index=torch.tensor(self_index) if with_self else None,
        anchor_id=torch.tensor(anchor_id) if with_id else None,
        candidate_id=torch.tensor(candidate_id) if with_id else None,
        ignore_index=index(*ignored) if with_ignored else None,
    )
    expected = [
        [i, j]
        for i in range(a)
        for j in range(c)
        if (with_self and self_index[i] == j)
        or (with_id and anchor_id[i] == candidate_id[j])
        or (with_ignored and (i, j) in ignored)
    ]
    assert pairs.excluded_index().t().tolist() == expected


@given(st.lists(st.integers(-2, 3), max_size=7), st.lists(st.integers(-2, 3), max_size=7))
def test_equal_pairs_equal_brute_force_with_duplicates(left, right):
    found = equal_pairs(torch.tensor(left, dtype=torch.long), torch.tensor(right, dtype=torch.long))
    assert found.t().tolist() == [[i, j] for i, v in enumerate(left) for j, w in enumerate(right) if v == w]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5)), max_size=8))
def test_expand_equals_brute_force(runs):
    start, count = (torch.tensor([run[part] for run in runs], dtype=torch.long) for part in (0, 1))
    row, position = expand(start, count)
    assert row.tolist() == [i for i, (_, length) in enumerate(runs) for _ in range(length)]
    assert position.tolist() == [first + offset for first, length in runs for offset in range(length)]
