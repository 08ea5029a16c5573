"""What processes run in test_processes.py, and an encoder that gets them into trouble."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from sigraph.encoders import MLPEncoder
from sigraph.machines.distributed import rank, world_size
from sigraph.machines.leader import run_apart
from sigraph.machines.trainer import SaveProgress


def add_up(job: dict[str, Any], tick: Any) -> dict[str, Any]:
    """Ranks added up, and what a process has."""
    total = torch.tensor(float(dist.get_rank() + 1))
    dist.all_reduce(total)
    for _ in range(dist.get_rank() + 2):
        tick(job["count"])
    workers = multiprocessing.get_start_method()
    return {"total": float(total), "rank": dist.get_rank(), "threads": torch.get_num_threads(), "workers": workers}


def fail(job: dict[str, Any], tick: Any) -> None:
    """Rank 1 fails as the job says; rank 0 waits for it."""
    if dist.get_rank() == 1:
        if job["how"] == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if job["how"] == "exit":
            os._exit(3)
        if job["how"] == "disk":
            raise OSError(28, "No space left on device", "a file")
        raise ValueError("rank 1 does not like this")
    dist.barrier()


def wait(job: dict[str, Any], tick: Any) -> None:
    """Says its process id, then waits for ever."""
    Path(job["folder"], str(os.getpid())).touch()
    time.sleep(600)


def fail_with_workers(job: dict[str, Any], tick: Any) -> None:
    """Each has a process of its own; rank 1 fails, rank 0 waits for it."""
    worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(job["folder"], str(worker.pid)).touch()
    dist.barrier()
    fail(job, tick)


def lead_and_wait(folder: str) -> None:
    """Two processes that wait for ever, and the one that started them."""
    run_apart(wait, {"folder": folder}, 2, 1, "gloo", print)


class Troubled(MLPEncoder):
    """Among several processes: saves after every epoch; rank 1 must not write, and gets into trouble in its fifth step.

    Args:
        trouble: ``raise``; ``kill``, unless the file ``mark`` is there, which it makes; or nothing.
        mark: A file.
        runs: The folder that rank 1 must not write to.
    """

    def __init__(self, in_channels: int, trouble: str = "", mark: str = "", runs: str = "", **options: Any) -> None:
        super().__init__(in_channels, **options)
        self.trouble, self.mark, self.steps = trouble, mark, 0
        if world_size() > 1:
            faulthandler.dump_traceback_later(240, exit=True)  # torch would wait for half an hour and not say where
            SaveProgress.__init__.__defaults__ = (0.0, None)
        if rank() == 1 and runs:
            sys.addaudithook(lambda event, arguments: _forbid(event, arguments, runs))

    def forward(self, inputs: Any) -> Any:
        self.steps += self.training
        if rank() == 1 and self.training and self.steps == 5:
            if self.trouble == "raise":
                raise ValueError("rank 1 does not like this")
            if self.trouble == "kill" and not Path(self.mark).exists():
                Path(self.mark).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(inputs)


def _forbid(event: str, arguments: tuple[Any, ...], runs: str) -> None:
    if event == "open":
        path, _, flags = arguments
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    else:
        path, writes = arguments[0] if arguments else "", event in ("os.rename", "os.mkdir", "os.remove", "os.truncate")
    if writes and str(path).startswith(runs):
        raise PermissionError(f"rank 1 writes to {path} ({event})")
