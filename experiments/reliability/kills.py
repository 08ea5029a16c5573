"""Killed at every file operation and in the middle of every file: nothing is lost, the same command ends the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from faults import Fault
from harness import SURVIVED, UNCLEAR, Case, Outcome
from journeys import begin as begin
from journeys import build as build
from journeys import ends_the_same, fresh, journey_of, journeys, known, lost, start


def cases(world: Path, quick: bool, seed: int) -> Iterator[Case]:
    """Each operation, and the beginning and a drawn place of each file that is written."""
    draw = random.Random(seed)
    for journey in journeys():
        found = []
        for operation in known(world, journey.name)[2]:
            if operation.who not in journey.who:
                continue
            name = f"{operation.who} {operation.number}"
            found.append(Case(journey.name, name, {"at": operation.number, "who": operation.who, "within": None}))
            if operation.event in ("open", "os.mkdir"):
                size = operation.size or 600
                for within in sorted({0, draw.randrange(1, max(size, 2))}):
                    about = {"at": operation.number, "who": operation.who, "within": within}
                    found.append(Case(journey.name, f"{name}, beyond byte {within}", about))
        yield from draw.sample(found, min(6, len(found))) if quick else found


def judge(case: Case, world: Path, slot: Path) -> Outcome:
    """Kill, look at what is left, do it again."""
    journey = journey_of(case.kind)
    before, expected, _ = known(world, case.kind)
    place = fresh(before, slot)
    fault = Fault("kill", case.about["at"], case.about["within"], case.about["who"], str(place))
    killed = start(journey, place, fault)
    if wrong := lost(journey, before, place, expected):
        return wrong
    if not killed.signal and killed.value == 0 and case.about["who"] == "main" and case.about["within"] is None:
        return Outcome(UNCLEAR, "it was not killed")
    outcome = ends_the_same(journey, place, expected)
    return outcome if outcome.verdict != SURVIVED else Outcome(SURVIVED)
