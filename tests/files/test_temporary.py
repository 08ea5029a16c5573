"""Temporary files of killed processes are removed when their target is written again; those of living ones never."""

import os
import signal
import time

import pytest

from sigraph.files import temporary as leftovers
from sigraph.files.atomic import atomic_file, atomic_folder
from sigraph.files.temporary import STALE, own_prefix, sweep


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def killed_while_writing(target, atomic):
    """A process that is killed inside its block; its temporary file or folder."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        with atomic(target) as path:
            (path / "half" if path.is_dir() else path).write_text("half")
            os.write(writer, b"!")
            time.sleep(60)
        os._exit(0)
    os.read(reader, 1)
    try:
        return pid, next(path for path in target.parent.iterdir() if path.name.startswith("."))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
@pytest.mark.parametrize("atomic", [atomic_file, atomic_folder])
def test_what_a_killed_process_left_is_gone_when_its_target_is_written_again(tmp_path, atomic):
    pid, left = killed_while_writing(tmp_path / "target", atomic)
    assert left.exists() and f"-{pid}-" in left.name and not (tmp_path / "target").exists()
    with atomic_file(tmp_path / "another"):
        pass
    assert left.exists()  # of another target
    with atomic(tmp_path / "target"):
        assert not left.exists()
    assert names(tmp_path) == ["another", "target"]


def test_a_living_process_keeps_its_file(tmp_path):
    with atomic_file(tmp_path / "target") as mine:
        mine.write_text("mine")
        with atomic_file(tmp_path / "target") as other:
            other.write_text("other")
        assert (tmp_path / "target").read_text() == "other" and mine.read_text() == "mine"
    assert (tmp_path / "target").read_text() == "mine" and names(tmp_path) == ["target"]


def test_a_process_that_cannot_be_asked_for_has_a_day(tmp_path, monkeypatch):
    target = tmp_path / "target"
    elsewhere = tmp_path / f".target-{'0' * 8}-{2**22 + 1}-abcdefgh"
    elsewhere.write_text("half")
    sweep(target)
    assert elsewhere.exists()
    os.utime(elsewhere, (0, time.time() - STALE - 1))
    sweep(target)
    assert not elsewhere.exists()


def test_the_user_s_own_files_are_no_leftovers(tmp_path):
    dead = own_prefix(tmp_path / "target").rsplit("-", 2)[0] + f"-{2**22 + 1}-"
    kept = ["target", "target-old", ".target-notes", ".target-2024-10-05", f"{dead[1:]}x", f"{dead}x-y", f"{dead}x.txt"]
    for name in [*kept, f"{dead}abc_1234"]:
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (0, 0))
    sweep(tmp_path / "target")
    assert names(tmp_path) == sorted(kept)
    sweep(tmp_path / "targe.")  # a name is no pattern
    assert names(tmp_path) == sorted(kept)


@pytest.mark.parametrize(
    ("error", "alive"), [(ProcessLookupError, False), (PermissionError, True), (None, True)], ids=str
)
def test_another_user_s_process_is_alive(monkeypatch, error, alive):
    def kill(pid, number):
        assert number == 0
        if error:
            raise error

    monkeypatch.setattr(leftovers.os, "kill", kill)
    assert leftovers._is_alive(7) is alive
