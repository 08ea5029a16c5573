"""Leaderboard: means and unbiased spreads, nothing averaged that does not belong together, no failure hidden."""

import re

import numpy as np
import pytest

from sigraph.evaluation import Leaderboard
from sigraph.evaluation.leaderboard import spread


def task(test: float, valid: float = 0.5, **changes):
    plain = {"dataset": "cora", "task": "topic", "head": "linear", "metric": "accuracy", "primary": True}
    return {**plain, "valid": valid, "test": test, "num_parameters": 7, "seconds": 1.0, **changes}


def record(arm: str = "sipt", seed: int = 0, tests: tuple[dict, ...] = (), **changes):
    sizes = {"num_parameters": {"encoder": 1000, "other": 234}, "seconds": 2.0}
    plain = {"experiment": "e", "arm": arm, "seed": seed, "hash": f"{arm}-1", "data": "d", "status": "ok"}
    return {**plain, "reason": None, "tasks": list(tests), "pretrain": sizes, **changes}


def failed(arm: str = "sipt", seed: int = 0, **changes):
    out = record(arm, seed, status="failed", reason="ValueError: NaN", **changes)
    del out["pretrain"], out["data"]
    return out


def seeds(arm: str, *scores: float, **changes):
    return [record(arm, seed, (task(score, score / 2),), **changes) for seed, score in enumerate(scores)]


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_mean_and_unbiased_spread():
    scores = [0.81, 0.79, 0.84, 0.80]
    (row,) = Leaderboard(seeds("sipt", *scores)).rows()
    assert row["n"] == 4
    assert row["test_mean"] == pytest.approx(np.mean(scores))
    assert row["test_std"] == pytest.approx(np.std(scores, ddof=1))
    assert row["valid_mean"] == pytest.approx(np.mean(scores) / 2)
    assert row["valid_std"] == pytest.approx(np.std(scores, ddof=1) / 2)
    assert row["num_parameters"] == 1000 + 234 + 7 and row["seconds"] == pytest.approx(3.0)


def test_the_spread_of_one_seed_is_not_known():
    assert spread([0.5]) is None and spread([1.0, 3.0]) == pytest.approx(2**0.5)
    board = Leaderboard(seeds("sipt", 0.8125))
    assert board.rows()[0]["test_std"] is None
    assert "0.8125" in board.table() and "±" not in board.table()


def test_different_settings_data_tasks_and_heads_are_never_averaged():
    records = [
        *seeds("sipt", 0.2),
        *seeds("sipt", 0.4, hash="other"),
        *seeds("sipt", 0.6, data="other"),
        *seeds("sipt", 0.8, experiment="other"),
        record("sipt", 0, (task(0.1, head="knn"), task(0.3, task="year"), task(0.5, dataset="pubmed")), hash="third"),
    ]
    rows = Leaderboard(records).rows()
    assert [row["test_mean"] for row in rows] == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.1, 0.3, 0.5])
    assert all(row["n"] == 1 for row in rows)


def test_a_failed_run_is_shown_beside_those_that_finished():
    board = Leaderboard([*seeds("sipt", 0.8, 0.9), failed(seed=2), failed(seed=3, tests=(task(0.1),))])
    (row,) = board.rows()
    assert (row["n"], row["num_failed"]) == (2, 2) and row["test_mean"] == pytest.approx(0.85)
    assert "2 (2 failed)" in board.table()


def test_an_arm_without_any_finished_run_is_still_a_row():
    board = Leaderboard([*seeds("base", 0.8), failed("sipt", 0), failed("sipt", 1)], baseline="base")
    rows = board.rows()
    assert [(row["arm"], row["n"], row["num_failed"]) for row in rows] == [("base", 1, 0), ("sipt", 0, 2)]
    assert rows[1]["difference"] is None
    assert cells(board.table())[-1][:1] + [c for c in cells(board.table())[-1] if "failed" in c] == [
        "sipt",
        "0 (2 failed)",
    ]


@pytest.mark.parametrize("change", [{"experiment": "other"}, {"hash": "other"}])
def test_a_failure_is_not_hidden_behind_a_success_of_other_settings(change):
    rows = Leaderboard([*seeds("sipt", 0.8), failed(**change)]).rows()
    assert [(row["n"], row["num_failed"]) for row in rows] == [(1, 0), (0, 1)]


def test_difference_to_the_baseline():
    records = [
        *seeds("base", 0.70, 0.72),
        *seeds("sipt", 0.80, 0.84),
        record("sipt", 0, (task(0.3, head="knn"),), hash="x"),
    ]
    board = Leaderboard(records, baseline="base")
    assert [row["difference"] for row in board.rows()] == [None, pytest.approx(0.11), None]
    head, _, base, sipt, _ = cells(board.table())
    column = head.index("against base")
    assert (base[column], sipt[column]) == ("", "+0.1100")


@pytest.mark.parametrize("change", [{"dataset": "pubmed"}, {"task": "year"}, {"head": "knn"}, {"metric": "macro_f1"}])
def test_nothing_is_subtracted_that_measures_something_else(change):
    records = [record("base", 0, (task(0.7),)), record("sipt", 0, (task(0.8, **change),))]
    assert [row["difference"] for row in Leaderboard(records, "base").rows()] == [None, None]


def test_each_data_set_and_experiment_has_its_own_baseline():
    one, two = (lambda score: (task(score), task(score + 0.1, dataset="pubmed"))), {"experiment": "other"}
    records = [record("base", 0, one(0.5)), record("sipt", 0, one(0.6))]
    records += [record("base", 0, one(0.1), **two), record("sipt", 0, one(0.4), **two)]
    differences = [row["difference"] for row in Leaderboard(records, "base").rows() if row["arm"] == "sipt"]
    assert differences == pytest.approx([0.1, 0.1, 0.3, 0.3])


def test_the_baseline_under_two_settings_is_no_baseline():
    records = [*seeds("base", 0.7), *seeds("base", 0.6, hash="other"), *seeds("sipt", 0.8)]
    assert all(row["difference"] is None for row in Leaderboard(records, "base").rows())


def test_the_table_is_markdown():
    board = Leaderboard([*seeds("a", 0.8125, 0.75), *seeds("longer-name", 0.9, 0.8), failed("a", 2)])
    lines = board.table().splitlines()
    assert len({len(line) for line in lines}) == 1 and len(lines) == 4
    assert all(line.startswith("| ") and line.endswith(" |") for line in lines)
    assert re.fullmatch(r"\| (-+ \| )*-+ \|", lines[1])
    assert len({len(row) for row in cells(board.table())}) == 1
    head, _, first, second = cells(board.table())
    assert head == ["arm", "task", "head", "metric", "n", "valid", "test", "parameters", "seconds"]
    assert first == [
        "a", "topic", "linear", "accuracy", "2 (1 failed)", "0.3906 ± 0.0221", "0.7812 ± 0.0442", "1,241", "3.0",
    ]  # fmt: skip
    assert second[4] == "2" and second[6] == "0.8500 ± 0.0707"


def test_no_records_no_rows():
    board = Leaderboard([])
    assert board.rows() == [] and len(board.table().splitlines()) == 2
