"""YAML as text: what is looked at before any parser builds something of it.

A file is read up to a size, then its tokens are walked once, without recursion: how deep it nests, how much its aliases
unfold to, and which scalars one YAML reader takes for another number than the next.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from sigraph.config.location import DEEPEST, LOADER, ConfigError

LARGEST = 1_000_000  # bytes of an experiment file
UNFOLDED = 100_000  # values that aliases add to those that are written
MOST_VALUES = 9_000  # of an experiment, keys among them, aliases unfolded

_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")}
_MOST_DIGITS = 400  # no float has more in front of its point
# Plain scalars that are other numbers to YAML 1.1 than to YAML 1.2 or to people.
_ODD_NUMBERS = (
    (re.compile(r"[-+]?[0-9][0-9_]*(:[0-9][0-9_.]*)+"), "is read by some as a number to the base 60"),
    (re.compile(r"[-+]?0[0-9_]+"), "starts with 0, which some read as octal"),
    (re.compile(r"[-+]?0o[0-7_]+"), "is octal to some and a text to others"),
    (re.compile(r"[-+]?[0-9][0-9_]*(__|_$)[0-9_]*|[-+]?[0-9][0-9_]*_\.[0-9_]*"), "has a _ that separates nothing"),
)


def read_text(file: Path, largest: int = LARGEST) -> str:
    """A UTF-8 file, of which no more than ``largest`` bytes are read.

    Raises:
        ConfigError: It is not there, cannot be read, is too large, or is not UTF-8; names the line.
    """
    try:
        with file.open("rb") as stream:
            raw = stream.read(largest + 1)
    except FileNotFoundError:
        raise ConfigError(f"{file}: there is no such file") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror})") from error
    except ValueError as error:  # a null character in the name
        raise ConfigError(f"{str(file)!r} is no name of a file ({error})") from error
    if len(raw) > largest:
        raise ConfigError(f"{file}: is larger than {largest:,} bytes; is this the file that you mean?")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{file}:{line}: needs to be UTF-8 text (got byte 0x{raw[error.start]:02x}); save it as UTF-8"
        ) from error


def check_yaml_file(file: Path, largest: int) -> None:
    """As :func:`check_yaml`, of a file whose reader says itself if it is not there, no text or no YAML."""
    try:
        text = file.read_bytes()[: largest + 1].decode("utf-8") if file.stat().st_size <= largest else None
    except (OSError, UnicodeDecodeError):
        return
    if text is None:
        raise ConfigError(f"{file}: is larger than {largest:,} bytes; is this the file that you mean?")
    with contextlib.suppress(yaml.YAMLError):
        check_yaml(text, str(file))


def check_yaml(text: str, source: str, most: int | None = None) -> None:
    """Refuse what would overwhelm a parser, and what two parsers would read as different numbers.

    Args:
        text: YAML, one document.
        source: What messages start with: a file, an override. Of a single line, such as an override, no line is named.
        most: Values at most; None: any number.

    Raises:
        ConfigError: It nests too deeply, its aliases unfold to too much, it has tags of its own, or a number that may
            mean several; names the line.
        yaml.YAMLError: It is no YAML.
    """
    sizes: dict[str, int] = {}  # of what each anchor stands for, aliases unfolded
    open_nodes: list[tuple[str | None, int]] = []  # anchor, and the count at which it starts
    count = written = 0
    several, is_mapping = "\n" in text, False  # is_mapping: the outermost
    tops: list[tuple[str, str, int]] = []  # of what stands in the outermost mapping: key or value, place, the count
    for event in _events(text):
        at = f"{source}:{event.start_mark.line + 1}" if several else source
        if len(open_nodes) == 1 and is_mapping and not isinstance(event, yaml.CollectionEndEvent):
            tops.append((getattr(event, "value", ""), at, count))
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise ConfigError(f"{at}: not valid YAML here: the alias '*{event.anchor}' stands within what it names")
            count += sizes[event.anchor]
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, start = open_nodes.pop()
            if anchor is not None:
                sizes[anchor] = count - start
            continue
        elif isinstance(event, yaml.NodeEvent):
            count, written = count + 1, written + 1
            _check_tag(event, at)
            if isinstance(event, yaml.ScalarEvent):
                _check_scalar(event, at)
                if event.anchor is not None:
                    sizes[event.anchor] = 1
            else:
                is_mapping = isinstance(event, yaml.MappingStartEvent) if not open_nodes else is_mapping
                open_nodes.append((event.anchor, count - 1))
                if event.anchor is not None:
                    sizes.pop(event.anchor, None)  # the name is given anew
                if len(open_nodes) > DEEPEST:
                    raise ConfigError(f"{at}: nests more than {DEEPEST} mappings and lists in one another")
        if count - written > UNFOLDED:
            raise ConfigError(f"{at}: its aliases unfold to more than {UNFOLDED:,} values; write out what is needed")
    if most is not None and count > most:
        ends = [start for _, _, start in tops[2::2]] + [count]
        spans = [(end - start, key, at) for (key, at, start), end in zip(tops[::2], ends, strict=False)]
        size, key, at = max(spans, default=(count, "", source))
        where = f", {size:,} of them under {key!r:.60}" if key else ""
        raise ConfigError(
            f"{at}: an experiment needs to have at most {most:,} values (got {count:,}{where}); leave some out, or "
            "share them out among several experiments"
        )


def _events(text: str) -> Iterator[Any]:
    loader = LOADER(text)
    try:
        while loader.check_event():
            yield loader.get_event()
    finally:
        loader.dispose()


def _check_tag(event: Any, at: str) -> None:
    if event.tag is not None and event.tag not in _PLAIN_TAGS and event.tag != "!":
        shown = event.tag.replace("tag:yaml.org,2002:", "!!")
        raise ConfigError(f"{at}: not valid YAML here: the tag {shown!r:.60}; leave it out, plain values need none")


def _check_scalar(event: Any, at: str) -> None:
    if event.style not in (None, "") and not event.tag:  # quoted: text
        return
    value = event.value
    if len(value) > _MOST_DIGITS and value.lstrip("+-")[:1].isdigit() and not value.strip("+-.0123456789_eE"):
        raise ConfigError(f"{at}: a number of {len(value):,} digits is too long (got {value[:20]}...)")
    for form, why in _ODD_NUMBERS:
        if form.fullmatch(value):
            raise ConfigError(f"{at}: {value!r:.60} {why}; write the number in digits, or put quotes around a text")
