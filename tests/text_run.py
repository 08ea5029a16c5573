"""A small run on texts of three topics with every kind of head, for tests of what people take home from one."""

from pathlib import Path

import pyarrow as pa
import torch

from sigraph.config import config_from_dict
from sigraph.data import PretrainGraph, SampleDataset, Task
from sigraph.experiment import run
from sigraph.running.run_one import run_folder

TOPICS = ["cells", "galaxies", "markets"]
WORDS = {"cells": "protein membrane enzyme tissue", "galaxies": "star orbit redshift", "markets": "price bond yield"}


def dataset(number=60):
    """Texts, ids as people have them, and tasks of the three types of labels."""
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(3, (number,), generator=generator)
    texts = []
    for topic in y.tolist():
        words = (WORDS[TOPICS[topic]] + " the of and study result").split()
        drawn = torch.randint(len(words), (9,), generator=generator).tolist()
        texts.append(" ".join(words[i] for i in drawn))
    length = torch.tensor([len(text) for text in texts], dtype=torch.float64)
    columns = torch.stack([(y == 0).float(), (length > length.median()).float()], dim=1)
    ids = torch.arange(number)
    split = {"train": ids[:30], "valid": ids[30:45], "test": ids[45:]}
    tasks = {
        "topic": Task("topic", y, split, classes=TOPICS),
        "about": Task("about", columns, split, classes=["living", "long"]),
        "length": Task("length", 1000 + length, split, metric="mae"),
    }
    pairs = torch.combinations(ids).t()
    graph = PretrainGraph(pairs[:, y[pairs[0]] == y[pairs[1]]][:, ::3], number)
    records = pa.table({"text": texts})
    return SampleDataset(records, {"cites": graph}, tasks, name="papers", ids=[f"p{i}" for i in range(number)])


def settings(folder, **more):
    """The experiment, one arm and two seeds, as a plain mapping."""
    reader = {"_target_": "sigraph.readers.WordTokens", "min_count": 1}
    steps = {"max_epochs": 3, "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.05}}
    return {
        "name": "papers",
        "seeds": [0, 1],
        "output_dir": str(folder / "runs"),
        "pretrain": {
            "dataset": str(folder / "papers"),
            "graph": "cites",
            "reader": reader,
            "encoder": {"_target_": "sigraph.encoders.BagOfWordsEncoder", "out_channels": 8},
            "batch_size": 30,
            "trainer": {"max_epochs": 1, "accelerator": "cpu"},
        },
        "finetune": [
            {"task": "topic", "head": "linear", "normalize": True, **steps},
            {"task": "topic", "head": "full", "dropout": 0.1, **steps},
            {"task": "topic", "head": "knn", "k": 3},
            {"task": "about", "head": "linear", **steps},
            {"task": "length", "head": "linear", "converged": True},
        ],
        "references": False,
        **more,
    }


def ran(folder: Path):
    """Run it below a folder; the folders of both seeds."""
    dataset().save(folder / "papers")
    config = config_from_dict(settings(folder))
    assert not run(config).failed
    return [run_folder(config, config.arm("sipt"), seed) for seed in config.seeds]
