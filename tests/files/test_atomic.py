"""Files and folders appear whole or not at all, and replace nothing but what they may."""

import errno
import resource

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

import sigraph.files.atomic
from sigraph.files.array_folder import write_folder
from sigraph.files.atomic import DiskFullError, atomic_file, atomic_folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_appears_when_its_block_ends_well(tmp_path):
    with atomic_folder(tmp_path / "deep" / "folder") as folder:
        (folder / "x").write_text("new")
        assert not (tmp_path / "deep" / "folder").exists() and folder.parent == tmp_path / "deep"
    assert names(tmp_path / "deep") == ["folder"] and names(tmp_path / "deep" / "folder") == ["x"]
    assert (tmp_path / "deep" / "folder").stat().st_mode & 0o777 == 0o755  # others may read what mkdtemp hides


def allow(path):
    """Anything may be replaced."""


@pytest.mark.parametrize("system", [True, False])
def test_an_existing_folder_is_replaced_as_a_whole(tmp_path, monkeypatch, system):
    if not system:
        monkeypatch.setattr("sigraph.files.atomic.exchange", lambda first, second: False)
    for name in ("old", "new"):
        with atomic_folder(tmp_path / "folder", allow) as folder:
            (folder / name).write_text(name)
    assert names(tmp_path) == ["folder"] and names(tmp_path / "folder") == ["new"]


def test_what_is_there_stays_unless_it_is_said_otherwise(tmp_path):
    (tmp_path / "folder").mkdir()
    with atomic_folder(tmp_path / "folder") as folder:  # an empty one is nothing
        (folder / "mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for target, check in (("folder", None), ("file", None), ("file", allow)):
        with pytest.raises(FileExistsError) as error, atomic_folder(tmp_path / target, check):
            pytest.fail("nothing is written first")
        assert error.value.filename == str(tmp_path / target)
    assert names(tmp_path) == ["file", "folder"] and names(tmp_path / "folder") == ["mine"]


def test_what_came_in_the_meantime_stays(tmp_path):
    def only_own(path):
        if names(path) != ["own"]:
            raise FileExistsError(names(path))

    with atomic_folder(tmp_path / "folder") as folder:
        (folder / "own").touch()
    with pytest.raises(FileExistsError, match="notes"), atomic_folder(tmp_path / "folder", only_own):
        (tmp_path / "folder" / "notes").write_text("mine")
    assert names(tmp_path) == ["folder"] and names(tmp_path / "folder") == ["notes", "own"]


def test_a_link_is_followed(tmp_path):
    (tmp_path / "disk" / "set").mkdir(parents=True)
    (tmp_path / "disk" / "set" / "old").touch()
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "set")
    with atomic_folder(tmp_path / "link", allow) as folder:
        (folder / "new").touch()
    assert (tmp_path / "link").is_symlink() and names(tmp_path / "disk" / "set") == ["new"]
    assert names(tmp_path) == ["disk", "link"] and names(tmp_path / "disk") == ["set"]


def test_there_is_a_folder_at_every_moment(tmp_path, monkeypatch):
    """Whatever is renamed or removed, before and after it there is the old or the new one."""
    target, seen = tmp_path / "folder", []
    with atomic_folder(target) as folder:
        (folder / "old").touch()

    def watched(call):
        def watch(*args, **options):
            seen.append(names(target))
            out = call(*args, **options)
            seen.append(names(target))
            return out

        return watch

    for name in ("exchange", "shutil.rmtree", "os.rename", "os.replace", "Path.replace"):
        monkeypatch.setattr(f"sigraph.files.atomic.{name}", watched(eval(f"sigraph.files.atomic.{name}")))
    with atomic_folder(target, allow) as folder:
        (folder / "new").touch()
    assert seen[0] == ["old"] and seen[-1] == ["new"] and all(found in (["old"], ["new"]) for found in seen)


@pytest.mark.parametrize("back", [True, False])
def test_a_move_that_fails_is_undone_or_says_where_the_old_data_lie(tmp_path, monkeypatch, back):
    target, real, calls = tmp_path / "folder", sigraph.files.atomic.Path.replace, []
    with atomic_folder(target) as folder:
        (folder / "old").touch()

    def replace(self, to):
        calls.append(to)
        if len(calls) == 2 or (len(calls) == 3 and not back):
            raise OSError(errno.EIO, "broken")
        return real(self, to)

    monkeypatch.setattr("sigraph.files.atomic.exchange", lambda first, second: False)
    monkeypatch.setattr("sigraph.files.atomic.Path.replace", replace)
    with pytest.raises(OSError, match="broken") as error, atomic_folder(target, allow) as folder:
        (folder / "new").touch()
    if back:
        assert names(target) == ["old"] and names(tmp_path) == ["folder"]
    else:
        kept = str(error.value).partition("lie in ")[2].partition("'")[0].rstrip(": ")
        assert names(sigraph.files.atomic.Path(kept)) == ["old"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
@pytest.mark.parametrize("existing", [False, True])
def test_after_an_error_everything_is_as_it_was(tmp_path, error, existing):
    if existing:
        with atomic_folder(tmp_path / "folder") as folder:
            (folder / "old").write_text("old")
    with pytest.raises(error), atomic_folder(tmp_path / "folder", allow) as folder:
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
    monkeypatch.setattr("sigraph.files.atomic.own_prefix", lambda path: f".{path.name}-{_dead(path)}-")
    kept = sigraph.files.atomic.tempfile.mkdtemp(prefix=f".folder-old-{_dead(tmp_path)}-", dir=tmp_path)
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "folder"):
        raise RuntimeError
    assert names(tmp_path) == [kept.rsplit("/", 1)[1]]
    with atomic_folder(tmp_path / "folder"):
        pass
    assert names(tmp_path) == ["folder"]


def _dead(path):
    place = sigraph.files.temporary._place()
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
        write_folder(folder / "graph", "sigraph-csr", {"a": torch.zeros(1 << 19)}, {})
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
        monkeypatch.setattr(f"sigraph.files.atomic.tempfile.{made}", refuse)
    with pytest.raises(PermissionError, match=r"written .Permission denied") as error, atomic(tmp_path / "y"):
        pass
    assert error.value.filename == str(tmp_path / "y") and names(tmp_path) == ["file"]


def test_a_folder_is_known_by_any_of_its_names(tmp_path, monkeypatch):
    """Temporaries lie beside the folder and never in it."""
    (tmp_path / "mine" / "graphs").mkdir(parents=True)

    def may_replace(path):
        assert path == tmp_path / "mine" and not [file for file in path.iterdir() if file.name.startswith(".")]

    monkeypatch.chdir(tmp_path)
    for name in ("mine/graphs/..", "./mine", "mine/.", "other/../mine"):
        (tmp_path / "mine" / "graphs").mkdir(exist_ok=True)
        with atomic_folder(name, may_replace) as folder:
            assert folder.parent == tmp_path
            (folder / "new").write_text("x")
        assert [file.name for file in (tmp_path / "mine").iterdir()] == ["new"]
        assert [file.name for file in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("name", [".", "..", "../../mine", "../sub/."])
def test_the_folder_where_one_stands_is_not_pulled_away(tmp_path, monkeypatch, name):
    """Its name would be that of another folder, and who stands in it would see an empty one, or none."""
    (tmp_path / "mine" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "mine" / "sub")
    stands = pytest.raises(FileExistsError, match=r"is the current folder or around it.*cd \.\.")
    with stands as error, atomic_folder(name, lambda path: None):
        raise AssertionError
    assert str((tmp_path / "mine" / "sub" / name).resolve()) in str(error.value)


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path):
    (tmp_path / "results.json").mkdir()
    told = pytest.raises(IsADirectoryError, match="is a folder, where a file is to be written")
    with told as error, atomic_file(tmp_path / "results.json"):
        raise AssertionError
    assert error.value.filename == str(tmp_path / "results.json") and len(list(tmp_path.iterdir())) == 1
