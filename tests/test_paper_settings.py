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
from sigraph.running.progress import Progress

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
FILES = [EXPERIMENTS / "proteins" / "tree-of-life.yaml", EXPERIMENTS / "abstracts" / "ogbn-mag.yaml"]
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
def shortened(tmp_path, monkeypatch):
    """Small data sets of a file's names where one stands, and the overrides that name them and take one step."""
    monkeypatch.chdir(tmp_path)

    def made(file):
        config = load_config(file)
        overrides = [f"pretrain.dataset=./{config.pretrain.dataset}"]
        official(config.pretrain.dataset, tmp_path / "raw").save(tmp_path / config.pretrain.dataset)
        for i, entry in enumerate(config.finetune):
            official(entry.dataset, tmp_path / "raw").save(tmp_path / entry.dataset)
            overrides += [f"finetune.{i}.dataset=./{entry.dataset}", f"finetune.{i}.max_epochs=1"]
        return [*overrides, "references=false", "pretrain.num_workers=0", "pretrain.batch_size=60"]

    return made


def test_proteins_from_a_checkpoint_of_letters(shortened):
    vocabulary = [*SPECIAL, *"ACDEFGHIKLMNPQRSTVWYX"]
    torch.manual_seed(0)
    settings = {**TINY_BERT, "max_position_embeddings": 2050}
    BertForMaskedLM(BertConfig(vocab_size=len(vocabulary), pad_token_id=1, **settings)).save_pretrained("MODEL")
    Path("MODEL/vocab.json").write_text(json.dumps({one: i for i, one in enumerate(vocabulary)}))
    words = next(words for words in commands(FILES[0]) if any("MODEL" in word for word in words))
    results = run(load_config(FILES[0], [*words[2:], *shortened(FILES[0])]), only=[("sipt", 0)])
    assert not results.failed, results.failed
    (record,) = results.records
    assert record["pretrain"]["num_steps"] == 1 and len(record["tasks"]) == 5


def test_other_data_sets_are_read_by_the_vocabulary_that_pretraining_learnt(shortened):
    said = []

    class Listens(Progress):
        def say(self, text):
            said.append(text)

    config = "{" + ", ".join(f"{key}: {value}" for key, value in TINY_BERT.items()) + "}"
    made = [
        "pretrain.reader.checkpoint=null",
        "pretrain.reader.train={vocab_size: 60}",
        "pretrain.reader.max_length=16",
    ]
    made += ["pretrain.encoder.checkpoint=null", f"pretrain.encoder.config={config}"]
    made += ["pretrain.trainer.max_epochs=1"]
    settings = load_config(FILES[1], [*made, *shortened(FILES[1])])
    results = run(settings, Listens(), only=[("sipt", 0)])
    assert not results.failed, results.failed
    (record,) = results.records
    assert [f"./{task['dataset']}" for task in record["tasks"]] == [entry.dataset for entry in settings.finetune]
    # No abstract holds a bracket: it is unknown in the others, and no new token.
    notes = [line for line in said if "data set sciie-relations:" in line]
    assert notes and "are not in the vocabulary: read as the unknown one" in notes[0]


def test_the_encoder_of_proteins_has_the_size_of_tape():
    settings = {key: value for key, value in load_config(FILES[0]).pretrain.encoder.items() if key != "_target_"}
    encoder = TransformerEncoder(num_tokens=31, **settings)
    assert 37e6 < sum(parameter.numel() for parameter in encoder.parameters()) < 39e6
