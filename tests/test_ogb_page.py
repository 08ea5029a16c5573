"""docs/ogb.md: its entry is made as it stands there, on a small data set in the official format."""

import contextlib
import io
import re
import shlex

import pytest
import yaml
from ogb_files import write_graphs
from pages import ROOT, blocks, read

from sigraph.cli import main
from sigraph.data.ogb_facts import ogb_names
from sigraph.leaderboard import ogb_check, ogb_rules

PAGE = read("docs/ogb.md")
(FILE,), (COMMANDS,) = blocks(PAGE, "yaml"), blocks(PAGE, "sh")
ENTRIES = sorted((ROOT / "docs" / "ogb-entries").glob("*.yaml"))
QUICK = ["--arm", "sipt", "pretrain.trainer.max_epochs=1", "finetune.0.max_epochs=2"]


def test_the_entry_of_the_page(tmp_path, monkeypatch, capsys):
    source = tmp_path / "source"
    source.mkdir()
    write_graphs(source, "ogbg-molbace")
    monkeypatch.setenv("SIGRAPH_DATA_SOURCE", str(source))
    monkeypatch.setenv("SIGRAPH_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bace.yaml").write_text(FILE)
    run, write, *checks = [shlex.split(line)[1:] for line in COMMANDS.strip().splitlines()]
    assert main([*run, *QUICK]) == 0
    *write, _, name = write
    with (tmp_path / name).open("w") as file, contextlib.redirect_stdout(file):
        assert main(write) == 0
    forms = list(yaml.safe_load_all((tmp_path / name).read_text()))
    assert [form["Method name"] for form in forms] == ["sipt"]
    for form in forms:
        assert form["External data"] == "No" and "10 seeds, unbiased std" in form["Test performance"]
        assert form["Dataset"] == "ogbg-molbace"
    assert "pretrain.structure_loss.alpha: [" in forms[0]["Tuned hyper-parameters"]
    assert forms[0]["Tuned hyper-parameters"].count("*") == 2  # the chosen one, and the epochs
    for check in checks:
        capsys.readouterr()
        with contextlib.redirect_stdout(io.StringIO()) as out:
            code = main(check)
        broken = {line.split(":")[0].strip() for line in out.getvalue().splitlines() if line.startswith("  ")}
        assert broken <= {"clean-commit"} and code == bool(broken), out.getvalue()  # of whoever works on sigraph


def test_the_page_names_every_rule():
    text = "".join(
        (ogb_rules.__doc__ or "", *(read(f"sigraph/leaderboard/{name}.py") for name in ("ogb_rules", "ogb_check")))
    )
    listed = [line.split("`")[1] for line in PAGE.splitlines() if line.startswith("| `") and line.count("|") == 3]
    assert len(listed) == 10 and all(rule in text for rule in listed)
    assert ogb_check.__doc__


@pytest.mark.parametrize("prefix", ["ogbn-", "ogbg-", "ogbl-"])
def test_the_page_speaks_of_every_kind(prefix):
    assert f"`{prefix}*`" in PAGE and any(name.startswith(prefix) for name in ogb_names())


@pytest.mark.parametrize("file", ENTRIES, ids=lambda file: file.stem)
def test_entries_that_are_shown_are_whole_and_of_ten_seeds(file):
    text = file.read_text(encoding="utf-8")
    assert "refused" not in text and not re.search(r"/(?:home|root|tmp|work|Users)/", text)
    for form in yaml.safe_load_all(text):
        runs = form["Runs"]
        assert form["Dataset"] == file.stem and form["External data"] == "No" and len(form) == 14
        assert runs["seeds"] == ", ".join(map(str, range(10))) and re.fullmatch("[0-9a-f]{40}", runs["commit"])
        for part in ("Test", "Validation"):
            assert re.fullmatch(r"0\.\d{4} ± 0\.\d{4} \(rocauc, 10 seeds, unbiased std\)", form[f"{part} performance"])
