"""`make reliability`'s own instruments: they find what is careless, and nothing in what is not."""

import errno
import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[1] / "experiments" / "reliability"

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux")


@pytest.fixture
def part(monkeypatch):
    """A module of the folder, found there; modules of the tests that have the same names stay what they are."""
    names = {file.stem for file in HERE.glob("*.py")}
    before = {name: sys.modules.pop(name) for name in names & sys.modules.keys()}
    monkeypatch.syspath_prepend(HERE)
    yield importlib.import_module
    for name in names & sys.modules.keys():
        del sys.modules[name]
    sys.modules.update(before)


def replace_careless():
    Path("old.txt").unlink()
    Path("old.txt").write_text("new")
    return 0


def replace_careful():
    Path("new.tmp").write_text("new")
    Path("new.tmp").replace("old.txt")
    return 0


def texts(folder):
    return {file.name: file.read_text() for file in folder.iterdir()}


def disturbed(part, place, does, fault):
    faults, forked = part("faults"), part("forked").forked

    def live():
        os.chdir(place)
        faults.arm(fault)
        return does()

    return forked(live)


@pytest.mark.parametrize(("does", "loses"), [(replace_careless, True), (replace_careful, False)])
def test_a_kill_at_every_operation_finds_who_is_careless(part, tmp_path, does, loses):
    faults, place, found = part("faults"), tmp_path / "place", []
    place.mkdir()
    log = tmp_path / "log"
    log.write_text("")
    (place / "old.txt").write_text("old")
    assert disturbed(part, place, does, faults.Fault("count", -1, None, "main", str(place), str(log))).value == 0
    operations = faults.operations(log)
    assert [operation.event for operation in operations] == (
        ["os.remove", "open"] if does is replace_careless else ["open", "os.rename"]
    )
    for operation in operations:
        for within in (None, 0, 1):
            for file in place.iterdir():
                file.unlink()
            (place / "old.txt").write_text("old")
            fault = faults.Fault("kill", operation.number, within, "main", str(place))
            ended = disturbed(part, place, does, fault)
            assert ended.signal in (signal.SIGKILL, signal.SIGXFSZ, 0)
            found.append(texts(place).get("old.txt") in ("old", "new"))
    assert all(found) is not loses


def test_a_full_disk_is_one_from_an_operation_on(part, tmp_path):
    faults = part("faults")
    for within, number in ((None, errno.ENOSPC), (0, errno.EFBIG), (2, errno.EFBIG)):
        ended = disturbed(part, tmp_path, replace_careful, faults.Fault("full", 0, within, "main", str(tmp_path)))
        assert ended.error.startswith(f"OSError: [Errno {number}]") and not ended.signal


def test_how_a_process_ended_is_told(part):
    forked = part("forked").forked
    assert forked(lambda: 3).value == 3
    assert forked(lambda: 1 / 0).error.startswith("ZeroDivisionError: division")
    assert forked(lambda: os.kill(os.getpid(), signal.SIGKILL)).signal == signal.SIGKILL
    said = forked(lambda: (print("out"), print("err", file=sys.stderr))[0])
    assert (said.out, said.err) == ("out\n", "err\n")
    assert forked(signal.pause, seconds=0.1).late
    assert "MemoryError" in forked(lambda: len(bytearray(1 << 32)), memory=1 << 28).error


@pytest.fixture
def one_store(part, monkeypatch, tmp_path):
    """The part `damage` with a store of edges alone."""
    damage = part("damage")
    only = [subject for subject in part("damaged").subjects() if subject.name == "store: CSR"]
    monkeypatch.setattr(damage, "subjects", lambda: only)
    for name in ("world", "slot"):
        (tmp_path / name).mkdir()
    damage.build(tmp_path / "world")
    return damage, only[0]


def test_damage_of_a_store_is_refused(one_store, tmp_path):
    damage, _ = one_store
    cases = list(damage.cases(tmp_path / "world", True, 0))
    assert {case.about["file"] for case in cases} >= {"header.json", "rowptr.npy", "col.npy", "weight.npy"}
    found = [
        outcome
        for chunk in damage.chunks(cases)
        for outcome in damage.judge_all(chunk, tmp_path / "world", tmp_path / "slot")
    ]
    assert len(found) == len(cases) and {outcome.verdict for outcome in found} <= {"survived", "refused"}


def test_damage_that_is_not_noticed_is_silent(one_store, tmp_path, monkeypatch):
    damage, subject = one_store
    cases = [case for case in damage.cases(tmp_path / "world", False, 0) if case.name == "col.npy: cut at 1"]
    blind = subject._replace(use=lambda folder: {"graph": (folder / "col.npy").read_bytes()})
    monkeypatch.setattr(damage, "subjects", lambda: [blind])
    (outcome,) = damage.judge_all(cases, tmp_path / "world", tmp_path / "slot")
    assert outcome.verdict == "silent" and "graph" in outcome.note


def test_the_page_counts_what_was_kept(part, tmp_path, monkeypatch):
    report, harness = part("report"), part("harness")
    plan = harness.Plan("kills", quick=True)
    outcomes = {"run | 1": ["run", "survived", ""], "run | 2": ["run", "silent", "other | weights\x1b[31m"]}
    record = {"part": "kills", "seed": 0, "quick": True, "outcomes": outcomes, "seconds": 90.0, "total": 3}
    for module in (report, harness):
        monkeypatch.setattr(module, "PROGRESS", tmp_path)
    monkeypatch.setattr(report, "PAGE", tmp_path / "page.md")
    harness._keep(plan, {**record, "date": "2026-01-01", "versions": {"torch": "2"}, "commit": None})
    report.write_report()
    page = (tmp_path / "page.md").read_text()
    assert "| kills | run | 2 | 1 | 0 | 1 | 0 | 0 |" in page and "2 of 3 cases" in page
    assert "**silent** run · 2: other · weights·[31m" in page


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kills", "full", "damage", "hostile", "foreign"])
def test_a_few_of_each_kind_hold(name):
    command = [sys.executable, str(HERE / "measure.py"), name, "--quick", "--minutes", "20"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr
    assert "silent" not in done.stdout and "lost" not in done.stdout, done.stdout
