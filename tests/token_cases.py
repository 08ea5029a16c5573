"""Batches of tokens, a tokenizer on disk, and an encoder of them whose embeddings tests can tell."""

import torch
from torch import nn

from sigraph.encoders import Encoding
from sigraph.encoders.token_encoder import TokenEncoder
from sigraph.samples import Tokens

TINY_BERT = {
    "model_type": "bert",
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 16,
}
_SPECIAL = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4}
_NAMES = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}


def tokens_of(sequences: list[list[int]]) -> Tokens:
    """A batch of sequences, as a data set gives it."""
    ptr = torch.tensor([0, *(len(one) for one in sequences)]).cumsum(0)
    return Tokens(torch.tensor([token for one in sequences for token in one], dtype=torch.long), ptr)


def listed(tokens: Tokens) -> list[list[int]]:
    """The sequences of a batch."""
    return [part.tolist() for part in tokens.token.split(tokens.length.tolist())]


def saved(folder, more=(), **names):
    """The tokenizer of a checkpoint in a folder, which knows five words and ``more``; its path."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = {word: 5 + i for i, word in enumerate(["the", "cell", "binds", "a", "receptor", *more])}
    own = Tokenizer(models.WordPiece({**_SPECIAL, **words}, unk_token="[UNK]"))
    own.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    own.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    given = {f"{name}_token": text for name, text in {**_NAMES, **names}.items() if text}
    PreTrainedTokenizerFast(tokenizer_object=own, **given).save_pretrained(folder)
    return str(folder)


class OneHot(TokenEncoder):
    """Which of ten tokens it is, and nothing else."""

    def __init__(self):
        super().__init__(10)
        self.out_channels, self.embedding = 10, nn.Embedding.from_pretrained(torch.eye(10), freeze=False)

    def forward(self, inputs):
        h = self.embedding(inputs.token)
        return Encoding(h[inputs.ptr[:-1]], h, inputs.ptr)
