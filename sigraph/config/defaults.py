"""What an arm leaves open, filled in: data sets, the primary task, the structure weight."""

from __future__ import annotations

import dataclasses

from sigraph.config.location import Place
from sigraph.config.overlay import DataSource
from sigraph.config.schema import FinetuneConfig, PretrainConfig

DEFAULT_STRUCTURE_WEIGHT = 0.1


def complete_finetune(entries: list[FinetuneConfig], dataset: DataSource | None, place: Place) -> list[FinetuneConfig]:
    """Entries with data set and primary task filled in.

    Raises:
        ConfigError: More than one is primary, two are the same, an entry changes a world that is none, or one that asks
            no neighbours leaves one out.
    """
    for i, entry in enumerate(entries):
        if entry.leave_one_out and entry.head != "knn":
            at = place / "finetune" / i / "leave_one_out"
            raise at.error(f"'finetune.{i}.leave_one_out' needs 'head: knn' (got {entry.head!r})")
    if dataset is not None:
        sources = [_complete_dataset(entry.dataset, dataset, place / "finetune" / i) for i, entry in enumerate(entries)]
        entries = [dataclasses.replace(e, dataset=source) for e, source in zip(entries, sources, strict=True)]
    primary = [i for i, entry in enumerate(entries) if entry.primary]
    if len(primary) > 1:
        raise (place / "finetune").error(f"only one entry of 'finetune' can be primary (got entries {primary})")
    for i, entry in enumerate(entries):
        for j in range(i):
            if dataclasses.replace(entries[j], primary=entry.primary) == entry:
                raise (place / "finetune" / i).error(f"'finetune.{i}' repeats 'finetune.{j}' without any difference")
    if entries and not primary:
        entries[0] = dataclasses.replace(entries[0], primary=True)
    return entries


def complete_pretrain(pretrain: PretrainConfig, place: Place) -> PretrainConfig:
    """A pre-training with its structure weight filled in.

    Raises:
        ConfigError: The weight asks for an objective and there is none.
    """
    weight = pretrain.structure_weight
    if weight is None:
        weight = 1.0 if pretrain.objective is None else DEFAULT_STRUCTURE_WEIGHT
    if weight < 1 and pretrain.objective is None:
        raise place.error(f"'pretrain.structure_weight' below 1 needs 'pretrain.objective' (got {weight} and null)")
    return dataclasses.replace(pretrain, structure_weight=weight)


def _complete_dataset(own: DataSource | None, pretrained_on: DataSource, place: Place) -> DataSource:
    if not isinstance(own, dict) or "_target_" in own:
        return own or pretrained_on
    if not isinstance(pretrained_on, dict):
        raise (place / "dataset").error(
            f"'{place}.dataset' has no '_target_', so it changes arguments of the pre-training world, but "
            f"'pretrain.dataset' is {pretrained_on!r} (got {own!r})"
        )
    return {**pretrained_on, **own}
