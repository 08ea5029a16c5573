"""`sigraph prepare --halves`: half of the columns make a graph, the others are predicted; leakage and audit know."""

import csv
import json

import pytest
import torch
import yaml

from sigraph.cli import main
from sigraph.data import Card, SampleDataset
from sigraph.tasks import column_halves

NAMES = [f"assay{i}" for i in range(6)]
SETTINGS = {
    "name": "halves",
    "question": "Do labels of other assays help?",
    "seeds": [0],
    "pretrain": {
        "graph": {
            "_target_": "sigraph.graphs.LabelAgreement",
            "labels": "assays-graph",
            "max_differences": 0,
            "allow_label_edges": True,
        },
        "encoder": {"_target_": "sigraph.encoders.MLPEncoder", "hidden_channels": 4, "out_channels": 2},
        "trainer": {"max_epochs": 1, "accelerator": "cpu"},
    },
    "finetune": [{"task": "assays", "head": "linear"}],
    "arms": {"sipt": {}},
    "references": False,
}


@pytest.fixture
def files(tmp_path):
    """Two groups of samples; in each assay most of one group are positive."""
    draw = torch.Generator().manual_seed(0)
    group = torch.arange(80) % 2
    labels = ((group[:, None] == torch.arange(6) % 2) ^ (torch.rand(80, 6, generator=draw) < 0.1)).int()
    x = torch.randn(80, 3, generator=draw)
    for name, columns, rows in (("samples", ["x", "y", "z"], x), ("assays", NAMES, labels)):
        with (tmp_path / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["id", *columns], *([i, *row] for i, row in enumerate(rows.tolist()))])
    return tmp_path


def prepare(files, *more):
    tables = ["--samples", str(files / "samples.csv"), "--task", str(files / "assays.csv")]
    return main(["prepare", *tables, *more])


def test_halves_of_own_tables_are_those_of_column_halves(files, capsys):
    assert prepare(files, "--out", str(files / "whole")) == 0
    assert prepare(files, "--halves", "assays", "--out", str(files / "half")) == 0
    said = capsys.readouterr().out
    assert "task 'assays-graph'  3 of 6 columns of 'assays': assay" in said and "tells no label of assays" in said
    for_graph, rest = column_halves(SampleDataset.open(files / "whole").task())
    found = SampleDataset.open(files / "half", verify=True).tasks
    assert list(found) == ["assays", "assays-graph"]
    for mine, theirs in ((found["assays"], rest), (found["assays-graph"], for_graph)):
        assert mine.classes == theirs.classes and torch.equal(mine.labels, theirs.labels)


def test_a_prepared_data_set_is_halved_into_another(files, capsys):
    assert prepare(files, "--out", str(files / "whole")) == 0
    whole = SampleDataset.open(files / "whole")
    named = SampleDataset(whole.store, tasks=dict(whole.tasks), card=Card("known", licence="free", about="Of old."))
    named.save(files / "known")
    again = ["prepare", str(files / "known"), "--halves", "assays=0.34", "--seed", "1", "--out", str(files / "third")]
    assert main([*again, "--dry-run"]) == 0 and not (files / "third").exists()
    assert main(again) == 0
    found = SampleDataset.open(files / "third", verify=True)
    assert [task.num_outputs for task in found.tasks.values()] == [4, 2] and torch.equal(
        found.fetch(torch.arange(80)), whole.fetch(torch.arange(80))
    )
    assert (found.name, found.card.licence, found.card.tasks["assays-graph"].num_classes) == ("third", "free", 2)
    assert main(again) == 2 and "exists and is not empty" in capsys.readouterr().err


def test_what_cannot_be_halved_is_said(files, capsys):
    assert prepare(files, "--out", str(files / "whole")) == 0
    for asked, reason in (
        (["--halves", "assays"], "needs one data set and --out DIR"),
        (["--halves", "other", "--out", "x"], "unknown task 'other'"),
        (["--halves", "assays=much", "--out", "x"], "TASK=SHARE"),
        (["--halves", "assays=1", "--out", "x"], "'share' needs to be in (0, 1)"),
        (["--halves", "assays", "--halves", "assays=0.3", "--out", "x"], "twice"),
        (["--halves", "assays", "--label", "x", "--out", "x"], "--label needs --samples"),
    ):
        assert main(["prepare", str(files / "whole"), *asked]) == 2
        assert reason in capsys.readouterr().err
    assert main(["prepare", str(files / "whole"), "--halves", "assays", "--out", str(files / "half")]) == 0
    assert main(["prepare", str(files / "half"), "--halves", "assays", "--out", str(files / "more")]) == 2
    assert "would make the task 'assays-graph', which is there" in capsys.readouterr().err


def test_leakage_and_audit_are_silent_of_the_other_half_and_loud_of_the_graphs_own(files, capsys):
    assert prepare(files, "--halves", "assays", "--out", str(files / "half")) == 0
    file = files / "halves.yaml"
    plain = SETTINGS | {"pretrain": SETTINGS["pretrain"] | {"dataset": str(files / "half")}}
    file.write_text(yaml.safe_dump(plain), encoding="utf-8")
    capsys.readouterr()
    verdicts = {}
    for task in ("assays", "assays-graph"):
        assert main(["run", str(file), "--dry-run", f"finetune.0.task={task}"]) == 0
        said = capsys.readouterr()
        assert ("suspicious: LabelAgreement of task" in said.out + said.err) == (task == "assays-graph")
        assert main(["audit", str(file), f"finetune.0.task={task}", "--format", "json"]) == 0
        (row,) = json.loads(capsys.readouterr().out)["rows"]
        verdicts[task] = row["verdict"]
    assert verdicts == {"assays": "promising", "assays-graph": "suspicious"}
