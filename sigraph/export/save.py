"""save_encoder: an encoder that was trained in Python, in a folder that :func:`~sigraph.load_encoder` opens."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from sigraph.config.build import build
from sigraph.config.described import component_of
from sigraph.config.provenance import own_sources
from sigraph.config.trust import trusting
from sigraph.encoders import Encoder
from sigraph.export.load import SAVED, SAVED_FORMAT
from sigraph.files.arguments import check_kinds
from sigraph.files.atomic import atomic_folder, sha256
from sigraph.files.sealed import write_sealed
from sigraph.leaderboard.result_files import ENCODER, READER
from sigraph.readers import Reader


def save_encoder(
    encoder: Encoder,
    folder: str | os.PathLike[str],
    reader: Reader | None = None,
    features: Sequence[str] | None = None,
    component: Mapping[str, Any] | None = None,
) -> Path:
    """Save an encoder: weights as safetensors, and what it is built of, sealed; nothing in it is a pickle.

    :func:`~sigraph.load_encoder` and :func:`~sigraph.load_reader` give both back in another process, ``sigraph embed``
    takes the folder as it takes a run's, and ``pretrain.encoder: {from: FOLDER}`` starts a run from it.

    Args:
        encoder: Made with plain arguments, of a class in a module: they are written down, and it is built from them
            once, to be sure.
        folder: Is new, or empty.
        reader: What made samples of records for it, as it was fitted.
        features: Names of the features that it reads, in their order, by which columns of new tables are matched.
        component: What builds the encoder, as in a YAML, where its arguments do not tell: ``{"_target_":
            "mymodule.MyEncoder", ...}``.

    Returns:
        The folder.

    Raises:
        ValueError: The encoder, or the reader, cannot be built again; says why, and the way out.
        FileExistsError: The folder holds something.

    Example:
        >>> sigraph.save_encoder(encoder, "mine", reader=dataset.reader)
        >>> encoder = sigraph.load_encoder("mine")
    """
    check_kinds("save_encoder", encoder=(encoder, Encoder))
    about: dict[str, Any] = {"format": SAVED_FORMAT, "encoder": _component(encoder, component)}
    if features is not None:
        about["features"] = [str(name) for name in features]
    if reader is not None:
        check_kinds("save_encoder", reader=(reader, Reader))
        about["reader"] = component_of(reader)
    with _known(encoder, reader):
        if own := own_sources({"encoder": about["encoder"], "reader": about.get("reader")}):
            about["sources"] = own
    with atomic_folder(Path(folder)) as place:
        weights = {name: value.detach().cpu().contiguous() for name, value in encoder.state_dict().items()}
        (place / ENCODER).write_bytes(save(weights))
        about["encoder_sha256"] = sha256(place / ENCODER)
        if reader is not None:
            write_sealed(place / READER, {"state": reader.state()})
            about["reader_sha256"] = sha256(place / READER)
        write_sealed(place / SAVED, about)
    return Path(folder)


def _component(encoder: Encoder, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """What builds an encoder of the same shape, tried."""
    component = encoder.standing_alone(component_of(encoder) if given is None else dict(given))
    with _known(encoder), torch.random.fork_rng(devices=[]):
        again = build(component, Encoder, "save_encoder")
    then, now = ({name: tuple(v.shape) for name, v in one.state_dict().items()} for one in (encoder, again))
    differing = sorted(name for name in then | now if then.get(name) != now.get(name))
    if type(again) is not type(encoder) or differing:
        what = f"its weights differ in {', '.join(differing[:5])}" if differing else f"it is a {type(again).__name__}"
        raise ValueError(
            f"{type(encoder).__name__!r} cannot be made again from {component!s:.300}: {what}; make all of it in the "
            "constructor, or give what builds it as 'component'"
        )
    return component


def _known(*made: Encoder | Reader | None) -> AbstractContextManager[None]:
    """Trust the modules of objects that the caller holds: they were imported already."""
    return trusting([type(one).__module__.partition(".")[0] for one in made if one is not None])
