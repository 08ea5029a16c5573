"""A training within something else: random streams, gradients and number formats of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from sigraph.files.random import keyed_seed

ACCELERATORS = ("auto", "cpu", "gpu")


@contextmanager
def own_training(seed: int, accelerator: str = "auto") -> Iterator[torch.device]:
    """A block in which a network trains in float32, whatever goes on around it, and after which nothing of it is left.

    A target may be asked for in the middle of another training, or of its validation: gradients are on in the block,
    half precision is off, and torch's random numbers go on after it as if it had not been there.

    Args:
        seed: Of torch's random numbers in the block.
        accelerator: ``auto``: a CUDA GPU if there is one, else the CPU; ``cpu`` or ``gpu``.

    Yields:
        Where to train.

    Raises:
        ValueError: There is no GPU, and one is asked for.
    """
    there = torch.cuda.is_available()
    if accelerator == "gpu" and not there:
        raise ValueError(f"'accelerator' needs a CUDA GPU for 'gpu' (torch {torch.__version__} finds none); 'auto'")
    device = torch.device("cpu")
    if there and accelerator != "cpu":
        device = torch.device("cuda", torch.cuda.current_device())
    kept = torch.get_default_dtype()
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast(device.type, enabled=False),
        torch.random.fork_rng([device] if device.type == "cuda" else []),
    ):
        torch.manual_seed(keyed_seed(seed))
        torch.set_default_dtype(torch.float32)
        try:
            yield device
        finally:
            torch.set_default_dtype(kept)
