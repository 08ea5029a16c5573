"""Tasks of pairs and of parts through whole experiments from YAML files, and a kind of task of one's own."""

import json
import warnings

import pyarrow.parquet as pq
import pytest
import torch
import yaml
from torch import nn

from sigraph.cli import main
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.encoders import MLPEncoder
from sigraph.finetune import FinetuneSettings, fine_tune
from sigraph.samples import token_table
from sigraph.tasks import BaseTask, PairTask, PartTask

N = 40


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def sequences():
    """Sequences of one of two alphabets, between a first and a last special token; the graph joins one alphabet."""
    y = torch.arange(N) % 2
    inner = [torch.randint(4, 8, (5 + i % 3,), generator=seeded(i)) + 4 * int(y[i]) for i in range(N)]
    whole = [torch.cat([torch.tensor([2]), part, torch.tensor([3])]) for part in inner]
    pairs = torch.combinations(torch.arange(N)).T
    same = y[pairs[0]] == y[pairs[1]]
    chosen = torch.rand(pairs.size(1), generator=seeded()) < 0.3
    judged = torch.rand(pairs.size(1), generator=seeded(1)) < 0.25
    graph = PretrainGraph(pairs[:, same & chosen & ~judged], N)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ids = torch.arange(N)
        split = {"train": ids[:20], "valid": ids[20:30], "test": ids[30:]}
        odd = PartTask("odd", [part % 2 for part in inner], split, ["accuracy", "rocauc"])
        rows = torch.randperm(int(judged.sum()), generator=seeded(2))
        parts = {"train": rows[:100], "valid": rows[100:140], "test": rows[140:]}
        alike = PairTask("alike", pairs[:, judged], same[judged].long(), parts, N, ["rocauc", "ap"])
    return SampleDataset(token_table(whole, 12, special_tokens=[2, 3]), {"same": graph}, {"odd": odd, "alike": alike})


def test_pairs_and_parts_run_from_a_yaml_and_are_found_again(tmp_path, capsys):
    sequences().save(tmp_path / "letters")
    tree = {
        "name": "letters",
        "seeds": [0],
        "output_dir": str(tmp_path / "runs"),
        "pretrain": {
            "dataset": str(tmp_path / "letters"),
            "graph": "same",
            "encoder": {"_target_": "TransformerEncoder", "out_channels": 8, "num_layers": 1, "num_heads": 2},
            "objective": {"_target_": "MaskedToken"},
            "batch_size": 20,
            "trainer": {"max_epochs": 2, "accelerator": "cpu"},
        },
        "finetune": [
            {"task": "odd", "head": "linear", "max_epochs": 5, "class_weight": "balanced", "primary": True},
            {"task": "odd", "head": "full", "max_epochs": 2, "label_smoothing": 0.1},
            {"task": "alike", "head": "linear", "converged": True, "pair": "concatenate"},
            {"task": "alike", "head": "full", "max_epochs": 2, "class_weight": [1.0, 2.0]},
        ],
        "arms": {"sipt": {}},
    }
    file = tmp_path / "letters.yaml"
    file.write_text(yaml.safe_dump(tree))
    assert main(["run", str(file)]) == 0
    (found,) = (json.loads(each.read_text()) for each in (tmp_path / "runs").glob("letters/sipt/*/seed-0/results.json"))
    tasks = {(one["task"], one["head"]): one for one in found["tasks"]}
    assert len(tasks) == 4 and found["status"] == "ok"
    assert list(tasks["odd", "linear"]["scores"]) == ["accuracy", "rocauc"]
    probe = tasks["alike", "linear"]
    assert probe["probe"]["num_strengths"] == 9 and probe["scores"]["rocauc"]["test"] == probe["test"]
    kept = {each.name.split("-")[0]: pq.read_table(each) for each in (tmp_path / "runs").rglob("*.parquet")}
    dataset = sequences()
    assert len(kept["odd"]) == len(dataset.task("odd").target(torch.arange(30, N)))
    assert kept["alike"]["item"].to_pylist() == dataset.task("alike").split["test"].tolist()
    before = {
        each: each.stat().st_mtime_ns for each in (tmp_path / "runs").rglob("*.json") if each.name != "results.json"
    }
    assert main(["run", str(file)]) == 0
    assert {each: each.stat().st_mtime_ns for each in before} == before
    capsys.readouterr()
    tree["finetune"] = [{"task": "alike", "head": "knn"}]
    file.write_text(yaml.safe_dump(tree))
    assert main(["run", str(file)]) != 0
    assert "'head' knn needs a task with a label a sample, but task 'alike' has one a pair" in capsys.readouterr().err


# A kind of task of one's own, in one file: which of three samples is the odd one out #################################


class OddOneOut(BaseTask):
    """Items are triples of samples; the head gives a score for each of the three."""

    item = "triple"
    metric, metrics, greater_is_better = "accuracy", ("accuracy",), True

    def __init__(self, name, triples, odd, split, num_samples):
        self.name, self.triples, self.odd, self.split, self._num_samples = name, triples, odd, split, num_samples

    @property
    def num_samples(self):
        return self._num_samples

    @property
    def num_items(self):
        return len(self.triples)

    def samples(self, items, generator=None):
        return self.triples[items].unique(return_inverse=True)

    def read(self, encoding, place, inputs):
        z = encoding.z[place]  # [n, 3, D]
        return (z - z.mean(dim=1, keepdim=True)).square()

    def head(self, encoder, settings):
        return nn.Sequential(nn.Dropout(settings.dropout), nn.Linear(encoder.out_channels, 1), nn.Flatten())

    def target(self, items):
        return self.odd[items]

    def loss(self, predicted, target, settings):
        return nn.functional.cross_entropy(predicted, target)

    def evaluate(self, items, predicted, metrics=None):
        return {"accuracy": float((predicted.argmax(dim=1).cpu() == self.odd[items]).float().mean())}


@pytest.mark.parametrize(("settings", "least"), [({}, 0.2), ({"head": "full", "batch_size": 50}, 0.6)])
def test_a_kind_of_task_from_outside_is_fine_tuned(settings, least):
    x = torch.randn(60, 4, generator=seeded())
    side = (x[:, 0] > 0).long()
    triples = torch.randint(60, (3000, 3), generator=seeded(1))
    sides = side[triples]
    mixed = (sides.sum(dim=1) % 3 > 0) & (triples.sort(dim=1).values.diff(dim=1) > 0).all(dim=1)
    triples, sides = triples[mixed][:800], sides[mixed][:800]
    odd = (sides == (sides.sum(dim=1) == 1).long()[:, None]).float().argmax(dim=1)
    rows = torch.arange(800)
    task = OddOneOut("odd", triples, odd, {"train": rows[:500], "valid": rows[500:650], "test": rows[650:]}, 60)
    dataset = SampleDataset(x, tasks={"odd": task})
    assert task.part_samples("test").tolist() == triples[650:].unique().tolist()
    torch.manual_seed(0)
    encoder = MLPEncoder(4, 16, 8, dropout=0.0)
    found = fine_tune(
        encoder, dataset, task, FinetuneSettings(**{"max_epochs": 60, "patience": 60, **settings}), accelerator="cpu"
    )
    assert found.test > least and found.scores == {"accuracy": {"valid": found.valid, "test": found.test}}
    with pytest.raises(ValueError, match="'class_weight' and 'label_smoothing' do not act on task 'odd'"):
        fine_tune(encoder, dataset, task, FinetuneSettings(class_weight="balanced"))
    with pytest.raises(ValueError, match="is a OddOneOut, which has no form on disk"):
        dataset.save("nowhere")
