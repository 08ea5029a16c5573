"""The small things that are broken in the parts: tables, prepared folders, stores, experiments; and what they hold."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
import yaml

import sigraph as sg
from sigraph.edges import LabelSetStore
from sigraph.samples import token_table

HERE = Path(__file__).resolve().parent
ENCODER = "eager_encoder"
_NUM = 24
# What differs between any two runs; sums of records that hold it go with it.
_TIMES = {"seconds", "wall_seconds", "peak_memory_mb", "device", "commit", "written", "sum", "created"}


def command(*arguments: str) -> int:
    """``sigraph ...`` in this process, checkpoints after every epoch; the exit code."""
    import importlib.util

    import sigraph.cli

    spec = importlib.util.spec_from_file_location("_eager", HERE / "beside" / f"{ENCODER}.py")
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    module.save_always()
    try:
        return sigraph.cli.main(list(arguments))
    except SystemExit as error:  # argparse
        return error.code if isinstance(error.code, int) else 1


# Tables #######################################################################


def write_tables(folder: Path, shift: int = 0) -> None:
    """``samples.csv`` with a label, ``cites.csv`` with weights, ``more.csv``: another label; ids are text."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(shift)
    x = torch.randn(_NUM, 3, generator=generator)
    rows = [f"p{i},{'ab'[i % 2]}," + ",".join(f"{v:.4f}" for v in (x[i] + i % 2).tolist()) for i in range(_NUM)]
    (folder / "samples.csv").write_text("id,topic,f1,f2,f3\n" + "\n".join(rows) + "\n")
    ends = [(i, (i + step) % _NUM) for i in range(_NUM) for step in (2, 4)]
    edges = [f"p{i},p{j},{1 + (i + shift) % 3}" for i, j in ends]
    (folder / "cites.csv").write_text("source,target,weight\n" + "\n".join(edges) + "\n")
    numbers = [f"p{i},{i * 0.5 + shift}" for i in range(_NUM)]
    (folder / "more.csv").write_text("id,size\n" + "\n".join(numbers) + "\n")
    (folder / "numbered.csv").write_text(
        "source,target\n" + "\n".join(f"{i},{(j + shift) % _NUM}" for i, j in ends) + "\n"
    )


def write_foreign(folder: Path) -> None:
    """Files of someone else, beside what is written."""
    (folder / "notes").mkdir(parents=True, exist_ok=True)
    (folder / "notes" / "thesis.txt").write_text("years of work\n")
    (folder / ".mine-old.txt").write_text("a name like a temporary's\n")
    (folder / "mine.bak").mkdir(exist_ok=True)
    (folder / "mine.bak" / "manifest.json").write_text("{}\n")


# Data sets and stores #########################################################


def graphs() -> dict[str, sg.PretrainGraph]:
    """One with weights and groups, one of label sets."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.arange(_NUM)
    index = torch.stack([ids.repeat(3), torch.cat([(ids + step) % _NUM for step in (2, 4, 6)])])
    weight = torch.rand(index.size(1), generator=generator) + 0.5
    sets = LabelSetStore.from_sets(ids % 5, torch.tensor([[0, 1], [2, 3]]))
    return {
        "weighted": sg.PretrainGraph(index, _NUM, weight, ids % 2),
        "sets": sg.PretrainGraph.from_store(sets),
    }


def tasks() -> dict[str, sg.Task]:
    """One of each type."""
    ids = torch.arange(_NUM)
    split = {"train": ids[:12], "valid": ids[12:18], "test": ids[18:]}
    many = torch.stack([ids % 2, (ids // 2) % 2], dim=1).float()
    return {
        "topic": sg.Task("topic", ids % 2, split, classes=["even", "odd"]),
        "size": sg.Task("size", ids * 0.37, split, metric="rmse"),
        "marks": sg.Task("marks", many, split),
    }


def dataset(kind: str) -> sg.SampleDataset:
    """Feature rows, records or token sequences; each with another graph and another type of task."""
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(_NUM, 4, generator=generator)
    names: list[str] | None = None
    if kind == "features":
        samples: Any = x + torch.arange(_NUM).remainder(2)[:, None]
        names = ["f1", "f2", "f3", "f4"]
    elif kind == "records":
        samples = pa.table({"title": [f"paper {i}" for i in range(_NUM)], "year": [1990 + i for i in range(_NUM)]})
    else:
        samples = token_table([[2 + (i + j) % 7 for j in range(2 + i % 4)] for i in range(_NUM)], num_tokens=9)
    ids = [f"p{i}" for i in range(_NUM)]
    graph, task = {"features": ("weighted", "topic"), "records": ("sets", "marks"), "tokens": ("weighted", "size")}[
        kind
    ]
    of_it = ({graph: graphs()[graph]}, {task: tasks()[task]})
    return sg.SampleDataset(samples, *of_it, name=f"the {kind}", ids=ids, feature_names=names)


# Experiments ##################################################################


def experiment(folder: Path, own_encoder: bool = False, **change: Any) -> dict[str, Any]:
    """``mine.yaml`` on the data set ``mine`` beside it: hard negatives, a memory, two heads; perhaps an own encoder."""
    folder.mkdir(parents=True, exist_ok=True)
    if own_encoder:
        shutil.copyfile(HERE / "beside" / f"{ENCODER}.py", folder / f"{ENCODER}.py")
    memory = {
        "_target_": "sigraph.losses.CrossBatchMemory",
        "size": 16,
        "loss": {"_target_": "sigraph.losses.InfoNCELoss"},
    }
    tree: dict[str, Any] = {
        "name": "small",
        "seeds": [0],
        "output_dir": "runs",
        "pretrain": {
            "dataset": "mine",
            "graph": "cites",
            "encoder": {
                "_target_": f"{ENCODER}.EagerEncoder" if own_encoder else "sigraph.encoders.MLPEncoder",
                "hidden_channels": 6,
                "out_channels": 4,
                "dropout": 0.3,
            },
            "objective": {"_target_": "sigraph.objectives.MaskedFeature"},
            "sampler": {"_target_": "sigraph.samplers.HardNegativeSampler", "guard_rank": 1, "pool_size": 4},
            "structure_loss": memory,
            "structure_weight": 0.5,
            "batch_size": 12,
            "trainer": {"max_epochs": 2, "accelerator": "cpu"},
        },
        "finetune": [
            {"task": "topic", "head": "linear", "max_epochs": 2, "primary": True},
            {"task": "size", "head": "knn", "k": 2},
        ],
        "arms": {"sipt": {}},
    }
    for dotted, value in change.items():
        place = tree
        *above, last = dotted.split("__")
        for name in above:
            place = place[name]
        place[last] = value
    (folder / "mine.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))
    return tree


# What they hold ###############################################################


def digest(value: Any) -> str:
    """Sum of plain values, tensors and arrays, nested."""
    found = hashlib.sha256()
    _add(found, value)
    return found.hexdigest()[:16]


def _add(found: Any, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().contiguous().numpy()
    if isinstance(value, np.ndarray):
        found.update(f"{value.dtype}{value.shape}".encode())
        found.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, dict):
        found.update(b"{")
        for key in value:
            found.update(f"{key!r}:".encode())
            _add(found, value[key])
    elif isinstance(value, list | tuple):
        found.update(f"[{len(value)}".encode())
        for item in value:
            _add(found, item)
    elif isinstance(value, pa.Array | pa.ChunkedArray):
        _add(found, value.to_pylist())
    else:
        found.update(f"{value!r};".encode())


def everything(data: sg.SampleDataset) -> dict[str, Any]:
    """All that a user can get from a data set, and a step of training on it."""
    node = torch.arange(len(data))
    inputs = data.fetch(node)
    found: dict[str, Any] = {
        "name": data.name,
        "card": repr(data.card),
        "ids": data.ids,
        "feature_names": data.feature_names,
        "samples": tuple(inputs) if isinstance(inputs, tuple) else inputs,
        "fingerprint": data.fingerprint,
    }
    for name, graph in data.graphs.items():
        found[f"graph {name}"] = of_graph(graph)
    for name, task in data.tasks.items():
        found[f"task {name}"] = [task.labels, task.split, task.metric, task.type, repr(task.about), task.classes]
    if isinstance(inputs, torch.Tensor):
        found["step"] = _step(data)
    return found


def of_graph(graph: sg.PretrainGraph) -> list[Any]:
    """All that a user can get from a graph."""
    generator, nodes, store = torch.Generator().manual_seed(0), torch.arange(int(graph.num_nodes or 0)), graph.store
    return [
        graph.num_nodes,
        store.degree(nodes),
        store.all_neighbors(nodes),
        store.edges_between(nodes, nodes),
        store.draw_neighbors(nodes, 2, generator),
        store.draw_non_neighbors(nodes, 2, generator),
        store.weight,
        graph.group,
        graph.csr(),
    ]


def _step(data: sg.SampleDataset) -> list[torch.Tensor]:
    """Weights after a step of pre-training, by hand."""
    torch.manual_seed(0)
    encoder = sg.encoders.MLPEncoder(data.in_channels, hidden_channels=4, out_channels=4)
    node, pairs = sg.samplers.NeighborPairSampler(data.graph(), 2).sample(
        torch.arange(8), torch.Generator().manual_seed(0)
    )
    loss = sg.losses.InfoNCELoss()(encoder(data.fetch(node)).z, pairs)
    loss.backward()
    return [parameter.grad for parameter in encoder.parameters() if parameter.grad is not None]


def files_of(folder: Path, leave_out: Iterable[str] = ()) -> dict[str, str]:
    """Relative path -> sum of what each file below a folder says, its times left out; links and folders too."""
    found, out = {}, set(leave_out)
    for top, below, names in os.walk(folder):
        below[:] = [name for name in below if name not in out]
        for name in [*names, *below]:
            path = Path(top, name)
            where = path.relative_to(folder).as_posix()
            if name in out:
                continue
            if path.is_symlink():
                found[where] = f"-> {path.readlink()}"
            elif path.is_dir():
                found[where] = "folder"
            else:
                found[where] = hashlib.sha256(_said(path)).hexdigest()[:16]
    return found


def exact(folder: Path) -> dict[str, str]:
    """As :func:`files_of`, byte for byte."""
    found = files_of(folder)
    for where, what in found.items():
        if what != "folder" and not what.startswith("->"):
            found[where] = hashlib.sha256((folder / where).read_bytes()).hexdigest()[:16]
    return found


def exact_files(folder: Path) -> dict[str, str]:
    """As :func:`exact`, of plain files alone: pipes and what links lead to are not read."""
    found = {}
    for top, _, names in os.walk(folder):
        for path in (Path(top, name) for name in names):
            if path.is_file() and not path.is_symlink():
                found[path.relative_to(folder).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return found


def _said(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix != ".json":
        return data
    try:
        return json.dumps(_without_times(json.loads(data)), sort_keys=True).encode()
    except ValueError:
        return data


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(item) for key, item in value.items() if key not in _TIMES}
    return [_without_times(item) for item in value] if isinstance(value, list) else value


def results(folder: Path) -> dict[str, str]:
    """What a command left in a place, but for logs, locks and times."""
    found = files_of(folder)
    return {
        where: what
        for where, what in found.items()
        if not where.endswith(".lock") and not any(part.startswith("log-") for part in Path(where).parts)
    }


def changed(before: dict[str, str], after: dict[str, str]) -> Sequence[str]:
    """Paths that differ."""
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
