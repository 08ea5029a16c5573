"""From a data set's records to the samples that its encoder reads."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict

import pyarrow as pa
from torch import Tensor

from sigraph.config import ConfigError
from sigraph.config.build import build, working
from sigraph.config.overlay import Component
from sigraph.data import SampleDataset
from sigraph.readers import Reader
from sigraph.tasks.task import said_elsewhere

KEPT = 4  # data sets that were read
WHERE = "pretrain.reader"

_kept: OrderedDict[tuple[str, ...], SampleDataset] = OrderedDict()


def read_for_pretraining(
    dataset: SampleDataset, component: Component | None, visible: Tensor | None, learned: Reader | None = None
) -> SampleDataset:
    """The data set as a reader reads it that learns from the samples which are pre-trained on.

    Args:
        dataset: Of records.
        component: The reader's settings; None: the samples are read as they are prepared.
        visible: Sample ids that it may learn from. Shape [M]; None: all.
        learned: A reader that has learned already, to be used without a component.

    Raises:
        ConfigError: The reader cannot be built, or does not fit the records.
    """
    if component is None:
        return dataset if learned is None else _read_as_learned(dataset, learned)
    # Arms that read the same records in the same way share them.
    which = "" if visible is None else hashlib.sha256(visible.numpy().tobytes()).hexdigest()
    key = dataset.name, dataset.fingerprint, json.dumps(component, sort_keys=True), which
    found = _kept.get(key)
    if found is None:
        reader: Reader = build(component, Reader, WHERE)
        with working(type(reader).__name__, component, WHERE):
            reader.fit(_records(dataset, reader, visible))
            found = _read(dataset, reader)
            _check_state(reader)
        _kept[key] = found
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return found


def _read(dataset: SampleDataset, reader: Reader) -> SampleDataset:
    """Silently: what a reader leaves out of tasks the checks say, once."""
    with said_elsewhere():
        return dataset.read(reader)


def _read_as_learned(dataset: SampleDataset, reader: Reader) -> SampleDataset:
    _records(dataset, reader, None)
    try:
        return _read(dataset, reader)
    except ValueError as error:
        raise ConfigError(f"{WHERE}, that of the encoder's folder: {error}") from error


def _records(dataset: SampleDataset, reader: Reader, visible: Tensor | None) -> pa.Table:
    records = dataset.records
    if records is None:
        name = type(reader).__name__
        raise ConfigError(
            f"{WHERE}: {name!r} needs records, but the samples of data set {dataset.name!r} are "
            f"{dataset.store.describe()}; leave 'reader' out"
        )
    return records if visible is None else records.take(pa.array(visible.numpy()))


def _check_state(reader: Reader) -> None:
    """Refuse what could not be kept beside the encoder, before anything trains."""
    state = reader.state()
    try:
        if not isinstance(state, dict):
            raise TypeError(f"it is a {type(state).__name__}")
        json.dumps(state, allow_nan=False)
    except (TypeError, ValueError) as error:
        name = type(reader).__name__
        raise ValueError(f"state() of {name!r} needs to give a mapping that JSON can hold ({error})") from error


def read_alike(dataset: SampleDataset, pretrained_on: SampleDataset) -> SampleDataset:
    """Another data set, read as the pre-training's was, so that its encoder can be used on it.

    Raises:
        ConfigError: The reader cannot read its records.
    """
    reader = pretrained_on.reader
    if reader is None or dataset.reader is reader:
        return dataset
    try:
        return _read(dataset, reader)
    except ValueError as error:
        raise ConfigError(f"data set {dataset.name!r}: {error}") from error
