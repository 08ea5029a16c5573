"""What was understood of a user's tables, to be read before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sigraph.files.foreign_text import printable

SHOWN = 8
UNREAD = (
    "no encoder of sigraph reads these records: an experiment needs a reader that makes words, letters or features of "
    "them (pretrain.reader: WordTokens, SymbolTokens, TfIdf, TableFeatures, Molecules), or an encoder of your own"
)


@dataclass
class SamplesRead:
    """Samples as understood: which column is the id, which are what, and whether an encoder of sigraph reads them."""

    file: str
    count: int
    ids: str
    kind: str
    columns: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    is_read: bool = True

    def lines(self) -> list[str]:
        """For people."""
        what = "numbers, one feature row a sample" if self.kind == "features" else "records"
        out = [f"samples  {self.file}: {self.count:,} samples", f"  ids      {self.ids}"]
        if self.kind == "features":
            out.append(f"  columns  {len(self.columns):,}, all {what}: {some(list(self.columns))}")
        else:
            listed = some([f"{name} ({kind})" for name, kind in self.columns.items()])
            out.append(f"  columns  {len(self.columns):,}, {what}: {listed}")
        notes = self.notes if self.is_read else [*self.notes, UNREAD]
        return out + [f"  note     {note}" for note in notes]


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
        out = [f"graph {self.name!r}  {self.file}: {self.num_rows:,} rows, {self.columns}"]
        dropped = [f"{self.self_loops:,} self-loops"] if self.self_loops else []
        dropped += [f"{self.repeated_edges:,} repeats"] if self.repeated_edges else []
        out.append(
            f"  edges    {self.num_edges:,} undirected{', dropped ' + ' and '.join(dropped) if dropped else ''}; "
            f"{self.num_isolated:,} of {self.num_samples:,} samples have none"
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
        few = f" of {self.num_samples:,}" if self.num_labelled < self.num_samples else ""
        return f"{self.num_labelled:,}{few} samples"


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
