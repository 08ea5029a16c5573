"""TaskTeacher: learns what may be seen of a task's labels and nothing else, and an experiment says that it did."""

import pytest
import torch
import yaml

from sigraph.config import ConfigError
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.experiment import run
from sigraph.targets import JoinedTargets, TaskTeacher
from sigraph.tasks import SeenLabels, Task

N = 60
SMALL = {"hidden_channels": 16, "out_channels": 8, "max_epochs": 40, "accelerator": "cpu"}


def ground():
    """Two groups that features tell apart badly; edges within them."""
    draw = torch.Generator().manual_seed(0)
    y = torch.arange(N) % 2
    pairs = torch.combinations(torch.arange(N)).T
    pairs = pairs[:, (y[pairs[0]] == y[pairs[1]]) & (torch.rand(pairs.size(1), generator=draw) < 0.1)]
    x = torch.randn(N, 6, generator=draw) + 0.4 * y[:, None]
    return SampleDataset(x), PretrainGraph(pairs, N), y


def seen(y, count=16):
    missing = -1 if not y.is_floating_point() else float("nan")
    shown = torch.arange(N) < count
    kind = "multilabel" if y.dim() == 2 else "regression" if y.is_floating_point() else "classification"
    hidden = torch.where(shown.view(-1, *[1] * (y.dim() - 1)), y, missing)
    return {"group": SeenLabels(kind, hidden, y.size(1) if y.dim() == 2 else 2 if kind == "classification" else 1)}


def nearest_mean(rows, y, count=16):
    """How often a row that was not shown is nearer to the mean of its group's shown ones."""
    centre = torch.stack([rows[:count][y[:count] == one].mean(dim=0) for one in (0, 1)])
    return float((torch.cdist(rows[count:], centre).argmin(dim=1) == y[count:]).float().mean())


@pytest.mark.parametrize("reads", ["hidden", "logits"])
@pytest.mark.parametrize("more", [{}, {"batch_size": 6, "num_neighbors": 3}, {"held_back_rate": 0.3}], ids=str)
def test_what_it_learns_holds_of_samples_without_labels(reads, more):
    dataset, graph, y = ground()
    found = TaskTeacher(seen(y), reads=reads, **SMALL, **more).fit(dataset, graph)
    features = nearest_mean(torch.nn.functional.normalize(dataset.samples - dataset.samples.mean(dim=0)), y)
    assert nearest_mean(found, y) > max(0.9, features)


def test_columns_and_numbers():
    dataset, graph, y = ground()
    for labels in (torch.stack([y, 1 - y], dim=1).float(), 300.0 + 50 * y):
        assert nearest_mean(TaskTeacher(seen(labels), **SMALL).fit(dataset, graph), y) > 0.9
    with pytest.raises(ValueError, match="'reads' needs to be 'hidden' in 'TaskTeacher': task 'group' predicts one"):
        TaskTeacher(seen(300.0 + 50 * y), reads="logits")


def test_labels_held_back_choose_the_epochs(monkeypatch):
    """They are trained on as well afterwards, for as many epochs as cost them least before."""
    dataset, graph, y = ground()
    counts = []
    taught = TaskTeacher._taught

    def watched(self, batches, node, num_epochs, *more):
        network, best = taught(self, batches, node, num_epochs, *more)
        counts.append((len(node), num_epochs, best))
        return network, best

    monkeypatch.setattr(TaskTeacher, "_taught", watched)
    noisy = torch.where(torch.rand(N, generator=torch.Generator().manual_seed(1)) < 0.4, 1 - y, y)
    TaskTeacher(seen(noisy), held_back_rate=0.25, **SMALL).fit(dataset, graph)
    (first, epochs, best), (second, chosen, _) = counts
    assert (first, epochs, second, chosen) == (12, 40, 16, best) and best < 40


def test_labels_of_hidden_samples_are_left_out():
    dataset, graph, y = ground()
    labels, joined = seen(y, 30), torch.arange(20)
    other = {"group": labels["group"]._replace(y=torch.where(torch.arange(N) < 20, labels["group"].y, 0))}
    for make in (lambda given: TaskTeacher(given, **SMALL), lambda given: JoinedTargets([TaskTeacher(given, **SMALL)])):
        found, again = (make(given).fit(dataset, graph, joined) for given in (labels, other))
        assert torch.equal(found, again)


def test_wrong_labels_are_named():
    dataset, graph, y = ground()
    labels = seen(y)
    for wrong, message in [
        (y, "'labels' needs a mapping of tasks to sigraph.tasks.SeenLabels in 'TaskTeacher'"),
        ({}, r"'task' needs a name in 'TaskTeacher': .* \(there are: none\)"),
        ({**labels, "other": labels["group"]}, r"'task' needs a name .* \(there are: 'group', 'other'\)"),
        (seen(y, 0), "names 'group', of which pre-training may see no label"),
    ]:
        with pytest.raises(ValueError, match=message):
            TaskTeacher(wrong)
    with pytest.raises(ValueError, match=r"names 'gruop', which is no task of samples \(did you mean 'group'\?\)"):
        TaskTeacher(labels, task="gruop")
    with pytest.raises(ValueError, match=r"'labels' needs a label a sample .*\(got 60, and 59 samples\)"):
        TaskTeacher(labels).compute(dataset.subset(torch.arange(59)), graph, 0)
    with pytest.raises(ValueError, match="'held_back_rate' needs two labels of task 'group'"):
        TaskTeacher(seen(y, 1), held_back_rate=0.5).fit(dataset, graph)


@pytest.fixture
def taught(toy):
    target = {"_target_": "sigraph.targets.TaskTeacher", "task": "block", "out_channels": 4, "max_epochs": 2}
    toy["pretrain"] |= {
        "structure_loss": {"_target_": "sigraph.losses.TargetLoss", "target": target},
        "sampler": "SeedsOnly",
        "objective": None,
        "structure_weight": 1.0,
    }
    return toy | {"seeds": [0], "arms": {"task-teacher": {}}, "baseline": "task-teacher"}


def test_an_experiment_records_that_training_labels_were_used(taught, tmp_path):
    other = {"_target_": "sigraph.targets.TeacherEmbedding", "teacher": {"_target_": "sigraph.targets.teachers.CCASSG"}}
    other |= {"out_channels": 4}
    other["teacher"] |= {"hidden_channels": 4, "max_epochs": 1}
    taught["arms"]["teacher"] = {"pretrain.structure_loss.target": other}
    file = tmp_path / "e.yaml"
    file.write_text(yaml.safe_dump(taught))
    results = run(file)
    assert not results.failed
    visible = {record["arm"]: record["visible"]["labels"] for record in results.records}
    assert visible == {"task-teacher": "train", "teacher": "none"}


def test_a_task_whose_training_labels_another_tests_is_refused(taught, toy_dataset, tmp_path):
    ids = torch.arange(40)
    twin = Task("twin", toy_dataset.tasks["block"].labels, {"train": ids[20:], "valid": ids[10:20], "test": ids[:10]})
    toy_dataset.replace(tasks={**toy_dataset.tasks, "twin": twin}).save(tmp_path / "toy", overwrite=True)
    taught["finetune"] = [{"task": "twin", "head": "linear", "max_epochs": 1}]
    file = tmp_path / "e.yaml"
    file.write_text(yaml.safe_dump(taught))
    with pytest.raises(ConfigError, match=r"learns the labels of task 'block', which are those of 10 test samples"):
        run(file)
    taught["pretrain"]["structure_loss"]["target"]["task"] = "size"
    file.write_text(yaml.safe_dump(taught))
    assert not run(file).failed
