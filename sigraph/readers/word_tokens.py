"""WordTokens: a column of text -> sequences of words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sigraph.files.arguments import check_flags, check_integers
from sigraph.files.counted import counted
from sigraph.readers.base import Reader, check_column, first_rows, shares, stated, text_column
from sigraph.samples import FIRST_TOKEN, TokenSequences, token_table

UNKNOWN = FIRST_TOKEN  # a word that the vocabulary lacks, and what a text without any word is


class WordTokens(Reader):
    """Splits text at everything but letters, digits and apostrophes; a word that occurs often enough is a token.

    Args:
        column: Of text; or a list of columns that are read as one text, such as [title, abstract].
        max_tokens: Words of the vocabulary at most, the commonest first, of equally common ones by the alphabet, >= 1.
        min_count: How often a word occurs in what is learned from, at least, >= 1; rarer ones are unknown.
        lowercase: Whether upper case is read as lower case.
        max_length: Words of a text at most, those behind are left out; null: all are read.

    A text without any word is one unknown token. Of several columns a missing cell is empty text.

    Guide:
        column(s): text, one or several read as one
        gives: token sequences of words
    """

    def __init__(
        self,
        column: str | list[str] = "text",
        max_tokens: int = 30_000,
        min_count: int = 2,
        lowercase: bool = True,
        max_length: int | None = None,
    ) -> None:
        check_integers("WordTokens", 1, max_tokens=max_tokens, min_count=min_count)
        check_integers("WordTokens", 1, max_length=1 if max_length is None else max_length)
        check_flags("WordTokens", lowercase=lowercase)
        self.column, self.max_tokens, self.min_count = check_column("WordTokens", column), max_tokens, min_count
        self.lowercase, self.max_length = lowercase, max_length
        self.words: list[str] = []

    def fit(self, records: pa.Table) -> None:
        _, word = self._split(records)
        count = pc.value_counts(word)
        values, numbers = count.field("values").to_pylist(), count.field("counts").to_numpy(zero_copy_only=False)
        often = sorted((-int(n), value) for value, n in zip(values, numbers, strict=True) if n >= self.min_count)
        self.words = [value for _, value in often[: self.max_tokens]]
        if not self.words:
            raise ValueError(
                f"'column' {self.column!r} of 'WordTokens' holds no word that occurs {self.min_count} times; lower "
                "'min_count'"
            )

    def read(self, records: pa.Table) -> TokenSequences:
        offset, code = self._coded(records)
        empty = np.flatnonzero(np.diff(offset) == 0)
        code = np.insert(code, offset[empty], UNKNOWN)  # np.insert takes positions before insertion
        length = np.maximum(np.diff(offset), 1)
        offset = np.concatenate([[0], np.cumsum(length)])
        return TokenSequences(token_table((offset, code), UNKNOWN + 1 + len(self.words)))

    def note(self, records: pa.Table) -> str:
        offset, code = self._coded(records)
        unknown, empty = int((code == UNKNOWN).sum()), np.diff(offset) == 0
        said = []
        if unknown:
            total = counted(len(code), "word")
            said.append(f"{unknown:,} of {total} are not in the vocabulary of {len(self.words):,}")
        if empty.any():
            said.append(f"{counted(int(empty.sum()), 'text has', 'texts have')} no word (row {first_rows(empty)})")
        return "; ".join(said)

    def known(self, records: pa.Table) -> np.ndarray:
        """Share of the words that are in the vocabulary."""
        offset, code = self._coded(records)
        return shares(code != UNKNOWN, offset)

    def _coded(self, records: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        if not self.words:
            raise ValueError("'WordTokens' needs to be fitted first: fit(records)")
        offset, word = self._split(records, is_new=True)
        place = pc.index_in(word, value_set=pa.array(self.words, pa.large_string()))
        code = pc.fill_null(place, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        return offset, np.where(code < 0, UNKNOWN, code + UNKNOWN + 1)

    def _split(self, records: pa.Table, is_new: bool = False) -> tuple[np.ndarray, pa.Array]:
        """Where each text's words begin [N + 1], and all words in a row."""
        text = text_column(records, self.column, "WordTokens", is_new)
        text = pc.utf8_lower(text) if self.lowercase else text
        text = pc.utf8_trim_whitespace(pc.replace_substring_regex(text, r"[^\p{L}\p{N}']+", " "))
        lists = pc.split_pattern(text, pattern=" ")
        if self.max_length is not None:
            lists = pc.list_slice(lists, 0, self.max_length)
        word = pc.list_flatten(lists)
        there = pc.not_equal(word, "").to_numpy(zero_copy_only=False)
        whose = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)[there]
        length = np.bincount(whose, minlength=len(text))
        return np.concatenate([[0], np.cumsum(length)]), word.filter(pa.array(there))

    def state(self) -> dict[str, Any]:
        return {"words": self.words}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.words = [str(word) for word in stated(state, "words", list, "WordTokens")]
