"""open_data: the data set that an experiment names, by a name, a path, or the world that generates it."""

from __future__ import annotations

from sigraph.config import ConfigError
from sigraph.config.overlay import DataSource
from sigraph.data import SampleDataset
from sigraph.data.prepared import read_manifest
from sigraph.recipes import open_dataset
from sigraph.recipes.prepare import prepared_folder
from sigraph.synthetic.generated import generated


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
    return generated(source, where)


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
