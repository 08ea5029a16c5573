"""Which of some files holds the samples, which are edges between them, which are labels of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from sigraph.files.paths import user_path
from sigraph.tables.table_file import TableFile, read_table
from sigraph.tables.text_folder import is_text_folder

EDGE_ENDINGS = (".mtx", ".graphml", ".edgelist", ".edges", ".ppi")  # that hold edges and nothing else
LABEL_ENDINGS = (".anno",)
MOST_UNKNOWN = 0.1  # of a file's ids that init leaves out unasked
_KNOWN = 0.5  # of the ids of a file: as many are samples' where it is about them
_SAMPLE_ENDINGS = (".fasta", ".fa", ".faa", ".npy")


@dataclass
class GivenFiles:
    """The files by what they hold."""

    samples: str
    edges: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    why: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)  # files of which many ids are no sample, in words


def sort_files(given: Sequence[str], header: bool = True) -> GivenFiles:
    """Samples first, then in any order edges and labels; of a folder, what its files are.

    A file whose first two columns both hold ids of samples is one of edges; any other is one of labels.

    Args:
        given: Files, the samples first, which may be a folder of texts, a file each; or a single folder of them all.
        header: Whether files name their columns.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A folder holds no table, or none whose ids the others speak of.
    """
    paths = [user_path(one) for one in given]
    for path, one in zip(paths, given, strict=True):
        if not path.exists():
            raise FileNotFoundError(f"{one}: there is no such file")
    if len(paths) == 1 and paths[0].is_dir() and not is_text_folder(paths[0]):
        return _of_folder(paths[0], header)
    for path in paths:
        if path.is_dir() and not (path == paths[0] and is_text_folder(path)):
            raise ValueError(f"files are needed, the samples first, or a single folder of them (got the folder {path})")
    out = GivenFiles(str(paths[0]))
    if len(paths) > 1:
        known = _ids(paths[0], header)
        for path in paths[1:]:
            _place(out, path, known, header)
    return out


def _of_folder(folder: Path, header: bool) -> GivenFiles:
    """The samples are in the file whose ids the others speak of most; of several such, the largest."""
    files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    files = [file for file in files if file.suffix.lower() not in (".yaml", ".yml", ".md", ".py", ".json")]
    if not files:
        raise ValueError(f"{folder} holds no file of samples; one is needed, such as papers.csv")
    candidates = [file for file in files if _ending(file) not in (*EDGE_ENDINGS, *LABEL_ENDINGS)] or files
    ids = {file: _ids(file, header) for file in candidates}

    def spoken_of(file: Path) -> tuple[float, bool, int]:
        others = [_share(_first_columns(other, header), ids[file]) for other in files if other != file]
        return sum(share > _KNOWN for share in others), _ending(file) in _SAMPLE_ENDINGS, file.stat().st_size

    samples = max(candidates, key=spoken_of)
    out = GivenFiles(str(samples), why=[f"{samples.name} holds the samples: the other files speak of its ids"])
    for file in files:
        if file != samples:
            _place(out, file, ids[samples], header)
    return out


def _place(out: GivenFiles, path: Path, known: pa.Array | None, header: bool) -> None:
    for endings, found, what in ((EDGE_ENDINGS, out.edges, "edges"), (LABEL_ENDINGS, out.labels, "labels")):
        if _ending(path) in endings:
            found.append(str(path))
            out.why.append(f"{path.name} holds {what}, by its ending")
            return
    columns = _first_columns(path, header)
    shares = [_share([one], known) for one in columns]
    if columns and not len(columns[0]):
        raise ValueError(f"{path} has no rows" + (" below its header" if header else "") + "; is it the right file?")
    if known is not None and columns and not any(shares):
        first = ", ".join(map(repr, columns[0][:3].to_pylist()))
        samples = ", ".join(map(repr, known[:3].to_pylist()))
        raise ValueError(
            f"{path}: no id in its first columns is a sample of {out.samples} (got {first}; samples are {samples}); is "
            "it the right file, and --id-column the right column?"
        )
    both = len(columns) > 1 and all(share > _KNOWN for share in shares[:2])
    _say_unknown(out, path, columns[: 1 + both], known)
    (out.edges if both else out.labels).append(str(path))
    what = "edges: its first two columns both hold" if both else "labels: one column alone holds"
    out.why.append(f"{path.name} holds {what} ids of samples")


def _say_unknown(out: GivenFiles, path: Path, columns: list[pa.Array], known: pa.Array | None) -> None:
    """Keep in words that a file speaks of many samples that are not there."""
    if known is None or not columns:
        return
    ids = pc.unique(pa.chunked_array(columns))
    strange = ids.filter(pc.invert(pc.is_in(ids, value_set=known)))
    if len(strange) > MOST_UNKNOWN * len(ids):
        first = ", ".join(map(repr, strange[:3].to_pylist()))
        out.unknown.append(
            f"{path}: {len(strange):,} of {len(ids):,} ids are no sample of {out.samples} ({first}, ...)"
        )


def _ending(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    return suffixes[-1] if suffixes else ""


def _table(path: Path, header: bool) -> TableFile | None:
    return None if _ending(path) == ".npy" else read_table(path, header)


def _ids(path: Path, header: bool) -> pa.Array | None:
    """Ids of the samples as text; None: they are numbered."""
    table = _table(path, header)
    if table is None:
        return None
    return _text(table, table.first_of("id") or table.table.column_names[0])


def _first_columns(path: Path, header: bool) -> list[pa.Array]:
    table = _table(path, header)
    return [] if table is None else [_text(table, name) for name in table.table.column_names[:2]]


def _text(table: TableFile, column: str) -> pa.Array:
    cells = table.table.column(column)
    if pa.types.is_nested(cells.type):
        return pa.array([], pa.large_string())
    return pc.unique(cells.cast(pa.large_string()).drop_null())


def _share(columns: Sequence[pa.Array], known: pa.Array | None) -> float:
    """Of the ids of the first of some columns, how many are samples'."""
    if not columns or known is None or not len(columns[0]):
        return 0.0
    return pc.mean(pc.is_in(columns[0], value_set=known)).as_py()
