"""Sealed records: whatever byte of the file changes, the record is refused or says the same."""

from __future__ import annotations

import json
import random

import pytest

from sigraph.files.sealed import DamagedError, read_sealed, write_sealed

RECORD = {
    "test": 0.2,
    "metric": "accuracy",
    "nested": {"seeds": [0, 1], "none": None, "text": "Müller ∂"},
    "flag": True,
}


def test_what_was_written_is_read(tmp_path):
    write_sealed(tmp_path / "r.json", RECORD)
    assert read_sealed(tmp_path / "r.json") == RECORD


def test_order_and_spacing_do_not_count(tmp_path):
    file = tmp_path / "r.json"
    write_sealed(file, RECORD)
    found = json.loads(file.read_text())
    file.write_text(json.dumps(dict(reversed(found.items()))))
    assert read_sealed(file) == RECORD


@pytest.mark.parametrize("change", [("0.2", "0.9"), ("accuracy", "accuracx"), ('"sum"', '"sun"'), ("true", "false")])
def test_altered(tmp_path, change):
    file = tmp_path / "r.json"
    write_sealed(file, RECORD)
    file.write_text(file.read_text().replace(*change))
    with pytest.raises(DamagedError, match="sum"):
        read_sealed(file)


def test_every_byte(tmp_path):
    file, draw = tmp_path / "r.json", random.Random(0)
    write_sealed(file, RECORD)
    good = file.read_bytes()
    for place in range(len(good)):
        for value in (good[place] ^ 1 << draw.randrange(8), draw.randrange(256)):
            file.write_bytes(good[:place] + bytes([value]) + good[place + 1 :])
            try:
                assert read_sealed(file) == RECORD  # a blank became another one
            except DamagedError:
                continue


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000, '{"a": NaN}', '{"a": 1}', "\xff"])
def test_no_record(tmp_path, text):
    (tmp_path / "r.json").write_text(text, encoding="latin-1")
    with pytest.raises(DamagedError):
        read_sealed(tmp_path / "r.json")


def test_nan_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_sealed(tmp_path / "r.json", {"a": float("nan")})
    assert not (tmp_path / "r.json").exists()
