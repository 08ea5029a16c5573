"""The folder that a command is about to write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sigraph.files.paths import resolved


def check_target(out: Path, force: bool, kind: str, sources: Sequence[str]) -> None:
    """Refuse to replace anything but a folder of this kind and nothing else in it, and that only when asked to."""
    from sigraph.files.atomic import check_free
    from sigraph.files.ownership import replaces

    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file, and --out needs a folder; choose another --out")
    if out.exists() and any(out.iterdir()) and not force:
        raise ValueError(f"{out} exists and is not empty; choose another --out, or replace it by --force")
    check_free(out, replaces({kind}))
    inside = [source for source in sources if resolved(out) in resolved(source).parents]
    if inside:
        raise ValueError(f"{inside[0]} lies in {out}, which --force would replace; move it first")
