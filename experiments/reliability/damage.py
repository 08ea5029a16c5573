"""Bytes of every file changed in every way that rot, copies and full disks change them, the file's time kept."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import worlds
from damaged import Subject, subjects
from forked import Ended, captured, forked
from harness import REFUSED, SILENT, SURVIVED, UNCLEAR, Case, Outcome

DRAWN, CUTS = 1000, 12  # bytes that are tried of a large file; places where one is cut
MEMORY = 4 << 30  # bytes that a use may take
TOGETHER = 24  # damages in one process, each in a folder of its own
_READ = {"manifest.json", "header.json"}  # name other files: those are in the message, too


def build(world: Path) -> None:
    """The undamaged folders and what a user gets from them."""
    for subject in subjects():
        folder = world / _plain(subject.name)
        made = forked(lambda subject=subject, folder=folder: subject.make(folder))
        if made.error or made.signal:
            raise RuntimeError(f"{subject.name} could not be made: {made.said}{made.trace}")
        found = [_used(subject, folder, world / "scratch") for _ in range(2)]
        if any(ended.error or ended.value is None for ended in found) or found[0].value != found[1].value:
            raise RuntimeError(f"{subject.name} cannot be used twice: {[(e.value, e.said, e.trace) for e in found]}")
        (world / f"{_plain(subject.name)}.json").write_text(json.dumps(found[0].value))


def cases(world: Path, quick: bool, seed: int) -> Iterator[Case]:
    """Flips, cuts, zeros, removal, for each file."""
    for subject in subjects():
        top = world / _plain(subject.name)
        files = {file for pattern in subject.files for file in top.rglob(pattern) if file.is_file()}
        for file in sorted(file for file in files if not file.name.endswith(".lock")):
            where, size = file.relative_to(top).as_posix(), file.stat().st_size
            draw = random.Random(f"{seed} {subject.name} {where}")
            found = list(_damages(draw, size, subject.most))
            for damage in draw.sample(found, min(8, len(found))) if quick else found:
                name = f"{where}: {' '.join(map(str, damage))}"
                yield Case(subject.name, name, {"file": where, "damage": damage})


def _damages(draw: random.Random, size: int, most: int) -> Iterator[list[Any]]:
    at = range(size) if size <= most else sorted(draw.sample(range(size), min(most, DRAWN)))
    yield from (["flip byte", place, "bit", draw.randrange(8)] for place in at)
    yield from (["cut at", place] for place in sorted({0, 1, size - 1, *(draw.randrange(size) for _ in range(CUTS))}))
    yield from (["zeros from", place] for place in range(0, size, max(512, size // 16)))
    yield ["one byte more"]
    yield ["removed"]


def judge_all(cases: list[Case], world: Path, slot: Path) -> list[Outcome]:
    """Damage a copy for each, use it in a process that has opened nothing of it before."""
    expected = {
        name: json.loads((world / f"{_plain(name)}.json").read_text()) for name in {case.kind for case in cases}
    }
    files = [_copied(case, world, slot, number) for number, case in enumerate(cases)]
    subject_of = {subject.name: subject for subject in subjects()}
    if len(cases) == 1:
        subject, file = subject_of[cases[0].kind], files[0]
        ended = [_use(subject, _top(file, cases[0]))]
    else:
        uses = [(subject_of[case.kind], _top(file, case)) for case, file in zip(cases, files, strict=True)]
        together = forked(lambda: [captured(partial(_found, *use)) for use in uses], 120, MEMORY)
        if together.value is None:  # one of them ended the process
            return [judge_all([case], world, slot)[0] for case in cases]
        ended = together.value
    return [_judged(*each) for each in zip(ended, [expected[c.kind] for c in cases], files, cases, strict=True)]


def _copied(case: Case, world: Path, slot: Path, number: int) -> Path:
    """The damaged file in a copy of its folder."""
    place = slot / str(number)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    name = _plain(case.kind)
    shutil.copytree(world / name, place / name, symlinks=True)
    file = place / name / case.about["file"]
    _put(file, _damaged(file.read_bytes(), case.about["damage"]), file.stat())
    return file


def _top(file: Path, case: Case) -> Path:
    return next(above for above in file.parents if above.name == _plain(case.kind))


def _judged(ended: Ended, expected: Any, file: Path, case: Case) -> Outcome:
    folder = _top(file, case)
    names = {file.name, file.relative_to(folder).as_posix(), file.stem} | (
        {folder.name} if file.name in _READ else set()
    )
    if ended.late or ended.signal:
        return Outcome(UNCLEAR, f"{'took too long' if ended.late else f'ended by signal {ended.signal}'}")
    if not ended.error:
        told, found = f"{ended.value['told']}\n{ended.said}", ended.value["digests"]
        if "again" in found:
            return Outcome(SURVIVED)  # as "run: resumed" shows, by what is made again
        differs = [key for key in expected["digests"] if found.get(key) != expected["digests"][key]]
        if not differs:
            return Outcome(SURVIVED)
        return (
            Outcome(REFUSED)
            if file.name in told
            else Outcome(SILENT, f"others: {', '.join(differs)}; {told.strip()[:200]}")
        )
    if ended.error.startswith(
        ("ValueError", "FileNotFoundError", "OSError", "ConfigError", "DamagedError", "IsADirectory")
    ):
        return Outcome(REFUSED) if any(name in ended.said for name in names) else Outcome(UNCLEAR, ended.error[:300])
    return Outcome(UNCLEAR, ended.error[:300])


def _damaged(data: bytes, damage: list[Any]) -> bytes | None:
    what, *numbers = damage
    if what == "flip byte":
        place, bit = numbers[0], numbers[2]
        return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]
    if what == "cut at":
        return data[: numbers[0]]
    if what == "zeros from":
        return data[: numbers[0]] + bytes(len(data[numbers[0] : numbers[0] + 512])) + data[numbers[0] + 512 :]
    return data + b"\n" if what == "one byte more" else None


def chunks(cases: list[Case]) -> Iterator[list[Case]]:
    """Cases of one process: those that train have one each."""
    alone = {subject.name for subject in subjects() if subject.alone}
    start = 0
    while start < len(cases):
        kind, size = cases[start].kind, 1 if cases[start].kind in alone else TOGETHER
        chunk = [case for case in cases[start : start + size] if case.kind == kind]
        yield chunk
        start += len(chunk)


def _put(file: Path, data: bytes | None, times: os.stat_result) -> None:
    """Change a file where it lies, its time kept."""
    if data is None:
        file.unlink()
        return
    file.write_bytes(data)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def _plain(name: str) -> str:
    return name.replace(": ", "-").replace(", ", "-").replace(" ", "-")


# In a process ################################################################


def _used(subject: Subject, folder: Path, scratch: Path) -> Ended:
    shutil.rmtree(scratch, ignore_errors=True)
    place = scratch / folder.name
    shutil.copytree(folder, place, symlinks=True)
    return _use(subject, place)


def _use(subject: Subject, folder: Path) -> Ended:
    return forked(lambda: _found(subject, folder), 60, MEMORY)


def _found(subject: Subject, folder: Path) -> dict[str, Any]:
    os.chdir(folder)
    found = subject.use(folder)
    told = found.pop("told", "")
    return {"digests": {key: worlds.digest(value) for key, value in found.items()}, "told": told}
