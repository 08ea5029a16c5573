"""What every test shares: a data root of its own, one thread, and no way to the network."""

import os
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def data_root(tmp_path_factory, monkeypatch):
    """Prepared data of one test never meets the user's or another test's."""
    root = tmp_path_factory.mktemp("sigraph-data")
    monkeypatch.setenv("SIGRAPH_DATA", str(root))
    return root


@pytest.fixture
def data_source() -> Path:
    """The folder of real raw files; skips where there is none."""
    folder = os.environ.get("SIGRAPH_DATA_SOURCE")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs real raw files: set SIGRAPH_DATA_SOURCE to a folder that holds them")
    return Path(folder)
