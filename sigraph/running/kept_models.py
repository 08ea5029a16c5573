"""What a fine-tuning leaves to predict with: its head, of every seed, and the encoder, of those that are asked for.

``save_models: best`` keeps, of each arm and task, the encoder of the seed that validation prefers (the smaller one of
equally good ones). Every run writes its own and then removes what others are better than, of its own pre-training's
seeds: the best is never removed, so that whichever order runs end in, and however often one is killed, it alone stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save

from sigraph.config.schema import BEST, NONE
from sigraph.encoders import Encoder
from sigraph.export.heads import damage, keep_head
from sigraph.files.atomic import atomic_file, sha256
from sigraph.finetune import FinetuneResult
from sigraph.leaderboard.records import TaskResult
from sigraph.leaderboard.result_files import HEADS, MODELS
from sigraph.tasks.base import BaseTask

FULL = "full"
_SAME = ("data", "pretrain_data", "sources", "version", "settings", "metric")  # of fine-tunings that are compared


def keep(
    folder: Path, name: str, task: BaseTask, head: str, result: FinetuneResult, save_models: str
) -> dict[str, Any]:
    """Keep a head, and the encoder that was fine-tuned with it.

    Args:
        folder: Of the results that arms of the same settings share; ``heads/`` and ``models/`` are in it.
        name: Of the files: that of the task's result, without its ending.
        task: What was fine-tuned.
        head: Its kind.
        result: What it gave.
        save_models: ``best``, ``all`` or ``none``.

    Returns:
        Fields of the task's result.
    """
    kept = keep_head(folder / HEADS, name, task, head, result.head)
    if head == FULL and save_models != NONE and result.model is not None:
        file = folder / MODELS / f"{name}.safetensors"
        kept["model"] = {**_keep_model(file, result.model.encoder), "kept": save_models}
    return kept


def _keep_model(file: Path, encoder: Encoder) -> dict[str, str]:
    file.parent.mkdir(exist_ok=True)
    weights = {key: value.detach().cpu().contiguous() for key, value in encoder.state_dict().items()}
    with atomic_file(file) as target:
        target.write_bytes(save(weights))
    return {"file": file.name, "sha256": sha256(file)}


def lost(folder: Path, file: str, record: Mapping[str, Any], save_models: str) -> str | None:
    """What is missing or damaged of what a fine-tuning that was found left; None: nothing.

    A record that is older than heads lacks none; what ``save_models: all`` asks for, it does.

    Args:
        folder: Of the pre-training, in the seed's own.
        file: Of the record, below it.
        record: The fine-tuning's.
        save_models: ``best``, ``all`` or ``none``.
    """
    head, model = record.get("trained_head"), record.get("model")
    if head and (wrong := damage(folder / HEADS, head)):
        return wrong
    if record.get("head") != FULL or save_models == NONE or (save_models == BEST and not head):
        return None
    if model and _is_whole(folder / MODELS, model):
        return None
    if save_models == BEST and any(_is_better(other, record) for _, other in _with_model(folder, file, record)):
        return None
    return f"the model of {record.get('task')} (save_models: {save_models}) is missing or damaged in {folder / MODELS}"


def drop_losers(folder: Path, file: str, record: Mapping[str, Any]) -> None:
    """Remove models of seeds that validation prefers another to, as far as these are kept as the ``best``.

    Args:
        folder: Of the pre-training, in the seed's own.
        file: Of a fine-tuning's record, below it.
        record: That record.
    """
    found = list(_with_model(folder, file, record))
    for place, one in found:
        if (one.get("model") or {}).get("kept") == BEST and any(_is_better(other, one) for _, other in found):
            (place / MODELS / one["model"]["file"]).unlink(missing_ok=True)


def drop_links(run: Path, folder: Path, file: str) -> None:
    """Remove the models in the folders of an arm's runs whose pre-training has dropped its own.

    Args:
        run: Of one of its seeds.
        folder: Of the pre-training, in that seed's own.
        file: Of a fine-tuning's record, below it.
    """
    name = f"{Path(file).stem}.safetensors"
    for linked in run.parent.glob(f"seed-*/{MODELS}/{name}"):
        place = folder.parent / linked.parents[1].name
        if (place / file).is_file() and not (place / MODELS / name).exists():
            linked.unlink(missing_ok=True)


def is_linked(run: Path, folder: Path, record: Mapping[str, Any]) -> bool:
    """Whether a run's folder has the files of a record that its pre-training has."""
    head, model = record.get("trained_head"), record.get("model")
    if head and damage(run / HEADS, head):
        return False
    return not model or not (folder / MODELS / model["file"]).exists() or _is_whole(run / MODELS, model)


def _is_whole(folder: Path, model: Mapping[str, str]) -> bool:
    file = folder / model["file"]
    return file.is_file() and sha256(file) == model["sha256"]


def _with_model(folder: Path, file: str, record: Mapping[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The same fine-tuning of all seeds that have a model: the folder of their pre-training, and the record."""
    for model in sorted(folder.parent.glob(f"seed-*/{MODELS}/{Path(file).stem}.safetensors")):
        place = model.parents[1]
        try:
            found = TaskResult.read(place / file).to_dict()
        except (OSError, ValueError):  # of a run that is being written; whoever made it says what is wrong with it
            continue
        if found.get("model") and all(found.get(name) == record.get(name) for name in _SAME):
            yield place, found


def _is_better(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether validation prefers one seed to another, the smaller one where both are as good."""
    if one["valid"] == other["valid"]:
        return one["seed"] < other["seed"]
    return (one["valid"] > other["valid"]) == bool(other.get("greater_is_better"))
