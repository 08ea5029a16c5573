"""TfIdf: a column of text -> sparse rows of weighted words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from sigraph.files.arguments import check_choices, check_flags, check_integers
from sigraph.files.counted import counted
from sigraph.readers.base import BETWEEN, Reader, check_column, stated, text_column
from sigraph.samples import SparseFeatures

WHAT = {"word": "word of two letters or more", "char": "letter"}
ANALYZERS = tuple(WHAT)


class TfIdf(Reader):
    """Words weighted by how often they occur in a text and how rarely in others, rows of length 1; scikit-learn's.

    Args:
        column: Of text; or a list of columns that are read as one text, such as [title, abstract].
        max_features: Words at most, the commonest first, >= 1.
        min_count: Texts that a word occurs in, at least, >= 1.
        sublinear: Whether 1 + log of a word's count counts instead of the count.
        max_ngram: Words in a row that count as one, up to so many, >= 1.
        analyzer: ``word``; or ``char``: letters take the place of words, so that ``max_ngram: 3`` counts the k-mers of
            a sequence up to length 3.

    Words that were not learned are left out; a text of none but such is a row of zeros. Of several columns a missing
    cell is empty text.

    Source: Spärck Jones, "A statistical interpretation of term specificity", J. Doc. 28, 1972, smoothed as in
    ``sklearn.feature_extraction.text.TfidfVectorizer``.

    Guide:
        column(s): text, one or several read as one
        gives: sparse rows of weighted words, or of letters in a row
    """

    def __init__(
        self,
        column: str | list[str] = "text",
        max_features: int = 20_000,
        min_count: int = 2,
        sublinear: bool = False,
        max_ngram: int = 1,
        analyzer: str = "word",
    ) -> None:
        check_integers("TfIdf", 1, max_features=max_features, min_count=min_count, max_ngram=max_ngram)
        check_flags("TfIdf", sublinear=sublinear)
        check_choices("TfIdf", ANALYZERS, analyzer=analyzer)
        self.column, self.max_features, self.min_count = check_column("TfIdf", column), max_features, min_count
        self.sublinear, self.max_ngram, self.analyzer = sublinear, max_ngram, analyzer
        self._vectorizer: Any = None

    def _new(self, vocabulary: list[str] | None = None) -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer

        return TfidfVectorizer(
            max_features=self.max_features if vocabulary is None else None,
            min_df=self.min_count if vocabulary is None else 1,
            sublinear_tf=self.sublinear,
            ngram_range=(1, self.max_ngram),
            analyzer=self.analyzer,
            vocabulary=vocabulary,
            dtype=np.float32,
        )

    def fit(self, records: pa.Table) -> None:
        text = text_column(records, self.column, "TfIdf").to_pylist()
        self._vectorizer = self._new()
        try:
            self._vectorizer.fit(text)
        except ValueError as error:  # nothing is left, or there are fewer texts than are asked for
            raise ValueError(
                f"'column' {self.column!r} of 'TfIdf' holds no {WHAT[self.analyzer]} that occurs in {self.min_count} "
                "texts; lower 'min_count', or read letters by SymbolTokens"
            ) from error

    def read(self, records: pa.Table) -> SparseFeatures:
        text = text_column(records, self.column, "TfIdf", is_new=True).to_pylist()
        return SparseFeatures.of(self._fitted().transform(text))

    def note(self, records: pa.Table) -> str:
        text = text_column(records, self.column, "TfIdf", is_new=True).to_pylist()
        there, known = self._counts(text)
        total, unknown = int(there.sum()), int(there.sum() - known.sum())
        empty = int((np.diff(self._fitted().transform(text).indptr) == 0).sum())
        said = []
        if unknown:
            what = counted(total, "word" if self.analyzer == "word" else "letter")
            said.append(f"{unknown:,} of {what} are not among those that were learned: left out")
        if empty:
            said.append(f"{counted(empty, 'text holds', 'texts hold')} no word that was learned: rows of zeros")
        return "; ".join(said)

    def known(self, records: pa.Table) -> np.ndarray:
        """Share of the single words (letters) that were learned."""
        there, known = self._counts(text_column(records, self.column, "TfIdf", is_new=True).to_pylist())
        return known / np.maximum(there, 1)

    def _counts(self, text: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """How many single words (letters) each text has, and how many of them were learned. [N] each"""
        from sklearn.feature_extraction.text import CountVectorizer

        if isinstance(self.column, list) and self.analyzer == "char":
            text = [one.replace(BETWEEN, "") for one in text]  # no letter of theirs
        counter = CountVectorizer(analyzer=self.analyzer)
        try:
            count = counter.fit_transform(text)
        except ValueError:  # there is no word at all
            return np.zeros(len(text), int), np.zeros(len(text), int)
        known = np.fromiter((word in self._fitted().vocabulary_ for word in counter.get_feature_names_out()), bool)
        return count @ np.ones(len(known), int), count @ known.astype(int)

    def _fitted(self) -> Any:
        if self._vectorizer is None:
            raise ValueError("'TfIdf' needs to be fitted first: fit(records)")
        return self._vectorizer

    def state(self) -> dict[str, Any]:
        fitted = self._fitted()
        return {"words": fitted.get_feature_names_out().tolist(), "idf": fitted.idf_.tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        words, idf = (stated(state, name, list, "TfIdf") for name in ("words", "idf"))
        if len(words) != len(idf):
            raise ValueError(f"the state of 'TfIdf' needs a weight for each of {len(words)} words (got {len(idf)})")
        self._vectorizer = self._new(words)
        self._vectorizer.idf_ = np.array(idf, dtype=np.float32)
