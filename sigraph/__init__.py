"""sigraph: structure-inducing pre-training.

Pre-trains a per-sample encoder so that its latent space reflects a graph over the samples, fine-tunes it on tasks with
few labels, and says honestly whether the graph helped. Public names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_FOLDERS = (
    *("data", "encoders", "evaluation", "graphs", "losses", "objectives", "report", "samplers", "synthetic"),
    "theory",
)
_NAMES = {
    "EdgeStore": "data",
    "Evaluator": "evaluation",
    "FinetuneModule": "finetune",
    "FinetuneSettings": "finetune",
    "HeldOutValidation": "pretrain",
    "Pairs": "data",
    "PretrainBatch": "data",
    "PretrainGraph": "data",
    "PretrainModule": "pretrain",
    "RefreshNegatives": "refresh",
    "SampleDataset": "data",
    "StructureCollator": "collate",
    "Task": "data",
    "audit": "theory",
    "embed": "encoders",
    "fine_tune": "finetune",
    "load_config": "config",
    "load_encoder": "load",
    "open_dataset": "data",
    "prepare": "data",
    "pretrain_loader": "collate",
    "run": "experiment",
}

__all__ = sorted([*_NAMES, *_FOLDERS])


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        value = getattr(import_module(f"sigraph.{_NAMES[name]}"), name)
    elif name in _FOLDERS:
        value = import_module(f"sigraph.{name}")
    else:
        raise AttributeError(f"module 'sigraph' has no attribute {name!r}; it has {', '.join(__all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


if TYPE_CHECKING:
    from sigraph.collate import StructureCollator, pretrain_loader
    from sigraph.config import load_config
    from sigraph.data import EdgeStore, Pairs, PretrainBatch, PretrainGraph, SampleDataset, Task
    from sigraph.encoders import embed
    from sigraph.experiment import run
    from sigraph.export.load import load_encoder
    from sigraph.finetune import FinetuneModule, FinetuneSettings, fine_tune
    from sigraph.pretrain import HeldOutValidation, PretrainModule
    from sigraph.recipes import open_dataset, prepare
    from sigraph.samplers.refresh import RefreshNegatives
    from sigraph.tasks import Evaluator
    from sigraph.theory.audit import audit
