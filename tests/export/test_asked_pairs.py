"""Predictions of pairs: what the run kept of its own test pairs comes out again, new samples beside the run's own."""

import letter_run as letters
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import torch

import sigraph
from sigraph.cli import main
from sigraph.files.sealed import read_sealed
from sigraph.leaderboard.result_files import RESULTS


@pytest.mark.parametrize("number", [0, 1, 3])
def test_own_test_pairs_are_predicted_as_the_record_keeps_them(letter_run, number):
    entry = read_sealed(letter_run / RESULTS)["tasks"][number]
    kept = pq.read_table(letter_run / "predictions" / entry["predictions"]["file"]).to_pydict()
    pairs = pa.table({"a": kept["id_0"], "b": kept["id_1"], "score": kept["item"]})
    found = sigraph.predict(letter_run, None, entry["task"], entry["head"], pairs=pairs)
    table = found.to_table().to_pydict()
    assert table["id_0"] == kept["id_0"] and table["id_1"] == kept["id_1"] and found.ids is None
    names = ["no", "yes"] if entry["task"] == "binds" else ["0", "1"]
    score = torch.tensor([kept["y_pred_0"], kept["y_pred_1"]], dtype=torch.float64).T
    probability = np.array([table[f"p_{name}"] for name in names]).T
    assert np.allclose(probability, score.softmax(dim=1), atol=1e-6)
    assert [str(one) for one in table["predicted"]] == [names[i] for i in score.argmax(dim=1).tolist()]


def test_new_samples_and_the_runs_own_and_what_is_neither(letter_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    own = letters.dataset().records["sequence"].to_pylist()
    (tmp_path / "new.fasta").write_text(f">n0\n{own[3]}\n>n1\n!!!\n")
    (tmp_path / "pairs.csv").write_text("u,v\nq0,q1\nn0,q0\nq0,n0\nn0,n1\nn0,gone\nq3,q0\n")
    command = ["predict", str(letter_run), "--samples", "new.fasta", "--out", "p.csv"]
    assert main(command) == 2 and "say which pairs, --pairs FILE" in capsys.readouterr().err
    assert main([*command, "--pairs", "pairs.csv"]) == 0
    said = capsys.readouterr().out
    assert "6 predictions of binds (linear), 2 classes, pairs of ids in id_0 and id_1" in said
    assert "1 pairs are left empty: 1 ids are no sample's ('gone')" in said and "--task binds --head full" in said
    assert "1 of 6 pairs hold nothing that the run knows" in said and "'n0', 'n1'" in said
    table = pyarrow.csv.read_csv("p.csv").to_pydict()
    assert table["id_0"] == ["q0", "n0", "q0", "n0", "n0", "q3"] and table["id_1"][4] == "gone"
    assert table["p_yes"][1] == table["p_yes"][2] == table["p_yes"][5] != table["p_yes"][0]  # n0 is q3 by another name
    assert table["p_yes"][4] is None and table["known"] == [1, 1, 1, 0, 0, 1]
    (tmp_path / "bare.csv").write_text("q0,q1\nn0,q0\n")  # no row names its columns
    assert main([*command, "--force", "--pairs", "bare.csv"]) == 0
    assert pyarrow.csv.read_csv("p.csv")["p_yes"].to_pylist() == table["p_yes"][:2]
    (tmp_path / "wrong.csv").write_text("u,v\na,b\n")
    assert main([*command, "--force", "--pairs", "wrong.csv"]) == 2
    assert "wrong.csv: no pair has two samples" in capsys.readouterr().err
    assert main([*command, "--force", "--pairs", "pairs.csv", "--task", "first"]) == 2
    assert "leave out --pairs" in capsys.readouterr().err


def test_lists_of_pairs_do_and_nothing_else(letter_run):
    found = sigraph.predict(letter_run, pairs=[("q0", "q1"), ("q1", "q0")])
    assert torch.equal(found.value[0], found.value[1])
    for wrong in (3, [("q0", "q1", "q2")], []):
        with pytest.raises(ValueError, match="two columns of ids, or a list of pairs"):
            sigraph.predict(letter_run, pairs=wrong)


def test_a_task_that_predicts_nothing_by_itself_says_so(letter_run):
    with pytest.raises(ValueError, match=r"'touch' is of contacts, .*load_encoder"):
        sigraph.predict(letter_run, ["ACD"], "touch")
