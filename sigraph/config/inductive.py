"""The meanings of ``pretrain.inductive``: what of a data set a pre-training does not see."""

from __future__ import annotations

import re
from typing import Any

from sigraph.config.location import Place
from sigraph.files.suggestions import did_you_mean

Inductive = bool | str | dict[str, Any]

# As records and tables call them, and what pre-training sees.
MEANINGS = {
    "no": "all samples and edges, without labels",
    "yes": "no sample that a task of the data set validates or tests on, and none of its edges",
    "test": "no sample that a task tests on, and none of its edges",
    "edges": "all samples, but no edge of one that a task validates or tests on",
    "outside-train": "samples that a task of the data set trains on and none validates or tests on, and the edges "
    "among them: what is in no split is not seen either",
    "share": "all but this share of each task's test samples, and none of their edges; hidden and seen ones are scored "
    "apart",
    "tasks": "no sample that one of these tasks validates or tests on, and none of its edges",
}
WORDS = ("test", "edges", "outside-train")  # as a YAML says them, beside false, true and what is in braces
IN_BRACES = ("share", "tasks")
# For the reference of keys.
KINDS = "`false`, `true`, `test`, `edges`, `outside-train`, `{share: s}`, s in (0, 1), or `{tasks: [name, ...]}`"


def checked_inductive(value: Any, place: Place) -> Inductive:
    """A value of ``inductive`` as it is kept; shares are floats, names of tasks are sorted.

    Raises:
        ConfigError: It is none.
    """
    kinds = "false, true, test, edges, outside-train, {share: s} with s in (0, 1) or {tasks: [name, ...]}"
    need = f"{str(place)!r} needs to be {kinds}"
    if isinstance(value, bool) or (isinstance(value, str) and value in WORDS):
        return value
    if isinstance(value, str):
        way = (
            "; leave the quotes out"
            if value.lower() in ("true", "false")
            else did_you_mean(value, [*WORDS, *IN_BRACES])
        )
        raise place.error(f"{need} (got {value!r}){way}")
    if not isinstance(value, dict):
        raise place.error(f"{need} (got {value!r})")
    if list(value) not in [[name] for name in IN_BRACES]:
        unknown = next((str(name) for name in value if name not in IN_BRACES), "both" if value else "nothing")
        raise place.error(f"{need} (got {unknown!r} in it){did_you_mean(unknown, IN_BRACES)}")
    if "tasks" in value:
        names = value["tasks"]
        if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
            raise place.error(f"{need} (got tasks of {names!r})")
        return {"tasks": sorted(set(names))}
    share = value["share"]
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
        way = "; all of them: inductive: test; none: false" if share in (0, 1) else ""
        raise place.error(f"{need} (got a share of {share!r}){way}")
    return {"share": float(share)}


def meaning(value: Inductive) -> str:
    """A value as records and tables say it: a word of :data:`MEANINGS`, behind some of them how large or which."""
    if isinstance(value, dict):
        return f"tasks {', '.join(value['tasks'])}" if "tasks" in value else f"share {value['share']:g}"
    return value if isinstance(value, str) else "yes" if value else "no"


def arm_suffix(value: Inductive) -> str:
    """What the name of an arm ends with that differs by this value alone."""
    word = meaning(value)
    given = {"no": "transductive", "yes": "inductive"}
    return given.get(word) or "inductive-" + re.sub(r"[^\w.]+", "-", word)


def share_of(value: Inductive) -> float | None:
    """The share of the test samples that is hidden, and scored apart; None: another word says what is hidden."""
    return value.get("share") if isinstance(value, dict) else None


def hides_for(value: Inductive, task: str) -> bool:
    """Whether what a task validates or tests on is hidden for its sake."""
    return not isinstance(value, dict) or task in value.get("tasks", [task])
