"""What the record of a run holds: one table of fields, which every record is checked against before it is used.

A field is a line below. It may be left out unless it is required, and others may stand beside it; what nobody reads
harms nobody. Adding a field that something reads is adding its line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

FORMAT = 2  # of the records that are written; 1, which says no number, is that of sigraph 0.1.0
MOST_BYTES = 1 << 26  # of a record's file: 64 MB
LARGEST = 1e100  # of a number, either way: its square is still one
MOST_LEVELS = 32  # of settings in settings
PRETRAINED, CLOSED_FORM, REFERENCE = KINDS = "pretrained", "closed-form", "reference"  # what an arm does
NO_HEAD = "–"  # of an arm that pre-trains nothing, where others say linear, full or knn
_SHA256 = re.compile("[0-9a-f]{64}")
_HEXADECIMAL = re.compile("[0-9a-f]{8,64}")
_INDUCTIVE = re.compile(r"no|yes|test|edges|outside-train|share (0?\.[0-9]{1,17}|1(\.0)?)|tasks \S.*")
OK, FAILED, UNFINISHED, UNREADABLE = "ok", "failed", "unfinished", "unreadable"

Check = Callable[[Any, str], str | None]  # a value and its dotted place -> what is wrong with it


# Kinds ################################################################################################################


def _kind(needed: str, fits: Callable[[Any], bool]) -> Check:
    def check(value: Any, where: str) -> str | None:
        return None if fits(value) else f"'{where}' needs {needed} (got {shown(value)})"

    return check


def _or_none(kind: Check) -> Check:
    return lambda value, where: None if value is None else kind(value, where)


def _each(kind: Check) -> Check:
    def check(value: Any, where: str) -> str | None:
        if not isinstance(value, list | tuple):
            return f"'{where}' needs a list (got {shown(value)})"
        return _first(kind(item, f"{where}.{i}") for i, item in enumerate(value))

    return check


def _named(kind: Check) -> Check:
    """A mapping of texts to values of one kind."""

    def check(value: Any, where: str) -> str | None:
        if not isinstance(value, dict):
            return f"'{where}' needs a mapping (got {shown(value)})"
        return _first(TEXT(name, where) or kind(item, f"{where}.{name}") for name, item in value.items())

    return check


def _table(required: Mapping[str, Check], optional: Mapping[str, Check]) -> Check:
    """A mapping with these fields."""

    def check(value: Any, where: str) -> str | None:
        if not isinstance(value, dict):
            return (
                f"'{where}' needs a mapping (got {shown(value)})"
                if where
                else f"a mapping is needed (got {shown(value)})"
            )
        at = f"{where}." if where else ""
        wrong = _first(f"'{at}{name}' is missing" for name in required if name not in value)
        fields = {**required, **optional}
        return wrong or _first(kind(value[name], f"{at}{name}") for name, kind in fields.items() if name in value)

    return check


def _first(found: Any) -> str | None:
    return next((wrong for wrong in found if wrong), None)


def _is_text(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a pair: JSON can say it, no terminal or file can take it
        return False
    return True


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def _is_number(value: Any) -> bool:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and (isinstance(value, int) or math.isfinite(value)) and -LARGEST <= value <= LARGEST


def _is_setting(value: Any, levels: int = MOST_LEVELS) -> bool:
    """Whether it is what a YAML can hold: plain values, lists and mappings of them."""
    if isinstance(value, dict | list | tuple):
        items = value.values() if isinstance(value, dict) else value
        names = value if isinstance(value, dict) else ()
        return levels > 0 and all(map(_is_text, names)) and all(_is_setting(item, levels - 1) for item in items)
    if isinstance(value, int):
        return -(1 << 63) <= value < 1 << 63
    return value is None or _is_text(value) or (isinstance(value, float) and math.isfinite(value))


def _is_seen(value: Any) -> bool:
    pair = isinstance(value, list | tuple) and len(value) == 2
    return pair and _is_count(value[0]) and isinstance(value[1], str) and bool(_HEXADECIMAL.fullmatch(value[1]))


def _is_file_name(value: Any, ending: str = ".parquet") -> bool:
    return _is_text(value) and value.endswith(ending) and value.isprintable() and not set(value) & set("/\\")


def _is_component(value: Any) -> bool:
    return isinstance(value, dict) and _is_text(value.get("_target_")) and _is_setting(value)


TEXT = _kind("text", _is_text)
SUM = _kind("a SHA-256 in hexadecimal", lambda value: isinstance(value, str) and bool(_SHA256.fullmatch(value)))
FLAG = _kind("true or false", lambda value: isinstance(value, bool))
COUNT = _kind("a whole number >= 0", _is_count)
NUMBER = _kind(f"a number within ±{LARGEST:g}", _is_number)
SECONDS = _kind("a number >= 0", lambda value: _is_number(value) and value >= 0)
EPOCH = _kind("a whole number >= -1", lambda value: (value == -1 and type(value) is int) or _is_count(value))
SETTING = _kind("plain values", _is_setting)
COMPONENT = _kind("a mapping with '_target_'", _is_component)
SOURCE = _kind("a name, a path, or a mapping with '_target_'", lambda value: _is_text(value) or _is_component(value))
GRAPH = _kind("a name or a mapping", lambda value: _is_text(value) or (isinstance(value, dict) and _is_setting(value)))
STATUS = _kind(f"one of {OK}, {FAILED}, {UNFINISHED}", lambda value: value in (OK, FAILED, UNFINISHED))
MAYBE_TEXT, MAYBE_NUMBER, MAYBE_COUNT = _or_none(TEXT), _or_none(NUMBER), _or_none(COUNT)
SOURCES = _or_none(_named(TEXT))  # module -> hash
KIND = _kind(f"one of {', '.join(KINDS)}", lambda value: value in KINDS)
INDUCTIVE = _kind(
    "one of no, yes, test, edges, outside-train, share <number>, tasks <names>",
    lambda value: isinstance(value, str) and bool(_INDUCTIVE.fullmatch(value)),
)
LABELS = _kind("one of none, train, all", lambda value: value in ("none", "train", "all"))
SEEN = _kind("a count and a digest in hexadecimal", _is_seen)
FILE_NAME = _kind("the name of a .parquet file", _is_file_name)
HEAD_NAME = _kind("the name of a .json file", lambda value: _is_file_name(value, ".json"))
MODEL_NAME = _kind("the name of a .safetensors file", lambda value: _is_file_name(value, ".safetensors"))
FORMAT_NUMBER = _kind(f"a whole number from 1 to {FORMAT}", lambda value: _is_count(value) and 1 <= value <= FORMAT)


# Fields ###############################################################################################################

_MADE_BY = {"format": FORMAT_NUMBER, "version": TEXT, "commit": MAYBE_TEXT, "sources": SOURCES}
_BOUND = {
    **dict.fromkeys(("radius", "positive_loss", "negative_loss"), NUMBER),
    **dict.fromkeys(("edges_outside", "non_edges_inside", "counted_outside", "counted_inside"), COUNT),
}
_CERTIFICATE = {
    "loss": MAYBE_TEXT,
    "measure": TEXT,
    **dict.fromkeys(("num_samples", "num_edges", "num_non_edges", "num_anchors"), COUNT),
    "complete": FLAG,
    "bound": _or_none(_table({}, _BOUND)),
    **dict.fromkeys(("recovered", "hit_rate", "auc", "auc_error", "radius"), MAYBE_NUMBER),
    **dict.fromkeys(("overlap", "overlap_slack", "local_consistency", "accuracy", "vote_accuracy"), MAYBE_NUMBER),
    **dict.fromkeys(("edges_outside", "non_edges_inside"), MAYBE_COUNT),
    "label_type": MAYBE_TEXT,
}
PRETRAIN = _table(
    {"num_parameters": _table({"encoder": COUNT, "other": COUNT}, {}), "seconds": SECONDS},
    {
        **_MADE_BY,
        "data": TEXT,
        "settings": TEXT,
        "seed": COUNT,
        "dataset": SOURCE,
        "graph": GRAPH,
        "transductive": FLAG,
        **dict.fromkeys(("num_steps", "num_nodes", "num_edges", "num_edges_held_out"), COUNT),
        "features": _or_none(_each(TEXT)),
        "reader": COMPONENT,
        "reader_sha256": SUM,
        "encoder": COMPONENT,
        "encoder_sha256": SUM,
        "encoder_from": TEXT,
        "validation": _each(_named(MAYBE_NUMBER)),
        "certificate": _or_none(_table({}, _CERTIFICATE)),
    },
)
_LEAKAGE = {
    **dict.fromkeys(("num_affected", "num_test"), COUNT),
    "test_without": MAYBE_NUMBER,
    **dict.fromkeys(("reason", "label_edges"), MAYBE_TEXT),
}
_SCORED = {
    **dict.fromkeys(("dataset", "task", "head", "metric"), TEXT),
    **dict.fromkeys(("valid", "test"), NUMBER),
    "num_parameters": COUNT,
    "seconds": SECONDS,
}
_SCORES = _table({}, dict.fromkeys(("valid", "test"), MAYBE_NUMBER))
_REPEAT = _table({"valid": NUMBER, "test": NUMBER}, {"best_epoch": EPOCH})
_PREDICTIONS = _table({"file": FILE_NAME, "sha256": SUM}, {})
_TRAINED_HEAD = _table({"file": HEAD_NAME, "sha256": SUM}, {})
_MODEL = _table({"file": MODEL_NAME, "sha256": SUM, "kept": TEXT}, {})
_ABOUT_SCORED = {
    **_MADE_BY,
    **dict.fromkeys(("data", "pretrain_data"), TEXT),
    "settings": TEXT,
    "seed": COUNT,
    "encoder_sha256": _or_none(SUM),
    "greater_is_better": FLAG,
    "best_epoch": EPOCH,
    "leakage": _or_none(_table({}, _LEAKAGE)),
    "scores": _named(_SCORES),
    "repeats": _or_none(_each(_REPEAT)),
    "predictions": _or_none(_PREDICTIONS),
    "constant": MAYBE_TEXT,
    "trained_head": _or_none(_TRAINED_HEAD),
    "model": _or_none(_MODEL),
    **dict.fromkeys(("test_hidden", "test_seen"), MAYBE_NUMBER),
}
SCORED = _table(_SCORED, _ABOUT_SCORED)  # a fine-tuning as it is kept by itself
TASK = _table({**_SCORED, "primary": FLAG}, _ABOUT_SCORED)
_TRIED = _table({"settings": _named(SETTING)}, {"valid": MAYBE_NUMBER, "reason": TEXT})
GRID = _table(
    {"chosen": _named(SETTING), "tried": _each(_TRIED)},
    {
        **_MADE_BY,
        **dict.fromkeys(("data", "task_data", "settings", "task", "head"), TEXT),
        "metric": MAYBE_TEXT,
        "seed": COUNT,
    },
)
_DRAWN = _table(
    {"settings": _named(SETTING), "valid": MAYBE_NUMBER},
    {
        "scores": _each(NUMBER),
        **dict.fromkeys(("spread", "spread_redraws"), MAYBE_NUMBER),
        "seconds": SECONDS,
        "reason": TEXT,
    },
)
SEARCH = _table(
    {"chosen": _named(SETTING), "tried": _each(_DRAWN), "space": _named(SETTING), "seeds": _each(COUNT)},
    {
        **_MADE_BY,
        **dict.fromkeys(("experiment", "arm", "data", "task_data", "settings", "task", "head", "metric"), TEXT),
        "greater_is_better": FLAG,
        **dict.fromkeys(("redraws", "num_asked"), COUNT),
    },
)
VISIBLE = _table(
    {
        "inductive": INDUCTIVE,
        "samples": SEEN,
        "edges": _or_none(SEEN),
        "labels": LABELS,
        "graph_at_inference": FLAG,
        "trials": COUNT,
    },
    {"reads_samples": FLAG},
)
_RUN = {
    **dict.fromkeys(("experiment", "arm", "hash"), TEXT),
    "seed": COUNT,
    "status": STATUS,
    "tasks": _each(TASK),
}
_ABOUT_RUN = {
    "format": FORMAT_NUMBER,
    "kind": KIND,
    "visible": _or_none(VISIBLE),
    "reason": MAYBE_TEXT,
    "traceback": MAYBE_TEXT,
    "arms": _each(TEXT),
    **dict.fromkeys(("baseline", "baseline_arm", "baseline_hash", "baseline_of"), MAYBE_TEXT),
    "baseline_sources": SOURCES,
    "grid": _or_none(GRID),
    "search": _or_none(SEARCH),
    "pretrain": PRETRAIN,
    "transductive": _or_none(FLAG),
    **dict.fromkeys(("data", "commit", "device", "command"), MAYBE_TEXT),
    "sources": SOURCES,
    "versions": _named(TEXT),
    **dict.fromkeys(("peak_memory_mb", "wall_seconds"), SECONDS),
    "written": NUMBER,  # added when it is read, as is its folder
    "folder": _kind("a path", lambda value: isinstance(value, str)),  # of any characters
}
RUN = _table(_RUN, _ABOUT_RUN)
FINISHED_RUN = _table({**_RUN, "pretrain": PRETRAIN}, _ABOUT_RUN)
# An arm of another kind pre-trains nothing.
RUN_WITHOUT = _table(_RUN, {**_ABOUT_RUN, "pretrain": _kind("null in an arm of its kind", lambda value: value is None)})
# One that was not read stands for itself under the names that are known of it.
UNREADABLE_RUN = _table(
    {
        **dict.fromkeys(("experiment", "arm", "hash"), MAYBE_TEXT),
        "seed": MAYBE_COUNT,
        "reason": TEXT,
        "tasks": _each(TASK),
    },
    {"written": NUMBER},
)


def misfit(record: Any, needed: Sequence[str] = ()) -> str | None:
    """What is wrong with the record of a run: the field, what it needs, what came; None if nothing is.

    Args:
        record: Whatever was read or given.
        needed: Dotted names of further fields that it cannot do without, if the run ended well.
    """
    done = isinstance(record, dict) and record.get("status") == OK
    without = isinstance(record, dict) and record.get("kind") in (CLOSED_FORM, REFERENCE)
    wrong = (RUN_WITHOUT if without else FINISHED_RUN if done else RUN)(record, "")
    return wrong or _first(f"'{name}' is missing" for name in needed if done and not _holds(record, name))


def _holds(record: Any, dotted: str) -> bool:
    for part in dotted.split("."):
        if not isinstance(record, dict) or record.get(part) is None:
            return False
        record = record[part]
    return True


def shown(value: Any) -> str:
    """A value in an error, however large or deep it is."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return repr(value) if len(value) <= 60 else f"{value[:60]!r}..."
    if isinstance(value, int):
        return str(value) if abs(value) < 10**30 else f"a whole number of {value.bit_length()} bits"
    if isinstance(value, float):
        return repr(value)
    kinds = ((dict, "a mapping"), (list | tuple, "a list"))
    return next((words for kind, words in kinds if isinstance(value, kind)), type(value).__name__)
