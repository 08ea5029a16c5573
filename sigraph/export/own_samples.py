"""The samples that a run was pre-trained on, from wherever they are asked for."""

from __future__ import annotations

import os
from pathlib import Path

from sigraph.data import SampleDataset
from sigraph.data.prepared import read_manifest
from sigraph.export.load import PretrainedOn, load_reader, pretrained_on
from sigraph.export.samples import ReadSamples, read_by
from sigraph.files.paths import resolved, user_path
from sigraph.recipes import open_dataset
from sigraph.synthetic.generated import generated, shown


def own_samples(folder: str | os.PathLike[str]) -> ReadSamples:
    """The samples that a run was pre-trained on, as its reader reads them.

    Args:
        folder: The run's.

    Raises:
        ValueError: As in :func:`own_dataset`.
    """
    about = pretrained_on(folder)
    return read_by(load_reader(folder), own_dataset(folder, about), about)


def own_dataset(folder: str | os.PathLike[str], about: PretrainedOn) -> SampleDataset:
    """The data set that a run was pre-trained on, from wherever it is asked.

    A relative path is of the folder in which `sigraph run` was typed: it is looked for where you stand, then in every
    folder around the run's, and taken if it holds the data that the run saw.

    Raises:
        ValueError: It is not there, or has changed.
    """
    own, around = about.dataset, []
    if own is None:
        raise ValueError(f"{folder} holds an encoder and no run; say what samples are: --samples")
    if isinstance(own, str) and not Path(own).expanduser().is_absolute():
        around = [place / own for place in resolved(user_path(folder)).parents]
    for place in around:
        try:
            if read_manifest(place).hash() == about.fingerprint:
                return open_dataset(str(place))
        except (ValueError, OSError):
            continue
    try:
        dataset = open_dataset(own) if isinstance(own, str) else generated(own, "pretrain.dataset")
    except (ValueError, OSError) as error:
        raise ValueError(
            f"the run's data set {shown(own)!r} cannot be opened ({error}); say where it is: --dataset"
        ) from error
    if dataset.fingerprint != about.fingerprint:
        way = f"to embed it as it is now: --dataset {own}" if isinstance(own, str) else "run the experiment again"
        raise ValueError(f"the data set {shown(own)!r} has changed since the run; {way}")
    return dataset
