"""sigraph: structure-inducing pre-training.

Pre-trains a per-sample encoder so that its latent space reflects a graph over the samples, fine-tunes it on tasks with
few labels, and says honestly whether the graph helped. Public names are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sigraph.files.lazy_names import lazy_names

__version__ = "0.1.0"

_FOLDERS = (
    *("data", "edges", "encoders", "evaluation", "export", "graphs", "leaderboard", "losses", "neighbors"),
    *(
        "objectives",
        "readers",
        "recipes",
        "report",
        "samplers",
        "samples",
        "sklearn",
        "synthetic",
        "tables",
        "targets",
        "tasks",
        "theory",
    ),
)
_NAMES = {
    "EdgeStore": "edges",
    "Evaluator": "tasks",
    "FinetuneModule": "finetune",
    "FinetuneSettings": "finetune",
    "HeldOutValidation": "pretrain",
    "Pairs": "data",
    "PretrainBatch": "data",
    "PretrainGraph": "data",
    "PretrainModule": "pretrain",
    "RefreshNegatives": "samplers.refresh",
    "SampleDataset": "data",
    "StructureCollator": "collate",
    "Task": "tasks",
    "audit": "theory",
    "embed": "encoders",
    "fine_tune": "finetune",
    "load_config": "config",
    "load_encoder": "export",
    "load_reader": "export",
    "open_dataset": "recipes",
    "predict": "export",
    "prepare": "recipes",
    "pretrain_loader": "collate",
    "run": "experiment",
    "save_encoder": "export",
    "save_sentence_transformer": "export",
}

__all__ = sorted([*_NAMES, *_FOLDERS])

__getattr__ = lazy_names(__name__, {name: f"sigraph.{_NAMES.get(name, name)}" for name in __all__})


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


if TYPE_CHECKING:
    from sigraph.collate import StructureCollator, pretrain_loader
    from sigraph.config import load_config
    from sigraph.data import Pairs, PretrainBatch, PretrainGraph, SampleDataset
    from sigraph.edges import EdgeStore
    from sigraph.encoders import embed
    from sigraph.experiment import run
    from sigraph.export import load_encoder, load_reader, predict, save_encoder, save_sentence_transformer
    from sigraph.finetune import FinetuneModule, FinetuneSettings, fine_tune
    from sigraph.pretrain import HeldOutValidation, PretrainModule
    from sigraph.recipes import open_dataset, prepare
    from sigraph.samplers.refresh import RefreshNegatives
    from sigraph.tasks import Evaluator, Task
    from sigraph.theory import audit
