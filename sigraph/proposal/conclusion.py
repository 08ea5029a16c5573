"""From a learning curve to an answer: its table, and what to do, in plain sentences."""

from __future__ import annotations

from dataclasses import dataclass

from sigraph.proposal.advice import RAW, RIDGE, Findings
from sigraph.proposal.curve_shown import duration, gain_said, labels_said, listed, number_said
from sigraph.proposal.learning_curve import Point
from sigraph.proposal.short_run import ShortRun

PRE_TRAIN, CLOSED_FORM, NO, LOOK_FIRST = "pre-train", "closed form", "no", "look first"


@dataclass
class Conclusion:
    """The answer to "should I?".

    Args:
        verdict: ``pre-train``; ``closed form``: the graph helps, and ridge does as well as a pre-training; ``no``;
            ``look first``: the audit is suspicious.
        sentences: Why, from the fewest labels to the cost.
    """

    verdict: str
    sentences: list[str]


def conclude(found: Findings, suspicious: str = "") -> Conclusion:
    """Read the curve.

    A gain is certain where its interval leaves out 0. Pre-training is worth its time where it is certainly better than
    the baseline and nowhere certainly worse than a closed form at that number of labels, and where ridge, if it can be
    asked, is not as good at every number.

    Args:
        found: What the short look gave.
        suspicious: The reason of an audit that is suspicious; empty: it is not.
    """
    sentences = [_fewest(found), _where_certain(found), *_closed_forms(found), _cost(found), _honest(found)]
    verdict = _verdict(found)
    if suspicious:
        verdict = LOOK_FIRST
        sentences.insert(
            0, f"The audit is suspicious: {suspicious}. No figure here says much until that is understood."
        )
    return Conclusion(verdict, [one for one in sentences if one])


def _verdict(found: Findings) -> str:
    arm, points = found.arm, found.curve.points
    own = _signs(found, arm, found.baseline)
    beaten = [min(_sign(point, (arm, other)) for other in (RAW, RIDGE)) < 0 for point in points]
    worth = any(sign > 0 and not lost for sign, lost in zip(own, beaten, strict=True))
    of_ridge = _signs(found, RIDGE, RAW)
    ridge_helps = 1 in of_ridge
    if ridge_helps and 1 not in _signs(found, arm, RIDGE):
        return CLOSED_FORM
    return PRE_TRAIN if worth else NO


def _sign(point: Point, pair: tuple[str, str]) -> int:
    return point.gains[pair].sign if pair in point.gains else 0


def _signs(found: Findings, ours: str, theirs: str) -> list[int]:
    return [_sign(point, (ours, theirs)) for point in found.curve.points]


# Sentences ############################################################################################################


def _fewest(found: Findings) -> str:
    point, metric = found.curve.points[0], found.curve.task.metric
    gain = point.gains[found.arm, found.baseline]
    how = {1: "better than", -1: "worse than", 0: "not certainly different from"}[gain.sign]
    scores = f"{number_said(found, point.mean[found.arm])} against {number_said(found, point.mean[found.baseline])}"
    return (
        f"With {labels_said(point)}, {found.arm} is {how} {found.baseline}: {metric} {scores}, "
        f"{gain_said(found, gain, 'a gain of')}."
    )


def _where_certain(found: Findings) -> str:
    points, signs = found.curve.points, _signs(found, found.arm, found.baseline)
    if len(points) == 1:
        return ""
    lost = [i for i, sign in enumerate(signs) if sign < 0]
    said = f" With {listed(points, lost)} it is certainly worse." if lost else ""
    if 1 not in signs:
        return f"At no number of labels is a gain certain.{said}"
    if min(signs) > 0:
        return f"The gain is certain at every number of labels, up to all {points[-1].size.num_labels:,}."
    last = max(i for i, sign in enumerate(signs) if sign > 0)
    if signs[: last + 1] == [1] * (last + 1):
        after = points[last + 1]
        return (
            f"The gain is certain up to {labels_said(points[last])}, and no longer from {labels_said(after)} on.{said}"
        )
    return f"The gain is certain with {listed(points, [i for i, sign in enumerate(signs) if sign > 0])} alone.{said}"


def _closed_forms(found: Findings) -> list[str]:
    out = []
    for name, reason in found.left_out.items():
        out.append(f"{name} is left out: it {reason}.")
    if RIDGE not in found.left_out:
        out.append(_ridge(found))
    if RAW not in found.left_out:
        out.append(_raw(found))
    return out


def _raw(found: Findings) -> str:
    points, arm = found.curve.points, found.arm
    gain = gain_said(found, points[0].gains[arm, RAW], "a gain of")
    said = f"Over {RAW}, a linear model on the samples themselves, {arm} has {gain} with {labels_said(points[0])}"
    lost = [i for i, sign in enumerate(_signs(found, arm, RAW)) if sign < 0]
    if lost:
        said += (
            f"; with {listed(points, lost)} it is certainly worse: another encoder or more epochs have to come first"
        )
    return f"{said}."


def _ridge(found: Findings) -> str:
    points, arm = found.curve.points, found.arm
    own, against = _signs(found, RIDGE, RAW), _signs(found, arm, RIDGE)
    spent = found.curve.seconds[RIDGE]
    what = f"{RIDGE}, a closed form with the same graph ({max(spent, 1):.0f} s, no graph at inference),"
    first = points[0].gains[RIDGE, RAW]
    gain = f"{gain_said(found, first, 'gains')} over {RAW} with {labels_said(points[0])}"
    if 1 not in own:
        gain += ", and nothing certain at any number of labels"
    ahead, behind = ([i for i, sign in enumerate(against) if sign == side] for side in (1, -1))
    if ahead and behind:
        compared = (
            f"{arm} is certainly better than it with {listed(points, ahead)}, worse with {listed(points, behind)}"
        )
    elif ahead:
        compared = f"{arm} is certainly better than it with {listed(points, ahead)}"
    elif behind:
        compared = f"it is certainly better than {arm} with {listed(points, behind)}, and nowhere certainly worse"
    else:
        compared = f"it has the same as {arm}: no difference is certain"
    return f"{what} {gain}; {compared}."


def _cost(found: Findings) -> str:
    config, runs = found.config, found.runs
    one = ", ".join(f"{name} {duration(run.whole_seconds)}" for name, run in runs.items() if run.whole_epochs)
    total = sum(run.whole_seconds for run in runs.values()) * len(config.seeds)
    epochs = runs[found.arm].whole_epochs
    seeds = f"{len(config.seeds)} seeds" if len(config.seeds) > 1 else "1 seed"
    return (
        f"The whole pre-training, {epochs} epochs, costs here a seed: {one}; both with {seeds}: {duration(total)}. "
        "Other arms and fine-tuning come on top."
    )


def _honest(found: Findings) -> str:
    run: ShortRun = found.runs[found.arm]
    said = f"The run was as long as the experiment's own, {run.epochs} epochs, with one seed."
    if run.epochs < run.whole_epochs:
        said = (
            f"This was a short run, {run.epochs} of {run.whole_epochs} epochs ({run.num_steps:,} steps) of both with "
            "one seed: what it does not show may come with a longer one, and what the baseline lacks as well."
        )
    if not found.config.arm(found.arm).pretrain.inductive:
        said += (
            " Pre-training saw the validation samples, without their labels; pretrain.inductive=true asks about those "
            "that come later."
        )
    return said
