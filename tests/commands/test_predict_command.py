"""`sigraph predict RUN_FOLDER --samples FILE --out FILE`."""

import json

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import sigraph
from sigraph.cli import main


@pytest.fixture
def new(tmp_path):
    lines = ["code,text", "x1,enzyme tissue of the cell", "x2,price and yield", "x3,"]
    (tmp_path / "new.csv").write_text("\n".join(lines) + "\n")
    return str(tmp_path / "new.csv")


def test_every_form_of_file_says_the_same(text_runs, new, tmp_path, capsys):
    command = ["predict", str(text_runs[0]), "--samples", new, "--out"]
    for name in ("p.parquet", "p.csv", "p.jsonl"):
        assert main([*command, str(tmp_path / name)]) == 0
    said = capsys.readouterr().out
    assert "3 predictions of topic (linear), 3 classes, ids in column 'id'" in said
    assert "1 of 8 words are not in the vocabulary" in said
    table = pq.read_table(tmp_path / "p.parquet")
    assert table.column_names == ["id", "predicted", "p_cells", "p_galaxies", "p_markets", "known"]
    assert table["id"].to_pylist() == ["x1", "x2", "x3"]
    assert pyarrow.csv.read_csv(tmp_path / "p.csv").to_pydict() == table.to_pydict()
    assert [json.loads(line) for line in (tmp_path / "p.jsonl").open()] == table.to_pylist()
    assert sigraph.predict(text_runs[0], new).to_table().equals(table)
    assert main([*command, str(tmp_path / "p.csv")]) == 2 and "--force" in capsys.readouterr().err


def test_the_runs_own_samples_are_found_from_another_folder(text_runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["predict", str(text_runs[0]), "--task", "length", "--out", "p.parquet"]) == 0
    assert pq.read_table("p.parquet")["id"].to_pylist() == [f"p{i}" for i in range(60)]


def test_a_strange_ending_and_no_file_are_said_before_anything_is_read(capsys):
    assert main(["predict", "nowhere", "--out", "p.xlsx"]) == 2
    assert ".parquet, .csv, .jsonl (got 'p.xlsx')" in capsys.readouterr().err
    assert main(["predict", "nowhere"]) == 2 and "--out FILE.parquet" in capsys.readouterr().err
