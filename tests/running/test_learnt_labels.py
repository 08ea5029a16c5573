"""Objectives that learn labels: records say so, nothing hidden is learnt, labels that are tested are refused."""

import pytest
import torch
import yaml

import sigraph
from sigraph.config import ConfigError, config_from_dict
from sigraph.config.inductive import meaning
from sigraph.data import SampleDataset
from sigraph.experiment import run
from sigraph.running.learnt_labels import learns_labels, reads_labels
from sigraph.running.parts import build_parts
from sigraph.tasks import Task

MULTI = {"_target_": "sigraph.objectives.MultiTask", "tasks": ["block"]}


def pretraining(toy, **changes):
    return (
        config_from_dict({**toy, "pretrain": {**toy["pretrain"], "objective": MULTI, **changes}}).arm("sipt").pretrain
    )


@pytest.mark.parametrize("inductive", [False, True, "test", "edges", {"share": 0.4}], ids=meaning)
def test_labels_outside_training_change_no_bit_of_what_is_learnt(toy, toy_dataset, tmp_path, inductive):
    """Nor do those of training samples that are hidden, because another task tests them."""
    ids = torch.arange(40)
    other = Task("other", toy_dataset.tasks["size"].labels, {"train": ids[20:30], "valid": ids[30:], "test": ids[:6]})
    tasks, learnt = {**toy_dataset.tasks, "other": other}, []
    for planted in (False, True):
        labels = toy_dataset.tasks["block"].labels.clone()
        if planted:
            labels[10:] = 1 - labels[10:]
            labels[:6] = labels[:6] if inductive in (False, {"share": 0.4}) else 1 - labels[:6]
        dataset = toy_dataset.replace(tasks={**tasks, "block": Task("block", labels, tasks["block"].split)})
        dataset.save(tmp_path / "toy", overwrite=True)
        parts = build_parts(pretraining(toy, inductive=inductive), 0)
        node = torch.arange(len(parts.dataset))
        _, (found,) = parts.objective.corrupt(None, node, len(node))
        seen = parts.ground.sight.samples
        learnt.append((found, (found >= 0).nonzero().view(-1) if seen is None else seen[found >= 0]))
    assert all(torch.equal(a, b) for a, b in zip(*learnt, strict=True))
    expected = {True: set(range(6, 10)), "test": set(range(6, 10)), "edges": set(range(6, 10))}
    if not isinstance(inductive, dict):
        assert set(learnt[0][1].tolist()) == expected.get(inductive, set(range(10)))


def test_records_say_that_labels_were_used_and_what_they_may_be_compared_with(toy, tmp_path):
    toy["pretrain"]["objective"] = MULTI
    toy["arms"] = {
        "sipt": {},
        "structure-only": {"pretrain.structure_weight": 1.0},
        "no-pretraining": {"pretrain.trainer.max_epochs": 0},
        "masking": {"pretrain.objective": {"_target_": "sigraph.objectives.MaskedFeature"}},
    }
    toy |= {"baseline": "masking", "seeds": [0]}
    file = tmp_path / "e.yaml"
    file.write_text(yaml.safe_dump(toy))
    results = run(file)
    assert not results.failed
    assert {record["arm"]: record["visible"]["labels"] for record in results.records} == {
        "sipt": "train",
        "structure-only": "none",
        "no-pretraining": "none",
        "masking": "none",
    }


def test_training_labels_that_another_task_tests_are_refused_before_anything_trains(toy, toy_dataset, tmp_path):
    ids = torch.arange(40)
    twin = Task("twin", toy_dataset.tasks["block"].labels, {"train": ids[20:], "valid": ids[10:20], "test": ids[:10]})
    dataset = toy_dataset.replace(tasks={**toy_dataset.tasks, "twin": twin})
    dataset.save(tmp_path / "toy", overwrite=True)
    toy["pretrain"]["objective"] = MULTI
    toy["finetune"] = [{"task": "twin", "head": "linear", "max_epochs": 1}]
    file = tmp_path / "e.yaml"
    file.write_text(yaml.safe_dump(toy))
    with pytest.raises(ConfigError, match=r"learns the labels of task 'block', which are those of 10 test samples"):
        run(file)
    assert not list((tmp_path / "runs").rglob("results.json"))
    toy["pretrain"]["inductive"] = "test"  # the samples that are tested are hidden, their labels too
    file.write_text(yaml.safe_dump(toy))
    with pytest.raises(ConfigError, match=r"names 'block', of which pre-training may see no label"):
        run(file)


def test_what_reads_labels_is_found_however_deep():
    def pretrain(objective, **more):
        return sigraph.config.PretrainConfig(dataset="a", graph={}, encoder={}, objective=objective, **more)

    inner = {"_target_": "sigraph.objectives.ContextPrediction", "context_encoder": MULTI}  # it would be refused later
    assert reads_labels(pretrain(MULTI)) and reads_labels(pretrain(inner))
    assert not reads_labels(pretrain({"_target_": "sigraph.objectives.MaskedFeature"}))
    assert not reads_labels(pretrain(None))
    assert learns_labels(pretrain(MULTI, structure_weight=0.3))
    assert not learns_labels(pretrain(MULTI, structure_weight=1.0))


def test_a_data_set_without_tasks_of_samples_is_named(toy, toy_dataset, tmp_path):
    SampleDataset(toy_dataset.samples, toy_dataset.graphs).save(tmp_path / "toy", overwrite=True)
    with pytest.raises(
        ConfigError, match=r"pretrain.objective: 'tasks' of 'MultiTask' names 'block', .*there are: none"
    ):
        build_parts(pretraining(toy), 0)
