"""Subsets of labels: nested, class by class, the same for a seed; validation samples in halves; test labels gone."""

from itertools import pairwise

import pytest
import torch

from sigraph.proposal.label_subsets import cut_in_halves, label_sizes, without_test
from sigraph.tasks import Task


def task(y, train=120, valid=20):
    ids = torch.arange(len(y))
    return Task("t", y, {"train": ids[:train], "valid": ids[train : train + valid], "test": ids[train + valid :]})


CLASSES = torch.tensor(([0] * 6 + [1] * 3 + [2]) * 20)


def test_so_many_of_each_class_and_those_of_fewer_lie_within():
    few = task(CLASSES)
    sizes = label_sizes(few, draws=3, seed=1)
    counts = {0: 72, 1: 36, 2: 12}
    assert [size.per_class for size in sizes] == [1, 2, 5, 10, 20, None]  # 50 a class are nearly all
    assert sizes[-1].is_all and len(sizes[-1].draws) == 1 and sizes[-1].num_labels == 120
    y = CLASSES[:120]
    for size, more in pairwise(sizes):
        for i, draw in enumerate(size.draws):
            found = dict(zip(*(one.tolist() for one in y[draw].unique(return_counts=True)), strict=True))
            assert found == {c: min(size.per_class, count) for c, count in counts.items()}
            assert size.num_labels == len(draw) and torch.isin(draw, more.draws[i % len(more.draws)]).all()
    assert not torch.equal(sizes[0].draws[0], sizes[0].draws[1])
    again = label_sizes(few, draws=3, seed=1)
    assert all(
        torch.equal(*pair) for a, b in zip(sizes, again, strict=True) for pair in zip(a.draws, b.draws, strict=True)
    )
    assert not torch.equal(label_sizes(few, 1, seed=2)[0].draws[0], sizes[0].draws[0])


def test_numbers_and_columns_are_counted_in_all_and_many_labels_need_fewer_draws():
    numbers = task(torch.rand(3021), train=3000)
    sizes = label_sizes(numbers, draws=5)
    assert [size.num_labels for size in sizes] == [10, 20, 50, 100, 200, 500, 1000, 2000, 3000]
    assert [len(size.draws) for size in sizes] == [5] * 7 + [2, 1] and sizes[0].per_class is None
    columns = task((torch.rand(160, 3) < 0.5).float())
    assert [size.num_labels for size in label_sizes(columns, 1)] == [10, 20, 50, 120]
    assert [size.is_all for size in label_sizes(columns, 1, only_all=True)] == [True]
    assert [size.num_labels for size in label_sizes(task(torch.rand(40), train=9), 2)] == [9]


def test_halves_have_as_many_of_each_class():
    found = cut_in_halves(task(CLASSES, valid=60), seed=0, which=0)
    y = CLASSES[120:180]
    for c in range(3):
        assert abs(int(found[y == c].sum()) - int((~found[y == c]).sum())) <= 1
    assert not torch.equal(found, cut_in_halves(task(CLASSES, valid=60), seed=0, which=1))


@pytest.mark.parametrize("y", [CLASSES, torch.rand(200), (torch.rand(200, 2) < 0.5).float()])
def test_nothing_of_test_samples_is_left(y):
    shown = without_test(task(y))
    assert set(shown.split) == {"train", "valid"}
    assert not shown.kind.is_labelled(shown.labels[140:]).any()
    assert torch.equal(shown.labels[:140], y[:140]) and task(y).kind.is_labelled(y[140:]).all()


def test_too_few_validation_samples_are_said_and_too_many_are_drawn_from(monkeypatch):
    with pytest.raises(ValueError, match=r"at least 10 validation samples.*has 9\)"):
        without_test(task(CLASSES, valid=9))
    monkeypatch.setattr("sigraph.proposal.label_subsets.MOST_LABELS", 30)
    shown = without_test(task(CLASSES))
    assert len(shown.split["train"]) == 30 and torch.isin(shown.split["train"], torch.arange(120)).all()
