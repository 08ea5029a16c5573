"""Several processes from a YAML or by torchrun: what one would do, and an end with a reason whatever happens."""

import csv
import multiprocessing
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import process_cases
import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch.distributed.run import get_args_parser as torchrun_parser

from sigraph.cli import _parser as cli_parser
from sigraph.config import ConfigError, config_from_dict
from sigraph.config.trust import trusting
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.experiment import run
from sigraph.leaderboard.result_files import ENCODER
from sigraph.machines import leader as lead
from sigraph.machines.launch import Launch, read_launch
from sigraph.machines.leader import run_apart
from sigraph.machines.processes import rebuilt, report
from sigraph.machines.trainer import TimeIsUp
from sigraph.running.fitting import PROGRESS
from sigraph.running.parts import build_parts, pretrain_hash
from sigraph.running.run_one import pretrain_folder
from sigraph.running.stages import pretrain_stage
from sigraph.samples import token_table

PATH = os.pathsep.join([str(Path(__file__).parent.parent), str(Path(__file__).parent.parent.parent)])
TORCHRUN = {
    "RANK": "5",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "4",
    "MASTER_ADDR": "one",
    "MASTER_PORT": "29500",
}
SLURM = {
    "SLURM_PROCID": "5",
    "SLURM_LOCALID": "1",
    "SLURM_STEP_NUM_TASKS": "8",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_NODELIST": "gpu[03-04]",
    "SLURM_JOB_ID": "1234567",
}


def apart(target, **job):
    return run_apart(target, job, 2, 1, "gloo", lambda count: None)


def test_the_value_and_the_ticks_are_those_of_the_first():
    ticks = []
    value = run_apart(process_cases.add_up, {"count": 3}, 2, 1, "gloo", ticks.append)
    assert value == {"total": 3.0, "rank": 0, "threads": 1, "workers": "spawn"} and ticks == [3, 3]


@pytest.mark.parametrize(
    ("how", "kind", "reason"),
    [
        ("raise", ValueError, "rank 1 does not like this"),
        ("disk", OSError, "[Errno 28] No space left on device: 'a file'"),
        (
            "killed",
            RuntimeError,
            "process 1 of 2 was ended by SIGKILL, which the system does to one when memory is short",
        ),
        ("exit", RuntimeError, "process 1 of 2 ended with code 3 before it said why"),
    ],
)
def test_what_happens_to_one_ends_all_with_its_reason(how, kind, reason):
    start = time.monotonic()
    with pytest.raises(kind) as caught:
        apart(process_cases.fail, how=how)
    assert str(caught.value).startswith(reason)
    assert time.monotonic() - start < 60
    if how in ("raise", "disk"):
        assert caught.value.__notes__[0].startswith("in process 1 of 2:\nTraceback")


def test_no_process_outlives_the_one_that_started_it(tmp_path):
    parent = multiprocessing.get_context("forkserver").Process(
        target=process_cases.lead_and_wait, args=(str(tmp_path),)
    )
    parent.start()
    until = time.monotonic() + 90
    while len(found := list(tmp_path.iterdir())) < 2 and time.monotonic() < until:
        time.sleep(0.1)
    parent.kill()
    parent.join()
    while any(Path("/proc", file.name).exists() for file in found) and time.monotonic() < until:
        time.sleep(0.1)
    assert len(found) == 2 and not any(Path("/proc", file.name).exists() for file in found)


@pytest.mark.parametrize("how", ["raise", "killed"])
def test_workers_of_a_process_end_with_it(how, tmp_path):
    with pytest.raises((ValueError, RuntimeError)):
        apart(process_cases.fail_with_workers, how=how, folder=str(tmp_path))
    found, until = [Path("/proc", file.name) for file in tmp_path.iterdir()], time.monotonic() + 30
    while any(map(runs, found)) and time.monotonic() < until:
        time.sleep(0.05)
    assert len(found) == 2 and not any(map(runs, found))


def runs(process):
    """Whether there is such a process; one that nobody has asked how it ended is none."""
    try:
        return (process / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_an_exception_comes_over_by_name_and_text():
    class OddError(Exception):
        pass

    for error, kind, text in (
        (ConfigError("a: b"), ConfigError, "a: b"),
        (FileNotFoundError(2, "No such file or directory", "x"), FileNotFoundError, "[Errno 2] No such file or "),
        (OddError("odd"), RuntimeError, "OddError: odd"),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"), RuntimeError, "UnicodeDecodeError: 'utf-8' codec"),
        (KeyboardInterrupt(), RuntimeError, "KeyboardInterrupt: "),
    ):
        found = rebuilt(report(error))
        assert type(found) is kind and str(found).startswith(text)


# From a YAML


@pytest.fixture
def two(toy, toy_dataset, tmp_path):
    """The toy experiment by two processes of which only the first may write, with an odd number of samples a step."""
    toy["pretrain"]["encoder"] |= {"_target_": "process_cases.Troubled", "runs": str(tmp_path / "runs")}
    toy["pretrain"] |= {"batch_size": 9, "valid_every": 1}
    toy["pretrain"]["trainer"] |= {"max_epochs": 3, "devices": 2, "strategy": "ddp"}
    toy |= {"seeds": [0], "arms": {"sipt": {}}, "baseline": None}
    with trusting(["process_cases"]):
        yield toy


def curve(folder):
    """Epoch -> losses, from the log."""
    (file,) = folder.glob("log-*/metrics.csv")
    rows = [row for row in csv.DictReader(file.open()) if row["loss"]]
    return torch.tensor([[float(row["epoch"]), float(row["structure_loss"]), float(row["loss"])] for row in rows])


def weights(config, arm="sipt"):
    return load_file(pretrain_folder(config, config.arm(arm), 0) / ENCODER)


def assert_equal(one, two):
    assert one.keys() == two.keys() and all(torch.equal(value, two[name]) for name, value in one.items())


def test_nothing_random_two_train_what_one_does(two):
    """4 steps of 9 samples and one of 4; the second process has 4 and 2 of them."""
    two["pretrain"]["sampler"] = {"num_neighbors": 0, "num_negatives": 0}
    two["pretrain"]["encoder"]["dropout"] = 0.0
    del two["pretrain"]["objective"], two["pretrain"]["structure_weight"]
    two["arms"]["one"] = {"pretrain.trainer.devices": 1}
    two["pretrain"]["optimizer"] = {"_target_": "torch.optim.SGD", "lr": 0.1}
    config = config_from_dict(two)
    records = run(config).records
    assert [record["status"] for record in records] == ["ok", "ok"], records
    folders = [pretrain_folder(config, config.arm(name), 0) for name in ("sipt", "one")]
    assert folders[0] != folders[1] and [record["pretrain"]["num_steps"] for record in records] == [15, 15]
    left, right = (curve(folder) for folder in folders)
    assert left.shape == (3, 3) and (right[:-1, 2] > right[1:, 2]).any()
    torch.testing.assert_close(left, right, rtol=1e-5, atol=1e-6)
    for name, value in weights(config, "one").items():
        torch.testing.assert_close(weights(config)[name], value, rtol=1e-4, atol=1e-6)
    validation = [record["pretrain"]["validation"] for record in records]
    assert [row["epoch"] for row in validation[0]] == [1, 2, 3]
    for row, expected in zip(*validation, strict=True):
        assert row == pytest.approx(expected, abs=1e-3)


def test_two_that_encode_chunks_again_train_what_one_does_that_keeps_them(toy, tmp_path):
    """Gradients of a chunk are computed in the backward pass, among those that the processes average."""
    ids = torch.arange(40)
    sequences = [[2 + (i + j) % 9 for j in range(1 + i % 7)] for i in ids.tolist()]
    graph = PretrainGraph(torch.stack([ids, (ids + 2) % 40]), 40)
    SampleDataset(token_table(sequences, 12), {"ring": graph}).save(tmp_path / "tokens")
    encoder = {"_target_": "sigraph.encoders.TransformerEncoder", "out_channels": 8, "num_heads": 2, "dropout": 0.0}
    toy["pretrain"] = {
        "dataset": str(tmp_path / "tokens"),
        "graph": "ring",
        "encoder": {**encoder, "num_layers": 1, "max_tokens": 14, "recompute": True},
        "sampler": {"_target_": "sigraph.samplers.NeighborPairSampler", "num_neighbors": 0, "num_negatives": 0},
        "batch_size": 15,
        "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1},
        "trainer": {"max_epochs": 2, "accelerator": "cpu", "devices": 2, "strategy": "ddp"},
    }
    alone = {"pretrain.trainer.devices": 1}
    arms = {"two": {}, "one": alone, "kept": {**alone, "pretrain.encoder.recompute": False}}
    config = config_from_dict(toy | {"seeds": [0], "finetune": [], "arms": arms, "baseline": None})
    records = run(config).records
    assert [record["status"] for record in records] == ["ok"] * 3, records
    started = build_parts(config.arm("one").pretrain, 0).module.encoder.state_dict()
    for name, value in weights(config, "kept").items():
        for arm in ("one", "two"):
            torch.testing.assert_close(weights(config, arm)[name], value, rtol=1e-4, atol=1e-6)
    moved = [name for name, value in weights(config, "two").items() if not torch.allclose(value, started[name])]
    assert any("layers" in name for name in moved) and any("embedding" in name for name in moved)


@pytest.mark.slow  # processes of its own, half a minute on two cores
def test_killed_in_the_middle_it_resumes_bit_for_bit(two, tmp_path):
    """Dropout, masks, drawn neighbours and averaged weights; the first is told why."""
    two["pretrain"]["encoder"] |= {"trouble": "kill", "mark": str(tmp_path / "mark")}
    two["pretrain"]["trainer"]["weight_average"] = 0.9
    two["pretrain"]["num_workers"] = 1
    config = config_from_dict(two)
    two["pretrain"]["num_workers"] = 0  # changes nothing, and starts no process for each of two
    whole = config_from_dict({**two, "output_dir": str(tmp_path / "whole")})
    (failed,) = run(config).records
    folder = pretrain_folder(config, config.arm("sipt"), 0)
    assert failed["status"] == "failed" and "process 1 of 2 was ended by SIGKILL" in failed["reason"]
    assert (tmp_path / "mark").exists() and not (folder / ENCODER).exists()
    (resumed,) = run(config).records
    (undisturbed,) = run(whole).records
    assert resumed["status"] == undisturbed["status"] == "ok", resumed
    assert_equal(weights(config), weights(whole))
    assert resumed["pretrain"]["validation"] == undisturbed["pretrain"]["validation"]
    assert [task["test"] for task in resumed["tasks"]] == [task["test"] for task in undisturbed["tasks"]]
    assert not (folder / PROGRESS).exists() and not list(tmp_path.rglob("*.tmp*"))


def test_time_that_is_up_is_up_for_both_and_nothing_is_repeated(two, tmp_path):
    config, ticks = config_from_dict(two), []
    settings = config.arm("sipt").pretrain
    for epoch in (1, 2):
        with pytest.raises(TimeIsUp):
            pretrain_stage(settings, 0, tmp_path / "runs" / "late", ticks.append, deadline=1.0)
        assert sum(ticks) == epoch + (epoch - 1)  # also told of those done before
    _, _, late = pretrain_stage(settings, 0, tmp_path / "runs" / "late", ticks.append, deadline=1.0)
    _, _, whole = pretrain_stage(settings, 0, tmp_path / "runs" / "whole")
    assert late["num_steps"] == whole["num_steps"] == 15 and late["validation"] == whole["validation"]
    assert_equal(*(load_file(tmp_path / "runs" / name / ENCODER) for name in ("late", "whole")))


def test_how_many_share_a_batch_is_in_the_hash_and_where_they_run_is_not(toy):
    def code(**trainer):
        tree = {**toy, "pretrain": {**toy["pretrain"], "trainer": {**toy["pretrain"]["trainer"], **trainer}}}
        return pretrain_hash(config_from_dict(tree).arm("sipt").pretrain)

    assert code() == code(devices=1, strategy="ddp") != code(devices=2)
    assert code(devices=4, num_nodes=2) == code(devices=8) == code(devices=2, num_nodes=4) != code(devices=4)


def test_what_several_processes_cannot_do_is_said_before_any_starts(toy):
    def refused(**change):
        config = config_from_dict({**toy, "pretrain": {**toy["pretrain"], **change}})
        with pytest.raises(ValueError) as caught:
            run(config)
        return str(caught.value)

    trainer = {**toy["pretrain"]["trainer"], "devices": 2}
    assert "pretrain.batch_size: needs to be >= 4, two samples for each of 2 processes (got 3)" in refused(
        batch_size=3, trainer=trainer
    )
    assert "'trainer.num_nodes' needs torchrun or srun" in refused(trainer={**trainer, "num_nodes": 2})
    library = pytest.importorskip("pytorch_metric_learning.losses")
    loss = {
        "_target_": "sigraph.losses.PMLLoss",
        "loss": {"_target_": f"{library.ContrastiveLoss.__module__}.ContrastiveLoss"},
    }
    assert "cannot compute a part of 'PMLLoss' each; train with" in refused(structure_loss=loss, trainer=trainer)


# Started by torchrun or srun


def test_torchrun_trains_what_a_yaml_does_and_a_failure_is_a_row(two, tmp_path):
    two["arms"] = {"broken": {"pretrain.encoder.trouble": "raise"}, "sipt": {}}
    local = config_from_dict({**two, "arms": {"sipt": {}}, "output_dir": str(tmp_path / "local")})
    del two["pretrain"]["trainer"]["devices"]
    file = tmp_path / "two.yaml"
    file.write_text(yaml.safe_dump(two))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    started = subprocess.Popen(
        [*command, "-m", "sigraph", "run", str(file), "--trust", "process_cases"],
        env={**os.environ, "PYTHONPATH": PATH, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    run(local)
    out, err = started.communicate(timeout=240)
    assert out.count("toy-experiment") == 2, out + err  # the table's title and the folder's name, once
    assert err.count("[1/2] broken, seed 0: FAILED, ValueError: rank 1 does not like this") == 1, err
    assert err.count("[2/2] sipt, seed 0: block (linear)") == 1 and started.returncode == 1
    found = config_from_dict(two | {"pretrain": local.pretrain.to_dict()})
    assert_equal(weights(found), weights(local))


def test_what_torchrun_and_srun_say_is_understood():
    at = read_launch(TORCHRUN)
    assert at == Launch("torchrun", 5, 8, 1, 4, "one", 29500) and at.num_nodes == 2 and not at.kept
    again = read_launch({**TORCHRUN, "TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "2"})
    assert again.kept and again.attempt == "2"
    at = read_launch(SLURM)
    assert at == Launch("srun", 5, 8, 1, 4, "gpu03", 19567) and at.num_nodes == 2
    assert read_launch({**SLURM, "SLURM_STEP_ID": "3"}).port != at.port
    assert read_launch({**SLURM, "MASTER_ADDR": "two", "MASTER_PORT": "7"}).address == "two"


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"RANK": "3", "WORLD_SIZE": "8"},  # of some other system
        {**TORCHRUN, "RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"},
        {**SLURM, "SLURM_STEP_NUM_TASKS": "1", "SLURM_STEP_NUM_NODES": "1"},
        {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "8", "SLURM_PROCID": "0"},  # a batch script itself
    ],
)
def test_one_process_was_started_alone(env):
    assert read_launch(env) is None


def test_machines_with_other_numbers_of_processes_are_refused():
    with pytest.raises(ValueError, match="torchrun needs to start as many processes on each machine"):
        read_launch({**TORCHRUN, "LOCAL_WORLD_SIZE": "3"})
    with pytest.raises(ValueError, match="srun needs to start as many tasks on each machine"):
        read_launch({**SLURM, "SLURM_STEP_NUM_TASKS": "9"})


def test_what_was_started_and_what_the_yaml_says_need_to_agree(monkeypatch):
    monkeypatch.setattr(lead, "launched", lambda: read_launch({**TORCHRUN, "RANK": "0"}))
    lead.check_size(4, 2)
    with pytest.raises(ValueError, match=r"needs to be 4 x 2, as torchrun started \(got 8 x 1\)"):
        lead.check_size(8, 1)


def test_the_page_says_what_works(toy):
    page = (Path(__file__).parent.parent.parent / "docs" / "several-machines.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    given = yaml.safe_load(block)["pretrain"]
    toy["pretrain"] |= {**given, "trainer": {**toy["pretrain"]["trainer"], **given["trainer"]}}
    settings = config_from_dict(toy).arm("sipt").pretrain
    assert settings.trainer.num_processes == 8 and build_parts(settings, 0).steps_per_epoch == 1
    for line in re.findall(r"^#SBATCH --(\S+)=", page, re.MULTILINE):
        assert line in ("nodes", "ntasks-per-node", "gpus-per-node", "cpus-per-task", "time", "array", "gres")
    options = set(re.findall(r"(?<=\s)--[a-z-]+", " ".join(re.findall(r"sigraph run mine\.yaml[^`\n#]*", page))))
    assert options == {"--max-time", "--list", "--arm", "--seed", "--jobs"}
    command = re.search(r"torchrun (.*?)```", page, re.DOTALL)[1].replace("\\\n", " ").split()
    parsed = torchrun_parser().parse_args(command)
    assert (parsed.nnodes, parsed.nproc_per_node, parsed.training_script) == ("2", "8", "sigraph")
    assert cli_parser().parse_args(parsed.training_script_args).file == "mine.yaml"


def test_two_train_in_bfloat16(two):
    two["pretrain"]["trainer"] |= {"precision": "bf16-true", "max_epochs": 1}
    (record,) = run(config_from_dict(two)).records
    assert record["status"] == "ok", record["reason"]
