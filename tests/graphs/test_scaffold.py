"""ScaffoldGraph: cliques of molecules that rdkit gives one scaffold, never written out."""

import pyarrow as pa
import pytest
import torch
from torch_geometric.data import Data

from sigraph.data import SampleDataset
from sigraph.edges import LabelSetStore
from sigraph.graphs import ScaffoldGraph, TanimotoGraph
from sigraph.samples.molecules import murcko_scaffolds

pytest.importorskip("rdkit")
# Benzene, cyclohexane and pyridine rings with tails, two of no ring, one unreadable, one that stands there twice.
SMILES = ["Cc1ccccc1", "OC1CCCCC1", "CCO", "Nc1ccccc1", "no molecule", "CCN", "Cc1ccccn1", "CC1CCCCC1", "Cc1ccccc1"]


def dataset(smiles=SMILES):
    return SampleDataset(pa.table({"smiles": smiles}))


def edges(graph):
    return {(a, b) for a, b in graph.edge_index.t().tolist() if a < b}


def test_molecules_of_one_scaffold_are_a_clique():
    graph = ScaffoldGraph()(dataset())
    assert isinstance(graph.store, LabelSetStore) and graph.num_nodes == 9
    assert edges(graph) == {(0, 3), (0, 8), (3, 8), (1, 7)}
    assert edges(ScaffoldGraph(acyclic=True)(dataset())) == edges(graph) | {(2, 5)}
    rings = {0, 1, 3, 6, 7, 8}
    assert edges(ScaffoldGraph(generic=True)(dataset())) == {(a, b) for a in rings for b in rings if a < b}


def test_stereochemistry_counts_only_where_it_is_asked_for():
    data = dataset(["C[C@H]1CC[C@@H](c2ccccc2)CC1", "C[C@@H]1CC[C@@H](c2ccccc2)CC1", "C1OC[C@@H]1c1ccccc1"])
    assert edges(ScaffoldGraph()(data)) == {(0, 1)}
    with_ring_stereo = dataset(["O1C[C@H]1[C@@H]1CO1", "O1C[C@@H]1[C@@H]1CO1"])
    assert edges(ScaffoldGraph()(with_ring_stereo)) == {(0, 1)}
    with pytest.raises(ValueError, match=r"made no edge: no two of 2 molecules .*'generic: true'"):
        ScaffoldGraph(chirality=True)(with_ring_stereo)


def test_many_molecules_of_one_scaffold_take_no_room():
    tails = ["C" * (i % 40 + 1) + "O" * (i // 40) for i in range(400)]
    graph = ScaffoldGraph()(dataset([f"{tail}c1ccccc1" for tail in tails] * 50))  # 20,000 molecules, 4e8 edges
    assert graph.num_edges == 20_000 * 19_999
    assert sum(value.numel() for value in vars(graph.store).values() if isinstance(value, torch.Tensor)) < 200_000


def test_scaffolds_are_rdkits():
    from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles

    smiles = ["C[C@H](N)C1CC[C@@H](c2ccccc2)O1", "CCO", "Clc1ccc2[nH]ccc2c1"]
    for chirality in (False, True):
        expected = [MurckoScaffoldSmiles(one, includeChirality=chirality) for one in smiles]
        assert murcko_scaffolds(pa.array(smiles), chirality).to_pylist() == expected
    assert murcko_scaffolds(pa.array(["no molecule", "", None], pa.string())).null_count == 3


def test_graphs_whose_ids_are_smiles_are_molecules_by_their_ids():
    smiles = [one for one in dict.fromkeys(SMILES) if one != "no molecule"]
    graphs = [Data(x=torch.ones(1, 1), edge_index=torch.zeros(2, 0, dtype=torch.long)) for _ in smiles]
    by_id = SampleDataset(graphs, ids=smiles)
    assert edges(ScaffoldGraph(column="id")(by_id)) == edges(ScaffoldGraph()(dataset(smiles))) != set()
    assert edges(TanimotoGraph(k=2, column="id")(by_id)) == edges(TanimotoGraph(k=2)(dataset(smiles)))
    with pytest.raises(ValueError, match=r"needs records.*or say 'column: id' where their ids are SMILES"):
        ScaffoldGraph()(by_id)
    with pytest.raises(ValueError, match=r"needs records with a column of SMILES.*'sigraph.readers.Molecules'$"):
        ScaffoldGraph(column="id")(SampleDataset(graphs, ids=list(range(len(smiles)))))


def test_what_has_no_molecules_is_told_what_is_missing():
    with pytest.raises(ValueError, match=r"needs records with a column of SMILES.*rows of 2 features.*Molecules"):
        ScaffoldGraph()(SampleDataset(torch.ones(3, 2)))
    with pytest.raises(ValueError, match=r"'column' 'smile' of 'ScaffoldGraph' is not in the records"):
        ScaffoldGraph("smile")(dataset())
    with pytest.raises(ValueError, match="'generic' needs to be"):
        ScaffoldGraph(generic="no")
