"""What every test shares: a data root of its own, one thread, and no way to the network."""

import multiprocessing
import os
from pathlib import Path
from types import SimpleNamespace

import hypothesis
import pytest

# Before any library that would start as many threads as there are cores, in this process and in those it starts.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import torch  # noqa: E402

from sigraph.data import PretrainGraph, SampleDataset, Task  # noqa: E402

torch.set_num_threads(1)
# Processes of a server start as spawned ones do, with everything pickled, but import nothing again.
multiprocessing.set_forkserver_preload(["sigraph.running.fitting"])


# Files of tests that start processes: one worker of `pytest -n` runs them one after the other, beginning with them, so
# that their deadlines hold, what they start is not crowded, and no fixture for a whole file is made twice.
PROCESSES = {
    *("running/test_processes", "running/test_experiment_jobs", "running/test_resume", "running/test_parallel"),
    "test_distributed",
}
hypothesis.settings.register_profile("busy", deadline=None)  # a machine that does other things too is no failure
hypothesis.settings.load_profile("busy")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Single tests go to whichever worker is free, those of some files all to one (marks do not group: pytest 9.2)."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0].removeprefix("tests/").removesuffix(".py")
            return "processes" if file in PROCESSES else nodeid

    return Scheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable(config, report):
    """What a test printed may hold what no worker can send: halves of a character."""
    return _sendable((yield))


def _sendable(value):
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {key: _sendable(part) for key, part in value.items()}
    return type(value)(map(_sendable, value)) if type(value) in (list, tuple) else value


@pytest.fixture(autouse=True)
def data_root(tmp_path_factory, monkeypatch):
    """Prepared data of one test never meets the user's or another test's."""
    root = tmp_path_factory.mktemp("sigraph-data")
    monkeypatch.setenv("SIGRAPH_DATA", str(root))
    return root


@pytest.fixture
def warm_processes(monkeypatch):
    """Processes of ``in_processes`` come from a server that has imported all they need, once for all tests."""
    from sigraph.machines import pool as parallel

    server = multiprocessing.get_context("forkserver")
    warm = SimpleNamespace(**{**vars(multiprocessing), "get_context": lambda method: server})
    monkeypatch.setattr(parallel, "multiprocessing", warm)


@pytest.fixture
def data_source() -> Path:
    """The folder of real raw files; skips where there is none."""
    folder = os.environ.get("SIGRAPH_DATA_SOURCE")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs real raw files: set SIGRAPH_DATA_SOURCE to a folder that holds them")
    return Path(folder)


@pytest.fixture
def toy_dataset() -> SampleDataset:
    """Two blocks of samples whose features say little, joined within blocks; two tasks with other splits."""
    generator, ids = torch.Generator().manual_seed(0), torch.arange(40)
    y = ids % 2
    pairs = torch.combinations(ids).t()
    same = pairs[:, y[pairs[0]] == y[pairs[1]]]
    graph = PretrainGraph(same[:, torch.rand(same.size(1), generator=generator) < 0.3], 40)
    x = torch.randn(40, 6, generator=generator) + 0.5 * y[:, None]
    split = {"train": ids[:10], "valid": ids[10:19], "test": ids[19:36]}
    other = {"train": ids[:10], "valid": ids[34:37], "test": ids[37:39]}
    tasks = {"block": Task("block", y, split), "size": Task("size", x.sum(dim=1) + y, other, metric="mae")}
    return SampleDataset(x, {"blocks": graph}, tasks, name="toy")


@pytest.fixture
def toy(toy_dataset, tmp_path):
    """An experiment on it as a plain mapping, free to change; the data set is saved in ``tmp_path / "toy"``."""
    toy_dataset.save(tmp_path / "toy")
    encoder = {"_target_": "sigraph.encoders.MLPEncoder", "hidden_channels": 8, "out_channels": 4, "dropout": 0.5}
    return {
        "name": "toy-experiment",
        "seeds": [0, 1],
        "output_dir": str(tmp_path / "runs"),
        "pretrain": {
            "dataset": str(tmp_path / "toy"),
            "graph": "blocks",
            "encoder": encoder,
            "objective": {"_target_": "sigraph.objectives.MaskedFeature"},
            "structure_weight": 0.5,
            "batch_size": 20,
            "trainer": {"max_epochs": 2, "accelerator": "cpu"},
        },
        "finetune": [{"task": "block", "head": "linear", "max_epochs": 4}],
        "arms": {"sipt": {}, "objective-only": {"pretrain.structure_weight": 0.0}},
        "baseline": "objective-only",
        "references": False,  # two arms are what tests count
    }


@pytest.fixture(scope="session")
def text_runs(tmp_path_factory):
    """Folders of two seeds of a small run on texts, with heads of every kind; to be read, not changed."""
    import text_run

    return text_run.ran(tmp_path_factory.mktemp("texts"))


@pytest.fixture(scope="session")
def letter_run(tmp_path_factory):
    """Folder of a small run on sequences, with heads of pairs, links and letters; to be read, not changed."""
    import letter_run

    return letter_run.ran(tmp_path_factory.mktemp("letters"))
