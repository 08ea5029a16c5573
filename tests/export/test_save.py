"""save_encoder: an encoder trained in Python goes home, and comes back in another process, from another folder."""

import copy
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
import text_run
import torch
from torch import nn

import sigraph as sg
from sigraph.cli import main
from sigraph.config.described import component_of
from sigraph.files.sealed import read_sealed, write_sealed

AGAIN = """
import sys, torch, sigraph as sg
encoder, reader = sg.load_encoder(sys.argv[1]), sg.load_reader(sys.argv[1])
z = sg.embed(encoder, sg.SampleDataset.open(sys.argv[2]).read(reader))
torch.save(z, sys.argv[3])
"""


@pytest.fixture
def trained():
    """An encoder with weights of its own, and texts as its reader reads them."""
    dataset = text_run.dataset()
    reader = sg.readers.WordTokens("text", min_count=1, max_length=6)
    reader.fit(dataset.records)
    read = dataset.read(reader)
    torch.manual_seed(1)
    return sg.encoders.GRUEncoder(read.num_tokens, out_channels=8, bidirectional=True), read


def test_it_comes_back_in_a_fresh_process_to_the_bit(trained, tmp_path):
    encoder, read = trained
    z = sg.embed(encoder, read)
    sg.save_encoder(copy.deepcopy(encoder), tmp_path / "home", reader=read.reader)
    text_run.dataset().save(tmp_path / "papers")
    (tmp_path / "elsewhere").mkdir()
    places = ["../home", "../papers", "z.pt"]
    subprocess.run([sys.executable, "-c", AGAIN, *places], cwd=tmp_path / "elsewhere", check=True)
    assert torch.equal(torch.load(tmp_path / "elsewhere" / "z.pt", weights_only=True), z)
    out = tmp_path / "z.parquet"
    assert main(["embed", str(tmp_path / "home"), "--samples", str(tmp_path / "papers"), "--out", str(out)]) == 0
    assert not list((tmp_path / "home").glob("*.p*t*"))


def test_features_are_matched_by_name_and_samples_are_asked_for(tmp_path, capsys):
    encoder = sg.encoders.MLPEncoder(2, 8, out_channels=3)
    sg.save_encoder(encoder, tmp_path / "home", features=["mass", "charge"])
    (tmp_path / "new.csv").write_text("id,charge,mass\na,1.0,2.0\nb,0.5,3.0\n")
    command = ["embed", str(tmp_path / "home"), "--out", str(tmp_path / "z.parquet")]
    assert main([*command, "--samples", str(tmp_path / "new.csv")]) == 0
    rows = torch.tensor([[2.0, 1.0], [3.0, 0.5]])
    assert (
        pq.read_table(tmp_path / "z.parquet")["z1"].to_pylist()
        == sg.embed(encoder, sg.SampleDataset(rows))[:, 1].tolist()
    )
    assert main([*command, "--force"]) == 2 and "say what samples are: --samples" in capsys.readouterr().err


def test_what_cannot_be_built_again_is_refused_with_the_way_out(tmp_path):
    class Local(sg.encoders.MLPEncoder):
        pass

    with pytest.raises(ValueError, match=r"'Local' cannot be made again .* put it into a module of its own"):
        sg.save_encoder(Local(2, 8), tmp_path / "a")
    wrapped = sg.encoders.ModuleEncoder(nn.Linear(2, 3), out_channels=3)
    with pytest.raises(ValueError, match=r"'module' is of type Linear, .* give what builds it as component="):
        sg.save_encoder(wrapped, tmp_path / "b")
    with pytest.raises(ValueError, match=r"its weights differ in .*make all of it in the constructor"):
        larger = sg.encoders.MLPEncoder(2, 8, out_channels=3)
        larger.more = nn.Linear(3, 3)
        sg.save_encoder(larger, tmp_path / "c")
    assert not list(tmp_path.iterdir())
    component = {"_target_": "sigraph.encoders.MLPEncoder", "in_channels": 2, "hidden_channels": 8, "out_channels": 3}
    encoder = sg.encoders.MLPEncoder(2, 8, out_channels=3)
    sg.save_encoder(encoder, tmp_path / "d", component=component)
    with pytest.raises(FileExistsError, match="not empty"):
        sg.save_encoder(encoder, tmp_path / "d")


def test_arguments_are_written_as_they_were_given(trained):
    encoder, read = trained
    found = component_of(encoder)
    assert found == {
        "_target_": "sigraph.encoders.gru.GRUEncoder",
        "num_tokens": read.num_tokens,
        "out_channels": 8,
        "bidirectional": True,
    }
    assert component_of(read.reader)["max_length"] == 6


def test_damage_and_newer_folders_are_said(tmp_path):
    sg.save_encoder(sg.encoders.MLPEncoder(2, 8), tmp_path / "home")
    file = tmp_path / "home" / "encoder.json"
    about = read_sealed(file)
    write_sealed(file, {**about, "format": 2})
    with pytest.raises(ValueError, match="newer sigraph"):
        sg.load_encoder(tmp_path / "home")
    write_sealed(file, {key: value for key, value in about.items() if key != "encoder_sha256"})
    with pytest.raises(ValueError, match="'encoder_sha256' is missing; save the encoder again"):
        sg.load_encoder(tmp_path / "home")
    file.write_text(file.read_text().replace("MLP", "GRU"))
    with pytest.raises(ValueError, match="altered"):
        sg.load_encoder(tmp_path / "home")
