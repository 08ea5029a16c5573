"""Molecules: their graphs are OGB's, what cannot be read is counted, a second reading is mapped."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from sigraph.data import SampleDataset
from sigraph.readers import Molecules, molecule_attributes
from sigraph.readers.base import UnreadableRecordsError

pytest.importorskip("rdkit")
ODD = ["CCO", "", "[Na+].[Cl-]", "no molecule", "[He]", "CC(=O)[O-].[Na+].O", None, "C1CC1", "*", "C/C=C/C"]


def table(smiles):
    return pa.table({"smiles": pa.array(smiles, pa.string())})


def graph_of(samples, i):
    return samples.fetch(torch.tensor([i]))


def smiles2graph(smiles):
    """OGB's own; importing it would ask the network."""
    present = "outdated" in sys.modules
    sys.modules.setdefault("outdated", None)
    try:
        from ogb.utils.mol import smiles2graph

        return smiles2graph(smiles)
    finally:
        if not present:
            sys.modules.pop("outdated")


@pytest.mark.parametrize("name", ["molbace", "molbbbp"])
def test_official_graphs_of_ogb_are_ours_from_their_smiles(data_source, name):
    home = data_source / "ogbg_official" / f"ogbg_{name}"
    if not home.is_dir():
        pytest.skip("needs the official files")
    samples = Molecules().read(table(pd.read_csv(home / "mapping" / "mol.csv.gz")["smiles"].tolist()))

    def raw(file):
        return pd.read_csv(home / "raw" / f"{file}.csv.gz", header=None).to_numpy()

    assert len(samples) == {"molbace": 1513, "molbbbp": 2039}[name]
    assert np.array_equal(samples.node_ptr.whole().diff().numpy(), raw("num-node-list").ravel())
    assert np.array_equal(samples.edge_ptr.whole().diff().numpy(), 2 * raw("num-edge-list").ravel())
    assert np.array_equal(samples.x.whole().numpy(), raw("node-feat"))
    ends, bond = samples.edge_index.whole().numpy(), samples.edge_attr.whole().numpy()
    assert np.array_equal(ends[::2], raw("edge")) and np.array_equal(ends[1::2], raw("edge")[:, ::-1])
    assert np.array_equal(bond[::2], raw("edge-feat")) and np.array_equal(bond[1::2], raw("edge-feat"))


def test_a_graph_is_what_smiles2graph_gives():
    smiles = ["O1C=C[C@H]([C@H]1O2)c3c2cc(OC)c4c3OC(=O)C5=C4CCC(=O)5", "[He]", "[Na+].[Cl-]", "C/C=C\\C", "*CC"]
    samples = Molecules().read(table(smiles))
    for i, one in enumerate(smiles):
        ours, theirs = graph_of(samples, i), smiles2graph(one)
        assert np.array_equal(ours.x, theirs["node_feat"]) and ours.x.dtype == torch.long
        assert np.array_equal(ours.edge_index, theirs["edge_index"])
        assert np.array_equal(ours.edge_attr, theirs["edge_feat"]) and ours.edge_attr.dtype == torch.long
    assert samples.sizes == {"node_channels": 9, "edge_channels": 3}


def test_what_cannot_be_read_is_refused_by_row_or_read_as_unknown_and_all_that_is_odd_is_counted():
    with pytest.raises(ValueError, match=r"cannot read 3 of 10 .*row 2: ''.*row 4: 'no molecule'.*unreadable: unknown"):
        Molecules().read(table(ODD))
    with pytest.raises(ValueError, match=rf"\(row 1: '{'Q' * 40}'\.\.\.\); leave these rows out"):  # cut in its quotes
        Molecules().read(table(["Q" * 60]))
    reader = Molecules(unreadable="unknown")
    samples = reader.read(table(ODD))
    assert samples.cost().tolist() == [3, 1, 2, 1, 1, 6, 1, 3, 1, 4]
    for i in (1, 3, 6):
        one = graph_of(samples, i)
        assert one.x.tolist() == [[118, 4, 11, 11, 9, 5, 5, 0, 0]] and one.edge_index.shape == (2, 0)
    assert reader.known(table(ODD)).tolist() == [1, 0, 1, 0, 1, 1, 0, 1, 1, 1]
    with pytest.raises(UnreadableRecordsError) as raised:
        Molecules().read(table(ODD))
    assert raised.value.rows.tolist() == [1, 3, 6] and raised.value.cells[1] == "no molecule"
    note = reader.note(table(ODD))
    for words in (
        "2 molecules are empty",
        "1 molecule cannot be read by rdkit",
        "2 molecules have several fragments (all are kept)",
        "2 molecules are a single atom",
        "1 molecule has several atoms and no bond",
    ):
        assert words in note
    assert Molecules().note(table(["CCO"])) == ""
    SampleDataset(table(ODD)).read(reader)  # what is odd can be used


def test_the_largest_fragment_is_read_as_if_it_stood_alone():
    salts = ["[Na+].CC(=O)[O-].O", "CCO.c1ccccc1", "CCO.CCN"]
    largest = Molecules(fragments="largest").read(table(salts))
    alone = Molecules().read(table(["CC(=O)[O-]", "c1ccccc1", "CCO"]))  # of equal ones the first
    assert largest.digest() == alone.digest()
    assert "(the largest is kept)" in Molecules(fragments="largest").note(table(salts))


def test_attributes_of_hu_et_al():
    samples = Molecules(attributes="hu2020").read(table(["C[C@H](N)/C=C/Br", "*", "c1ccccc1"]))
    one = graph_of(samples, 0)
    assert one.x.tolist() == [[5, 0], [5, 2], [6, 0], [5, 0], [5, 0], [34, 0]]
    assert one.edge_attr[::2].tolist() == [[0, 0], [0, 0], [0, 1], [1, 0], [0, 1]]
    octahedral = Molecules(attributes="hu2020").read(table(["F[Co@OH1](Cl)(Br)(I)(N)O"]))
    assert graph_of(octahedral, 0).x[1].tolist() == [26, 0]  # their encoders have rows for three chiralities
    assert graph_of(samples, 1).x.tolist() == [[118, 0]] and graph_of(samples, 2).edge_attr[0].tolist() == [3, 0]


MANY = ["C" * (1 + i) + "O" * i for i in range(10)]


@pytest.fixture
def keeps_few(monkeypatch):
    """From five molecules on, what was read is kept."""
    monkeypatch.setattr("sigraph.readers.molecules.KEPT_FROM", 5)


def test_a_second_reading_is_mapped_and_nothing_is_parsed_again(keeps_few, data_root, monkeypatch):
    records = table([*MANY, "[Na+].[Cl-]"])
    first = Molecules()
    samples = first.read(records)
    kept = list((data_root / "read").iterdir())
    assert len(kept) == 1 and (kept[0] / "samples.x.npy").is_file()
    with monkeypatch.context() as patch:
        patch.setattr("sigraph.readers.molecules.parsed", lambda text: pytest.fail("parsed again"))
        again = Molecules().read(records)
        assert again.digest() == samples.digest() and Molecules().note(records) == first.note(records) != ""
        wider = pa.table({"n": range(len(records)), "smiles": records.column("smiles").combine_chunks()})
        assert Molecules().read(wider).digest() == samples.digest()  # other columns do not matter
    assert len(list((data_root / "read").iterdir())) == 1
    for other, column in ((Molecules(fragments="largest"), records), (Molecules(), records.slice(1))):
        assert other.read(column).digest() != samples.digest()
    assert len(list((data_root / "read").iterdir())) == 3


def test_what_was_kept_and_damaged_is_read_again_and_written_again(keeps_few, data_root, caplog):
    records = table(MANY)
    digest = Molecules().read(records).digest()
    file = next((data_root / "read").iterdir()) / "samples.x.npy"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    assert Molecules().read(records).digest() == digest and "read again" in caplog.text
    caplog.clear()
    assert Molecules().read(records).digest() == digest and not caplog.text


def test_where_nothing_can_be_kept_it_is_said(keeps_few, data_root, caplog):
    (data_root / "read").write_text("a file")
    assert len(Molecules().read(table(MANY))) == 10 and "is not kept" in caplog.text


@pytest.mark.parametrize(
    "wrong", [{"attributes": "own"}, {"fragments": "first"}, {"unreadable": "drop"}, {"attributes": None}]
)
def test_arguments_that_are_nothing_of_the_kind(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))!r} needs to be .* or .* in 'Molecules'"):
        Molecules(**wrong)


def test_ogbs_attributes_open_no_socket_and_leave_outdated_importable():
    code = f"""
import importlib.util, socket, sys, threading
def no(*a, **k): raise SystemExit("a socket was opened")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = no
spec = importlib.util.spec_from_file_location("alone", {molecule_attributes.__file__!r})
alone = importlib.util.module_from_spec(spec)
spec.loader.exec_module(alone)
assert "rdkit" not in sys.modules and "ogb" not in sys.modules
assert len(alone.attributes("ogb", "Molecules").unknown) == 9
assert threading.active_count() == 1 and "outdated" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
