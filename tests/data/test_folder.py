"""Folders are written all or nothing, mapped without being read, and refused when damaged."""

import errno
import hashlib
import json
import pickle
import resource
import shutil

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

import sigraph.data.folder
from sigraph.data.folder import (
    DiskFullError,
    atomic_file,
    atomic_folder,
    map_array,
    open_folder,
    sha256,
    write_folder,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write(path):
    write_folder(path, "toy", {"a": torch.arange(5), "none": torch.empty(0), "b": torch.rand(3, 2)}, {"size": 5})


def test_a_folder_appears_when_its_block_ends_well(tmp_path):
    with atomic_folder(tmp_path / "deep" / "folder") as folder:
        (folder / "x").write_text("new")
        assert not (tmp_path / "deep" / "folder").exists() and folder.parent == tmp_path / "deep"
    assert names(tmp_path / "deep") == ["folder"] and names(tmp_path / "deep" / "folder") == ["x"]
    assert (tmp_path / "deep" / "folder").stat().st_mode & 0o777 == 0o755  # others may read what mkdtemp hides


def test_an_existing_folder_is_replaced_as_a_whole(tmp_path):
    for name in ("old", "new"):
        with atomic_folder(tmp_path / "folder") as folder:
            (folder / name).write_text(name)
    assert names(tmp_path) == ["folder"] and names(tmp_path / "folder") == ["new"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
@pytest.mark.parametrize("existing", [False, True])
def test_after_an_error_everything_is_as_it_was(tmp_path, error, existing):
    if existing:
        with atomic_folder(tmp_path / "folder") as folder:
            (folder / "old").write_text("old")
    with pytest.raises(error), atomic_folder(tmp_path / "folder") as folder:
        (folder / "half").write_text("half")
        raise error
    assert names(tmp_path) == (["folder"] if existing else [])
    assert not existing or names(tmp_path / "folder") == ["old"]


@pytest.mark.parametrize("existing", [False, True])
def test_files_are_written_all_or_nothing_too(tmp_path, existing):
    target = tmp_path / "deep" / "file"
    if existing:
        with atomic_file(target) as file:
            file.write_text("old")
    with pytest.raises(RuntimeError), atomic_file(target) as file:
        file.write_text("half")
        raise RuntimeError
    assert names(target.parent) == (["file"] if existing else [])
    with atomic_file(target) as file:
        file.write_text("new")
    assert target.read_text() == "new" and target.stat().st_mode & 0o777 == 0o644 and names(target.parent) == ["file"]


def test_a_killed_replacement_of_a_folder_leaves_the_old_one_until_there_is_a_new_one(tmp_path, monkeypatch):
    """The old folder is set aside for a moment; killed in it, only that copy is whole."""
    monkeypatch.setattr("sigraph.data.folder.own_prefix", lambda path: f".{path.name}-{_dead(path)}-")
    kept = sigraph.data.folder.tempfile.mkdtemp(prefix=f".folder-old-{_dead(tmp_path)}-", dir=tmp_path)
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "folder"):
        raise RuntimeError
    assert names(tmp_path) == [kept.rsplit("/", 1)[1]]
    with atomic_folder(tmp_path / "folder"):
        pass
    assert names(tmp_path) == ["folder"]


def _dead(path):
    place = sigraph.data.leftovers._place()
    return f"{place}-{2**22 + 1}"


# A full disk ##########################################################################################################


@pytest.fixture
def small_files():
    """No file may grow beyond a megabyte; every library says so in its own words."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    "fill",
    [
        lambda file: file.write_bytes(bytes(2 << 20)),
        lambda file: save_file({"a": torch.zeros(1 << 19)}, file),
        lambda file: np.zeros(1 << 19).tofile(file),
    ],
    ids=["python", "safetensors", "numpy"],
)
@pytest.mark.parametrize("existing", [False, True])
def test_a_file_without_room_is_named(tmp_path, small_files, fill, existing):
    target = tmp_path / "target"
    if existing:
        target.write_text("old")
    with pytest.raises(DiskFullError, match=r"the disk is full.*; nothing was") as error, atomic_file(target) as file:
        fill(file)
    assert error.value.filename == str(target) and str(target) in str(error.value) and str(file) not in str(error.value)
    assert error.value.__cause__ is not None and str(error.value.__cause__).split("] ")[-1] in str(error.value)
    assert names(tmp_path) == ["target"] * existing and (not existing or target.read_text() == "old")


def test_a_folder_without_room_is_named_and_not_a_part_of_it(tmp_path, small_files):
    with pytest.raises(DiskFullError) as error, atomic_folder(tmp_path / "set") as folder:
        write_folder(folder / "graph", "toy", {"a": torch.zeros(1 << 19)}, {})
    assert error.value.filename == str(tmp_path / "set") and not names(tmp_path)
    assert str(error.value).count("the disk is full") == 1 and type(error.value.__cause__) is OSError


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_the_number_of_the_error_stays(tmp_path, number):
    cause = OSError(number, "as the system says it")
    with pytest.raises(DiskFullError, match="as the system says it") as error, atomic_file(tmp_path / "file"):
        raise cause
    assert error.value.errno == number and error.value.__cause__ is cause


@pytest.mark.parametrize(
    "other",
    [
        ValueError("28"),
        OSError("no number"),
        PermissionError(errno.EACCES, "Permission denied", "secret"),
        FileNotFoundError(errno.ENOENT, "No such file", "raw"),
        SafetensorError("Error while deserializing: InvalidHeader"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_other_errors_stay_as_they_are(tmp_path, other):
    for atomic in (atomic_file, atomic_folder):
        with pytest.raises(type(other)) as error, atomic(tmp_path / "target"):
            raise other
        assert error.value is other and not names(tmp_path)


@pytest.mark.parametrize("atomic", [atomic_file, atomic_folder])
def test_a_place_that_cannot_be_written_is_named_as_given(tmp_path, atomic, monkeypatch):
    (tmp_path / "file").write_text("mine")
    for target in (tmp_path / "file" / "x", tmp_path / "file" / "deep" / "x"):
        with pytest.raises(NotADirectoryError, match=f"{tmp_path / 'file'} is no folder") as error, atomic(target):
            pass
        assert error.value.filename == str(target)

    def refuse(prefix, dir):
        raise PermissionError(errno.EACCES, "Permission denied", f"{dir}/{prefix}x")

    for made in ("mkstemp", "mkdtemp"):
        monkeypatch.setattr(f"sigraph.data.folder.tempfile.{made}", refuse)
    with pytest.raises(PermissionError, match=r"written .Permission denied") as error, atomic(tmp_path / "y"):
        pass
    assert error.value.filename == str(tmp_path / "y") and names(tmp_path) == ["file"]


def test_arrays_and_header_come_back(tmp_path):
    write(tmp_path / "toy")
    arrays, header = open_folder(tmp_path / "toy", "toy", verify=True)
    assert arrays["a"].tolist() == [0, 1, 2, 3, 4] and arrays["none"].shape == (0,) and arrays["b"].shape == (3, 2)
    assert header["size"] == 5 and set(header["files"]) == {"a.npy", "none.npy", "b.npy"}
    content = (tmp_path / "toy" / "a.npy").read_bytes()
    about = header["files"]["a.npy"]
    assert about["bytes"] == len(content) and about["sha256"] == hashlib.sha256(content).hexdigest()
    assert sha256(tmp_path / "toy" / "a.npy") == hashlib.sha256(content).hexdigest()


def test_writing_to_what_was_opened_does_not_reach_the_files(tmp_path):
    write(tmp_path / "toy")
    open_folder(tmp_path / "toy", "toy")[0]["a"].zero_()
    assert open_folder(tmp_path / "toy", "toy", verify=True)[0]["a"].tolist() == [0, 1, 2, 3, 4]


def test_opening_maps_and_does_not_read(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(5000))
    mapped = map_array(tmp_path / "a.npy")
    np.load(tmp_path / "a.npy", mmap_mode="r+")[-1] = 7  # seen only by those who had not read it yet
    assert float(mapped[-1]) == 7


def test_same_size_other_content_is_found_by_verify(tmp_path):
    large = torch.arange(100_000)
    write_folder(tmp_path / "toy", "toy", {"a": large}, {})
    file = tmp_path / "toy" / "a.npy"
    content = bytearray(file.read_bytes())
    content[5_000] ^= 1  # between two of the places that are compared
    file.write_bytes(content)
    open_folder(tmp_path / "toy", "toy")
    with pytest.raises(ValueError, match=r"a.npy does not match its sum"):
        open_folder(tmp_path / "toy", "toy", verify=True)


def test_a_swapped_file_of_the_same_size_is_found_without_reading_it(tmp_path):
    for name, number in (("one", 0), ("two", 1)):
        write_folder(tmp_path / name, "toy", {"a": torch.full((100_000,), number)}, {})
    shutil.copyfile(tmp_path / "two" / "a.npy", tmp_path / "one" / "a.npy")
    with pytest.raises(ValueError, match=r"a.npy does not match its sum"):
        open_folder(tmp_path / "one", "toy")


def test_folders_written_before_places_were_compared_open(tmp_path):
    write(tmp_path / "toy")
    file = tmp_path / "toy" / "header.json"
    header = json.loads(file.read_text())
    for about in header["files"].values():
        del about["spots"]
    file.write_text(json.dumps(header))
    assert open_folder(tmp_path / "toy", "toy", verify=True)[0]["a"].numel() == 5


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '{"kind": "toy"}', '{"kind": "toy", "version": 1}'])
def test_a_header_that_is_none_is_refused(tmp_path, text):
    write(tmp_path / "toy")
    (tmp_path / "toy" / "header.json").write_text(text)
    with pytest.raises(ValueError, match=r"header.json .*write the folder again"):
        open_folder(tmp_path / "toy", "toy")


def test_another_kind_a_file_and_nothing_are_refused(tmp_path):
    write(tmp_path / "toy")
    with pytest.raises(ValueError, match="needs kind 'other', version 1"):
        open_folder(tmp_path / "toy", "other")
    for path in (tmp_path / "nowhere", tmp_path / "toy" / "a.npy"):
        with pytest.raises(FileNotFoundError, match=r"holds no header.json"):
            open_folder(path, "toy")


def test_a_header_cannot_point_outside_its_folder(tmp_path):
    write(tmp_path / "toy")
    np.save(tmp_path / "secret.npy", np.arange(3))
    header = json.loads((tmp_path / "toy" / "header.json").read_text())
    size = (tmp_path / "secret.npy").stat().st_size
    header["files"] = {"../secret.npy": {"bytes": size, "sha256": sha256(tmp_path / "secret.npy")}}
    (tmp_path / "toy" / "header.json").write_text(json.dumps(header))
    with pytest.raises(ValueError, match=r"toy/secret.npy needs .* bytes \(got None\)"):
        open_folder(tmp_path / "toy", "toy")


def test_pickles_and_objects_are_not_loaded(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (tmp_path / "exploded").touch, ()

    np.save(tmp_path / "object.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    (tmp_path / "pickle.npy").write_bytes(pickle.dumps(Bomb()))
    (tmp_path / "text.npy").write_text("not an array")
    (tmp_path / "empty.npy").write_bytes(b"")
    np.save(tmp_path / "short.npy", np.arange(10))
    (tmp_path / "short.npy").write_bytes((tmp_path / "short.npy").read_bytes()[:-8])
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    for name in ("object", "pickle", "text", "empty", "short", "words"):
        with pytest.raises(ValueError, match=rf"{name}.npy is not a plain .npy array"):
            map_array(tmp_path / f"{name}.npy")
    assert not (tmp_path / "exploded").exists()
