"""``pretrain.encoder: {from: FOLDER}``: the encoder and the reader that a pre-training starts from."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from sigraph.config import ConfigError, PretrainConfig
from sigraph.config.overlay import FROM, Component
from sigraph.config.provenance import own_sources
from sigraph.data import SampleDataset
from sigraph.encoders import Encoder
from sigraph.encoders.checkpoint_folder import content_of
from sigraph.export.load import KeptEncoder, encoder_of, load_reader, open_kept
from sigraph.files.paths import resolved, user_path
from sigraph.files.sealed import content_sum
from sigraph.leaderboard.result_files import ENCODER
from sigraph.readers import Reader

WHERE = f"pretrain.encoder.{FROM}"
CHECKPOINT = "checkpoint"  # the argument of encoders and readers that names a folder of others


class Start(NamedTuple):
    """Where a pre-training starts.

    Args:
        kept: The folder: a run's, or one of :func:`~sigraph.save_encoder`.
        digest: Sum of what it holds: components, weights, what the reader learned, and code of one's own.
    """

    kept: KeptEncoder
    digest: str

    @property
    def component(self) -> Component:
        """What builds the encoder, every width filled in."""
        return self.kept.about["encoder"]

    @property
    def reader(self) -> Component | None:
        """What builds the reader; None: the encoder was trained on samples as they were prepared."""
        return self.kept.about.get("reader")


def start_of(config: PretrainConfig) -> Start | None:
    """Where a pre-training starts from; None: from an encoder that is new.

    Raises:
        ConfigError: The folder holds no encoder that can be opened.
    """
    folder = config.encoder.get(FROM)
    if folder is None:
        return None
    try:
        path = resolved(user_path(folder))
        return _start(path, *(path.joinpath(name).stat().st_mtime_ns for name in _files(path)))
    except ConfigError:
        raise
    except (ValueError, OSError) as error:
        raise ConfigError(f"{WHERE}: {error}") from error


def _files(path: Path) -> list[str]:
    return sorted(file.name for file in path.glob("*.json"))


@lru_cache(maxsize=64)
def _start(path: Path, *changed: int) -> Start:
    kept = open_kept(path)
    about = {name: kept.about.get(name) for name in ("encoder", "encoder_sha256", "reader", "reader_sha256")}
    return Start(kept, content_sum({**about, "sources": own_sources([about["encoder"], about["reader"]])})[:16])


def settings_of(config: PretrainConfig) -> dict[str, Any]:
    """Plain settings of a pre-training, in which content stands for a folder: wherever it lies, it is the same."""
    start, plain = start_of(config), config.to_dict()
    if start is not None:
        return {**plain, "encoder": {FROM: start.digest}}
    for slot in ("encoder", "reader"):
        folder = (plain.get(slot) or {}).get(CHECKPOINT)
        if isinstance(folder, str) and (held := content_of(folder)) is not None:
            plain[slot] = {**plain[slot], CHECKPOINT: held}
    return plain


def reader_of(config: PretrainConfig) -> Component | None:
    """The reader's component: that which is named, or else that of the folder; for keys of what is kept in memory."""
    start = start_of(config)
    if config.reader is not None or start is None or start.reader is None:
        return config.reader
    return {**start.reader, "learned": start.kept.about.get("reader_sha256")}


def reader_to_use(config: PretrainConfig) -> Reader | None:
    """The folder's reader as it was learned, where it is the one to read with; None: another is, or none."""
    start = start_of(config)
    return None if start is None or start.reader is None or config.reader is not None else load_reader(start.kept.path)


def check_reader(config: PretrainConfig, dataset: SampleDataset) -> None:
    """Refuse a reader that was named and reads otherwise than the one which the encoder was trained with.

    Raises:
        ConfigError: Their vocabularies, or what else they learned, differ.
    """
    start = start_of(config)
    if start is None or start.reader is None or dataset.reader is None or config.reader is None:
        return
    known = load_reader(start.kept.path)
    if known is not None and (type(known) is not type(dataset.reader) or known.state() != dataset.reader.state()):
        raise ConfigError(
            f"pretrain.reader: what {type(dataset.reader).__name__!r} learned here is not what the encoder of "
            f"{start.kept.path} was trained with ({type(known).__name__!r}): the same words would be other "
            "tokens; leave 'reader' out, and the folder's is used"
        )


def started_encoder(start: Start, dataset: SampleDataset) -> Encoder:
    """The encoder to start from, ready to train.

    Raises:
        ConfigError: A file is damaged, or the samples are not as wide, or not called, as those that it reads.
    """
    kept, features = start.kept, start.kept.about.get("features")
    try:
        digest = kept.about["encoder_sha256"]
        encoder = encoder_of(kept, kept.path / ENCODER, digest, dataset.in_channels, ())
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"{WHERE}: {error}") from error
    needed, came = getattr(encoder, "in_channels", None), dataset.in_channels
    reads, holds = f"{WHERE}: the encoder of {kept.path} reads", f"data set {dataset.name!r} holds"
    if needed is not None and came != needed:
        what = dataset.store.describe() if came is None else f"{came} features a sample"
        raise ConfigError(f"{reads} {needed} features a sample, {holds} {what}")
    names = dataset.feature_names
    if features and names and features != names:
        place = [one == other for one, other in zip(features, names, strict=True)].index(False)
        raise ConfigError(
            f"{reads} {features[place]!r} as feature {place}, {holds} {names[place]!r} there; prepare it with the same "
            "columns in the same order"
        )
    return encoder.requires_grad_(True).train()
