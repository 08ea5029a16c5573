"""SymbolTokens: a column of sequences -> a token a letter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sigraph.files.arguments import check_integers
from sigraph.readers.base import Reader, first_rows, shares, stated, text_column
from sigraph.samples import FIRST_TOKEN, TokenSequences, token_table

# The twenty, selenocysteine and pyrrolysine; then what stands for several of them or any (IUPAC-IUB, 1984).
ALPHABETS = {"protein": "ACDEFGHIKLMNPQRSTVWYUOBZJX", "dna": "ACGTNRYSWKMBDHV", "rna": "ACGUNRYSWKMBDHV"}
UNKNOWN = FIRST_TOKEN


class SymbolTokens(Reader):
    """A token for each letter of an alphabet; whatever else occurs is the unknown one.

    Upper and lower case are the same. Blanks, gaps (``-``, ``.``) and the stop (``*``) at the end are left out.

    Args:
        column: Of sequences.
        alphabet: ``protein`` (with the usual ambiguity codes), ``dna``, ``rna``, or the letters themselves.
        max_length: Letters of a sequence at most, those behind are left out; null: all are read.

    An empty sequence is one unknown token.

    Guide:
        column(s): sequences: ``protein``, ``dna``, ``rna``, or letters of your own
        gives: token sequences of letters
    """

    def __init__(self, column: str = "sequence", alphabet: str = "protein", max_length: int | None = None) -> None:
        check_integers("SymbolTokens", 1, max_length=1 if max_length is None else max_length)
        letters = ALPHABETS.get(alphabet.lower(), alphabet) if isinstance(alphabet, str) else ""
        letters = letters.upper()
        if not letters or len(set(letters)) < len(letters) or not letters.isascii() or not letters.isalnum():
            raise ValueError(
                f"'alphabet' needs to be {', '.join(ALPHABETS)} or different letters in 'SymbolTokens' "
                f"(got {alphabet!r})"
            )
        self.column, self.letters, self.max_length = column, letters, max_length
        self._code = np.full(256, UNKNOWN, dtype=np.int64)
        for number, letter in enumerate(letters):
            self._code[ord(letter)] = UNKNOWN + 1 + number

    def fit(self, records: pa.Table) -> None:
        """Nothing but whether there is such a column: the alphabet is given."""
        text_column(records, self.column, "SymbolTokens")

    def read(self, records: pa.Table) -> TokenSequences:
        offset, byte = self._bytes(records)
        code = self._code[byte]
        empty = np.flatnonzero(np.diff(offset) == 0)
        code = np.insert(code, offset[empty], UNKNOWN)
        offset = np.concatenate([[0], np.cumsum(np.maximum(np.diff(offset), 1))])
        return TokenSequences(token_table((offset, code), UNKNOWN + 1 + len(self.letters)))

    def note(self, records: pa.Table) -> str:
        offset, byte = self._bytes(records)
        unknown, empty = self._code[byte] == UNKNOWN, np.diff(offset) == 0
        said = []
        if unknown.any():
            whose = np.unique(np.searchsorted(offset, np.flatnonzero(unknown), side="right"))
            letters = "".join(map(chr, np.unique(byte[unknown])[:8]))
            said.append(
                f"{int(unknown.sum()):,} of {len(byte):,} letters, in {len(whose):,} sequences, are not in the "
                f"alphabet {self.letters} (such as {letters!r})"
            )
        if empty.any():
            said.append(f"{int(empty.sum()):,} sequences are empty (row {first_rows(empty)})")
        return "; ".join(said)

    def known(self, records: pa.Table) -> np.ndarray:
        """Share of the letters that are in the alphabet."""
        offset, byte = self._bytes(records)
        return shares(self._code[byte] != UNKNOWN, offset)

    def _bytes(self, records: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """Where each sequence begins [N + 1], and the letters of all in a row, a byte each."""
        text = pc.utf8_upper(text_column(records, self.column, "SymbolTokens", is_new=True))
        text = pc.replace_substring_regex(text, r"[\s\-.]+|\*+\s*$", "")
        text = pc.replace_substring_regex(text, r"[^\x00-\x7F]", "?")  # a letter of several bytes is one unknown
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
