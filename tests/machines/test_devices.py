"""What a device cannot do is refused before anything trains; in what it can, a pre-training works from end to end."""

import pytest
import torch
from safetensors.torch import load_file

from sigraph import PretrainGraph, SampleDataset, Task
from sigraph.config import ConfigError, config_from_dict
from sigraph.encoders import TransformerEncoder
from sigraph.experiment import run
from sigraph.export.load import load_encoder
from sigraph.leaderboard.result_files import ENCODER
from sigraph.machines import devices as device
from sigraph.machines.devices import check_device, device_kind
from sigraph.machines.trainer import TimeIsUp
from sigraph.running.run_one import run_folder
from sigraph.running.stages import pretrain_stage
from sigraph.samples import token_table

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="for a machine without a GPU")


def trainer(toy, **change):
    toy["pretrain"]["trainer"] |= change
    return config_from_dict(toy).arm("sipt").pretrain.trainer


def refused(toy, **change):
    with pytest.raises(ConfigError) as caught:
        check_device(trainer(toy, **change))
    return str(caught.value)


@without_gpu
@pytest.mark.parametrize("accelerator", ["gpu", "cuda", "tpu", "nonsense"])
def test_an_accelerator_that_is_not_there(accelerator, toy):
    message = refused(toy, accelerator=accelerator)
    assert message.startswith(f"pretrain.trainer.accelerator: {accelerator!r} is not available to torch")
    assert "'auto' or 'cpu'" in message and message.endswith("works here")
    with pytest.raises(ConfigError, match=r"arm 'sipt': pretrain\.trainer\.accelerator"):
        run(config_from_dict(toy))


def test_more_devices_than_gpus(toy, monkeypatch):
    monkeypatch.setattr(device, "_is_there", lambda kind: kind in ("cpu", "cuda"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device_kind("auto") == device_kind("gpu") == "cuda"
    check_device(trainer(toy, accelerator="gpu", devices=2, precision="16-mixed"))
    assert "pretrain.trainer.devices: needs to be <= 2, the GPUs" in refused(toy, accelerator="gpu", devices=3)


@pytest.mark.parametrize(
    ("precision", "problem"),
    [
        ("16-mixed", "float16 needs a GPU (got '16-mixed'); 'bf16-mixed' or '32-true' works on the CPU"),
        ("16-true", "weights in float16 lose small gradients"),
        ("transformer-engine", "its layers are not those"),
        ("bf16-ture", "needs to be one of 32-true, bf16-mixed, 16-mixed, bf16-true, 64-true"),
    ],
)
def test_numbers_that_it_does_not_train_with(precision, problem, toy):
    message = refused(toy, precision=precision)
    assert message.startswith("pretrain.trainer.precision: ") and problem in message


def test_no_float64_on_apples_gpus(toy, monkeypatch):
    monkeypatch.setattr(device, "_is_there", lambda kind: kind in ("cpu", "mps"))
    assert device_kind("gpu") == "mps" and "float64 is not there" in refused(
        toy, accelerator="gpu", precision="64-true"
    )


@pytest.mark.parametrize("precision", ["bf16-true", "64-true", "bf16-mixed"])
def test_a_run_in_other_numbers(precision, toy):
    """Objective, loss, memory, validation, certificate, weights that load, all heads."""
    toy["pretrain"] |= {
        "valid_every": 1,
        "structure_loss": {"_target_": "CrossBatchMemory", "loss": {"_target_": "sigraph.losses.InfoNCELoss"}},
        "sampler": "HardNegativeSampler",
    }
    toy["pretrain"]["trainer"]["precision"] = precision
    toy["finetune"] = [{"task": "block", "head": head, "max_epochs": 2} for head in ("linear", "full", "knn")]
    toy |= {"seeds": [0], "arms": {"sipt": {}}, "baseline": None}
    config = config_from_dict(toy)
    (record,) = run(config).records
    assert record["status"] == "ok" and len(record["tasks"]) == 3, record["reason"]
    assert len(record["pretrain"]["validation"]) == 2 and record["pretrain"]["certificate"]["hit_rate"] is not None
    folder = run_folder(config, config.arm("sipt"), 0)
    assert {weight.dtype for weight in load_file(folder / ENCODER).values()} == {torch.float32}
    assert {weight.dtype for weight in load_encoder(folder).state_dict().values()} == {torch.float32}


@pytest.mark.parametrize("recompute", [False, True])
def test_a_transformer_trains_in_bf16_on_the_cpu(recompute, toy, tmp_path, monkeypatch):
    """What its layers give is bfloat16 wherever it works, the weights stay float32; from the YAML to the record."""
    seen, encode = set(), TransformerEncoder.encode_padded

    def watched(self, token, is_real):
        z, state = encode(self, token, is_real)
        seen.add((self.training, self.layers.layers[0].linear1(state).dtype))
        return z, state

    monkeypatch.setattr(TransformerEncoder, "encode_padded", watched)
    ends = torch.stack([torch.arange(12), (torch.arange(12) + 2) % 12])
    split = {part: torch.arange(12)[i::3] for i, part in enumerate(("train", "valid", "test"))}
    task = Task("block", torch.arange(12) % 2, split)
    samples = token_table([[2 + i % 7] * (1 + i) for i in range(12)], 9)
    SampleDataset(samples, {"ring": PretrainGraph(ends, 12)}, {"block": task}).save(tmp_path / "tokens")
    encoder = {"_target_": "TransformerEncoder", "out_channels": 8, "num_layers": 1, "max_tokens": 20}
    toy["pretrain"] |= {"dataset": str(tmp_path / "tokens"), "graph": "ring", "objective": "MaskedToken"}
    toy["pretrain"] |= {"encoder": {**encoder, "recompute": recompute}, "structure_weight": 0.5}
    toy["pretrain"]["trainer"] |= {"precision": "bf16-mixed", "max_epochs": 1}
    toy |= {
        "seeds": [0],
        "arms": {"sipt": {}},
        "baseline": None,
        "finetune": [{"task": "block", "head": "knn", "k": 2}, {"task": "block", "head": "full", "max_epochs": 1}],
    }
    config = config_from_dict(toy)
    (record,) = run(config).records
    assert record["status"] == "ok", record["reason"]
    assert seen == {(True, torch.bfloat16), (False, torch.bfloat16)}  # in fine-tuning and for embeddings too
    folder = run_folder(config, config.arm("sipt"), 0)
    assert {weight.dtype for weight in load_file(folder / ENCODER).values()} == {torch.float32}


@pytest.mark.parametrize("precision", ["bf16-true", "64-true"])
def test_it_resumes_to_the_same_numbers(precision, toy, tmp_path):
    toy["pretrain"]["trainer"] |= {"precision": precision, "max_epochs": 2}
    settings = config_from_dict(toy).arm("sipt").pretrain
    with pytest.raises(TimeIsUp):
        pretrain_stage(settings, 0, tmp_path / "late", deadline=1.0)
    late, _, _ = pretrain_stage(settings, 0, tmp_path / "late", deadline=1.0)
    whole, _, _ = pretrain_stage(settings, 0, tmp_path / "whole")
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in late.state_dict().items())
