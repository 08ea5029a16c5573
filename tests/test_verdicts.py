"""experiments/verdicts.py: the audit's verdict beside what pre-training gave, counted."""

import runpy
import sys
from pathlib import Path

import pytest
import yaml

from sigraph.config import load_config
from sigraph.experiment import run

SCRIPT = Path(__file__).parent.parent / "experiments" / "verdicts.py"


def told(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, words)])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    return capsys.readouterr().out


def test_each_task_and_head_is_a_case_of_the_arm_that_validation_chooses(toy, tmp_path, monkeypatch, capsys):
    toy["finetune"] = [{"task": "block", "head": "knn", "k": 3}, {"task": "size", "head": "linear", "max_epochs": 2}]
    file = tmp_path / "toy.yaml"
    file.write_text(yaml.safe_dump(toy))
    rows = run(load_config(file)).leaderboard().rows()
    capsys.readouterr()
    out = told(monkeypatch, capsys, file, "--runs", toy["output_dir"])
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in out.splitlines() if "toy-exp" in line]
    assert [(row[1], row[2], row[6]) for row in cells] == [("block", "knn", "sipt"), ("size", "linear", "sipt")]
    gains = {row["task"]: (row["difference_low"], row["difference_high"]) for row in rows if row["arm"] == "sipt"}
    for row in cells:
        low, high = (-one for one in gains[row[1]][::-1]) if row[1] == "size" else gains[row[1]]  # mae: lower is better
        outcome = "gain" if low > 0 else "loss" if high < 0 else "nothing certain"
        agree = {"promising": outcome == "gain", "weak": outcome != "gain", "useless": outcome != "gain"}.get(row[5])
        assert row[8:] == [outcome, "–" if agree is None else "yes" if agree else "no"]
    counted = [row[9] for row in cells if row[9] != "–"]
    assert f"agree in {counted.count('yes')} of {len(counted)} cases" in out and cells[0][5] == "promising"


def test_what_is_not_there_is_said(toy, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="there is no such folder"):
        told(monkeypatch, capsys, "any.yaml", "--runs", tmp_path / "nowhere")
