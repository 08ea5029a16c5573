"""Edges in Matrix Market and GraphML become the graph that they say; what is no such file is refused."""

import gzip

import networkx
import pytest
from scipy.io import mmwrite
from scipy.sparse import coo_matrix

from sigraph.tables import TableReport, from_tables
from sigraph.tables.edge_file import read_edges

ENTRIES = ([2.0, 0.5, 1.0], ([0, 1, 3], [1, 2, 0]))


def samples(folder, ids):
    (folder / "s.csv").write_text("id,x\n" + "".join(f"{one},{i}\n" for i, one in enumerate(ids)))
    return folder / "s.csv"


def edges_of(folder, file, ids):
    report = TableReport()
    graph = from_tables(samples(folder, ids), file, report=report).graph()
    ends = {tuple(sorted((ids[u], ids[v]))) for u, v in graph.edge_index.t().tolist()}
    return ends, graph, str(report)


@pytest.mark.parametrize("symmetry", ["general", "symmetric"])
@pytest.mark.parametrize("name", ["e.mtx", "e.mtx.gz"])
def test_a_matrix(tmp_path, symmetry, name):
    matrix = coo_matrix(ENTRIES, (4, 4))
    matrix = matrix + matrix.T if symmetry == "symmetric" else matrix
    mmwrite(tmp_path / "e.mtx", matrix, symmetry=symmetry)
    if name.endswith("gz"):
        (tmp_path / name).write_bytes(gzip.compress((tmp_path / "e.mtx").read_bytes()))
    ends, graph, said = edges_of(tmp_path, tmp_path / name, [0, 1, 2, 3])
    assert ends == {(0, 1), (1, 2), (0, 3)} and sorted(graph.edge_weight.tolist()) == [0.5, 0.5, 1, 1, 2, 2]
    assert "row i of the 4 x 4 matrix" in said and "repeats" not in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("%%MatrixMarket matrix coordinate pattern general\n3 4 1\n1 2\n", "needs a square matrix.*got 3 x 4"),
        ("%%MatrixMarket matrix array real general\n2 2\n1\n2\n3\n4\n", "needs a sparse matrix"),
        ("%%MatrixMarket matrix coordinate complex general\n2 2 1\n1 2 1 1\n", "needs real weights"),
        ("%%MatrixMarket matrix coordinate pattern general\n2 2 1\n1 9\n", "is no Matrix Market file"),
        ("source,target\n", "is no Matrix Market file"),
    ],
)
def test_matrices_that_are_no_graph(tmp_path, text, message):
    (tmp_path / "e.mtx").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_edges(tmp_path / "e.mtx")


def test_graphml(tmp_path):
    graph = networkx.Graph()
    graph.add_edge("p1", "p2", weight=0.5)
    graph.add_edge("p3", "p1", weight=2.0)
    networkx.write_graphml(graph, tmp_path / "e.graphml")
    ends, found, _ = edges_of(tmp_path, tmp_path / "e.graphml", ["p1", "p2", "p3"])
    assert ends == {("p1", "p2"), ("p1", "p3")} and sorted(found.edge_weight.tolist()) == [0.5, 0.5, 2, 2]
    text = (tmp_path / "e.graphml").read_text()
    (tmp_path / "e.graphml").write_text(text.replace("<graphml", '<!DOCTYPE a [<!ENTITY b "c">]><graphml', 1))
    with pytest.raises(ValueError, match="declares a document type or entities"):
        read_edges(tmp_path / "e.graphml")
    (tmp_path / "e.graphml").write_text(text[:200])
    with pytest.raises(ValueError, match="is no GraphML file that can be read"):
        read_edges(tmp_path / "e.graphml")
    with pytest.raises(ValueError, match="is a graph, no table: give it as edges"):
        from_tables(tmp_path / "e.graphml", {})
