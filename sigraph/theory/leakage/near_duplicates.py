"""Which samples are the same sample again: by content, exactly and after what does not change a meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from sigraph.files.arguments import is_number, said, shown
from sigraph.files.columns import is_text
from sigraph.samples.tokens import TOKENS, has_tokens
from sigraph.theory.leakage.normal_forms import canonical_smiles, has_rdkit, normalized_sequence, normalized_text

KINDS = ("text", "sequence", "smiles", "exact")
_SEQUENCES = ("seq", "sequence", "protein", "protein_sequence", "aa_seq", "aa_sequence", "dna", "rna", "peptide")
_MOLECULES = ("smiles", "smi", "mol", "molecule", "canonical_smiles", "isomeric_smiles")
_LOOKED_AT = 2_000  # cells from which the kind of a column is told
_LETTERS, _LONG = r"^[A-Za-z*.\-]+$", 20  # of a sequence whose column is called otherwise
_BLOCK = 1 << 23  # numbers held at a time


@dataclass
class Alike:
    """Samples grouped by content, from strict to loose.

    Args:
        levels: ``exact`` (the same content), then ``normalised`` (text and sequences in the forms of
            :mod:`~sigraph.theory.leakage.normal_forms`) or ``canonical`` (molecules by their canonical SMILES). Two
            samples are alike at a level if their numbers there are the same; -1: a sample without content, alike to
            none. Shape [N] each.
        read_as: What was compared, in words.
        notes: What could not be done, in words.
        chance: Probability that two rows of several columns of codes are equal if the columns are independent; 0 for
            other content, which is taken to be rich.
    """

    levels: dict[str, np.ndarray]
    read_as: str
    notes: list[str] = field(default_factory=list)
    chance: float = 0.0

    @property
    def loosest(self) -> np.ndarray:
        """The numbers of the last level. [N]"""
        return list(self.levels.values())[-1]


def find_alike(*sets: Tensor | pa.Table, ids: pa.Array | None = None, kinds: Mapping[str, str] | None = None) -> Alike:
    """Group the samples of one or several sets by content; samples of the sets are numbered in a row.

    Feature rows are compared bit by bit (0.0 and -0.0 are one), by a 64-bit hash: two different rows of N meet with
    probability N^2 / 2^65. Token sequences are compared token by token. Of records the columns of text, sequences and
    molecules are compared, all of them together; where there are none, every column but the ids. Feature rows of zeros,
    empty text and text of punctuation alone are no content. Time is O(N), memory that of the distinct samples.

    Args:
        *sets: Feature rows (tensors) or records (tables); of the same width or columns.
        ids: The first set's ids: a column that repeats them is no content.
        kinds: By column, one of :data:`KINDS`; others are told by their name and cells. ``smiles`` is read off the
            column's name alone; ``exact`` is everything else, e.g. codes, and is not normalised.

    Raises:
        ValueError: The sets are not of the same kind; ``kinds`` names an unknown column or kind.
    """
    wrong = [
        part for part in sets if not isinstance(part, pa.Table) and not (isinstance(part, Tensor) and part.dim() == 2)
    ]
    if not sets or wrong:
        got = said(wrong[0]) if wrong else "none"
        raise ValueError(f"'sets' need feature rows [N, F] or tables of records in 'find_alike' (got {got})")
    if kinds is not None and not isinstance(kinds, Mapping):
        raise ValueError(
            f"'kinds' needs a mapping of columns to {', '.join(KINDS)} in 'find_alike' (got {shown(kinds)})"
        )
    if ids is not None and not isinstance(ids, pa.Array):
        raise ValueError(f"'ids' needs a pyarrow Array in 'find_alike' (got {said(ids)})")
    if all(isinstance(part, Tensor) for part in sets):
        widths = {part.size(1) for part in sets if isinstance(part, Tensor)}
        if len(widths) > 1:
            raise ValueError(f"'sets' need feature rows of one width in 'find_alike' (got {sorted(widths)})")
        codes = numbered(np.concatenate([hashed_rows(part) for part in sets if isinstance(part, Tensor)]))
        empty = np.concatenate([_is_zero(part) for part in sets if isinstance(part, Tensor)])
        return Alike({"exact": np.where(empty, -1, codes)}, f"rows of {widths.pop()} features")
    tables = [part for part in sets if not isinstance(part, Tensor)]
    if len(tables) < len(sets):
        raise ValueError("'sets' need to be all feature rows or all records in 'find_alike' (got both)")
    if has_tokens(tables[0]):
        if not all(has_tokens(table) for table in tables):
            raise ValueError("'sets' need a column 'tokens' in each, or in none, in 'find_alike' (got both)")
        return Alike({"exact": _codes(_as_bytes(_joined(tables, TOKENS)))[0]}, "token sequences")
    return _records(tables, ids, kinds)


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
        column = _joined(tables, name)
        code, values = _codes(column)
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
    levels = {"exact": np.where(empty, -1, _together(exact))}
    if any(told[name] in ("text", "sequence") for name in content):
        levels["normalised"] = np.where(empty, -1, _together(loose))
    elif any(told[name] == "smiles" for name in content) and not notes:
        levels["canonical"] = np.where(empty, -1, _together(loose))
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
    if plain in _MOLECULES:
        return "smiles"
    if plain in _SEQUENCES:
        return "sequence"
    letters = pc.all(pc.match_substring_regex(cells, _LETTERS)).as_py()
    long = (pc.mean(pc.utf8_length(cells)).as_py() or 0) >= _LONG
    return "sequence" if len(cells) and letters and long else "text" if plain in ("text", "sentence") else "exact"


def _loosening(kind: str) -> tuple[Callable[[pa.Array], pa.Array] | None, str]:
    """What a kind of column is compared after, and why not, in words."""
    if kind == "smiles" and not has_rdkit():
        return None, "molecules are compared as they are written: no rdkit (pip install 'sigraph[molecules]')"
    return {"text": normalized_text, "sequence": normalized_sequence, "smiles": canonical_smiles}.get(kind), ""


def occurs_in(code: np.ndarray, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which of ``rows`` are alike to one of ``others``. Positions in ``code``; [R], [O] -> [R] bool."""
    known = np.zeros(int(code.max(initial=-1)) + 2, dtype=bool)
    known[code[others]] = True
    known[-1] = False  # -1: no content
    return known[code[rows]]


def near_by_cosine(rows: Tensor, others: Tensor, threshold: float) -> np.ndarray:
    """Which feature rows have one of ``others`` at a cosine of at least ``threshold``, in blocks. O(R * O * F).

    Args:
        threshold: In (0, 1]; 1 allows for rounding in float32.

    Shapes:
        - **rows:** [R, F].  **others:** [O, F].  **returns:** [R] bool.
    """
    if not is_number(threshold) or not 0 < threshold <= 1:
        raise ValueError(f"'cosine' needs to be in (0, 1] in 'leakage' (got {shown(threshold)})")
    scaled = [torch.nn.functional.normalize(part.float(), dim=1) for part in (rows, others)]
    if not len(others):
        return np.zeros(len(rows), dtype=bool)
    found = []
    for block in scaled[0].split(max(1, _BLOCK // len(others))):
        found.append((block @ scaled[1].t()).amax(dim=1) >= threshold - 1e-6)
    return torch.cat(found).numpy() if found else np.zeros(0, dtype=bool)


def hashed_rows(rows: Tensor) -> np.ndarray:
    """A 64-bit hash of each row's bits; 0.0 and -0.0 are one. Shape [N, F] -> [N] uint64."""
    width = max(1, rows.size(1))
    place = _mixed(np.arange(1, width + 1, dtype=np.uint64))
    out = np.empty(len(rows), dtype=np.uint64)
    for start in range(0, len(rows), step := max(1, _BLOCK // width)):
        block = np.ascontiguousarray((rows[start : start + step] + 0).numpy())  # -0.0 + 0 is 0.0
        bits = block.view(f"u{block.dtype.itemsize}").astype(np.uint64)
        out[start : start + step] = _mixed(_mixed(bits ^ place[: bits.shape[1]]).sum(axis=1, dtype=np.uint64))
    return out


def numbered(keys: np.ndarray) -> np.ndarray:
    """Equal keys as equal numbers 0, 1, ... [N] int64."""
    return np.unique(keys, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _mixed(x: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): every bit depends on every bit."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _is_zero(rows: Tensor) -> np.ndarray:
    step = max(1, _BLOCK // max(1, rows.size(1)))
    return np.concatenate([np.zeros(0, bool), *((block == 0).all(dim=1).numpy() for block in rows.split(step))])


def _codes(column: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """Numbers of a column's values by first appearance, -1 for nulls, [N]; and the values by number."""
    if pa.types.is_nested(column.type):
        column = pa.chunked_array([pa.array([None if v is None else repr(v) for v in column.to_pylist()], pa.string())])
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    encoded = column.dictionary_encode().combine_chunks()
    return encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64), encoded.dictionary


def _chance(codes: Sequence[np.ndarray]) -> float:
    num_pairs, out = len(codes[0]) * (len(codes[0]) - 1) / 2, 1.0
    for code in codes:
        count = np.bincount(code + 1).astype(np.float64)
        out *= max((count * (count - 1) / 2).sum(), 1.0) / max(num_pairs, 1.0)
    return float(out)


def _as_bytes(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Lists of integers as their bytes, which compare at once."""
    length = pc.list_value_length(column).to_numpy()
    flat = pc.list_flatten(column).to_numpy().astype(np.int32, copy=False)
    offset = 4 * np.concatenate([[0], np.cumsum(length, dtype=np.int64)])
    buffers = [None, pa.py_buffer(offset), pa.py_buffer(np.ascontiguousarray(flat))]
    return pa.chunked_array([pa.Array.from_buffers(pa.large_binary(), len(length), buffers)])


def _together(codes: Sequence[np.ndarray]) -> np.ndarray:
    """One number for a row of numbers. [N]"""
    out = codes[0]
    for code in codes[1:]:
        out = numbered((out + 1) * (int(code.max(initial=-1)) + 2) + code + 1)
    return out


def _joined(tables: list[pa.Table], name: str) -> pa.ChunkedArray:
    columns = [table.column(name) for table in tables]
    kind = columns[0].type
    if is_text(kind) or pa.types.is_dictionary(kind):
        kind = pa.large_string() if is_text(kind) else kind.value_type
    return pa.chunked_array([chunk for column in columns for chunk in column.cast(kind).chunks], kind)


def _is_ids(name: str, column: Any, ids: pa.Array | None) -> bool:
    if name.strip().lower() == "id":
        return True
    return (
        ids is not None
        and len(ids) == len(column)
        and column.type == ids.type
        and column.equals(pa.chunked_array([ids]))
    )
