"""Killed at any moment, or out of time, and called again: the numbers of an undisturbed run, bit for bit."""

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch
import yaml
from safetensors.torch import load_file

from sigraph.config import config_from_dict
from sigraph.experiment import run
from sigraph.files.sealed import read_sealed
from sigraph.leaderboard import Leaderboard
from sigraph.leaderboard.result_files import ENCODER
from sigraph.machines import trainer as training
from sigraph.running.progress import Progress
from sigraph.running.run_one import pretrain_folder, run_folder
from sigraph.running.stages import PROGRESS

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs kill -9 and fork")

# `python -m sigraph`, but saving after every epoch.
EAGER = """
import sys
import torch
torch.set_num_threads(1)
from sigraph import cli
from sigraph.machines import trainer as training
training.SaveProgress.__init__.__defaults__ = (0.0, None)
"""

# Runs the command in one process after the other. Each kills itself right before its second new file or checkpoint is
# given its name, with the work for it done, so that every file once is the last one that was written.
KILLED_EVERYWHERE = """
import os, signal
import sigraph.experiment  # before forking
for attempt in range(200):
    pid = os.fork()
    if pid == 0:
        rename, count = os.replace, 0
        def replace(source, target):
            global count
            count += not os.path.exists(target) or str(target).endswith(".ckpt")
            if count == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return rename(source, target)
        os.replace = replace
        os._exit(cli.main(sys.argv[1:]))
    _, status = os.waitpid(pid, 0)
    if os.WIFEXITED(status):
        print("attempts", attempt + 1)
        sys.exit(os.WEXITSTATUS(status))
sys.exit("no end")
"""


@pytest.fixture
def hard(toy):
    """Dropout, averaged weights, a schedule, a head that trains the encoder, and a grid."""
    toy["pretrain"] |= {
        "valid_every": 2,
        "scheduler": {"_target_": "torch.optim.lr_scheduler.CosineAnnealingLR"},
        "trainer": {"max_epochs": 4, "accelerator": "cpu", "weight_average": 0.9},
    }
    toy["finetune"] = [
        {"task": "size", "head": "full", "max_epochs": 3, "dropout": 0.2, "batch_size": 4},
        {"task": "block", "head": "knn", "k": 3},
    ]
    toy["grid"] = {"pretrain.structure_loss.alpha": [1.0, 3.0]}
    toy["arms"]["sipt-last"] = {"pretrain.trainer.weight_average": None, "pretrain.structure_loss.alpha": 2.0}
    toy["seeds"] = [0]
    return toy


def numbers(output_dir):
    """Everything below a folder that training made: weights, scores, validation, tables; not times and machines."""
    weights = {str(file.relative_to(output_dir)): load_file(file) for file in sorted(output_dir.rglob(ENCODER))}
    records = {}
    for file in sorted(output_dir.rglob("*.json")):
        if file.name.startswith("."):
            continue
        record = read_sealed(file)
        for part in (record, record.get("pretrain", {}), *record.get("tasks", [])):
            for key in ("seconds", "wall_seconds", "peak_memory_mb", "device", "commit"):
                part.pop(key, None)
        records[str(file.relative_to(output_dir))] = record
    rows = [{**row, "seconds": None} for row in Leaderboard.from_folder(output_dir).rows()]
    return weights, records, rows


def same(one, two):
    assert one[1] == two[1] and one[2] == two[2] and one[0].keys() == two[0].keys()
    for file, tensors in one[0].items():
        assert tensors.keys() == two[0][file].keys()
        assert all(torch.equal(tensors[name], two[0][file][name]) for name in tensors), file


def start(code, file, *options):
    """A process of its own that runs an experiment's file."""
    command = [sys.executable, "-c", EAGER + code, "run", str(file), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow  # a minute; the next test kills once
def test_killed_after_every_file_it_writes(hard, tmp_path):
    hard["pretrain"]["trainer"]["max_epochs"] = 3
    del hard["arms"]["objective-only"]
    hard["baseline"] = "sipt-last"
    file = tmp_path / "hard.yaml"
    file.write_text(yaml.safe_dump(hard))
    killed = start(KILLED_EVERYWHERE, file, "--output-dir", str(tmp_path / "killed"))
    results = run(config_from_dict(hard))
    assert [record["status"] for record in results.records] == ["ok"] * 2
    out, err = killed.communicate(timeout=300)
    assert killed.returncode == 0, err
    # Three pre-trainings of two checkpoints and two files, four fine-tunings, a search, two runs of three files.
    assert int(out.split("attempts")[1]) >= 20
    same(numbers(tmp_path / "killed"), numbers(tmp_path / "runs"))
    assert not list((tmp_path / "killed").rglob(PROGRESS))


def test_killed_from_outside_in_the_second_run(hard, tmp_path):
    hard["pretrain"]["trainer"]["max_epochs"] = 30
    hard["pretrain"]["valid_every"] = 10
    del hard["grid"], hard["arms"]["objective-only"]
    hard["baseline"] = None
    file, folder = tmp_path / "hard.yaml", tmp_path / "killed"
    file.write_text(yaml.safe_dump(hard))
    config = config_from_dict({**hard, "output_dir": str(folder)})
    moment = pretrain_folder(config, config.arm("sipt-last"), 0) / PROGRESS
    process = start("sys.exit(cli.main(sys.argv[1:]))", file, "--output-dir", str(folder))
    while process.poll() is None and not moment.exists():
        time.sleep(0.002)
    assert process.poll() is None, process.communicate()
    process.kill()
    process.communicate()
    assert len(list(folder.rglob("results.json"))) == 1
    run(config)
    run(config_from_dict(hard))
    same(numbers(folder), numbers(tmp_path / "runs"))


class Ticks(Progress):
    def __init__(self):
        self.counts = []

    def epochs(self, what, count=1):
        if what.endswith("pre-training"):
            self.counts.append(count)


def test_time_that_runs_out_in_a_pretraining_repeats_no_epoch(hard, tmp_path, monkeypatch):
    del hard["grid"]
    config = config_from_dict(hard)
    with monkeypatch.context() as patch:  # the third look at the clock is too late
        looks = iter([0.0, 0.0])
        clock = SimpleNamespace(time=lambda: next(looks, 1e18), perf_counter=time.perf_counter)
        patch.setattr(training, "time", clock)
        results = run(config, max_seconds=600)
    # All three stop in pre-training, the second and the third after an epoch.
    assert [record["status"] for record in results.records] == ["unfinished"] * 3 and not results.failed
    assert all("the same command resumes" in record["reason"] for record in results.unfinished)
    assert not list((tmp_path / "runs").rglob("results.json"))
    assert (pretrain_folder(config, config.arm("sipt"), 0) / PROGRESS).is_file()
    ticks = Ticks()
    again = run(config, ticks, max_seconds=600)
    assert not again.unfinished and [ticks.counts[i] for i in (0, 2, 6)] == [3, 1, 1]
    run(config_from_dict({**hard, "output_dir": str(tmp_path / "whole")}))
    same(numbers(tmp_path / "runs"), numbers(tmp_path / "whole"))


def test_time_that_runs_out_between_runs_keeps_the_finished(toy, monkeypatch):
    config, now = config_from_dict(toy), [0.0]

    class Later(Progress):
        def say(self, text):
            now[0] += 10.0 * text.startswith("[")  # the end of a run

    monkeypatch.setattr(time, "time", lambda: now[0])
    results = run(config, Later(), max_seconds=15)
    assert [record["status"] for record in results.records] == ["ok", "ok", "unfinished", "unfinished"]
    assert [row["n"] for row in results.leaderboard().rows()] == [1, 1]
    assert (run_folder(config, config.arm("sipt"), 0) / "results.json").is_file()
    monkeypatch.undo()
    again = run(config)
    assert [record["status"] for record in again.records] == ["ok"] * 4
    assert again.records[:2] == [{**record, "found": True} for record in results.records[:2]]
