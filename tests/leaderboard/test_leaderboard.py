"""Leaderboard: means and unbiased spreads, nothing averaged that does not belong together, no failure hidden."""

import csv
import io
import json
import os
import re

import numpy as np
import pytest
import yaml
from scipy import stats

from sigraph.files.sealed import write_sealed
from sigraph.leaderboard import Leaderboard
from sigraph.leaderboard.leaderboard import spread


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
    assert sorted(row["test_mean"] for row in rows) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8])
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
    last = cells(board.table())[-1]
    assert last[0] == "sipt" and last[4] == "0 (2 failed)" and last[-1] == "2 failed: ValueError: NaN"


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
    assert head == ["arm", "task", "head", "metric", "n", "valid", "test", "parameters", "seconds", "status"]
    assert first == [
        "a", "topic", "linear", "accuracy", "2 (1 failed)", "0.3906 ± 0.0221", "0.7812 ± 0.0442", "1,241", "3.0",
        "1 failed: ValueError: NaN",
    ]  # fmt: skip
    assert second[-1] == "ok"
    assert second[4] == "2" and second[6] == "0.8500 ± 0.0707"


def test_no_records_no_rows():
    board = Leaderboard([])
    assert board.rows() == [] and len(board.table().splitlines()) == 2


# What is never mixed ##################################################################################################

CODE = {"versions": {"sigraph": "0.1.0"}, "commit": "aaaaaaaaaaaa"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"hash": "other"}, "other settings"),
        ({"data": "other"}, "other data than row above"),
        ({"versions": {"sigraph": "0.2.0"}}, "other code (sigraph 0.1.0)"),
        ({"commit": "bbbbbbbbbbbb"}, "other code (commit aaaaaaa)"),
        ({"commit": "aaaaaaaaaaaa-dirty"}, "other code (commit aaaaaaa)"),
        ({"commit": None}, "other code (commit aaaaaaa)"),
    ],
)
def test_runs_of_different_origin_stand_in_rows_of_their_own_and_say_why(change, reason):
    old = [record("sipt", seed, (task(0.5),), **CODE) for seed in range(3)]
    new = [record("sipt", seed, (task(0.9),), **{**CODE, **change}) for seed in range(3, 5)]
    first, second = Leaderboard([*old, *new]).rows()
    assert (first["n"], first["test_mean"], first["status"]) == (2, pytest.approx(0.9), "ok")
    assert (second["n"], second["test_mean"]) == (3, pytest.approx(0.5))
    assert second["status"].startswith(f"ok; {reason}")


def test_a_task_on_other_data_of_its_own_is_not_mixed():
    records = [record("sipt", 0, (task(0.5, data="t1"),)), record("sipt", 1, (task(0.9, data="t2"),))]
    assert [row["n"] for row in Leaderboard(records).rows()] == [1, 1]


def test_two_entries_of_one_task_and_head_are_two_rows():
    records = [record("sipt", seed, (task(0.5), task(0.9))) for seed in range(2)]
    board = Leaderboard(records)
    assert [(row["n"], row["test_mean"], row["entry"]) for row in board.rows()] == [(2, 0.5, 1), (2, 0.9, 2)]
    assert [line[2] for line in cells(board.table())[2:]] == ["linear", "linear #2"]


def test_settings_are_a_column_where_an_arm_has_several():
    assert "settings" not in Leaderboard([*seeds("a", 0.5), *seeds("b", 0.5)]).table()
    head, _, *lines = cells(Leaderboard([*seeds("a", 0.5), *seeds("a", 0.6, hash="new"), *seeds("b", 0.5)]).table())
    at = head.index("settings")
    assert [(line[0], line[at]) for line in lines] == [("a", "new"), ("a", "a-1"), ("b", "b-1")]


def test_a_seed_that_ran_twice_counts_once_the_later():
    twice = [*seeds("sipt", 0.1, 0.2), *seeds("sipt", 0.5)]
    (row,) = Leaderboard(twice).rows()
    assert row["n"] == 2 and row["seeds"] == [0, 1] and row["test_mean"] == pytest.approx(0.35)
    written = [{**twice[0], "written": 9.0}, {**twice[1], "written": 5.0}, {**twice[2], "written": 1.0}]
    assert Leaderboard(written).rows()[0]["test_mean"] == pytest.approx(0.15)


def test_a_seed_that_failed_and_then_finished_has_finished():
    for records in ([failed(seed=0), *seeds("sipt", 0.8)], [*seeds("sipt", 0.8), failed(seed=0)]):
        (row,) = Leaderboard(records).rows()
        assert (row["n"], row["num_failed"], row["status"]) == (1, 0, "ok")


def test_failures_are_counted_by_reason():
    reasons = ["ValueError: NaN", "ValueError: NaN", "OSError: full"]
    records = [*seeds("sipt", 0.8), *(failed(seed=5 + i) | {"reason": reason} for i, reason in enumerate(reasons))]
    (row,) = Leaderboard(records).rows()
    assert row["n"] == 1 and row["status"] == "3 failed: ValueError: NaN (2 times), OSError: full"


def test_failures_of_other_code_are_not_counted_among_these_runs():
    records = [*seeds("sipt", 0.8, **CODE), failed(seed=1, **{**CODE, "commit": "bbbbbbbbb"})]
    done, lost = Leaderboard(records).rows()
    assert (done["n"], done["num_failed"], lost["n"], lost["num_failed"]) == (1, 0, 0, 1)
    assert lost["status"] == "1 failed: ValueError: NaN; other code (commit bbbbbbb)"


# Against the baseline #################################################################################################

BASE = [0.701, 0.712, 0.698, 0.705, 0.709]
SIPT = [0.731, 0.735, 0.729, 0.726, 0.741]


def test_statistics_against_the_baseline_agree_with_scipy():
    _, row = Leaderboard([*seeds("base", *BASE), *seeds("sipt", *SIPT)], "base").rows()
    assert row["p_value"] == row["p_holm"] == pytest.approx(stats.ttest_rel(SIPT, BASE).pvalue)
    assert row["p_wilcoxon"] == pytest.approx(stats.wilcoxon(SIPT, BASE).pvalue)
    assert row["rre"] == pytest.approx(100 * (np.mean(SIPT) - np.mean(BASE)) / (1 - np.mean(BASE)))
    assert row["rre_low"] < row["rre"] < row["rre_high"] and row["num_pairs"] == 5 and row["status"] == "ok"


def test_seeds_are_matched_by_number_not_by_place():
    records = [*seeds("base", *BASE), *reversed(seeds("sipt", *SIPT)[1:])]
    _, row = Leaderboard(records, "base").rows()
    assert row["p_value"] == pytest.approx(stats.ttest_rel(SIPT[1:], BASE[1:]).pvalue)
    assert row["difference"] == pytest.approx(np.mean(SIPT[1:]) - np.mean(BASE[1:]))
    assert row["status"] == "ok; compared on 4 common seeds"


def test_no_common_seed_no_comparison():
    records = [*seeds("base", 0.7), record("sipt", 4, (task(0.8),))]
    _, row = Leaderboard(records, "base").rows()
    assert row["difference"] is None and row["status"] == "ok; not compared: no seed in common with base"


def test_lower_is_better():
    low = {"metric": "rmse", "greater_is_better": False}
    records = [record("base", s, (task(2.0 + s, **low),)) for s in range(2)]
    records += [record("sipt", s, (task(1.0 + s, **low),)) for s in range(2)]
    base, row = Leaderboard(records, "base").rows()
    assert row["rre"] == pytest.approx(40.0) and (row["rank"], base["rank"]) == (1.0, 2.0)


@pytest.mark.parametrize("change", [{"data": "x"}, {"versions": {"sigraph": "9"}}, {"commit": "c"}])
def test_arms_on_other_data_or_code_are_not_compared(change):
    records = [*seeds("base", 0.7, 0.8, **CODE), *seeds("sipt", 0.8, 0.9, **{**CODE, **change})]
    _, row = Leaderboard(records, "base").rows()
    assert row["difference"] is row["rre"] is row["p_value"] is row["rank"] is None
    assert "not compared: no finished run of base" in row["status"]


def test_the_baseline_of_the_same_file_is_taken_where_the_records_tell():
    def runs(code: str, base: float, sipt: float) -> list[dict]:
        told = {"baseline": "base", "baseline_hash": f"base-{code}"}
        return [*seeds("base", base, hash=f"base-{code}", **told), *seeds("sipt", sipt, hash=f"sipt-{code}", **told)]

    rows = Leaderboard([*runs("old", 0.5, 0.6), *runs("new", 0.7, 0.9)]).rows()
    assert {row["hash"]: row["difference"] for row in rows if row["arm"] == "sipt"} == {
        "sipt-old": pytest.approx(0.1),
        "sipt-new": pytest.approx(0.2),
    }
    alone = Leaderboard([*runs("old", 0.5, 0.6), *runs("new", 0.7, 0.9)[1:]]).rows()
    assert [row["difference"] for row in alone if row["hash"] == "sipt-new"] == [None]


def test_holm_counts_the_tasks_and_heads_of_an_arm():
    def runs(arm: str, *scores: list[float]) -> list[dict]:
        return [record(arm, s, tuple(task(x[s], task=f"t{i}") for i, x in enumerate(scores))) for s in range(5)]

    board = Leaderboard([*runs("base", BASE, BASE), *runs("sipt", SIPT, [*SIPT[:4], 0.6])], "base")
    first, second = (row for row in board.rows() if row["arm"] == "sipt")
    assert first["p_value"] < second["p_value"]
    assert first["p_holm"] == pytest.approx(2 * first["p_value"]) and second["p_holm"] == second["p_value"]
    assert "p (Holm)" in board.table()
    shown = board.only(task="t0").rows()
    assert [row["task"] for row in shown] == ["t0", "t0"] and shown[1]["p_holm"] == first["p_holm"]


def test_mean_ranks_over_tasks():
    def runs(arm: str, *scores: float) -> dict:
        return record(arm, 0, tuple(task(score, task=f"t{i}") for i, score in enumerate(scores)))

    board = Leaderboard([runs("a", 0.9, 0.5, 0.7), runs("b", 0.8, 0.5, 0.9), runs("c", 0.7, 0.4, 0.8)])
    lines = cells(board.table().split("\n\n")[1])
    assert lines[0] == ["mean rank in e (1: best)", "linear, 3 of 3 tasks"]
    assert lines[2:] == [["a", "1.83"], ["b", "1.50"], ["c", "2.67"]]  # (1 + 1.5 + 3) / 3, (2 + 1.5 + 1) / 3, 8 / 3
    assert "mean rank" not in board.only(task="t0").table()
    twice = [record(arm, 0, tuple(task(s, task=t) for t in ("t0", "t0", "t1"))) for arm, s in (("a", 0.5), ("b", 0.6))]
    assert "linear, 3 of 3 entries" in Leaderboard(twice).table()


def test_nothing_is_not_less_than_nothing():
    sipt = [0.8 - 1e-9, 0.7 - 1e-9]
    shown = Leaderboard([*seeds("base", 0.8, 0.7), *seeds("sipt", *sipt)], "base").table()
    assert "+0.0000" in shown and "+0.0 [+0.0, +0.0]" in shown and "-0.0" not in shown


def test_rows_have_the_columns_that_others_rely_on():
    fields = [
        *("experiment", "arm", "task", "head", "primary", "metric", "n", "test_mean", "test_std", "valid_mean"),
        *("valid_std", "rre", "p_value", "num_parameters", "seconds", "status"),
    ]
    board = Leaderboard([*seeds("base", *BASE), *seeds("sipt", *SIPT), failed("lost")], "base")
    rows = json.loads(board.table("json"))["rows"]
    assert [list(row)[: len(fields)] for row in rows] == [fields] * 3
    assert rows[1]["test_mean"] == board.rows()[1]["test_mean"] and rows[2]["test_mean"] is None


def test_markdown_shows_rre_and_p_only_with_pairs():
    assert "RRE" not in Leaderboard([*seeds("base", 0.7), *seeds("sipt", 0.8)], "base").table()
    assert "RRE" not in Leaderboard([*seeds("base", *BASE), *seeds("sipt", *SIPT)]).table()
    head, _, base, sipt = cells(Leaderboard([*seeds("base", *BASE), *seeds("sipt", *SIPT)], "base").table())
    at = head.index("RRE %")
    assert base[at] == "" and re.fullmatch(r"\+9\.3 \[\+\d\.\d, \+\d+\.\d\]", sipt[at])
    assert head[at + 1] == "p" and sipt[at + 1] == f"{stats.ttest_rel(SIPT, BASE).pvalue:.4f}"


def test_csv_survives_hostile_names():
    hostile = 'a, "b"\nc | é'
    board = Leaderboard([*seeds("sipt", 0.8, 0.9, experiment=hostile), failed("x")])
    rows = list(csv.DictReader(io.StringIO(board.table("csv"))))
    assert rows[0]["experiment"] == hostile and rows[0]["seeds"] == "0 1" and rows[1]["test_mean"] == ""
    assert float(rows[0]["test_mean"]) == board.rows()[0]["test_mean"]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in board.table().splitlines()}) == 1


def test_transductive_or_inductive_is_said_where_known():
    head, _, line = cells(Leaderboard(seeds("sipt", 0.8, transductive=False)).table())
    assert line[head.index("graph")] == "inductive"


def test_unknown_format_and_names_list_what_there_is():
    board = Leaderboard(seeds("sipt", 0.8))
    with pytest.raises(ValueError, match="markdown, csv, json, ogb"):
        board.table("html")
    with pytest.raises(ValueError, match=r"no experiment 'x' .*there are: e\)"):
        board.only(experiment="x")
    with pytest.raises(ValueError, match=r"no task 'x' .*there are: topic\)"):
        board.only(task="x")


# From a folder ########################################################################################################


def write(top, records, **changes):
    for one in records:
        folder = top / one["experiment"] / one["arm"] / one["hash"] / f"seed-{one['seed']}"
        folder.mkdir(parents=True, exist_ok=True)
        write_sealed(folder / "results.json", {**one, **changes})
    return top


def test_a_folder_gives_the_same_rows(tmp_path):
    records = [*seeds("sipt", *SIPT), *seeds("base", *BASE)]
    write(tmp_path, records, baseline="base")
    (tmp_path / "e" / "_pretrain" / "h" / "seed-0").mkdir(parents=True)
    (tmp_path / "e" / "_pretrain" / "h" / "seed-0" / "results.json").write_text("{}")
    expected = Leaderboard([*seeds("base", *BASE), *seeds("sipt", *SIPT)], "base").rows()
    for folder in (tmp_path, tmp_path / "e", str(tmp_path)):
        assert Leaderboard.from_folder(folder).rows() == expected
    _, row = Leaderboard.from_folder(tmp_path).rows()
    assert row["p_value"] == pytest.approx(stats.ttest_rel(SIPT, BASE).pvalue)


def test_the_newest_settings_come_first_whatever_their_name(tmp_path):
    write(tmp_path, [*seeds("sipt", 0.5, hash="a"), *seeds("sipt", 0.6, hash="b"), *seeds("sipt", 0.7, hash="c")])
    for age, code in enumerate("cab"):
        os.utime(tmp_path / "e" / "sipt" / code / "seed-0" / "results.json", (age, age))
    rows = Leaderboard.from_folder(tmp_path).rows()
    assert [row["hash"] for row in rows] == ["b", "a", "c"]
    assert [row["status"] for row in rows] == ["ok", "ok; other settings (a)", "ok; other settings (c)"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "damaged: not valid JSON"),
        ("", "damaged: not valid JSON"),
        ("[]", "damaged: a mapping is needed"),
        ("{}", "carries no sum: altered, or written by an earlier sigraph"),
        (json.dumps(record("sipt", 1, (task(0.9),))), "carries no sum"),
        (json.dumps({**record("sipt", 1, (task(0.9),)), "sum": "0"}), "its content does not match its sum"),
        (json.dumps(record("sipt", 1, (task(float("nan")),))), "NaN is no number"),
        ("\udcff", "not valid JSON"),
        ("[" * 100_000, "nested too deeply"),
        (record("sipt", 1, ({"task": "topic"},)), "'tasks.0.dataset' is missing"),
        (record("sipt", 1, (task("0.5"),)), "'tasks.0.test' needs a number within ±1e+100 (got '0.5')"),
        (
            record("sipt", 1, (task(10**400),)),
            "'tasks.0.test' needs a number within ±1e+100 (got a whole number of 1329",
        ),
        (record("sipt", True), "'seed' needs a whole number >= 0 (got true)"),
        (record("sipt", 1, pretrain=None), "'pretrain' needs a mapping (got null)"),
        (record("sipt", 1, versions=["1"]), "'versions' needs a mapping (got a list)"),
        (record("sipt", 1, sources="x"), "'sources' needs a mapping (got 'x')"),
        (record("sipt", 1, commit=[1]), "'commit' needs text (got a list)"),
        (record("sipt", 1, commit="\ud800"), "'commit' needs text (got '\\ud800')"),
        (record("sipt", 1, status="unreadable"), "'status' needs one of ok, failed, unfinished (got 'unreadable')"),
        (record("sipt", 1, status="fine"), "'status' needs one of ok, failed, unfinished (got 'fine')"),
        (record("sipt", 0, (task(0.8),)), "of another run: 'seed' is 0, its folder is of 1; run the experiment again"),
        (record("base", 1, (task(0.8),), hash="sipt-1"), "of another run: 'arm' is 'base', its folder is of 'sipt'"),
    ],
)
def test_a_file_that_cannot_be_read_is_said_in_its_row(text, reason, tmp_path):
    write(tmp_path, seeds("sipt", 0.8, 0.9, 0.7))
    file = tmp_path / "e/sipt/sipt-1/seed-1/results.json"
    write_sealed(file, text) if isinstance(text, dict) else file.write_bytes(text.encode("utf-8", "surrogateescape"))
    (row,) = Leaderboard.from_folder(tmp_path).rows()
    assert (row["n"], row["num_failed"]) == (2, 1)
    assert row["status"].startswith("1 unreadable: e/sipt/sipt-1/seed-1/results.json: ") and reason in row["status"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_what_is_no_plain_file_is_not_waited_for(tmp_path):
    write(tmp_path, seeds("sipt", 0.8, 0.9))
    file = tmp_path / "e/sipt/sipt-1/seed-1/results.json"
    file.unlink()
    os.mkfifo(file)
    assert "no plain file" in Leaderboard.from_folder(tmp_path).rows()[0]["status"]


def test_a_huge_file_is_not_read(tmp_path):
    write(tmp_path, seeds("sipt", 0.8, 0.9))
    os.truncate(tmp_path / "e/sipt/sipt-1/seed-1/results.json", 1 << 40)  # of holes
    assert "no record: 1,099,511,627,776 bytes" in Leaderboard.from_folder(tmp_path).rows()[0]["status"]


def test_an_unreadable_file_without_company_is_a_row(tmp_path):
    write(tmp_path, seeds("sipt", 0.8))
    (tmp_path / "stray").mkdir()
    (tmp_path / "stray" / "results.json").write_text("?")
    rows = Leaderboard.from_folder(tmp_path).rows()
    assert [row["n"] for row in rows] == [1, 0] and "stray/results.json" in rows[1]["status"]
    assert rows[1]["arm"] is None
    Leaderboard.from_folder(tmp_path).table()


def test_a_folder_without_runs_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere: there is no such folder"):
        Leaderboard.from_folder(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"no results.json below it; give the output_dir"):
        Leaderboard.from_folder(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="a folder is needed"):
        Leaderboard.from_folder(tmp_path / "file")


# OGB's form ###########################################################################################################

FORM = [
    *("OGB version", "Method name", "External data", "Dataset", "Test performance", "Validation performance"),
    *("Contact", "Code", "Paper", "#Params", "Tuned hyper-parameters", "Hardware", "Officiality", "Runs"),
]


def test_ogb_records_have_every_field_of_the_form():
    scores = np.linspace(0.70, 0.73, 10)
    records = seeds("sipt", *scores, device="NVIDIA H100 80GB", versions={"ogb": "1.3.6"})
    for one in records:
        one["tasks"][0] |= {"dataset": "ogbn-arxiv", "task": "ogbn-arxiv", "data": "d", "pretrain_data": "d"}
        one["pretrain"]["dataset"] = "ogbn-arxiv"
    key = "pretrain.structure_loss.temperature"
    tried = [{"settings": {key: value}, "valid": 0.5} for value in (0.1, 0.2, 0.5)]
    records[0]["grid"] = {"chosen": {key: 0.2}, "tried": tried}
    (found,) = Leaderboard(records).ogb_records()
    form = found["form"]
    assert list(form) == FORM and found["warnings"] == []
    assert form["Test performance"] == f"0.7150 ± {np.std(scores, ddof=1):.4f} (accuracy, 10 seeds, unbiased std)"
    assert form["Dataset"] == "ogbn-arxiv" and form["Hardware"] == "NVIDIA H100 80GB" and form["OGB version"] == "1.3.6"
    assert form["#Params"] == "1,241"  # encoder 1,000, pre-trained beside it 234, head 7
    assert form["Tuned hyper-parameters"] == f"{key}: [0.1, 0.2*, 0.5], fine-tuning epochs: early-stop*"
    assert all(form[name].startswith("TO BE FILLED IN") for name in ("Contact", "Code", "Paper", "Officiality"))


def test_ogb_warns_of_what_would_be_rejected():
    board = Leaderboard([*seeds("sipt", 0.7, 0.8), failed("sipt", 2), failed("lost", 0)])
    (found,) = board.ogb_records()
    assert found["warnings"][0] == "n = 2 seeds; OGB asks for 10"
    assert "cora is no OGB data set" in found["warnings"] and "1 failed: ValueError: NaN" in found["warnings"]
    text = board.table("ogb")
    assert "# warning: n = 2 seeds" in text
    (form,) = [document for document in yaml.safe_load_all(text) if document]
    assert list(form) == FORM and "# refused as an entry by the rules ten-seeds, official-data" in text
    assert "TO BE FILLED IN: what was tuned" in form["Tuned hyper-parameters"]


def test_an_arm_with_own_parts_is_compared_with_the_baseline_of_its_time():
    """The own part of the baseline changed between two runs; the arm has another, which did not."""
    base, arm = {"sources": {"mine": "1"}}, {"sources": {"loss": "a"}}
    about = {"baseline": "base", "baseline_hash": "base-1"}
    records = [
        *seeds("base", 0.5, 0.6, **base),
        *seeds("base", 0.7, 0.8, sources={"mine": "2"}),
        *seeds("sipt", 0.8, 0.9, **arm, **about, baseline_sources=base["sources"]),
    ]
    for first, said in (("1", False), ("2", True)):  # which of the baseline's two is the newest row
        for record in records:
            record["written"] = float(record["sources"].get("mine") == first)
        row = next(row for row in Leaderboard(records, "base").rows() if row["arm"] == "sipt")
        assert row["difference"] == pytest.approx(0.3)
        assert ("compared with an older row of base" in row["status"]) is said


def test_a_failed_seed_of_an_own_part_stands_in_its_row():
    own = {"sources": {"mine": "1"}}
    (row,) = Leaderboard([*seeds("sipt", 0.5, **own), failed("sipt", 1, **own)]).rows()
    assert row["n"] == 1 and row["num_failed"] == 1


def test_a_warning_of_the_form_does_not_begin_with_ok():
    board = Leaderboard([record("sipt", 0, (task(0.5),))], baseline="base")
    assert board.rows()[0]["status"].startswith("ok; not compared")
    assert "# warning: not compared: no finished run of base" in board.table("ogb")


def test_rows_hold_the_scores_of_all_metrics():
    def run(seed: int, test: float, **more) -> dict:
        return record("a", seed, ({**task(0.5), "scores": {"accuracy": {"valid": 0.4, "test": 0.5}, **more}},))

    both = [run(seed, 0.5, f1={"valid": 0.25, "test": test}) for seed, test in enumerate((0.25, 0.75))]
    board = Leaderboard(both)
    (row,) = json.loads(board.table("json"))["rows"]
    assert row["scores"]["f1"] == {
        "valid_mean": 0.25,
        "valid_std": 0.0,
        "test_mean": 0.5,
        "test_std": pytest.approx(0.125**0.5),
    }
    assert list(row["scores"]) == ["accuracy", "f1"]
    (line,) = csv.DictReader(io.StringIO(board.table("csv")))
    assert json.loads(line["scores"]) == board.rows()[0]["scores"]
    (row,) = Leaderboard([both[0], run(1, 0.5)]).rows()  # a metric that one of the seeds could not be scored by
    assert row["scores"]["f1"]["test_mean"] is None and row["scores"]["accuracy"]["test_mean"] == 0.5
    (row,) = Leaderboard([record("a", 0, (task(0.5),))]).rows()  # of before there were several
    assert row["scores"]["accuracy"]["test_mean"] == 0.5
