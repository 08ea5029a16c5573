"""The disk is full from any file operation on, within any file, or for real: nothing is lost, room is all it takes."""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import worlds
from faults import Fault
from forked import Ended, forked
from harness import SILENT, SURVIVED, UNCLEAR, Case, Outcome
from journeys import Journey, ends_the_same, fresh, journey_of, journeys, known, lost, one_line, start
from journeys import begin as begin
from journeys import build as build

REAL = "a small disk: "  # kind of the cases on a file system that is full for real
_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000


def cases(world: Path, quick: bool, seed: int) -> Iterator[Case]:
    """Each operation that takes room, the beginning and a drawn place of each file, and disks of many sizes."""
    draw = random.Random(seed)
    real = _can_mount()
    for journey in journeys():
        found = []
        for operation in known(world, journey.name)[2]:
            if operation.who not in journey.who or operation.event not in ("open", "os.mkdir", "os.rename", "os.link"):
                continue
            about = {"at": operation.number, "who": operation.who}
            name = f"{operation.who} {operation.number}"
            found.append(Case(journey.name, name, {**about, "within": None}))
            if operation.event == "open":
                size = operation.size or 600
                for within in sorted({0, draw.randrange(1, max(size, 2))}):
                    found.append(Case(journey.name, f"{name}, beyond byte {within}", {**about, "within": within}))
        yield from draw.sample(found, min(6, len(found))) if quick else found
        if real and journey.who == ("main",):  # the server of the others has its own view of what is mounted
            pages = list(range(0, 64, 16 if quick else 1))
            yield from (Case(REAL + journey.name, f"{n} free pages", {"pages": n}) for n in pages)


def judge(case: Case, world: Path, slot: Path) -> Outcome:
    """Disturb, read what was said, look at what is left, do it again with room."""
    if case.kind.startswith(REAL):
        return _on_a_small_disk(case, world, slot)
    journey = journey_of(case.kind)
    before, expected, _ = known(world, case.kind)
    place = fresh(before, slot)
    fault = Fault("full", case.about["at"], case.about["within"], case.about["who"], str(place))
    return _judged(journey, before, place, expected, start(journey, place, fault))


def _judged(journey: Journey, before: Path, place: Path, expected: dict[str, str], ended: Ended) -> Outcome:
    if wrong := lost(journey, before, place, expected):
        return wrong
    if ended.value == 0:
        differs = worlds.changed(expected, worlds.results(place))
        return (
            Outcome(SILENT, f"no room, no error, another result: {', '.join(differs[:4])}")
            if differs
            else Outcome(SURVIVED)
        )
    if wrong := _said(ended, {*worlds.files_of(before), *expected}):
        return wrong
    again = ends_the_same(journey, place, expected)
    return again if again.verdict != SURVIVED else Outcome(SURVIVED, one_line(ended) if ended.value else "")


def _said(ended: Ended, places: set[str]) -> Outcome | None:
    """What is wrong with what was said: one line that there is no room, and where, is right."""
    if ended.late or ended.signal:
        return Outcome(UNCLEAR, one_line(ended))
    lines = [line for line in ended.said.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    if "Traceback" in ended.said or "Exception ignored" in ended.said:
        return Outcome(UNCLEAR, f"a traceback: {last[:200]}")
    if not any(word in last for word in ("full", "No space", "File too large")):
        return Outcome(UNCLEAR, f"does not say that the disk is full: {last[:200]}")
    words = {word.strip(",;:'()") for word in last.split()}
    if not any(word in places or word.startswith("/") or "/" in word for word in words):
        return Outcome(UNCLEAR, f"names no path: {last[:200]}")
    return None


# For real #####################################################################


def _on_a_small_disk(case: Case, world: Path, slot: Path) -> Outcome:
    name = case.kind.removeprefix(REAL)
    journey, (before, expected, _) = journey_of(name), known(world, name)
    ended = forked(lambda: _with_disk(journey, before, slot, expected, case.about["pages"]), 300)
    return ended.value or Outcome(UNCLEAR, f"the harness failed: {ended.error}\n{ended.trace}")


def _with_disk(journey: Journey, before: Path, slot: Path, expected: dict[str, str], pages: int) -> Outcome:
    _apart()
    disk = slot / "disk"
    shutil.rmtree(disk, ignore_errors=True)
    disk.mkdir()
    _mount("-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk))  # gone with this process
    place = fresh(before, disk)
    taken = shutil.disk_usage(disk).used + pages * 4096
    _mount("-o", f"remount,size={taken}", str(disk))
    ended = start(journey, place)
    _mount("-o", "remount,size=64m", str(disk))
    return _judged(journey, before, place, expected, ended)


def _apart() -> None:
    """Mounts of this process are its own from here on."""
    libc = ctypes.CDLL(None, use_errno=True)
    flags = _CLONE_NEWNS if os.getuid() == 0 else _CLONE_NEWNS | _CLONE_NEWUSER
    if libc.unshare(flags):
        raise OSError(ctypes.get_errno(), "unshare")
    _mount("--make-rprivate", "/")


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def _can_mount() -> bool:
    return not forked(_apart).error
