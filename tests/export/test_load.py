"""The encoder of a finished run, taken home."""

import shutil
import sys

import pytest
import torch

import sigraph
from sigraph.config import ConfigError, config_from_dict
from sigraph.encoders import MLPEncoder, embed
from sigraph.experiment import run
from sigraph.export.load import load_encoder, pretrained_on
from sigraph.files.sealed import read_sealed, write_sealed
from sigraph.leaderboard.result_files import ENCODER, RESULTS
from sigraph.running.parts import load_parts
from sigraph.running.run_one import SETTINGS, run_folder

OWN = """
import torch
from sigraph.encoders import Encoder, Encoding

class OwnEncoder(Encoder):
    def __init__(self, in_channels, gate):
        super().__init__()
        {keep}
        self.out_channels = 3
        self.gate, self.linear = gate, torch.nn.Linear(in_channels, 3)

    def forward(self, inputs):
        return Encoding(self.gate(self.linear(inputs)))
"""


@pytest.fixture
def finished(toy, tmp_path):
    """An experiment of two arms and two seeds, run."""
    config = config_from_dict(toy)
    assert not run(config).failed
    return config


@pytest.fixture
def folder(finished):
    return run_folder(finished, finished.arm("sipt"), 0)


@pytest.fixture
def own_run(toy, tmp_path, monkeypatch):
    """Runs with an encoder of a module beside the YAML; gives the run's folder. The module is forgotten afterwards."""

    def make(keep="self.in_channels = in_channels"):
        (tmp_path / "ownencoder.py").write_text(OWN.format(keep=keep))
        monkeypatch.syspath_prepend(tmp_path)
        toy["pretrain"]["encoder"] = {"_target_": "ownencoder.OwnEncoder", "gate": {"_target_": "torch.nn.Tanh"}}
        config = config_from_dict(toy)
        assert not run(config, trust=["ownencoder"]).failed
        return run_folder(config, config.arm("sipt"), 0)

    yield make
    sys.modules.pop("ownencoder", None)


def test_it_embeds_as_the_run_did_without_its_data_set(finished, folder, toy, toy_dataset, tmp_path):
    then, _, _ = load_parts(finished.arm("sipt").pretrain, 0, folder)
    shutil.rmtree(toy["pretrain"]["dataset"])
    random = torch.get_rng_state()
    encoder = sigraph.load_encoder(folder)
    assert torch.equal(torch.get_rng_state(), random)
    assert isinstance(encoder, MLPEncoder) and not any(module.training for module in encoder.modules())
    assert torch.equal(embed(encoder, toy_dataset), then)
    fresh = embed(MLPEncoder(6, 8, 4), toy_dataset)
    assert not torch.allclose(fresh, then)
    assert torch.equal(encoder(toy_dataset.samples[:2]).z, load_encoder(str(folder))(toy_dataset.samples[:2]).z)


def test_every_run_has_its_own(finished):
    arms = [finished.arm(name) for name in finished.arm_names]
    x = torch.randn(5, 6)
    z = [load_encoder(run_folder(finished, arm, seed))(x).z for arm in arms for seed in finished.seeds]
    assert all(not torch.equal(z[i], z[j]) for i in range(4) for j in range(i))


def test_a_run_says_what_it_was_pretrained_on(folder, toy, toy_dataset):
    name, fingerprint, features = pretrained_on(folder)
    assert name == toy["pretrain"]["dataset"] and features is None
    assert fingerprint == sigraph.open_dataset(name).fingerprint
    (folder / SETTINGS).write_text("pretrain: {dataset: another}\n")  # for people: it decides nothing
    assert pretrained_on(folder) == (name, fingerprint, features)


@pytest.mark.parametrize("up", [1, 2, 3, 4])
def test_folders_above_list_the_runs_below(folder, up):
    above = folder.parents[up - 1]
    with pytest.raises(ValueError, match=f"no run's folder: it holds no {RESULTS}; give one of those") as raised:
        load_encoder(above)
    lines = str(raised.value).splitlines()
    assert lines[1:3] == [f"  {folder.parent / f'seed-{seed}'}" for seed in (0, 1)] or up > 2
    assert f"  {folder}" in lines and len(lines) == (3 if up <= 2 else 5) and "_pretrain" not in str(raised.value)


def test_at_most_ten_runs_are_listed(folder):
    for seed in range(2, 13):
        shutil.copytree(folder, folder.parent / f"seed-{seed}")
    with pytest.raises(ValueError, match="and 3 more") as raised:
        load_encoder(folder.parent)
    assert len(str(raised.value).splitlines()) == 1 + 10 + 1


def test_what_is_no_run_is_refused(finished, folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        load_encoder(tmp_path / "nowhere")
    with pytest.raises(NotADirectoryError, match="not a file in it"):
        load_encoder(folder / ENCODER)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=f"holds no {RESULTS}, nor does any folder below it; a run's is"):
        load_encoder(tmp_path / "empty")
    stage = next((folder.parents[2] / "_pretrain").glob("*/seed-0"))
    with pytest.raises(ValueError, match=r"not finished .* or this is a stage that runs share"):
        load_encoder(stage)


def test_a_failed_run_says_why(toy):
    toy["pretrain"]["optimizer"] = {"_target_": "torch.optim.SGD", "lr": 1e7}
    config = config_from_dict(toy)
    assert run(config).failed
    with pytest.raises(ValueError, match=r"holds no encoder: the run failed \(ValueError: .*run the experiment again"):
        load_encoder(run_folder(config, config.arm("sipt"), 0))


def test_damaged_weights_are_named_and_made_again(finished, folder, toy_dataset):
    before = embed(load_encoder(folder), toy_dataset)
    whole = (folder / ENCODER).read_bytes()
    (folder / ENCODER).write_bytes(whole[:-10])
    with pytest.raises(ValueError, match=rf"{ENCODER} is damaged .*run the experiment again"):
        load_encoder(folder)
    run(finished)
    assert torch.equal(embed(load_encoder(folder), toy_dataset), before)
    (folder / ENCODER).unlink()
    with pytest.raises(ValueError, match=f"holds no {ENCODER}; run the experiment again"):
        load_encoder(folder)
    run(finished)
    assert torch.equal(embed(load_encoder(folder), toy_dataset), before)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "damaged: not valid JSON"),
        ("[]", "is damaged: a mapping is needed"),
        ("[" * 10**5, "nested too deeply"),
        ('{"status": "ok"}', "carries no sum"),
    ],
)
def test_a_damaged_record_is_named(folder, text, message):
    (folder / RESULTS).write_text(text)
    with pytest.raises(ValueError, match=message) as raised:
        load_encoder(folder)
    assert str(folder / RESULTS) in str(raised.value) and "\n" not in str(raised.value)


def test_an_altered_record_is_not_taken(folder):
    text = (folder / RESULTS).read_text()
    (folder / RESULTS).write_text(text.replace('"hidden_channels": 8', '"hidden_channels": 9'))
    for read in (load_encoder, pretrained_on):
        with pytest.raises(ValueError, match=r"is damaged or was altered.*run the experiment again"):
            read(folder)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("pretrain.encoder", "'pretrain.encoder' is missing"),
        ("pretrain.encoder_sha256", "'pretrain.encoder_sha256' is missing"),
        ("pretrain.dataset", "'pretrain.dataset' is missing"),
        ("pretrain", "'pretrain' is missing"),
        ("data", "'data' is missing"),
        ("pretrain.encoder._target_", "'pretrain.encoder' needs a mapping with '_target_'"),
    ],
)
def test_what_a_record_lacks_is_named(folder, place, message):
    record = read_sealed(folder / RESULTS)
    *above, last = place.split(".")
    part = record
    for name in above:
        part = part[name]
    del part[last]
    write_sealed(folder / RESULTS, record)
    for read in (load_encoder, pretrained_on):
        with pytest.raises(ValueError, match=f"is no record of a run: {message}.*run the experiment again"):
            read(folder)


def rewrite(folder, **encoder):
    record = read_sealed(folder / RESULTS)
    record["pretrain"]["encoder"] |= encoder
    write_sealed(folder / RESULTS, record)


def test_weights_of_another_run_are_not_taken(finished, folder):
    other = run_folder(finished, finished.arm("sipt"), 1)
    shutil.copyfile(other / ENCODER, folder / "new")
    (folder / "new").replace(folder / ENCODER)
    with pytest.raises(ValueError, match=rf"{ENCODER} is damaged \(needs sha256"):
        load_encoder(folder)


@pytest.mark.parametrize("channels", [2**62, 10**30])
def test_what_cannot_be_built_is_one_line(folder, channels):
    rewrite(folder, out_channels=channels)
    with pytest.raises(ValueError, match=r"pretrain\.encoder") as raised:
        load_encoder(folder)
    assert "\n" not in str(raised.value)


def test_weights_need_to_fit_exactly(folder):
    rewrite(folder, hidden_channels=9)
    with pytest.raises(ValueError, match=rf"{ENCODER} does not fit 'MLPEncoder'.*size mismatch"):
        load_encoder(folder)
    rewrite(folder, hidden_channels=8, num_layers=3)
    with pytest.raises(ValueError, match=rf"{ENCODER} does not fit 'MLPEncoder'.*Missing key"):
        load_encoder(folder)


@pytest.mark.parametrize("target", ["torch.nn.Linear", "subprocess.Popen", "sigraph.losses.InfoNCELoss", "os.system"])
def test_only_encoders_are_built(folder, target):
    rewrite(folder, _target_=target)
    with pytest.raises(ConfigError, match=r"Encoder|of the standard library"):
        load_encoder(folder, trust=["os", "subprocess"])


def test_ones_own_encoder_needs_ones_word_and_its_module(own_run, toy_dataset, tmp_path, monkeypatch, caplog):
    folder = own_run()
    with pytest.raises(ConfigError, match=r"would import 'ownencoder' .*ownencoder\.py.*trust=\['ownencoder'\]"):
        load_encoder(folder)  # loaded or not
    z = embed(load_encoder(folder, trust=["ownencoder"]), toy_dataset)
    assert z.shape == (40, 3) and bool((z.abs() <= 1).all())
    assert not caplog.records
    sys.modules.pop("ownencoder")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "path", [entry for entry in sys.path if entry != str(tmp_path)])
        with pytest.raises(ConfigError, match=r"no package 'ownencoder' is installed.*--trust ownencoder"):
            load_encoder(folder)
        with pytest.raises(ConfigError, match=r"no package 'ownencoder' is installed.*PYTHONPATH=FOLDER"):
            load_encoder(folder, trust=["ownencoder"])
        patch.chdir(tmp_path)
        assert torch.equal(embed(load_encoder(folder, trust="ownencoder"), toy_dataset), z)
        sys.modules.pop("ownencoder")
    (tmp_path / "ownencoder.py").write_text(OWN.format(keep="self.in_channels = in_channels") + "# other\n")
    assert torch.equal(embed(load_encoder(folder, trust=["ownencoder"]), toy_dataset), z)
    assert "'ownencoder' has changed since" in caplog.text


def test_a_module_found_inside_a_component_is_named(folder):
    rewrite(folder, act={"_target_": "nosuchmodule.Act"})
    with pytest.raises(ConfigError, match=r"pretrain\.encoder\.act: no package 'nosuchmodule'"):
        load_encoder(folder)


def test_an_encoder_that_does_not_keep_its_width_is_told_it(own_run, toy_dataset):
    folder = own_run(keep="pass")
    record = read_sealed(folder / RESULTS)
    if "in_channels" not in record["pretrain"]["encoder"]:
        with pytest.raises(ConfigError, match="needs 'in_channels'"):
            load_encoder(folder, trust=["ownencoder"])
    z = embed(load_encoder(folder, in_channels=6, trust=["ownencoder"]), toy_dataset)
    assert z.shape == (40, 3)
