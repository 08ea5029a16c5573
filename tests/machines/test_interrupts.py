"""Told to end: one line, the convention's exit code, soon, and whatever the main thread is doing."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from sigraph import cli
from sigraph.machines.interrupts import GRACE, SIGNALS, interruptible

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

BUSY = """\
import hashlib, signal, sys, threading
from sigraph.machines.interrupts import interruptible
signal.signal(signal.SIGINT, signal.default_int_handler)  # where tests run in the background it is ignored
with interruptible("one line", ends=True):
    print("ready", flush=True)
    {what}
"""
FOR_EVER = "hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)"  # no Python in between
LOST = "class Lost:\n        def __del__(self):\n            threading.Event().wait(60)\n    Lost()\n    " + FOR_EVER


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_work_once(number, capsys):
    before = signal.getsignal(number)
    with interruptible("one line", ends=False) as found:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        found.say()
        assert found.end() == found.code == 128 + number
    assert capsys.readouterr().err == "one line\n" and signal.getsignal(number) is before


def test_what_the_caller_ignores_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible("one line", ends=False) as found:
            signal.raise_signal(signal.SIGINT)
        assert not found.number
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_copy_of_the_process_ends_silently():
    """A loader's worker has the handlers of the process that it is a copy of, for a moment."""
    with interruptible("one line", ends=False):
        copy = os.fork()
        if copy == 0:
            signal.raise_signal(signal.SIGTERM)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]) == 143


def test_another_thread_is_left_alone():
    found = []

    def work():
        with interruptible("one line", ends=True) as interruption:
            found.append(interruption.number)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [0] and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("what", [FOR_EVER, LOST], ids=["outside Python", "in a destructor"])
def test_a_process_is_gone_whatever_it_is_doing(number, what):
    child = subprocess.Popen(
        [sys.executable, "-c", BUSY.format(what=what)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.1)
        start = time.monotonic()
        child.send_signal(number)
        _, err = child.communicate(timeout=30)
    finally:
        child.kill()
    assert (child.returncode, err) == (128 + number, "one line\n")
    assert time.monotonic() - start < GRACE + 10  # about GRACE on an idle machine


@pytest.mark.parametrize(
    ("number", "error", "command", "line"),
    [
        (signal.SIGTERM, None, "datasets", "the same command starts again"),
        (signal.SIGINT, None, "run", "the same command resumes"),
        (signal.SIGTERM, RuntimeError("a loader's worker was killed"), "run", "the same command resumes"),
    ],
)
def test_a_command_says_what_resumes_it(number, error, command, line, capsys, monkeypatch):
    def interrupted(arguments):
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            raise error or KeyboardInterrupt from None

    monkeypatch.setattr(cli, "experiment_run", interrupted)
    monkeypatch.setattr(cli, "datasets_run", interrupted)
    arguments = [command, *["x.yaml"] * (command == "run"), *["--debug"] * (error is not None)]
    assert cli.main(arguments) == 128 + number
    assert capsys.readouterr().err == f"\nsigraph: interrupted; {line}\n"


def test_one_of_several_processes_speaks_for_all(capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(cli, "datasets_run", lambda arguments: signal.raise_signal(signal.SIGTERM))
    assert cli.main(["datasets"]) == 143 and capsys.readouterr().err == ""


def test_what_nobody_foresaw_is_one_line_unless_asked(capsys, monkeypatch):
    def fail(arguments):
        raise RuntimeError("size mismatch\n  in a library")

    monkeypatch.setattr(cli, "datasets_run", fail)
    assert cli.main(["datasets"]) == 2
    assert capsys.readouterr().err == "sigraph: RuntimeError: size mismatch; --debug shows where it comes from\n"
    with pytest.raises(RuntimeError):
        cli.main(["datasets", "--debug"])
