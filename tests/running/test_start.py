"""pretrain.encoder: {from: FOLDER}: weights, architecture and reader of a folder, wherever it lies."""

import shutil

import pytest
import text_run
import torch

import sigraph as sg
from sigraph.config import ConfigError, config_from_dict
from sigraph.experiment import run
from sigraph.files.sealed import read_sealed
from sigraph.leaderboard.result_files import RESULTS
from sigraph.running.parts import pretrain_hash
from sigraph.running.run_one import run_folder
from sigraph.running.start import start_of


@pytest.fixture
def experiment(tmp_path, text_runs):
    """An experiment that starts from a run's folder, which lies elsewhere."""
    text_run.dataset().save(tmp_path / "papers")
    shutil.copytree(text_runs[0], tmp_path / "home")
    plain = text_run.settings(tmp_path, seeds=[0])
    plain["pretrain"] |= {"encoder": {"from": str(tmp_path / "home")}, "reader": None}
    plain["finetune"] = plain["finetune"][:1]

    def make(epochs=0, **pretrain):
        trainer = {"max_epochs": epochs, "accelerator": "cpu"}
        return config_from_dict({**plain, "pretrain": {**plain["pretrain"], "trainer": trainer, **pretrain}})

    return make


def folder_of(config):
    return run_folder(config, config.arm("sipt"), 0)


def test_without_epochs_it_is_the_folders_encoder_fine_tuned(experiment, tmp_path):
    config = experiment()
    assert not run(config).failed
    home, folder = tmp_path / "home", folder_of(config)
    before, after = sg.load_encoder(home), sg.load_encoder(folder)
    assert all(torch.equal(a, b) for a, b in zip(before.parameters(), after.parameters(), strict=True))
    assert sg.load_reader(folder).state() == sg.load_reader(home).state()
    record, then = read_sealed(folder / RESULTS), read_sealed(home / RESULTS)
    assert record["pretrain"]["encoder"] == then["pretrain"]["encoder"] and record["pretrain"]["encoder_from"]
    assert record["tasks"][0]["test"] == then["tasks"][0]["test"]
    shutil.rmtree(home)  # what it gave needs it no more
    assert sg.predict(folder, ["price bond"]).value.shape == (1, 3)


def test_training_starts_from_its_weights(experiment, tmp_path):
    config = experiment(epochs=1, optimizer={"_target_": "torch.optim.SGD", "lr": 1e-6})
    assert not run(config).failed
    before, after = (sg.load_encoder(place).state_dict() for place in (tmp_path / "home", folder_of(config)))
    moved = [float((before[name] - after[name]).abs().max()) for name in before]
    assert 0 < max(moved) < 1e-3
    assert run(config).records[0]["found"]


def test_the_hash_is_of_what_the_folder_holds_wherever_it_lies(experiment, tmp_path, text_runs):
    config = experiment()
    here = pretrain_hash(config.arm("sipt").pretrain)
    shutil.move(tmp_path / "home", tmp_path / "moved")
    moved = experiment(encoder={"from": str(tmp_path / "moved")}).arm("sipt").pretrain
    other = experiment(encoder={"from": str(text_runs[1])}).arm("sipt").pretrain
    assert pretrain_hash(moved) == here != pretrain_hash(other)
    with pytest.raises(ConfigError, match=r"pretrain.encoder.from: .*home: there is no such folder"):
        start_of(config.arm("sipt").pretrain)


def test_what_does_not_fit_is_refused_before_anything_trains(experiment, tmp_path):
    run(config := experiment(reader={"_target_": "sigraph.readers.WordTokens", "min_count": 1}))
    assert folder_of(config).is_dir()  # it learns the same here
    with pytest.raises(ConfigError, match=r"the same words would be other tokens; leave 'reader' out"):
        run(experiment(reader={"_target_": "sigraph.readers.WordTokens", "min_count": 1, "max_tokens": 5}))
    with pytest.raises(ConfigError, match=r"needs records, but the samples of data set 'rows'"):
        dataset = text_run.dataset()
        rows = sg.SampleDataset(torch.rand(60, 3), {"cites": dataset.graph("cites")}, dataset.tasks, name="rows")
        rows.save(tmp_path / "rows")
        run(experiment(dataset=str(tmp_path / "rows")))
    sg.save_encoder(sg.encoders.MLPEncoder(5, 8), tmp_path / "wide")
    with pytest.raises(ConfigError, match=r"wide reads 5 features a sample, data set 'rows' holds 3 features"):
        run(experiment(dataset=str(tmp_path / "rows"), encoder={"from": str(tmp_path / "wide")}))
    (tmp_path / "home" / "encoder.safetensors").write_bytes(b"x")
    with pytest.raises(ConfigError, match="damaged"):
        run(experiment(batch_size=29))


def test_settings_of_both_kinds_do_not_mix(experiment, tmp_path):
    home = str(tmp_path / "home")
    with pytest.raises(ConfigError, match=r"encoder.out_channels' does not act beside 'pretrain.encoder.from'"):
        experiment(encoder={"from": home, "out_channels": 9})
    with pytest.raises(ConfigError, match=r"needs the folder of a run"):
        experiment(encoder={"from": 3})
    plain = experiment().to_dict()
    encoder = {"_target_": "sigraph.encoders.BagOfWordsEncoder", "out_channels": 8}
    both = config_from_dict(
        {
            **plain,
            "pretrain": {**plain["pretrain"], "encoder": encoder, "reader": {"_target_": "sigraph.readers.WordTokens"}},
            "arms": {"anew": {}, "home": {"pretrain.encoder.from": home}, "ridge": {"kind": "Ridge"}},
        }
    )
    assert both.arm("home").pretrain.encoder == {"from": home}
    assert both.arm("anew").pretrain.encoder["out_channels"] == 8
    again = config_from_dict({**plain, "arms": {"a": {"pretrain.encoder._target_": "sigraph.encoders.MLPEncoder"}}})
    assert "from" not in again.arm("a").pretrain.encoder
