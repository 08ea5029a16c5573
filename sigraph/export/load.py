"""load_encoder: the pre-trained encoder of a finished run, without its data set and without the graph."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from sigraph.config import ConfigError
from sigraph.config.build import build, is_shipped
from sigraph.config.overlay import DataSource
from sigraph.config.provenance import own_sources
from sigraph.config.trust import trusting
from sigraph.encoders import Encoder
from sigraph.files.atomic import sha256
from sigraph.files.paths import user_path
from sigraph.files.sealed import DamagedError, read_sealed
from sigraph.leaderboard.kept import newer
from sigraph.leaderboard.record_fields import KINDS, MOST_BYTES, OK, PRETRAINED, misfit
from sigraph.leaderboard.result_files import ENCODER, READER, RESULTS
from sigraph.readers import Reader

logger = logging.getLogger(__name__)

SHOWN = 10
# What a record can lack for a leaderboard, but not here.
_NEEDED = ("data", "pretrain.dataset", "pretrain.encoder", "pretrain.encoder_sha256")
_AGAIN = "run the experiment again, which makes what is missing and repeats nothing else"


def load_encoder(folder: str | os.PathLike[str], in_channels: int | None = None, trust: Iterable[str] = ()) -> Encoder:
    """The encoder that a run pre-trained, on the CPU and in evaluation mode.

    It is built from the settings in ``results.json``, which can name subclasses of :class:`~sigraph.encoders.Encoder`
    alone, and its weights are read from ``encoder.safetensors``; no pickle is opened, no random state is touched.

    Args:
        folder: A run's folder, ``<output_dir>/<experiment>/<arm>/<hash>/seed-<s>``.
        in_channels: Features of a sample, for an encoder whose record does not say.
        trust: Packages or modules that the record may name besides sigraph and what it builds on. Importing one runs
            its code; one that is not installed is looked for where you stand.

    Raises:
        FileNotFoundError, NotADirectoryError: There is no such folder.
        ValueError: It is no run's folder (the message lists those below it), the run failed, a file is damaged, or the
            weights do not fit.
        ConfigError: The encoder cannot be built, or names a module that is not trusted or not found.

    Example:
        >>> encoder = sigraph.load_encoder("runs/mine/sipt/0a1b2c3d4e5f/seed-0")
        >>> z = sigraph.embed(encoder, sigraph.SampleDataset(new_rows))
    """
    path, record = _open_run(folder)
    where = f"{path / RESULTS}, pretrain.encoder"
    component = record["pretrain"]["encoder"]
    available = {} if in_channels is None else {"in_channels": in_channels}
    with trusting(trust):
        is_shipped(component, where)  # all that it names, before any of it is imported
        with torch.random.fork_rng(devices=[]):
            encoder = _built(component, where, available)
        _note_changes(component, record["pretrain"].get("sources") or {}, where)
    _load_weights(encoder, path / ENCODER, record["pretrain"]["encoder_sha256"])
    return encoder.eval()


def _built(component: dict[str, Any], where: str, available: dict[str, Any]) -> Encoder:
    try:
        return build(component, Encoder, where, **available)
    except ConfigError:
        raise
    except Exception as error:  # torch answers a width that makes no sense with many kinds
        what = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ConfigError(f"{where}: cannot be built ({what}); {_AGAIN}") from error


def load_reader(folder: str | os.PathLike[str], trust: Iterable[str] = ()) -> Reader | None:
    """The reader that made what a run's encoder was trained on of records, as it was learned; None: there was none.

    Args:
        folder: A run's folder.
        trust: As in :func:`load_encoder`.

    Raises:
        FileNotFoundError, NotADirectoryError, ValueError, ConfigError: As in :func:`load_encoder`.
    """
    path, record = _open_run(folder)
    component, where = record["pretrain"].get("reader"), f"{path / RESULTS}, pretrain.reader"
    if component is None:
        return None
    with trusting(trust):
        is_shipped(component, where)
        reader = build(component, Reader, where)
    file, digest = path / READER, record["pretrain"].get("reader_sha256")
    if not file.is_file():
        raise ValueError(f"{path} holds no {READER}; {_AGAIN}")
    if (got := sha256(file)) != digest:
        raise ValueError(f"{file} is damaged (needs sha256 {digest}, got {got}); {_AGAIN}")
    try:
        reader.restore(read_sealed(file).get("state") or {})
    except (ValueError, KeyError, TypeError) as error:  # of a reader of one's own that has changed since
        raise ValueError(f"{file} does not fit {type(reader).__name__!r} ({error!r}); {_AGAIN}") from error
    return reader


class PretrainedOn(NamedTuple):
    """What a run was pre-trained on: its data set as the YAML names it, the fingerprint it had, its features' names."""

    dataset: DataSource
    fingerprint: str
    features: list[str] | None


def pretrained_on(folder: str | os.PathLike[str]) -> PretrainedOn:
    """What a run was pre-trained on.

    Raises:
        ValueError: As in :func:`load_encoder`.
    """
    _, record = _open_run(folder)
    about = record["pretrain"]
    return PretrainedOn(about["dataset"], record["data"], about.get("features"))


def _open_run(folder: str | os.PathLike[str]) -> tuple[Path, dict[str, Any]]:
    """A run's folder and its record, of a run that ended well."""
    path = user_path(folder)
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: there is no such folder; `sigraph run` writes to 'runs' unless told otherwise"
        )
    if not path.is_dir():
        raise NotADirectoryError(f"{path}: a run's folder is needed, not a file in it")
    file = path / RESULTS
    if not file.is_file():
        raise ValueError(f"{path} is no run's folder: it holds no {RESULTS}{_instead(path)}")
    try:
        record = read_sealed(file, MOST_BYTES)
    except DamagedError as error:
        raise ValueError(f"{error}; {_AGAIN}") from error
    if found := newer(record):
        raise ValueError(f"{file} is {found}")
    kind = record.get("kind")
    if kind in KINDS and kind != PRETRAINED:
        raise ValueError(f"{path} holds no encoder: its arm pre-trains nothing ({kind}); name a run of another arm")
    wrong = misfit(record, _NEEDED)
    if wrong:
        raise ValueError(f"{file} is no record of a run: {wrong}; {_AGAIN}")
    if record["status"] != OK:
        raise ValueError(f"{path} holds no encoder: the run {record['status']} ({record.get('reason')}); {_AGAIN}")
    return path, record


def _instead(path: Path) -> str:
    """What to give instead of a folder that is no run's."""
    found = list(_runs_below(path))
    if found:
        listed = "".join(f"\n  {run}" for run in found[:SHOWN])
        more = f"\n  and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        return f"; give one of those below it:{listed}{more}"
    if path.name.startswith("seed-"):
        return "; the run is not finished (the same `sigraph run` resumes it), or this is a stage that runs share"
    return ", nor does any folder below it; a run's is <output_dir>/<experiment>/<arm>/<hash>/seed-<s>"


def _runs_below(path: Path) -> Iterator[Path]:
    for folder, below, files in os.walk(path):
        below[:] = sorted(name for name in below if not name.startswith("_"))
        if RESULTS in files:
            yield Path(folder)


def _note_changes(component: dict[str, Any], then: dict[str, str], where: str) -> None:
    for module, code in (own_sources(component) or {}).items():
        if then.get(module, code) != code:
            logger.warning(
                "%s: the module %r has changed since; its embeddings may differ from the run's", where, module
            )


def _load_weights(encoder: Encoder, file: Path, digest: str) -> None:
    if not file.is_file():
        raise ValueError(f"{file.parent} holds no {file.name}; {_AGAIN}")
    if (got := sha256(file)) != digest:
        raise ValueError(f"{file} is damaged (needs sha256 {digest}, got {got}); {_AGAIN}")
    try:
        weights = load_file(file)
    except SafetensorError as error:
        raise ValueError(f"{file} is damaged ({error}); {_AGAIN}") from error
    try:
        encoder.load_state_dict(weights)
    except RuntimeError as error:
        what, kind = " ".join(str(error).split()), type(encoder).__name__
        raise ValueError(
            f"{file} does not fit {kind!r} as {RESULTS} beside it describes it ({what}); if the class has changed "
            "since, put it back or run the experiment again"
        ) from error
