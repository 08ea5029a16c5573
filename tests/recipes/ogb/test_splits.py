"""Splits that are pickles: arrays of numpy 1 and 2 come out, and nothing is ever executed."""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from sigraph.recipes.ogb.arrays import unpack
from sigraph.recipes.ogb.links import held_out, read_links
from sigraph.recipes.ogb.splits import read_link_split, read_pickle, read_split


class Planted:
    """A pickle of this makes a file when it is executed."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def numpy_1(content):
    """The pickle that numpy 1 would have written, in torch's old container."""
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=False)
    return file.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.float32, np.float64, np.bool_])
def test_arrays_of_both_numpys_are_read(tmp_path, kind):
    content = {"train": np.arange(5).astype(kind), "head_type": ["drug", "gene"], "tensor": torch.arange(3)}
    torch.save(content, tmp_path / "new.pt")
    (tmp_path / "old.pt").write_bytes(old := numpy_1(content))
    assert b"numpy.core.multiarray" in old and b"numpy._core" not in old
    for name in ("new.pt", "old.pt"):
        for _ in range(2):
            found = read_pickle(tmp_path / name)
            np.testing.assert_array_equal(found["train"], content["train"])
            assert found["train"].dtype == kind and found["head_type"] == ["drug", "gene"]
    with pytest.raises(pickle.UnpicklingError):  # what is allowed is allowed here alone
        torch.load(tmp_path / "new.pt", weights_only=True)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("is_new", [False, True])
@pytest.mark.parametrize("name", ["split_dict.pt", "train.pt"])
def test_a_planted_pickle_in_a_split_is_not_executed(tmp_path, is_new, name):
    content = {"train": Planted(tmp_path / "executed"), "valid": np.arange(3), "test": np.arange(3)}
    torch.save(content, tmp_path / name, _use_new_zipfile_serialization=is_new)
    with pytest.raises(ValueError, match=r"besides arrays.*nothing of it was executed"):
        read_link_split(tmp_path)
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match="executed"):
        read_pickle(tmp_path / "plain.pt")
    if name == "split_dict.pt":
        with pytest.raises(ValueError, match="executed"):
            read_split(tmp_path)
    assert not (tmp_path / "executed").exists()


def test_a_planted_object_array_is_not_executed(tmp_path):
    array = np.array([Planted(tmp_path / "executed")], dtype=object)
    np.savez_compressed(tmp_path / "data.npz", edge_index=array)
    with pytest.raises(ValueError, match="nothing of it was executed"):
        unpack(tmp_path / "data.npz", tmp_path)
    held = io.BytesIO()
    np.save(held, array, allow_pickle=True)
    with zipfile.ZipFile(tmp_path / "other.npz", "w") as archive:
        archive.writestr("edge_index.npy", pickle.dumps(array))
        archive.writestr("more.pkl", held.getvalue())
    with pytest.raises(ValueError, match=r"no plain array|not a plain array|no array"):
        unpack(tmp_path / "other.npz", tmp_path)
    assert not (tmp_path / "executed").exists()


def test_a_damaged_pickle_is_said(tmp_path):
    torch.save({"train": np.arange(50)}, tmp_path / "train.pt")
    whole = (tmp_path / "train.pt").read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"\x80\x02]q\x00."):
        (tmp_path / "train.pt").write_bytes(content)
        with pytest.raises(ValueError, match=r"train\.pt"):
            read_pickle(tmp_path / "train.pt")


def save_parts(folder, **parts):
    for part, content in parts.items():
        torch.save(content, folder / f"{part}.pt")


def test_links_with_negatives_of_all(tmp_path):
    pairs = {"train": [[0, 1], [1, 2]], "valid": [[2, 3]], "test": [[1, 0], [3, 0]]}
    negative = np.array([[0, 2], [1, 3]])
    save_parts(
        tmp_path,
        **{part: {"edge": torch.tensor(rows), "edge_neg": negative} for part, rows in pairs.items()},
    )
    parts = read_links(tmp_path, 4)
    assert {part: links.positive.tolist() for part, links in parts.items()} == pairs
    np.testing.assert_array_equal(parts["test"].negative, negative)
    assert held_out(parts).tolist() == [[0, 3], [2, 3]]  # 1-0 is trained on as well
    with pytest.raises(ValueError, match="none of 3"):
        read_links(tmp_path, 3)


def test_links_with_negatives_of_each(tmp_path):
    part = {"source_node": np.array([0, 1]), "target_node": np.array([2, 0])}
    held = {**part, "target_node_neg": np.array([[1, 3], [2, 3]])}
    save_parts(tmp_path, train=part, valid=held, test=held)
    links = read_links(tmp_path, 4)["valid"]
    assert links.positive.tolist() == [[0, 2], [1, 0]] and links.against["target"].tolist() == [[1, 3], [2, 3]]
    save_parts(tmp_path, test={**part, "target_node_neg": np.array([[1, 3]])})
    with pytest.raises(ValueError, match="a row for each of 2 pairs"):
        read_links(tmp_path, 4)


def test_links_between_types_of_nodes(tmp_path):
    part = {
        "head": np.array([0, 1]),
        "tail": np.array([2, 0]),
        "relation": np.array([0, 1]),
        "head_type": ["drug", "gene"],
        "tail_type": ["gene", "drug"],
        "head_neg": np.array([[1, 0], [0, 0]]),
        "tail_neg": np.array([[1, 0], [1, 1]]),
    }
    save_parts(tmp_path, train=part, valid=part, test=part)
    links = read_links(tmp_path, 5, {"drug": 0, "gene": 2})["test"]
    assert links.positive.tolist() == [[0, 4], [3, 0]] and links.relation.tolist() == [0, 1]
    assert links.against["source"].tolist() == [[1, 0], [2, 2]] and links.against["target"].tolist() == [[3, 2], [1, 1]]
    save_parts(tmp_path, test={**part, "head_type": ["drug", "protein"]})
    with pytest.raises(ValueError, match="'protein'"):
        read_links(tmp_path, 5, {"drug": 0, "gene": 2})
