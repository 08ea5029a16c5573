"""Mapped arrays: each block is checked when it is first touched, and remembered by the object that touched it."""

import pickle

import numpy as np
import pytest
import torch
from damage import rot

from sigraph.files.sealed import DamagedError
from sigraph.files.sums import BLOCK, HeldArray, SummedArray, map_array, sums_of


def test_opening_maps_and_does_not_read(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(5000))
    mapped = map_array(tmp_path / "a.npy")
    np.load(tmp_path / "a.npy", mmap_mode="r+")[-1] = 7  # seen only by those who had not read it yet
    assert float(mapped[-1]) == 7


def summed(file, array):
    np.save(file, array)
    return SummedArray(file, sums_of(file)[1])


@pytest.mark.parametrize("shape", [(0,), (1,), (40_000,), (7, 30_000), (50_000, 3), (0, 4)])
@pytest.mark.parametrize("dtype", [np.int32, np.float64])
def test_what_is_read_is_what_was_written(tmp_path, shape, dtype):
    array = np.random.default_rng(0).integers(0, 1000, shape).astype(dtype)
    index = torch.arange(0, len(array), 5)
    for held in (summed(tmp_path / "a.npy", array), HeldArray(torch.from_numpy(array))):
        assert len(held) == len(array) and torch.equal(held.take(index), torch.from_numpy(array)[index])
        assert torch.equal(held.within(index, index), torch.from_numpy(array))
        assert torch.equal(held.whole(), torch.from_numpy(array))


@pytest.mark.parametrize("shape", [(100_000,), (9, 30_000), (40_000, 3)])
def test_every_touch_of_a_bad_block_is_refused_and_of_others_not(tmp_path, shape):
    array = np.arange(np.prod(shape)).reshape(shape)
    sums = summed(tmp_path / "a.npy", array).sums
    start = (tmp_path / "a.npy").stat().st_size - array.nbytes
    draw = np.random.default_rng(1)
    for place in draw.integers(BLOCK, start + array.nbytes, 12).tolist():
        rot(tmp_path / "a.npy", place)
        block = place // BLOCK
        row = array.nbytes // len(array)
        first = (np.arange(len(array)) * row + start) // BLOCK
        bad = (first <= block) & (((np.arange(len(array)) + 1) * row + start - 1) // BLOCK >= block)
        rows = draw.permutation(len(array))[:200]
        for at in (rows[bad[rows]][:3], np.flatnonzero(bad)[:1], np.flatnonzero(bad)[-1:]):
            if at.size:
                index = torch.from_numpy(at)
                with pytest.raises(DamagedError, match=r"bytes \d+ to \d+"):
                    SummedArray(tmp_path / "a.npy", sums).take(index)
                with pytest.raises(DamagedError):
                    SummedArray(tmp_path / "a.npy", sums).within(index, index + 1)
        good = torch.from_numpy(rows[~bad[rows]])
        held = SummedArray(tmp_path / "a.npy", sums)
        assert torch.equal(held.take(good), torch.from_numpy(array)[good])
        held.within(good, good)  # nothing
        held.within(torch.zeros(1, dtype=torch.long), torch.from_numpy(np.flatnonzero(bad)[:1]))
        with pytest.raises(DamagedError):
            held.whole()
        rot(tmp_path / "a.npy", place)


def test_a_long_range_is_checked_all_along(tmp_path):
    held = summed(tmp_path / "a.npy", np.arange(100_000))
    rot(tmp_path / "a.npy", 5 * BLOCK + 3)
    zero, end = torch.tensor([0, 99_000]), torch.tensor([100_000, 99_001])
    with pytest.raises(DamagedError):
        held.within(zero, end)


def test_what_was_checked_is_remembered_by_this_object_alone(tmp_path):
    held = summed(tmp_path / "a.npy", np.arange(100_000))
    everything = torch.arange(100_000)
    held.take(everything)
    again = pickle.loads(pickle.dumps(held))
    rot(tmp_path / "a.npy", 5 * BLOCK + 3)
    assert held.whole().numel() == 100_000  # was whole when it was read
    for other in (again, pickle.loads(pickle.dumps(held))):
        with pytest.raises(DamagedError):
            other.take(everything)


def test_too_few_sums_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(100_000))
    with pytest.raises(DamagedError, match="13 blocks and 12 sums"):
        SummedArray(tmp_path / "a.npy", sums_of(tmp_path / "a.npy")[1][:-16])


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
    whole = (tmp_path / "words.npy").read_bytes()
    (tmp_path / "brackets.npy").write_bytes(whole.replace(b"(2,)", b"(2,("))
    (tmp_path / "huge.npy").write_bytes(whole.replace(b"(2,), }" + 14 * b" ", b"(99999999999999999,)}"))
    for name in ("object", "pickle", "text", "empty", "short", "words", "brackets", "huge"):
        with pytest.raises(ValueError, match=rf"{name}.npy is not a plain .npy array"):
            map_array(tmp_path / f"{name}.npy")
    assert not (tmp_path / "exploded").exists()
