"""What is measured before an arm is trained: tokens are those that training reads, what arms share is timed once."""

import pytest
import text_run

import sigraph.running.measured as measured
from sigraph.config import config_from_dict
from sigraph.experiment import run
from sigraph.pretrain import PretrainModule
from sigraph.readers import WordTokens
from sigraph.running.measured import measure
from sigraph.running.plan import plan, plan_table

SEEDS_ONLY = {"_target_": "sigraph.samplers.SeedsOnly"}
GRU = {"_target_": "sigraph.encoders.GRUEncoder", "embedding_channels": 4, "out_channels": 4}


@pytest.fixture
def settings(tmp_path):
    text_run.dataset().save(tmp_path / "papers")
    found = text_run.settings(tmp_path, seeds=[0, 1], arms={"sipt": {}})
    found["finetune"] = found["finetune"][:1]
    return found


def read_in_training(monkeypatch, config):
    """Tokens of all steps that an experiment trains."""
    counts, step = [], PretrainModule.training_step

    def counted(self, batch, batch_idx):
        counts.append(len(batch.inputs.token))
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(PretrainModule, "training_step", counted)
        assert not run(config).failed
    return sum(counts)


@pytest.mark.parametrize("batch_size", [7, 20])
def test_tokens_of_seed_samples_are_counted(settings, monkeypatch, batch_size):
    """Whole epochs of seed samples: the same number, though fewer steps are timed."""
    monkeypatch.setattr(measured, "TIMED_STEPS", 2)
    settings["pretrain"] |= {"sampler": SEEDS_ONLY, "objective": {"_target_": "sigraph.objectives.MaskedToken"}}
    settings["pretrain"] |= {"structure_weight": 0.0, "batch_size": batch_size, "encoder": GRU}
    settings["pretrain"]["trainer"]["max_epochs"] = 3
    config = config_from_dict({**settings, "seeds": [0]})
    row = measure(config.arm("sipt"), 0)
    assert row["num_tokens"] == 3 * 60 * 9 == read_in_training(monkeypatch, config)  # nine words a text
    assert row["tokens_per_second"] > 0


def test_tokens_of_samples_that_join_are_estimated(settings, monkeypatch):
    settings["pretrain"] |= {"batch_size": 10, "trainer": {"max_epochs": 4, "accelerator": "cpu"}}
    config = config_from_dict({**settings, "seeds": [0]})
    row = measure(config.arm("sipt"), 0)
    assert row["num_tokens"] > 4 * 60 * 9
    assert row["num_tokens"] == pytest.approx(read_in_training(monkeypatch, config), rel=0.1)


def test_the_table_says_tokens_of_a_seed_and_in_all(settings):
    settings["arms"] = {"sipt": {}, "sipt-head": {"finetune.0.max_epochs": 1}, "majority": {"kind": "Majority"}}
    settings["arms"]["no-pretraining"] = {"pretrain.trainer.max_epochs": 0}
    config = config_from_dict(settings)
    (row, *_) = plan(config)
    text = plan_table(config)
    titles, _, *lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line]
    cells = {line[0]: dict(zip(titles, line, strict=True)) for line in lines}
    number = int(cells["sipt"]["tokens a seed"].replace(",", ""))
    assert number == pytest.approx(row["num_tokens"], rel=0.1)
    assert int(cells["sipt"]["tokens in all"].replace(",", "")) == pytest.approx(2 * number, rel=0.01)
    assert cells["sipt-head"]["tokens in all"] == "0"  # it shares sipt's
    assert {cells[name]["tokens a second"] for name in ("majority", "no-pretraining")} == {""}
    assert "real ones, without padding" in text


def test_features_have_no_tokens(toy):
    config = config_from_dict(toy)
    assert {row["num_tokens"] for row in plan(config)} == {None}
    assert "tokens" not in plan_table(config)


def test_samples_are_embedded_once_for_arms_that_embed_alike(settings, monkeypatch):
    sizes, embed = [], measured.embed

    def counted(encoder, dataset, node):
        sizes.append(len(node))
        return embed(encoder, dataset, node)

    monkeypatch.setattr(measured, "embed", counted)
    settings["arms"] |= {
        "rewired": {"pretrain.graph.rewire": 1.0},
        "sipt-loss": {"pretrain.structure_loss": {"_target_": "sigraph.losses.InfoNCELoss"}},
    }
    assert len(plan(config_from_dict(settings))) == 3
    assert sizes == [60]
    settings["arms"]["sipt-wide"] = {"pretrain.encoder.out_channels": 16}
    plan(config_from_dict(settings))
    assert sizes == [60, 60, 60]


def test_a_part_of_the_samples_is_embedded_where_all_take_long(settings, monkeypatch):
    monkeypatch.setattr(measured, "FIRST_EMBEDDED", 4)
    config = config_from_dict(settings)
    whole = measure(config.arm("sipt"), 0)["seconds"]
    sizes, embed = [], measured.embed

    def counted(encoder, dataset, node):
        sizes.append(len(node))
        return embed(encoder, dataset, node)

    monkeypatch.setattr(measured, "embed", counted)
    monkeypatch.setattr(measured, "EMBEDDING_SECONDS", 0.0)
    seconds = measure(config.arm("sipt"), 0)["seconds"]
    assert sizes == [4]
    assert seconds > 0 and whole > 0


def test_filling_the_pools_of_a_sampler_is_in_the_estimate_and_embeds_nothing(settings, monkeypatch):
    sampler = {"_target_": "sigraph.samplers.HardNegativeSampler", "guard_rank": 1, "pool_size": 4}
    settings["pretrain"] |= {"sampler": sampler, "trainer": {"max_epochs": 6, "accelerator": "cpu"}, "valid_every": 6}
    monkeypatch.setattr("sigraph.samplers.refresh.embed", lambda *_: pytest.fail("embedded"))
    monkeypatch.setattr(measured._Clock, "seconds", 0.0)
    monkeypatch.setattr(measured, "_embedded", lambda parts: 100.0)
    each = {}
    for every in (1, 2, 4):
        sampler["refresh_every"] = every
        each[every] = measure(config_from_dict(settings).arm("sipt"), 0)["seconds"]
    assert each == {1: pytest.approx(700, abs=10), 2: pytest.approx(400, abs=10), 4: pytest.approx(300, abs=10)}


def test_a_reader_is_asked_once_what_it_does_not_know(settings, monkeypatch):
    asked, note = [], WordTokens.note

    def counted(self, records):
        asked.append(len(records))
        return note(self, records)

    monkeypatch.setattr(WordTokens, "note", counted)
    settings["arms"] |= {"sipt-wide": {"pretrain.encoder.out_channels": 16}, "rewired": {"pretrain.graph.rewire": 1.0}}
    settings["finetune"] = [{**settings["finetune"][0], "task": task} for task in ("topic", "about", "length")]
    plan(config_from_dict(settings))
    assert asked == [60]
    settings["arms"] |= {"sipt-read": {"pretrain.reader.min_count": 5}}
    plan(config_from_dict(settings))
    assert asked == [60, 60, 60]
