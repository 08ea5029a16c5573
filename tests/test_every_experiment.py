"""Every shipped experiment parses, instantiates and runs two steps an arm on a tiny stand-in of its data set."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from torch_geometric.data import Data

from sigraph.config import load_config
from sigraph.data import PretrainGraph, SampleDataset, load_card
from sigraph.data.ogb_facts import ogb_facts, ogb_names
from sigraph.experiment import run
from sigraph.tasks import PairTask, Task
from sigraph.tasks.links import LinkTask

RINGS = ["c1ccccc1", "C1CCCCC1", "c1ccncc1", "c1ccsc1", "C1CCNCC1", "c1ccoc1"]
FILES = sorted((Path(__file__).parent.parent / "experiments").rglob("*.yaml"))


def ogb_stand_in(name):
    """60 samples of an OGB data set: features or molecules, its graphs, its task."""
    facts, draw = ogb_facts(name), torch.Generator().manual_seed(0)
    edges = torch.randint(0, 60, (2, 200), generator=draw).sort(dim=0).values.unique(dim=1)
    graphs = {"node": ["cites", "writes"] if facts.is_hetero else ["edges"], "link": ["training-edges"], "graph": []}
    x: Any = torch.rand(60, 12, generator=draw)
    if facts.kind == "graph":
        sizes = torch.randint(2, 7, (60,), generator=draw).tolist()
        x = [
            Data(
                x=torch.randint(0, 2, (size, 9), generator=draw),
                edge_index=(ends := torch.randint(0, size, (2, 2 * size), generator=draw)),
                edge_attr=torch.randint(0, 2, (ends.size(1), 3), generator=draw),
            )
            for size in sizes
        ]
    ids = torch.arange(60)
    split = {"train": ids[:20], "valid": ids[20:40], "test": ids[40:]}
    y = ids % 3 if facts.type == "classification" else torch.randint(0, 2, (60, facts.num_tasks or 1), generator=draw)
    links = dict(zip(split, edges.split([edges.size(1) - 40, 20, 20], dim=1), strict=True))
    if facts.kind == "link":
        drawn = {part: torch.randint(0, 60, (2, 50), generator=draw) for part in ("valid", "test")}
        tasks: dict[str, Any] = {name: LinkTask(name, links, 60, facts.our_metric, negatives=drawn)}
    else:
        tasks = {name: Task(name, y, split, facts.our_metric, facts.type)}
    seen = links["train"] if facts.kind == "link" else edges
    joined = {key: PretrainGraph(seen[:, seen[0] != seen[1]], 60) for key in graphs[facts.kind]}
    smiles = [f"{'C' * (i // 6 + 1)}{RINGS[i % 6]}" for i in range(60)]
    return SampleDataset(x, joined, tasks, name=name, ids=smiles if facts.is_molecules else None)


def stand_in(name):
    """The graphs and tasks of a card, by name and type, over 60 random samples."""
    if name in ogb_names():
        return ogb_stand_in(name)
    card = load_card(name)
    generator = torch.Generator().manual_seed(0)
    pairs = torch.combinations(torch.arange(60)).t()
    joined = torch.rand(pairs.size(1), generator=generator) < 0.1
    edges, apart = pairs[:, joined], pairs[:, ~joined]
    ids = torch.arange(60)
    split = {"train": ids[:20], "valid": ids[20:40], "test": ids[40:]}
    tasks = {}
    for key, task in card.tasks.items():
        assert task.type in ("classification", "multilabel", "pair"), "teach this test the new type"
        y = ids % task.num_classes
        if task.type == "pair":  # of no graph: its test pairs would be told
            tasks[key] = PairTask(key, apart[:, :60], y, split, 60, metric=task.metrics or task.metric)
            continue
        if task.type == "multilabel":
            y = torch.randint(0, 2, (60, task.num_classes), generator=generator)
        tasks[key] = Task(key, y, split, metric=task.metric)
    x: Any = torch.randint(0, 2, (60, 12), generator=generator).float()
    if card.samples.kind == "records":  # as texts and as sequences
        letters = ["".join("ACDEFGHIKL"[i] for i in row) for row in torch.randint(0, 10, (60, 8), generator=generator)]
        words = [" ".join(2 * letter for letter in word) for word in letters]
        x = pa.table({"text": words, "sequence": letters})
    return SampleDataset(x, {key: PretrainGraph(edges, 60) for key in card.graphs}, tasks, name=name)


def test_there_are_experiments():
    assert {"cora/mlp.yaml", "manifold-torus/demo.yaml"} <= {"/".join(file.parts[-2:]) for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda file: "/".join(file.parts[-2:]))
def test_runs_two_steps(file, tmp_path):
    original = load_config(file)
    folder = tmp_path / "data"
    dataset = [f"pretrain.dataset='{folder}'"]
    if isinstance(original.pretrain.dataset, str):
        stand_in(original.pretrain.dataset).save(folder)
    else:  # a world makes a small one by itself
        held_out = [i for i, entry in enumerate(original.finetune) if entry.dataset]
        dataset = ["pretrain.dataset.num_samples=60", *(f"finetune.{i}.dataset.num_held_out=20" for i in held_out)]
    short = [f"finetune.{i}.max_epochs=2" for i, entry in enumerate(original.finetune) if not entry.converged]
    overrides = [
        *dataset,
        f"output_dir='{tmp_path / 'runs'}'",
        "pretrain.batch_size=30",
        "pretrain.trainer.max_epochs=1",
        "pretrain.trainer.accelerator=cpu",
        "seeds=[0]",
        "references=false",
        *short,
    ]
    config = load_config(file, overrides)
    results = run(config)
    assert not results.failed, results.failed
    assert {record["arm"] for record in results.records} == {*original.arm_names} - {*original.reference_names}
    for record in results.records:
        arm = config.arm(record["arm"])
        if arm.kind is not None:  # nothing is pre-trained, and heads make no difference
            assert record["pretrain"] is None and len(record["tasks"]) == len({entry.task for entry in arm.finetune})
            continue
        assert record["pretrain"]["num_steps"] == 2 * arm.pretrain.trainer.max_epochs
        assert len(record["tasks"]) == len(original.finetune)


@pytest.mark.parametrize("file", FILES, ids=lambda file: "/".join(file.parts[-2:]))
def test_says_what_it_asks_and_compares(file):
    config = load_config(file)
    assert config.question.endswith("?")
    assert config.baseline in config.arm_names and len(config.seeds) >= 3
    assert any(name.startswith("sipt") for name in config.arm_names)
