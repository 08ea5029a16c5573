"""What the parts share: cases and what came of them, run a few at a time, kept on the way, resumed."""

from __future__ import annotations

import gc
import hashlib
import importlib
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
PROGRESS = HERE / "progress"  # one JSON a part; git ignores it
PARTS = ("kills", "full", "damage", "hostile", "foreign")
SURVIVED, REFUSED, SILENT, LOST, UNCLEAR = VERDICTS = ("survived", "refused", "silent", "lost", "unclear")
GOOD = (SURVIVED, REFUSED)


@dataclass(frozen=True)
class Case:
    """One thing that is tried; ``name`` tells it from others of its kind, ``about`` says what to do."""

    kind: str
    name: str
    about: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def key(self) -> str:
        return f"{self.kind} | {self.name}"


@dataclass(frozen=True)
class Outcome:
    """What came of a case: a verdict, and for what is not good, why; for what is refused, with which words."""

    verdict: str
    note: str = ""


@dataclass(frozen=True)
class Plan:
    """How a part is run.

    Args:
        part: Its name, that of its module.
        seed: Of everything drawn.
        quick: A few of each kind.
        minutes: After which it stops, to be resumed.
        workers: Cases at a time.
        only: Cases whose key holds this text, and nothing is kept; None: all.
    """

    part: str
    seed: int = 0
    quick: bool = False
    minutes: float = 30.0
    workers: int = 2
    only: str | None = None

    @property
    def file(self) -> Path:
        return PROGRESS / f"{self.part}{'-quick' if self.quick else ''}.json"

    def key(self) -> str:
        """What the outcomes depend on: figures of other code are not continued."""
        code = hashlib.sha256(f"{self.seed} {self.quick} {sorted(versions().items())}".encode())
        for top in (HERE.parents[1] / "sigraph", HERE):
            for file in sorted(top.rglob("*.py")):
                code.update(file.relative_to(top).as_posix().encode() + file.read_bytes())
        return code.hexdigest()[:16]


def versions() -> dict[str, str]:
    """Of what reads and writes files."""
    from importlib.metadata import version

    names = ("torch", "lightning", "numpy", "pyarrow", "safetensors", "PyYAML", "omegaconf")
    return {"python": ".".join(map(str, sys.version_info[:3])), **{name: version(name) for name in names}}


def run_part(plan: Plan) -> dict[str, Any]:
    """Run a part from where it stopped, for as long as it may; what is known of it then."""
    end, key = time.monotonic() + 60 * plan.minutes, plan.key()
    record = _read(plan.file)
    if plan.only is not None or record.get("key") != key:
        record = {"part": plan.part, "key": key, "seed": plan.seed, "quick": plan.quick, "outcomes": {}, "seconds": 0.0}
    module = importlib.import_module(plan.part)
    _warm()
    if hasattr(module, "begin"):
        module.begin()
    with scratch() as folder:
        world = folder / "world"
        world.mkdir()
        cases = list(_of(module, world, plan))
        record["total"] = len(cases)
        left = [case for case in cases if case.key not in record["outcomes"]]
        print(f"{plan.part}: {len(cases):,} cases, {len(left):,} left", flush=True)
        record |= {"date": time.strftime("%Y-%m-%d"), "versions": versions(), "commit": _commit()}
        begun, before, kept = time.monotonic(), record["seconds"], time.monotonic()
        try:
            for case, outcome in _outcomes(module, left, world, folder, plan.workers, end):
                record["outcomes"][case.key] = [case.kind, outcome.verdict, outcome.note]
                record["seconds"] = before + time.monotonic() - begun
                if plan.only is not None or outcome.verdict not in GOOD:
                    print(f"  {outcome.verdict}: {case.key}: {outcome.note}", flush=True)
                if time.monotonic() - kept > 20:
                    kept = time.monotonic()
                    print(f"{plan.part}: {len(record['outcomes']):,} of {len(cases):,}", flush=True)
                    _keep(plan, record)
        finally:
            _keep(plan, record)
    return record


def _of(module: ModuleType, world: Path, plan: Plan) -> Iterator[Case]:
    from forked import forked

    made = forked(lambda: module.build(world), 600)  # in a process of its own: this one has opened nothing
    if made.error or made.signal:
        raise RuntimeError(f"the world of {plan.part!r} could not be made\n{made.err}\n{made.trace}")
    seen = set()
    for case in module.cases(world, plan.quick, plan.seed):
        if case.key in seen:
            raise ValueError(f"two cases are called {case.key!r}")
        seen.add(case.key)
        if plan.only is None or plan.only in case.key:
            yield case


def _outcomes(
    module: ModuleType, cases: list[Case], world: Path, folder: Path, workers: int, end: float
) -> Iterator[tuple[Case, Outcome]]:
    chunks = list(module.chunks(cases)) if hasattr(module, "chunks") else [[case] for case in cases]
    random.Random(0).shuffle(chunks)  # what is done when the time is up is some of everything
    waiting = iter(chunks)
    flying = dict[Future, list[Case]]()
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, context, _start, (module.__name__, world, folder)) as pool:
        while True:
            while len(flying) < 2 * workers and time.monotonic() < end and (chunk := next(waiting, None)):
                flying[pool.submit(_judge, chunk)] = chunk
            if not flying:
                return
            for future in wait(flying, return_when=FIRST_COMPLETED)[0]:
                yield from zip(flying.pop(future), future.result(), strict=True)


_mine: dict[str, Any] = {}


def _start(part: str, world: Path, folder: Path) -> None:
    slot = folder / f"slot-{os.getpid()}"
    slot.mkdir()
    os.chdir(slot)
    _mine.update(module=importlib.import_module(part), world=world, slot=slot)


def _judge(cases: list[Case]) -> list[Outcome]:
    module, where = _mine["module"], (_mine["world"], _mine["slot"])
    try:
        return module.judge_all(cases, *where) if hasattr(module, "judge_all") else [module.judge(cases[0], *where)]
    except Exception as error:
        what = f"the harness failed: {type(error).__name__}: {error}\n{traceback.format_exc()}"
        return [Outcome(UNCLEAR, what) for _ in cases]


def _warm() -> None:
    """Import all that a case may need, once, and start no thread that a fork would lose."""
    import torch

    torch.set_num_threads(1)
    import sklearn.neighbors  # noqa: F401

    import sigraph.cli
    import sigraph.experiment
    import sigraph.export.load
    import sigraph.report  # noqa: F401

    gc.collect()
    gc.freeze()  # a collection in a fork would copy all that it looks at


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for files that come and go: in memory where there is room, so that no disk is worn."""
    memory = Path("/dev/shm")
    above = memory if memory.is_dir() and shutil.disk_usage(memory).free > 1 << 30 else Path(tempfile.gettempdir())
    name = "sigraph-reliability-"
    for left in above.glob(f"{name}*"):  # of one that was killed
        owner = left.name.removeprefix(name).partition("-")[0]
        if not Path("/proc", owner).exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}{os.getpid()}-", dir=above))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text()) if file.is_file() else {}


def _keep(plan: Plan, record: dict[str, Any]) -> None:
    if plan.only is not None:
        return
    plan.file.parent.mkdir(exist_ok=True)
    new = plan.file.with_suffix(".new")
    new.write_text(json.dumps(record, indent=0))
    new.replace(plan.file)


def _commit() -> str | None:
    from sigraph.config.provenance import commit

    return commit()
