"""What a pre-training asks of the machine, before it starts: a device that is there, numbers that it can train with."""

from __future__ import annotations

import torch
from lightning.pytorch.accelerators import AcceleratorRegistry

from sigraph.config import ConfigError, TrainerConfig
from sigraph.files.memory import check_processes
from sigraph.files.suggestions import did_you_mean

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed", "bf16-true", "64-true", "32", "bf16", "16", "64")
BF16_MIXED = ("bf16-mixed", "bf16")  # names of one thing
# Known to Lightning, but no pre-training comes out of it.
_NOT_TRAINED = {
    "16-true": "weights in float16 lose small gradients, and optimizers divide by what is rounded to 0",
    "transformer-engine": "its layers are not those of sigraph's encoders",
    "transformer-engine-float16": "its layers are not those of sigraph's encoders",
}


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
    _check_precision(trainer.precision, kind)
    if kind == "cuda" and trainer.devices > torch.cuda.device_count():
        raise ConfigError(
            f"pretrain.trainer.devices: needs to be <= {torch.cuda.device_count()}, the GPUs of this machine "
            f"(got {trainer.devices})"
        )


def _check_precision(precision: str, kind: str) -> None:
    where, given = "pretrain.trainer.precision", f"(got {precision!r})"
    if precision in _NOT_TRAINED:
        raise ConfigError(f"{where}: {_NOT_TRAINED[precision]} {given}; 'bf16-true' or 'bf16-mixed' are as fast")
    if precision not in PRECISIONS:
        names = ", ".join(PRECISIONS)
        raise ConfigError(f"{where}: needs to be one of {names} {given}{did_you_mean(precision, PRECISIONS)}")
    if kind == "cpu" and precision in ("16-mixed", "16"):
        raise ConfigError(f"{where}: float16 needs a GPU {given}; 'bf16-mixed' or '32-true' works on the CPU")
    if kind == "mps" and precision in ("64-true", "64"):
        raise ConfigError(f"{where}: float64 is not there on Apple's GPUs {given}; '32-true' is, or accelerator 'cpu'")


def device_kind(accelerator: str) -> str:
    """What an accelerator of the YAML is on this machine: ``cpu``, ``cuda``, ``mps``, ..."""
    if accelerator == "auto":
        return next((kind for kind in ("tpu", "cuda", "mps") if _is_there(kind)), "cpu")
    if accelerator == "gpu":
        return "mps" if _is_there("mps") else "cuda"
    return accelerator


def has_bf16() -> bool:
    """Whether the machine that ``auto`` means multiplies in bfloat16 faster than in float32."""
    kind = device_kind("auto")
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities() if kind == "cpu" and hasattr(torch.cpu, "get_capabilities") else {}
    return any(able.get(name) for name in ("amx_bf16", "avx512_bf16", "bf16"))


def _is_there(kind: str) -> bool:
    """One that needs a package which is not installed is none."""
    try:
        return kind in AcceleratorRegistry and AcceleratorRegistry.get(kind).is_available()
    except ImportError:
        return False


def _there() -> list[str]:
    return ["auto", *(kind for kind in ("cpu", "cuda", "mps", "tpu") if _is_there(kind))]
