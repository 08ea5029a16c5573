"""What was understood of a user's tables, to be read before anything is written."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sigraph.data.column_uses import ColumnUse
from sigraph.files.counted import counted
from sigraph.files.foreign_text import printable

SHOWN, _ROWS = 8, 16
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # a name that YAML takes as it is
_WORDS = ("y", "n", "yes", "no", "on", "off", "true", "false", "null")  # but for these
_WIDEST = 40  # letters of a cell
READERS = {
    "smiles": ("Molecules", ""),
    "protein": ("SymbolTokens", ", alphabet: protein"),
    "dna": ("SymbolTokens", ", alphabet: dna"),
    "rna": ("SymbolTokens", ", alphabet: rna"),
    "text": ("WordTokens", ""),
}


@dataclass
class SamplesRead:
    """Samples as understood: which column is the id, which are what, and whether an encoder of sigraph reads them."""

    file: str
    count: int
    ids: str
    kind: str
    columns: list[ColumnUse] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_read: bool = True
    kept: list[str] = field(default_factory=list)  # columns that describe a sample, in their order

    def lines(self) -> list[str]:
        """For people."""
        out = [f"samples  {self.file}: {counted(self.count, 'sample')}", f"  ids      {self.ids}"]
        what = "all numbers, one feature row a sample" if self.kind == "features" else "records"
        out.append(f"  columns  {len(self.kept):,}, {what}: {some(self.kept)}")
        if self.columns and (self.kind != "features" or len(self.columns) <= _ROWS):
            out += column_lines(self.columns)
        notes = self.notes if self.is_read else [*self.notes, self._reader()]
        return out + [f"  note     {note}" for note in notes]

    def _reader(self) -> str:
        """What reads these records, in the words of a YAML."""
        reader = suggested_reader(self.columns)
        if not reader:
            return "no reader of sigraph reads these columns: an experiment needs one of your own, docs/samples.md"
        return f"records are what a reader makes samples of, here for instance `pretrain.reader: {reader}`"


def column_lines(columns: Sequence[ColumnUse]) -> list[str]:
    """A line a column: its name, use, first value and why."""
    rows = [("column", "use", "first value", "why")]
    rows += [(one.name, one.use, one.example, one.why) for one in columns[:_ROWS]]
    shown = [[cell if len(cell) <= _WIDEST else f"{cell[: _WIDEST - 3]}..." for cell in row[:3]] for row in rows]
    widths = [max(len(row[i]) for row in shown) for i in range(3)]
    lines = [
        "    " + "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=True)), why[3]]).rstrip()
        for row, why in zip(shown, rows, strict=True)
    ]
    more = len(columns) - _ROWS
    return [*lines, f"    and {counted(more, 'more column')}"] if more > 0 else lines


def suggested_reader(columns: Sequence[ColumnUse]) -> str:
    """A reader for some columns, as a YAML names it: of molecules before sequences, text, and a table's cells."""
    for use, (reader, more) in READERS.items():
        found = [_in_yaml(one.name) for one in columns if one.use == use]
        if found:
            column = f"[{', '.join(found)}]" if use == "text" and len(found) > 1 else found[0]
            return f"{{_target_: sigraph.readers.{reader}, column: {column}{more}}}"
    table = [_in_yaml(one.name) for one in columns if one.use in ("number", "category")]
    return f"{{_target_: sigraph.readers.TableFeatures, columns: [{', '.join(table)}]}}" if table else ""


def _in_yaml(name: str) -> str:
    """A name as YAML takes it for text."""
    return name if _PLAIN.fullmatch(name) and name.lower() not in _WORDS else json.dumps(name, ensure_ascii=False)


@dataclass
class GraphRead:
    """A pre-training graph as understood."""

    name: str
    file: str
    columns: str
    num_rows: int
    num_edges: int
    num_isolated: int
    num_samples: int
    self_loops: int = 0
    repeated_edges: int = 0
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """For people."""
        out = [f"graph {self.name!r}  {self.file}: {counted(self.num_rows, 'row')}, {self.columns}"]
        dropped = [counted(self.self_loops, "self-loop")] if self.self_loops else []
        dropped += [counted(self.repeated_edges, "repeat")] if self.repeated_edges else []
        have = "has" if self.num_isolated == 1 else "have"
        out.append(
            f"  edges    {self.num_edges:,} undirected{', dropped ' + ' and '.join(dropped) if dropped else ''}; "
            f"{self.num_isolated:,} of {counted(self.num_samples, 'sample')} {have} none"
        )
        return out + [f"  note     {note}" for note in self.notes]


@dataclass
class TaskRead:
    """A task as understood."""

    name: str
    file: str
    type: str
    metrics: Sequence[str]
    labels: str
    num_labelled: int
    num_samples: int
    split: str
    sizes: dict[str, int]
    notes: list[str] = field(default_factory=list)
    of_terms: bool = False  # whether lists of terms were made labels

    def lines(self) -> list[str]:
        """For people."""
        sizes = ", ".join(f"{part} {size:,}" for part, size in self.sizes.items())
        first, *others = self.metrics
        beside = f" (decides), {', '.join(others)}" if others else ""
        return [
            f"task {self.name!r}  {self.file}: {self.type}, metric{'s' * bool(others)} {first}{beside}",
            f"  labels   {self._labelled()}: {self.labels}",
            f"  split    {sizes} ({self.split})",
            *(f"  note     {note}" for note in self.notes),
        ]

    def _labelled(self) -> str:
        few = f"{self.num_labelled:,} of " if self.num_labelled < self.num_samples else ""
        return few + counted(self.num_samples, "sample")


@dataclass
class TableReport:
    """What :func:`~sigraph.data.from_tables` understood so far; ``print(report)`` shows it."""

    samples: SamplesRead | None = None
    graphs: list[GraphRead] = field(default_factory=list)
    tasks: list[TaskRead] = field(default_factory=list)

    def __str__(self) -> str:
        parts: list[SamplesRead | GraphRead | TaskRead] = [
            *([self.samples] if self.samples else []),
            *self.graphs,
            *self.tasks,
        ]
        return printable("\n".join(line for part in parts for line in part.lines()))


def some(items: list[str]) -> str:
    """The first of some items, and how many more there are."""
    more = f", and {len(items) - SHOWN:,} more" if len(items) > SHOWN else ""
    return ", ".join(items[:SHOWN]) + more
