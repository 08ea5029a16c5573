"""OGB's rules: ten clean seeds break none, and each rule is named by runs that break it alone."""

import pytest
from ogb_runs import NAME, board, record, task, ten, write

from sigraph.leaderboard import Leaderboard


def rules(records, **options):
    (entry,) = board(records).ogb_entries(**options)
    return [one.rule for one in entry["refused"]]


def changed(**fields):
    return [record(seed, task(seed, **fields)) for seed in range(10)]


def grid(chosen, **valid):
    tried = [{"settings": {"pretrain.lr": float(lr)}, "valid": score} for lr, score in valid.items()]
    return {"chosen": {"pretrain.lr": chosen}, "tried": tried}


def test_ten_clean_seeds_break_no_rule():
    assert rules(ten()) == []


@pytest.mark.parametrize(
    ("records", "broken"),
    [
        (ten()[:9], "ten-seeds"),
        ([*ten()[:9], {**ten()[9], "seed": 10}], "seeds-from-0"),
        ([*ten(), {**record(10), "status": "failed", "reason": "NaN"}], "ten-seeds"),
        (changed(metric="accuracy"), "official-split"),
        (changed(task="another"), "official-data"),
        (changed(dataset="molecules"), "official-data"),
        (ten(pretrain={"dataset": "my/ogbg-molbace"}), "official-split"),  # a folder of one's own with that name
        (changed(pretrain_data="other"), "official-split"),
        (changed(leakage={"label_edges": "edges join samples of one label"}), "no-test-edges"),
        (ten(commit="0123abc-dirty"), "clean-commit"),
        (ten(commit="0123abc + 4567def"), "clean-commit"),
    ],
)
def test_a_rule_that_is_broken_is_named(records, broken):
    assert rules(records) == [broken]


def test_data_that_are_the_prepared_official_ones_need_no_name():
    records = ten(pretrain={"dataset": "elsewhere"})
    assert rules(records, official={NAME: "official"}) == []
    assert rules(records, official={NAME: "another"}) == ["official-split"]


def test_settings_are_chosen_by_validation():
    tried = {"0.1": 0.5, "0.2": 0.7}
    for chosen, expected in ((0.2, []), (0.1, ["chosen-by-validation"]), (0.3, ["chosen-by-validation"])):
        assert rules([{**one, "grid": grid(chosen, **tried)} for one in ten()]) == expected
        drawn = {**grid(chosen, **tried), "space": {"pretrain.lr": [0.1, 0.2]}, "seeds": [1000]}
        assert rules([{**one, "search": drawn} for one in ten()]) == expected


def test_a_head_is_chosen_by_validation():
    def heads(valid, test):
        return [record(seed, task(seed, "full"), task(seed, "linear", valid, test)) for seed in range(10)]

    linear_by_test = heads(0.6, 0.9)
    full, linear = board(linear_by_test).ogb_records()
    assert full["refused"] == [] and [one.rule for one in linear["refused"]] == ["chosen-by-validation"]
    assert [one["head"] for one in board(linear_by_test).ogb_entries()] == ["full"]
    assert [one["head"] for one in board(heads(0.75, 0.1)).ogb_entries()] == ["linear"]
    assert all(one["refused"] == [] for one in board(heads(0.6, 0.7)).ogb_records())  # worse by both: no choice by test


def test_labels_of_test_samples_are_no_input(tmp_path):
    settings = {"pretrain": {"dataset": NAME}, "finetune": [{"task": NAME, "head": "full", "leave_one_out": True}]}
    runs = write(tmp_path, ten(), settings)
    (entry,) = Leaderboard.from_folder(runs).ogb_entries()
    assert [one.rule for one in entry["refused"]] == ["no-test-labels"]


def test_three_seeds_are_enough_for_the_largest():
    records = [
        record(seed, task(seed, dataset="ogbn-papers100M", task="ogbn-papers100M", metric="accuracy"))
        for seed in range(3)
    ]
    for one in records:
        one["pretrain"]["dataset"] = "ogbn-papers100M"
    assert rules(records) == []


def test_an_arm_that_pre_trains_nothing_asks_by_its_settings(tmp_path):
    seen = {"inductive": "no", "samples": [1513, "ab" * 6], "edges": None, "labels": "none"}
    seen |= {"graph_at_inference": False, "trials": 5}
    records = [{**one, "kind": "closed-form", "pretrain": None, "visible": seen} for one in ten()]
    assert rules(records) == ["official-split"]
    (entry,) = Leaderboard.from_folder(write(tmp_path, records, {"pretrain": {"dataset": NAME}})).ogb_entries()
    assert entry["refused"] == [] and entry["form"]["External data"] == "No" and entry["form"]["#Params"] == "5"
    assert entry["form"]["Tuned hyper-parameters"].startswith(
        "of its own: 5 settings, by validation*, TO BE"
    )  # no epochs
