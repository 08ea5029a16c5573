"""Whether torchrun or srun started this process as one of several. Imports nothing heavy."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass

_TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_SLURM = ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_NUM_NODES", "SLURM_STEP_NODELIST")


@dataclass(frozen=True)
class Launch:
    """Where a process stands among those that were started with it.

    Args:
        by: ``torchrun`` or ``srun``.
        rank: In [0, world_size); 0 leads.
        world_size: Processes in all.
        local_rank: In [0, local_size), which of its machine's.
        local_size: Processes on each machine.
        address: Host name of the machine of rank 0, or of what the launcher keeps for them to meet at.
        port: There.
        kept: Whether the launcher itself keeps the meeting point; else rank 0 does.
        attempt: Tells a start from an earlier one that shared the meeting point.
    """

    by: str
    rank: int
    world_size: int
    local_rank: int
    local_size: int
    address: str
    port: int
    kept: bool = False
    attempt: str = "0"

    @property
    def num_nodes(self) -> int:
        """Machines."""
        return self.world_size // self.local_size


@functools.cache  # Lightning takes WORLD_SIZE out of the environment when a training ends
def launched() -> Launch | None:
    """How this process was started with others; None if it was not."""
    return read_launch(os.environ)


def read_launch(env: Mapping[str, str]) -> Launch | None:
    """What environment variables say about a start by torchrun or srun; None: there is none, or a single process.

    Raises:
        ValueError: Machines with other numbers of processes.
    """
    found = None
    if all(name in env for name in _TORCHRUN):
        rank, size, local_rank, local_size = (int(env[name]) for name in _TORCHRUN[:4])
        kept = env.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
        attempt = env.get("TORCHELASTIC_RESTART_COUNT", "0")
        address, port = env["MASTER_ADDR"], int(env["MASTER_PORT"])
        found = Launch("torchrun", rank, size, local_rank, local_size, address, port, kept, attempt)
    elif all(name in env for name in _SLURM) and int(env["SLURM_STEP_NUM_TASKS"]) > 1:
        found = _of_slurm(env)
    if found is None or found.world_size == 1:
        return None
    if found.world_size % found.local_size:
        raise ValueError(
            f"{found.by} needs to start as many processes on each machine (got {found.world_size} in all, "
            f"{found.local_size} on this one)"
        )
    return found


def _of_slurm(env: Mapping[str, str]) -> Launch:
    from lightning.fabric.plugins.environments import SLURMEnvironment

    size, num_nodes = int(env["SLURM_STEP_NUM_TASKS"]), int(env["SLURM_STEP_NUM_NODES"])
    if size % num_nodes:
        raise ValueError(f"srun needs to start as many tasks on each machine (got {size} on {num_nodes} machines)")
    address = env.get("MASTER_ADDR") or SLURMEnvironment.resolve_root_node_address(env["SLURM_STEP_NODELIST"])
    # Two steps of one job may run at once: each meets at a port of its own.
    own = 1000 * int(env.get("SLURM_STEP_ID", "0")) + int(env.get("SLURM_JOB_ID", "0"))
    port = int(env.get("MASTER_PORT") or 15000 + own % 10000)
    rank, local_rank = int(env["SLURM_PROCID"]), int(env["SLURM_LOCALID"])
    return Launch("srun", rank, size, local_rank, size // num_nodes, address, port)
