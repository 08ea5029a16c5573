"""Records of finished work: taken if they are whole and of what is asked for, else said."""

import os

import pytest

from sigraph.files.sealed import write_sealed
from sigraph.leaderboard.records import FORMAT, GridSearch, NewerFormatError, TaskResult
from sigraph.running.records import plain, read_record, refuse_newer

SCORE = {"task": "topic", "dataset": "cora", "head": "knn", "metric": "accuracy", "valid": 0.5, "test": 0.4}
SCORE |= {"num_parameters": 0, "seconds": 1.0, "seed": 3, "sources": {"mine": "1"}}


@pytest.fixture
def file(tmp_path):
    write_sealed(tmp_path / "r.json", SCORE)
    return tmp_path / "r.json"


def test_what_is_asked_for_is_taken_and_nothing_said(file, caplog):
    assert read_record(file, TaskResult, {"seed": 3, "sources": {"mine": "1"}}) == SCORE
    assert read_record(file.with_name("nothing.json"), TaskResult, {}) is None
    assert not caplog.records


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"seed": 4}, "r.json is not what is asked for ('seed' is 3, not 4); it is made again"),
        ({"seed": None}, "('seed' is 3, not null)"),
        ({"sources": None}, "('sources' is another)"),
        ({"encoder_sha256": None}, "('encoder_sha256' is missing)"),
        ({"test": 0.4000001}, "('test' is 0.4, not 0.4000001)"),
    ],
)
def test_what_is_of_something_else_is_said_once(file, caplog, asked, said):
    assert read_record(file, TaskResult, asked) is None
    (record,) = caplog.records
    assert said in record.message


def test_what_does_not_fit_is_said(file, caplog):
    assert read_record(file, GridSearch, {}) is None and "'chosen' is missing" in caplog.text
    assert read_record(file, TaskResult, {}, lambda record: "not today") is None and "(not today)" in caplog.text


@pytest.mark.parametrize("change", [lambda text: text[:-9], lambda text: text.replace("0.4", "0.9"), lambda text: ""])
def test_what_is_damaged_is_said_once(file, caplog, change):
    file.write_text(change(file.read_text()))
    assert read_record(file, TaskResult, {"seed": 3}) is None
    (record,) = caplog.records
    assert record.message.startswith(f"{file} is damaged") and record.message.endswith("; it is made again")


def test_a_newer_record_is_neither_taken_nor_made_again(file):
    write_sealed(file, {**SCORE, "format": FORMAT + 1})
    for look in (lambda: read_record(file, TaskResult, {"seed": 4}), lambda: refuse_newer(file)):
        with pytest.raises(
            NewerFormatError, match=r"r\.json is of a newer sigraph .*; update sigraph, or give another"
        ):
            look()
    for other in (SCORE, {**SCORE, "format": FORMAT}):
        write_sealed(file, other)
        refuse_newer(file)
    file.write_text("{")
    refuse_newer(file)  # is said, and made again, by read_record
    refuse_newer(file.with_name("nothing.json"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="needs a user that may not read all files")
def test_what_cannot_be_read_is_an_error(file):
    file.chmod(0)
    with pytest.raises(PermissionError):
        read_record(file, TaskResult, {})


def test_plain_values_are_those_of_a_file():
    assert plain({1: (2, None), "a": {"b": True}}) == {"1": [2, None], "a": {"b": True}}


def test_a_folder_in_the_place_of_a_record_stops_before_the_work(tmp_path):
    (tmp_path / "r.json").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder, where a record is to be written"):
        read_record(tmp_path / "r.json", TaskResult, {})
