"""Pre-training and fine-tuning stages: recognised, resumed, and the same either way."""

import shutil
from dataclasses import replace
from functools import partial

import pytest
import torch
from safetensors.torch import load_file

from sigraph import __version__
from sigraph.config import config_from_dict
from sigraph.config.trust import trusting
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.experiment import _summary
from sigraph.files.sealed import read_sealed, write_sealed
from sigraph.leaderboard.result_files import ENCODER
from sigraph.machines.trainer import SaveProgress, TimeIsUp
from sigraph.running import stages
from sigraph.running.parts import pretrain_hash
from sigraph.running.stages import FINETUNE, PRETRAIN, PROGRESS, finetune_stage, pretrain_stage
from sigraph.tasks import Task


@pytest.fixture
def folder(tmp_path):
    """A prepared data set: two blocks of samples whose features say little, joined within blocks."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(40) % 2
    x = torch.randn(40, 6, generator=generator) + 0.3 * y[:, None]
    pairs = torch.combinations(torch.arange(40)).t()
    same = pairs[:, (y[pairs[0]] == y[pairs[1]])]
    edges = same[:, torch.rand(same.size(1), generator=generator) < 0.3]
    split = {"train": torch.arange(10), "valid": torch.arange(10, 20), "test": torch.arange(20, 40)}
    dataset = SampleDataset(x, {"blocks": PretrainGraph(edges, 40)}, {"block": Task("block", y, split)}, name="toy")
    dataset.save(tmp_path / "toy")
    return tmp_path / "toy"


def experiment(folder, **pretrain_keys):
    tree = {
        "name": "toy",
        "seeds": [0],
        "pretrain": {
            "dataset": str(folder),
            "graph": "blocks",
            "encoder": {
                "_target_": "sigraph.encoders.MLPEncoder",
                "hidden_channels": 8,
                "out_channels": 4,
                "dropout": 0.5,
            },
            "objective": {"_target_": "sigraph.objectives.MaskedFeature"},
            "batch_size": 16,
            "trainer": {"max_epochs": 4, "accelerator": "cpu"},
            **pretrain_keys,
        },
        "finetune": [{"task": "block", "head": "linear", "max_epochs": 5}],
    }
    return config_from_dict(tree).arm("sipt")


def weights(path):
    return load_file(path / ENCODER)


def test_finished_pretraining_is_found_and_equal(folder, tmp_path):
    config = experiment(folder).pretrain
    first, _, record = pretrain_stage(config, 0, tmp_path / "run")
    (tmp_path / "run" / PROGRESS).write_bytes(b"of one that was killed after its last file")
    ticks = []
    again, _, found = pretrain_stage(config, 0, tmp_path / "run", ticks.append)
    assert found == record and ticks == [4]
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True))
    assert record["num_steps"] == 4 * 3 and not (tmp_path / "run" / PROGRESS).exists()


def test_seeds_differ_and_repeat(folder, tmp_path):
    config = experiment(folder).pretrain
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        pretrain_stage(config, seed, tmp_path / name)
    a, b, c = (weights(tmp_path / name) for name in "abc")
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert any(not torch.equal(a[key], c[key]) for key in a)


def test_workers_change_nothing(folder, tmp_path):
    pretrain_stage(experiment(folder).pretrain, 0, tmp_path / "none")
    pretrain_stage(experiment(folder, num_workers=2).pretrain, 0, tmp_path / "two")
    none, two = weights(tmp_path / "none"), weights(tmp_path / "two")
    assert all(torch.equal(none[key], two[key]) for key in none)
    assert pretrain_hash(experiment(folder).pretrain) == pretrain_hash(experiment(folder, num_workers=2).pretrain)


def test_a_killed_run_resumes_to_the_same_weights(folder, tmp_path, monkeypatch):
    config = experiment(folder).pretrain
    pretrain_stage(config, 0, tmp_path / "whole")

    class Killed(Exception):
        pass

    monkeypatch.setattr(SaveProgress.__init__, "__defaults__", (0.0, None))
    done = []

    def kill(count):
        done.append(count)
        if sum(done) == 2:
            raise Killed

    with pytest.raises(Killed):
        pretrain_stage(config, 0, tmp_path / "killed", kill)
    assert (tmp_path / "killed" / PROGRESS).is_file() and not (tmp_path / "killed" / ENCODER).exists()
    ticks = []
    _, _, record = pretrain_stage(config, 0, tmp_path / "killed", ticks.append)
    assert ticks[0] > 0 and sum(ticks) == 4  # some epochs were not done again
    whole, killed = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert all(torch.equal(whole[key], killed[key]) for key in whole)
    assert record["num_steps"] == 4 * 3


def test_checkpoint_of_other_settings_is_not_resumed(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(SaveProgress.__init__, "__defaults__", (0.0, None))

    def kill(count):
        if count:
            raise KeyboardInterrupt

    config = experiment(folder).pretrain
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        pretrain_stage(config, 0, tmp_path / "run", kill)
    other = experiment(folder, batch_size=20).pretrain
    pretrain_stage(other, 0, tmp_path / "run")
    pretrain_stage(other, 0, tmp_path / "clean")
    run, clean = weights(tmp_path / "run"), weights(tmp_path / "clean")
    assert all(torch.equal(run[key], clean[key]) for key in run)


@pytest.mark.parametrize("damage", [lambda whole: b"half", lambda whole: whole[:-300] + b"!" + whole[-299:]])
def test_a_damaged_checkpoint_is_said_and_everything_done_again(folder, tmp_path, monkeypatch, caplog, damage):
    """A bit of a weight flipped gave other weights and another score, and not a word."""
    config = experiment(folder).pretrain
    pretrain_stage(config, 0, tmp_path / "whole")
    with pytest.raises(TimeIsUp):
        pretrain_stage(config, 0, tmp_path / "run", deadline=0.0)
    file = tmp_path / "run" / PROGRESS
    file.write_bytes(damage(file.read_bytes()))
    ticks = []
    pretrain_stage(config, 0, tmp_path / "run", ticks.append)
    (said,) = caplog.records
    assert str(file) in said.message and "damaged" in said.message and "starts again" in said.message
    assert ticks[0] == 0 and sum(ticks) == 4 and not file.exists()
    whole, run = weights(tmp_path / "whole"), weights(tmp_path / "run")
    assert all(torch.equal(whole[key], run[key]) for key in whole)


def test_a_checkpoint_of_another_seed_is_not_resumed(folder, tmp_path, caplog):
    config = experiment(folder).pretrain
    with pytest.raises(TimeIsUp):
        pretrain_stage(config, 0, tmp_path / "zero", deadline=0.0)
    (tmp_path / "one").mkdir()
    shutil.copyfile(tmp_path / "zero" / PROGRESS, tmp_path / "one" / PROGRESS)
    pretrain_stage(config, 1, tmp_path / "one")
    pretrain_stage(config, 1, tmp_path / "clean")
    assert "or another seed; pre-training starts again" in caplog.text
    one, clean = weights(tmp_path / "one"), weights(tmp_path / "clean")
    assert all(torch.equal(one[key], clean[key]) for key in one)


def test_a_resumption_leaves_the_logs_that_are_there(folder, tmp_path):
    (tmp_path / "run" / "log-1").mkdir(parents=True)
    (tmp_path / "run" / "log-1" / "metrics.csv").write_text("of an attempt before")
    (tmp_path / "run" / "log-mine").write_text("a note")
    pretrain_stage(experiment(folder).pretrain, 0, tmp_path / "run")
    assert (tmp_path / "run" / "log-1" / "metrics.csv").read_text() == "of an attempt before"
    assert (tmp_path / "run" / "log-2" / "metrics.csv").is_file()


def test_changed_data_are_trained_again(folder, tmp_path):
    config = experiment(folder).pretrain
    _, dataset, record = pretrain_stage(config, 0, tmp_path / "run")
    SampleDataset(dataset.samples + 1, dataset.graphs, dataset.tasks, name="toy").save(folder, overwrite=True)
    _, _, again = pretrain_stage(config, 0, tmp_path / "run")
    assert again["data"] != record["data"]


def test_no_epochs_is_the_initial_encoder(folder, tmp_path):
    none = experiment(folder, trainer={"max_epochs": 0, "accelerator": "cpu"}).pretrain
    _, _, record = pretrain_stage(none, 0, tmp_path / "none")
    assert record["num_steps"] == 0 and record["validation"][0]["epoch"] == 0
    pretrain_stage(experiment(folder).pretrain, 0, tmp_path / "some")
    none, some = weights(tmp_path / "none"), weights(tmp_path / "some")
    assert any(not torch.equal(none[key], some[key]) for key in none)


def test_structure_weight_alone_changes_batches_not_at_all(folder, tmp_path):
    """Arms differ in what they state: the same number of steps on the same draws."""
    steps = {
        weight: pretrain_stage(experiment(folder, structure_weight=weight).pretrain, 0, tmp_path / str(weight))[2][
            "num_steps"
        ]
        for weight in (0.0, 0.5, 1.0)
    }
    assert len(set(steps.values())) == 1


def test_held_out_edges_are_not_trained_on(folder, tmp_path):
    held = pretrain_stage(experiment(folder, valid_edge_rate=0.25).pretrain, 0, tmp_path / "held")[2]
    whole = pretrain_stage(experiment(folder, valid_edge_rate=0.0).pretrain, 0, tmp_path / "whole")[2]
    assert held["num_edges"] + held["num_edges_held_out"] == whole["num_edges"]
    assert "valid_mrr" in held["validation"][-1] and "valid_mrr" not in whole["validation"][-1]


def test_finetuning_is_kept_per_setting(folder, tmp_path):
    arm = experiment(folder)
    encoder, dataset, _ = pretrain_stage(arm.pretrain, 0, tmp_path / "run")
    entry = arm.finetune[0]
    first = finetune_stage(entry, 0, encoder, dataset, tmp_path / "run")
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.zero_()  # were it computed again, this would show
    assert finetune_stage(entry, 0, encoder, dataset, tmp_path / "run") == first
    other = finetune_stage(replace(entry, max_epochs=6), 0, encoder, dataset, tmp_path / "run")
    assert other["valid"] == pytest.approx(0.5, abs=0.3) and len(list((tmp_path / "run" / "finetune").iterdir())) == 2


@pytest.mark.parametrize("text", ["{", "[1]", "\x00"])
def test_a_damaged_record_is_said_and_made_again(folder, tmp_path, caplog, text):
    config = experiment(folder).pretrain
    _, _, first = pretrain_stage(config, 0, tmp_path / "run")
    (tmp_path / "run" / PRETRAIN).write_text(text)
    _, _, again = pretrain_stage(config, 0, tmp_path / "run")
    assert "is damaged" in caplog.text and PRETRAIN in caplog.text
    assert again["validation"] == first["validation"]


def put(file, **changes):
    """A record whose sum is right."""
    write_sealed(file, {**read_sealed(file), **changes})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 1}, "'seed' is 1, not 0"),
        ({"transductive": False}, "'transductive' is false, not true"),
        ({"num_steps": 11}, "'num_steps' is 11, not 12"),
        ({"settings": "0" * 12}, "'settings' is '000000000000', not"),
        ({"data": "x"}, "'data' is 'x', not"),
        ({"version": "0.0"}, "'version' is '0.0', not"),
        ({"sources": {"mine": "1"}}, "'sources' is another"),
        ({"encoder": {"_target_": "a.B"}}, "'encoder' is another"),
        ({"dataset": "elsewhere"}, "'dataset' is 'elsewhere', not"),
        ({"commit": [1]}, "'commit' needs text (got a list)"),
        ({"certificate": {"hit_rate": "x"}}, "'certificate.hit_rate' needs a number within"),
        ({"num_parameters": 3}, "'num_parameters' needs a mapping (got 3)"),
        ({"encoder_sha256": None}, "'encoder_sha256' needs a SHA-256 in hexadecimal (got null)"),
    ],
)
def test_a_record_of_something_else_is_said_and_made_again(folder, tmp_path, caplog, changes, said):
    config = experiment(folder).pretrain
    _, _, first = pretrain_stage(config, 0, tmp_path / "run")
    put(tmp_path / "run" / PRETRAIN, **changes)
    ticks = []
    _, _, again = pretrain_stage(config, 0, tmp_path / "run", ticks.append)
    (record,) = caplog.records
    assert said in record.message and str(tmp_path / "run" / PRETRAIN) in record.message
    assert ticks == [0, 1, 1, 1, 1] and {**again, "seconds": 0} == {**first, "seconds": 0}


def test_an_encoder_without_its_sum_is_not_taken(folder, tmp_path, caplog):
    config = experiment(folder).pretrain
    record = pretrain_stage(config, 0, tmp_path / "run")[2]
    del record["encoder_sha256"]
    write_sealed(tmp_path / "run" / PRETRAIN, record)
    pretrain_stage(config, 0, tmp_path / "run")
    assert "'encoder_sha256' is missing" in caplog.text


def test_a_record_of_another_seed_or_arm_in_its_place_is_not_taken(folder, tmp_path, caplog):
    config, other = experiment(folder).pretrain, experiment(folder, structure_weight=0.0).pretrain
    pretrain_stage(config, 0, tmp_path / "zero")
    for of, seed in ((config, 1), (other, 0)):
        shutil.copytree(tmp_path / "zero", tmp_path / "there")
        pretrain_stage(of, seed, tmp_path / "there")
        pretrain_stage(of, seed, tmp_path / "clean")
        there, clean = weights(tmp_path / "there"), weights(tmp_path / "clean")
        assert all(torch.equal(there[key], clean[key]) for key in clean)
        for name in ("there", "clean"):
            shutil.rmtree(tmp_path / name)
    assert len(caplog.records) == 2 and all("is not what is asked for" in said.message for said in caplog.records)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"test": 0.9}, "does not match its sum"),
        ({"task": "other"}, "'task' is 'other', not 'block'"),
        ({"head": "knn"}, "'head' is 'knn', not 'linear'"),
        ({"metric": "macro_f1"}, "'metric' is 'macro_f1', not 'accuracy'"),
        ({"greater_is_better": False}, "'greater_is_better' is false, not true"),
        ({"dataset": "cora"}, "'dataset' is 'cora', not 'toy'"),
        ({"seed": 1}, "'seed' is 1, not 0"),
        ({"settings": "0"}, "'settings' is '0', not"),
        ({"pretrain_data": "x"}, "'pretrain_data' is 'x', not"),
        ({"encoder_sha256": "0" * 64}, "'encoder_sha256' is "),
        ({"leakage": {"num_affected": -1}}, "'leakage.num_affected' needs a whole number >= 0 (got -1)"),
        ({"valid": None}, "'valid' needs a number"),
    ],
)
def test_a_score_of_something_else_is_said_and_made_again(folder, tmp_path, caplog, changes, said):
    arm = experiment(folder)
    encoder, dataset, info = pretrain_stage(arm.pretrain, 0, tmp_path / "run")
    ask = partial(finetune_stage, arm.finetune[0], 0, encoder, dataset, tmp_path / "run", pretrained=info)
    first = ask()
    (file,) = (tmp_path / "run" / FINETUNE).iterdir()
    if "test" in changes:
        file.write_text(file.read_text().replace(f'"test": {first["test"]}', '"test": 0.9'))
    else:
        put(file, **changes)
    again = ask()
    (record,) = caplog.records
    assert said in record.message and str(file) in record.message and "it is made again" in record.message
    assert {**again, "seconds": 0} == {**first, "seconds": 0} and ask() == again


def test_a_score_of_another_encoder_in_its_place_is_not_taken(folder, tmp_path, caplog):
    """The settings of the fine-tuning, the data and the seed are the same: only the weights are others."""
    arm, other = experiment(folder), experiment(folder, structure_weight=0.0)
    for name, one in (("a", arm), ("b", other)):
        encoder, dataset, info = pretrain_stage(one.pretrain, 0, tmp_path / name)
        finetune_stage(one.finetune[0], 0, encoder, dataset, tmp_path / name, pretrained=info)
    (file,) = (tmp_path / "a" / FINETUNE).iterdir()
    shutil.copyfile(file, tmp_path / "b" / FINETUNE / file.name)
    finetune_stage(other.finetune[0], 0, encoder, dataset, tmp_path / "b", pretrained=info)
    assert "'encoder_sha256' is " in caplog.text


def test_a_task_may_have_a_long_name(folder, tmp_path):
    dataset = SampleDataset.open(folder)
    name = "GO." + 220 * "c"
    dataset = dataset.replace(tasks={name: Task(name, dataset.task("block").labels, dataset.task("block").split)})
    dataset.save(folder, overwrite=True)
    arm = experiment(folder)
    encoder, dataset, info = pretrain_stage(arm.pretrain, 0, tmp_path / "run")
    entry = replace(arm.finetune[0], task=name)
    first = finetune_stage(entry, 0, encoder, dataset, tmp_path / "run", pretrained=info)
    assert len(list((tmp_path / "run" / FINETUNE).iterdir())) == 1
    assert finetune_stage(entry, 0, encoder, dataset, tmp_path / "run", pretrained=info) == first


def test_records_say_which_code_made_them(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(stages, "commit", lambda: "abc-dirty")
    arm = experiment(folder)
    encoder, dataset, record = pretrain_stage(arm.pretrain, 0, tmp_path / "run")
    scored = finetune_stage(arm.finetune[0], 0, encoder, dataset, tmp_path / "run")
    for kept in (record, scored):
        assert (kept["commit"], kept["version"], kept["sources"]) == ("abc-dirty", __version__, None)


def test_a_changed_class_of_ones_own_is_trained_and_scored_again(folder, tmp_path, monkeypatch):
    """Settings do not show that the code behind a `_target_` is another one; its text does."""
    file = tmp_path / "own_encoder.py"
    text = "from sigraph.encoders import MLPEncoder\n\n\nclass Own(MLPEncoder):\n    pass\n"
    file.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    own = {"_target_": "own_encoder.Own", "hidden_channels": 8, "out_channels": 4}
    arm = experiment(folder, encoder=own)

    def both():
        encoder, dataset, record = pretrain_stage(arm.pretrain, 0, tmp_path / "run")
        return record, finetune_stage(arm.finetune[0], 0, encoder, dataset, tmp_path / "run", pretrained=record)

    with trusting(["own_encoder"]):
        first = both()
        assert set(first[0]["sources"]) == set(first[1]["sources"]) == {"own_encoder"}
        assert both() == first
        file.write_text(text + "# changed\n")
        again = both()
    assert all(
        new["sources"] != old["sources"] and new["seconds"] != old["seconds"]
        for new, old in zip(again, first, strict=True)
    )


@pytest.mark.parametrize("damage", [lambda whole: whole[:50], lambda whole: whole[:-1] + bytes([whole[-1] ^ 1])])
def test_damaged_weights_are_said_and_made_again(folder, tmp_path, caplog, damage):
    config = experiment(folder).pretrain
    pretrain_stage(config, 0, tmp_path / "run")
    before = {key: value.clone() for key, value in weights(tmp_path / "run").items()}  # not the mapped file
    (tmp_path / "run" / ENCODER).write_bytes(damage((tmp_path / "run" / ENCODER).read_bytes()))
    pretrain_stage(config, 0, tmp_path / "run")
    assert "is damaged" in caplog.text and ENCODER in caplog.text
    assert all(torch.equal(value, before[key]) for key, value in weights(tmp_path / "run").items())


def test_pretraining_ends_with_a_certificate_that_no_test_label_enters(folder, tmp_path):
    config = experiment(folder).pretrain
    _, dataset, record = pretrain_stage(config, 0, tmp_path / "run")
    found = record["certificate"]
    assert found["complete"] and found["num_samples"] == 40 and found["num_edges"] == record["num_edges"]
    assert found["local_consistency"] == 1.0 and found["loss"] == "MultiSimilarityLoss"
    assert found["accuracy"] == pytest.approx(record["validation"][-1]["valid_label_agreement"])
    y = dataset.tasks["block"].labels.clone()
    y[20:] = 1 - y[20:]
    task = Task("block", y, dataset.tasks["block"].split)
    SampleDataset(dataset.samples, dataset.graphs, {"block": task}, name="toy").save(folder, overwrite=True)
    assert pretrain_stage(config, 0, tmp_path / "other")[2]["certificate"] == found


def test_many_samples_are_certified_by_some_anchors(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(stages, "_ALL_PAIRS", 39)
    monkeypatch.setattr(stages, "_SOME_ANCHORS", 5)
    found = pretrain_stage(experiment(folder).pretrain, 0, tmp_path / "run")[2]["certificate"]
    assert not found["complete"] and found["num_edges"] + found["num_non_edges"] == 5 * 39


def test_a_record_without_a_certificate_is_still_found(folder, tmp_path):
    config = experiment(folder).pretrain
    record = pretrain_stage(config, 0, tmp_path / "run")[2]
    del record["certificate"]
    write_sealed(tmp_path / "run" / PRETRAIN, record)
    assert pretrain_stage(config, 0, tmp_path / "run")[2] == record


def test_a_line_of_progress_says_promised_and_reached(folder, tmp_path):
    record = {"arm": "sipt", "seed": 0, "status": "ok", "tasks": [], "wall_seconds": 3.0}
    record["pretrain"] = pretrain_stage(experiment(folder).pretrain, 0, tmp_path / "run")[2]
    found = record["pretrain"]["certificate"]
    said = f"{found['hit_rate']:.3f} are edges, {found['accuracy']:.3f} share a label (promised 1.000)"
    assert _summary(record) == f"sipt, seed 0: pre-trained; nearest neighbours: {said} (3 s)"
    found["accuracy"] = found["hit_rate"] = None
    assert _summary(record) == "sipt, seed 0: pre-trained (3 s)"
    del record["pretrain"]["certificate"]
    assert _summary(record) == "sipt, seed 0: pre-trained (3 s)"
