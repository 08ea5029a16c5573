"""Checkpoints: what was written is read; whatever else changes in the file, nothing is."""

import pickle
import random
import zipfile

import pytest
import torch
from lightning.pytorch import LightningModule
from torch import nn
from torch.utils.data import DataLoader

from sigraph.files.sealed import DamagedError
from sigraph.machines.checkpoint import SealedCheckpoints, read_checkpoint, write_checkpoint
from sigraph.machines.trainer import quiet_trainer

STATE = {"state_dict": {"w": torch.arange(6.0).view(2, 3)}, "epoch": 3, "callbacks": {"a": {"key": "k"}}}


@pytest.fixture
def file(tmp_path):
    write_checkpoint(tmp_path / "p.ckpt", STATE)
    return tmp_path / "p.ckpt"


def test_what_was_written_is_read(file):
    found = read_checkpoint(file)
    assert torch.equal(found["state_dict"].pop("w"), STATE["state_dict"]["w"])
    assert found == {**STATE, "state_dict": {}}


def test_no_flipped_bit_and_no_cut_is_read(file):
    good, draw = file.read_bytes(), random.Random(0)
    for place in [*range(100), *draw.sample(range(100, len(good)), 300)]:
        file.write_bytes(good[:place] + bytes([good[place] ^ 1 << draw.randrange(8)]) + good[place + 1 :])
        with pytest.raises(DamagedError, match=r"p\.ckpt is damaged"):
            read_checkpoint(file)
    for end in (0, 1, 50, 93, 94, len(good) - 1):
        file.write_bytes(good[:end])
        with pytest.raises(DamagedError, match=r"p\.ckpt is damaged"):
            read_checkpoint(file)
    file.write_bytes(good + b"\0")
    with pytest.raises(DamagedError):
        read_checkpoint(file)


class Planted:
    def __reduce__(self):
        return exec, ("raise SystemExit('code ran')",)


@pytest.mark.parametrize("kind", ["torch", "pickle", "zip", "text"])
def test_files_of_others_are_none(tmp_path, kind):
    file = tmp_path / "p.ckpt"
    if kind == "torch":
        torch.save(STATE, file)
    elif kind == "pickle":
        file.write_bytes(pickle.dumps(Planted()))
    elif kind == "zip":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a", "b")
    else:
        file.write_text("sigraph checkpoint 1 sha256 ")
    with pytest.raises(DamagedError, match=r"p\.ckpt is damaged, or no checkpoint of this sigraph"):
        read_checkpoint(file)


@pytest.mark.parametrize("content", [Planted(), [1, 2]])
def test_a_right_sum_makes_no_checkpoint_of_code_or_of_a_list(tmp_path, content):
    write_checkpoint(tmp_path / "p.ckpt", content)
    with pytest.raises(DamagedError, match="holds no checkpoint"):
        read_checkpoint(tmp_path / "p.ckpt")


class Line(LightningModule):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 1)

    def training_step(self, batch, batch_idx):
        return self.linear(batch).square().sum()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)


def test_a_trainer_writes_and_reads_them(tmp_path):
    file, loader = tmp_path / "p.ckpt", DataLoader(torch.ones(4, 1), batch_size=2)
    first = quiet_trainer(max_epochs=1, accelerator="cpu")
    module = Line()
    first.fit(module, loader)
    first.save_checkpoint(file)
    assert torch.equal(read_checkpoint(file)["state_dict"]["linear.weight"], module.linear.weight.detach())
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DamagedError):
        quiet_trainer(max_epochs=2, accelerator="cpu").fit(Line(), loader, ckpt_path=file)
    SealedCheckpoints().remove_checkpoint(file)
    assert not file.exists()


def test_options_of_remote_storage_are_refused(tmp_path):
    with pytest.raises(ValueError, match="'storage_options' needs to be None"):
        SealedCheckpoints().save_checkpoint(STATE, tmp_path / "p.ckpt", {"a": 1})
