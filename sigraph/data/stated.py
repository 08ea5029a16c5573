"""What a card states of a data set that is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sigraph.data.card import Card, CardGraph, CardSamples, CardTask
from sigraph.tasks.base import BaseTask


def stated_tasks(tasks: Mapping[str, BaseTask]) -> dict[str, CardTask]:
    """Tasks as a card states them."""
    stated = {}
    for name, task in tasks.items():
        counts = {key: value for key, value in task.measure().items() if key != "num_labelled"}
        stated[name] = CardTask(**counts, about=task.about)
    return stated


def stated_card(
    card: Card | None,
    name: str,
    measured: dict[str, Any],
    tasks: Mapping[str, BaseTask],
    feature_names: Sequence[str] | None,
) -> Card:
    """The card of a prepared folder: the data set's own, or one of what is there; with what was measured.

    Args:
        card: The data set's; None: it has none.
        name: What it is called then.
        measured: As :meth:`~sigraph.data.SampleDataset.measure` gives it.
        tasks: The data set's, by name.
        feature_names: What the columns of feature rows are called.
    """
    card = card or Card(
        name,
        samples=CardSamples(**measured["samples"]),
        graphs={key: CardGraph(num_edges=value["num_edges"]) for key, value in measured["graphs"].items()},
        tasks=stated_tasks(tasks),
    )
    columns = None if feature_names is None else list(feature_names)
    samples = replace(card.samples, columns=columns)
    return replace(card, samples=samples, measured={**(card.measured or {}), **measured})
