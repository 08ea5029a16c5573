"""docs/texts.md, proteins.md and tables.md: from files as they stand there to a table and to predictions."""

import csv
import re
import shlex
from pathlib import Path

import pytest
import yaml
from pages import blocks, read

from sigraph.cli import main
from sigraph.config import config_from_dict
from sigraph.running.parts import build_parts

COUNT = 60
KINDS = ("baking", "rails", "stars")
WORDS = {"baking": "flour loaf oven rye", "rails": "train track night station", "stars": "moon orbit dust comet"}
QUICK = ["seeds=[0]", "pretrain.trainer.max_epochs=1", "finetune.1.max_epochs=1", "pretrain.encoder.hidden_channels=8"]


def shown(page):
    """The files that a page shows: its blocks without a language."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", read(page), re.DOTALL | re.MULTILINE)
    return [block.splitlines() for language, block in found if not language]


def write(name, *rows, mark=","):
    with Path(name).open("w", newline="") as file:
        csv.writer(file, delimiter=mark).writerows(rows)


def texts():
    papers, cites, *_ = shown("docs/texts.md")
    own = [("n0", "new", "a loaf of rye"), ("n1", "new", "a comet unheard of")]
    rows = [(f"p{i}", f"about {KINDS[i % 3]}", f"{WORDS[KINDS[i % 3]]} number {i}", KINDS[i % 3]) for i in range(COUNT)]
    write("papers.csv", papers[0].split(","), *rows)
    write("cites.csv", cites[0].split(","), *((f"p{i}", f"p{(i + 3) % COUNT}") for i in range(COUNT)))
    write("new.csv", papers[0].split(",")[:3], *own)


def proteins():
    fasta, edges, terms = shown("docs/proteins.md")
    assert fasta[0].startswith(">sp|P38629|") and "\t" in terms[0]
    letters = [f"MKV{'AGW'[i % 3] * 9}LR{'K' * (i % 5)}" for i in range(COUNT)]
    Path("proteins.fasta").write_text("".join(f">sp|P{i}|N_{i} one\n{s}\n" for i, s in enumerate(letters)))
    Path("interactions.txt").write_text(f"{edges[0]}\n" + "".join(f"P{i} P{i + 3} 900\n" for i in range(COUNT)))
    Path("go.anno").write_text("".join(f"P{i}\tGO:{i % 3},GO:{i % 2 + 5}\n" for i in range(1, COUNT)) + "P999\tGO:1\n")
    Path("new.fasta").write_text(">n0\nMKVAAAAAAAAALR\n>n1\nMKVX*\n")


def table():
    header, *rows = (line.split(",") for line in shown("docs/tables.md")[0])
    made = [
        [f"r{i}", str(20 + i), "NA" if i % 9 == 2 else f"{i % 3}.5", "north" if i % 3 else "south"]
        for i in range(COUNT)
    ]
    made = [[*row, str(i % 4), "ill" if i % 3 else "well"] for i, row in enumerate(made)]
    made[3][1] = ""
    assert all(len(row) == len(header) for row in rows)
    write("patients.csv", header, *made)
    write("new.csv", header[:-1], ["n0", "", "NA", "east", "9"], ["n1", "44", "1.5", "north", "3"])


PAGES = {
    "docs/texts.md": (
        texts,
        ["title     text", "2.0 words a cell", "topic     label"],
        "predicted,p_baking,p_rails,p_stars",
    ),
    "docs/proteins.md": (proteins, ["sequence     protein", "5 terms, each a label", "dropped 1 unknown"], "p_GO:0,"),
    "docs/tables.md": (
        table,
        ["site     category", "ward     category", "in 'glucose', taken for"],
        "predicted,p_ill,p_well",
    ),
}


@pytest.mark.parametrize("page", PAGES)
def test_the_page_runs(page, tmp_path, monkeypatch, capsys):
    files, said, columns = PAGES[page]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "sigraph.commands.init._fit_into", lambda proposal, file, minutes: file.write_text(proposal.text())
    )
    files()
    init, run, *asked = (shlex.split(line)[1:] for line in blocks(read(page), "sh")[0].splitlines())
    assert main(init) == 0
    out = capsys.readouterr().out
    assert [text for text in said if text not in out] == []
    arms = yaml.safe_load(Path(run[1]).read_text())["arms"]
    assert "sipt" in arms and "no-pretraining" in arms
    assert main([*run, *QUICK, "--arm", "sipt"]) == 0
    for command in asked:
        capsys.readouterr()
        (folder,) = tmp_path.glob(command[1])
        assert main([command[0], str(folder), *command[2:]]) == 0
        if command[0] == "predict":
            header, *rows = Path(command[-1]).read_text().splitlines()
            assert columns in header.replace('"', "") and len(rows) == 2
        else:
            assert len(re.findall(r"\bp\d+\b", capsys.readouterr().out)) >= 5


@pytest.mark.parametrize("page", ["docs/texts.md", "docs/proteins.md"])
def test_the_lines_for_the_yaml_are_ones(page):
    pretrain = {"dataset": "mine", "graph": "cites", "encoder": {"_target_": "sigraph.encoders.BagOfWordsEncoder"}}
    lines = [line for block in blocks(read(page), "yaml") for line in block.splitlines()]
    assert lines
    for line in lines:
        tree = {"name": "a", "question": "?", "seeds": [0], "pretrain": {**pretrain, **yaml.safe_load(line)}}
        config_from_dict({**tree, "finetune": [{"task": "t", "head": "linear"}], "arms": {"sipt": {}}})


def test_same_family_prediction_runs_as_the_page_says(tmp_path, monkeypatch, capsys):
    """The lines on families and letters, together in one file."""
    monkeypatch.chdir(tmp_path)
    rows = [
        (f"P{i}", f"MKV{'AGWD'[i % 4] * 9}LR{'K' * (i % 5)}", f"PF{i % 4}" if i % 6 else "", "ab"[i % 3 == 0])
        for i in range(COUNT)
    ]
    write("proteins.csv", ("id", "sequence", "family", "function"), *rows)
    labels = ["--label", "family", "--label", "function"]
    assert main(["prepare", "--samples", "proteins.csv", *labels, "--out", "mine"]) == 0
    lines = [line for block in blocks(read("docs/proteins.md"), "yaml") for line in block.splitlines()]
    pretrain = {
        "dataset": "mine",
        "batch_size": 20,
        "structure_weight": 0.3,
        "trainer": {"max_epochs": 1, "accelerator": "cpu"},
    }
    for line in lines:
        pretrain |= yaml.safe_load(line)
    assert pretrain["graph"]["labels"] == "family" and "MaskedToken" in pretrain["objective"]["_target_"]
    pretrain["encoder"] |= {"out_channels": 8, "num_layers": 1}
    tree = {
        "name": "families",
        "question": "Does it help to know which proteins are of one family?",
        "seeds": [0],
        "pretrain": pretrain,
        "finetune": [{"task": "function", "head": "linear", "max_epochs": 1}],
        "arms": {"sipt": {}, "objective-only": {"pretrain.structure_weight": 0.0}},
        "baseline": "objective-only",
        "references": False,
    }
    Path("families.yaml").write_text(yaml.safe_dump(tree))
    assert main(["run", "families.yaml"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"\| sipt +\| function", out) and "suspicious" not in out and "failed" not in out
    parts = build_parts(config_from_dict(tree).arm("sipt").pretrain, 0)
    family = parts.dataset.task("family")
    seen = set(family.split["train"].tolist())
    ends = parts.graph.edge_index
    assert {int(i) for i in ends.flatten()} <= seen and (family.labels[ends[0]] == family.labels[ends[1]]).all()
    assert parts.graph.group.bincount()[0] == len(seen)  # the others are apart
