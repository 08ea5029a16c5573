"""Parts of a pre-training; above all, what an inductive one may see."""

import dataclasses

import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file

from sigraph.config import ConfigError, config_from_dict
from sigraph.data import SampleDataset
from sigraph.experiment import run
from sigraph.leaderboard.result_files import ENCODER
from sigraph.running.checks import check_arms
from sigraph.running.parts import build_parts, pretrain_hash, visible_classes
from sigraph.running.stages import pretrain_stage
from sigraph.running.visible import seen_in_pretraining
from sigraph.tasks import Task

HIDDEN = torch.arange(10, 39)  # validated or tested on by one of the two tasks
SEEN = torch.tensor([*range(10), 39])


def pretraining(toy, **changes):
    return config_from_dict({**toy, "pretrain": {**toy["pretrain"], **changes}}).arm("sipt").pretrain


def edge_set(index):
    return {(min(a, b), max(a, b)) for a, b in index.t().tolist()}


def test_every_task_hides_its_validation_and_test_samples(toy_dataset):
    assert torch.equal(seen_in_pretraining(toy_dataset), SEEN)
    assert torch.equal(seen_in_pretraining(toy_dataset.replace(tasks={})), torch.arange(40))
    ids = torch.arange(40)
    everything = Task("all", ids.float(), {"train": ids[:1], "valid": ids[1:20], "test": ids[20:]})
    with pytest.raises(ValueError, match=r"'inductive' leaves no sample of 'toy'"):
        rest = Task("rest", ids.float(), {"train": ids[1:2], "valid": ids[:1], "test": ids[3:4]})
        seen_in_pretraining(toy_dataset.replace(tasks={"all": everything, "rest": rest}))


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_an_inductive_pretraining_has_the_seen_samples_and_the_edges_among_them(toy, toy_dataset, rate):
    parts = build_parts(pretraining(toy, inductive=True, valid_edge_rate=rate), 0)
    assert torch.equal(parts.dataset.samples, toy_dataset.samples[SEEN]) and not parts.dataset.tasks
    assert len(parts.whole) == 40 and parts.graph.num_nodes == len(SEEN)
    inside = {(a, b) for a, b in edge_set(toy_dataset.graph().edge_index) if a in SEEN and b in SEEN}
    trained, held = edge_set(SEEN[parts.graph.edge_index]), edge_set(SEEN[parts.held_out])
    assert inside and trained | held == inside and not trained & held
    assert len(held) == round(rate * len(inside))


def test_an_inductive_pretraining_may_use_a_graph_of_labels(toy, toy_dataset):
    """It sees no tasks, but the edges that the train labels make among the samples it has."""
    cliques = {"_target_": "sigraph.graphs.LabelCliques", "labels": "block"}
    nested = {"_target_": "sigraph.graphs.Rewired", "rate": 0.0, "graph": cliques}
    task = toy_dataset.task("block")
    train = task.split["train"]
    train = train[torch.isin(train, SEEN)]
    same = {(a, b) for a in train.tolist() for b in train.tolist() if a < b and task.labels[a] == task.labels[b]}
    for graph in (cliques, nested):
        parts = build_parts(pretraining(toy, inductive=True, valid_edge_rate=0.0, graph=graph), 0)
        assert same and edge_set(SEEN[parts.graph.edge_index]) == same


def test_the_cost_of_validation_shapes_no_encoder(toy):
    assert len({pretrain_hash(pretraining(toy, valid_queries=count)) for count in (None, 5, 10_000)}) == 1
    assert build_parts(pretraining(toy, valid_queries=5), 0).config.valid_queries == 5


def test_a_widened_graph_does_not_pass_through_hidden_samples(toy, toy_dataset):
    two_hops = {"name": "blocks", "hops": 2}
    graph = build_parts(pretraining(toy, inductive=True, valid_edge_rate=0.0, graph=two_hops), 0).graph
    induced = toy_dataset.subset(SEEN).graph()
    near = torch.zeros(len(SEEN), len(SEEN), dtype=torch.bool)
    near[induced.edge_index[0], induced.edge_index[1]] = True
    two = (near.float() @ near.float() > 0) | near
    assert edge_set(graph.edge_index) == edge_set(two.fill_diagonal_(False).nonzero().t())


def test_classes_shown_to_validation_are_never_test_labels(toy, toy_dataset):
    y = toy_dataset.task("block").labels
    shown = visible_classes(build_parts(pretraining(toy), 0))
    assert torch.equal(shown[:19], y[:19]) and (shown[19:] == -1).all()
    inductive = visible_classes(build_parts(pretraining(toy, inductive=True), 0))
    assert inductive.tolist() == [*y[:10].tolist(), -1]


def weights(toy, tmp_path, samples, inductive, toy_dataset):
    """Of an encoder pre-trained on these samples, with the toy's graphs and tasks."""
    dataset = SampleDataset(samples, toy_dataset.graphs, toy_dataset.tasks, name="toy")
    dataset.save(tmp_path / "toy", overwrite=True)
    _, _, record = pretrain_stage(pretraining(toy, inductive=inductive), 0, tmp_path / dataset.fingerprint)
    assert record["transductive"] is not inductive and record["num_steps"] > 0
    return torch.cat([value.flatten() for value in load_file(tmp_path / dataset.fingerprint / ENCODER).values()])


@pytest.mark.parametrize("inductive", [True, False])
def test_hidden_samples_shape_a_transductive_encoder_alone(toy, toy_dataset, tmp_path, inductive):
    x = toy_dataset.samples
    before = weights(toy, tmp_path, x, inductive, toy_dataset)
    for sample in (12, 30, 34, 38):  # validated, tested on, by one task or the other
        changed = x.clone()
        changed[sample] += 3
        assert torch.equal(weights(toy, tmp_path, changed, inductive, toy_dataset), before) is inductive


def test_seen_samples_do_shape_an_inductive_encoder(toy, toy_dataset, tmp_path):
    x = toy_dataset.samples.clone()
    before = weights(toy, tmp_path, x, True, toy_dataset)
    x[39] += 3
    assert not torch.equal(weights(toy, tmp_path, x, True, toy_dataset), before)


def test_records_and_table_say_which_arm_is_inductive(toy):
    toy["arms"]["sipt-inductive"] = {"pretrain.inductive": True}
    results = run(config_from_dict(toy))
    said = {record["arm"]: record["pretrain"]["transductive"] for record in results.records}
    seen = {"sipt": True, "objective-only": True, "sipt-inductive": False, "objective-only-inductive": False}
    assert said == seen
    nodes = {record["arm"]: record["pretrain"]["num_nodes"] for record in results.records}
    assert nodes["sipt"] == 40 and nodes["sipt-inductive"] == len(SEEN)
    lines = {line.split("|")[1].strip(): line for line in results.leaderboard().table().splitlines() if "|" in line}
    assert "inductive" in lines["sipt-inductive"].replace("sipt-inductive", "") and "transductive" in lines["sipt"]
    assert "transductive" not in lines["sipt-inductive"]


def test_the_pretraining_hash_knows_what_shapes_the_encoder_alone(toy):
    base = pretraining(toy)
    assert pretrain_hash(base) == pretrain_hash(pretraining(toy, num_workers=3, valid_every=2))
    others = [
        pretraining(toy, **change)
        for change in (
            {"inductive": True},
            {"batch_size": 21},
            {"structure_weight": 0.4},
            {"valid_edge_rate": 0.1},
            {"graph": {"name": "blocks", "drop": 0.1}},
            {"trainer": {**toy["pretrain"]["trainer"], "weight_average": 0.9}},
        )
    ]
    assert len({pretrain_hash(config) for config in [base, *others]}) == 7


# Records ##############################################################################################################


@pytest.fixture
def notes(toy, toy_dataset, tmp_path):
    """The same experiment on records, which nothing it names can read."""
    table = pa.table({"id": list(range(40)), "text": [f"note {i}" for i in range(40)]})
    records = SampleDataset(table, toy_dataset.graphs, toy_dataset.tasks, "notes")
    records.save(tmp_path / "notes")
    toy["pretrain"]["dataset"] = str(tmp_path / "notes")
    return toy


def test_an_encoder_of_feature_rows_on_records_is_refused_before_training(notes):
    said = r"pretrain.encoder: 'MLPEncoder' needs feature rows, .* data set 'notes' are records with the columns 'id', "
    with pytest.raises(ConfigError, match=said + r"'text'; name a reader .*prepare it .*--ignore.*reads what there is"):
        check_arms([config_from_dict(notes).arm("sipt")], 0)
    notes["pretrain"]["encoder"]["in_channels"] = 6
    with pytest.raises(ValueError, match=r"'MLPEncoder' needs rows of 6 features, .*'notes' are records"):
        check_arms([config_from_dict(notes).arm("sipt")], 0)


def test_a_task_on_samples_that_the_encoder_cannot_read_is_refused_before_training(toy, toy_dataset, tmp_path):
    SampleDataset(torch.ones(40, 5), {}, toy_dataset.tasks, "narrow").save(tmp_path / "narrow")
    toy["finetune"][0]["dataset"] = str(tmp_path / "narrow")
    with pytest.raises(ValueError, match=r"needs rows of 6 features, .*'narrow' are rows of 5 features"):
        check_arms([config_from_dict(toy).arm("sipt")], 0)


@pytest.mark.parametrize(("given", "steps"), [(None, 5), (2, 2), (7, 7)])
def test_steps_per_epoch_are_a_pass_unless_said(given, steps, toy, tmp_path):
    settings = pretraining(toy, batch_size=8, steps_per_epoch=given)
    settings = dataclasses.replace(settings, trainer=dataclasses.replace(settings.trainer, max_epochs=2))
    assert build_parts(settings, 0).steps_per_epoch == steps
    assert pretrain_stage(settings, 0, tmp_path / "run")[2]["num_steps"] == 2 * steps


def test_a_pass_by_default_leaves_the_hash_as_it_was(toy):
    assert pretrain_hash(pretraining(toy)) == pretrain_hash(pretraining(toy, steps_per_epoch=None))
    assert pretrain_hash(pretraining(toy)) != pretrain_hash(pretraining(toy, steps_per_epoch=5))
