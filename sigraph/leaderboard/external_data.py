"""What an arm was made from besides the data set it is tested on: checkpoints, raw text, other data, files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from sigraph.leaderboard.records import Record
from sigraph.leaderboard.result_files import SETTINGS

# Keys of a component whose text says where something comes from that this data set does not hold.
_FOREIGN = frozenset(
    {"checkpoint", "pretrained", "pretrained_model_name_or_path", "name_or_path", "weights", "path", "file", "folder"}
)
_MOST = 1 << 24  # bytes of a run's settings
_OURS = ("sigraph", "torch")


class External(NamedTuple):
    """Whether data or models of elsewhere shaped an arm.

    Args:
        is_known: Whether that could be told.
        found: Each, in words; nothing: none.
        own_code: Components that are the user's own, which may bring data of their own.
    """

    is_known: bool
    found: list[str]
    own_code: list[str]


def external_data(record: Record, dataset: str) -> External:
    """What of a run is external data, as OGB's rules have it.

    External are a checkpoint or a file that a component names, a pre-training data set other than the one that is
    tested, and a reader of raw records (but of the SMILES that the official files of molecules hold).

    Args:
        record: A run; its settings lie beside it, else what the record says of its pre-training is looked at.
        dataset: What is tested.
    """
    settings = run_settings(record)
    pretrain = settings.get("pretrain")
    if not isinstance(pretrain, dict):
        known = record.pretrain
        if known is None or known.dataset is None or known.encoder is None:
            return External(False, [], [])
        pretrain = {name: getattr(known, name) for name in ("dataset", "graph", "reader", "encoder")}
    found = []
    source = pretrain.get("dataset")
    if source != dataset:
        found.append(f"pre-trained on {source if isinstance(source, str) else _target(source)}")
    if pretrain.get("reader") is not None and not dataset.startswith("ogbg-mol"):
        found.append(f"raw records, read by {_target(pretrain['reader'])}")
    components = {name: value for name, value in pretrain.items() if name not in ("dataset", "trainer")}
    found += [f"{key} {value}" for key, value in _texts(components) if key in _FOREIGN]
    targets = [value for key, value in _texts(components) if key == "_target_"]
    own = [target for target in targets if target.partition(".")[0] not in _OURS]
    return External(True, list(dict.fromkeys(found)), list(dict.fromkeys(own)))


def run_settings(record: Record) -> dict[str, Any]:
    """The settings that lie beside a run; empty if they do not, or cannot be read."""
    file = Path(record.folder) / SETTINGS if record.folder else None
    if file is None or not file.is_file() or file.stat().st_size > _MOST:
        return {}
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text in plain settings, with the key it stands under."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(inner, str(name))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner, key)
    elif isinstance(value, str):
        yield key, value


def _target(component: Any) -> str:
    name = component.get("_target_") if isinstance(component, dict) else None
    return str(name or component).rpartition(".")[2]
