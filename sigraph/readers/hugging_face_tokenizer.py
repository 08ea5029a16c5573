"""Tokenizers of Hugging Face's library: that of a checkpoint, one of single letters, one learned from texts."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sigraph.files.atomic import sha256
from sigraph.files.paths import user_path
from sigraph.files.suggestions import fetched_by

MOST_LETTERS = 1000  # that a tokenizer learns to spell with, the commonest
SPECIAL = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}  # of one that is trained
_NEEDED = ("pad", "unk", "mask")
_MODULES, _LIMIT = "modules.json", "sentence_bert_config.json"  # of sentence-transformers
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".h5", ".msgpack", ".onnx", ".ot", ".ckpt")  # endings of files


def content_of(checkpoint: str) -> dict[str, str] | None:
    """What a folder holds besides weights, as the sum of each file; None: there is no such folder."""
    root = user_path(checkpoint)
    if not root.is_dir():
        return None
    files = sorted(one for one in _home(root).iterdir() if one.is_file() and one.suffix not in _WEIGHTS)
    return {one.name: sha256(one) for one in files}


def own_limit(checkpoint: str) -> int | None:
    """Tokens that a folder of sentence-transformers reads at most, as it says itself; None: it says nothing.

    Raises:
        ValueError: What it says is no number of tokens.
    """
    path = _home(user_path(checkpoint)) / _LIMIT
    if not path.is_file():
        return None
    said = _json(path)
    found = said.get("max_seq_length") if isinstance(said, dict) else None
    if found is not None and (isinstance(found, bool) or not isinstance(found, int) or found < 3):
        raise ValueError(
            f"'checkpoint' of 'HuggingFaceTokens': max_seq_length in {path} needs to be an integer >= 3 "
            f"(got {found!r}); say 'max_length' yourself"
        )
    return found


def _home(root: Path) -> Path:
    """Where the transformer of a folder lies: in sentence-transformers' layout perhaps in a folder within."""
    listed = _json(root / _MODULES) if (root / _MODULES).is_file() else []
    for one in listed if isinstance(listed, list) else []:
        if isinstance(one, dict) and str(one.get("type", "")).endswith(".Transformer"):
            place = root / Path(str(one.get("path", ""))).name
            return place if place.is_dir() else root
    return root


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"'checkpoint' of 'HuggingFaceTokens': {path} cannot be read ({error})") from error


def opened(checkpoint: str) -> tuple[Any, dict[str, int]]:
    """The tokenizer of a folder, and its special tokens."""
    name, root = "HuggingFaceTokens", user_path(checkpoint)
    if not root.is_dir():
        raise ValueError(
            f"'checkpoint' needs a folder with a tokenizer in {name!r} (got {str(checkpoint)!r}, which is none); "
            f"nothing is downloaded: fetch it once ({fetched_by(checkpoint)})"
        )
    root = _home(root)
    if not (root / "tokenizer.json").is_file() and not (root / "merges.txt").is_file():
        if (root / "vocab.json").is_file():
            return _of_letters(_numbered(root / "vocab.json"), root / "vocab.json")
        if (root / "vocab.txt").is_file() and not words_of(listed := _lines(root / "vocab.txt")):
            return _of_letters(listed, root / "vocab.txt")
    transformers = library("transformers")
    try:
        loaded = transformers.AutoTokenizer.from_pretrained(
            str(root), local_files_only=True, trust_remote_code=False, use_fast=True
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        what = " ".join(str(error).split())
        raise ValueError(
            f"'checkpoint' {str(root)!r} of {name!r} holds no tokenizer that can be read: {what:.200}{_way(root)}"
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


def _way(root: Path) -> str:
    """What to do where nothing says whose vocabulary it is, as in the folders of the first years."""
    config = root / "config.json"
    if not config.is_file() or not isinstance(said := _json(config), dict) or "model_type" in said:
        return ""
    return f"; {config} names no 'model_type', such as bert: write it there (docs/transformers.md)"


def _numbered(path: Path) -> dict[str, int]:
    """The tokens of a ``vocab.json``."""
    try:
        return {str(token): int(number) for token, number in _json(path).items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"'checkpoint' of 'HuggingFaceTokens': {path} cannot be read ({error})") from error


def _lines(path: Path) -> dict[str, int]:
    """The tokens of a ``vocab.txt``, one a line."""
    try:
        found = path.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise ValueError(f"'checkpoint' of 'HuggingFaceTokens': {path} cannot be read ({error})") from error
    return {token.strip(): number for number, token in enumerate(found) if token.strip()}


def words_of(vocabulary: Mapping[str, int]) -> list[str]:
    """What of a vocabulary is no single letter and no special token."""
    return [token for token in vocabulary if len(token) > 1 and not token.startswith(("<", "["))]


def _of_letters(vocabulary: dict[str, int], path: Path) -> tuple[Any, dict[str, int]]:
    """A vocabulary of single letters, a token each, between ``<s>`` and ``</s>``."""
    library("tokenizers")
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    if words := words_of(vocabulary):
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


def trained(text: list[str], settings: Mapping[str, Any], marked: list[str]) -> tuple[Any, dict[str, int]]:
    """A tokenizer that is learned from texts, the same from the same ones, with BERT's special tokens.

    The library numbers the pieces of words that it begins with in an order that changes from run to run, and breaks
    ties of merges by number. So they are given to it in the order of the alphabet, as if they were special.
    """
    library("tokenizers")
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    special = [*SPECIAL.values(), *marked]
    normalizer = normalizers.BertNormalizer(lowercase=bool(settings["lowercase"]))
    seen: Counter[str] = Counter()
    for line in text:
        seen.update(normalizer.normalize_str(line))
    common = sorted((-count, letter) for letter, count in seen.items() if not letter.isspace())
    letters = sorted(letter for _, letter in common[:MOST_LETTERS])
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


def library(name: str) -> Any:
    """A library of the extra, imported.

    Raises:
        ImportError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"'HuggingFaceTokens' needs {name}: pip install 'sigraph[sequence]'") from error
