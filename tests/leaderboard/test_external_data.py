"""External data: a checkpoint, raw text, other data or a file make the answer yes, whatever component names them."""

import pytest
from ogb_runs import ENCODER, NAME, board, record, ten, write

from sigraph.leaderboard import Leaderboard
from sigraph.leaderboard.external_data import external_data
from sigraph.leaderboard.records import Record

CLEAN = {"dataset": NAME, "graph": {"name": "scaffold"}, "encoder": ENCODER, "reader": None, "trainer": {}}


def found(tested=NAME, **pretrain):
    return external_data(Record.from_dict(record(0, pretrain=pretrain)), tested)


def test_of_the_data_set_alone_it_is_none():
    assert found() == (True, [], [])
    (entry,) = board(ten()).ogb_entries()
    assert entry["form"]["External data"] == "No" and entry["form"]["Method name"] == "sipt"


@pytest.mark.parametrize(
    ("pretrain", "said"),
    [
        ({"encoder": {**ENCODER, "checkpoint": "pretrained_gnns/gcn.pth"}}, "checkpoint pretrained_gnns/gcn.pth"),
        ({"encoder": {"_target_": "sigraph.encoders.A", "inner": {"_target_": "x", "path": "b"}}}, "path b"),
        ({"graph": {"_target_": "sigraph.graphs.FromFile", "file": "mine.parquet"}}, "file mine.parquet"),
        ({"dataset": "zinc"}, "pre-trained on zinc"),
        ({"dataset": {"_target_": "sigraph.synthetic.Torus"}}, "pre-trained on Torus"),
    ],
)
def test_what_comes_from_elsewhere_is_found(pretrain, said):
    assert said in found(**pretrain).found
    (entry,) = board(ten(pretrain=pretrain)).ogb_records()
    assert entry["form"]["External data"].startswith(f"Yes: {said}") and said in entry["form"]["Method name"]


def test_raw_text_is_external_but_the_official_smiles_are_not():
    reader = {"_target_": "sigraph.readers.WordTokens", "column": "title"}
    name = "ogbn-arxiv"
    assert found(name, dataset=name, reader=reader).found == ["raw records, read by WordTokens"]
    assert found(reader=reader).found == []


def test_own_code_is_left_to_say():
    own = found(encoder={"_target_": "mine.Encoder"}).own_code
    assert own == ["mine.Encoder"]
    (entry,) = board(ten(pretrain={"encoder": {"_target_": "mine.Encoder"}})).ogb_records()
    assert "TO BE FILLED IN: whether mine.Encoder, your own code" in entry["form"]["External data"]


def test_the_settings_beside_a_run_say_more_than_its_record(tmp_path):
    settings = {"pretrain": {**CLEAN, "objective": {"_target_": "sigraph.objectives.Teacher", "checkpoint": "bert"}}}
    (entry,) = Leaderboard.from_folder(write(tmp_path, ten(), settings)).ogb_entries()
    assert entry["form"]["External data"] == "Yes: checkpoint bert"


def test_what_no_record_says_is_left_open():
    bare = record(0)
    del bare["pretrain"]["encoder"]
    assert external_data(Record.from_dict(bare), NAME).is_known is False
