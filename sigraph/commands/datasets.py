"""``sigraph datasets [NAME]``: what is known by name, and what is in one of them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sigraph.files.counted import counted
from sigraph.files.foreign_text import printable
from sigraph.files.ownership import CARD, MANIFEST
from sigraph.files.paths import user_path
from sigraph.files.suggestions import did_you_mean

if TYPE_CHECKING:
    from sigraph.data.card import Card
    from sigraph.data.column_uses import ColumnUse


def datasets_run(arguments: argparse.Namespace) -> int:
    """List the data sets, or tell about one."""
    from sigraph.data.card import card_names, load_card
    from sigraph.data.ogb_facts import ogb_facts, ogb_names

    if arguments.name is None:
        for name in card_names():
            card = load_card(name)
            graphs = ", ".join(f"{key} ({_edges(graph.num_edges)})" for key, graph in card.graphs.items())
            tasks = ", ".join(f"{key} ({task.type}, {task.metric})" for key, task in card.tasks.items())
            count = "" if card.samples.count is None else f"{counted(card.samples.count, 'sample')}; "
            print(f"{name}\n  {card.title}\n  {count}graph {graphs or 'none'}; task {tasks}")
        print(f"OGB's, from their official files:\n  {', '.join(ogb_names())}")
        return 0
    if arguments.name in card_names():
        print(_told(load_card(arguments.name)))
    elif arguments.name in ogb_names():
        facts = ogb_facts(arguments.name)
        print(f"{facts.name}: one of OGB's, a {facts.kind} set, {facts.type}, {facts.our_metric}; docs/ogb.md")
    elif (user_path(arguments.name) / MANIFEST).is_file():
        from sigraph.data.column_uses import read_uses
        from sigraph.data.prepared import read_manifest

        manifest = read_manifest(user_path(arguments.name))
        print(printable(_told(manifest.card(), read_uses(manifest))))
    elif (file := user_path(arguments.name) / CARD).is_file():
        from sigraph.data.card import Card

        print(_told(Card.read(file)))
    else:
        near = did_you_mean(arguments.name, [*card_names(), *ogb_names()])
        raise ValueError(f"there is no data set {arguments.name!r}{near}; `sigraph datasets` lists all")
    return 0


def _told(card: Card, uses: Sequence[ColumnUse] | None = None) -> str:
    lines = [f"{card.name}: {card.title}", "", card.about.strip(), "", *content_lines(card, uses)]
    return "\n".join([*lines, f"licence  {card.licence}", f"source   {card.source.url}"])


def content_lines(card: Card, uses: Sequence[ColumnUse] | None) -> list[str]:
    """Samples, graphs and tasks as a card counts them, and what the columns of the user's table were taken for."""
    lines = []
    if card.samples.count is not None:
        lines.append(f"samples  {counted(card.samples.count, 'sample')} ({card.samples.kind})")
    if uses:
        from sigraph.tables.report import column_lines

        lines += column_lines(uses)
    lines += [f"graph    {key}: {_edges(one.num_edges)}. {one.about.strip()}" for key, one in card.graphs.items()]
    for key, task in card.tasks.items():
        parts = {"train": task.train, "valid": task.valid, "test": task.test}
        sizes = ", ".join(f"{part} {size:,}" for part, size in parts.items() if size is not None)
        lines.append(
            f"task     {key}: {task.type}, {', '.join(task.metrics or [task.metric])}; {sizes}. {task.about.strip()}"
        )
    return lines


def _edges(count: int | None) -> str:
    return "edges" if count is None else counted(count, "edge")
