"""Text of others reaches no terminal raw, runs in no spreadsheet and breaks no table; letters of all languages stay."""

import csv
import io
import json
import logging
import sys
import unicodedata

import pytest
import torch

from sigraph.cli import main
from sigraph.config import ConfigError, load_config
from sigraph.data import Card, PretrainGraph
from sigraph.files.foreign_text import cell, guard_output, guarded_output, is_key, printable, sheet_cell, unguarded
from sigraph.files.sealed import write_sealed
from sigraph.leaderboard import Leaderboard
from sigraph.report import audit_figure, latent_figure
from sigraph.running.progress import BarProgress
from sigraph.tables.report import ColumnUse, SamplesRead, TableReport
from sigraph.tasks import Task
from sigraph.theory.audit import audit

EVIL = "a\x1b[31mred\x1b]0;title\x07\r\x9b2J\u202egnp\u2066\u200b\x7f\ud83d\x00b"
LETTERS = "Größe ñ 日本語 العربية עברית हिन्दी می‌خواهم 👩‍🔬 ±×–…"


def steers(text):
    """Whether there is anything in a text that a terminal would not simply show."""
    kinds = {unicodedata.category(c) for c in text if c not in "\n\t\u200c\u200d"}
    return bool(kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"})


def test_what_steers_is_shown_by_its_number_and_letters_stay():
    assert not steers(printable(EVIL)) and printable(EVIL).startswith("a\\u001b[31mred\\u001b]0;title\\u0007\\u000d")
    assert printable(LETTERS) == LETTERS and printable("a\n\tb") == "a\n\tb"
    every = "".join(map(chr, range(0x110000)))
    left = {c for c in printable(every) if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in "\u202e\u2066"}
    assert left == {"\n", "\t"}


def test_json_stays_the_same_value():
    for ensure_ascii in (True, False):
        text = json.dumps({EVIL: [LETTERS, "\U000e0041"]}, ensure_ascii=ensure_ascii)
        assert json.loads(printable(text)) == json.loads(text)


def test_a_cell_is_one_cell():
    assert cell("a|b\nc\u2028d  e") == "a\\|b c d e"
    assert cell("a\\|b") == "a\\\\\\|b"  # the backslash does not take the pipe's away
    assert cell(3) == "3" and not steers(cell(EVIL))


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+cmd", "-2+3", "@SUM(A1)", "\t=1", "\n=1", "  =1", "＝1+1", "-", "=", "+", "@"]
)
def test_a_formula_is_text_in_a_sheet(text):
    assert sheet_cell(text) == f"'{text}"
    assert sheet_cell(f"\r{text}") == f"\\u000d{text}"  # csv would leave it without quotes


@pytest.mark.parametrize("value", [-1.5, -3, 0, None, True, "-1.5", "+2e-3", "a=b", "a-b", "", "größer"])
def test_numbers_and_plain_text_stay(value):
    assert sheet_cell(value) is value


# Ways out of the command line


def test_everything_that_is_printed_and_logged_goes_through(capsys):
    with guarded_output():
        print(EVIL, LETTERS)
        sys.stdout.writelines([EVIL, "\n"])
        print(EVIL, file=sys.stderr)
        logging.getLogger("sigraph.of.this.test").warning("%s", EVIL.replace("\ud83d", ""))
        assert sys.stdout.isatty() is False
    said = capsys.readouterr()
    assert not steers(said.out) and not steers(said.err) and LETTERS in said.out
    print(EVIL.replace("\ud83d", ""))
    assert steers(capsys.readouterr().out)  # outside nothing is changed


def test_a_process_of_its_own_is_guarded_for_good(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    guard_output()
    guard_output()  # once is enough
    print(EVIL)
    try:
        raise RuntimeError(EVIL)
    except RuntimeError as error:
        sys.excepthook(RuntimeError, error, error.__traceback__)
    said = capsys.readouterr()
    assert said.out.count("\\u001b") == 2 and "\\\\" not in said.out
    assert "RuntimeError: a\\u001b" in said.err and not steers(said.out + said.err)


def test_a_bar_steers_the_terminal_and_what_it_says_does_not():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for stream in (Terminal(), io.StringIO()):
        progress = BarProgress(stream, every_seconds=0.0)
        progress.start(1, 2)
        progress.epochs(EVIL)
        progress.say(EVIL)
        progress.close()
        assert EVIL[:3] not in stream.getvalue() and "a\\u001b[31m" in stream.getvalue()
        assert ("\r" in stream.getvalue()) is stream.isatty()
    with guarded_output():
        assert BarProgress().stream is unguarded(sys.stderr) is not sys.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["run", EVIL.replace("\x00", "") + ".yaml"],
        ["run", "e.yaml", f"pretrain.{EVIL}=3"],
        ["run", "e.yaml", f"--{EVIL}"],
        ["leaderboard", EVIL.replace("\x00", "")],
        ["audit", EVIL.replace("\x00", "") + ".yaml"],
        ["embed", EVIL.replace("\x00", ""), "--out", "z.npy"],
        ["prepare", EVIL.replace("\x00", "")],
        [EVIL],
    ],
)
def test_what_is_typed_or_named_comes_back_printable(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "e.yaml").write_text("name: e\nseeds: [0]\npretrain: {dataset: x, graph: y, encoder: MLPEncoder}\n")
    try:
        assert main(command) == 2
    except SystemExit as stop:
        assert stop.code == 2
    said = capsys.readouterr()
    assert "sigraph: " in said.err and not steers(said.out + said.err)


@pytest.fixture
def foreign():
    """Graphs and tasks whose names are hostile."""
    y = torch.arange(40) % 2
    pairs = torch.combinations(torch.arange(40)).t()
    graph = PretrainGraph(pairs[:, (y[pairs[0]] == y[pairs[1]]) & (pairs.sum(dim=0) % 3 == 0)], 40)
    split = {"train": torch.arange(20), "valid": torch.arange(20, 30), "test": torch.arange(30, 40)}
    task = Task("t", y, split, classes=[f"$\\frac{EVIL}", f"x|y\n{EVIL}"])
    return {f"g|{EVIL}": graph}, {f"t|{EVIL}": task}


def test_an_audit_of_hostile_names(foreign, tmp_path):
    graphs, tasks = foreign
    report = audit(graphs, tasks, draws=5, seed=0)
    assert [part.name for part in report.rows[0].parts] == tasks[report.rows[0].task].classes
    text = report.table()
    assert not steers(text) and EVIL in report.rows[0].graph  # Python's own values are unchanged
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 3
    for table in tables:
        assert len({line.replace("\\|", "").count("|") for line in table}) == 1
    for ending in ("svg", "png", "pdf"):
        audit_figure(report, tmp_path / f"a.{ending}")
    import xml.etree.ElementTree as ElementTree

    ElementTree.parse(tmp_path / "a.svg")


def test_a_dollar_in_a_name_of_a_latent_space(tmp_path):
    y, z = torch.arange(12) % 3, torch.randn(12, 4)
    latent_figure({"$\\frac": z, EVIL: z}, y, tmp_path / "z.png", class_name="a$b$\\sqrt{")
    assert (tmp_path / "z.png").stat().st_size > 1000


def test_what_was_read_of_tables_is_printable():
    report = TableReport(
        SamplesRead(EVIL, 3, EVIL, "records", [ColumnUse(EVIL, "text", EVIL, EVIL)], [EVIL], False, [EVIL])
    )
    assert not steers(str(report)) and report.samples.file == EVIL


KEPT = EVIL.replace("\ud83d", "")  # with half of a character it would be no record


def record(seed=0, **changed):
    task = {"dataset": KEPT, "task": f"=t|{KEPT}", "head": "linear", "metric": "accuracy", "valid": 0.5, "test": 0.5}
    return {
        "experiment": "=1+1",
        "arm": f"@SUM(1|2){KEPT}",
        "seed": seed,
        "hash": "abc",
        "status": "ok",
        "reason": None,
        "baseline": None,
        "data": "d",
        "commit": "+c",
        "sources": None,
        "versions": {"sigraph": "-v"},
        "pretrain": {"num_parameters": {"encoder": 1, "other": 0}, "seconds": 1.0},
        "tasks": [{**task, "num_parameters": 1, "seconds": 1.0, "primary": True}],
        **changed,
    }


def test_a_leaderboard_of_hostile_records(tmp_path, capsys):
    records = [record(), record(1), record(2, status="failed", reason=f"-{KEPT}\n| a", tasks=[])]
    for kept in [*records, {EVIL: 1}]:
        write_sealed(tmp_path / "runs" / f"{kept.get('seed')}" / "results.json", kept)
    board = Leaderboard.from_folder(tmp_path / "runs")
    assert not steers(board.table()) and board.rows()[0]["dataset"] == KEPT
    first = board.table().split("\n\n")[0].splitlines()
    assert len({line.replace("\\|", "").count("|") for line in first}) == 1
    row = next(csv.DictReader(io.StringIO(board.table("csv"))))
    assert row["experiment"] == "'=1+1" and row["arm"].startswith("'@SUM") and row["task"].startswith("'=t")
    assert row["commit"] == "'+c" and row["test_mean"] == "0.5"
    for line in csv.reader(io.StringIO(board.table("csv"))):
        assert not [text for text in line if text[:1] in tuple("=+-@\t\r")]
    for format in ("markdown", "csv", "json", "ogb"):
        assert main(["leaderboard", str(tmp_path / "runs"), "--format", format]) == 0
        said = capsys.readouterr()
        assert not steers(said.out) and not steers(said.err)
        if format == "json":
            assert json.loads(said.out)["rows"][0]["dataset"] == KEPT


# What a file says is nobody's


SECRET = "root:$6$s3cr3t:19000:0:99999:7:::\ndaemon:*:1:::\n"
PASSWORDS = "root:x:0:0:s3cr3t:/root:/bin/bash\ndaemon:x:1:1:s3cr3t daemon:/usr/sbin:/bin/false\nx:s3cr3t:\n"


@pytest.mark.parametrize("content", [SECRET, PASSWORDS, "[s3cr3t", "a: 1\n\ts3cr3t: *s3cr3t\n", "s3cr3t=1\n"])
@pytest.mark.parametrize("name", ["passwd", "base.yaml"])
def test_extends_does_not_print_what_is_no_experiment(tmp_path, content, name):
    (tmp_path / name).write_text(content)
    (tmp_path / "e.yaml").write_text(f"extends: {name}\nname: e\n")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "e.yaml")
    assert "s3cr3t" not in str(caught.value) and name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [SECRET, PASSWORDS, "[s3cr3t", "a: 1\n\ts3cr3t: *s3cr3t\n", "name: !s3cr3t 3\n"])
def test_a_card_that_is_none_is_not_printed(tmp_path, content):
    (tmp_path / "real").write_text(content)
    (tmp_path / "card.yaml").symlink_to(tmp_path / "real")
    with pytest.raises(ValueError, match=r"card\.yaml") as caught:
        Card.read(tmp_path / "card.yaml")
    assert "s3cr3t" not in str(caught.value).replace("tag '!s3cr3t'", "") and "\n" not in str(caught.value)


def test_a_key_of_a_user_is_named():
    assert is_key("batchsize") and is_key("größe.x") and is_key("two words") and is_key(3)
    assert not is_key("root:x:0:0") and not is_key("k" * 61) and not is_key("a\x1b") and not is_key("")
