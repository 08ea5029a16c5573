"""RefreshNegatives: when pools are filled, the same for any number of workers and after a resumption."""

import pytest
import torch
from lightning.pytorch import Callback
from safetensors.torch import load_file

import sigraph as sg
from sigraph.config import config_from_dict
from sigraph.encoders import embed
from sigraph.leaderboard.result_files import ENCODER
from sigraph.machines.trainer import SaveProgress, quiet_trainer
from sigraph.running.stages import pretrain_stage
from sigraph.samplers import HardNegativeSampler


def sampler(every=1):
    target = "sigraph.samplers.HardNegativeSampler"
    return {"_target_": target, "refresh_every": every, "guard_rank": 1, "pool_size": 4, "num_negatives": 2}


def settings(toy, every, **more):
    toy["pretrain"].update(sampler=sampler(every), **more)
    toy["pretrain"]["trainer"]["max_epochs"] = 5
    return config_from_dict(toy).arm("sipt").pretrain


@pytest.mark.parametrize("every", [1, 2, 3])
def test_workers_and_resumption_change_nothing(toy, tmp_path, monkeypatch, every):
    pretrain_stage(settings(toy, every), 0, tmp_path / "whole")
    whole = load_file(tmp_path / "whole" / ENCODER)
    pretrain_stage(settings(toy, every, num_workers=2), 0, tmp_path / "workers")
    monkeypatch.setattr(SaveProgress.__init__, "__defaults__", (0.0, None))
    config = settings(toy, every, num_workers=2 if every == 2 else 0)
    for stop in (2, 1, 1):  # after epochs 2, 3, 4
        done = []

        def kill(count, done=done, stop=stop):
            done.append(count)
            if len(done) == stop + 1:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            pretrain_stage(config, 0, tmp_path / "killed", kill)
    pretrain_stage(config, 0, tmp_path / "killed")
    for folder in ("workers", "killed"):
        other = load_file(tmp_path / folder / ENCODER)
        assert all(torch.equal(whole[key], other[key]) for key in whole), folder
    logged = (tmp_path / "whole" / "log-0" / "metrics.csv").read_text()
    assert "false_negative_rate" in logged and "pool_share" in logged


def trained(dataset, every, callbacks=(), refresh=True, epochs=4):
    graph = dataset.graph()
    draws = HardNegativeSampler(graph, guard_rank=1, pool_size=4, refresh_every=every)
    torch.manual_seed(0)
    encoder = sg.encoders.MLPEncoder(6, 8, 4)
    module = sg.PretrainModule(encoder, sg.losses.InfoNCELoss(), sampler=draws)
    refreshing = [sg.RefreshNegatives(dataset, draws)] if refresh else []
    trainer = quiet_trainer(max_epochs=epochs, accelerator="cpu", callbacks=[*refreshing, *callbacks])
    trainer.fit(module, sg.pretrain_loader(dataset, draws, batch_size=16))
    return draws


def test_pools_are_those_of_the_encoder_at_the_start_of_every_nth_epoch(toy_dataset):
    class Watch(Callback):
        def __init__(self):
            self.fresh, self.steps = [], 0

        def on_train_batch_start(self, trainer, module, batch, batch_idx):
            if batch_idx == 0:
                expected = HardNegativeSampler(toy_dataset.graph(), guard_rank=1, pool_size=4)
                expected.refresh(embed(module.encoder, toy_dataset))
                self.fresh.append(torch.equal(expected.pool, module.sampler.pool))

    watch = Watch()
    trained(toy_dataset, 2, [watch])
    assert watch.fresh == [True, False, True, False]


def test_a_sampler_that_nothing_refreshes_is_refused(toy_dataset):
    with pytest.raises(ValueError, match=r"nothing refreshes; give .*callbacks=\[RefreshNegatives"):
        trained(toy_dataset, 1, refresh=False)
    other = HardNegativeSampler(toy_dataset.graph())
    with pytest.raises(ValueError, match="nothing refreshes"):
        trained(toy_dataset, 1, [sg.RefreshNegatives(toy_dataset, other)], refresh=False)


def test_what_does_not_fit_is_refused(toy_dataset):
    draws = HardNegativeSampler(toy_dataset.graph())
    with pytest.raises(
        ValueError, match=r"'dataset' needs to be a sigraph SampleDataset .*\(got HardNegativeSampler\)"
    ):
        sg.RefreshNegatives(draws, toy_dataset)
    plain = sg.samplers.NeighborPairSampler(toy_dataset.graph())
    with pytest.raises(ValueError, match=r"'sampler' needs to be a sigraph HardNegativeSampler"):
        sg.RefreshNegatives(toy_dataset, plain)
    with pytest.raises(ValueError, match=r"'dataset' needs one sample per node, 40, .*\(got 30\)"):
        sg.RefreshNegatives(toy_dataset.subset(torch.arange(30)), draws)
