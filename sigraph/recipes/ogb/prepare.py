"""Prepare an OGB data set: official files in, a prepared folder out, all or nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sigraph.data.ogb_facts import ogb_facts
from sigraph.data.prepared import PREPARED, read_manifest
from sigraph.files.ownership import DATASET, check_owned
from sigraph.files.temporary import own_prefix, sweep
from sigraph.recipes.ogb.card import ogb_card, said_of
from sigraph.recipes.ogb.files import official_folder
from sigraph.recipes.ogb.sets import read_official
from sigraph.recipes.put import put


def prepare_ogb(name: str, root: Path, force: bool = False) -> Path:
    """Prepare a data set of OGB unless that was done; its folder. See :func:`~sigraph.recipes.prepare`.

    A folder that was prepared of another release, or by another reader, is prepared anew.

    Raises:
        ValueError: There is no such data set; its files are damaged, or of another release.
        ConnectionError: They could not be downloaded.
    """
    facts = ogb_facts(name)
    target = root / PREPARED / name
    if target.exists() and any(target.iterdir()):
        if not force:
            written = read_manifest(target, again=f"run `sigraph prepare {name} --force`").card()
            if (written.measured or {}).get("ogb") == said_of(facts):
                return target
        check_owned(target, {DATASET})
    folder = official_folder(facts, root)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f"{target.name}-reading")
    sweep(beside)
    with tempfile.TemporaryDirectory(prefix=own_prefix(beside), dir=target.parent, ignore_cleanup_errors=True) as own:
        dataset = read_official(folder, facts, Path(own))
        dataset.name, dataset.card = name, ogb_card(facts, folder, dataset)
        put(dataset, target)
    return target
