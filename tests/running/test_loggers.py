"""A logger of Lightning's by one key, beside the CSV file, and no change of any result."""

import importlib.util

import pytest

from sigraph.config import ConfigError, config_from_dict
from sigraph.experiment import run
from sigraph.running.loggers import check_logger

CSV = "lightning.pytorch.loggers.CSVLogger"


def test_it_writes_beside_the_csv_file_and_changes_nothing(toy, tmp_path):
    plain = run(config_from_dict(toy))
    logged = {**toy, "output_dir": str(tmp_path / "logged")}
    logged["pretrain"] = {**toy["pretrain"], "logger": {"_target_": CSV, "name": "mine"}}
    results = run(config_from_dict(logged))
    assert not results.failed
    files = list((tmp_path / "logged").rglob("mine/version_0/metrics.csv"))
    assert len(files) == 4 and "loss" in files[0].read_text().splitlines()[0]  # arms x seeds
    assert list((tmp_path / "logged").rglob("log-0/metrics.csv"))
    scores = [[task["test"] for task in record["tasks"]] for record in plain.records]
    assert scores == [[task["test"] for task in record["tasks"]] for record in results.records]


def test_what_is_no_logger_or_not_installed_is_said(monkeypatch):
    with pytest.raises(ConfigError, match=r"pretrain\.logger.*Logger"):
        check_logger({"_target_": "torch.nn.Linear"})
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if "tensorboard" in name else found(name))
    with pytest.raises(ConfigError, match="pip install tensorboard"):
        check_logger({"_target_": "lightning.pytorch.loggers.TensorBoardLogger"})
