"""What an arm leaves open, filled in: data sets, the primary task, the structure weight."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from sigraph.config.location import Place
from sigraph.config.overlay import DataSource, fresh
from sigraph.config.schema import OF_STEPS, FinetuneConfig, PretrainConfig

DEFAULT_STRUCTURE_WEIGHT = 0.1


def complete_finetune(
    entries: list[FinetuneConfig], dataset: DataSource | None, place: Place, tried: Collection[str] = ()
) -> list[FinetuneConfig]:
    """Entries with data set and primary task filled in.

    Args:
        entries: As they were read.
        dataset: Of pre-training; None: it stays open.
        place: Where they stand, for messages.
        tried: Dotted keys whose values a grid tries: some of its combinations may set what does not act.

    Raises:
        ConfigError: More than one is primary, two are the same, an entry changes a world that is none, one that asks
            no neighbours leaves one out, one that asks them is repeated, or a converged one says how steps are taken.
    """
    for i, entry in enumerate(entries):
        if entry.leave_one_out and entry.head != "knn":
            at = place / "finetune" / i / "leave_one_out"
            raise at.error(f"'finetune.{i}.leave_one_out' needs 'head: knn' (got {entry.head!r})")
        if entry.repeats > 1 and entry.head == "knn" and not _is_among(f"finetune.{i}.head", tried):
            raise (place / "finetune" / i / "repeats").error(
                f"'finetune.{i}.repeats' does not act with 'head: knn', which gives the same each time (got "
                f"{entry.repeats}); leave it out"
            )
        _check_converged(entry, f"finetune.{i}", place / "finetune" / i, tried)
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


def _check_converged(entry: FinetuneConfig, whole: str, place: Place, tried: Collection[str]) -> None:
    """Refuse keys of steps where none is taken, if they are not as they are by default."""
    if not entry.converged or _is_among(f"{whole}.converged", tried):
        return
    default = fresh(FinetuneConfig)
    for key in OF_STEPS:
        value = getattr(entry, key)
        if value != default[key] and not _is_among(f"{whole}.{key}", tried):
            raise (place / key).error(
                f"'{whole}.{key}' does not act with 'converged: true', which takes no steps of an optimiser but looks "
                f"for the minimum itself (got {value!r}); leave it out - an arm that changes the file's sets it to its "
                f"default, {default[key]!r} - or leave out 'converged'"
            )


def _is_among(dotted: str, tried: Collection[str]) -> bool:
    """Whether a grid tries values of a key, of something in it, or of what it is in."""
    return any(f"{dotted}.".startswith(f"{key}.") or f"{key}.".startswith(f"{dotted}.") for key in tried)


def _complete_dataset(own: DataSource | None, pretrained_on: DataSource, place: Place) -> DataSource:
    if not isinstance(own, dict) or "_target_" in own:
        return own or pretrained_on
    if not isinstance(pretrained_on, dict):
        raise (place / "dataset").error(
            f"'{place}.dataset' has no '_target_', so it changes arguments of the pre-training world, but "
            f"'pretrain.dataset' is {pretrained_on!r} (got {own!r})"
        )
    return {**pretrained_on, **own}
