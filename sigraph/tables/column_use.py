"""What each column of a user's samples is for: text, sequences, molecules, numbers, categories, terms."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sigraph.files.columns import is_number, is_text, list_width, missing_as_null, type_name
from sigraph.files.counted import counted
from sigraph.files.foreign_text import quoted
from sigraph.files.suggestions import did_you_mean
from sigraph.samples.molecules import parsed
from sigraph.samples.normal_forms import has_rdkit
from sigraph.samples.records import MOLECULE_NAMES, SEQUENCE_NAMES
from sigraph.samples.tokens import TOKENS
from sigraph.tables.report import ColumnUse, some

ALPHABETS = ("protein", "dna", "rna")
ASKED = ("text", "sequence", "smiles", "category", *ALPHABETS)  # what an option or `uses` may say
TERM_MARKS = ";|,"  # what separates terms, the likeliest first
_LOOKED_AT = 2_000  # cells from which a use is told
_PARSED = 100  # of them, molecules that rdkit reads
_TWO, _FEW, _MOST_CATEGORIES = 2, 20, 100  # different values
_SHORT, _LONG_SEQUENCE = 3, 20  # words of a category, letters of a sequence, in the mean
_MOSTLY, _NEARLY_ALL = 0.5, 0.95
_TEXT_NAMES = ("text", "sentence", "title", "abstract", "description", "summary", "body")
_SMILES = r"^[A-Za-z0-9@+\-\[\]()=#$:/\\.%*~]+$"
_BONDED = r"[=#()\[\]]|[A-Za-z][1-9]"  # what words have not: bonds, branches, rings
_LETTERS = r"^[A-Za-z*.\-]+$"
_SYMBOLS = {"dna": b"ACGTN", "rna": b"ACGUN", "protein": b"ACDEFGHIKLMNPQRSTVWYX"}


def guess_use(name: str, cells: pa.ChunkedArray, asked: str = "") -> ColumnUse:
    """What a column that describes a sample is for, and why.

    It is told from the column's name and from its first 2,000 cells that are not blank. Nothing is changed by it.

    Args:
        name: The column's name.
        cells: Its cells, typed. Shape [N].
        asked: The use that was asked for, one of :data:`ASKED`; empty: it is guessed.
    """
    example = _example(cells)
    if asked:
        kind, why = (asked, "as asked") if asked != "sequence" else (_alphabet(name, _looked_at(cells)), "as asked")
    elif is_text(cells.type):
        kind, why = _of_text(name, cells)
    else:
        kind, why = _of_others(name, cells)
    return ColumnUse(name, kind, why, example)


def set_apart(name: str, cells: pa.ChunkedArray, use: str, why: str) -> ColumnUse:
    """The use of a column that does not describe a sample."""
    return ColumnUse(name, use, why, _example(cells))


def checked_uses(uses: Mapping[str, str], columns: list[str], where: str) -> dict[str, str]:
    """Uses that were asked for, by column as written in the file.

    Raises:
        ValueError: There is no such column, or no such use.
    """
    found = {}
    for column, use in uses.items():
        alike = [name for name in columns if name.lower() == column.lower()]
        if column not in columns and len(alike) != 1:
            there = some([repr(name) for name in columns])
            raise ValueError(f"{where} has no column {column!r}{did_you_mean(column, columns)}; there are: {there}")
        if use not in ASKED:
            raise ValueError(f"'uses' needs one of {', '.join(ASKED)} for column {column!r} (got {use!r})")
        found[column if column in columns else alike[0]] = use
    return found


def term_mark(values: pa.ChunkedArray) -> str | None:
    """What separates the terms in cells that are lists of them; None: they are no lists.

    A fifth of the cells has the mark, terms have no blanks within and are shared by cells: there are fewer different
    ones than different cells.
    """
    cells = values.drop_null()
    for mark in TERM_MARKS:
        is_list = pc.match_substring(cells, mark)
        if not len(cells) or 5 * pc.sum(is_list).as_py() < len(cells):
            continue
        different = pc.unique(cells)
        terms = pc.unique(pc.utf8_trim_whitespace(pc.list_flatten(pc.split_pattern(different, mark))))
        spaced = pc.sum(pc.match_substring(terms, " ")).as_py() or 0
        if len(terms) < len(different) and (mark != "," or 10 * spaced <= len(terms)):
            return mark
    return None


def _of_others(name: str, cells: pa.ChunkedArray) -> tuple[str, str]:
    """The use of a column that holds no text."""
    kind = cells.type
    if is_number(kind):
        if missing := missing_as_null(cells).null_count:
            return "number", f"{type_name(kind)}, {missing:,} missing"
        if not pa.types.is_integer(kind):
            return "number", type_name(kind)
        cells = cells.slice(0, _LOOKED_AT)
        different = pc.count_distinct(cells).as_py()
        few = _TWO < different <= _FEW and different * 2 <= len(cells)
        return "number", f"integers, {different:,} different; are they names? --category {name}" if few else "integers"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        if name == TOKENS and pa.types.is_integer(kind.value_type):
            return "tokens", "lists of token ids"
        if width := list_width(cells):
            return "features", f"lists of {counted(width, 'number')}"
        if is_text(kind.value_type) or pa.types.is_integer(kind.value_type):
            return "terms", "lists of different lengths"
    return "left out", f"nothing reads {type_name(kind)}"


def _looked_at(cells: pa.ChunkedArray) -> pa.Array:
    """The first cells that are not blank, without blanks around."""
    if not is_text(cells.type):
        cells = cells.cast(pa.large_string())
    text = pc.utf8_trim_whitespace(cells.drop_null().cast(pa.large_string()))
    text = text.filter(pc.not_equal(text, "")).slice(0, _LOOKED_AT)
    return pa.concat_arrays(text.chunks) if text.num_chunks else pa.array([], pa.large_string())


def _of_text(name: str, cells: pa.ChunkedArray) -> tuple[str, str]:
    """The use of a column of text."""
    text, plain = _looked_at(cells), name.strip().lower()
    if not len(text):
        return "left out", "all cells are blank"
    if plain in SEQUENCE_NAMES and _share(text, _LETTERS) >= _NEARLY_ALL:
        kind = _alphabet(name, text)
        return kind, f"by its name; letters of {kind}"
    if _is_sequence(text):
        kind = _alphabet(name, text)
        return kind, f"long runs of letters of {kind}"
    if found := _molecules(plain, text):
        return "smiles", found
    words = pc.mean(pc.list_value_length(pc.utf8_split_whitespace(text))).as_py()
    if plain not in _TEXT_NAMES and term_mark(pa.chunked_array([text])):
        return "terms", f"lists of terms in a cell; a task: --terms {name}"
    different = pc.count_distinct(text).as_py()
    if different == 1 and plain not in _TEXT_NAMES and len(text) == min(len(cells), _LOOKED_AT) > 1:
        return "left out", "all cells are alike"
    few = different <= _MOST_CATEGORIES and 2 * different <= len(text)
    if few and plain not in _TEXT_NAMES and (words <= _SHORT or different <= _FEW):
        return "category", counted(different, "different value")
    if words >= _TWO or plain in _TEXT_NAMES:
        return "text", f"{words:.1f} words a cell"
    if different > _NEARLY_ALL * len(text) or different > _MOST_CATEGORIES:
        return (
            "left out",
            f"a name: {counted(different, 'different value')}, one word each; a category? --category {name}",
        )
    return "category", counted(different, "different value")


def _molecules(plain: str, text: pa.Array) -> str:
    """Why a column holds molecules; empty: it does not."""
    by_name = plain in MOLECULE_NAMES
    if not by_name and (_share(text, _SMILES) < _NEARLY_ALL or _share(text, _BONDED) < _MOSTLY):
        return ""
    if not has_rdkit():
        return "by its name; no rdkit to read it (pip install 'sigraph[molecules]')" if by_name else ""
    tried = text.slice(0, _PARSED)
    read = sum(molecule is not None for molecule in parsed(tried))
    if by_name or read >= _NEARLY_ALL * len(tried):
        return f"rdkit reads {read} of the first {len(tried)}"
    return ""


def _is_sequence(text: pa.Array) -> bool:
    """Whether cells are long words of upper-case letters, as sequences are written."""
    long = pc.mean(pc.utf8_length(text)).as_py() >= _LONG_SEQUENCE
    if not long or _share(text, _LETTERS) < _NEARLY_ALL:
        return False
    return max(_shares(text).values()) >= _NEARLY_ALL


def _alphabet(name: str, text: pa.Array) -> str:
    """Which alphabet sequences are written in."""
    plain, share = name.lower(), _shares(text)
    for kind in ("dna", "rna", "protein"):
        if kind in plain:
            return kind
    return next((kind for kind in ("dna", "rna") if share[kind] >= _NEARLY_ALL), "protein")


def _shares(text: pa.Array) -> dict[str, float]:
    """Share of letters that are in each alphabet."""
    joined = "".join(pc.utf8_upper(text).to_pylist()).encode("ascii", "replace")
    letter = np.frombuffer(joined, np.uint8)
    letter = letter[~np.isin(letter, list(b"*.- "))]
    return {
        kind: float(np.isin(letter, list(known)).mean()) if letter.size else 0.0 for kind, known in _SYMBOLS.items()
    }


def _share(text: pa.Array, pattern: str) -> float:
    return (pc.sum(pc.match_substring_regex(text, pattern)).as_py() or 0) / max(len(text), 1)


def _example(cells: pa.ChunkedArray) -> str:
    """The first cell that is not missing."""
    for row in range(min(len(cells), _LOOKED_AT)):
        value = cells[row].as_py()
        if value is not None and value != "":
            return quoted(value) if isinstance(value, str) else f"{value!r:.40}"
    return ""
