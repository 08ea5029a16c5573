"""HuggingFaceTokens: a column of text -> token sequences of a tokenizer of Hugging Face."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np
import pyarrow as pa

from sigraph.files.arguments import check_choices, check_flags, check_integers, shown
from sigraph.files.counted import counted
from sigraph.files.paths import user_path
from sigraph.readers.base import Reader, check_column, first_rows, stated, text_column
from sigraph.samples import TokenSequences, token_table
from sigraph.samples.tokens import UNITS

MODELS = ("wordpiece", "bpe")
MOST_LETTERS = 1000  # that a tokenizer learns to spell with, the commonest
SIDES = ("right", "left")
SPECIAL = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}  # of one that is trained
_NEEDED = ("pad", "unk", "mask")
_TRAIN = {"model": "wordpiece", "vocab_size": 8000, "lowercase": True}


class HuggingFaceTokens(Reader):
    """Tokens of a checkpoint's own tokenizer, or of one trained on the texts of pre-training. Extra ``sequence``.

    Args:
        column: Of text or sequences; or a list of columns that are read as one, such as [title, abstract], with the
            separator between two of them.
        checkpoint: Folder with the tokenizer: ``tokenizer.json``, or a vocabulary that transformers knows; or
            ``vocab.json`` of single letters, as for proteins. Nothing is downloaded and no code in it is run. It is
            opened by :meth:`fit` alone and goes home with the encoder.
        train: ``{model: wordpiece, vocab_size: 8000, lowercase: true}``; ``model`` is ``wordpiece`` or ``bpe``. One of
            ``checkpoint`` and ``train`` is needed. (The library's ``unigram`` learns another vocabulary each time, and
            so do runs that are resumed: train such a one by itself and name its folder.)
        max_length: Tokens of a sequence at most, the special ones counted, >= 3.
        truncate: Which end of a longer sequence is left out: ``right`` or ``left``.
        marked: Texts that stay one token each wherever they stand, such as ["[[", "]]"] around an entity; of a
            checkpoint's tokenizer they need to be in its vocabulary.
        units: Whether each token knows its word, for tasks with a label a word, whose first token is read, and for
            ``MaskedToken(whole_units=True)``. Words are what the tokenizer splits a text into before it looks for
            pieces.

    A text of nothing is its special tokens, or one unknown token where there are none.

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
        max_length: int = 512,
        truncate: str = "right",
        marked: list[str] | None = None,
        units: bool = False,
    ) -> None:
        name = "HuggingFaceTokens"
        check_integers(name, 3, max_length=max_length)
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

    def fit(self, records: pa.Table) -> None:
        self._tokenizer, self._special, self._upper = None, {}, False  # what was learned before teaches nothing
        text = self._texts(records, is_new=False)
        if self.train is not None:
            self._tokenizer, self._special = _trained(text, self.train, self.marked)
        else:
            self._tokenizer, self._special = _opened(str(self.checkpoint))
            words = self._tokenizer.get_vocab()
            self._upper = all(len(one) == 1 or one[0] in "<[" for one in words) and not any(
                len(one) == 1 and one.islower() for one in words
            )
        self._bound()
        unknown = [one for one in self.marked if self._tokenizer.token_to_id(one) is None]
        if unknown:
            raise ValueError(
                f"'marked' names {unknown[0]!r} in 'HuggingFaceTokens', which is no token of {self.checkpoint!r}; add "
                "it to that tokenizer and its model, or train one: train={...}"
            )
        self._tokenizer.add_special_tokens(self.marked)  # else they may be split before they are looked up

    def read(self, records: pa.Table) -> TokenSequences:
        offset, token, unit = self._tokens(records)
        vocabulary = {name: self._special[name] for name in ("pad", "mask")}
        special = sorted({self._special[name] for name in ("cls", "sep") if name in self._special})
        size = self._tokenizer.get_vocab_size(with_added_tokens=True)
        more = {} if unit is None else {UNITS: pa.LargeListArray.from_arrays(offset, unit)}
        return TokenSequences(
            token_table((offset, token), size, vocabulary["pad"], vocabulary["mask"], special_tokens=special, **more)
        )

    def note(self, records: pa.Table) -> str:
        text = self._texts(records, is_new=True)
        found, said = self._encoded(text), []
        cut = np.fromiter((bool(one.overflowing) for one in found), bool, len(found))
        empty = np.fromiter((not one.strip() for one in text), bool, len(text))
        unknown, total = self._unknown(found)
        if unknown.sum():
            said.append(
                f"{int(unknown.sum()):,} of {counted(int(total.sum()), 'token')}, in "
                f"{counted(int((unknown > 0).sum()), 'text')}, are not in the vocabulary: read as the unknown one"
            )
        if cut.any():
            said.append(
                f"{counted(int(cut.sum()), 'text is', 'texts are')} longer than {self.max_length} tokens: cut at the "
                f"{'end' if self.truncate == 'right' else 'beginning'}"
            )
        if empty.any():
            said.append(f"{counted(int(empty.sum()), 'text is', 'texts are')} empty (row {first_rows(empty)})")
        return "; ".join(said)

    def known(self, records: pa.Table) -> np.ndarray:
        """Share of the tokens that are not the unknown one."""
        unknown, total = self._unknown(self._encoded(self._texts(records, is_new=True)))
        return (total - unknown) / np.maximum(total, 1)

    def state(self) -> dict[str, Any]:
        return {"tokenizer": self._fitted().to_str(), "special": self._special, "upper": self._upper}

    def restore(self, state: Mapping[str, Any]) -> None:
        name = "HuggingFaceTokens"
        _library("tokenizers")
        from tokenizers import Tokenizer

        text, special = stated(state, "tokenizer", str, name), stated(state, "special", dict, name)
        self._tokenizer, self._upper = Tokenizer.from_str(text), stated(state, "upper", bool, name)
        self._special = {str(key): int(number) for key, number in special.items()}
        self._bound()

    def _bound(self) -> None:
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self.max_length, direction=self.truncate)

    def token_of(self, name: str) -> str:
        """The text of a special token: ``pad``, ``unk``, ``cls``, ``sep`` or ``mask``."""
        return self._fitted().id_to_token(self._special[name])

    def _fitted(self) -> Any:
        if self._tokenizer is None:
            raise ValueError("'HuggingFaceTokens' needs to be fitted first: fit(records)")
        return self._tokenizer

    def _texts(self, records: pa.Table, is_new: bool) -> list[str]:
        """A text a record; those of several columns with the separator between."""
        parts = [text_column(records, one, "HuggingFaceTokens", is_new).to_pylist() for one in self.wanted]
        if len(parts) == 1:
            return parts[0]
        sep = self._tokenizer.id_to_token(self._special["sep"]) if "sep" in self._special else "\n"
        return [f" {sep} ".join(row) if any(row) else "" for row in zip(*parts, strict=True)]

    def _encoded(self, text: list[str]) -> list[Any]:
        tokenizer = self._fitted()
        return tokenizer.encode_batch([one.upper() for one in text] if self._upper else text)

    def _tokens(self, records: pa.Table) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Where each sequence begins [N + 1], the tokens of all in a row, and the word of each, if it is asked for."""
        found = self._encoded(self._texts(records, is_new=True))
        rows = [one.ids or [self._special["unk"]] for one in found]
        offset = np.cumsum([0, *map(len, rows)])
        token = np.fromiter((id_ for row in rows for id_ in row), np.int64, offset[-1])
        for name in ("pad", "mask"):  # a text may hold "[MASK]"
            token[token == self._special[name]] = self._special["unk"]
        if not self.units:
            return offset, token, None
        words = (word for one in found for word in (one.word_ids or [0]))
        return offset, token, np.fromiter((-1 if word is None else word for word in words), np.int32, offset[-1])

    def _unknown(self, found: list[Any]) -> tuple[np.ndarray, np.ndarray]:
        """Unknown tokens of each text, and tokens in all, special ones left out. [N] both"""
        unk = self._special["unk"]
        special = {self._special[name] for name in ("cls", "sep") if name in self._special}
        total = np.array([sum(id_ not in special for id_ in one.ids) for one in found], int)
        return np.array([one.ids.count(unk) for one in found], int), total


def _checked_train(given: Any) -> dict[str, Any]:
    name = "HuggingFaceTokens"
    if not isinstance(given, Mapping) or not set(given) <= set(_TRAIN):
        raise ValueError(f"'train' needs a mapping of {', '.join(_TRAIN)} in {name!r} (got {shown(given)})")
    found = {**_TRAIN, **given}
    check_choices(name, MODELS, **{"train.model": found["model"]})
    check_integers(name, len(SPECIAL) + 1, **{"train.vocab_size": found["vocab_size"]})
    return found


def _opened(checkpoint: str) -> tuple[Any, dict[str, int]]:
    """The tokenizer of a folder, and its special tokens."""
    name, root = "HuggingFaceTokens", user_path(checkpoint)
    if not root.is_dir():
        raise ValueError(
            f"'checkpoint' needs a folder with a tokenizer in {name!r} (got {str(checkpoint)!r}, which is none); "
            f"nothing is downloaded: fetch it once (hf download {checkpoint} --local-dir DIR)"
        )
    letters = root / "vocab.json"
    if letters.is_file() and not (root / "tokenizer.json").is_file() and not (root / "merges.txt").is_file():
        return _of_letters(letters)
    transformers = _library("transformers")
    try:
        loaded = transformers.AutoTokenizer.from_pretrained(
            str(root), local_files_only=True, trust_remote_code=False, use_fast=True
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        what = " ".join(str(error).split())
        raise ValueError(
            f"'checkpoint' {str(root)!r} of {name!r} holds no tokenizer that can be read: {what:.200}"
        ) from error
    if not getattr(loaded, "is_fast", False):
        raise ValueError(
            f"'checkpoint' {str(root)!r} of {name!r} has a tokenizer without a fast form; save one as tokenizer.json"
        )
    special = {
        key: getattr(loaded, f"{key}_token_id")
        for key in ("pad", "unk", "cls", "sep", "mask", "bos", "eos")
        if getattr(loaded, f"{key}_token_id", None) is not None
    }
    return loaded.backend_tokenizer, _special_of(special, str(root))


def _special_of(found: dict[str, int], where: str) -> dict[str, int]:
    """Special tokens by BERT's names; ``<s>`` and ``</s>`` stand for its [CLS] and [SEP]."""
    found.setdefault("cls", found.get("bos", -1))
    found.setdefault("sep", found.get("eos", -1))
    special = {name: int(found[name]) for name in SPECIAL if found.get(name, -1) >= 0}
    lacking = [name for name in _NEEDED if name not in special]
    if lacking:
        raise ValueError(
            f"the tokenizer of {where!r} has no {lacking[0]} token, which 'HuggingFaceTokens' needs; add one to it and "
            "to its model"
        )
    return special


def _of_letters(path: Path) -> tuple[Any, dict[str, int]]:
    """A vocabulary of single letters, a token each, between ``<s>`` and ``</s>``."""
    _library("tokenizers")
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    try:
        vocabulary = {str(token): int(number) for token, number in json.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"'checkpoint' of 'HuggingFaceTokens': {path} cannot be read ({error})") from error
    words = [token for token in vocabulary if len(token) > 1 and not token.startswith(("<", "["))]
    if words:
        raise ValueError(
            f"'checkpoint' of 'HuggingFaceTokens' has a vocabulary of words ({words[0]!r}) but no rules to split by: "
            f"it needs tokenizer.json, or merges.txt beside {path}"
        )
    named = {"pad": "<pad>", "unk": "<unk>", "mask": "<mask>", "cls": "<s>", "sep": "</s>"}
    if "<cls>" in vocabulary:  # as ESM names them
        named |= {"cls": "<cls>", "sep": "<eos>"}
    special = _special_of({key: vocabulary.get(token, -1) for key, token in named.items()}, str(path.parent))
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(Regex(r"[\s\-.*]+"), "")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    if "cls" in special and "sep" in special:
        ends = [(named["cls"], special["cls"]), (named["sep"], special["sep"])]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{named['cls']} $A {named['sep']}", special_tokens=ends
        )
    return tokenizer, special


def _trained(text: list[str], settings: Mapping[str, Any], marked: list[str]) -> tuple[Any, dict[str, int]]:
    """A tokenizer that is learned from texts, the same from the same ones, with BERT's special tokens.

    The library numbers the pieces of words that it begins with in an order that changes from run to run, and breaks
    ties of merges by number. So they are given to it in the order of the alphabet, as if they were special.
    """
    _library("tokenizers")
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    special = [*SPECIAL.values(), *marked]
    normalizer = normalizers.BertNormalizer(lowercase=bool(settings["lowercase"]))
    seen = Counter(letter for one in text for letter in normalizer.normalize_str(one) if not letter.isspace())
    letters = sorted(sorted(seen, key=lambda letter: (-seen[letter], letter))[:MOST_LETTERS])
    prefix = "##" if settings["model"] == "wordpiece" else ""
    pieces = [*letters, *(prefix + letter for letter in letters if prefix)]
    trainer = trainers.BpeTrainer(
        vocab_size=settings["vocab_size"],
        special_tokens=[*special, *pieces],
        limit_alphabet=len(letters),
        continuing_subword_prefix=prefix,
        show_progress=False,
    )
    learner = Tokenizer(models.BPE(unk_token="[UNK]", continuing_subword_prefix=prefix))
    for one in (learner, tokenizer := Tokenizer(models.BPE())):
        one.normalizer, one.pre_tokenizer = normalizer, pre_tokenizers.BertPreTokenizer()
    learner.train_from_iterator(text, trainer)
    learnt = json.loads(learner.to_str())["model"]
    vocabulary, merges = learnt["vocab"], [tuple(pair) for pair in learnt["merges"]]
    if prefix:
        tokenizer.model = models.WordPiece(vocabulary, unk_token="[UNK]")
    else:
        tokenizer.model = models.BPE(vocabulary, merges, unk_token="[UNK]")
    tokenizer.add_special_tokens(special)
    numbers = {key: vocabulary[token] for key, token in SPECIAL.items()}
    ends = [("[CLS]", numbers["cls"]), ("[SEP]", numbers["sep"])]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return tokenizer, numbers


def _library(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"'HuggingFaceTokens' needs {name}: pip install 'sigraph[sequence]'") from error
