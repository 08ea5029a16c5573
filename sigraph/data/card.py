"""Card: what a data set is, where it comes from and what must be counted in it, as one YAML file."""

# ruff: noqa: RUF009 -- `key` is `dataclasses.field` with a range
from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from sigraph.config.location import LOADER, Place
from sigraph.config.overlay import construct, fresh, key, overlay
from sigraph.config.yaml_text import check_yaml_file
from sigraph.files.ownership import CARD
from sigraph.files.paths import user_path
from sigraph.files.suggestions import did_you_mean

_WORDS = ("title", "about", "licence", "source", "citation")
LARGEST = 100_000_000  # bytes; names of features may be many
SAMPLES = ("features", "tokens", "records", "graphs")  # kinds of them


@dataclass
class CardSource:
    """Where the data come from: a page and the papers to read."""

    url: str = key("", words=True)
    papers: list[str] = key([], words=True)


@dataclass
class CardFile:
    """One raw file: its place in the layout of ``SIGRAPH_DATA_SOURCE``, its address, its sum (null: not known yet)."""

    path: str
    url: str | None = None
    sha256: str | None = None
    bytes: int | None = key(None, low=0)

    def __post_init__(self) -> None:
        parts = PurePosixPath(self.path)
        if not self.path or parts.is_absolute() or ".." in parts.parts or "\\" in self.path:
            raise ValueError(f"'path' needs to be relative and to stay inside its folder (got {self.path!r})")
        if self.sha256 is not None and not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ValueError(f"'sha256' of {self.path} needs 64 lower-case hexadecimal digits (got {self.sha256!r})")


@dataclass
class CardSamples:
    """What kind they are: ``features``, ``tokens``, ``records``, ``graphs``; how many, and how wide. Null: not checked.

    ``columns`` names the features, in their order, where they have names.
    """

    kind: str = "features"
    count: int | None = key(None, low=0)
    channels: int | None = key(None, low=0)
    columns: list[str] | None = key(None, words=True)

    def __post_init__(self) -> None:
        if self.kind not in SAMPLES:
            raise ValueError(f"'kind' needs to be one of {', '.join(SAMPLES)} in 'samples' (got {self.kind!r})")


@dataclass
class CardGraph:
    """One pre-training graph; ``num_edges`` counts undirected edges, without self-loops and repeats."""

    num_edges: int | None = key(None, low=0)
    about: str = key("", words=True)
    method: str = key("", words=True)


@dataclass
class CardTask:
    """One task; ``train``, ``valid`` and ``test`` count the samples (pairs) of the split.

    ``type`` is ``classification``, ``multilabel`` or ``regression`` of labels of samples; ``pair`` of pairs of samples,
    ``token`` of parts of samples, ``contact`` of pairs of parts, ``query`` of samples for which candidates, counted by
    ``train``, are ranked. ``metrics`` lists all where there are several, the first is ``metric``.
    """

    type: str = "classification"
    metric: str = ""
    num_classes: int | None = key(None, low=0)
    train: int | None = key(None, low=0)
    valid: int | None = key(None, low=0)
    test: int | None = key(None, low=0)
    about: str = key("", words=True)
    metrics: list[str] | None = None


@dataclass
class Card:
    """A data set's card.

    Args:
        name: Its name, which is also its folder's.
        title: A line for a table.
        about: A paragraph.
        licence: What the data may be used for, and who says so.
        source: Page and papers.
        files: Raw files; empty for a generated data set.
        samples: What a sample is, with counts.
        graphs: Pre-training graphs by name; the first is the default.
        tasks: Tasks by name; the first is the default.
        citation: BibTeX or plain text.
        measured: Only in a prepared folder: what was counted when it was written.
    """

    name: str
    title: str = key("", words=True)
    about: str = key("", words=True)
    licence: str = key("", words=True)
    source: CardSource = field(default_factory=CardSource)
    files: list[CardFile] = field(default_factory=list)
    samples: CardSamples = field(default_factory=CardSamples)
    graphs: dict[str, CardGraph] = field(default_factory=dict)
    tasks: dict[str, CardTask] = field(default_factory=dict)
    citation: str = key("", words=True)
    measured: dict[str, Any] | None = None

    @classmethod
    def read(cls, path: str | Path) -> Card:
        """Parse a ``card.yaml``.

        Raises:
            FileNotFoundError: There is none.
            ValueError: It is not YAML, has an unknown key, lacks one or holds a value of the wrong type; the message
                names the file and the key.
        """
        path = user_path(path)
        check_yaml_file(path, LARGEST)
        try:
            text = path.read_text(encoding="utf-8")
            content = yaml.load(text, LOADER)
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is no UTF-8 text, so no YAML; save it as UTF-8") from error
        except yaml.YAMLError as error:  # its own words quote the file
            mark = getattr(error, "problem_mark", None)
            line = f", line {mark.line + 1}" if mark else ""
            raise ValueError(
                f"{path}{line}: not valid YAML ({getattr(error, 'problem', None) or 'no text'})"
            ) from error
        place = Place(str(path), text=text)
        if not isinstance(content, dict):
            raise place.error("needs to be a mapping with keys such as 'name' and 'samples'")
        return construct(cls, overlay(cls, fresh(cls), content, place), place)

    def write(self, path: str | Path) -> None:
        """Write the card as YAML that :meth:`read` understands."""
        content = {key: value for key, value in _content(self).items() if value is not None}
        text = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
        user_path(path).write_text(text, encoding="utf-8")

    def facts(self) -> dict[str, str]:
        """A sum by field of all that is no words: what a prepared folder goes by, and nobody may edit.

        Titles, licences, sources, citations and ``about`` are words; so are comments.
        """
        content = _content(self)
        for words in _WORDS:
            del content[words]
        for part in (*content["graphs"].values(), *content["tasks"].values()):
            part.pop("about")
            part.pop("method", None)
        return {key: _sum_of(value) for key, value in content.items()}

    def digest(self) -> str:
        """SHA-256 of the content without what was measured; comments and the order of keys do not count."""
        content = {key: value for key, value in _content(self).items() if key != "measured"}
        return _sum_of(content)


def _content(card: Card) -> dict[str, Any]:
    """Plain values of a card; a list of metrics where there is one, so that sums of others are what they were."""
    content = asdict(card)
    for task in content["tasks"].values():
        if task["metrics"] is None:
            del task["metrics"]
    return content


def _sum_of(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


class _Dumper(yaml.SafeDumper):
    """Writes a text of several lines as such."""

    def represent_text(self, text: str) -> yaml.Node:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text.rstrip() else None)


_Dumper.add_representer(str, _Dumper.represent_text)


def shipped_folder() -> Path:
    """Folder with one folder per data set: package data of an installed sigraph, or ``datasets/`` of a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "_shipped" / "datasets"
    return installed if installed.is_dir() else package.parent / "datasets"


def card_names() -> list[str]:
    """Names of all data sets that sigraph ships, sorted."""
    return sorted(file.parent.name for file in shipped_folder().glob(f"*/{CARD}"))


def load_card(name: str) -> Card:
    """The card of a shipped data set.

    Raises:
        ValueError: There is no such data set (the message lists all), or its card is wrong.
    """
    names = card_names()
    if name not in names:
        raise ValueError(f"unknown data set {name!r}{did_you_mean(name, names)}; there are: {', '.join(names)}")
    path = shipped_folder() / name / CARD
    card = Card.read(path)
    if card.name != name:
        raise ValueError(f"{path}: 'name' needs to be that of the folder, {name!r} (got {card.name!r})")
    return card
