"""Callbacks around training: what is saved and when, what time limits do, which epoch is kept."""

import logging
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import Callback, LightningModule
from torch import nn
from torch.utils.data import DataLoader

from sigraph.machines import trainer as training
from sigraph.machines.checkpoint import read_checkpoint, write_checkpoint
from sigraph.machines.trainer import KeepBest, SaveProgress, Tick, TimeIsUp, quiet_trainer


class Line(LightningModule):
    """Two steps an epoch; counts the epochs in a buffer."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 1)
        self.register_buffer("epochs", torch.zeros(()))

    def training_step(self, batch, batch_idx):
        self.epochs += 0.5
        return self.linear(batch).square().sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def fit(callbacks, max_epochs=4, checkpoint=None):
    module = Line()
    trainer = quiet_trainer(max_epochs=max_epochs, accelerator="cpu", callbacks=callbacks)
    trainer.fit(module, DataLoader(torch.ones(4, 1), batch_size=2), ckpt_path=checkpoint, weights_only=True)
    return module


class Clock:
    """In place of time: stands still until it is set."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(training, "time", SimpleNamespace(perf_counter=lambda: self.now, time=lambda: self.now))

    def set(self, seconds):
        return lambda count: setattr(self, "now", 100.0 + seconds.pop(0))


@pytest.mark.parametrize(("every", "saved"), [(0.0, [1, 2, 3]), (20.0, [2]), (19.0, [1, 3]), (1e9, [])])
def test_progress_is_saved_when_the_last_is_old_and_never_at_the_end(tmp_path, monkeypatch, every, saved):
    clock, path, epochs = Clock(monkeypatch), tmp_path / "p.ckpt", []
    saver = SaveProgress(path, "key", every)

    class Look(Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            if path.exists():
                epochs.append(read_checkpoint(path)["state_dict"]["epochs"].item())

        on_train_end = on_train_epoch_start

    fit([Tick(clock.set([0, 19, 20, 39, 90])), saver, Look()], 4)
    assert sorted(set(epochs)) == saved


def test_resumption_goes_on_where_it_was_saved(tmp_path, caplog):
    saver = SaveProgress(tmp_path / "p.ckpt", "key", 0.0)
    assert saver.found() is None
    fit([saver], 3)
    ticks, again = [], SaveProgress(tmp_path / "p.ckpt", "key", 0.0)
    module = fit([again, Tick(ticks.append)], 3, again.found())
    assert ticks == [2, 1] and module.epochs == 3
    assert SaveProgress(tmp_path / "p.ckpt", "another key").found() is None
    assert "is of other settings, data or code, or another seed" in caplog.text


def test_seconds_add_up_over_resumptions(tmp_path, monkeypatch):
    clock = Clock(monkeypatch)
    first = SaveProgress(tmp_path / "p.ckpt", "key", 0.0)
    fit([Tick(clock.set([0, 7, 20])), first], 2)
    second = SaveProgress(tmp_path / "p.ckpt", "key", 0.0)  # the clock is at 20
    fit([Tick(clock.set([25, 30, 35])), second], 3, second.found())
    assert first.seconds_before == 0 and second.seconds_before == 7
    third = SaveProgress(tmp_path / "p.ckpt", "key", 0.0)
    fit([Tick(lambda count: None), third], 3, third.found())
    assert third.seconds_before == 7 + 10


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "p.ckpt is damaged"),
        (b"half a file", "p.ckpt is damaged"),
        ({"callbacks": {}}, "is the checkpoint of no pre-training"),
        ({"callbacks": {"SaveProgress": {"key": "key"}}, "loops": []}, "is the checkpoint of no pre-training"),
        ({"callbacks": {"SaveProgress": "key"}}, "is the checkpoint of no pre-training"),
    ],
)
def test_a_checkpoint_that_is_none_is_said_once_and_not_resumed_from(tmp_path, caplog, content, said):
    path = tmp_path / "p.ckpt"
    path.write_bytes(content) if isinstance(content, bytes) else write_checkpoint(path, content)
    saver = SaveProgress(path, "key")
    assert saver.found() is None and saver.epochs_before == 0
    (record,) = caplog.records
    assert said in record.message and str(path) in record.message and "\n" not in record.message


def test_a_damaged_checkpoint_is_never_resumed_from(tmp_path, caplog):
    path = tmp_path / "p.ckpt"
    fit([SaveProgress(path, "key", 0.0)], 3)
    good = path.read_bytes()
    for place in (0, 40, 200, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:place] + bytes([good[place] ^ 4]) + good[place + 1 :])
        assert SaveProgress(path, "key").found() is None
    assert len(caplog.records) == 5
    path.write_bytes(good)
    assert SaveProgress(path, "key").found() == path


def test_time_up_saves_first_whatever_the_interval(tmp_path):
    saver = SaveProgress(tmp_path / "p.ckpt", "key", 1e9, deadline=0.0)
    ticks = []
    with pytest.raises(TimeIsUp):
        fit([Tick(ticks.append), saver], 4)
    assert ticks == [0, 1]
    assert read_checkpoint(tmp_path / "p.ckpt")["state_dict"]["epochs"] == 1


def test_time_up_in_the_last_epoch_does_not_throw_it_away(tmp_path):
    assert fit([SaveProgress(tmp_path / "p.ckpt", "key", 0.0, deadline=0.0)], 1).epochs == 1
    assert not (tmp_path / "p.ckpt").exists()


def test_a_deadline_ahead_stops_nothing(tmp_path):
    assert fit([SaveProgress(tmp_path / "p.ckpt", "key", 1e9, deadline=1e18)], 3).epochs == 3


def kept(scores, greater_is_better, patience=99):
    """The kept epoch, the epoch that training stopped after, and the weight restored; the weight is the epoch."""
    keep, module = KeepBest("score", greater_is_better, patience), nn.Linear(1, 1, bias=False)
    for epoch, score in enumerate(scores):
        module.weight.data.fill_(epoch)
        trainer = SimpleNamespace(
            sanity_checking=False,
            callback_metrics={"score": torch.tensor(score)},
            current_epoch=epoch,
            should_stop=False,
        )
        keep.on_validation_end(trainer, module)
        if trainer.should_stop:
            break
    keep.restore(module)
    return keep.epoch, epoch, module.weight.item()


@pytest.mark.parametrize(
    ("scores", "greater_is_better", "best"),
    [([1, 3, 2], True, 1), ([3, 1, 2], False, 1), ([2, 3, 3], True, 1), ([3, 2, 2], False, 1), ([-3, -1, -2], True, 1)],
)
def test_the_best_epoch_is_kept_the_earlier_of_equals(scores, greater_is_better, best):
    assert kept(scores, greater_is_better) == (best, 2, best)


def test_patience_counts_epochs_since_the_best():
    assert kept([1, 5, 4, 4, 4, 9], True, patience=3) == (1, 4, 1)
    assert kept([1, 5, 4, 4, 6, 1], True, patience=3) == (4, 5, 4)


def test_a_sanity_check_is_no_epoch():
    keep = KeepBest("score", True, 1)
    keep.on_validation_end(SimpleNamespace(sanity_checking=True), nn.Linear(1, 1))
    assert keep.epoch == -1 and not keep.state


def test_a_quiet_trainer_says_and_leaves_nothing(tmp_path, capfd, caplog, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.INFO):
        fit([], 2)
    captured = capfd.readouterr()
    assert captured.out == "" and "GPU" not in captured.err and "Trainer" not in captured.err
    assert not [r for r in caplog.records if r.name.startswith("lightning")]
    assert list(tmp_path.iterdir()) == []
