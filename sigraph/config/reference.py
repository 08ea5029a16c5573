"""The tables of documentation pages, from what the schema, docstrings and the constructors' signatures say.

``python -m sigraph.config.reference docs/experiment-file.md docs/losses.md docs/samples.md`` writes the tables of these
pages anew; their words stay. What a table says of a loss, an encoder, a reader or a kind of samples stands in the
section ``Guide:`` of its docstring, so that a new one is one file.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING
from functools import partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from sigraph.config.build import NESTED_BASES
from sigraph.config.experiment import ExperimentConfig
from sigraph.config.schema import ARM_KINDS, FinetuneConfig, PretrainConfig, TrainerConfig
from sigraph.config.search import SearchConfig
from sigraph.files.markdown import markdown_table

# Which arguments of a component are filled in when it is built, where its constructor has them.
LATE = {
    "dataset": (),
    "graph": (),
    "reader": (),
    "encoder": ("in_channels", "num_tokens", "pad_token", "mask_token", "node_channels", "edge_channels"),
    "sampler": ("graph",),
    "structure_loss": ("encoder_channels", "labels"),
    "objective": (
        *("in_channels", "num_tokens", "pad_token", "mask_token", "node_channels", "edge_channels"),
        *("encoder_channels", "part_channels", "labels"),
    ),
}
# Components that are inside others: what they are called, and what is filled in.
INNER = {
    "sigraph.targets": ("`target` of `TargetLoss`", ("labels",)),
    "sigraph.targets.teachers": ("`teacher` of `TeacherEmbedding`", ()),
    ARM_KINDS: ("`kind` of an arm", ()),
}
_WORDS = {int: "integer", float: "number", str: "text", bool: "true or false", Any: "anything"}
_PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill(page: str) -> str:
    """A page with its generated parts as they are now.

    Args:
        page: Markdown. What stands between ``<!-- generated: NAME -->`` and ``<!-- end -->`` is replaced.

    Raises:
        ValueError: A part is missing, is there twice, or is not known.
    """
    names = [name for _, name, _ in _PART.findall(page)]
    parts = max(PAGES, key=lambda one: len(one.keys() & set(names)))
    if sorted(names) != sorted(parts):
        raise ValueError(f"the page needs the generated parts {', '.join(parts)}, each once (got {', '.join(names)})")
    return _PART.sub(lambda found: f"{found[1]}\n{parts[found[2]]()}\n\n{found[3]}", page)


def keys_table(schema: Any) -> str:
    """The keys of a section: type and range, default, meaning."""
    hints, about, fields = get_type_hints(schema), _arguments(schema), dataclasses.fields(schema)
    if list(about) != [field.name for field in fields]:
        raise ValueError(f"the docstring of {schema.__name__!r} needs to describe its fields, in their order")
    rows = []
    for field in fields:
        kind = _component_kind(field, hints) or _kind(hints[field.name], field.metadata)
        rows.append([f"`{field.name}`", kind, _field_default(field), about[field.name]])
    return markdown_table(["key", "is", "default", "meaning"], rows)


def components() -> str:
    """What sigraph ships for each slot: the classes, their constructors' arguments."""
    homes = {field.name: field.metadata.get("home", "") for field in dataclasses.fields(PretrainConfig)}
    parts = []
    for slot, late in LATE.items():
        home = homes[slot]
        base = NESTED_BASES[home]
        parts.append(f"### `{slot}`: subclasses of `{home}.{base}`")
        parts += [_class_reference(found, late) for found in _shipped(home, base)]
    for home, (title, late) in INNER.items():
        base = NESTED_BASES[home]
        parts.append(f"### {title}: subclasses of `{home}.{base}`")
        parts += [_class_reference(found, late) for found in _shipped(home, base)]
    return "\n\n".join(parts)


def guide_table(home: str, base: str, title: str, *columns: str) -> str:
    """What the classes of a package say of themselves.

    Args:
        home: The package.
        base: The class that they are subclasses of.
        title: Of the first column, their names.
        columns: Which lines of the section ``Guide:`` of their docstrings the others are.

    Raises:
        ValueError: A class says nothing of a column; both are named.
    """
    rows = []
    for found in _shipped(home, base):
        said = _guide(found)
        if lacking := [column for column in columns if column not in said]:
            raise ValueError(f"the docstring of {found.__name__!r} needs a line {lacking[0]!r} in its section 'Guide'")
        rows.append([f"`{found.__name__}`", *(said[column] for column in columns)])
    return markdown_table([title, *columns], rows)


def _shipped(home: str, base: str) -> Iterator[type]:
    """The concrete classes that a package offers by a bare name."""
    package = importlib.import_module(home)
    for name in sorted(package.__all__):
        found = getattr(package, name)
        contract = getattr(package, base)
        fits = isinstance(found, type) and issubclass(found, contract) and found is not contract
        if fits and not inspect.isabstract(found):
            yield found


def _class_reference(found: type, late: Sequence[str]) -> str:
    summary = " ".join((inspect.getdoc(found) or "").partition("\n\n")[0].split())
    hints, about = _hints(found), _arguments(found)
    rows = []
    for name, parameter in inspect.signature(found).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        default = "filled in" if name in late else _default(parameter.default, parameter.empty)
        rows.append([f"`{name}`", _kind(hints.get(name, Any)), default, about.get(name, "")])
    title = f"**`{found.__name__}`** – {_markdown(summary)}"
    table = markdown_table(["argument", "is", "default", "meaning"], rows)
    return f"{title}\n\n{table}" if rows else f"{title} No arguments."


def _hints(found: type) -> dict[str, Any]:
    constructor = found.__init__  # type: ignore[misc]
    try:
        return get_type_hints(constructor)
    except NameError:  # names that are imported for type checkers alone: as they are written
        return constructor.__annotations__


PARTS: dict[str, Callable[[], str]] = {
    "top": partial(keys_table, ExperimentConfig),
    "pretrain": partial(keys_table, PretrainConfig),
    "trainer": partial(keys_table, TrainerConfig),
    "finetune": partial(keys_table, FinetuneConfig),
    "search": partial(keys_table, SearchConfig),
    "components": components,
}


_losses = partial(guide_table, "sigraph.losses", "StructureLoss", "loss")
_samples = partial(guide_table, "sigraph.samples", "Samples", "kind")
_readers = partial(guide_table, "sigraph.readers", "Reader", "reader")
_USE = ("start with", "costs", "anchor without a positive", "anchor without a negative")
PAGES: tuple[dict[str, Callable[[], str]], ...] = (
    PARTS,
    {
        "losses": partial(_losses, "minimises", "use it when"),
        "losses_in_use": partial(_losses, *_USE, "several processes", "in a memory"),
    },
    {
        "kinds": partial(_samples, "given", "an encoder is given"),
        "encoders": partial(guide_table, "sigraph.encoders", "Encoder", "encoder", "reads"),
        "objectives": partial(guide_table, "sigraph.objectives", "Objective", "objective", "reads", "predicts"),
        "readers": partial(_readers, "column(s)", "gives"),
    },
)


def _component_kind(field: Any, hints: dict[str, Any]) -> str:
    home = field.metadata.get("home")
    if not home:
        return ""
    kinds = get_args(hints[field.name]) if type(hints[field.name]) is UnionType else ()
    return ("text or " if str in kinds else "") + f"component of `{home}`" + (" or null" if NoneType in kinds else "")


def _kind(hint: Any, limits: Any = None) -> str:
    """A type and its range in a user's words."""
    limits, origin = limits or {}, get_origin(hint)
    if limits.get("is_said"):
        return limits["is_said"]
    if origin in (UnionType, Union):
        plain = {**limits, "one_of": ()}  # words are no lists
        kinds = [_kind(kind, plain if get_origin(kind) is list else limits) for kind in get_args(hint)]
        kinds = [words for words, kind in zip(kinds, get_args(hint), strict=True) if kind is not NoneType]
        return " or ".join([*kinds, "null"] if NoneType in get_args(hint) else kinds)
    if origin is Literal or limits.get("one_of"):
        *others, last = (f"`{choice}`" for choice in limits.get("one_of") or get_args(hint))
        return f"{', '.join(others)} or {last}" if others else last
    if origin in (list, tuple):
        items = dict.fromkeys(_kind(item, limits) for item in get_args(hint) if item is not ...)
        return f"list of: {' or '.join(items)}" if items else "list"
    if origin is dict:
        return "mapping"
    if hint in _WORDS:
        return _WORDS[hint] + _range(limits)
    if dataclasses.is_dataclass(hint):
        return "section"
    return "component" if _is_component(hint) else f"`{getattr(hint, '__name__', hint)}`"


def _is_component(hint: Any) -> bool:
    import torch

    bases = [getattr(importlib.import_module(home), base) for home, base in NESTED_BASES.items()]
    return isinstance(hint, type) and issubclass(hint, (torch.nn.Module, *bases))


def _range(limits: Any) -> str:
    low, high, below = (limits.get(name) for name in ("low", "high", "below"))
    if high is None and below is None:
        return "" if low is None else f" ≥ {low}"
    return f" in {'(-∞' if low is None else f'[{low}'}, {f'{high}]' if high is not None else f'{below})'}"


def _field_default(field: Any) -> str:
    if field.default_factory is MISSING:
        return _default(field.default, MISSING)
    value = field.default_factory()
    return "its defaults" if dataclasses.is_dataclass(value) else _default(value, MISSING)


def _default(value: Any, none: Any) -> str:
    if value is none:
        return "required"
    try:
        plain = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000)
    except yaml.YAMLError:  # a function, a class
        return "its own"
    return f"`{plain.removesuffix('...' + chr(10)).strip()}`"


def _arguments(documented: type) -> dict[str, str]:
    """Name -> what the section ``Args:`` of a docstring says, as Markdown."""
    said = _section(documented, "Args", r"\w+(?:, \w+)*")
    return {name: text for names, text in said.items() for name in names.split(", ")}


def _guide(documented: type) -> dict[str, str]:
    """What the section ``Guide:`` of a class's own docstring says, as Markdown."""
    return _section(documented, "Guide", r"[^\s:][^:]*") if documented.__doc__ else {}


def _section(documented: type, title: str, entry: str) -> dict[str, str]:
    """The entries ``name: text`` of a section of a docstring, the text as Markdown."""
    found: dict[str, str] = {}
    names: list[str] = []
    _, _, below = (inspect.getdoc(documented) or "").partition(f"\n{title}:\n")
    for line in below.splitlines():
        if line.strip() and not line.startswith(" "):
            break
        start = re.match(rf"    ({entry}): (.*)", line)
        if start:
            names = [start[1]]
            found[start[1]] = start[2]
        elif line.strip():
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return {name: _markdown(text) for name, text in found.items()}


def _markdown(text: str) -> str:
    """Docstring markup as GitHub shows it."""
    text = re.sub(r":math:`([^`]*)`", r"$\1$", text).replace(">=", "≥").replace("->", "→")
    text = re.sub(r"\bNone\b", "null", text)  # as a YAML says it
    text = re.sub(r":\w+:`~(?:[\w.]*\.)?(\w+)`", r"`\1`", text)
    text = re.sub(r":\w+:`([^`]*)`", r"`\1`", text)
    return text.replace("``", "`")


def _main(arguments: Sequence[str]) -> int:
    from sigraph.files.atomic import atomic_file

    if not arguments:
        sys.stderr.write("usage: python -m sigraph.config.reference docs/experiment-file.md [docs/losses.md ...]\n")
        return 2
    pages = {name: fill(Path(name).read_text(encoding="utf-8")) for name in arguments}
    for name, page in pages.items():
        with atomic_file(name) as file:
            file.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
