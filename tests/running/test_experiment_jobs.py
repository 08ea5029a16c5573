"""Runs in several processes: the same records, shared work done once, failures and errors as in one process."""

import multiprocessing
import os
import pickle
import signal
import sys
import time
from pathlib import Path

import pytest

from sigraph.config import ConfigError, config_from_dict
from sigraph.config.trust import Trust
from sigraph.experiment import _run_job, run
from sigraph.files.sealed import read_sealed
from sigraph.machines.pool import start_worker
from sigraph.running.grid import GRID_FOLDER
from sigraph.running.run_one import experiment_folder, pretrain_folder, run_folder

FAILS = """
import torch
from sigraph.encoders import Encoder, Encoding

class Fails(Encoder):
    out_channels = 4

    def __init__(self, in_channels):
        super().__init__()
        self.linear, self.calls = torch.nn.Linear(in_channels, 4), 0

    def forward(self, inputs):
        self.calls += 1
        if self.calls > 1:
            raise RuntimeError("the disk caught fire")
        return Encoding(self.linear(inputs))
"""


@pytest.fixture(autouse=True)
def one_thread_a_worker(monkeypatch):
    """As many processors as jobs, so that sums round as in this process, which has one thread."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


def measured(results):
    """Records without what differs between any two runs."""
    drop = ("versions", "commit", "device", "wall_seconds", "peak_memory_mb", "seconds")

    def clean(value):
        if isinstance(value, dict):
            return {key: clean(item) for key, item in value.items() if key not in drop}
        return [clean(item) for item in value] if isinstance(value, list) else value

    return clean(results.records)


def test_two_jobs_give_the_records_of_one(toy, tmp_path, monkeypatch):
    (tmp_path / "failing_encoder.py").write_text(FAILS)
    monkeypatch.syspath_prepend(tmp_path)
    toy["seeds"] = [0, 1]
    toy["arms"] = {
        "sipt": {},
        "sipt-head": {"finetune.0.head": "full"},  # pre-trains the same
        "sipt-broken": {"pretrain.encoder": {"_target_": "failing_encoder.Fails"}},
        "objective-only": {"pretrain.structure_weight": 0.0},
    }
    toy["grid"] = {"pretrain.structure_loss.alpha": [1.0, 3.0]}
    config = config_from_dict(toy)
    two = run(config, jobs=2, trust=["failing_encoder"])
    folder = experiment_folder(config)
    sipt = config.arm("sipt", chosen=two.records[0]["grid"]["chosen"])
    for seed in (0, 1):
        # sipt-head waits for it, or finds it done
        assert [file.name for file in pretrain_folder(config, sipt, seed).glob("log-*")] == ["log-0"]
    assert len(list((folder / GRID_FOLDER).glob("*.json"))) == 3
    assert [(r["arm"], r["seed"]) for r in two.records] == [(a, s) for s in (0, 1) for a in config.arm_names]
    assert [r["status"] for r in two.records] == ["ok", "ok", "failed", "ok"] * 2
    assert {r["reason"] for r in two.failed} == {"RuntimeError: the disk caught fire"}
    one = run(config_from_dict({**toy, "output_dir": str(tmp_path / "one")}), trust=["failing_encoder"])
    assert measured(two) == measured(one)
    assert {r["device"] for r in two.records} == {"cpu, 1 threads"}


def test_settings_that_cannot_work_are_an_error_from_a_worker_too(toy):
    """They would be said before any worker starts, but for a file that changes meanwhile."""
    toy["arms"]["sipt"] = {"pretrain.encoder.hidden": 3}
    with pytest.raises(ConfigError) as raised:
        _run_job(config_from_dict(toy).to_dict(), ("sipt", 0), deadline=None)
    again = pickle.loads(pickle.dumps(raised.value))  # the way between processes
    assert type(again) is ConfigError and "has no argument 'hidden'" in str(again)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_workers_end_with_a_parent_that_is_killed():
    """They would go on, hold their runs, and never end."""
    reader, writer = os.pipe()

    def work():
        start_worker(1, Trust())
        os.write(writer, str(os.getpid()).encode())
        signal.pause()

    parent = os.fork()
    if parent == 0:
        multiprocessing.get_context("fork").Process(target=work).start()
        signal.pause()
    worker = int(os.read(reader, 20))
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    end = time.monotonic() + 20
    while _alive(worker) and time.monotonic() < end:
        time.sleep(0.02)
    alive = _alive(worker)
    if alive:
        os.kill(worker, signal.SIGKILL)
    os.close(reader)
    os.close(writer)
    assert not alive


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.usefixtures("warm_processes")
def test_a_worker_that_the_system_kills_is_a_failed_run_and_the_others_finish(toy, tmp_path, monkeypatch):
    (tmp_path / "deadly_encoder.py").write_text(
        FAILS.replace("Fails", "Deadly") + "\n\nimport os\n" + ("Deadly.forward = lambda self, inputs: os._exit(9)\n")
    )
    monkeypatch.syspath_prepend(tmp_path)
    toy["seeds"], toy["arms"] = (
        [0],
        {"sipt": {}, "sipt-deadly": {"pretrain.encoder": {"_target_": "deadly_encoder.Deadly"}}},
    )
    config = config_from_dict({**toy, "baseline": "sipt"})
    results = run(config, jobs=2, trust=["deadly_encoder"])
    assert [(r["arm"], r["status"]) for r in results.records] == [("sipt", "ok"), ("sipt-deadly", "failed")]
    assert results.failed[0]["reason"] == "the process ended itself with exit code 9" and set(
        results.failed[0]["sources"]
    ) == {"deadly_encoder"}
    kept = read_sealed(run_folder(config, config.arm("sipt-deadly"), 0) / "results.json")
    assert kept["status"] == "failed" and "exit code 9" in results.leaderboard().table()
