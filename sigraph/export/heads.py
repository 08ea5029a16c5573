"""Head: what predicts after a fine-tuning; kept beside the run as numbers and words, read again without its data."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from sigraph.evaluation.nearest_head import NearestHead
from sigraph.files.atomic import atomic_file, sha256
from sigraph.files.sealed import DamagedError, read_sealed, write_sealed
from sigraph.tasks.base import BaseTask, UnitLength
from sigraph.tasks.kinds import KINDS, TargetUnit
from sigraph.tasks.pairs import PairFeatures

logger = logging.getLogger(__name__)

FORMAT = 1  # of a head's file
SAMPLE, PAIRS, PART = "sample", ("pair", "link"), "token"  # items of tasks whose heads predict by themselves
MOST_BYTES = 1 << 28  # of a head: that of nearest neighbours holds the embeddings that it asks

Described = dict[str, Any]


@dataclass(frozen=True)
class Head:
    """A head that was trained, and what its predictions mean.

    Args:
        task: Name of the task.
        kind: ``linear``, ``full`` or ``knn``.
        item: What it predicts something of: ``sample``, ``pair``, ``link``, ``token``, ...
        type: Of labels: ``classification``, ``multilabel``, ``regression``; empty: others.
        metric: The first of the task's.
        classes: What class (or label column) 0, 1, ... is called; None: nothing but its number.
        module: From what the task reads of embeddings to predictions, in evaluation mode; None: its layers are of the
            user's own, and the weights alone are kept.
    """

    task: str
    kind: str
    item: str
    type: str
    metric: str
    classes: list[str | int] | None
    module: nn.Module | None

    def check(self) -> None:
        """Refuse what predicts nothing by itself.

        Raises:
            ValueError: Its items are other than samples, pairs and parts, its labels of no usual type, or its layers of
                the user's own.
        """
        known = self.item in (SAMPLE, *PAIRS, PART) and self.type in KINDS
        if not known or self.module is None:
            own = f"is of {self.item}s, and what is predicted are samples, pairs and parts of samples"
            what = "has layers of your own, which are not kept" if known else own
            raise ValueError(
                f"the head of task {self.task!r} {what}; take the encoder home (sigraph.load_encoder) and predict from "
                "its embeddings"
            )

    @torch.no_grad()
    def predict(self, z: Tensor) -> tuple[Tensor | None, Tensor]:
        """Predictions from embeddings.

        Args:
            z: What the task reads of embeddings: of samples [N, D], of both samples of a pair [N, 2, D], of parts
                [N, D'].

        Returns:
            Classes, of a classification [N]; and the probability of each class (share of the neighbours' votes of
            ``knn``) [N, C], of a 1 in each label column [N, L], or numbers in the unit of the labels [N].

        Raises:
            ValueError: As in :meth:`check`.
        """
        self.check()
        module: Any = self.module
        nearest = module if isinstance(module, NearestHead) else None
        if self.type == "classification":
            if nearest is None:
                scores = module(z).double().softmax(dim=1)
                return scores.argmax(dim=1), scores
            plain = NearestHead(nearest.z, nearest.labels, nearest.k)
            return plain(z), nearest.shares(z)
        found = module(z)
        if self.type == "regression":
            return None, found.double().view(-1)
        return None, found.double() if nearest is not None else found.double().sigmoid()


def keep_head(folder: Path, name: str, task: BaseTask, kind: str, head: nn.Module | None) -> dict[str, Any]:
    """Keep a head: ``<name>.safetensors`` and, with its sum, ``<name>.json``, which says what it predicts.

    Args:
        folder: Of the heads.
        name: Of both files.
        task: What it was trained on.
        kind: ``linear``, ``full`` or ``knn``.
        head: None: there is none, and nothing is kept.

    Returns:
        The field ``trained_head`` of the task's result; nothing if nothing was kept, which is said.
    """
    if head is None:
        return {}
    weights = {key: value.detach().cpu().contiguous() for key, value in head.state_dict().items()}
    if (size := sum(value.nbytes for value in weights.values())) > MOST_BYTES:
        logger.warning("the head of %s takes %d bytes, more than %d, and is not kept", task.name, size, MOST_BYTES)
        return {}
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.json"
    with atomic_file(file.with_suffix(".safetensors")) as target:
        target.write_bytes(save(weights))
    unit = next((layer for layer in head.modules() if isinstance(layer, TargetUnit)), None)
    about = {
        "format": FORMAT,
        "task": task.name,
        "head": kind,
        "item": task.item,
        "type": task.type,
        "metric": task.metric,
        "classes": task.classes,
        "unit": None if unit is None else {"mean": unit.mean, "scale": unit.scale},
        "layers": _described(head),
        "weights": {"file": f"{name}.safetensors", "sha256": sha256(file.with_suffix(".safetensors"))},
    }
    write_sealed(file, about)
    return {"trained_head": {"file": file.name, "sha256": sha256(file)}}


def damage(folder: Path, kept: Mapping[str, str]) -> str | None:
    """What is wrong with the files of a head that a record names; None: nothing."""
    file = folder / kept["file"]
    try:
        if sha256(file) != kept["sha256"]:
            return f"{file} is damaged (its sum is another)"
        weights = read_sealed(file)["weights"]
        whole = sha256(folder / weights["file"]) == weights["sha256"]
        return None if whole else f"{folder / weights['file']} is damaged (its sum is another)"
    except FileNotFoundError as error:
        return f"{error.filename} is missing"
    except (OSError, DamagedError, KeyError, TypeError) as error:
        return f"{file} cannot be read ({error})"


def read_head(folder: Path, kept: Mapping[str, str]) -> Head:
    """A head that a record names.

    Args:
        folder: Of the heads.
        kept: The field ``trained_head`` of a task's result.

    Raises:
        ValueError: A file is missing, damaged, or of a newer sigraph.
    """
    if wrong := damage(folder, kept):
        raise ValueError(wrong)
    file = folder / kept["file"]
    about = read_sealed(file)
    if about.get("format") != FORMAT:
        raise ValueError(f"{file} is of a newer sigraph (format {about.get('format')}); update sigraph")
    try:
        module = _rebuilt(about["layers"])
        if module is not None:
            module.load_state_dict(load_file(folder / about["weights"]["file"]))
            module.eval()
        task, kind, item, type = (about[name] for name in ("task", "head", "item", "type"))
        return Head(task, kind, item, type, about["metric"], about["classes"], module)
    except (KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"{file} is no head ({' '.join(str(error).split())})") from error


# Layers by name: what is said of one, and how it is made of that.
_SAID: dict[type[nn.Module], Callable[[Any], Described]] = {
    UnitLength: lambda layer: {},
    nn.Dropout: lambda layer: {"p": layer.p},
    nn.Linear: lambda layer: {"in_features": layer.in_features, "out_features": layer.out_features},
    nn.Flatten: lambda layer: {"start_dim": layer.start_dim},
    TargetUnit: lambda layer: {"mean": layer.mean, "scale": layer.scale},
    PairFeatures: lambda layer: {"how": layer.how, "directed": layer.directed},
    NearestHead: lambda layer: {
        "k": layer.k,
        "width": layer.width,
        "gives_shares": layer.gives_shares,
        "z": list(layer.z.shape),
        "labels": list(layer.labels.shape),
        "dtype": str(layer.labels.dtype).removeprefix("torch."),
    },
}
_MADE: dict[str, Callable[..., nn.Module]] = {
    **{kind.__name__: kind for kind in _SAID},
    "TargetUnit": TargetUnit.of,
    "NearestHead": lambda z, labels, dtype, **more: NearestHead(
        torch.empty(z), torch.empty(labels, dtype=getattr(torch, dtype)), **more
    ),
}


def _described(head: nn.Module) -> list[Described] | None:
    """The layers of a head in a row; None: one of them is not known."""
    layers = list(head) if isinstance(head, nn.Sequential) else [head]
    if any(type(layer) not in _SAID for layer in layers):
        return None
    return [{"layer": type(layer).__name__, **_SAID[type(layer)](layer)} for layer in layers]


def _rebuilt(layers: list[Described] | None) -> nn.Module | None:
    if layers is None:
        return None
    with torch.random.fork_rng(devices=[]):
        made = [_MADE[one["layer"]](**{key: value for key, value in one.items() if key != "layer"}) for one in layers]
    return made[0] if isinstance(made[0], NearestHead) else nn.Sequential(*made)
