"""HuggingFaceTokens: a column of text -> token sequences of a tokenizer of Hugging Face."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from types import NoneType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from sigraph import __version__
from sigraph.files.arguments import check_choices, check_flags, check_integers, shown
from sigraph.files.counted import counted
from sigraph.files.sealed import content_sum
from sigraph.readers.base import (
    Reader,
    check_column,
    first_rows,
    joined_texts,
    shares,
    stated,
    text_column,
)
from sigraph.readers.hugging_face_tokenizer import SPECIAL, content_of, library, opened, own_limit, trained, words_of
from sigraph.readers.kept import learnt_once, read_once
from sigraph.samples import TokenSequences, token_table
from sigraph.samples.tokens import UNITS

MODELS = ("wordpiece", "bpe")
SIDES = ("right", "left")
LONGEST = 512  # tokens of a sequence, where nothing says how many
KEPT_FROM = 1 << 16  # bytes of text; less is read in less time than it takes to find it
_BLOCK = 10_000  # texts whose tokens are Python's at a time
_TRAIN = {"model": "wordpiece", "vocab_size": 8000, "lowercase": True}


class HuggingFaceTokens(Reader):
    """Tokens of a checkpoint's own tokenizer, or of one trained on the texts of pre-training. Extra ``sequence``.

    Args:
        column: Of text or sequences; or a list of columns that are read as one, such as [title, abstract], with the
            separator between two of them.
        checkpoint: Folder with the tokenizer: ``tokenizer.json``, or a vocabulary that transformers knows; or
            ``vocab.json`` or ``vocab.txt`` of single letters, as for proteins. Nothing is downloaded and no code in it
            is run. It is opened by :meth:`fit` alone and goes home with the encoder.
        train: ``{model: wordpiece, vocab_size: 8000, lowercase: true}``; ``model`` is ``wordpiece`` or ``bpe``. One of
            ``checkpoint`` and ``train`` is needed. (The library's ``unigram`` learns another vocabulary each time, and
            so do runs that are resumed: train such a one by itself and name its folder.)
        max_length: Tokens of a sequence at most, the special ones counted, >= 3; null: what a folder of
            sentence-transformers says (``max_seq_length``), else 512.
        truncate: Which end of a longer sequence is left out: ``right`` or ``left``.
        marked: Texts that stay one token each wherever they stand, such as ["[[", "]]"] around an entity; of a
            checkpoint's tokenizer they need to be in its vocabulary.
        units: Whether each token knows its word, for tasks with a label a word, whose first token is read, and for
            ``MaskedToken(whole_units=True)``. Words are what the tokenizer splits a text into before it looks for
            pieces.

    A text of nothing is its special tokens, or one unknown token where there are none.

    What was read of 64 KB of text or more is kept under ``SIGRAPH_DATA``, in ``read/``, which may be removed at any
    time, and so is what was learned from it. It is found again by the texts, the settings, what the tokenizer holds and
    the versions of tokenizers and sigraph.

    Source: the tokenizers library; WordPiece as in Devlin et al., NAACL 2019; byte-pair encoding: Sennrich et al., ACL
    2016.

    Guide:
        column(s): text or sequences, one or several read as one
        gives: token sequences of a tokenizer of Hugging Face
    """

    def __init__(
        self,
        column: str | list[str] = "text",
        checkpoint: str | None = None,
        train: Mapping[str, Any] | None = None,
        max_length: int | None = None,
        truncate: str = "right",
        marked: list[str] | None = None,
        units: bool = False,
    ) -> None:
        name = "HuggingFaceTokens"
        check_integers(name, 3, max_length=3 if max_length is None else max_length)
        check_choices(name, SIDES, truncate=truncate)
        check_flags(name, units=units)
        if (checkpoint is None) == (train is None):
            got = "none" if checkpoint is None else "both"
            raise ValueError(f"'checkpoint' or 'train' is needed in {name!r}, one of them (got {got})")
        if not isinstance(marked, list | tuple | NoneType) or not all(
            isinstance(one, str) and one for one in marked or []
        ):
            raise ValueError(f"'marked' needs a list of texts in {name!r} (got {shown(marked)})")
        self.column, self.checkpoint, self.max_length = check_column(name, column), checkpoint, max_length
        self.train, self.truncate, self.marked = (
            None if train is None else _checked_train(train),
            truncate,
            marked or [],
        )
        self.units = units
        self._tokenizer: Any = None
        self._special: dict[str, int] = {}
        self._upper = False  # a vocabulary of capital letters
        self.limit = max_length or LONGEST  # tokens of a sequence at most, once fitted

    def fit(self, records: pa.Table) -> None:
        self._tokenizer, self._special, self._upper = None, {}, False  # what was learned before teaches nothing
        text = self._texts(records, is_new=False)
        self._take_over(self._learnt(text) if self.train is not None else self._opened(text))
        own = None if self.checkpoint is None else own_limit(self.checkpoint)
        self._bound(self.max_length or own or LONGEST)
        unknown = [one for one in self.marked if self._tokenizer.token_to_id(one) is None]
        if unknown:
            raise ValueError(
                f"'marked' names {unknown[0]!r} in 'HuggingFaceTokens', which is no token of {self.checkpoint!r}; add "
                "it to that tokenizer and its model, or train one: train={...}"
            )
        self._tokenizer.add_special_tokens(self.marked)  # else they may be split before they are looked up

    @property
    def max_parts(self) -> int | None:
        if self.truncate != "right" or len(self.wanted) > 1 or words_of(self._fitted().get_vocab()):
            return None
        return self.limit - self._tokenizer.num_special_tokens_to_add(False)

    def read(self, records: pa.Table) -> TokenSequences:
        return self._read(self._texts(records, is_new=True))[0]

    def note(self, records: pa.Table) -> str:
        text, said = self._texts(records, is_new=True), []
        count = self._read(text)[1]
        empty = np.fromiter((not one.strip() for one in text.to_pylist()), bool, len(text))
        if count["unknown"]:
            said.append(
                f"{count['unknown']:,} of {counted(count['tokens'], 'token')}, in {counted(count['texts'], 'text')}, "
                "are not in the vocabulary: read as the unknown one"
            )
        if count["cut"]:
            said.append(
                f"{counted(count['cut'], 'text is', 'texts are')} longer than {self.limit} tokens: cut at the "
                f"{'end' if self.truncate == 'right' else 'beginning'}"
            )
        if empty.any():
            said.append(f"{counted(int(empty.sum()), 'text is', 'texts are')} empty (row {first_rows(empty)})")
        return "; ".join(said)

    def known(self, records: pa.Table) -> np.ndarray:
        """Share of the tokens that are not the unknown one."""
        found = self._encoded(self._texts(records, is_new=True))
        is_own = self._is_own(found.token)
        before = np.concatenate([[0], np.cumsum(is_own, dtype=np.int64)])[found.offset]
        return shares(found.token[is_own] != self._special["unk"], before)

    def state(self) -> dict[str, Any]:
        kept = {"tokenizer": self._fitted().to_str(), "special": self._special, "upper": self._upper}
        return {**kept, "max_length": self.limit}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._take_over(state)
        said = state.get("max_length", LONGEST)  # before it was kept, what no YAML said was this
        self._bound(self.max_length or (said if isinstance(said, int) else LONGEST))

    def _take_over(self, state: Mapping[str, Any]) -> None:
        name = "HuggingFaceTokens"
        library("tokenizers")
        from tokenizers import Tokenizer

        text, special = stated(state, "tokenizer", str, name), stated(state, "special", dict, name)
        self._tokenizer, self._upper = Tokenizer.from_str(text), stated(state, "upper", bool, name)
        self._special = {str(key): int(number) for key, number in special.items()}

    def _learnt(self, text: pa.Array) -> dict[str, Any]:
        """What a tokenizer learns from texts, as :meth:`state` gives it."""
        settings = dict(self.train or {})

        def learn() -> dict[str, Any]:
            tokenizer, special = trained(text.to_pylist(), settings, self.marked)
            return {"tokenizer": tokenizer.to_str(), "special": special, "upper": False}

        if text.nbytes < KEPT_FROM:
            return learn()
        return learnt_once(text, {"learns": settings, "marked": self.marked, **_versions()}, learn)

    def _opened(self, text: pa.Array) -> dict[str, Any]:
        """The checkpoint's tokenizer, as :meth:`state` gives it; it is kept where what it makes of the texts is."""
        folder = str(self.checkpoint)

        def learn() -> dict[str, Any]:
            tokenizer, special = opened(folder)
            words = tokenizer.get_vocab()
            upper = all(len(one) == 1 or one[0] in "<[" for one in words) and not any(
                len(one) == 1 and one.islower() for one in words
            )
            return {"tokenizer": tokenizer.to_str(), "special": special, "upper": upper}

        held = None if text.nbytes < KEPT_FROM else content_of(folder)
        return learn() if held is None else learnt_once(None, {"opens": held, **_versions("transformers")}, learn)

    def _bound(self, limit: int) -> None:
        self.limit = limit
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(limit, direction=self.truncate)

    def token_of(self, name: str) -> str:
        """The text of a special token: ``pad``, ``unk``, ``cls``, ``sep`` or ``mask``."""
        return self._fitted().id_to_token(self._special[name])

    def _fitted(self) -> Any:
        if self._tokenizer is None:
            raise ValueError("'HuggingFaceTokens' needs to be fitted first: fit(records)")
        return self._tokenizer

    def _texts(self, records: pa.Table, is_new: bool) -> pa.Array:
        """A text a record; those of several columns with the separator between."""
        parts = [text_column(records, one, "HuggingFaceTokens", is_new) for one in self.wanted]
        if len(parts) == 1:
            return parts[0]
        sep = self._tokenizer.id_to_token(self._special["sep"]) if "sep" in self._special else "\n"
        return joined_texts(parts, f" {sep} ")

    def _read(self, text: pa.Array) -> tuple[TokenSequences, dict[str, int]]:
        """Their tokens, and how many of them are unknown, of how many, in how many texts; how many texts are cut."""
        if text.nbytes < KEPT_FROM:
            return self._of(text)
        how = {"max_length": self.limit, "truncate": self.truncate, "units": self.units}
        learnt = {"reader": "HuggingFaceTokens", "state": content_sum(self.state())}  # settings of what reads are in it
        return read_once(TokenSequences, text, {**learnt, **how, **_versions()}, lambda: self._of(text))

    def _of(self, text: pa.Array) -> tuple[TokenSequences, dict[str, int]]:
        found = self._encoded(text)
        is_own = self._is_own(found.token)
        unknown = is_own & (found.token == self._special["unk"])
        whose = np.unique(np.searchsorted(found.offset, np.flatnonzero(unknown), side="right"))
        counts = {"unknown": unknown.sum(), "tokens": is_own.sum(), "texts": len(whose), "cut": found.num_cut}
        offset, token, unit = found.offset, found.token.copy(), found.unit
        for name in ("pad", "mask"):  # a text may hold "[MASK]"
            token[token == self._special[name]] = self._special["unk"]
        empty = np.flatnonzero(np.diff(offset) == 0)
        token = np.insert(token, offset[empty], self._special["unk"])  # np.insert takes positions before insertion
        unit = None if unit is None else np.insert(unit, offset[empty], 0)
        offset = np.concatenate([[0], np.cumsum(np.maximum(np.diff(offset), 1))])
        special = sorted({self._special[name] for name in ("cls", "sep") if name in self._special})
        size = self._tokenizer.get_vocab_size(with_added_tokens=True)
        more = {} if unit is None else {UNITS: pa.LargeListArray.from_arrays(offset, unit)}
        pad, mask = self._special["pad"], self._special["mask"]
        table = token_table((offset, token), size, pad, mask, special_tokens=special, **more)
        return TokenSequences(table), {name: int(count) for name, count in counts.items()}

    def _encoded(self, text: pa.Array) -> _Encoded:
        tokenizer, parts = self._fitted(), [_Encoded.of([], self.units)]
        encode = tokenizer.encode_batch if self.units else tokenizer.encode_batch_fast  # which counts no letters
        for start in range(0, len(text), _BLOCK):
            block = text.slice(start, _BLOCK).to_pylist()
            parts.append(_Encoded.of(encode([one.upper() for one in block] if self._upper else block), self.units))
        return _Encoded.joined(parts)

    def _is_own(self, token: np.ndarray) -> np.ndarray:
        """Which tokens are no special ones at the ends. Shape [T] bool."""
        return ~np.isin(token, [self._special[name] for name in ("cls", "sep") if name in self._special])


class _Encoded(NamedTuple):
    """What a tokenizer makes of texts, before anything is put in place of what no sequence may hold.

    Args:
        offset: Where each text's tokens begin. Shape [N + 1] int64
        token: Of all texts in a row. Shape [T] int64
        unit: The word of each, -1: none; None: it is not asked for. Shape [T] int32
        num_cut: Texts that were longer.
    """

    offset: np.ndarray
    token: np.ndarray
    unit: np.ndarray | None
    num_cut: int

    @classmethod
    def of(cls, found: list[Any], units: bool) -> _Encoded:
        rows = [one.ids for one in found]
        offset = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        token = np.fromiter(chain.from_iterable(rows), np.int64, offset[-1])
        words = (-1 if word is None else word for one in found for word in one.word_ids) if units else None
        unit = None if words is None else np.fromiter(words, np.int32, offset[-1])
        return cls(offset, token, unit, sum(bool(one.overflowing) for one in found))

    @classmethod
    def joined(cls, parts: list[_Encoded]) -> _Encoded:
        ends = np.concatenate([[0], *(np.diff(part.offset) for part in parts)]).cumsum(dtype=np.int64)
        units = [part.unit for part in parts if part.unit is not None]
        token = np.concatenate([part.token for part in parts])
        return cls(ends, token, np.concatenate(units) if units else None, sum(part.num_cut for part in parts))


def _versions(*more: str) -> dict[str, str]:
    """Of all that decides what is learned and read."""
    return {"sigraph": __version__, **{name: _version(name) for name in ("tokenizers", *more)}}


def _version(name: str) -> str:
    try:
        return version(name)  # without an import, which may take a second
    except PackageNotFoundError:
        return str(library(name).__version__)


def _checked_train(given: Any) -> dict[str, Any]:
    name = "HuggingFaceTokens"
    if not isinstance(given, Mapping) or not set(given) <= set(_TRAIN):
        raise ValueError(f"'train' needs a mapping of {', '.join(_TRAIN)} in {name!r} (got {shown(given)})")
    found = {**_TRAIN, **given}
    check_choices(name, MODELS, **{"train.model": found["model"]})
    check_integers(name, len(SPECIAL) + 1, **{"train.vocab_size": found["vocab_size"]})
    return found
