"""Splits: shares are met, classes are spread, groups stay whole, and a seed decides."""

import pytest
import torch

from sigraph.tasks.splits import SplitRule, few_per_class


def sizes(split):
    return [split[part].numel() for part in ("train", "valid", "test")]


def assert_partition(split, ids):
    assert torch.equal(torch.cat(list(split.values())).sort().values, ids)


def test_random_meets_the_shares_exactly_and_depends_on_the_seed_alone():
    ids = torch.arange(5, 1005)
    one, again = (SplitRule("random", (0.7, 0.1, 0.2), seed=3).draw(ids) for _ in range(2))
    assert sizes(one) == [700, 100, 200] and all(torch.equal(one[part], again[part]) for part in one)
    assert_partition(one, ids)
    assert not torch.equal(one["test"], SplitRule("random", (0.7, 0.1, 0.2), seed=4).draw(ids)["test"])


def test_random_leaves_no_part_of_three_samples_empty():
    assert sizes(SplitRule("random").draw(torch.arange(3))) == [1, 1, 1]


@pytest.mark.parametrize(("num_classes", "size"), [(4, 250), (100, 5), (300, 2), (200, 1)])
def test_stratified_spreads_every_class(num_classes, size):
    classes = torch.arange(num_classes).repeat(size)
    ids = torch.arange(classes.numel())
    split = SplitRule("stratified", seed=1).draw(ids, classes)
    assert_partition(split, ids)
    in_train = classes[split["train"]].bincount(minlength=num_classes)
    assert int(in_train.min()) >= 1  # every class can be learned
    if size > 1:
        assert (in_train - 0.8 * size).abs().max() <= 1
        assert abs(split["train"].numel() / ids.numel() - 0.8) < 0.03
        assert min(sizes(split)) > 0.05 * ids.numel()


def test_stratified_train_has_a_rare_class_even_when_train_is_small():
    classes = torch.cat([torch.zeros(500).long(), torch.ones(2).long()])
    for seed in range(5):
        split = SplitRule("stratified", (0.1, 0.1, 0.8), seed).draw(torch.arange(502), classes)
        assert 1 in classes[split["train"]]


@pytest.mark.parametrize("num_groups", [3, 7, 200])
def test_groups_stay_whole(num_groups):
    groups = torch.randint(num_groups, (1000,), generator=torch.Generator().manual_seed(0))
    split = SplitRule("group", column="g").draw(torch.arange(1000), groups=groups)
    assert_partition(split, torch.arange(1000))
    assert min(sizes(split)) > 0
    parts = [set(groups[ids].tolist()) for ids in split.values()]
    assert sum(map(len, parts)) == len(set.union(*parts))
    if num_groups == 200:
        assert abs(sizes(split)[0] - 800) < 30


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cluster",), r"random, stratified, group:COLUMN or scaffold:COLUMN \(got 'cluster'\)"),
        (("group",), "group:COLUMN"),
        (("random:x",), "got 'random:x'"),
        (("random", (0.5, 0.5)), "three shares"),
        (("random", (0.9, 0.1, 0.0)), "three shares"),
        (("random", (0.8, 0.1, 0.2)), "add up to 1"),
        (("random", (0.8, 0.1, 0.1), -1), "'seed'"),
    ],
)
def test_rules_that_are_none(arguments, message):
    with pytest.raises(ValueError, match=message):
        SplitRule.parse(*arguments)


def test_a_rule_reads_as_words():
    assert str(SplitRule.parse("group:team", seed=2)) == "by group 'team', 0.8, 0.1, 0.1, seed 2"


def test_few_of_each_class_are_drawn_and_fewer_are_some_of_them():
    classes = torch.tensor([3] * 50 + [1] * 4 + [7])[torch.randperm(55, generator=torch.Generator().manual_seed(0))]
    ids = torch.arange(100, 155)
    ten, again, other = (few_per_class(ids, classes, 10, seed) for seed in (0, 0, 1))
    assert torch.equal(ten, again) and not torch.equal(ten, other) and torch.equal(ten, ten.sort().values)
    assert classes[ten - 100].bincount().tolist() == [0, 4, 0, 10, 0, 0, 0, 1]
    assert torch.isin(few_per_class(ids, classes, 2), ten).all()
    assert torch.equal(few_per_class(ids, classes, 50), ids)
    with pytest.raises(ValueError, match="'count' needs"):
        few_per_class(ids, classes, 0)
