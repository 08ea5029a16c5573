"""A damaged prepared folder: the message says how that very folder is written again."""

import shutil

import pytest
import torch

from sigraph.cli import main
from sigraph.data.card import card_names
from sigraph.data.dataset import SampleDataset
from sigraph.data.prepared import read_manifest
from sigraph.recipes.prepare import prepare


@pytest.fixture
def own(tmp_path):
    """A user's own folder, called like a data set that sigraph ships."""
    SampleDataset(torch.ones(2, 2)).save(tmp_path / "cora")
    assert "cora" in card_names()
    return tmp_path / "cora"


def test_a_folder_of_ones_own_is_written_again_from_its_tables(own, tmp_path):
    (own / "samples.npy").write_bytes(b"")
    with pytest.raises(ValueError, match="truncated or tampered; write it again, your own tables by") as error:
        read_manifest(own)
    assert f"`sigraph prepare --samples ... --out {own} --force`" in str(error.value)
    files = tmp_path / "s.csv", tmp_path / "e.csv"
    for file, text in zip(files, ("id,x\n1,0.5\n2,1\n", "source,target\n1,2\n"), strict=True):
        file.write_text(text)
    request = ["prepare", "--samples", str(files[0]), "--edges", str(files[1]), "--out", str(own)]
    assert main([*request, "--force"]) == 0 and read_manifest(own, verify=True)  # the advice works
    (own / "manifest.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"; remove it and write it again, .* --out [^ ]+`$"):
        read_manifest(own)
    shutil.rmtree(own)
    assert main(request) == 0 and read_manifest(own, verify=True)


def test_a_data_set_by_name_is_prepared_again(data_root):
    path = prepare("manifold-torus")
    (path / "samples.npy").write_bytes(b"")
    for damaged in (lambda: prepare("manifold-torus"), lambda: SampleDataset.open(path)):
        with pytest.raises(ValueError, match=r"run `sigraph prepare manifold-torus --force`$"):
            damaged()


def test_who_knows_better_says_how(tmp_path, own):
    with pytest.raises(FileNotFoundError, match=r"cut short; remove it and ask Ada$"):
        read_manifest(tmp_path, again="ask Ada")
    (own / "samples.npy").unlink()
    with pytest.raises(ValueError, match=r"got no file.: truncated or tampered; ask Ada$"):
        read_manifest(own, again="ask Ada")
