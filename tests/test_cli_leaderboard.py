"""`sigraph leaderboard`, as a user meets it."""

import csv
import io
import json

import pytest
import yaml

from sigraph.cli import main
from sigraph.files.sealed import write_sealed


def record(arm, seed, test, experiment="one", task="topic"):
    score = {"dataset": "toy", "task": task, "head": "knn", "metric": "accuracy", "primary": True, "valid": test}
    return {
        "experiment": experiment,
        "arm": arm,
        "seed": seed,
        "hash": f"{arm}-hash",
        "baseline": "base",
        "baseline_hash": "base-hash",
        "status": "ok",
        "reason": None,
        "data": "d",
        "tasks": [{**score, "test": test, "num_parameters": 3, "seconds": 1.0}],
        "pretrain": {"num_parameters": {"encoder": 10, "other": 2}, "seconds": 2.0},
    }


@pytest.fixture
def runs(tmp_path):
    top = tmp_path / "runs"
    records = [record(arm, seed, 0.5 + 0.1 * (arm == "sipt") + 0.01 * seed**2 * (1 + (arm == "sipt")))
               for arm in ("sipt", "base") for seed in range(3)]  # fmt: skip
    records += [record("sipt", 0, 0.25, "two", "year")]
    for one in records:
        folder = top / one["experiment"] / one["arm"] / one["hash"] / f"seed-{one['seed']}"
        folder.mkdir(parents=True)
        write_sealed(folder / "results.json", one)
    return top


def test_help_has_an_example(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["leaderboard", "--help"])
    assert stop.value.code == 0 and "example:\n  sigraph leaderboard " in capsys.readouterr().out


def test_markdown_of_everything_or_of_one_experiment(runs, capsys):
    assert main(["leaderboard", str(runs)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("| experiment | arm") and "| two " in out and "RRE %" in out
    assert main(["leaderboard", str(runs / "one")]) == 0
    inner = capsys.readouterr().out
    assert main(["leaderboard", str(runs), "--experiment", "one"]) == 0
    assert capsys.readouterr().out == inner and inner.startswith("| arm")
    assert [line.split()[1] for line in inner.splitlines()[2:]] == ["base", "sipt"]


def test_json_csv_and_ogb(runs, capsys):
    assert main(["leaderboard", str(runs), "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["experiment"], row["arm"], row["n"]) for row in rows] == [("one", "base", 3), ("one", "sipt", 3), ("two", "sipt", 1)]  # fmt: skip # noqa: E501
    assert rows[1]["p_value"] < 0.05 and rows[0]["p_value"] is None
    assert main(["leaderboard", str(runs), "--format", "csv", "--task", "year"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["experiment"] == "two" and float(row["test_mean"]) == 0.25
    assert main(["leaderboard", str(runs), "--format", "ogb"]) == 0
    assert len(list(yaml.safe_load_all(capsys.readouterr().out))) == 3


def test_an_unreadable_file_is_a_row_and_a_warning(runs, capsys):
    (runs / "one/sipt/sipt-hash/seed-1/results.json").write_text("{")
    assert main(["leaderboard", str(runs)]) == 0
    captured = capsys.readouterr()
    assert "2 (1 failed)" in captured.out and "one/sipt/sipt-hash/seed-1/results.json" in captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{top}/nowhere"], "nowhere: there is no such folder"),
        (["{top}"], "no results.json below it"),
        (["{runs}", "--experiment", "three"], "there are: one, two"),
        (["{runs}", "--task", "colour"], "there are: topic, year"),
    ],
)
def test_errors_are_one_line(arguments, message, runs, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["leaderboard", *(a.format(runs=runs, top=tmp_path / "empty") for a in arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("sigraph: ") and message in captured.err
    assert captured.out == "" and captured.err.count("\n") == 1
