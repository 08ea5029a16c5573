"""Folders of arrays are mapped without being read, checked block by block, and refused when damaged."""

import contextlib
import hashlib
import json
import shutil

import numpy as np
import pytest
import torch
from damage import forge, rot

from sigraph.files.array_folder import open_folder, write_folder
from sigraph.files.atomic import sha256
from sigraph.files.sealed import DamagedError

KIND = "sigraph-csr"


def write(path):
    write_folder(path, KIND, {"a": torch.arange(5), "none": torch.empty(0), "b": torch.rand(3, 2)}, {"size": 5})


def test_arrays_and_header_come_back(tmp_path):
    write(tmp_path / "toy")
    arrays, header = open_folder(tmp_path / "toy", KIND, verify=True)
    assert arrays["a"].whole().tolist() == [0, 1, 2, 3, 4]
    assert arrays["none"].whole().shape == (0,) and arrays["b"].whole().shape == (3, 2)
    assert header["size"] == 5 and set(header["files"]) == {"a.npy", "none.npy", "b.npy", "blocks.sums"}
    content = (tmp_path / "toy" / "a.npy").read_bytes()
    about = header["files"]["a.npy"]
    assert about["bytes"] == len(content) and about["sha256"] == hashlib.sha256(content).hexdigest()
    assert sha256(tmp_path / "toy" / "a.npy") == hashlib.sha256(content).hexdigest()


def test_writing_to_what_was_opened_does_not_reach_the_files(tmp_path):
    write(tmp_path / "toy")
    open_folder(tmp_path / "toy", KIND).arrays["a"].whole().zero_()
    assert open_folder(tmp_path / "toy", KIND, verify=True).arrays["a"].whole().tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("verify", [True, False])
def test_a_changed_bit_is_found_when_it_is_touched_or_by_verify(tmp_path, verify):
    write_folder(tmp_path / "toy", KIND, {"a": torch.arange(100_000)}, {})
    rot(tmp_path / "toy" / "a.npy", 500_000)
    with pytest.raises(DamagedError, match=r"a.npy does not match its sum .*write the folder again"):
        open_folder(tmp_path / "toy", KIND, verify).arrays["a"].take(torch.tensor([62_500]))
    assert open_folder(tmp_path / "toy", KIND).arrays["a"].take(torch.tensor([3, 99_999])).tolist() == [3, 99_999]


def test_a_swapped_file_of_the_same_size_is_found_when_it_is_opened(tmp_path):
    for name, number in (("one", 0), ("two", 1)):
        write_folder(tmp_path / name, KIND, {"a": torch.full((100_000,), number)}, {})
    shutil.copyfile(tmp_path / "two" / "a.npy", tmp_path / "one" / "a.npy")
    with pytest.raises(DamagedError, match=r"a.npy does not match its sum"):
        open_folder(tmp_path / "one", KIND)


def test_every_byte_of_every_file(tmp_path):
    write(tmp_path / "toy")
    good = {name: array.whole().clone() for name, array in open_folder(tmp_path / "toy", KIND).arrays.items()}
    for file in sorted((tmp_path / "toy").iterdir()):
        for place in range(file.stat().st_size):
            rot(file, place, place % 8)
            with contextlib.suppress(DamagedError):
                found = open_folder(tmp_path / "toy", KIND, verify=True)
                assert all(torch.equal(found.arrays[name].whole(), value) for name, value in good.items())
                assert found.header["size"] == 5
            rot(file, place, place % 8)


def test_folders_of_the_first_version_open_and_are_checked(tmp_path):
    """They have no sums of blocks: the first touch of a file reads all of it."""
    write(tmp_path / "toy")
    (tmp_path / "toy" / "blocks.sums").unlink()
    file = tmp_path / "toy" / "header.json"
    header = json.loads(file.read_text())
    del header["sum"], header["files"]["blocks.sums"]
    for about in header["files"].values():
        about["spots"] = "0" * 64
    file.write_text(json.dumps({**header, "version": 1}))
    assert open_folder(tmp_path / "toy", KIND, verify=True).arrays["a"].take(torch.tensor([1])).tolist() == [1]
    rot(tmp_path / "toy" / "a.npy")
    with pytest.raises(DamagedError, match=r"a.npy does not match its sum"):
        open_folder(tmp_path / "toy", KIND)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '{"kind": "toy"}', '{"kind": "toy", "version": 1}'])
def test_a_header_that_is_none_is_refused(tmp_path, text):
    write(tmp_path / "toy")
    (tmp_path / "toy" / "header.json").write_text(text)
    with pytest.raises(ValueError, match=r"header.json .*write the folder again"):
        open_folder(tmp_path / "toy", KIND)


def test_another_kind_a_file_and_nothing_are_refused(tmp_path):
    write(tmp_path / "toy")
    with pytest.raises(ValueError, match="needs kind 'other'"):
        open_folder(tmp_path / "toy", "other")
    for path in (tmp_path / "nowhere", tmp_path / "toy" / "a.npy"):
        with pytest.raises(FileNotFoundError, match=r"holds no header.json"):
            open_folder(path, KIND)


def test_a_header_cannot_point_outside_its_folder(tmp_path):
    write(tmp_path / "toy")
    np.save(tmp_path / "secret.npy", np.arange(3))
    entry = {"bytes": (tmp_path / "secret.npy").stat().st_size, "sha256": sha256(tmp_path / "secret.npy")}
    forge(tmp_path / "toy" / "header.json", files={"../secret.npy": entry})
    with pytest.raises(DamagedError, match=r"names '../secret.npy', which is outside the folder"):
        open_folder(tmp_path / "toy", KIND)
