"""SymbolTokens: a column of sequences -> a token a letter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sigraph.files.arguments import check_integers
from sigraph.files.counted import counted
from sigraph.readers.base import Reader, check_column, first_rows, joined_texts, shares, stated, text_column
from sigraph.samples import FIRST_TOKEN, TokenSequences, token_table

# The twenty, selenocysteine and pyrrolysine; then what stands for several of them or any (IUPAC-IUB, 1984).
ALPHABETS = {"protein": "ACDEFGHIKLMNPQRSTVWYUOBZJX", "dna": "ACGTNRYSWKMBDHV", "rna": "ACGUNRYSWKMBDHV"}
UNKNOWN = FIRST_TOKEN
_BOUNDARY = "\x1f"  # between the sequences of several columns; no letter is written so


class SymbolTokens(Reader):
    """A token for each letter of an alphabet; whatever else occurs is the unknown one.

    Upper and lower case are the same. Blanks, gaps (``-``, ``.``) and the stop (``*``) at the end are left out.

    Args:
        column: Of sequences; or a list of columns that are read as one, such as [heavy, light], with a special token
            between two of them.
        alphabet: ``protein`` (with the usual ambiguity codes), ``dna``, ``rna``, or the letters themselves.
        max_length: Letters of a sequence at most (all columns together), those behind are left out; null: all are read.

    An empty sequence is one unknown token; of several columns a missing cell is an empty sequence.

    Guide:
        column(s): sequences, one or several read as one: ``protein``, ``dna``, ``rna``, or letters of your own
        gives: token sequences of letters
    """

    def __init__(
        self, column: str | list[str] = "sequence", alphabet: str = "protein", max_length: int | None = None
    ) -> None:
        check_integers("SymbolTokens", 1, max_length=1 if max_length is None else max_length)
        letters = ALPHABETS.get(alphabet.lower(), alphabet) if isinstance(alphabet, str) else ""
        letters = letters.upper()
        if not letters or len(set(letters)) < len(letters) or not letters.isascii() or not letters.isalnum():
            raise ValueError(
                f"'alphabet' needs to be {', '.join(ALPHABETS)} or different letters in 'SymbolTokens' "
                f"(got {alphabet!r})"
            )
        self.column, self.letters, self.max_length = check_column("SymbolTokens", column), letters, max_length
        self._code = np.full(256, UNKNOWN, dtype=np.int64)
        for number, letter in enumerate(letters):
            self._code[ord(letter)] = UNKNOWN + 1 + number
        self._special = [UNKNOWN + 1 + len(letters)] if len(self.wanted) > 1 else []
        self._code[ord(_BOUNDARY)] = (self._special or [UNKNOWN])[0]

    @property
    def max_parts(self) -> int | None:
        return self.max_length

    def fit(self, records: pa.Table) -> None:
        """Nothing but whether there is such a column: the alphabet is given."""
        text_column(records, self.column, "SymbolTokens")

    def read(self, records: pa.Table) -> TokenSequences:
        offset, byte = self._bytes(records)
        code = self._code[byte]
        empty = np.flatnonzero(np.diff(offset) == 0)
        code = np.insert(code, offset[empty], UNKNOWN)
        offset = np.concatenate([[0], np.cumsum(np.maximum(np.diff(offset), 1))])
        size = UNKNOWN + 1 + len(self.letters) + len(self._special)
        return TokenSequences(token_table((offset, code), size, special_tokens=self._special))

    def note(self, records: pa.Table) -> str:
        offset, byte = self._bytes(records)
        unknown, empty = self._code[byte] == UNKNOWN, np.diff(offset) == 0
        said = []
        if unknown.any():
            whose = np.unique(np.searchsorted(offset, np.flatnonzero(unknown), side="right"))
            letters = "".join(map(chr, np.unique(byte[unknown])[:8]))
            total = counted(int((byte != ord(_BOUNDARY)).sum()), "letter")
            said.append(
                f"{int(unknown.sum()):,} of {total}, in {counted(len(whose), 'sequence')}, are not in the "
                f"alphabet {self.letters} (such as {letters!r})"
            )
        if empty.any():
            said.append(f"{counted(int(empty.sum()), 'sequence is', 'sequences are')} empty (row {first_rows(empty)})")
        return "; ".join(said)

    def known(self, records: pa.Table) -> np.ndarray:
        """Share of the letters that are in the alphabet."""
        offset, byte = self._bytes(records)
        letter = byte != ord(_BOUNDARY)
        before = np.concatenate([[0], np.cumsum(letter, dtype=np.int64)])[offset]
        return shares(self._code[byte[letter]] != UNKNOWN, before)

    def _bytes(self, records: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Where each sequence begins [N + 1], and the letters of all in a row, a byte each."""
        parts = [_plain(text_column(records, column, "SymbolTokens", is_new=True)) for column in self.wanted]
        text = parts[0] if len(parts) == 1 else joined_texts(parts, _BOUNDARY)
        if self.max_length is not None:
            text = pc.utf8_slice_codeunits(text, 0, self.max_length)
        _, starts, letters = text.buffers()
        offset = np.frombuffer(starts, np.int64)[text.offset : text.offset + len(text) + 1]
        byte = np.frombuffer(letters, np.uint8)[offset[0] : offset[-1]] if letters else np.empty(0, np.uint8)
        return offset - offset[0], byte

    def state(self) -> dict[str, Any]:
        return {"letters": self.letters}

    def restore(self, state: Mapping[str, Any]) -> None:
        if stated(state, "letters", str, "SymbolTokens") != self.letters:
            raise ValueError(f"'alphabet' needs to be {state['letters']!r}, as learned, in 'SymbolTokens'")


def _plain(text: pa.Array) -> pa.Array:
    """Letters in upper case, without blanks, gaps and the stop at the end; what is not ASCII is one unknown each."""
    text = pc.replace_substring_regex(pc.utf8_upper(text), r"[\s\-.]+|\*+\s*$", "")
    return pc.replace_substring_regex(text, r"[^\x00-\x1E\x20-\x7F]", "?")
