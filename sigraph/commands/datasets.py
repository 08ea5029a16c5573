"""``sigraph datasets [NAME]``: what is known by name, and what is in one of them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from sigraph.files.paths import user_path
from sigraph.files.suggestions import did_you_mean

if TYPE_CHECKING:
    from sigraph.data.card import Card


def datasets_run(arguments: argparse.Namespace) -> int:
    """List the data sets, or tell about one."""
    from sigraph.data.card import card_names, load_card
    from sigraph.data.ogb_facts import ogb_facts, ogb_names

    if arguments.name is None:
        for name in card_names():
            card = load_card(name)
            graphs = ", ".join(f"{key} ({_edges(graph.num_edges)})" for key, graph in card.graphs.items())
            tasks = ", ".join(f"{key} ({task.type}, {task.metric})" for key, task in card.tasks.items())
            count = "" if card.samples.count is None else f"{card.samples.count:,} samples; "
            print(f"{name}\n  {card.title}\n  {count}graph {graphs or 'none'}; task {tasks}")
        print(f"OGB's, from their official files:\n  {', '.join(ogb_names())}")
        return 0
    if arguments.name in card_names():
        print(_told(load_card(arguments.name)))
    elif arguments.name in ogb_names():
        facts = ogb_facts(arguments.name)
        print(f"{facts.name}: one of OGB's, a {facts.kind} set, {facts.type}, {facts.our_metric}; docs/ogb.md")
    elif (file := user_path(arguments.name) / "card.yaml").is_file():
        from sigraph.data.card import Card

        print(_told(Card.read(file)))
    else:
        near = did_you_mean(arguments.name, [*card_names(), *ogb_names()])
        raise ValueError(f"there is no data set {arguments.name!r}{near}; `sigraph datasets` lists all")
    return 0


def _told(card: Card) -> str:
    lines = [f"{card.name}: {card.title}", "", card.about.strip(), ""]
    if card.samples.count is not None:
        lines.append(f"samples  {card.samples.count:,} {card.samples.kind}")
    lines += [f"graph    {key}: {_edges(one.num_edges)}. {one.about.strip()}" for key, one in card.graphs.items()]
    for key, task in card.tasks.items():
        parts = {"train": task.train, "valid": task.valid, "test": task.test}
        sizes = ", ".join(f"{part} {size:,}" for part, size in parts.items() if size is not None)
        lines.append(
            f"task     {key}: {task.type}, {', '.join(task.metrics or [task.metric])}; {sizes}. {task.about.strip()}"
        )
    return "\n".join([*lines, f"licence  {card.licence}", f"source   {card.source.url}"])


def _edges(count: int | None) -> str:
    return "edges" if count is None else f"{count:,} edges"
