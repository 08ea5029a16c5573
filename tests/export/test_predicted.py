"""predict: what the run kept of its own test samples comes out again, and new samples need nothing but the folder."""

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import text_run
import torch

import sigraph
from sigraph.files.sealed import read_sealed, write_sealed
from sigraph.leaderboard.result_files import MODELS, RESULTS
from sigraph.readers import WordTokens
from sigraph.readers.base import UnreadableRecordsError


@pytest.fixture
def copied(text_runs, tmp_path):
    """Both seeds in another folder, without anything else of the experiment."""
    shutil.copytree(text_runs[0].parent, tmp_path / "a" / "b" / "hash")
    return [tmp_path / "a" / "b" / "hash" / run.name for run in text_runs]


def entries(run):
    return read_sealed(run / RESULTS)["tasks"]


def best(runs):
    return next(run for run in runs if list((run / MODELS).glob("*.safetensors")))


@pytest.mark.parametrize("number", range(5))
def test_own_test_samples_are_predicted_as_the_record_keeps_them(copied, number):
    run = best(copied)
    entry = entries(run)[number]
    kept = pq.read_table(run / "predictions" / entry["predictions"]["file"]).to_pydict()
    found = sigraph.predict(run, text_run.dataset(), entry["task"], entry["head"]).to_table().to_pydict()
    rows = [found["id"].index(name) for name in kept["id"]]
    columns = [name for name in kept if name.startswith("y_pred")]
    score = torch.tensor([kept[name] for name in columns], dtype=torch.float64).T
    if entry["task"] == "length":
        assert [found["predicted"][row] for row in rows] == pytest.approx(score[:, 0].tolist(), rel=1e-6)
        assert found["predicted"][0] > 900
        return
    names = text_run.TOPICS if entry["task"] == "topic" else ["living", "long"]
    probability = np.array([[found[f"p_{name}"][row] for name in names] for row in rows])
    if entry["task"] == "about":
        assert np.allclose(probability, score.sigmoid(), atol=1e-6) and "predicted" not in found
        return
    assert np.allclose(probability.sum(axis=1), 1)
    chosen = kept["y_pred"] if entry["head"] == "knn" else score.argmax(dim=1).tolist()
    assert [found["predicted"][row] for row in rows] == [text_run.TOPICS[number] for number in chosen]
    if entry["head"] != "knn":
        assert np.allclose(probability, score.softmax(dim=1), atol=1e-6)


def test_new_texts_are_read_by_the_runs_reader_and_what_it_does_not_know_is_counted(copied):
    texts = ["enzyme tissue membrane protein", "zyzzyva quux bond", ""]
    found = sigraph.predict(copied[0], texts, head="linear")
    assert found.head.task == "topic" and found.names == text_run.TOPICS and found.value.shape == (3, 3)
    assert "2 of 7 words are not in the vocabulary" in found.note and "1 text has no word" in found.note
    assert found.known.tolist() == [1, 1 / 3, 0] and "1 of 3 samples hold nothing that the run knows" in found.note
    table = pa.table({"text": texts, "name": ["a", "b", "c"]})
    again = sigraph.predict(copied[0], table.select(["name", "text"]), head="linear")
    assert torch.equal(again.value, found.value) and again.ids.to_pylist() == ["a", "b", "c"]


def test_a_missing_column_names_the_file(copied, tmp_path):
    (tmp_path / "new.csv").write_text("id,texts\na,enzyme\n")
    with pytest.raises(
        ValueError, match=r"new.csv has no column 'text' \(did you mean 'texts'\?\), which the run reads"
    ):
        sigraph.predict(copied[0], tmp_path / "new.csv")


class Picky(WordTokens):
    """Cannot read texts with a question mark."""

    def read(self, records):
        odd = np.array(["?" in text for text in records[self.column].to_pylist()])
        if odd.any():
            raise UnreadableRecordsError("questions", np.flatnonzero(odd), ["why?"])
        return super().read(records)


def test_what_the_reader_cannot_read_is_left_empty_in_its_row(copied, monkeypatch):
    texts = ["enzyme tissue", "why?", "price bond yield", "how?"]
    whole = sigraph.predict(copied[0], [texts[0], texts[2]], head="linear").to_table().to_pydict()
    monkeypatch.setattr("sigraph.export.samples.load_reader", lambda folder: picky(copied[0]))
    found = sigraph.predict(copied[0], texts, head="linear")
    table = found.to_table().to_pydict()
    assert table["predicted"] == [whole["predicted"][0], None, whole["predicted"][1], None]
    assert table["p_cells"] == [whole["p_cells"][0], None, whole["p_cells"][1], None] and table["known"][1] == 0
    assert "2 of 4 samples cannot be read, such as 'why?', and are left empty: 1, 3" in found.note
    assert "nothing that the run knows" not in found.note
    with pytest.raises(ValueError, match="the table: questions"):
        sigraph.predict(copied[0], ["a?"])


def picky(run):
    reader = Picky(min_count=1)
    reader.restore(sigraph.load_reader(run).state())
    return reader


def test_what_is_not_there_is_said_with_the_way_to_it(copied):
    other = next(run for run in copied if run != best(copied))
    with pytest.raises(ValueError, match=r"no task 'topics' \(did you mean 'topic'\?\); it has: topic, about, length"):
        sigraph.predict(copied[0], ["a"], task="topics")
    with pytest.raises(ValueError, match=r"has no head 'full'; choose one by --head: linear \(about-linear-"):
        sigraph.predict(copied[0], ["a"], task="about", head="full")
    with pytest.raises(ValueError, match=rf"predict from .*{best(copied).name}, or run .* save_models=all"):
        sigraph.predict(other, ["a"], head="full")
    (model,) = (best(copied) / MODELS).iterdir()
    model.write_bytes(model.read_bytes()[:-1] + b"\x00\x00")
    with pytest.raises(ValueError, match="damaged"):
        sigraph.predict(best(copied), ["a"], head="full")


def test_a_run_from_before_heads_says_what_to_remove(copied):
    record = read_sealed(copied[0] / RESULTS)
    del record["tasks"][0]["trained_head"]
    write_sealed(copied[0] / RESULTS, record)
    file = f"_pretrain/{record['pretrain']['settings']}/seed-0/finetune/topic-linear-{record['tasks'][0]['settings']}"
    with pytest.raises(ValueError, match=f"before heads were kept; remove .*{file}.json and run the experiment again"):
        sigraph.predict(copied[0], ["a"])
