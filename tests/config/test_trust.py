"""Nothing is imported before it is known to lie in a place that somebody vouched for."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from pages import read

from sigraph.cli import main
from sigraph.config import ConfigError, config_from_dict
from sigraph.config.build import build, check, is_shipped
from sigraph.config.trust import LIBRARIES, check_trust, current_trust, trusting
from sigraph.encoders import Encoder
from sigraph.experiment import run
from sigraph.export.load import load_encoder
from sigraph.files.sealed import write_sealed
from sigraph.leaderboard.result_files import RESULTS
from sigraph.running.run_one import run_folder

CODE = """
from pathlib import Path
from sigraph.encoders import MLPEncoder

with open({mark!r}, "a") as file:
    file.write(__name__ + "\\n")

class Own(MLPEncoder):
    pass
"""


class Planted:
    """Modules that leave a mark when they are imported."""

    def __init__(self, folder):
        self.folder, self.mark = folder, folder / "MARK"

    def plant(self, name, folder=None):
        file = (folder or self.folder) / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(CODE.format(mark=str(self.mark)))
        return file.parent

    @property
    def ran(self):
        return self.mark.read_text().split() if self.mark.exists() else []


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """Nothing of it stays loaded or on the path."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield Planted(tmp_path)
    for name in set(sys.modules) - before:
        file = str(getattr(sys.modules[name], "__file__", "") or "")
        if file.startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def experiment(toy, planted):
    """Writes an experiment with an encoder of some module into a folder of its own; gives the file."""

    def write(target="planted_own.Own", **more):
        toy["pretrain"]["encoder"]["_target_"] = target
        toy["pretrain"]["trainer"]["max_epochs"] = 1
        file = planted.folder / "there" / "mine.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(yaml.safe_dump({**toy, "seeds": [0], "arms": {"sipt": {}}, "baseline": None, **more}))
        return file

    return write


def refused(target, where="slot"):
    with pytest.raises(ConfigError) as caught:
        check_trust(target, where)
    assert str(caught.value).startswith(f"{where}: ") and "\n" not in str(caught.value)
    return str(caught.value)


def test_the_pages_name_what_is_imported_and_the_option():
    page = read("docs/experiment-file.md").partition("### Whose code runs")[2].partition("\n### ")[0]
    assert all(name in page for name in LIBRARIES) and "--trust" in page and "--list" in page
    assert "docs/experiment-file.md#whose-code-runs" in read("SECURITY.md") and "--trust NAME" in read("README.md")


# By name


@pytest.mark.parametrize("root", [name for name in LIBRARIES if name != "transformers"])
def test_what_sigraph_builds_on_needs_no_word(root):
    pytest.importorskip(root)
    assert check_trust(f"{root}.anything.X", "slot") is True


@pytest.mark.parametrize(
    "target",
    [
        "numpy.f2py.__main__.X",
        "torch.utils.bottleneck.__main__.X",
        "sigraph.__main__.X",
        "__main__.X",
        "torch.__main__",
    ],
)
def test_a_program_is_never_imported(target):
    with trusting(["numpy", "__main__"]):
        assert "is of a program" in refused(target)


def test_the_standard_library_needs_more_than_a_word():
    with trusting(["os", "antigravity"]):
        assert "standard library" in refused("os.system")
        assert "standard library" in refused("antigravity.X")
    assert "antigravity" not in sys.modules


def test_workings_of_a_library_are_private():
    assert "is of '_dynamo', which is private to 'torch'" in refused("torch._dynamo.X")
    assert "private" in refused("torch.testing._internal.common_utils.TestCase")


def test_an_installed_package_needs_a_word_loaded_or_not():
    import numpy

    assert numpy.__name__ in sys.modules and "--trust numpy (in Python trust=['numpy'])" in refused("numpy.ndarray")
    assert "--trust wheel_of_nothing" in refused("wheel_of_nothing.X")
    with trusting(["numpy"]):
        assert check_trust("numpy.ndarray", "slot") is False
        with trusting(["scipy"]):  # adds to it
            assert check_trust("numpy.ndarray", "slot") is False
    refused("numpy.ndarray")


@pytest.mark.parametrize("name", ["mylosses.py", "mylosses.MyLoss", "", "a b", 3, "../x", "folder/x"])
def test_a_name_that_is_none_is_said(name):
    with pytest.raises(ValueError, match="'trust' needs names of packages or modules"), trusting([name]):
        pass


def test_one_name_is_one_name():
    with trusting("numpy"):
        assert current_trust().names == ("numpy",)


# By place


def test_modules_beside_a_file_are_its_own_folder_alone(planted, tmp_path, monkeypatch):
    there = planted.plant("planted_beside", tmp_path / "there")
    planted.plant("planted_above")
    planted.plant("planted_stands", tmp_path / "stands")
    (there / "package").mkdir()
    (there / "package" / "inner.py").write_text("")
    (there / "linked").symlink_to(tmp_path / "stands")  # a folder beside the YAML, wherever it leads
    monkeypatch.chdir(tmp_path / "stands")
    with trusting(beside=there / "mine.yaml"):
        assert check_trust("planted_beside.Own", "slot") is False
        assert check_trust("package.inner.X", "slot") is False
        refused("planted_above.Own")
        refused("planted_stands.Own")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.syspath_prepend(tmp_path / "stands")
        assert "planted_above.py" in refused("planted_above.Own")
        assert "planted_stands.py" in refused("planted_stands.Own")
    refused("planted_beside.Own")
    assert planted.ran == []


def test_what_is_found_first_counts(planted, tmp_path, monkeypatch):
    """A module that Python would take from elsewhere is not the one beside the YAML."""
    there = planted.plant("planted_twice", tmp_path / "there")
    monkeypatch.syspath_prepend(planted.plant("planted_twice", tmp_path / "first"))
    with trusting(beside=there / "mine.yaml"):
        assert str(tmp_path / "first" / "planted_twice.py") in refused("planted_twice.Own")
    monkeypatch.syspath_prepend(there)
    (tmp_path / "first" / "planted_twice.py").rename(tmp_path / "first" / "planted_spread")  # a package in two places
    for folder in (there, tmp_path / "first"):
        (folder / "planted_spread").unlink(missing_ok=True)
        (folder / "planted_spread").mkdir()
    importlib.invalidate_caches()
    with trusting(beside=there / "mine.yaml"):
        assert "planted_spread" in refused("planted_spread.inner.X")


@pytest.mark.parametrize("name", ["transformers", "pytorch_metric_learning", "torch"])
def test_a_local_module_does_not_pass_for_a_library(planted, tmp_path, monkeypatch, name):
    there = planted.plant(name, tmp_path / "there")
    monkeypatch.delitem(sys.modules, name, raising=False)  # as if it was not loaded yet
    monkeypatch.syspath_prepend(there)
    with trusting(beside=there / "mine.yaml"):
        assert "has the name of a library" in refused(f"{name}.Own")
    monkeypatch.chdir(there)
    assert "has the name of a library" in refused(f"{name}.Own")
    assert planted.ran == []
    with trusting([name]):
        assert check_trust(f"{name}.Own", "slot") is True


def test_everything_a_component_names_is_looked_at_before_anything_is_imported(planted, monkeypatch):
    monkeypatch.syspath_prepend(planted.plant("planted_outer"))
    component = {"_target_": "planted_outer.Own", "layers": [{"deep": {"_target_": "numpy.f2py.__main__.X"}}]}
    with trusting(["planted_outer"]), pytest.raises(ConfigError, match=r"slot\.layers\.deep: .*is of a program"):
        is_shipped(component, "slot")
    with pytest.raises(ConfigError, match=r"slot: 'planted_outer\.Own' would import"):
        check(component, Encoder, "slot")
    nested = {"_target_": "sigraph.encoders.MLPEncoder", "hidden_channels": {"_target_": "planted_outer.Own"}}
    with pytest.raises(ConfigError, match=r"slot\.hidden_channels: 'planted_outer\.Own' would import"):
        build(nested, Encoder, "slot", in_channels=3)
    assert planted.ran == []


# The commands


def test_run_takes_what_lies_beside_the_yaml_and_list_imports_nothing(planted, experiment, tmp_path, capsys):
    planted.plant("planted_own", tmp_path / "there")
    file = experiment()
    assert main(["run", str(file), "--list"]) == 0
    assert planted.ran == [] and "planted_own" not in sys.modules
    assert main(["run", str(file), "pretrain.encoder._target_=planted_gone.Own", "--list"]) == 2
    assert "no package 'planted_gone' is installed, nor does it lie beside" in capsys.readouterr().err
    assert main(["run", str(file), "--dry-run"]) == 0
    assert "code of your own, which was run: planted_own" in capsys.readouterr().out
    assert main(["run", str(file)]) == 0
    assert planted.ran == ["planted_own"]


def test_run_takes_nothing_from_where_one_stands_but_on_ones_word(planted, experiment, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(planted.plant("planted_own", tmp_path / "stands"))
    file = experiment()
    for options in ([], ["--list"], ["--dry-run"]):
        assert main(["run", str(file), *options]) == 2
        assert "--trust planted_own" in capsys.readouterr().err
    assert planted.ran == []
    command = ["run", str(file), "--trust", "planted_own", "--trust", "numpy"]
    assert main([*command, "--list"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert " --trust planted_own --trust numpy " in line and planted.ran == []
    assert main(command) == 0
    assert planted.ran == ["planted_own"]


def test_what_only_lies_beside_a_yaml_is_no_library(planted, experiment, tmp_path, monkeypatch):
    """Libraries try to import what they can do without; it would be found there."""
    for name in ("faiss", "torch_scatter", "torch_sparse", "pyg_lib", "rdkit", "sitecustomize"):
        planted.plant(name, tmp_path / "there")
        planted.plant(name, tmp_path / "stands")
    monkeypatch.chdir(tmp_path / "stands")
    before = [*sys.path]
    assert main(["run", str(experiment("sigraph.encoders.MLPEncoder")), "--dry-run"]) == 0
    assert sys.path == before and planted.ran == []


def test_extends_adds_no_place(planted, experiment, tmp_path, capsys):
    planted.plant("planted_own", tmp_path / "there")
    file = experiment()
    (tmp_path / "child").mkdir()
    (tmp_path / "child" / "child.yaml").write_text("extends: ../there/mine.yaml\nname: child\n")
    for options in ([], ["--list"], ["--dry-run"]):
        assert main(["run", str(tmp_path / "child" / "child.yaml"), *options]) == 2
        assert "--trust planted_own" in capsys.readouterr().err
    assert planted.ran == [] and file.exists()


def test_a_world_of_ones_own_is_held_to_the_same_rule(planted, experiment, toy, tmp_path, capsys):
    world = {"_target_": "planted_world.Own"}
    file = experiment("sigraph.encoders.MLPEncoder", pretrain={**toy["pretrain"], "dataset": world, "graph": "x"})
    planted.plant("planted_world", tmp_path / "elsewhere")
    sys.path.append(str(tmp_path / "elsewhere"))
    for command in (["run"], ["run", "--dry-run"], ["audit"]):
        assert main([*command, str(file)]) == 2
        assert "pretrain.dataset: 'planted_world.Own' would import" in capsys.readouterr().err
    assert planted.ran == []


def test_audit_takes_the_same_places(planted, experiment, toy, tmp_path, monkeypatch, capsys):
    code = "\n\nfrom sigraph.graphs import DatasetGraph\n\n\nclass OwnGraph(DatasetGraph):\n    pass\n"
    stands = planted.plant("planted_graph", tmp_path / "stands")
    (stands / "planted_graph.py").write_text((stands / "planted_graph.py").read_text() + code)
    monkeypatch.chdir(stands)
    graph = {"_target_": "planted_graph.OwnGraph", "name": "blocks"}
    file = experiment("sigraph.encoders.MLPEncoder", pretrain={**toy["pretrain"], "graph": graph})
    assert main(["audit", str(file)]) == 2
    assert "--trust planted_graph" in capsys.readouterr().err and planted.ran == []
    assert main(["audit", str(file), "--trust", "planted_graph"]) == 0
    assert planted.ran == ["planted_graph"]
    assert main(["audit", toy["pretrain"]["dataset"], "--trust", "planted_graph"]) == 2
    assert "--trust is for an experiment's YAML" in capsys.readouterr().err


def test_a_record_that_names_a_module_runs_nothing(planted, toy, tmp_path, monkeypatch, capsys):
    config = config_from_dict({**toy, "seeds": [0], "arms": {"sipt": {}}, "baseline": None})
    assert not run(config).failed
    folder = run_folder(config, config.arm("sipt"), 0)
    record = json.loads((folder / RESULTS).read_text())
    for place in (folder, tmp_path / "stands"):  # beside the record, and where one stands
        planted.plant("planted_own", place)
    monkeypatch.chdir(tmp_path / "stands")
    for target in ("planted_own.Own", "numpy.f2py.__main__.X", "seed-0.planted_own.Own"):
        record["pretrain"]["encoder"]["_target_"] = target
        write_sealed(folder / RESULTS, record)
        with pytest.raises(ConfigError):
            load_encoder(folder)
        assert main(["embed", str(folder), "--out", str(tmp_path / "z.npy")]) == 2
        assert main(["leaderboard", str(tmp_path / "runs")]) == 0
    assert planted.ran == [] and "numpy.f2py.__main__" not in sys.modules


@pytest.mark.slow  # processes of its own, half a minute on two cores
def test_trust_goes_along_to_other_processes(planted, experiment, tmp_path, monkeypatch, capsys):
    """A pre-training in two, with workers that load; test_experiment_jobs.py has runs in processes of their own."""
    monkeypatch.chdir(planted.plant("planted_own", tmp_path / "stands"))
    settings = ["pretrain.trainer.devices=2", "pretrain.num_workers=1"]
    assert main(["run", str(experiment()), *settings, "--trust", "planted_own"]) == 0, capsys.readouterr().err
    assert len(planted.ran) >= 3


def test_python_m_takes_no_library_from_where_one_stands(planted, tmp_path):
    for name in ("torch", "yaml", "omegaconf"):
        planted.plant(name)
    (tmp_path / "e.yaml").write_text("name: e\nseeds: [0]\n")
    root = Path(sys.modules["sigraph"].__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-m", "sigraph", "run", "e.yaml", "--list"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "e.yaml" in done.stderr and planted.ran == []


def test_the_encoder_taken_home_needs_the_same_word_in_python(planted, toy, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(planted.plant("planted_own"))
    toy["pretrain"]["encoder"]["_target_"] = "planted_own.Own"
    config = config_from_dict({**toy, "seeds": [0], "arms": {"sipt": {}}, "baseline": None})
    with pytest.raises(ConfigError, match=r"trust=\['planted_own'\]"):
        run(config)
    assert planted.ran == []
    assert not run(config, trust=["planted_own"]).failed
    folder = run_folder(config, config.arm("sipt"), 0)
    with pytest.raises(ConfigError, match=r"trust=\['planted_own'\]"):
        load_encoder(folder)
    assert load_encoder(folder, trust=["planted_own"])(torch.zeros(2, 6)).z.shape == (2, 4)
