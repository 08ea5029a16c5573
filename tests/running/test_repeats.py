"""Several fine-tunings of a pre-training: means of their scores, the preferred one kept, an interval over all."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from sigraph.config import ConfigError, config_from_dict
from sigraph.config.schema import FinetuneConfig, settings_hash
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.experiment import run
from sigraph.export.heads import read_head
from sigraph.finetune import FinetuneResult
from sigraph.leaderboard.predictions import PREDICTIONS
from sigraph.leaderboard.result_files import HEADS
from sigraph.running import stages
from sigraph.running.repeats import fine_tune_each, head_seed, mean_of
from sigraph.running.run_one import run_folder
from sigraph.tasks import Task

NUMBER = 3


@pytest.fixture
def tree(tmp_path):
    ids = torch.arange(60)
    graph = PretrainGraph(torch.stack([ids[:-2], ids[2:]]), 60)
    x = torch.randn(60, 3, generator=torch.Generator().manual_seed(0)) + 0.4 * (ids % 2)[:, None]
    task = Task("odd", ids % 2, {"train": ids[:10], "valid": ids[10:30], "test": ids[30:]})
    SampleDataset(x, {"line": graph}, {"odd": task}, name="toy").save(tmp_path / "toy")
    pretrain = {"dataset": str(tmp_path / "toy"), "graph": "line", "batch_size": 20, "trainer": {"max_epochs": 1}}
    pretrain |= {"encoder": {"_target_": "sigraph.encoders.MLPEncoder", "hidden_channels": 4, "out_channels": 2}}
    pretrain |= {"objective": {"_target_": "sigraph.objectives.MaskedFeature"}}
    plain = {"name": "e", "seeds": [0, 1], "pretrain": pretrain, "baseline": "none", "output_dir": str(tmp_path / "r")}
    plain |= {"arms": {"sipt": {}, "none": {"pretrain.trainer.max_epochs": 0}}}
    return {**plain, "finetune": [{"task": "odd", "head": "full", "max_epochs": 2, "repeats": NUMBER}]}


def test_a_score_is_the_mean_of_fine_tunings_from_seeds_of_their_own(tree, monkeypatch):
    found, original = {}, stages.fine_tune

    def watched(encoder, dataset, task, settings, seed, *rest):
        found[seed] = original(encoder, dataset, task, settings, seed, *rest)
        return found[seed]

    monkeypatch.setattr(stages, "fine_tune", watched)
    config = config_from_dict(tree)
    results = run(config)
    assert set(found) == {head_seed(seed, i) for seed in (0, 1) for i in range(NUMBER)} and len(found) == 2 * NUMBER
    trained = [record for record in results.records if record["pretrain"] is not None]
    assert len({one["test"] for record in trained for one in record["tasks"][0]["repeats"]}) > 1
    assert len(trained) == 4
    for record in trained:
        (task,) = record["tasks"]
        assert task["test"] == pytest.approx(np.mean([one["test"] for one in task["repeats"]]))
        assert task["valid"] == pytest.approx(np.mean([one["valid"] for one in task["repeats"]]))
        assert task["scores"]["accuracy"]["test"] == pytest.approx(task["test"])
        folder = run_folder(config, config.arm(record["arm"]), record["seed"])
        table = pq.read_table(folder / PREDICTIONS / task["predictions"]["file"]).to_pandas()
        assert list(table["repeat"]) == sorted(30 * list(range(NUMBER)))
        assert list(table["item"]) == NUMBER * list(range(30, 60))
        right = table["y_pred_1"].gt(table["y_pred_0"]) == table["y_true"].eq(1)
        each = right.groupby(table["repeat"]).mean()
        assert list(each) == pytest.approx([one["test"] for one in task["repeats"]])
        if record["arm"] == "none":  # the last that was fine-tuned for each seed
            own = [found[head_seed(record["seed"], i)] for i in range(NUMBER)]
            assert [one["valid"] for one in task["repeats"]] == [one.valid for one in own]
            kept = read_head(folder / HEADS, task["trained_head"])
            best = max(own, key=lambda one: one.valid)  # the first of equally good ones
            for name, weight in best.head.state_dict().items():
                torch.testing.assert_close(kept.module.state_dict()[name], weight)
    found.clear()
    assert all(record["found"] for record in run(config).records) and not found


def test_the_table_says_how_many_and_the_interval_is_over_all_of_them(tree):
    results = run(config_from_dict(tree))
    row = next(row for row in results.leaderboard().rows() if row["arm"] == "sipt")
    each = [[one["test"] for one in r["tasks"][0]["repeats"]] for r in results.records if r["arm"] == "sipt"]
    assert row["repeats"] == NUMBER and row["n"] == 2
    assert row["repeats_std"] == pytest.approx(np.sqrt(np.mean([np.var(one, ddof=1) for one in each])))
    assert row["difference_low"] <= row["difference"] <= row["difference_high"]
    assert f"full ×{NUMBER}" in results.leaderboard().table()


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"head": "knn"}, "'finetune.0.repeats' does not act with 'head: knn'"),
        ({"head": "linear", "converged": True}, "'finetune.0.repeats' does not act with 'converged: true'"),
        ({"head": "full", "repeats": 0}, "'finetune.0.repeats' needs to be in .1, 1000."),
    ],
)
def test_what_would_be_the_same_each_time_is_refused(tree, entry, said):
    with pytest.raises(ConfigError, match=said):
        config_from_dict({**tree, "finetune": [{"task": "odd", "repeats": 2, **entry}]})


def test_an_entry_without_repeats_is_what_it_was():
    plain = FinetuneConfig(task="t", head="full").to_dict()
    assert settings_hash(plain) == settings_hash({key: value for key, value in plain.items() if key != "repeats"})
    assert settings_hash(plain) != settings_hash({**plain, "repeats": 2})
    assert head_seed(3, 0) == stages.head_seed(3, 0) != head_seed(3, 1) != head_seed(4, 1)


@pytest.mark.parametrize(("greater_is_better", "kept"), [(True, 1), (False, 0)])
def test_the_first_of_those_that_validation_prefers_is_kept(greater_is_better, kept):
    results = [FinetuneResult(valid, None, i, 0) for i, valid in enumerate([0.25, 0.5, 0.5, 0.25])]
    done = fine_tune_each(results.__getitem__, 4, greater_is_better, lambda one: {"valid": one.valid})
    assert done.kept is results[kept] and done.figures["valid"] == 0.375 and done.predicted == []
    assert [one["best_epoch"] for one in done.figures["repeats"]] == [0, 1, 2, 3]


def test_a_mean_of_what_is_not_always_defined_is_none():
    found = [{"a": {"n": 3, "x": 1.0}, "y": 1.0}, {"a": {"n": 3, "x": None, "why": "one class"}, "y": 2.0}]
    assert mean_of(found) == {"a": {"n": 3, "x": None, "why": "one class"}, "y": 1.5}
