"""Runs whose samples a reader read: what is compared, said and found is that of the records."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from sigraph.cli import main
from sigraph.config import ConfigError, config_from_dict
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.experiment import run
from sigraph.running.plan import plan
from sigraph.running.progress import Progress
from sigraph.running.reading import read_alike, read_for_pretraining
from sigraph.running.run_one import run_folder
from sigraph.tasks import Task


@pytest.fixture
def texts() -> SampleDataset:
    ids = torch.arange(40)
    words = [f"{'even' if i % 2 == 0 else 'odd'} number {'abcdefgh'[i % 8]}" for i in range(40)]
    split = {"train": ids[:20], "valid": ids[20:30], "test": ids[30:]}
    graph = PretrainGraph(torch.stack([ids[:-2], ids[2:]]), 40)
    table = pa.table({"text": words, "number": [float(i) for i in range(40)]})
    return SampleDataset(table, {"near": graph}, {"parity": Task("parity", ids % 2, split)}, name="texts")


@pytest.fixture
def settings(texts, toy, tmp_path):
    texts.save(tmp_path / "texts")
    toy["pretrain"] |= {
        "dataset": str(tmp_path / "texts"),
        "graph": "near",
        "reader": {"_target_": "sigraph.readers.WordTokens", "min_count": 1},
        "encoder": {"_target_": "sigraph.encoders.BagOfWordsEncoder", "hidden_channels": 4, "out_channels": 3},
        "objective": None,
        "structure_weight": 1.0,
    }
    toy["finetune"] = [{"task": "parity", "head": "linear", "max_epochs": 2}]
    toy["arms"] = {
        "sipt": {},
        "inductive": {"pretrain.inductive": True},
        "rare-words": {"pretrain.reader.min_count": 9},
    }
    return toy | {"seeds": [0, 1], "baseline": "sipt"}


def test_arms_with_other_readers_and_inductive_ones_are_compared(settings):
    results = run(config_from_dict(settings))
    assert not results.failed
    assert {record["data"] for record in results.records} == {
        SampleDataset.open(settings["pretrain"]["dataset"]).fingerprint
    }
    for record in results.records:
        assert record["pretrain"]["reader"]["_target_"].endswith("WordTokens")
        assert all(task["data"] == task["pretrain_data"] for task in record["tasks"])
    table = results.leaderboard().table()
    assert "not compared" not in table and "| inductive " in table


def test_a_graph_of_labels_stays_suspicious(settings):
    graph = {"_target_": "sigraph.graphs.LabelCliques", "labels": "parity", "allow_label_edges": True}
    settings["pretrain"]["graph"] = graph
    settings |= {"arms": {"sipt": {}}, "seeds": [0]}
    results = run(config_from_dict(settings))
    assert "suspicious" in results.leaderboard().table()
    assert results.records[0]["tasks"][0]["leakage"]["label_edges"]


def test_embed_needs_no_word_and_what_is_unknown_is_said(settings, tmp_path, capsys):
    said = []

    settings |= {"arms": {"sipt": {"pretrain.reader.min_count": 9}}, "seeds": [0]}

    class Listens(Progress):
        def say(self, text):
            said.append(text)

    config = config_from_dict(settings)
    run(config, Listens())
    assert any("words are not in the vocabulary" in line for line in said)
    folder = run_folder(config, config.arm("sipt"), 0)
    assert main(["embed", str(folder), "--out", str(tmp_path / "z.npy")]) == 0
    (tmp_path / "new.csv").write_text("id,text,number\na,even number a,1\nb,,2\n")
    command = ["embed", str(folder), "--dataset", str(tmp_path / "new.csv"), "--out", str(tmp_path / "new.npy")]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "1 text has no word" in out and "records, since" not in out
    z = np.load(tmp_path / "new.npy")
    for lines in (["text", "even number a", "odd", "even number a"], ["text,number", "even number a,1", "b,2", "b,2"]):
        (tmp_path / "more.csv").write_text("\n".join(lines))  # what is read is no id, and may repeat
        command = ["embed", str(folder), "--dataset", str(tmp_path / "more.csv"), "--force"]
        assert main([*command, "--out", str(tmp_path / "more.parquet")]) == 0
        found = pq.read_table(tmp_path / "more.parquet")
        assert found["id"].to_pylist() == [0, 1, 2]
        assert [found[f"z{i}"][0].as_py() for i in range(z.shape[1])] == pytest.approx(z[0].tolist(), abs=1e-6)


def test_what_cannot_be_read_is_named(texts):
    rows = SampleDataset(torch.ones(4, 2), name="rows")
    words = {"_target_": "sigraph.readers.WordTokens", "column": "txt"}
    with pytest.raises(ConfigError, match=r"pretrain.reader: .*'txt' .*is not in the records .*'text'"):
        read_for_pretraining(texts, words, None)
    with pytest.raises(ConfigError, match=r"needs records, but the samples .* are rows of 2 features; leave"):
        read_for_pretraining(rows, words, None)
    read = read_for_pretraining(texts, {**words, "column": "text"}, torch.arange(10))
    with pytest.raises(ConfigError, match="data set 'rows': 'WordTokens' needs records"):
        read_alike(rows, read)
    assert read_alike(rows, texts) is rows and read.fingerprint == texts.fingerprint
    assert read_for_pretraining(texts, {**words, "column": "text"}, torch.arange(10)) is read
    copy = SampleDataset(texts.samples, texts.graphs, texts.tasks, name="copy")
    assert copy.fingerprint == texts.fingerprint
    assert read_for_pretraining(copy, {**words, "column": "text"}, torch.arange(10)).name == "copy"


@pytest.mark.parametrize("joint", [False, True])
def test_whole_words_without_a_reader_that_says_them_are_refused_before_anything_trains(joint, settings):
    objective = {"_target_": "sigraph.objectives.MaskedToken", "whole_units": True}
    if joint:
        plain = {"_target_": "sigraph.objectives.MaskedToken", "mask_rate": 0.1}
        objective = {"_target_": "sigraph.objectives.JointObjective", "objectives": [plain, objective]}
    settings["pretrain"] |= {"objective": objective, "structure_weight": 0.5}
    settings |= {"arms": {"sipt": {}}, "seeds": [0]}
    for way in (run, plan):
        with pytest.raises(
            ConfigError, match=r"pretrain\.objective: 'whole_units' needs .*HuggingFaceTokens\(units=True\)"
        ):
            way(config_from_dict(settings))
    reader = {"_target_": "sigraph.readers.HuggingFaceTokens", "train": {"vocab_size": 40}, "units": True}
    settings["pretrain"]["reader"] = reader
    if not joint:
        assert not run(config_from_dict(settings)).failed
