"""Lay plain containers over one another, checked against a schema of dataclasses.

A *tree* is a plain dict that follows a dataclass. Defaults, a base file, a file, an override and an arm are all laid
over a tree by the same two functions: :func:`overlay` takes a whole value, :func:`put` one value at a dotted path.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import re
from collections.abc import Callable
from dataclasses import MISSING
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from sigraph.config.location import Place, plain
from sigraph.files.foreign_text import is_key
from sigraph.files.suggestions import did_you_mean

Component = dict[str, Any]
DataSource = str | Component  # a name, a path, or a world
Keys = tuple[str, ...]

DATASET_GRAPH = "sigraph.graphs.DatasetGraph"
WORLDS = "sigraph.synthetic"
LOSSES, JOINT_LOSS = "sigraph.losses", "sigraph.losses.JointLoss"  # a list of losses is one
ENCODERS, FROM = "sigraph.encoders", "from"  # an encoder may be that of a folder: {from: FOLDER}
_LARGEST = 10**300  # of integers that are read as floats
_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_NAMES: dict[Any, str] = {int: "an int", float: "a float", str: "a str", bool: "true or false"}


def key(
    default: Any = MISSING,
    *,
    low: float | None = None,
    high: float | None = None,
    below: float | None = None,
    one_of: tuple[str, ...] = (),
    home: str = "",
    partial: bool = False,
    most: int | None = None,
    words: bool = False,
    check: Callable[[Any, Place], Any] | None = None,
    is_said: str = "",
) -> Any:
    """A field of a schema dataclass.

    Args:
        default: Its default; none makes the key required. Mutable ones are copied.
        low: Smallest allowed value.
        high: Largest allowed value.
        below: Smallest value that is too large.
        one_of: The allowed texts.
        home: Makes the key a component; the package that bare class names refer to, e.g. ``sigraph.losses``.
        partial: A mapping without ``_target_`` is fine: it changes arguments of a component elsewhere.
        most: Entries of a list or mapping at most.
        words: Text for people, which may hold anything, ``${`` of a formula too.
        check: Takes the place of all other checks: the value and its place -> the value as it is kept.
        is_said: What it may be, for the reference of keys, where the type does not say it.
    """
    metadata: dict[str, Any] = {"low": low, "high": high, "below": below, "one_of": one_of, "home": home}
    metadata |= {"partial": partial, "most": most, "words": words, "check": check, "is_said": is_said}
    if isinstance(default, dict | list):
        return dataclasses.field(default_factory=lambda: copy.deepcopy(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def overlay(hint: Any, base: Any, new: Any, place: Place, meta: Any = None) -> Any:
    """The value ``new``, checked against the type ``hint`` and laid over ``base``. Neither argument is changed.

    Sections and components merge deeply (a component whose ``_target_`` changes starts afresh, and so does one given
    as a bare name), lists and plain values replace. Null takes a section back to its defaults, and empties a mapping.

    Raises:
        ConfigError: An unknown key, a wrong type, a value out of range.
    """
    meta = meta or {}
    hint, optional = _strip_none(hint)
    if meta.get("check"):
        return meta["check"](plain(new, place), place)
    if new is None and (optional or hint is Any):
        return None
    if dataclasses.is_dataclass(hint):
        return fresh(hint) if new is None else _overlay_section(hint, base, new, place)
    if hint is Any:
        return plain(new, place)
    if meta.get("home"):
        return _overlay_component(meta["home"], base, new, place, meta.get("partial", False))
    if get_origin(hint) is list:
        if not isinstance(new, list):
            raise place.error(f"{str(place)!r} needs to be a list (got {new!r})")
        _check_number(new, place, meta)
        (item,) = get_args(hint)
        return [overlay(item, None, value, place / i, meta) for i, value in enumerate(new)]
    if get_origin(hint) is dict:
        merged = {} if new is None else _overlay_mapping(hint, base, new, place)
        _check_number(merged, place, meta)
        return merged
    return _scalar(hint, new, place, meta, optional)


def put(hint: Any, base: Any, keys: Keys, value: Any, place: Place, meta: Any = None) -> Any:
    """``base`` with ``value`` laid over what stands at the path ``keys``. No argument is changed.

    Raises:
        ConfigError: The path does not exist in the schema, or the value does not fit there.
    """
    if not keys:
        return overlay(hint, base, value, place, meta)
    head, rest = keys[0], keys[1:]
    hint, _ = _strip_none(hint)
    if meta and meta.get("check"):
        return overlay(hint, base, _nest({}, keys, value, place), place, meta)
    if dataclasses.is_dataclass(hint):
        known, known_meta = _lookup(hint, head, place)
        base = base or fresh(hint)
        return {**base, head: put(known, base.get(head), rest, value, place / head, known_meta)}
    if meta and meta.get("home"):
        if not isinstance(base, dict):  # null, or a data set's name
            if head != "_target_" and not meta.get("partial"):
                what = "null" if base is None else repr(base)
                raise place.error(f"{str(place)!r} is {what}, so it has no {head!r}; set '{place}._target_' first")
            base = {}
        afresh = head == "_target_" or (meta["home"] == ENCODERS and head == FROM)
        target = {"_target_": base["_target_"]} if "_target_" in base and not afresh else {}
        return overlay(hint, base, {**target, **_nest(base, keys, value, place)}, place, meta)
    if get_origin(hint) is list:
        index = _index(base, head, place)
        changed = list(base)
        changed[index] = put(get_args(hint)[0], base[index], rest, value, place / head, meta)
        return changed
    if get_origin(hint) is dict:  # name -> {dotted key: value}; the names may hold dots themselves
        spelled = ".".join(keys)
        if _holds_lists(hint) or get_args(hint)[1] is Any:
            return overlay(hint, base, {spelled: value}, place, meta)
        names = [name for name in base or {} if spelled == name or spelled.startswith(f"{name}.")]
        name = max(names, key=len, default=head)
        dotted = spelled[len(name) + 1 :]
        return overlay(hint, base, {name: {dotted: value} if dotted else value}, place, meta)
    raise place.error(f"{str(place)!r} is {_NAMES[hint]}; it has no key {head!r}")


def fresh(schema: Any) -> dict[str, Any]:
    """The tree of a schema's defaults; required keys are absent."""
    tree = {}
    for field in dataclasses.fields(schema):
        if field.default_factory is not MISSING:
            value = field.default_factory()
            is_section = dataclasses.is_dataclass(value) and not isinstance(value, type)
            tree[field.name] = dataclasses.asdict(value) if is_section else value
        elif field.default is not MISSING:
            tree[field.name] = field.default
    return tree


def construct(hint: Any, tree: Any, place: Place) -> Any:
    """The typed object of a tree.

    Raises:
        ConfigError: A required key is missing.
    """
    hint, optional = _strip_none(hint)
    if optional and tree is None:
        return None
    if get_origin(hint) is list and tree is not None:
        return [construct(get_args(hint)[0], item, place / i) for i, item in enumerate(tree)]
    if get_origin(hint) is dict and dataclasses.is_dataclass(get_args(hint)[1]):
        return {name: construct(get_args(hint)[1], item, place / name) for name, item in tree.items()}
    if not (isinstance(hint, type) and dataclasses.is_dataclass(hint)):
        return copy.deepcopy(tree)
    values = {}
    for name, kind in _hints(hint).items():
        if name not in tree:
            raise place.error(f"{str(place / name)!r} is missing; it has no default")
        values[name] = construct(kind, tree[name], place / name)
    try:
        return hint(**values)
    except ValueError as error:  # what one key alone does not tell
        raise place.error(str(error)) from error


def _overlay_section(schema: Any, base: Any, new: Any, place: Place) -> dict[str, Any]:
    if not isinstance(new, dict):
        raise place.error(f"{str(place)!r} needs to be a mapping with keys {_listed(schema)} (got {new!r})")
    tree = copy.deepcopy(base) if base else fresh(schema)
    for name, value in new.items():
        hint, meta = _lookup(schema, name, place)
        tree[name] = overlay(hint, tree.get(name), value, place / name, meta)
    return tree


def _overlay_component(home: str, base: Any, new: Any, place: Place, partial: bool = False) -> DataSource:
    if isinstance(new, str) and new:
        name = plain(new, place)
        if home == WORLDS:
            return name
        if home == "sigraph.graphs":
            return {"_target_": DATASET_GRAPH, "name": name}
        return {"_target_": _dotted(home, name, place)}
    if isinstance(new, list) and home == LOSSES:
        new = _weighted(new, place)
    if not isinstance(new, dict):
        what = "the name or path of a data set" if home == WORLDS else "a class name"
        way = "; put quotes around it" if home == WORLDS and type(new) in (int, float) else ""
        raise place.error(f"{str(place)!r} needs to be {what} or a mapping with '_target_' (got {new!r}){way}")
    base, new = base if isinstance(base, dict) else {}, plain(new, place)
    if home == ENCODERS and (FROM in new or (FROM in base and "_target_" not in new)):
        return _of_folder(base, new, place)
    if "_target_" in new:
        new["_target_"] = _dotted(home, new["_target_"], place / "_target_")
    elif home == "sigraph.graphs" and (not base or ("name" in new and "name" not in base)):
        new["_target_"] = DATASET_GRAPH
    merged = _merge(base, new)
    if "_target_" not in merged:
        if partial and merged:
            return merged
        raise place.error(f"{str(place)!r} needs '_target_', the class to build, e.g. {home}.… (got {new!r})")
    return {"_target_": merged.pop("_target_"), **merged}


def _weighted(new: list[Any], place: Place) -> Component:
    """Several losses, each with its ``weight``, as one."""
    if not new:
        raise place.error(f"{str(place)!r} needs at least one loss (got [])")
    parts = [{"_target_": one} if isinstance(one, str) else one for one in new]
    losses = [_overlay_component(LOSSES, None, part, place / i) for i, part in enumerate(parts)]
    weights = [loss.pop("weight", 1.0) for loss in losses if isinstance(loss, dict)]
    return {"_target_": JOINT_LOSS, "losses": losses, "weights": weights}


def _of_folder(base: Component, new: Component, place: Place) -> Component:
    """An encoder that a folder holds."""
    folder, others = new.get(FROM, base.get(FROM)), [name for name in new if name != FROM]
    if others:
        raise (place / others[0]).error(
            f"{str(place / others[0])!r} does not act beside '{place}.{FROM}': the folder says what the encoder is; "
            "leave one of them out"
        )
    if not isinstance(folder, str) or not folder:
        raise (place / FROM).error(f"'{place}.{FROM}' needs the folder of a run, or of an encoder (got {folder!r})")
    return {FROM: folder}


def _overlay_mapping(hint: Any, base: Any, new: Any, place: Place) -> dict[str, Any]:
    if not isinstance(new, dict):
        raise place.error(f"{str(place)!r} needs to be a mapping (got {new!r})")
    mapping = copy.deepcopy(base) if base else {}
    for name, value in new.items():
        if not isinstance(name, str):
            raise place.error(f"{str(place)!r} needs text as keys; put quotes around {name!r}")
        item = get_args(hint)[1]
        if item is Any or dataclasses.is_dataclass(item):
            mapping[name] = overlay(item, mapping.get(name), value, place / name)
            continue
        value = plain({} if value is None else value, place / name)
        if _holds_lists(hint):
            if not isinstance(value, list):
                raise (place / name).error(f"{str(place / name)!r} needs to be a list of values to try (got {value!r})")
            mapping[name] = value
            continue
        if not isinstance(value, dict):
            raise (place / name).error(f"{str(place / name)!r} needs to be a mapping (got {value!r})")
        mapping[name] = _merge(mapping.get(name), value)
    return mapping


def _holds_lists(hint: Any) -> bool:
    """Whether a mapping's values are lists (a grid) rather than mappings (arms)."""
    return get_origin(get_args(hint)[1]) is list


def _scalar(hint: Any, new: Any, place: Place, meta: Any, optional: bool) -> Any:
    if hint is float and type(new) is int:
        new = float(new) if abs(new) < _LARGEST else math.inf if new > 0 else -math.inf
    if type(new) is not hint:
        wanted = _NAMES[hint] + (" or null" if optional else "")
        hint_text = "; put quotes around it" if hint is str and isinstance(new, int | float) else ""
        raise place.error(f"{str(place)!r} needs to be {wanted} (got {new!r}){hint_text}")
    if hint is str:
        if not meta.get("words"):
            plain(new, place)
        if meta.get("one_of") and new not in meta["one_of"]:
            choices = ", ".join(meta["one_of"])
            raise place.error(
                f"{str(place)!r} needs to be one of {choices} (got {new!r}){did_you_mean(new, meta['one_of'])}"
            )
        return new
    low, high, below = (meta.get(name) for name in ("low", "high", "below"))
    if hint is int and high is None and below is None and new >= 2**63:
        raise place.error(f"{str(place)!r} needs to be below 2**63 (got {new!r})")
    inside = (low is None or new >= low) and (high is None or new <= high) and (below is None or new < below)
    if not inside or (hint is float and not math.isfinite(new)):
        start = "(-inf" if low is None else f"[{low}"
        end = f"{high}]" if high is not None else f"{below})" if below is not None else "inf)"
        raise place.error(f"{str(place)!r} needs to be in {start}, {end} (got {new!r})")
    return new


def _check_number(entries: Any, place: Place, meta: Any) -> None:
    most = meta.get("most")
    if most is not None and len(entries) > most:
        raise place.error(
            f"{str(place)!r} needs at most {most:,} entries (got {len(entries):,}); leave some out, or share them out "
            "among several experiments"
        )


def _lookup(schema: Any, name: object, place: Place) -> tuple[Any, Any]:
    """Type and metadata of a key of a schema."""
    fields = {field.name: field for field in dataclasses.fields(schema)}
    if name not in fields:
        at = place / name
        shown = f"{str(at)!r}{did_you_mean(name, fields)}" if is_key(name) else "that looks like none"
        raise at.error(f"unknown key {shown}; valid keys: {_listed(schema)}")
    return _hints(schema)[str(name)], fields[str(name)].metadata


@cache
def _hints(schema: Any) -> dict[str, Any]:
    """The types of a schema's keys; to find them takes longer than a card's whole reading."""
    return get_type_hints(schema)


def _listed(schema: Any) -> str:
    return ", ".join(field.name for field in dataclasses.fields(schema))


def _strip_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) not in (UnionType, Union):
        return hint, False
    kinds = tuple(arg for arg in get_args(hint) if arg is not NoneType)
    return Union[kinds], NoneType in get_args(hint)  # noqa: UP007 -- of one kind: the kind itself


def _dotted(home: str, target: Any, place: Place) -> str:
    if not isinstance(target, str) or not _DOTTED.fullmatch(target):
        raise place.error(f"{str(place)!r} needs to be the dotted path of a class (got {target!r})")
    return target if "." in target else f"{home}.{target}"


def _merge(base: Any, new: Any) -> Any:
    """Deep merge of free-form settings; a changed ``_target_`` drops what belonged to the old one."""
    if not isinstance(base, dict) or not isinstance(new, dict):
        return copy.deepcopy(new)
    if "_target_" in new and new["_target_"] != base.get("_target_"):
        return copy.deepcopy(new)
    return {**copy.deepcopy(base), **{name: _merge(base.get(name), value) for name, value in new.items()}}


def _nest(base: Any, keys: Keys, value: Any, place: Place) -> Any:
    """What to lay over ``base`` so that ``value`` ends up at the path ``keys``."""
    if not keys:
        return value
    head, rest = keys[0], keys[1:]
    if isinstance(base, list):
        index = _index(base, head, place)
        changed = copy.deepcopy(base)
        changed[index] = _merge(base[index], _nest(base[index], rest, value, place / head))
        return changed
    return {head: _nest(base.get(head) if isinstance(base, dict) else None, rest, value, place / head)}


def _index(items: list[Any], head: str, place: Place) -> int:
    if not (head.isascii() and head.isdigit()):
        raise place.error(f"{str(place)!r} is a list; give an index, e.g. '{place}.0' (got {head!r})")
    if int(head) >= len(items):
        raise place.error(f"{str(place)!r} has {len(items)} entries, counted from 0 (got index {head})")
    return int(head)
