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


def test_what_never_left_its_first_epoch_is_told_another_way_out():
    def trained(arm, **more):
        task = {"task": "tox", "head": "full", "metric": "accuracy", "constant": "no", **more}
        return {"arm": arm, "tasks": [task]}

    slow, probe = hint_lines([trained("a", best_epoch=0), trained("b", best_epoch=0, head="linear", probe={"x": 1})])
    assert "a (full) said 'no'" in slow and "larger finetune.optimizer.lr" in slow and "class_weight" not in slow
    assert "b (linear) said 'no'" in probe and "class_weight: balanced" in probe
    (learned,) = hint_lines([trained("a", best_epoch=3)])
    assert "class_weight: balanced" in learned
