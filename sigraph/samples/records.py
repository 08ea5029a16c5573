"""Records: samples that are rows of a table, as prepared; a reader makes features or tokens of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from torch import Tensor

from sigraph.files.columns import is_text
from sigraph.samples.alike import Alike, codes_of, joined, together
from sigraph.samples.base import Add, Files, Samples
from sigraph.samples.normal_forms import canonical_smiles, has_rdkit, normalized_sequence, normalized_text

KINDS = ("text", "sequence", "smiles", "exact")
SEQUENCE_NAMES = ("seq", "sequence", "protein", "protein_sequence", "aa_seq", "aa_sequence", "dna", "rna", "peptide")
MOLECULE_NAMES = ("smiles", "smi", "mol", "molecule", "canonical_smiles", "isomeric_smiles")
_LOOKED_AT = 2_000  # cells from which the kind of a column is told
_LETTERS, _LONG = r"^[A-Za-z*.\-]+$", 20  # of a sequence whose column is called otherwise


class Records(Samples):
    """Rows of a pyarrow Table.

    Args:
        table: N rows.
        files: The prepared folder that it was read from, so that it travels to other processes as that; None: it
            travels itself.

    Guide:
        given: texts; any other table, list of dictionaries; a ``.parquet`` file
        an encoder is given: dictionaries, or what a reader makes of them
    """

    kind, mark = "records", "samples.parquet"

    def __init__(self, table: pa.Table, files: Files | Path | None = None) -> None:
        self.table, self._files = table, files

    @property
    def sizes(self) -> Mapping[str, int]:
        return {}

    def __len__(self) -> int:
        return self.table.num_rows

    def fetch(self, node: Tensor) -> Any:
        """A list of B records, each a dictionary."""
        return self.table.take(pa.array(node.cpu().numpy())).to_pylist()

    def take(self, node: Tensor) -> Records:
        return type(self)(self.table.take(pa.array(node.cpu().numpy())))

    def describe(self) -> str:
        columns = [repr(name) for name in self.table.column_names]
        return f"records with the columns {', '.join(columns[:5])}{', ...' if len(columns) > 5 else ''}"

    @property
    def given(self) -> pa.Table:
        return self.table

    def records(self) -> pa.Table:
        return self.table

    def feed(self, add: Add) -> None:
        sink = pa.BufferOutputStream()
        schema = self.table.schema
        # Items of lists are called `item` by Arrow and `element` by Parquet: the same content has one sum.
        named = pa.schema([field.with_type(_item_type(field.type)) for field in schema], schema.metadata)
        with pa.ipc.new_stream(sink, named) as stream:
            stream.write_table(self.table.combine_chunks())
        add(memoryview(sink.getvalue()))

    def save(self, folder: Path) -> None:
        pq.write_table(self.table, folder / self.mark)

    @classmethod
    def open(cls, files: Files) -> Records:
        return cls(pq.read_table(files.checked(cls.mark)), files)

    def __reduce__(self) -> Any:
        if isinstance(self._files, Path):
            return type(self)._read, (self._files,)
        if self._files is not None:
            return type(self).open, (self._files,)
        return type(self), (self.table,)

    @classmethod
    def _read(cls, path: Path) -> Records:
        return cls(pq.read_table(path), path)

    @classmethod
    def alike(cls, sets: Sequence[Records], ids: pa.Array | None, kinds: Mapping[str, str] | None) -> Alike:
        """By the columns of text, sequences and molecules, all of them together; where there are none, by every one."""
        return _records([one.table for one in sets], ids, kinds)


def _item_type(kind: pa.DataType) -> pa.DataType:
    """The same type, with the items of lists in it called ``item``."""
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_item_type(field.type)) for field in kind])
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_item(kind), kind.list_size)
    if pa.types.is_large_list(kind):
        return pa.large_list(_item(kind))
    return pa.list_(_item(kind)) if pa.types.is_list(kind) else kind


def _item(kind: pa.DataType) -> pa.Field:
    return kind.value_field.with_name("item").with_type(_item_type(kind.value_type))


def _records(tables: list[pa.Table], ids: pa.Array | None, kinds: Mapping[str, str] | None) -> Alike:
    names = tables[0].column_names
    shared = [name for name in names if all(name in table.column_names for table in tables)]
    for name, kind in (kinds or {}).items():
        if name not in shared:
            raise ValueError(f"'kinds' names {name!r}, which is no column (there are: {', '.join(names)})")
        if kind not in KINDS:
            raise ValueError(f"'kinds' needs one of {', '.join(KINDS)} for {name!r} (got {kind!r})")
    told = {name: (kinds or {}).get(name) or column_kind(name, tables[0].column(name)) for name in shared}
    content = [name for name in shared if told[name] != "exact" or name in (kinds or {})]
    content = content or [name for name in shared if not _is_ids(name, tables[0].column(name), ids)]
    if not content and len(tables) == 1:
        content = shared  # nothing is known of a sample but its id
    if not content:
        raise ValueError(f"'sets' need a column in common besides ids in 'find_alike' (got {', '.join(names)})")
    exact, loose, notes = [], [], []
    empty: Any = True
    for name in content:
        column = joined(tables, name)
        code, values = codes_of(column)
        loosened = code
        if told[name] != "exact":
            values = values.cast(pa.large_string())
            change, note = _loosening(told[name])
            notes += [note] if note and note not in notes else []
            plain = values if change is None else change(values)
            number = pc.if_else(pc.equal(plain, ""), None, plain).dictionary_encode().indices.fill_null(-1).to_numpy()
            loosened = np.where(code < 0, -1, np.append(number, -1)[code])
        exact.append(code)
        loose.append(loosened)
        empty = empty & (loosened < 0)
    levels = {"exact": np.where(empty, -1, together(exact))}
    if any(told[name] in ("text", "sequence") for name in content):
        levels["normalised"] = np.where(empty, -1, together(loose))
    elif any(told[name] == "smiles" for name in content) and not notes:
        levels["canonical"] = np.where(empty, -1, together(loose))
    described = ", ".join(f"{name!r} ({told[name]})" for name in content)
    plain = all(told[name] == "exact" for name in content) and len(content) > 1
    return Alike(levels, f"records by {described}", notes, _chance(exact) if plain else 0.0)


def column_kind(name: str, column: pa.ChunkedArray) -> str:
    """What a column of records holds, one of :data:`KINDS`: by its name, else by its first 2,000 cells."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not is_text(kind):
        return "exact"
    cells = column.slice(0, _LOOKED_AT).drop_null().cast(pa.large_string())
    cells = cells.filter(pc.not_equal(cells, ""))
    plain = name.strip().lower()
    spaced = pc.sum(pc.match_substring_regex(pc.utf8_trim_whitespace(cells), r"\s")).as_py() or 0
    if 2 * spaced >= len(cells) > 0:
        return "text"
    if plain in MOLECULE_NAMES:
        return "smiles"
    if plain in SEQUENCE_NAMES:
        return "sequence"
    letters = pc.all(pc.match_substring_regex(cells, _LETTERS)).as_py()
    long = (pc.mean(pc.utf8_length(cells)).as_py() or 0) >= _LONG
    return "sequence" if len(cells) and letters and long else "text" if plain in ("text", "sentence") else "exact"


def _loosening(kind: str) -> tuple[Callable[[pa.Array], pa.Array] | None, str]:
    """What a kind of column is compared after, and why not, in words."""
    if kind == "smiles" and not has_rdkit():
        return None, "molecules are compared as they are written: no rdkit (pip install 'sigraph[molecules]')"
    return {"text": normalized_text, "sequence": normalized_sequence, "smiles": canonical_smiles}.get(kind), ""


def _chance(codes: Sequence[np.ndarray]) -> float:
    num_pairs, out = len(codes[0]) * (len(codes[0]) - 1) / 2, 1.0
    for code in codes:
        count = np.bincount(code + 1).astype(np.float64)
        out *= max((count * (count - 1) / 2).sum(), 1.0) / max(num_pairs, 1.0)
    return float(out)


def _is_ids(name: str, column: Any, ids: pa.Array | None) -> bool:
    if name.strip().lower() == "id":
        return True
    return (
        ids is not None
        and len(ids) == len(column)
        and column.type == ids.type
        and column.equals(pa.chunked_array([ids]))
    )
