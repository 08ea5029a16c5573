"""A checkpoint of transformers with its tokenizer, small enough for tests."""

import json

import torch
from token_cases import TINY_BERT
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

SPECIAL = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4}


def tiny_checkpoint(folder, words):
    """A BERT of two layers, drawn at random, and its tokenizer of whole words, saved as transformers does."""
    known = {**SPECIAL, **{word: 5 + i for i, word in enumerate(sorted(words))}}
    own = Tokenizer(models.WordPiece(known, unk_token="[UNK]"))
    own.normalizer, own.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    own.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    PreTrainedTokenizerFast(tokenizer_object=own, **names).save_pretrained(folder)
    _weights(folder, len(known))


def tiny_letters(folder):
    """The same of amino acids, whose letters alone are listed, as in checkpoints of proteins without a tokenizer."""
    names = ["<s>", "<pad>", "</s>", "<unk>", *"ACDEFGHIKLMNPQRSTVWY", "<mask>"]
    _weights(folder, len(names), pad_token_id=1)
    (folder / "vocab.json").write_text(json.dumps({name: i for i, name in enumerate(names)}))


def _weights(folder, size, **more):
    torch.manual_seed(0)
    settings = {key: value for key, value in TINY_BERT.items() if key != "model_type"}
    BertModel(BertConfig(vocab_size=size, **settings, **more)).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())  # as all-MiniLM-L6-v2 and many others have it
    old = {"gradient_checkpointing": False, "position_embedding_type": "absolute", "of_another_version": 1}
    (folder / "config.json").write_text(json.dumps({**config, **old}))
