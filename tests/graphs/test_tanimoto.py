"""TanimotoGraph: exact nearest neighbours, as rdkit's own similarities say; equal fingerprints; what cannot be read."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from sigraph.data import SampleDataset
from sigraph.graphs import TanimotoGraph
from sigraph.neighbors import tanimoto
from sigraph.neighbors.tanimoto import TanimotoSearch

pytest.importorskip("rdkit")
ENDS = ["C", "O", "N", "CC", "CO", "C(=O)O", "Cl", "F", "C#N", "S"]
SMILES = [f"{a}c1ccc({b})nc1" for a in ENDS[:6] for b in ENDS] + ["C" * n + a for n in (2, 5, 9) for a in ENDS[1:8]]


def dataset(smiles):
    return SampleDataset(pa.table({"smiles": pa.array(smiles, pa.string())}))


def edges(graph):
    return {(a, b) for a, b in graph.edge_index.t().tolist() if a < b}


def rdkit_similarities(smiles, radius=2, num_bits=2048):
    from rdkit import Chem, DataStructs
    from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

    generator = GetMorganGenerator(radius=radius, fpSize=num_bits)
    found = [generator.GetFingerprint(Chem.MolFromSmiles(one)) for one in smiles]
    return np.array([DataStructs.BulkTanimotoSimilarity(one, found) for one in found])


@pytest.mark.parametrize(("radius", "num_bits"), [(2, 2048), (1, 64)])
def test_neighbours_are_the_nearest_by_rdkits_similarities(radius, num_bits):
    similar = rdkit_similarities(SMILES, radius, num_bits)
    np.fill_diagonal(similar, -1)
    graph = TanimotoGraph(5, radius=radius, num_bits=num_bits)(dataset(SMILES))
    cut = np.sort(similar, axis=1)[:, -5]
    for i in range(len(SMILES)):
        around = graph.store.neighbors(i).numpy()
        assert np.isin(np.flatnonzero(similar[i] > cut[i]), around).all()
        assert all(similar[i, j] >= min(cut[i], cut[j]) for j in around)
    mutual = TanimotoGraph(5, radius=radius, num_bits=num_bits, mutual=True)(dataset(SMILES))
    assert edges(mutual) < edges(graph)
    near = TanimotoGraph(5, radius=radius, num_bits=num_bits, min_similarity=0.5)(dataset(SMILES))
    assert edges(near) == {(a, b) for a, b in edges(graph) if similar[a, b] >= 0.5}


@settings(max_examples=40)
@given(st.integers(2, 30), st.integers(1, 40), st.floats(0.02, 0.9), st.integers(0, 10**6))
def test_similarities_are_those_of_sets(num_rows, num_bits, rate, seed):
    bits = np.random.default_rng(seed).random((num_rows, num_bits)) < rate
    search = TanimotoSearch(csr_matrix(bits.astype(np.float32)))
    both, either = bits.astype(int) @ bits.T, (bits[:, None] | bits).sum(axis=2)
    expected = torch.from_numpy(both / np.maximum(either, 1)).float()
    assert torch.equal(search.similarities(0, num_rows), expected)
    k = min(3, num_rows - 1)
    for i, row in enumerate(search.nearest(k)):
        order = sorted((j for j in range(num_rows) if j != i), key=lambda j: (-expected[i, j], j))
        assert row.tolist() == order[:k]


def test_blocks_change_nothing(monkeypatch):
    whole = edges(TanimotoGraph(3)(dataset(SMILES)))
    monkeypatch.setattr(tanimoto, "_CELLS", 200)
    assert edges(TanimotoGraph(3)(dataset(SMILES))) == whole


def test_equal_molecules_are_each_others_nearest_and_none_is_a_hub():
    smiles = [*["c1ccccc1"] * 30, "C1=CC=CC=C1", *SMILES[:20]]  # benzene, written twice
    graph = TanimotoGraph(2)(dataset(smiles))
    degree = graph.store.degree(torch.arange(len(smiles)))
    assert all(set(graph.store.neighbors(i).tolist()) <= set(range(31)) for i in range(5, 20))
    assert int(degree[:31].max()) <= 4 + 2 * 2


def test_what_cannot_be_read_is_isolated_and_said(caplog):
    smiles = [*SMILES[:5], "no molecule", "", None, *SMILES[5:10]]
    graph = TanimotoGraph(2)(dataset(smiles))
    assert graph.store.degree(torch.tensor([5, 6, 7])).tolist() == [0, 0, 0]
    TanimotoGraph(3)(dataset(smiles))  # for another arm, or seed
    assert caplog.text.count("3 molecules cannot be read") == 1
    place = [*range(5), *range(8, 13)]
    plain = TanimotoGraph(2)(dataset(SMILES[:10]))
    assert edges(graph) == {(place[a], place[b]) for a, b in edges(plain)}


def test_what_cannot_be_asked_for_is_said():
    with pytest.raises(ValueError, match=r"'k' needs to be below the number of molecules .* 2, .*got 2"):
        TanimotoGraph(2)(dataset(["CCO", "CCN", "no molecule"]))
    with pytest.raises(ValueError, match=r"no two of 2 molecules are as similar as 0.9"):
        TanimotoGraph(1, min_similarity=0.9)(dataset(["CCO", "c1ccccc1"]))
    for wrong in ({"k": 0}, {"radius": -1}, {"num_bits": 0}, {"mutual": 1}, {"min_similarity": 2}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))!r} needs"):
            TanimotoGraph(**wrong)
