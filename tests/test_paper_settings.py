"""The files of the paper's full settings: what their comments say runs, and their encoders are of the size they say."""

import json
import re
import shlex
from pathlib import Path

import pytest
import torch
from official_files import official
from token_cases import TINY_BERT
from transformers import BertConfig, BertForMaskedLM

from sigraph.cli import _parser
from sigraph.config import load_config
from sigraph.encoders import TransformerEncoder
from sigraph.experiment import run

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
FILES = [EXPERIMENTS / "proteins" / "tree-of-life.yaml"]
SPECIAL = ["<cls>", "<pad>", "<eos>", "<unk>", "<mask>"]


def commands(file):
    """The commands of a file's comment, a list of words each."""
    said = re.sub(r"\\\n#", "", "".join(line for line in file.open() if line.startswith("#")))
    return [shlex.split(one, comments=True)[1:] for one in re.findall(r"(?m)^#\s+(sigraph run .*)$", said)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_commands_of_the_comment_are_understood(file):
    found = commands(file)
    assert len(found) > 3
    for words in found:
        given = _parser().parse_args(words)
        assert (EXPERIMENTS.parent / given.file).samefile(file)
        load_config(file, given.overrides)


@pytest.fixture
def proteins(tmp_path, monkeypatch):
    """Small data sets of the file's names where one stands, and the overrides that name them."""
    monkeypatch.chdir(tmp_path)
    config, overrides = load_config(FILES[0]), ["pretrain.dataset=./tree-of-life"]
    official("tree-of-life", tmp_path / "raw").save(tmp_path / "tree-of-life")
    for i, entry in enumerate(config.finetune):
        official(entry.dataset, tmp_path / "raw").save(tmp_path / entry.dataset)
        overrides.append(f"finetune.{i}.dataset=./{entry.dataset}")
    short = [f"finetune.{i}.max_epochs=1" for i in range(len(config.finetune))]
    return [*overrides, *short, "references=false", "pretrain.num_workers=0", "pretrain.batch_size=60"]


def test_proteins_from_a_checkpoint_of_letters(proteins, tmp_path):
    vocabulary = [*SPECIAL, *"ACDEFGHIKLMNPQRSTVWYX"]
    torch.manual_seed(0)
    settings = {**TINY_BERT, "max_position_embeddings": 2050}
    BertForMaskedLM(BertConfig(vocab_size=len(vocabulary), pad_token_id=1, **settings)).save_pretrained("MODEL")
    Path("MODEL/vocab.json").write_text(json.dumps({one: i for i, one in enumerate(vocabulary)}))
    words = next(words for words in commands(FILES[0]) if any("MODEL" in word for word in words))
    results = run(load_config(FILES[0], [*words[2:], *proteins]), only=[("sipt", 0)])
    assert not results.failed, results.failed
    (record,) = results.records
    assert record["pretrain"]["num_steps"] == 1 and len(record["tasks"]) == 5


def test_the_encoder_of_proteins_has_the_size_of_tape():
    settings = {key: value for key, value in load_config(FILES[0]).pretrain.encoder.items() if key != "_target_"}
    encoder = TransformerEncoder(num_tokens=31, **settings)
    assert 37e6 < sum(parameter.numel() for parameter in encoder.parameters()) < 39e6
