"""open_data: the data set that an experiment names, by a name, a path, or the world that generates it."""

from __future__ import annotations

import functools
import json

from sigraph.config import ConfigError
from sigraph.config.build import build, working
from sigraph.config.overlay import DataSource
from sigraph.data import SampleDataset
from sigraph.data.prepared import read_manifest
from sigraph.recipes import open_dataset
from sigraph.recipes.prepare import prepared_folder
from sigraph.synthetic import World

KEPT = 8  # generated data sets


def open_data(source: DataSource, where: str = "pretrain.dataset") -> SampleDataset:
    """A data set as ``pretrain.dataset`` says it; a generated one is kept for whoever asks again.

    Args:
        source: A data set's name, the path of a prepared folder, or a component: a world, generated with its own seed.
        where: The dotted key, for messages.

    Raises:
        ConfigError: The world cannot be built, or the data set cannot be opened.
    """
    if isinstance(source, str):
        try:
            return open_dataset(source)
        except (ValueError, FileNotFoundError) as error:
            raise ConfigError(f"{where}: {error}") from error
    return _generated(json.dumps(source, sort_keys=True), where)


def fingerprint_of(source: DataSource, where: str = "pretrain.dataset") -> str | None:
    """A prepared data set's fingerprint, from its manifest: no sample is read. None: a world, whose settings say it.

    Raises:
        ConfigError: There is no such data set, or it cannot be prepared.
    """
    if not isinstance(source, str):
        return None
    try:
        return read_manifest(prepared_folder(source)).hash()
    except (ValueError, FileNotFoundError) as error:
        raise ConfigError(f"{where}: {error}") from error


def shown(source: DataSource) -> str:
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
