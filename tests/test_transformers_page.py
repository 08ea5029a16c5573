"""docs/transformers.md runs as it stands there: two files and a checkpoint, which is then gone, to predictions."""

import json
import shlex
import shutil

import pytest
import torch
from pages import blocks, read
from safetensors.torch import load_file
from tiny_checkpoint import tiny_checkpoint
from token_cases import TINY_BERT
from transformers import BertConfig, BertForMaskedLM

import sigraph
from sigraph.cli import main
from sigraph.config import config_from_dict, load_config
from sigraph.machines.devices import has_bf16
from sigraph.proposal.components import FINE_RATE
from sigraph.running.parts import pretrain_hash

PAGE = read("docs/transformers.md")
TOPICS = ["red apple fruit", "blue sky cloud", "green tree leaf"]
PRETRAIN = {
    "dataset": "cane-cora",
    "graph": "citation",
    "sampler": {"_target_": "sigraph.samplers.NeighborPairSampler"},
    "structure_loss": {"_target_": "sigraph.losses.InfoNCELoss"},
    "batch_size": 8,
    "trainer": {"max_epochs": 1},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """papers.csv, cites.csv and a tiny BERT, as the page has them."""
    folder = tmp_path_factory.mktemp("home")
    texts = [f"{TOPICS[i % 3]} word{i % 7} more{i % 5}" for i in range(60)]
    rows = [f"p{i},{text},{'abc'[i % 3]}" for i, text in enumerate(texts)]
    (folder / "papers.csv").write_text("id,text,topic\n" + "\n".join(rows) + "\n")
    edges = [f"p{i},p{(i + 3) % 60}" for i in range(60)]
    (folder / "cites.csv").write_text("source,target\n" + "\n".join(edges) + "\n")
    tiny_checkpoint(folder / "MODEL", {word for text in texts for word in text.split()})
    return folder


def test_the_page_goes_from_two_files_to_predictions(home, capsys, monkeypatch):
    monkeypatch.chdir(home)
    monkeypatch.setattr("sigraph.proposal.budget.MOST_EPOCHS", 2)
    lines = [shlex.split(line)[1:] for line in blocks(PAGE, "sh")[1].splitlines()]
    assert [words[0] for words in lines] == ["init", "run", "predict", "neighbors"]
    assert main(lines[0]) == 0
    config = load_config(home / "papers.yaml")
    assert config.pretrain.reader["checkpoint"] == config.pretrain.encoder["checkpoint"] == "MODEL"
    capsys.readouterr()
    assert main([*lines[1], "finetune.1.max_epochs=1"]) == 0
    table = capsys.readouterr().out
    assert all(f"| {arm} " in table for arm in ("sipt", "no-pretraining", "tf-idf"))
    shutil.move(home / "MODEL", home / "gone")
    (home / "new.csv").write_text("id,text\nn0,red apple fruit\nn1,zebra\n")
    try:
        assert main(lines[2]) == 0 and main(lines[3]) == 0
        exec(next(line for line in PAGE.split("`") if line.startswith("sg.save_sentence")), {"sg": sigraph})
        assert (home / "mine" / "modules.json").is_file()
        tuned = sigraph.save_sentence_transformer("runs/papers", "tuned", task="topic")
        first, second = (load_file(folder / "model.safetensors") for folder in (home / "mine", tuned))
        assert first.keys() == second.keys() and any(not first[name].equal(second[name]) for name in first)
        with pytest.raises(ValueError, match=r"the run has no task 'topics'.*topic"):
            sigraph.save_sentence_transformer("runs/papers", "other", task="topics")
    finally:
        shutil.move(home / "gone", home / "MODEL")
    found = (home / "predictions.csv").read_text().splitlines()
    assert len(found) == 3 and found[0].endswith('"known"') and found[2].endswith(",0")
    record = json.loads(next((home / "runs" / "papers" / "sipt").glob("*/seed-0/results.json")).read_text())
    assert "checkpoint" not in record["pretrain"]["encoder"] and record["pretrain"]["encoder"]["pooling"] == "mean"


def test_a_folder_of_sentence_transformers_is_proposed_without_an_objective(home, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(home)
    folder = shutil.copytree(home / "MODEL", tmp_path / "embeds")
    parts = [("", "Transformer"), ("1_Pooling", "Pooling")]
    modules = [
        {"idx": i, "path": path, "type": f"sentence_transformers.models.{kind}"} for i, (path, kind) in enumerate(parts)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    assert main(["init", "papers.csv", "cites.csv", "--name", "embeds", "--checkpoint", str(folder)]) == 0
    config = load_config(home / "embeds.yaml")
    assert config.pretrain.objective is None and config.pretrain.structure_weight == 1.0
    assert config.baseline == "no-pretraining" and "objective-only" not in config.arms
    assert config.pretrain.optimizer["lr"] < FINE_RATE
    assert "what sipt has to beat" in (home / "embeds.yaml").read_text()
    assert config.pretrain.trainer.precision == ("bf16-mixed" if has_bf16() else "32-true")
    full = config.finetune[1]  # the encoder at the rate of pre-training, the head at one of its own
    assert full.encoder_lr_scale * full.optimizer["lr"] == pytest.approx(config.pretrain.optimizer["lr"])
    arms = [word for arm in ("sipt", "no-pretraining", "rewired-graph") for word in ("--arm", arm)]
    assert (
        main(["run", "embeds.yaml", "seeds=[0]", *arms, "pretrain.trainer.max_epochs=1", "finetune.1.max_epochs=1"])
        == 0
    )
    assert "against no-pretraining" in capsys.readouterr().out


def test_what_a_checkpoint_holds_is_of_the_settings_and_where_it_lies_is_not(home, tmp_path, monkeypatch):
    def hashed(folder):
        encoder = {"_target_": "sigraph.encoders.HuggingFaceEncoder", "checkpoint": str(folder)}
        reader = {"_target_": "sigraph.readers.HuggingFaceTokens", "checkpoint": str(folder)}
        tree = {
            "name": "x",
            "seeds": [0],
            "pretrain": {**PRETRAIN, "encoder": encoder, "reader": reader},
            "arms": {"a": {}},
        }
        return pretrain_hash(config_from_dict(tree).pretrain)

    moved, other = tmp_path / "moved", tmp_path / "other"
    for folder in (moved, other):
        shutil.copytree(home / "MODEL", folder)
    (other / "tokenizer.json").write_text((other / "tokenizer.json").read_text().replace('"sky"', '"ski"'))
    assert hashed(home / "MODEL") == hashed(moved) != hashed(other)


def test_the_python_of_the_page_runs(home, monkeypatch):
    monkeypatch.chdir(home)
    names = {}
    exec(blocks(PAGE, "python")[0], names)
    assert names["z"].shape == (2, 8)


def test_the_lines_for_a_pickle_make_a_folder_of_the_first_years_one_that_opens(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = {key: value for key, value in TINY_BERT.items() if key != "model_type"}
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "rye", "bread", "##s"]
    model = BertForMaskedLM(BertConfig(vocab_size=len(words), **settings))
    folder = tmp_path / "scibert_scivocab_uncased"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    (folder / "config.json").write_text(json.dumps({**settings, "vocab_size": len(words)}))
    torch.save(model.state_dict(), folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match=r"names no 'model_type' in config\.json, .*bert for BERT and SciBERT"):
        sigraph.encoders.HuggingFaceEncoder(len(words), str(folder))
    exec(blocks(PAGE, "python")[1], {})
    encoder = sigraph.encoders.HuggingFaceEncoder(len(words), str(folder), pad_token=0, mask_token=4)
    given = model.bert.embeddings.word_embeddings.weight
    assert torch.equal(encoder.token_embedding.weight, given)
    reader = sigraph.readers.HuggingFaceTokens("text", checkpoint=str(folder))
    dataset = sigraph.SampleDataset(["Rye breads"])
    reader.fit(dataset.records)
    assert dataset.read(reader).fetch(torch.tensor([0])).token.tolist() == [2, 5, 6, 7, 3]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--checkpoint", "nowhere"], "needs a folder with config.json and model.safetensors"),
        (["--checkpoint", "MODEL", "--category", "text"], "--checkpoint needs a column of text or of sequences"),
    ],
)
def test_a_checkpoint_that_reads_nothing_is_refused_before_anything_is_written(home, words, said, capsys, monkeypatch):
    monkeypatch.chdir(home)
    assert main(["init", "papers.csv", "cites.csv", "--name", "other", *words]) == 2
    assert said in capsys.readouterr().err and not (home / "other.yaml").exists()
