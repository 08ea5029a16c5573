"""Archives of TAPE as JSON and as LMDB, whole, cut off, and with something to execute inside."""

import io
import json
import pickle
import tarfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sigraph.data.card import shipped_folder
from sigraph.recipes.prepare import _load_recipe
from sigraph.recipes.tape_archive import read_archive

PARTS = {"train": 4, "valid": 2, "test": 2}


def records(part):
    generator = np.random.default_rng(len(part))
    out = []
    for i in range(PARTS[part]):
        length = 30 + i
        place = generator.normal(size=(length, 3)).astype(np.float32) * 6
        mask = generator.random(length) > 0.1
        out.append({"primary": "ACDEFGHIKL" * 3 + "M" * i, "tertiary": place, "valid_mask": mask, "id": f"{part}{i}"})
    return out


def packed(tmp_path, members, name="proteinnet.tar.gz"):
    path = tmp_path / name
    with tarfile.open(path, "w:gz") as archive:
        for member, content in members.items():
            info = tarfile.TarInfo(f"proteinnet/{member}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def as_json(found):
    plain = [
        {key: value.tolist() if hasattr(value, "tolist") else value for key, value in one.items()} for one in found
    ]
    return json.dumps(plain, indent=1).encode()


def as_lmdb(tmp_path, found, count=None):
    lmdb = pytest.importorskip("lmdb")
    folder = tmp_path / f"lmdb{len(list(tmp_path.iterdir()))}"
    with lmdb.open(str(folder), map_size=1 << 22) as held, held.begin(write=True) as of:
        for i, one in enumerate(found):
            of.put(str(i).encode(), pickle.dumps(one))
        of.put(b"num_examples", pickle.dumps(len(found) if count is None else count))
    return (folder / "data.mdb").read_bytes()


def dataset(path):
    recipe = _load_recipe(shipped_folder() / "contact-prediction-tape" / "prepare.py")
    return recipe({"tape/proteinnet.tar.gz": path}, SimpleNamespace(name="contact-prediction-tape"))


def test_json_and_lmdb_give_the_same_contacts_as_a_dense_table(tmp_path):
    both = {
        "json": dataset(packed(tmp_path, {f"proteinnet_{p}.json": as_json(records(p)) for p in PARTS}, "a.tar.gz")),
        "lmdb": dataset(
            packed(
                tmp_path, {f"proteinnet_{p}.lmdb/data.mdb": as_lmdb(tmp_path, records(p)) for p in PARTS}, "b.tar.gz"
            )
        ),
    }
    whole = [one for part in PARTS for one in records(part)]
    for made in both.values():
        task = made.task("contacts")
        assert made.records["sequence"].to_pylist() == [one["primary"] for one in whole]
        assert [len(ids) for ids in task.split.values()] == [*PARTS.values()]
        for i, one in enumerate(whole):
            place = one["tertiary"].astype(np.float64)
            near = np.sqrt(((place[:, None] - place[None]) ** 2).sum(-1)) < 8
            wanted = [
                (near[a, b] if one["valid_mask"][a] and one["valid_mask"][b] else np.nan)
                for a in range(len(place))
                for b in range(a + 6, len(place))
            ]
            assert np.array_equal(task.target(torch.tensor([i])).numpy(), np.array(wanted, np.float32), equal_nan=True)


def structures(part):
    generator = np.random.default_rng(len(part))
    out = []
    for i in range(2):
        ss8 = generator.integers(8, size=9 + i)
        three = np.array([0, 0, 0, 1, 1, 2, 2, 2])[ss8]
        mask = np.arange(9 + i) != 4
        out.append({"primary": "ACDEFGHIKM"[: 9 + i], "ss3": three, "ss8": ss8, "valid_mask": mask})
    return out


def test_states_of_tape_in_three_and_eight_without_what_its_mask_hides(tmp_path):
    recipe = _load_recipe(shipped_folder() / "secondary-structure-tape" / "prepare.py")
    named = {"train": "train", "valid": "valid", "test": "cb513"}
    made = {}
    for form, write in (("json", as_json), ("lmdb", lambda found: as_lmdb(tmp_path, found))):
        members = {f"secondary_structure_{p}.{form}": write(structures(p)) for p in named.values()}
        path = packed(tmp_path, members, f"{form}.tar.gz")
        made[form] = recipe({"tape/secondary_structure.tar.gz": path}, SimpleNamespace(name="x"))
    for dataset in made.values():
        for name, field in (("state-3", "ss3"), ("state-8", "ss8")):
            task, at = dataset.task(name), 0
            for part in named.values():
                for one in structures(part):
                    wanted = np.where(one["valid_mask"], one[field], -1)
                    assert task.target(torch.tensor([at])).tolist() == wanted.tolist()
                    at += 1
            assert [len(ids) for ids in task.split.values()] == [2, 2, 2] and task.num_outputs <= len(task.classes)
    bad = [{**one, "ss8": one["ss8"] + 1} for one in structures("train")]
    members = {f"secondary_structure_{p}.json": as_json(bad) for p in named.values()}
    with pytest.raises(ValueError, match=r"train, record \d, 'ss8' needs states in \[0, 8\)"):
        recipe({"tape/secondary_structure.tar.gz": packed(tmp_path, members, "bad.tar.gz")}, SimpleNamespace(name="x"))


def test_a_pickle_that_would_run_something_is_refused(tmp_path):
    class Runs:
        def __reduce__(self):
            return (print, ("run",))

    path = packed(tmp_path, {"proteinnet_train.lmdb": as_lmdb(tmp_path, [Runs()])})
    with pytest.raises(ValueError, match=r"holds builtins\.print; only arrays"):
        list(read_archive(path, "proteinnet", "train", []))


def test_an_archive_that_is_cut_off_says_so(tmp_path):
    text = as_json(records("train"))
    cut = packed(tmp_path, {"proteinnet_train.json": text[:-200]}, "a.tar.gz")
    with pytest.raises(ValueError, match=r"proteinnet_train\.json is cut off, or no JSON"):
        list(read_archive(cut, "proteinnet", "train", []))
    whole = packed(tmp_path, {"proteinnet_train.json": text}, "b.tar.gz")
    whole.write_bytes(whole.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"no readable archive, or cut off"):
        list(read_archive(whole, "proteinnet", "train", []))


@pytest.mark.parametrize("size", [100, 9000, -4096])
def test_an_lmdb_that_is_cut_off_says_so(size, tmp_path):
    content = as_lmdb(tmp_path, records("train"))
    path = packed(tmp_path, {"proteinnet_train.lmdb": content[:size]})
    with pytest.raises(ValueError, match=r"cut off"):
        list(read_archive(path, "proteinnet", "train", []))


def test_records_that_lack_something_are_named(tmp_path):
    path = packed(
        tmp_path,
        {
            "proteinnet_train.json": b'[{"primary": "MK"}]',
            "proteinnet_valid.json": b"[]",
            "proteinnet_test.json": b'{"primary": 1}',
            "other_train.lmdb": as_lmdb(tmp_path, records("test"), count=3),
        },
    )
    for stem, part, said in (
        ("proteinnet", "train", "record 0 of proteinnet_train needs tertiary"),
        ("proteinnet", "valid", "needs a record .got none"),
        ("proteinnet", "test", "needs a list of objects"),
        ("other", "train", "lacks record 2 of 3"),
        ("another", "train", "needs another_train.json or another_train.lmdb"),
    ):
        with pytest.raises(ValueError, match=said):
            list(read_archive(path, stem, part, ["tertiary"]))
    bad = [{**one, "tertiary": one["tertiary"][:-1]} for one in records("train")]
    path = packed(tmp_path, {"proteinnet_train.json": as_json(bad)})
    with pytest.raises(ValueError, match=r"train, record 0 needs a 'primary' and, of each residue, three numbers"):
        dataset(path)
