"""docs/predictions.md runs as it stands there, on runs of texts and of sequences."""

import contextlib
import io
import shlex
import shutil

import pyarrow.csv
import pyarrow.parquet as pq
from pages import blocks, read

from sigraph.cli import main

PAGE = read("docs/predictions.md")


def test_the_page_runs(text_runs, letter_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for run in (*text_runs, letter_run):
        shutil.copytree(run.parents[2], tmp_path / "runs" / run.parents[2].name, dirs_exist_ok=True)
    shutil.copytree(letter_run.parents[4] / "letters", tmp_path / "letters")
    (tmp_path / "new.csv").write_text("id,text\nn0,an enzyme\nn1,zyzzyva\n")
    (tmp_path / "new.fasta").write_text(">n0\nACDEF\n>n1\nVWYTS\n")
    (tmp_path / "pairs.csv").write_text("source,target\nn0,n1\nn1,q1\n")
    for line in "".join(blocks(PAGE, "sh")).splitlines():
        assert main(shlex.split(line)[1:]) == 0
    assert pyarrow.csv.read_csv("topics.csv")["known"].to_pylist() == [0.5, 0.0]
    assert len(pq.read_table("z.parquet")) == 2
    assert pyarrow.csv.read_csv("binds.csv").column_names == ["id_0", "id_1", "predicted", "p_no", "p_yes", "known"]
    assert pyarrow.csv.read_csv("residues.csv")["position"].to_pylist() == [*range(5), *range(5)]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(blocks(PAGE, "python")[0], {})
    assert "p_yes" in said.getvalue()
