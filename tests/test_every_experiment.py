"""Every shipped experiment parses, instantiates and runs two steps an arm on a tiny stand-in of its data set."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from hu_file import hu_graphs, write_hu_file
from official_files import official
from ogb_files import write
from tiny_checkpoint import tiny_checkpoint, tiny_letters
from torch_geometric.data import Data

from sigraph.config import load_config
from sigraph.data import PretrainGraph, SampleDataset, load_card
from sigraph.data.ogb_facts import ogb_names
from sigraph.experiment import run
from sigraph.recipes import open_dataset
from sigraph.recipes.ego_networks import NODE_KINDS
from sigraph.recipes.hu_networks import hu_networks
from sigraph.running.kinds import missing_of
from sigraph.tasks import ContactTask, PairTask, PartTask, RetrievalTask, Task

FILES = sorted((Path(__file__).parent.parent / "experiments").rglob("*.yaml"))


def networks(count, generator):
    """Small graphs with the attributes of nodes that data sets of ego-networks have."""
    out = []
    for size in torch.randint(2, 7, (count,), generator=generator).tolist():
        x = torch.stack([torch.randint(kinds, (size,), generator=generator) for kinds in (*NODE_KINDS, 2)], dim=1)
        out.append(Data(x=x, edge_index=torch.randint(0, size, (2, 2 * size), generator=generator)))
    return out


def stand_in(name):
    """The graphs and tasks of a card, by name and type, over 60 random samples."""
    card = load_card(name)
    generator = torch.Generator().manual_seed(0)
    pairs = torch.combinations(torch.arange(60)).t()
    joined = torch.rand(pairs.size(1), generator=generator) < 0.1
    edges, apart = pairs[:, joined], pairs[:, ~joined]
    ids = torch.arange(60)
    split = {"train": ids[:20], "valid": ids[20:40], "test": ids[40:]}
    tasks = {}
    for key, task in card.tasks.items():
        metric = task.metrics or task.metric
        if task.type == "query":
            tasks[key] = RetrievalTask(key, [ids[30:], ids[:30]], ids[:30], {"valid": ids[30:45], "test": ids[45:]}, 60)
            continue
        if task.type == "regression":
            tasks[key] = Task(key, ids.float(), split, metric=metric)
            continue
        if task.type == "token":
            labels = [torch.arange(8) % task.num_classes] * 60
            tasks[key] = PartTask(key, labels, split, metric=metric)
            continue
        if task.type == "contact":
            contacts = [torch.tensor([[0, 1], [7, 7]])] * 60
            tasks[key] = ContactTask(key, contacts, [8] * 60, split, metric="short_precision@L/5")
            continue
        assert task.type in ("classification", "multilabel", "pair"), "teach this test the new type"
        y = ids % task.num_classes
        if task.type == "pair":  # of no graph: its test pairs would be told
            tasks[key] = PairTask(key, apart[:, :60], y, split, 60, metric=metric)
            continue
        if task.type == "multilabel":
            y = torch.randint(0, 2, (60, min(task.num_classes, 4)), generator=generator)  # a probe each
        tasks[key] = Task(key, y, split, metric=task.metric)
    x: Any = torch.randint(0, 2, (60, 12), generator=generator).float()
    if card.samples.kind == "records":  # as texts and as sequences
        letters = ["".join("ACDEFGHIKL"[i] for i in row) for row in torch.randint(0, 10, (60, 8), generator=generator)]
        words = [" ".join(2 * letter for letter in word) for word in letters]
        smiles = ["".join("CNO"[ord(letter) % 3] for letter in word) + "c1ccccc1" for word in letters]
        x = pa.table({"text": words, "sequence": letters, "smiles": smiles})
    if card.samples.kind == "graphs":
        x = networks(60, generator)
    return SampleDataset(x, {key: PretrainGraph(edges, 60) for key in card.graphs}, tasks, name=name)


def test_there_are_experiments():
    assert {"cora/mlp.yaml", "manifold-torus/demo.yaml"} <= {"/".join(file.parts[-2:]) for file in FILES}


# Six arms of eleven fine-tunings, as molecules/context.yaml has them; networks as the others are; and seven tasks
# of 39 classes. Worlds of 3,000 samples, topologies and the second set of molecules are shaped as those that stay.
SLOW = {
    *(f"semi-synthetic/{world}-3000.yaml" for world in ("cliques", "moebius", "plane", "sphere", "torus")),
    *(f"semi-synthetic/topology-{kind}.yaml" for kind in ("cluster", "motif", "role")),
    "ogb/ogbg-molbbbp.yaml",
    "molecules/masking.yaml",
    "networks/hu-networks.yaml",
    "arxiv-2023/tfidf.yaml",
    "arxiv-2023/targets.yaml",
    "cane-cora/targets.yaml",
    "arxiv-2023/minilm.yaml",
    "arxiv-2023/small.yaml",
    "proteins/yeast-pairs.yaml",
    *("proteins/tree-of-life.yaml", "abstracts/ogbn-mag.yaml"),  # one arm of each: test_paper_settings.py
}
# Files for a GPU: with encoders of their kind and small, on data sets of small files in the official form.
SMALL = {
    "proteins/tree-of-life.yaml": [
        *("pretrain.encoder.out_channels=16", "pretrain.encoder.feedforward_channels=16"),
        *("pretrain.encoder.num_layers=2", "pretrain.encoder.num_heads=2", "pretrain.num_workers=0"),
    ],
    "abstracts/ogbn-mag.yaml": ["pretrain.reader.max_length=16", "pretrain.num_workers=0"],
}


def of(file):
    name = "/".join(file.parts[-2:])
    return pytest.param(file, id=name, marks=[pytest.mark.slow] * (name in SLOW))


@pytest.mark.parametrize("file", map(of, FILES))
def test_runs_two_steps(file, tmp_path, monkeypatch):
    original = load_config(file)
    folder, half, called = tmp_path / "data", 30, "/".join(file.parts[-2:])
    made = (lambda name: official(name, tmp_path / "raw")) if called in SMALL else stand_in
    monkeypatch.chdir(tmp_path)
    for part in (original.pretrain.reader, original.pretrain.encoder):
        if part and part.get("checkpoint"):
            if "proteins" in called:
                tiny_letters(tmp_path / part["checkpoint"])
            else:
                tiny_checkpoint(tmp_path / part["checkpoint"], {2 * letter for letter in "acdefghikl"})
    dataset = [f"pretrain.dataset='{folder}'"]
    if original.pretrain.dataset in ogb_names():  # from small files in OGB's own format, by its name
        monkeypatch.setenv("SIGRAPH_DATA_SOURCE", str(tmp_path))
        write(tmp_path, original.pretrain.dataset)
        dataset, half = [], -(-len(open_dataset(original.pretrain.dataset)) // 2)
    elif original.pretrain.dataset == "hu-networks":  # that a user prepares
        hu_networks(write_hu_file(tmp_path / "hu.pt", hu_graphs(60), monkeypatch)).save(folder)
    elif isinstance(original.pretrain.dataset, str):
        made(original.pretrain.dataset).save(folder)
    else:  # a world makes a small one by itself
        held_out = [i for i, entry in enumerate(original.finetune) if entry.dataset]
        dataset = ["pretrain.dataset.num_samples=60", *(f"finetune.{i}.dataset.num_held_out=20" for i in held_out)]
    for i, entry in enumerate(original.finetune):
        if isinstance(entry.dataset, str):
            made(entry.dataset).save(tmp_path / entry.dataset, overwrite=True)
            dataset.append(f"finetune.{i}.dataset='{tmp_path / entry.dataset}'")
    if original.pretrain.steps_per_epoch is not None:
        dataset.append("pretrain.steps_per_epoch=2")
    guarded = [name for name in original.arm_names if "guard_rank" in original.arm(name).pretrain.sampler]
    dataset += [f"arms.{name}.pretrain.sampler.guard_rank=2" for name in guarded]  # of a few samples
    short = [f"finetune.{i}.max_epochs=2" for i, entry in enumerate(original.finetune) if not entry.converged]
    overrides = [
        *dataset,
        *SMALL.get(called, []),
        f"output_dir='{tmp_path / 'runs'}'",
        f"pretrain.batch_size={half}",
        "pretrain.trainer.max_epochs=1",
        "pretrain.trainer.accelerator=cpu",
        "seeds=[0]",
        "references=false",
        *short,
    ]
    config = load_config(file, overrides)
    results = run(config)
    assert not results.failed, [(record["arm"], record["reason"]) for record in results.failed]
    assert {record["arm"] for record in results.records} == {*original.arm_names} - {*original.reference_names}
    for record in results.records:
        arm = config.arm(record["arm"])
        if arm.kind is not None:  # nothing is pre-trained, and heads make no difference
            missing = missing_of(arm, 0)  # it predicts samples, and no parts of them
            asked = {(entry.dataset, entry.task) for entry in arm.finetune if entry.task not in missing}
            assert record["pretrain"] is None and len(record["tasks"]) == len(asked)
            continue
        assert record["pretrain"]["num_steps"] == 2 * arm.pretrain.trainer.max_epochs
        assert len(record["tasks"]) == len(original.finetune)


@pytest.mark.parametrize("file", FILES, ids=lambda file: "/".join(file.parts[-2:]))
def test_says_what_it_asks_and_compares(file):
    config = load_config(file)
    assert config.question.endswith("?")
    assert config.baseline in config.arm_names and len(config.seeds) >= 3
    assert any(name.startswith("sipt") for name in config.arm_names)
