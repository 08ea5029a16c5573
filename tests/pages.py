"""Reads the pages that tests hold to what they show."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def read(name: str) -> str:
    """A page of the checkout, e.g. ``README.md``."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """Its code blocks in a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def anchors(page: str) -> set[str]:
    """What a link to one of its titles ends in, as GitHub names them."""
    titles = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
