"""Places: where a setting stands, so that every message names file, line and dotted key."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from types import NoneType
from typing import Any

import yaml

DEEPEST = 50  # mappings and lists within one another
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SHOWN = 700  # characters of a message; a value may be a whole file


class ConfigError(ValueError):
    """A setting that sigraph cannot use. The message names the file, the dotted key, and the way out."""


@dataclass(frozen=True)
class Place:
    """Where a value stands, for messages.

    Args:
        source: What was read: a file, an override, an arm.
        path: The keys that lead to the value.
        text: The YAML text of ``source``, if it has one; gives messages their line.
    """

    source: str
    path: tuple[str, ...] = ()
    text: str = dataclasses.field(default="", repr=False)

    def __truediv__(self, key: object) -> Place:
        return dataclasses.replace(self, path=(*self.path, str(key)))

    def __str__(self) -> str:
        return ".".join(self.path)

    def error(self, message: str) -> ConfigError:
        """The error to raise for the value at this place."""
        line = _line_of(self.text, self.path)
        return ConfigError(f"{shortened(self.source)}{f':{line}' if line else ''}: {shortened(message)}")


def shortened(message: str) -> str:
    """A message without the middle of what is far too long to read."""
    return message if len(message) <= _SHOWN else f"{message[: _SHOWN // 2]} ... {message[-_SHOWN // 2 :]}"


def plain(value: Any, place: Place) -> Any:
    """A copy of free-form settings, which are str, int, float, bool, null, and lists and mappings of these.

    Raises:
        ConfigError: Anything else, also numbers that are none or infinite, or text that OmegaConf would replace by
            something else; more mappings and lists in one another than anything needs.
    """
    if len(place.path) > DEEPEST:
        raise place.error(f"{str(place)!r} nests more than {DEEPEST} mappings and lists in one another")
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                raise place.error(f"{str(place)!r} needs text as keys; put quotes around {name!r}")
        return {name: plain(item, place / name) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, place / i) for i, item in enumerate(value)]
    if isinstance(value, str) and "${" in value:
        raise place.error(
            f"{str(place)!r} holds an interpolation (got {value!r}), which is not supported: "
            "an arm would change more than it states. Write the value out"
        )
    if value == "???":
        raise place.error(f"{str(place)!r} is left open (got '???'); give it a value")
    if type(value) not in (str, int, float, bool, NoneType):
        raise place.error(f"{str(place)!r} needs plain text, numbers, lists or mappings (got {value!r})")
    if type(value) is int and abs(value) >= 2**63:
        raise place.error(f"{str(place)!r} needs to be below 2**63 (got {value!r:.80})")
    if isinstance(value, float) and not math.isfinite(value):
        raise place.error(f"{str(place)!r} needs to be a finite number (got {value!r}); write one out, or leave it out")
    return value


def _line_of(text: str, path: tuple[str, ...]) -> int | None:
    """The line, from 1, at which the value at ``path`` starts, or the nearest mapping or list around it."""
    if not text or not path:
        return None
    try:
        node, line = yaml.compose(text, Loader=LOADER), None
    except yaml.YAMLError:  # e.g. a tab, which the faster parser takes
        return None
    for step in path:
        if isinstance(node, yaml.MappingNode):
            found = [(name, value) for name, value in node.value if name.value == step]
            if not found:
                break
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and step.isdigit() and int(step) < len(node.value):
            node = node.value[int(step)]
            line = node.start_mark.line + 1
        else:
            break
    return line
