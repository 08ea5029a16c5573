"""redraws: the parts keep their sizes and classes, test samples stay out, and the scores are scikit-learn's."""

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from sigraph.encoders import MLPEncoder
from sigraph.evaluation.finetune_settings import FinetuneSettings
from sigraph.evaluation.probe import STRENGTHS
from sigraph.evaluation.redraws import redrawn_scores, redrawn_task
from sigraph.files.random import keyed_generator
from sigraph.tasks import Task


@pytest.fixture
def task():
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(3, (90,), generator=generator)
    ids = torch.arange(90)
    return Task("topic", y, {"train": ids[:20], "valid": ids[20:60], "test": ids[60:]})


def test_a_redraw_keeps_sizes_classes_and_the_test_samples(task):
    drawn = [redrawn_task(task, keyed_generator(5, i)) for i in range(4)]
    both = torch.cat([task.split["train"], task.split["valid"]])
    for one in drawn:
        assert torch.equal(torch.cat([one.split["train"], one.split["valid"]]).sort().values, both)
        assert torch.equal(one.split["test"], task.split["test"])
        for part in ("train", "valid"):
            counts = [task.labels[split[part]].bincount(minlength=3) for split in (one.split, task.split)]
            assert torch.equal(*counts)
    assert len({tuple(one.split["train"].tolist()) for one in drawn}) == 4
    assert torch.equal(redrawn_task(task, keyed_generator(5, 2)).split["train"], drawn[2].split["train"])
    assert torch.equal(task.split["train"], torch.arange(20))  # it is not changed


def test_samples_that_pretraining_saw_do_not_validate_where_the_given_ones_are_hidden(task):
    hidden = torch.zeros(90, dtype=torch.bool)
    hidden[task.split["valid"]] = True
    drawn = redrawn_task(task, keyed_generator(1), hidden)
    assert len(drawn.split["train"]) == 20 and 20 <= len(drawn.split["valid"]) < 40
    assert bool(hidden[drawn.split["valid"]].all()) and bool(hidden[drawn.split["train"]].any())
    with pytest.raises(ValueError, match="leaves no sample to validate on"):
        redrawn_task(task, keyed_generator(1), torch.zeros(90, dtype=torch.bool))


def test_scores_are_those_of_a_probe_on_each_split_and_no_test_label_matters(task):
    z = torch.nn.functional.one_hot(task.labels, 3) + torch.randn(90, 3, generator=torch.Generator().manual_seed(1))
    encoder = MLPEncoder(5, hidden_channels=4, out_channels=3)
    found = redrawn_scores(task, encoder, z, FinetuneSettings(dropout=0.5), 3, 7)
    for i, score in enumerate(found):
        split = redrawn_task(task, keyed_generator(7, i)).split
        x, y = ({part: rows[split[part]].double().numpy() for part in ("train", "valid")} for rows in (z, task.labels))
        mean, std = x["train"].mean(axis=0), x["train"].std(axis=0)
        best = max(
            LogisticRegression(C=1 / (20 * strength), max_iter=20_000, tol=1e-6)
            .fit((x["train"] - mean) / std, y["train"])
            .score((x["valid"] - mean) / std, y["valid"])
            for strength in STRENGTHS
        )
        assert score == pytest.approx(best)
    assert len(set(found)) > 1
    labels = task.labels.clone()
    labels[task.split["test"]] = (labels[task.split["test"]] + 1) % 3
    other = Task("topic", labels, task.split)
    assert redrawn_scores(other, encoder, z, FinetuneSettings(), 3, 7) == found


def test_numbers_are_redrawn_at_random():
    task = Task("size", torch.arange(30.0), {"train": range(10), "valid": range(10, 25), "test": range(25, 30)})
    drawn = redrawn_task(task, keyed_generator(0))
    assert len(drawn.split["train"]) == 10 and len(drawn.split["valid"]) == 15
    assert redrawn_scores(task, MLPEncoder(5, out_channels=1), task.labels[:, None], FinetuneSettings(), 2, 0)[0] < 1
