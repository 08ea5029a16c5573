"""What OGB says of its data sets: metric, kind of labels, split, address, release."""

from __future__ import annotations

import csv
import functools
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sigraph.files.suggestions import did_you_mean

PREFIXES = ("ogbn-", "ogbg-", "ogbl-")
_PARTS = {"ogbn-": "nodeproppred", "ogbg-": "graphproppred", "ogbl-": "linkproppred"}
_OWN = Path(__file__).with_name("ogb_facts.csv")  # the three master.csv of ogb 1.3.6 (MIT), a row a data set
_TYPES = {
    "binary classification": "multilabel",  # columns of 0 and 1, NaN where unknown, each scored by itself
    "multiclass classification": "classification",
    "regression": "regression",
    "link prediction": "pair",
    "KG completion": "pair",
}
_METRICS = {"acc": "accuracy"}  # OGB's word -> ours, where they differ


@dataclass(frozen=True)
class OGBFacts:
    """A column of OGB's ``master.csv``.

    Args:
        name: Such as ``ogbg-molbace``.
        task_type: OGB's words, such as ``binary classification``.
        metric: OGB's word, such as ``acc`` or ``hits@20``.
        num_tasks: Label columns; None for links.
        split: Name of the official split, a folder of the files.
        version: The release that is current.
        url: Of the archive.
        download_name: Of the folder in the archive.
        has_node_feat: Whether nodes have features.
        has_edge_feat: Whether edges have.
        add_inverse_edge: Whether text files list one direction of edges that are meant in both.
        node_files: Further files of nodes, such as ``node_year``.
        edge_files: Further files of edges, such as ``edge_reltype``.
        is_hetero: Whether nodes and edges are of several types.
    """

    name: str
    task_type: str
    metric: str
    num_tasks: int | None
    split: str
    version: int
    url: str
    download_name: str
    has_node_feat: bool
    has_edge_feat: bool
    add_inverse_edge: bool = False
    node_files: tuple[str, ...] = ()
    edge_files: tuple[str, ...] = ()
    is_hetero: bool = False

    @classmethod
    def of(cls, name: str, meta: Mapping[str, Any]) -> OGBFacts:
        """Of what ``master.csv``, or ``DatasetSaver.get_meta_dict()``, says by OGB's keys."""
        said = {key: str(value) for key, value in meta.items()}

        def listed(key: str) -> tuple[str, ...]:
            text = said.get(key, "")
            return () if text in ("", "None") else tuple(part.strip() for part in text.split(","))

        return cls(
            name,
            said["task type"],
            said["eval metric"],
            int(said["num tasks"]) if said.get("num tasks") else None,
            said["split"],
            int(said["version"]),
            said["url"].replace("http://", "https://", 1),
            said["download_name"],
            said.get("has_node_attr") == "True",
            said.get("has_edge_attr") == "True",
            said.get("add_inverse_edge") == "True",
            listed("additional node files"),
            listed("additional edge files"),
            said.get("is hetero") == "True",
        )

    @property
    def kind(self) -> str:
        """``node``, ``graph`` or ``link``: what is predicted."""
        return _PARTS[self.name[:5]].removesuffix("proppred")

    @property
    def folder(self) -> str:
        """What ogb calls the folder of the unpacked files: ``ogbg_molbace``."""
        return self.name.replace("-", "_")

    @property
    def type(self) -> str | None:
        """Our type of the task; None: there is none for it."""
        return _TYPES.get(self.task_type)

    @property
    def our_metric(self) -> str:
        """Our word for the metric."""
        return _METRICS.get(self.metric, self.metric.lower())

    @property
    def is_molecules(self) -> bool:
        """Whether its graphs are molecules, whose SMILES the official mapping has."""
        return self.name.startswith("ogbg-mol")


def ogb_names() -> list[str]:
    """Names of all data sets of OGB, sorted."""
    return sorted(_all())


def ogb_facts(name: str) -> OGBFacts:
    """What OGB says of a data set.

    Raises:
        ValueError: There is none of that name; the message lists all.
    """
    if name not in _all():
        names = ogb_names()
        raise ValueError(f"OGB has no data set {name!r}{did_you_mean(name, names)}; there are: {', '.join(names)}")
    return _all()[name]


@functools.cache
def _all() -> dict[str, OGBFacts]:
    """From the installed ogb's own tables, which are read and not imported; else from ours."""
    return _installed() or own_facts()


def own_facts() -> dict[str, OGBFacts]:
    """What our own table says, by name."""
    with _OWN.open(newline="", encoding="utf-8") as file:
        return {row["name"]: OGBFacts.of(row["name"], row) for row in csv.DictReader(file)}


def _installed() -> dict[str, OGBFacts]:
    spec = importlib.util.find_spec("ogb")
    found: dict[str, OGBFacts] = {}
    for folder in (spec and spec.submodule_search_locations) or ():
        for prefix, part in _PARTS.items():
            file = Path(folder) / part / "master.csv"
            if not file.is_file():
                return {}
            with file.open(newline="", encoding="utf-8") as stream:
                (_, *names), *rows = csv.reader(stream)
            columns = zip(*(row[1:] for row in rows), strict=True)
            keys = [row[0] for row in rows]
            for name, column in zip(names, columns, strict=True):
                if name.startswith(prefix):
                    found[name] = OGBFacts.of(name, dict(zip(keys, column, strict=True)))
    return found
