"""Which keys of a grid, or of a search, are open for an arm: those that it does not state itself and that act on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sigraph.config.schema import OF_FULL, OF_KNN, OF_STEPS, OF_TRAINING, FinetuneConfig, PretrainConfig


def open_keys(
    pretrain: PretrainConfig,
    finetune: Sequence[FinetuneConfig],
    stated: Iterable[str],
    tried: Mapping[str, Sequence[Any]],
    weighs_objective: bool = False,
) -> list[str]:
    """The keys whose values are worth trying for an arm.

    Args:
        pretrain: Of the arm, as the file has it.
        finetune: Its tasks.
        stated: Dotted keys that the arm states.
        tried: Dotted key -> values that it may get; of a range its two ends.
        weighs_objective: Whether the objective is looked at too: it does not act at ``structure_weight: 1``.

    Returns:
        In the order of ``tried``.
    """
    own = [tuple(dotted.split(".")) for dotted in stated]
    left = {
        dotted: values
        for dotted, values in tried.items()
        if not any(tuple(dotted.split("."))[: len(one)] == one for one in own)
    }
    trained = any(left.get("pretrain.trainer.max_epochs", [pretrain.trainer.max_epochs]))
    weights = left.get("pretrain.structure_weight", [pretrain.structure_weight])
    idle = [*([] if trained else ["pretrain"]), *([] if any(weights) else ["pretrain.structure_loss"])]
    if weighs_objective and all(weight == 1 for weight in weights):
        idle.append("pretrain.objective")
    for i, entry in enumerate(finetune):
        whole = f"finetune.{i}"
        heads = left.get(f"{whole}.head", [entry.head])
        if not entry.primary:  # it is not what the values are chosen by
            idle.append(whole)
        elif whole not in left:
            idle += [f"{whole}.{key}" for key in OF_KNN if "knn" not in heads]
            idle += [f"{whole}.{key}" for key in OF_FULL if "full" not in heads]
            idle += [f"{whole}.{key}" for key in OF_TRAINING if heads == ["knn"]]
            converged = all(left.get(f"{whole}.converged", [entry.converged]))
            idle += [f"{whole}.{key}" for key in OF_STEPS if converged and heads == ["linear"]]
    return [dotted for dotted in left if not any(f"{dotted}.".startswith(f"{part}.") for part in idle)]
