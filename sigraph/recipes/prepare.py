"""Prepare: from a card and raw files to a prepared folder, checked on the way and written all or nothing."""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import inspect
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from sigraph.data.card import Card, card_names, load_card, shipped_folder
from sigraph.data.dataset import SampleDataset
from sigraph.data.ogb_facts import ogb_names
from sigraph.data.prepared import PREPARED, read_manifest
from sigraph.files.ownership import CARD, DATASET, MANIFEST, check_owned
from sigraph.files.paths import data_root, resolved, user_path
from sigraph.files.sealed import DamagedError, read_sealed, write_sealed
from sigraph.files.suggestions import did_you_mean
from sigraph.recipes.download import raw_file
from sigraph.recipes.put import put

RECIPE = "prepare.py"
KNOWN_HASHES = "known-hashes.json"

logger = logging.getLogger(__name__)


def dataset_names() -> list[str]:
    """Names of all data sets that sigraph knows: those it ships cards of, and OGB's."""
    return [*card_names(), *ogb_names()]


def open_dataset(name_or_path: str | Path, root: str | Path | None = None) -> SampleDataset:
    """A data set by name, prepared on first use; or by the path of a prepared folder.

    Args:
        name_or_path: Name of a shipped data set, or of one of OGB's, such as ``ogbn-arxiv``; or a folder.
        root: Where data are kept; by default :func:`data_root`.

    Raises:
        ValueError: No such data set (the message lists all, and says where a folder was looked for); or a prepared
            folder is truncated.
    """
    return SampleDataset.open(prepared_folder(name_or_path, root))


def prepared_folder(name_or_path: str | Path, root: str | Path | None = None) -> Path:
    """The folder that :func:`open_dataset` opens; prepared on first use."""
    if name_or_path not in dataset_names() and (user_path(name_or_path) / MANIFEST).is_file():
        return resolved(name_or_path)
    return prepare(name_or_path, root=root)


def prepare(name: str | Path, force: bool = False, root: str | Path | None = None, trust_recipe: bool = False) -> Path:
    """Prepare a data set unless that was done; its folder.

    Raw files are looked for in ``SIGRAPH_DATA_SOURCE``, then in ``root/raw``, else downloaded; their sums are checked
    against the card, then the recipe turns them into a data set, its counts are checked, and the folder is written.

    Args:
        name: Name of a shipped data set or of one of OGB's; or a folder with a ``card.yaml`` and a ``prepare.py``.
        force: Prepare again even if the folder is there, intact and up to date with its card. A folder that is not
            sigraph's, or holds anything besides, is never replaced.
        root: Where data are kept; by default :func:`data_root`.
        trust_recipe: Run the ``prepare.py`` of a folder that sigraph did not ship.

    Raises:
        ValueError: Unknown data set; a wrong sum or count; a recipe that is not trusted; a damaged prepared folder.
        ConnectionError: A raw file could not be downloaded. Whatever is raised, no half-written folder is left.
    """
    root = data_root() if root is None else user_path(root)
    if isinstance(name, str) and name in ogb_names():
        from sigraph.recipes.ogb.prepare import prepare_ogb  # PyG, which other data sets may do without

        return prepare_ogb(name, root, force)
    folder, card = _find(name)
    shipped = folder.parent == shipped_folder().resolve()
    # Two folders of a user may carry cards of the same name, or that of a shipped one.
    key = card.name if shipped else f"{card.name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
    target = root / PREPARED / key
    if not force and target.exists() and any(target.iterdir()):
        again = f"run `sigraph prepare {name} --force{'' if shipped else ' --trust-recipe'}`"
        written = read_manifest(target, again=again).card()
        if (written.measured or {}).get("card_sha256") == card.digest():
            return target
        logger.info("%s: the card changed since it was prepared; preparing it again", card.name)
    if not shipped and not trust_recipe:
        raise ValueError(
            f"{folder / RECIPE} was not shipped with sigraph and would run as code; "
            f"read it, then allow it: `sigraph prepare {name} --trust-recipe`, or trust_recipe=True in 'prepare'"
        )
    if target.exists() and any(target.iterdir()):
        check_owned(target, {DATASET})
    recorded = _read_known(root).get(key, {})
    unstated = [entry.path for entry in card.files if entry.sha256 is None]
    absent = [cached for path in unstated if not (cached := root / "raw" / path).is_file()]
    found = {entry.path: raw_file(entry, root, recorded.get(entry.path)) for entry in card.files}
    try:
        recipe = _load_recipe(folder / RECIPE)
        asks_root = len(inspect.signature(recipe).parameters) > 2  # as it reads official files of OGB besides
        dataset = recipe({path: file for path, (file, _) in found.items()}, card, *([root] if asks_root else []))
        if not isinstance(dataset, SampleDataset):
            raise ValueError(f"'prepare' in {folder / RECIPE} needs to return a SampleDataset (got {type(dataset)})")
        check_counts(card, dataset)
    except BaseException:
        for cached in absent:  # downloaded just now, with no sum to trust it by: perhaps an error page
            cached.unlink(missing_ok=True)
        raise
    files = [replace(entry, sha256=found[entry.path][1]) for entry in card.files]
    dataset.name, dataset.card = card.name, replace(card, files=files, measured={"card_sha256": card.digest()})
    put(dataset, target)
    if unstated:
        _record(root, key, {path: found[path][1] for path in unstated})
    return target


def check_counts(card: Card, dataset: SampleDataset) -> None:
    """Compare what a card states with what is there; null on the card is not compared.

    Raises:
        ValueError: Something differs; the message lists all of it.
    """
    measured = dataset.measure()
    wrong = []
    pairs: list[tuple[str, Any, dict[str, Any]]] = [("samples", card.samples, measured["samples"])]
    for part in ("graphs", "tasks"):
        on_card, there = getattr(card, part), measured[part]
        if sorted(on_card) != sorted(there):
            wrong.append(f"{part} {list(there)} (card: {list(on_card)})")
        pairs += [(f"{part}.{name}", on_card[name], there[name]) for name in on_card if name in there]
    for where, stated, counted in pairs:
        for key, value in vars(stated).items():
            was = "records" if counted.get(key) == "tokens" else None  # as 0.1.0 called token sequences
            if key in counted and value not in (None, "") and value not in (counted[key], was):
                wrong.append(f"{where}.{key} {counted[key]} (card: {value})")
    if wrong:
        raise ValueError(f"data set {card.name!r} is not what its card says: {'; '.join(wrong)}; nothing was written")


def _find(name: str | Path) -> tuple[Path, Card]:
    """The folder of a data set and its card; a name that sigraph ships comes before a folder of that name."""
    names, folder = card_names(), user_path(name)
    if isinstance(name, str) and name in names:
        return shipped_folder().resolve() / name, load_card(name)
    if not folder.is_dir():
        where = "" if folder.is_absolute() else f" in the current directory, {Path.cwd()}"
        found = f"there is no folder {str(folder)!r}{where}"
        if folder.exists():
            found = f"{str(folder)!r} is a file; tables become a data set by `sigraph prepare --samples ...`"
        known = f"{did_you_mean(folder.name, dataset_names())}; there are: {', '.join(names)}, and OGB's; and {found}"
        raise ValueError(f"unknown data set {str(name)!r}{known}")
    folder = resolved(folder)
    if (folder / MANIFEST).is_file() and not (folder / RECIPE).is_file():
        raise ValueError(
            f"{folder} is prepared already; to make it anew from your tables: `sigraph prepare --samples ... --out "
            f"{name} --force`"
        )
    if os.path.lexists(folder / MANIFEST) and not (folder / MANIFEST).is_file():
        raise ValueError(f"{folder / MANIFEST} is no plain file: this is no data set that sigraph prepared")
    for file in (CARD, RECIPE):
        if not (folder / file).is_file():
            raise FileNotFoundError(f"{folder} holds no {file}: neither a prepared data set nor one to prepare")
    return folder, Card.read(folder / CARD)


class _RecipeLoader(importlib.machinery.SourceFileLoader):
    """Leaves no bytecode in a folder that may be shipped."""

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        """Called by the import system with the bytecode it would like to keep."""


def _load_recipe(path: Path) -> Callable[..., Any]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such recipe")
    name = f"sigraph_recipe_{path.parent.name.replace('-', '_')}"
    loader = _RecipeLoader(name, str(path))
    module = importlib.util.module_from_spec(importlib.machinery.ModuleSpec(name, loader, origin=str(path)))
    module.__file__ = str(path)
    loader.exec_module(module)
    if not callable(getattr(module, "prepare", None)):
        raise ValueError(f"{path} needs a function 'prepare(files, card)' that returns a SampleDataset")
    return module.prepare


def _read_known(root: Path) -> dict[str, dict[str, str]]:
    file = root / KNOWN_HASHES
    if not file.is_file():
        return {}
    try:
        known = read_sealed(file)
        return {str(key): {str(path): str(digest) for path, digest in value.items()} for key, value in known.items()}
    except (DamagedError, AttributeError) as error:
        way = "remove it, and the sums of the raw files that are there are recorded anew"
        raise ValueError(f"{file} is not the list of sums that was recorded ({error}); {way}") from error


def _record(root: Path, key: str, sums: dict[str, str]) -> None:
    known = _read_known(root)
    if {**known.get(key, {}), **sums} != known.get(key):
        known[key] = {**known.get(key, {}), **sums}
        write_sealed(root / KNOWN_HASHES, {key: known[key] for key in sorted(known)})
        logger.info("recorded the sums of %d files of %s in %s", len(sums), key, root / KNOWN_HASHES)
