"""`--check`: what runs break, and where a file of entries says otherwise than its runs."""

import numpy as np
import pytest
import yaml
from ogb_runs import NAME, record, task, ten, write

from sigraph.cli import main
from sigraph.leaderboard import Leaderboard


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGRAPH_DATA", str(tmp_path / "data"))
    tried = [{"settings": {"finetune.optimizer.lr": lr}, "valid": valid} for lr, valid in ((0.01, 0.5), (0.001, 0.7))]
    grid = {"chosen": {"finetune.optimizer.lr": 0.001}, "tried": tried}
    return write(tmp_path / "runs", ten(grid=grid))


def check(runs, *file):
    return main(["leaderboard", str(runs), "--format", "ogb", "--task", NAME, "--check", *map(str, file)])


def entry(runs, capsys):
    assert main(["leaderboard", str(runs), "--format", "ogb", "--task", NAME]) == 0
    return capsys.readouterr().out


def test_runs_that_break_no_rule_are_an_entry(runs, capsys):
    assert check(runs) == 0
    out = capsys.readouterr().out
    assert f"task {NAME}, head full: an entry; to be filled in before it is sent: Contact, Code, Paper" in out


def test_the_record_says_all_that_runs_know(runs, capsys):
    form = yaml.safe_load(entry(runs, capsys))
    test = [one.tasks[0].test for one in Leaderboard.from_folder(runs)._records]
    assert (
        form["Test performance"] == f"{np.mean(test):.4f} ± {np.std(test, ddof=1):.4f} (rocauc, 10 seeds, unbiased std)"
    )
    assert form["#Params"] == "1,025" and form["OGB version"] == "1.3.6"
    assert form["Tuned hyper-parameters"].startswith("finetune.optimizer.lr: [0.01, 0.001*]")
    assert form["Hardware"] == "cpu, 1 threads; TO BE FILLED IN: which CPU"
    assert form["Runs"]["commands"] == ["sigraph run experiments/ogb/ogbg-molbace.yaml"]
    assert form["Runs"]["commit"].startswith("0123") and form["Runs"]["seeds"] == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"


def test_broken_rules_are_named_and_fail(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SIGRAPH_DATA", str(tmp_path / "data"))
    runs = write(tmp_path / "runs", ten()[:3])
    assert check(runs) == 1
    out = capsys.readouterr().out
    assert "head full: refused\n  ten-seeds: n = 3 seeds; OGB asks for 10\n" in out


def test_a_file_as_written_and_filled_in_passes(runs, tmp_path, capsys):
    file = tmp_path / "entry.yaml"
    file.write_text(text := entry(runs, capsys))
    assert check(runs, file) == 0 and "to be filled in before it is sent" in capsys.readouterr().out
    form = yaml.safe_load(text)
    form |= {"Contact": "A B, a@b.c", "Code": "https://example.org", "Paper": "arXiv", "Officiality": "official"}
    form["Hardware"] = "one thread of a Xeon"
    file.write_text(yaml.safe_dump(form))
    assert check(runs, file) == 0 and capsys.readouterr().out.endswith("head full: an entry\n")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("Test performance", "0.9900 ± 0.0001 (rocauc, 10 seeds, unbiased std)", "as-the-runs-say: 'Test performance'"),
        ("#Params", "10", "as-the-runs-say: '#Params'"),
        ("Tuned hyper-parameters", "none", "as-the-runs-say: 'Tuned hyper-parameters' needs"),
        ("External data", "perhaps", "external-data-named: 'External data' needs to begin"),
        ("External data", "Yes: PubChem", "external-data-named: the method's name"),
        ("Runs", {"from": "nowhere"}, "as-the-runs-say: 'Runs', 'from', names none"),
        ("More", "x", "as-the-runs-say: 'More' is no field"),
    ],
)
def test_a_file_that_says_otherwise_is_refused(runs, tmp_path, capsys, field, value, said):
    form = yaml.safe_load(entry(runs, capsys))
    (tmp_path / "entry.yaml").write_text(yaml.safe_dump({**form, field: value}))
    assert check(runs, tmp_path / "entry.yaml") == 1
    assert said in capsys.readouterr().out


def test_a_checkpoint_has_to_stand_in_the_file(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SIGRAPH_DATA", str(tmp_path / "data"))
    encoder = {"_target_": "sigraph.encoders.GraphEncoder", "checkpoint": "gcn.pth"}
    runs = write(tmp_path / "runs", ten(pretrain={"encoder": encoder}))
    form = yaml.safe_load(entry(runs, capsys))
    assert form["Method name"] == "sipt (checkpoint gcn.pth)"
    (tmp_path / "entry.yaml").write_text(yaml.safe_dump({**form, "External data": "No"}))
    assert check(runs, tmp_path / "entry.yaml") == 1
    assert "external-data-named: 'External data' is 'Yes: checkpoint gcn.pth' by the runs" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "[1, 2]", "a: [", "a: &x [1]\nb: &y [*x,*x]\nc: [*y,*y]\n" * 3, "\x00"])
def test_a_file_that_holds_no_entries_is_said(runs, tmp_path, capsys, text):
    (tmp_path / "entry.yaml").write_text(text)
    assert check(runs, tmp_path / "entry.yaml") == 2
    assert "entry.yaml" in capsys.readouterr().err


def test_check_needs_the_form(runs, capsys):
    assert main(["leaderboard", str(runs), "--check"]) == 2
    assert "add --format ogb" in capsys.readouterr().err


def test_a_head_chosen_by_test_is_refused_in_a_file(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SIGRAPH_DATA", str(tmp_path / "data"))
    records = [record(seed, task(seed), task(seed, "linear", 0.6, 0.9, primary=False)) for seed in range(10)]
    runs = write(tmp_path / "runs", records)
    full, linear = yaml.safe_load_all(entry(runs, capsys))
    assert "head: [full*, linear]" in full["Tuned hyper-parameters"]
    (tmp_path / "linear.yaml").write_text(yaml.safe_dump(linear))
    assert check(runs) == 0 and check(runs, tmp_path / "linear.yaml") == 1
    assert "chosen-by-validation: head 'full' is better by validation" in capsys.readouterr().out
