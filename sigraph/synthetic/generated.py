"""The data set of a world that settings describe, generated once for all who ask for it."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

from sigraph.config.build import build, working
from sigraph.data import SampleDataset
from sigraph.synthetic.base import World

KEPT = 8  # generated data sets


def generated(component: Mapping[str, Any], where: str) -> SampleDataset:
    """The data set of a world, generated with its own seed; it is kept for whoever asks again.

    Args:
        component: The world, as in a YAML: ``{"_target_": ..., ...}``.
        where: The dotted key, for messages.

    Raises:
        ConfigError: The world cannot be built, or cannot be generated.
    """
    return _generated(json.dumps(component, sort_keys=True), where)


def shown(source: str | Mapping[str, Any]) -> str:
    """A data set's name or path, or its world with all that is stated of it, for people."""
    if isinstance(source, str):
        return source
    settings = ", ".join(f"{name}={value}" for name, value in source.items() if name != "_target_")
    return f"{source['_target_'].rpartition('.')[2]}({settings})"


@functools.lru_cache(maxsize=KEPT)
def _generated(component: str, where: str) -> SampleDataset:
    settings = json.loads(component)
    world: World = build(settings, World, where)
    with working(type(world).__name__, settings, where):
        return world.generate(world.seed)
