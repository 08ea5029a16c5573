"""An arm that says one class of everything is named, with the way out; majority means to."""

from sigraph.leaderboard.hints import hint_lines


def record(arm, constant, head="linear", metric="accuracy", **more):
    return {"arm": arm, "tasks": [{"task": "tox", "head": head, "metric": metric, "constant": constant}], **more}


def test_arms_that_never_leave_the_commonest_class_are_named_once():
    records = [
        record("sipt", "no"),
        record("sipt", "no"),
        record("objective-only", None),
        record("none", "no", "full"),
        record("majority", "no", kind="closed-form"),
        record("ranked", "no", metric="rocauc"),
        {"arm": "failed", "tasks": []},
    ]
    (line,) = hint_lines(records)
    assert "'tox': sipt (linear), none (full) said 'no'" in line and "class_weight: balanced" in line
    assert hint_lines(records, "other") == []
