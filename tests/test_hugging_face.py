"""A tokenizer and a BERT of Hugging Face through the contracts as they are: ids, masks, one file for the encoder."""

import pytest
import torch
import yaml
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

import sigraph
from sigraph.cli import main
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.objectives import MaskedToken
from sigraph.samples import token_table
from sigraph.tasks import Task

WORDS = ["the", "cell", "binds", "a", "receptor", "star", "moves", "around", "galaxy", "##s"]
TEXTS = ["the cell binds a receptor", "a star moves around the galaxy", "cells", "the stars", "receptors", "galaxy"]
ENCODER = '''
"""BERT, as Hugging Face has it, from a configuration: nothing is downloaded."""
from transformers import BertConfig, BertModel
from sigraph.encoders import Encoder, Encoding

class Bert(Encoder):
    """BERT with the mean of its tokens.

    Args:
        num_tokens: Filled from the samples.
        pad_token: Likewise.
        out_channels: D.
    """
    def __init__(self, num_tokens: int, pad_token: int, out_channels: int = 16):
        super().__init__()
        self.out_channels = out_channels
        sizes = {"hidden_size": out_channels, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
        self.bert = BertModel(BertConfig(vocab_size=num_tokens, pad_token_id=pad_token, **sizes))
    def forward(self, inputs):
        token, is_real = inputs.padded()
        state = self.bert(input_ids=token, attention_mask=is_real.long()).last_hidden_state
        mean = state.masked_fill(~is_real[..., None], 0).sum(dim=1) / inputs.length[:, None]
        return Encoding(mean, state[is_real], inputs.ptr)
'''


@pytest.fixture(scope="module")
def tokenizer():
    """WordPiece with BERT's own ids of padding, [UNK], [CLS], [SEP] and [MASK]."""
    special = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103}
    vocabulary = special | {word: 104 + i for i, word in enumerate(WORDS)}
    own = Tokenizer(models.WordPiece(vocabulary | {f"[unused{i}]": i for i in range(1, 100)}, unk_token="[UNK]"))
    own.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("[CLS]", 101), ("[SEP]", 102)]
    own.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    return PreTrainedTokenizerFast(tokenizer_object=own, **{f"{name}_token": text for name, text in names.items()})


def tokens_of(tokenizer, texts):
    ends = [tokenizer.cls_token_id, tokenizer.sep_token_id]
    ids = tokenizer(texts)["input_ids"]
    return token_table(ids, len(tokenizer), tokenizer.pad_token_id, tokenizer.mask_token_id, ends)


@pytest.fixture
def bert():
    names = {}
    exec(ENCODER, names)
    torch.manual_seed(0)
    return names["Bert"](114, 0).eval()


def test_a_batch_is_what_the_tokenizer_pads(tokenizer):
    dataset = SampleDataset(tokens_of(tokenizer, TEXTS))
    needed = tokenizer(TEXTS, padding=True, return_tensors="pt", return_special_tokens_mask=True)
    batch = dataset.fetch(torch.arange(len(TEXTS)))
    token, is_real = batch.padded()
    assert torch.equal(token, needed["input_ids"]) and dict(dataset.sizes) == {
        "num_tokens": 114,
        "pad_token": 0,
        "mask_token": 103,
        "max_length": 8,
    }
    assert torch.equal(is_real, needed["attention_mask"].bool())
    assert torch.equal(batch.is_special, needed["special_tokens_mask"].bool()[is_real])


def test_words_are_hidden_by_its_mask_and_its_ends_never(tokenizer):
    batch = SampleDataset(tokens_of(tokenizer, TEXTS)).fetch(torch.arange(len(TEXTS)))
    objective = MaskedToken(114, 16, mask_rate=0.6, hide_rate=1.0, random_rate=0.0, pad_token=0, mask_token=103)
    hidden, target = objective.corrupt(batch, torch.arange(len(TEXTS)), len(TEXTS), torch.Generator().manual_seed(0))
    changed = hidden.token != batch.token
    assert (hidden.token[changed] == 103).all() and changed.sum() == len(target.token) > len(TEXTS)
    assert not (changed & batch.is_special).any() and (target.token >= 104).all()


def test_bert_reads_a_sample_alike_alone_and_among_longer_ones(tokenizer, bert):
    dataset = SampleDataset(tokens_of(tokenizer, TEXTS))
    whole = bert(dataset.fetch(torch.arange(len(TEXTS))))
    alone = [bert(dataset.fetch(torch.tensor([i]))) for i in range(len(TEXTS))]
    assert torch.allclose(whole.z, torch.cat([one.z for one in alone]), atol=1e-5)
    assert torch.allclose(whole.h, torch.cat([one.h for one in alone]), atol=1e-5)


def test_bert_is_pre_trained_from_a_yaml_and_comes_home(tokenizer, tmp_path, capsys):
    texts, ids = [TEXTS[i % 2] if i % 3 else TEXTS[2 + i % 4] for i in range(40)], torch.arange(40)
    split = {"train": ids[:20], "valid": ids[20:30], "test": ids[30:]}
    graph = PretrainGraph(torch.stack([ids[:-2], ids[2:]]), 40)
    task = Task("half", ids % 2, split)
    SampleDataset(tokens_of(tokenizer, texts), {"alike": graph}, {"half": task}, name="t").save(tmp_path / "t")
    (tmp_path / "own_bert.py").write_text(ENCODER)
    tree = {
        "name": "own",
        "seeds": [0],
        "pretrain": {
            "dataset": str(tmp_path / "t"),
            "graph": "alike",
            "encoder": {"_target_": "own_bert.Bert"},
            "objective": {"_target_": "sigraph.objectives.MaskedToken"},
            "batch_size": 20,
            "trainer": {"max_epochs": 1, "accelerator": "cpu"},
        },
        "finetune": [{"task": "half", "head": "full", "max_epochs": 2}],
        "arms": {"sipt": {}},
        "output_dir": str(tmp_path / "runs"),
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(tree))
    assert main(["run", str(tmp_path / "own.yaml")]) == 0 and "| sipt " in capsys.readouterr().out
    folder = next((tmp_path / "runs").glob("own/sipt/*/seed-0"))
    home = sigraph.load_encoder(folder, trust=["own_bert"])
    assert home.bert.config.vocab_size == 114 and home.bert.config.pad_token_id == 0
    z = sigraph.embed(home, SampleDataset(tokens_of(tokenizer, ["the cell", "an unknown word"])))
    assert z.shape == (2, 16) and z.isfinite().all()
