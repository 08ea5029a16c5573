"""`sigraph neighbors RUN_FOLDER --query ID|TEXT -k 10`."""

import text_run
import torch

import sigraph
from sigraph.cli import main


def rows(text):
    """Ids and similarities below each query."""
    found = []
    for line in text.splitlines():
        if line.startswith("  "):
            found[-1].append(line.split()[:2])
        elif ": nearest by" in line:
            found.append([])
    return found


def test_ids_and_texts_have_the_neighbours_that_all_pairs_give(text_runs, capsys):
    dataset = text_run.dataset()
    z = sigraph.embed(sigraph.load_encoder(text_runs[0]), dataset.read(sigraph.load_reader(text_runs[0])))
    z = torch.nn.functional.normalize(z, dim=1)
    text = dataset.records["text"][7].as_py()
    assert main(["neighbors", str(text_runs[0]), "--query", "p7", "--query", text, "-k", "4"]) == 0
    by_id, by_text = rows(capsys.readouterr().out)
    close = z @ z[7]
    assert by_text[0][0] == "p7" and abs(float(by_text[0][1]) - 1) < 1e-4
    close[7] = -2
    value, index = close.topk(4)
    assert [row[0] for row in by_id] == [f"p{i}" for i in index.tolist()] and "p7" not in [row[0] for row in by_id]
    assert all(abs(float(row[1]) - want) < 1e-4 for row, want in zip(by_id, value.tolist(), strict=True))


def test_among_new_samples_and_unknown_words(text_runs, tmp_path, capsys):
    (tmp_path / "new.csv").write_text("id,text\na,star orbit redshift\nb,price bond\nc,enzyme\n")
    command = ["neighbors", str(text_runs[0]), "--samples", str(tmp_path / "new.csv"), "-k", "2", "--query"]
    assert main([*command, "orbit zyzzyva"]) == 0
    out = capsys.readouterr().out
    assert "queries: (1 of 2 words are not in the vocabulary" in out and len(rows(out)[0]) == 2
    assert main([*command, "zyzzyva", "--query", "orbit"]) == 0  # of the first nothing is known: nothing is near it
    out = capsys.readouterr().out
    assert "'zyzzyva': no sample's id, and holds nothing that the run knows" in out and len(rows(out)) == 1
    assert main([*command, "a"]) == 0 and {row[0] for row in rows(capsys.readouterr().out)[0]} == {"b", "c"}
    assert main([*command[:-1], "-k", "9", "--query", "a"]) == 2
    assert "'k' needs to be in [1, 2]" in capsys.readouterr().err
    assert main([*command[:-1], "-k", "0", "--query", "a"]) == 2
    assert "-k needs to be at least 1 (got 0)" in capsys.readouterr().err
