"""A small run on sequences with tasks of pairs, links, letters, for tests of what people take home from one."""

from pathlib import Path

import pyarrow as pa
import torch

from sigraph.config import config_from_dict
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.experiment import run
from sigraph.running.run_one import run_folder
from sigraph.tasks import PairTask, PartTask
from sigraph.tasks.contacts import ContactTask
from sigraph.tasks.links import LinkTask

N = 30
HALVES = "ACDEF", "VWYTS"


def dataset():
    """Sequences of one of two halves of an alphabet: pairs of one half are bound, odd letters are marked."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(N) % 2
    sequences = []
    for half in y.tolist():
        drawn = torch.randint(5, (int(torch.randint(5, 9, (1,), generator=generator)),), generator=generator)
        sequences.append("".join(HALVES[half][i] for i in drawn.tolist()))
    pairs = torch.combinations(torch.arange(N)).T
    same = (y[pairs[0]] == y[pairs[1]]).long()
    order = torch.randperm(pairs.size(1), generator=generator)[:200]
    pairs, same = pairs[:, order], same[order]
    split = {"train": torch.arange(100), "valid": torch.arange(100, 150), "test": torch.arange(150, 200)}
    links = {part: pairs[:, ids][:, same[ids] == 1] for part, ids in split.items()}
    others = {part: pairs[:, ids][:, same[ids] == 0] for part, ids in split.items() if part != "train"}
    samples = {"train": torch.arange(20), "valid": torch.arange(20, 25), "test": torch.arange(25, N)}
    letters = [["AV".find(letter) >= 0 for letter in sequence] for sequence in sequences]
    marked = [["first" if one else "other" for one in sequence] for sequence in letters]
    lengths = [len(sequence) for sequence in sequences]
    touching = [torch.tensor([[0], [6]])[:, : int(n > 6)] for n in lengths]
    tasks = {
        "binds": PairTask("binds", pairs, ["yes" if one else "no" for one in same.tolist()], split, N),
        "first": PartTask("first", marked, samples),
        "link": LinkTask("link", links, N, "rocauc", negatives=others),
        "touch": ContactTask("touch", touching, lengths, samples, "short_precision@L/1"),
    }
    graph = PretrainGraph(torch.stack([torch.arange(N - 2), torch.arange(2, N)]), N)
    ids = [f"q{i}" for i in range(N)]
    return SampleDataset(pa.table({"sequence": sequences}), {"alike": graph}, tasks, name="letters", ids=ids)


def ran(folder: Path) -> Path:
    """Run it below a folder; the run's folder."""
    dataset().save(folder / "letters")
    steps = {"max_epochs": 1, "batch_size": 50}
    settings = {
        "name": "letters",
        "seeds": [0],
        "output_dir": str(folder / "runs"),
        "pretrain": {
            "dataset": str(folder / "letters"),
            "graph": "alike",
            "test_pairs": "leave-out",
            "reader": {"_target_": "sigraph.readers.SymbolTokens"},
            "encoder": {"_target_": "sigraph.encoders.GRUEncoder", "embedding_channels": 8, "out_channels": 8},
            "batch_size": 15,
            "trainer": {"max_epochs": 1, "accelerator": "cpu"},
        },
        "finetune": [
            {"task": "binds", "head": "linear", "converged": True, "pair": "concatenate"},
            {"task": "binds", "head": "full", **steps},
            {"task": "first", "head": "full", **steps},
            {"task": "link", "head": "linear", **steps},
            {"task": "touch", "head": "linear", **steps},
        ],
        "references": False,
    }
    config = config_from_dict(settings)
    assert not run(config).failed
    return run_folder(config, config.arm("sipt"), 0)
