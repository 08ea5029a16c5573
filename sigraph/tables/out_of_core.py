"""build_store: a graph larger than memory, from a file of edges to a folder that is opened, not loaded."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sigraph.edges.csr_writer import CSRWriter
from sigraph.edges.runs import MAX_NODES, EdgeRuns
from sigraph.files.atomic import atomic_folder
from sigraph.files.columns import as_numbers
from sigraph.files.counted import counted
from sigraph.files.ownership import GRAPHS, replaces
from sigraph.files.paths import user_path
from sigraph.tables.edge_table import (
    guess_ends,
    is_edge,
    nothing_left,
    read_weights,
    say_different_weights,
    say_no_header,
    say_no_weights,
)
from sigraph.tables.float_digits import lost_digits
from sigraph.tables.ids import SHOWN, IdColumn, IdIndex, read_ids
from sigraph.tables.report import GraphRead
from sigraph.tables.stream import TableStream
from sigraph.tables.table_file import TableFile, refuse_both_marks

UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
LEAST = 128 * 2**20  # bytes that building takes at the very least, most of them for the pieces of the file
Progress = Callable[[str, float], None]


def build_store(
    edges: str | Path,
    out: str | Path,
    num_nodes: int | None = None,
    *,
    ids: IdIndex | pa.Array | None = None,
    memory_limit: str | int = "2GB",
    name: str = "",
    edge_columns: tuple[str, str] | None = None,
    weight_column: str | None = None,
    header: bool = True,
    drop_unknown: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> GraphRead:
    """Build a graph's store out of core; ``PretrainGraph.open(out)`` maps it.

    The result is that of :class:`~sigraph.data.PretrainGraph` on the same edges: undirected, without self-loops and
    repeats, an edge given several times with the mean of its weights. Next to ``out`` it takes, while it runs, 16
    bytes of disk an undirected edge (32 if listed both ways), with weights three times that. Nothing is to be seen of
    the folder until it is whole.

    Args:
        edges: A Parquet, CSV or TSV file (text also as ``.gz``), one row an edge.
        out: The folder to write.
        num_nodes: N; None: the number of ``ids``, else the largest id + 1.
        ids: What the file calls node i, [N] integers or text, each once. They stay in memory, beside the limit's share
            for edges. None: the file holds node numbers.
        memory_limit: Of the whole process, such as ``2GB``, or bytes.
        name: What the report calls the graph; by default after the file.
        edge_columns: By default source/target, src/dst, from/to or u/v, else the first two.
        weight_column: By default ``weight``, if there is one.
        header: Whether CSV and TSV files name their columns.
        drop_unknown: Drop edges of ids that are not among ``ids`` rather than refuse them.
        overwrite: Replace a graph's folder that is there; nothing else is ever replaced.
        progress: Is told what is being done, and the share of it that is.

    Returns:
        What was understood and counted.

    Raises:
        FileNotFoundError, FileExistsError: There is no such file; there is such a folder.
        ValueError: What is wrong with the file or an argument, and the way out.
        DiskFullError: No room; what was there is as it was.

    Example:
        >>> build_store("citations.parquet", "citations", num_nodes=20_000_000, memory_limit="2GB")
        >>> graph = PretrainGraph.open("citations")
    """
    out, stream = user_path(out), TableStream(user_path(edges), header)
    if not overwrite and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{out} exists; pass overwrite=True to replace it")
    index = ids if ids is None or isinstance(ids, IdIndex) else IdIndex(_id_column(ids))
    if num_nodes is not None and not 0 <= num_nodes <= MAX_NODES:
        raise ValueError(f"'num_nodes' needs to be in [0, 2^31] in 'build_store' (got {num_nodes})")
    if index is not None and num_nodes not in (None, len(index)):
        raise ValueError(f"'num_nodes' needs to be the number of 'ids', {len(index)} (got {num_nodes})")
    reader = _EdgeReader(stream, index, num_nodes, edge_columns, weight_column, drop_unknown)
    progress = progress or (lambda what, share: None)
    with atomic_folder(out, replaces(GRAPHS)) as folder:
        scratch = folder / "runs"
        scratch.mkdir()
        runs = EdgeRuns(scratch, _room(memory_limit), reader.weight is not None)
        for u, v, weight, share in reader:
            runs.add(u, v, weight)
            progress("sorting", share)
        count = reader.largest + 1 if num_nodes is None and index is None else num_nodes or len(index or ())
        with CSRWriter(folder, count, reader.weight is not None) as writer:
            for piece, share in runs.pieces():
                writer.add(piece)
                progress("merging", share)
            if writer.num_edges == 0:
                raise ValueError(
                    nothing_left(
                        str(stream.path), reader.num_rows, reader.num_dropped, reader.self_loops, reader.unknown
                    )
                )
            for file in scratch.iterdir():
                file.unlink()
            scratch.rmdir()
            progress("checking", 0.0)
            writer.seal()
            progress("checking", 1.0)
    kept = reader.num_rows - reader.num_dropped - reader.self_loops
    repeated = kept - writer.num_edges // (1 if runs.is_listed_both_ways else 2)
    counts = (reader.num_rows, writer.num_edges // 2, writer.num_isolated, count, reader.self_loops, repeated)
    notes = reader.notes
    if runs.num_different_weights:
        notes.append(say_different_weights(runs.num_different_weights))
    return GraphRead(name or stream.path.name, str(stream.path), reader.described, *counts, notes=notes)


def parse_size(text: str | int) -> int:
    """Bytes of ``2GB``, ``512 MiB`` or a number.

    Raises:
        ValueError: It is no size.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMG]I?B)?\s*", str(text).upper())
    if found is None:
        raise ValueError(f"'memory_limit' needs a size such as 2GB or 512MiB (got {text!r})")
    return int(float(found[1]) * UNITS[found[2] or ""])


class _EdgeReader:
    """Edges of a file as node numbers, a piece at a time: checked, without self-loops, counted."""

    def __init__(
        self,
        stream: TableStream,
        index: IdIndex | None,
        num_nodes: int | None,
        columns: tuple[str, str] | None,
        weight: str | None,
        drop_unknown: bool,
    ) -> None:
        head = stream.head()
        ends = [head.find(column) for column in columns] if columns else guess_ends(head)
        no_header = ""
        if not columns and not head.is_typed and stream.header and is_edge(ends, index):
            no_header = say_no_header(ends)
            stream = replace(stream, header=False)
            head = stream.head()
            ends = guess_ends(head)
        self.stream, self.index, self.drop_unknown = stream, index, drop_unknown
        self.limit = len(index) if index is not None else MAX_NODES if num_nodes is None else num_nodes
        self.ends = ends
        self.weight = head.find(weight) if weight else head.first_of("weight")
        self.num_rows = self.self_loops = self.num_dropped = 0
        self.largest = -1
        self._unknown: dict[str, None] = {}  # the first ids that no sample has
        self._notes = [*head.notes, *([no_header] if no_header else [])]
        self._marks: dict[str, str] = {}  # of decimals, in the pieces so far
        self._has_weight = False  # above 0
        self._lost = ""  # of the weights' digits
        used = [*self.ends, *([self.weight] if self.weight else [])]
        self._columns = list(dict.fromkeys(used))
        self._unused = [column for column in head.table.column_names if column not in used]

    @property
    def described(self) -> str:
        """Which columns hold what."""
        weighted = f", weights in {self.weight!r}" if self.weight else ", no weights"
        return f"ids in {self.ends[0]!r} and {self.ends[1]!r}{weighted}"

    @property
    def notes(self) -> list[str]:
        """What was left out."""
        notes = [*self._notes]
        if self.num_dropped:
            notes.append(f"dropped {counted(self.num_dropped, 'edge')} of unknown ids ({self.unknown})")
        if self._unused:
            notes.append(f"columns not used: {', '.join(map(repr, self._unused))}")
        if self.weight and self.num_rows and not self._has_weight:
            notes.append(say_no_weights(self.weight))
        if self._lost:
            notes.append(f"weights in {self.weight!r} lose digits: {self._lost}")
        return notes

    @property
    def unknown(self) -> str:
        """Some ids that no sample has."""
        return f"such as {', '.join(self._unknown)}" if self._unknown else ""

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None, float]]:
        for file, share in self.stream.pieces(self._columns):
            u, v = (self._positions(file, column) for column in self.ends)
            weight = None if self.weight is None else self._weights(file)
            keep = u != v
            if self.index is not None:
                known = (u >= 0) & (v >= 0)
                keep &= known
                self.num_dropped += int((~known).sum())
                self.self_loops += int((known & (u == v)).sum())
            else:
                self.self_loops += int((~keep).sum())
            self.num_rows += u.size
            if not keep.all():
                u, v = u[keep], v[keep]
                weight = None if weight is None else weight[keep]
            yield u, v, weight, share

    def _positions(self, file: TableFile, column: str) -> np.ndarray:
        if self.index is None:
            return self._numbers(file, column)
        ids = read_ids(file, column)
        position = self.index.find(ids)
        missing = position < 0
        if missing.any():
            said = self.index.say_unknown(ids, position, missing, "edge")
            if not self.drop_unknown:
                rows = f"rows {file.first_row + 1:,} to {file.first_row + len(ids):,}"
                raise ValueError(f"{ids.where}, {rows}: {said}; drop these edges by --drop-unknown, or add the samples")
            if len(self._unknown) < SHOWN:
                found = pc.unique(ids.text.filter(pa.array(missing)))
                self._unknown |= dict.fromkeys(found[: SHOWN - len(self._unknown)].to_pylist())
        return position

    def _numbers(self, file: TableFile, column: str) -> np.ndarray:
        """Node numbers as they stand in the file."""
        cells = file.table.column(column)
        if not pa.types.is_integer(cells.type) or cells.null_count:
            ids = read_ids(file, column)  # says which are missing
            if not ids.is_integer and len(ids):
                raise ValueError(
                    f"{ids.where} holds text (such as {ids.show(ids.text[:1])}), and only integers are node numbers; "
                    "say which sample has which id: --samples FILE, or 'ids'"
                )
            cells = pc.cast(ids.text, pa.int64())
        elif pa.types.is_uint64(cells.type):
            cells = pc.cast(cells, pa.int64(), safe=False)  # too large is below 0: out of range
        numbers = cells.to_numpy()
        if numbers.size:
            low, high = int(numbers.min()), int(numbers.max())
            self.largest = max(self.largest, high)
            if low < 0 or high >= self.limit:
                row = int(np.flatnonzero((numbers < 0) | (numbers >= self.limit))[0])
                raise ValueError(
                    f"{file.name}, column {column!r} needs node numbers in [0, {self.limit}) "
                    f"(got {int(numbers[row])} in row {file.first_row + row + 1:,})"
                )
        return numbers

    def _weights(self, file: TableFile) -> np.ndarray:
        cells = read_weights(file, str(self.weight))
        if file.decimal_comma:
            self._marks = {**file.marks(str(self.weight)), **self._marks}
            refuse_both_marks(file.name, self._marks)
        if not self._lost and (lost := lost_digits(cells)):
            self._lost = f"{lost} (rows {file.first_row + 1:,} to {file.first_row + len(cells):,})"
        weights = as_numbers(cells, np.float32)
        self._has_weight |= bool(weights.any())
        return weights


def _id_column(ids: pa.Array) -> IdColumn:
    ids = ids if isinstance(ids, pa.Array) else pa.array(ids)
    return read_ids(TableFile("'ids'", pa.table({"id": ids})), "id")


def _room(memory_limit: str | int) -> int:
    """Bytes below the limit that the process does not take yet."""
    limit, taken = parse_size(memory_limit), resident()
    if limit - taken < 2 * LEAST:
        raise ValueError(
            f"'memory_limit' needs at least {(taken + 2 * LEAST) / 1e9:.2f}GB: the process itself takes "
            f"{taken / 1e9:.2f}GB before an edge is read (got {memory_limit})"
        )
    return limit - taken - LEAST


def resident() -> int:
    """Bytes of memory that this process takes now; elsewhere than on Linux the most it ever took."""
    status = Path("/proc/self/status")
    if status.is_file():
        found = re.search(r"VmRSS:\s*(\d+) kB", status.read_text())
        if found:
            return int(found[1]) * 1024
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
