"""What tests of OGB's official files share."""

import pytest


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Where official files are looked for; what is prepared lies elsewhere, and nothing is asked on the terminal."""
    monkeypatch.setenv("SIGRAPH_DATA_SOURCE", str(tmp_path / "source"))
    monkeypatch.setenv("SIGRAPH_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked on the terminal"))
    (tmp_path / "source").mkdir()
    return tmp_path / "source"
