"""Two folders swap their names in one step, where the system has it."""

import sys

import pytest

from sigraph.files.exchange import exchange


@pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="the system has no such call")
def test_two_folders_swap(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"was-{name}").touch()
    if not exchange(tmp_path / "a", tmp_path / "b"):
        pytest.skip("this file system cannot exchange")
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["was-b"]
    assert [file.name for file in (tmp_path / "b").iterdir()] == ["was-a"]


def test_a_missing_one_is_an_error_and_changes_nothing(tmp_path):
    (tmp_path / "a").mkdir()
    try:
        assert exchange(tmp_path / "a", tmp_path / "none") is False
    except FileNotFoundError as error:
        assert error.filename == str(tmp_path / "a") and error.filename2 == str(tmp_path / "none")
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_a_system_without_the_call_says_no(tmp_path, monkeypatch):
    monkeypatch.setattr("sigraph.files.exchange._system_call", lambda: None)
    assert exchange(tmp_path / "a", tmp_path / "b") is False
