"""What a pre-training asks of the machine, before it starts: a device that is there, numbers that it can train with."""

from __future__ import annotations

import torch
from lightning.pytorch.accelerators import AcceleratorRegistry

from sigraph.config import ConfigError, TrainerConfig
from sigraph.data.memory import check_processes


def check_device(trainer: TrainerConfig) -> None:
    """Refuse an accelerator that is not there, and a number format that it does not train with.

    Raises:
        ConfigError: Names the key, and what works here.
        ValueError: More processes than the machine can run.
    """
    check_processes("pretrain.trainer.devices", trainer.devices)
    kind = device_kind(trainer.accelerator)
    if trainer.accelerator not in ("auto", "cpu") and not _is_there(kind):
        raise ConfigError(
            f"pretrain.trainer.accelerator: {trainer.accelerator!r} is not available to torch {torch.__version__} on "
            f"this machine; {' or '.join(map(repr, _there()))} works here"
        )
    if kind == "cuda" and trainer.devices > torch.cuda.device_count():
        raise ConfigError(
            f"pretrain.trainer.devices: needs to be <= {torch.cuda.device_count()}, the GPUs of this machine "
            f"(got {trainer.devices})"
        )


def device_kind(accelerator: str) -> str:
    """What an accelerator of the YAML is on this machine: ``cpu``, ``cuda``, ``mps``, ..."""
    if accelerator == "auto":
        return next((kind for kind in ("tpu", "cuda", "mps") if _is_there(kind)), "cpu")
    if accelerator == "gpu":
        return "mps" if _is_there("mps") else "cuda"
    return accelerator


def _is_there(kind: str) -> bool:
    """One that needs a package which is not installed is none."""
    try:
        return kind in AcceleratorRegistry and AcceleratorRegistry.get(kind).is_available()
    except ImportError:
        return False


def _there() -> list[str]:
    return ["auto", *(kind for kind in ("cpu", "cuda", "mps", "tpu") if _is_there(kind))]
