"""A data set takes its place among the prepared ones, whoever else prepares it at the same time."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from sigraph.data.dataset import SampleDataset
from sigraph.data.prepared import read_manifest
from sigraph.files.atomic import put_in_place
from sigraph.files.ownership import DATASET, MANIFEST, check_owned
from sigraph.files.temporary import own_prefix, sweep

logger = logging.getLogger(__name__)


def put(dataset: SampleDataset, target: Path) -> None:
    """Write beside the target, then take its place; if another process was faster, its folder stays.

    Args:
        dataset: What is written.
        target: A folder; a prepared one that is there is replaced, one that holds anything else is not.
    """
    previous = _identity(target) if target.exists() else None
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target)
    prefix = own_prefix(target)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=target.parent, ignore_cleanup_errors=True) as own:
        staged = Path(own) / target.name
        dataset.save(staged)
        as_it_was = previous is not None and target.exists() and _identity(target) == previous
        if as_it_was and any(target.iterdir()):
            check_owned(target, {DATASET})
        try:
            put_in_place(staged, target) if as_it_was else staged.replace(target)
        except OSError:
            if not (target / MANIFEST).is_file():
                raise
            read_manifest(target)  # another process was faster, and what it wrote is whole
            logger.info("%s was prepared by another process in the meantime", target)


def _identity(folder: Path) -> int:
    return folder.stat().st_ino
