"""Token sequences through a whole experiment: a YAML, its run, the encoder taken home, what is refused."""

import pytest
import torch

import sigraph
from sigraph.cli import main
from sigraph.config import ConfigError, config_from_dict
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.encoders import embed
from sigraph.experiment import run
from sigraph.export.load import load_encoder
from sigraph.files.sealed import read_sealed
from sigraph.running.parts import build_parts, load_parts
from sigraph.running.run_one import run_folder
from sigraph.samples import token_table
from sigraph.tasks import Task

ENCODERS = {
    "BagOfWordsEncoder": {"hidden_channels": 8, "out_channels": 4},
    "GRUEncoder": {"embedding_channels": 5, "out_channels": 4},
    "TransformerEncoder": {"out_channels": 4, "num_layers": 1, "num_heads": 2, "dropout": 0.0},
}
every_encoder = pytest.mark.parametrize("encoder", ENCODERS)


@pytest.fixture
def sentences() -> SampleDataset:
    """Two blocks of samples of which each has its own tokens more often, joined within blocks; a block is a class."""
    generator, ids = torch.Generator().manual_seed(0), torch.arange(40)
    y = ids % 2
    tokens = []
    for block in y.tolist():
        length = int(torch.randint(2, 9, (1,), generator=generator))
        tokens.append(torch.randint(2, 8, (length,), generator=generator) + 6 * block)
    pairs = torch.combinations(ids).t()
    same = pairs[:, y[pairs[0]] == y[pairs[1]]]
    graph = PretrainGraph(same[:, torch.rand(same.size(1), generator=generator) < 0.3], 40)
    task = Task("block", y, {"train": ids[:10], "valid": ids[10:20], "test": ids[20:]})
    return SampleDataset(token_table(tokens, 20), {"blocks": graph}, {"block": task}, name="sentences")


@pytest.fixture
def settings(sentences, toy, tmp_path):
    """The toy experiment on token sequences."""

    def make(encoder):
        sentences.save(tmp_path / "sentences", overwrite=True)
        toy["pretrain"] |= {
            "dataset": str(tmp_path / "sentences"),
            "encoder": {"_target_": f"sigraph.encoders.{encoder}", **ENCODERS[encoder]},
            "objective": {"_target_": "sigraph.objectives.MaskedToken", "mask_rate": 0.3},
        }
        heads = ("linear", "full", "knn")
        toy["finetune"] = [{"task": "block", "head": h, "max_epochs": 4, "primary": h == "knn"} for h in heads]
        toy["finetune"][2] = {"task": "block", "head": "knn", "k": 3, "primary": True}
        toy["seeds"] = [0]
        return toy

    return make


@every_encoder
def test_an_experiment_runs_and_its_encoder_comes_home(settings, sentences, encoder, tmp_path):
    toy = settings(encoder)
    toy["pretrain"]["trainer"]["max_epochs"] = 15
    toy["pretrain"]["optimizer"] = {"_target_": "torch.optim.AdamW", "lr": 0.02}
    config = config_from_dict(toy)
    assert not run(config).failed
    folder = run_folder(config, config.arm("sipt"), 0)
    record = read_sealed(folder / "results.json")
    assert record["pretrain"]["encoder"]["num_tokens"] == 20
    then, _, _ = load_parts(config.arm("sipt").pretrain, 0, folder)
    home = load_encoder(folder)
    assert type(home).__name__ == encoder
    torch.testing.assert_close(embed(home, sentences), then)
    new = SampleDataset(token_table([[2, 3, 4], [9, 9]], 20))
    assert embed(home, new).shape == (2, 4)
    assert main(["embed", str(folder), "--out", str(tmp_path / "z.npy")]) == 0
    assert (tmp_path / "z.npy").is_file()


@every_encoder
def test_workers_change_nothing(settings, encoder):
    toy, losses = settings(encoder), []
    for workers in (0, 2):
        parts = build_parts(config_from_dict(toy).arm("sipt").pretrain, 0)
        loader = sigraph.pretrain_loader(parts.dataset, parts.sampler, parts.objective, 20, 0, workers)
        losses.append([parts.module.losses(batch)["loss"].item() for batch in loader])
    assert losses[0] == losses[1] and len(losses[0]) == 2


def test_what_needs_tokens_refuses_feature_rows(toy):
    for slot, target in (("encoder", "encoders.GRUEncoder"), ("objective", "objectives.MaskedToken")):
        broken = {**toy, "pretrain": {**toy["pretrain"], slot: {"_target_": f"sigraph.{target}"}}}
        name = target.rpartition(".")[2]
        needed = f"pretrain.{slot}: '{name}' needs token sequences, but .*are rows of 6 features; name a reader"
        with pytest.raises(ConfigError, match=needed):
            build_parts(config_from_dict(broken).arm("sipt").pretrain, 0)


def test_what_needs_feature_rows_refuses_tokens(settings):
    toy = settings("GRUEncoder")
    for slot, target in (("encoder", "encoders.MLPEncoder"), ("objective", "objectives.MaskedFeature")):
        broken = {**toy, "pretrain": {**toy["pretrain"], slot: {"_target_": f"sigraph.{target}"}}}
        needed = f"pretrain.{slot}: '.*' needs feature rows, but .*'sentences' are token sequences over a vocab"
        with pytest.raises(ConfigError, match=needed):
            build_parts(config_from_dict(broken).arm("sipt").pretrain, 0)


def test_too_short_a_max_length_is_said_before_anything_trains(settings):
    toy = settings("TransformerEncoder")
    toy["pretrain"]["encoder"]["max_length"] = 5
    with pytest.raises(ValueError, match="'max_length' needs to be >= 8 in 'TransformerEncoder'"):
        build_parts(config_from_dict(toy).arm("sipt").pretrain, 0)
