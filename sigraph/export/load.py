"""load_encoder: the encoder of a finished run, or one taken home, without its data set and without the graph."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
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
from sigraph.leaderboard.record_fields import KINDS, MOST_BYTES, OK, PRETRAIN, PRETRAINED, misfit
from sigraph.leaderboard.result_files import ENCODER, READER, RESULTS
from sigraph.readers import Reader

logger = logging.getLogger(__name__)

SAVED, SAVED_FORMAT = "encoder.json", 1  # what is said of an encoder that was saved by itself
SHOWN = 10
METHOD = "sipt"  # what names of arms that use the graph begin with
# What a record can lack for a leaderboard, but not here.
_NEEDED = ("data", "pretrain.dataset", "pretrain.encoder", "pretrain.encoder_sha256")
_AGAIN = "run the experiment again, which makes what is missing and repeats nothing else"


def load_encoder(folder: str | os.PathLike[str], in_channels: int | None = None, trust: Iterable[str] = ()) -> Encoder:
    """The encoder that a run pre-trained, or one that was saved, on the CPU and in evaluation mode.

    It is built from the settings in ``results.json``, which can name subclasses of :class:`~sigraph.encoders.Encoder`
    alone, and its weights are read from ``encoder.safetensors``; no pickle is opened, no random state is touched.

    Args:
        folder: A run's folder, ``<output_dir>/<experiment>/<arm>/<hash>/seed-<s>``, or one of
            :func:`~sigraph.export.save_encoder`.
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
    kept = open_kept(folder)
    return encoder_of(kept, kept.path / ENCODER, kept.about["encoder_sha256"], in_channels, trust)


def encoder_of(kept: KeptEncoder, weights: Path, digest: str, in_channels: int | None, trust: Iterable[str]) -> Encoder:
    """An encoder as a folder describes it, with weights of its own or those that a fine-tuning made of them.

    Args:
        kept: From :func:`open_kept`.
        weights: File of the weights.
        digest: Its SHA-256.
        in_channels, trust: As in :func:`load_encoder`.
    """
    component, where = kept.about["encoder"], f"{kept.file}, {kept.key}encoder"
    available = {} if in_channels is None else {"in_channels": in_channels}
    with trusting(trust):
        is_shipped(component, where)  # all that it names, before any of it is imported
        with torch.random.fork_rng(devices=[]):
            encoder = _built(component, where, available)
        _note_changes(component, kept.about.get("sources") or {}, where)
    _load_weights(encoder, weights, digest, kept.file.name)
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
    path, about, kept_in, key, _ = open_kept(folder)
    component, where = about.get("reader"), f"{kept_in}, {key}reader"
    if component is None:
        return None
    with trusting(trust):
        is_shipped(component, where)
        reader = build(component, Reader, where)
    file, digest = path / READER, about.get("reader_sha256")
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
    """What a run was pre-trained on: its data set as the YAML names it, the fingerprint it had, its features' names.

    Of an encoder that was saved from Python its features' names alone may be known.
    """

    dataset: DataSource | None
    fingerprint: str | None
    features: list[str] | None


def pretrained_on(folder: str | os.PathLike[str]) -> PretrainedOn:
    """What a run was pre-trained on.

    Raises:
        ValueError: As in :func:`load_encoder`.
    """
    kept = open_kept(folder)
    data = kept.about.get("data") if kept.record is None else kept.record["data"]
    return PretrainedOn(kept.about.get("dataset"), data, kept.about.get("features"))


class KeptEncoder(NamedTuple):
    """A folder that holds an encoder.

    Args:
        path: The folder.
        about: Components and sums of encoder and reader, the names of features.
        file: What says so.
        key: Where in it, for messages.
        record: A run's; None: an encoder that was saved by itself.
    """

    path: Path
    about: dict[str, Any]
    file: Path
    key: str
    record: dict[str, Any] | None


def open_kept(folder: str | os.PathLike[str]) -> KeptEncoder:
    """A run's folder, of a run that ended well, or that of an encoder which was saved.

    Raises:
        FileNotFoundError, NotADirectoryError, ValueError: As in :func:`load_encoder`.
    """
    path = user_path(folder)
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: there is no such folder; `sigraph run` writes to 'runs' unless told otherwise"
        )
    if not path.is_dir():
        raise NotADirectoryError(f"{path}: a run's folder is needed, not a file in it")
    file = path / RESULTS
    if not file.is_file() and (path / SAVED).is_file():
        return KeptEncoder(path, _saved(path / SAVED), path / SAVED, "", None)
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
    return KeptEncoder(path, record["pretrain"], file, "pretrain.", record)


def _saved(file: Path) -> dict[str, Any]:
    """What an encoder that was saved by itself says of itself."""
    try:
        about = read_sealed(file, MOST_BYTES)
    except DamagedError as error:
        raise ValueError(f"{error}; save the encoder again") from error
    if (found := about.get("format")) != SAVED_FORMAT:
        raise ValueError(
            f"{file} is of a newer sigraph (format {found}, this one reads {SAVED_FORMAT}); update sigraph"
        )
    wrong = _misfit(about)
    if wrong:
        raise ValueError(f"{file} is of no encoder: {wrong}; save the encoder again")
    return about


def _misfit(about: dict[str, Any]) -> str | None:
    """What is wrong with the description of a saved encoder: the fields of a pre-training's that speak of it."""
    needed = next((f"'{name}' is missing" for name in ("encoder", "encoder_sha256") if name not in about), None)
    return needed or PRETRAIN({"num_parameters": {"encoder": 0, "other": 0}, "seconds": 0, **about, "format": 1}, "")


def _instead(path: Path) -> str:
    """What to give instead of a folder that is no run's."""
    found = runs_below(path)
    if found:
        listed = "".join(f"\n  {run}" for run in found[:SHOWN])
        more = f"\n  and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        return f"; give one of those below it:{listed}{more}"
    if path.name.startswith("seed-"):
        return "; the run is not finished (the same `sigraph run` resumes it), or this is a stage that runs share"
    return ", nor does any folder below it; a run's is <output_dir>/<experiment>/<arm>/<hash>/seed-<s>"


def runs_below(path: Path) -> list[Path]:
    """Folders of runs below one, those of arms that use the graph first; stages that runs share are none."""
    found = []
    for folder, below, files in os.walk(path):
        below[:] = sorted(name for name in below if not name.startswith("_"))
        if RESULTS in files:
            found.append(Path(folder))
    return sorted(found, key=lambda run: not any(part.startswith(METHOD) for part in run.relative_to(path).parts))


def _note_changes(component: dict[str, Any], then: dict[str, str], where: str) -> None:
    for module, code in (own_sources(component) or {}).items():
        if then.get(module, code) != code:
            logger.warning(
                "%s: the module %r has changed since; its embeddings may differ from the run's", where, module
            )


def _load_weights(encoder: Encoder, file: Path, digest: str, described: str) -> None:
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
            f"{file} does not fit {kind!r} as {described} beside it describes it ({what}); if the class has changed "
            "since, put it back or run the experiment again"
        ) from error
