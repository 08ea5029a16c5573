"""Rows beside each other: against the arm that does what the baseline does and saw the same, or not at all."""

import pytest

from sigraph.leaderboard import Leaderboard

SCORES = {"objective-only": 0.68, "objective-only-inductive": 0.63, "sipt": 0.75, "sipt-inductive": 0.67}
ALL, FEW = [2708, "ab" * 6], [1208, "cd" * 6]


def record(arm, seed=0, seen=None, edges=None, **changes):
    """A run of Cora; the scores are those of the issue that asked for this."""
    score = {"dataset": "cora", "task": "topic", "head": "linear", "metric": "accuracy", "primary": True}
    score |= {"valid": 0.5, "test": SCORES.get(arm, 0.5) + 0.01 * seed**2, "num_parameters": 7, "seconds": 1.0}
    found = {"experiment": "e", "arm": arm, "seed": seed, "hash": f"{arm}-1", "status": "ok", "tasks": [score]}
    found |= {"pretrain": {"num_parameters": {"encoder": 1, "other": 0}, "seconds": 1.0}, "baseline": "objective-only"}
    if seen is not None:
        about = {"labels": "none", "graph_at_inference": False, "trials": 1}
        found["visible"] = {"inductive": "no" if seen is ALL else "yes", "samples": seen, "edges": edges, **about}
    return {**found, **changes}


def rows(*records):
    return {row["arm"]: row for row in Leaderboard(list(records)).rows()}


def test_an_inductive_arm_is_not_compared_with_a_baseline_that_saw_more():
    found = rows(record("objective-only", seen=ALL), record("sipt", seen=ALL), record("sipt-inductive", seen=FEW))
    assert found["sipt"]["difference"] == pytest.approx(0.07) and found["sipt"]["status"] == "ok"
    row = found["sipt-inductive"]
    names = ("difference", "difference_low", "rre", "rre_low", "p_value", "p_wilcoxon", "compared_with", "num_pairs")
    assert [row[name] for name in names] == [None] * 8
    assert row["status"] == "ok; not compared: saw 1,208 samples, objective-only 2,708"
    table = Leaderboard([record("objective-only", seen=ALL), record("sipt-inductive", seen=FEW)]).table()
    assert "| inductive " in table and "| transductive " in table and "not compared: saw 1,208" in table


@pytest.mark.parametrize("named", [{"baseline_arm": "objective-only-inductive"}, {}])
def test_it_is_compared_with_the_added_baseline_that_saw_the_same(named):
    """Named by the record, or found by what the added arm says of itself."""
    found = rows(
        record("objective-only", seen=ALL),
        record("objective-only-inductive", seen=FEW, baseline_of="objective-only"),
        record("sipt-inductive", seen=FEW, **named),
        record("sipt", seen=ALL),
    )
    row = found["sipt-inductive"]
    assert row["difference"] == pytest.approx(0.04) and row["compared_with"] == "objective-only-inductive"
    assert row["status"] == "ok; compared with objective-only-inductive, which saw the same"
    assert found["sipt"]["compared_with"] == "objective-only"
    assert found["objective-only-inductive"]["difference"] is None


def test_every_pair_of_seeds_has_to_have_seen_the_same():
    """Where each seed hides other samples, of one number."""
    other = [1208, "ef" * 6]
    base = [record("objective-only", seed, seen=seen) for seed, seen in enumerate((FEW, other))]
    same = [record("sipt", seed, seen=seen) for seed, seen in enumerate((FEW, other))]
    assert rows(*base, *same)["sipt"]["num_pairs"] == 2
    mixed = rows(*base, *(record("sipt", seed, seen=FEW) for seed in range(2)))["sipt"]
    assert mixed["difference"] is None and "saw other samples than objective-only" in mixed["status"]


@pytest.mark.parametrize(("ours", "theirs", "told"), [(True, True, True), (True, False, False), (None, False, True)])
def test_records_that_do_not_say_what_they_saw_are_told_apart_by_transductive(ours, theirs, told):
    said = {} if ours is None else {"transductive": ours}
    found = rows(record("objective-only", transductive=theirs), record("sipt", **said))["sipt"]
    assert (found["difference"] is not None) == told
    if not told:
        assert found["status"] == "ok; not compared: transductive, objective-only inductive"


def test_of_an_arm_of_another_kind_only_the_head_has_parameters():
    ridge = record("ridge", seen=ALL, kind="closed-form", pretrain=None)
    row = rows(record("objective-only", seen=ALL), ridge)["ridge"]
    assert (row["num_parameters"], row["seconds"], row["num_steps"], row["kind"]) == (7, 1.0, None, "closed-form")
    assert row["difference"] == pytest.approx(-0.18)


def with_head(found, head, **changes):
    return {**found, "tasks": [{**found["tasks"][0], "head": head, **changes}]}


def test_a_baseline_without_a_head_is_that_of_every_head():
    """Of the same task, data, metric and code alone, and where it saw the same."""
    edges = [5000, "aa" * 6]
    ridge = [
        with_head(record("ridge", i, ALL, edges, kind="closed-form", pretrain=None, baseline="ridge"), "–", test=0.6)
        for i in range(2)
    ]
    both = []
    for seed in range(2):
        found = record("sipt", seed, ALL, edges, baseline="ridge")
        linear, knn = (with_head(found, head)["tasks"][0] for head in ("linear", "knn"))
        both.append({**found, "tasks": [linear, {**linear, "test": 0.5}, knn]})
    board = Leaderboard([*ridge, *both, record("sipt-inductive", 0, FEW, edges, baseline="ridge")])
    found = {(row["arm"], row["head"], row["entry"]): row for row in board.rows()}
    assert found["ridge", "–", 1]["difference"] is None
    for head, entry, gain in (("linear", 1, 0.155), ("linear", 2, -0.1), ("knn", 1, 0.155)):
        row = found["sipt", head, entry]
        assert row["difference"] == pytest.approx(gain) and (row["num_pairs"], row["status"]) == (2, "ok")
        assert row["compared_with"] == "ridge" and (row["p_value"] is None) == (entry == 2)  # of equal differences
    hidden = found["sipt-inductive", "linear", 1]
    assert hidden["difference"] is None and "saw 1,208 samples, ridge 2,708" in hidden["status"]
    other = with_head(record("sipt", 0, ALL, edges, baseline="ridge"), "linear", metric="f1")
    (row,) = (row for row in Leaderboard([*ridge, other]).rows() if row["arm"] == "sipt")
    assert row["difference"] is None and "not compared: no finished run of ridge" in row["status"]


def test_why_an_arm_without_a_head_is_not_compared():
    ours = with_head(record("ridge", seen=ALL, kind="closed-form", pretrain=None), "–")
    row = rows(record("objective-only", seen=ALL), ours)["ridge"]
    assert row["status"] == "ok; not compared: objective-only predicts through a head"
    assert "not compared: no finished run of objective-only" in rows(ours)["ridge"]["status"]
