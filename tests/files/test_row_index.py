"""An index of pandas that orders rows otherwise is refused at every door that takes rows in the order of samples."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.files.row_index import check_index, check_same_index
from sigraph.graphs import KNNGraph, LabelCliques
from sigraph.tasks import Task
from sigraph.theory.audit import audit
from sigraph.theory.certificates import certify

N = 6
EDGES = [list(range(N)), [*range(1, N), 0]]
GRAPH = PretrainGraph(EDGES, N)
SPLIT = {"train": [0, 1], "valid": [2, 3], "test": [4, 5]}
DATA = SampleDataset(torch.eye(N))
Y = pd.Series([0, 1, 0, 1, 0, 1])
X = pd.DataFrame(np.eye(N))

DOORS = {
    "Task": lambda order: Task("t", order(Y), SPLIT),
    "audit": lambda order: audit(GRAPH, order(Y), draws=2, resamples=2),
    "audit by name": lambda order: audit(GRAPH, {"t": order(Y.to_frame())}, draws=2, resamples=2),
    "local consistency": lambda order: GRAPH.local_consistency(order(Y)),
    "certify": lambda order: certify(order(X), GRAPH),
    "certify labels": lambda order: certify(torch.eye(N), GRAPH, y=order(Y)),
    "label cliques": lambda order: LabelCliques().from_labels(order(Y)),
    "edge weight": lambda order: PretrainGraph(EDGES, N, order(Y + 1.0)),
    "ends of edges": lambda order: PretrainGraph([Y, order(1 - Y)], N),
    "group": lambda order: PretrainGraph(EDGES, N, group=order(Y)),
    "vectors": lambda order: KNNGraph(k=1, vectors=order(X))(DATA, torch.Generator()),
}
OTHERWISE = {
    "turned round": lambda rows: rows.iloc[::-1],
    "from one": lambda rows: rows.set_axis(range(1, N + 1)),
    "with gaps": lambda rows: rows.set_axis([0, 2, 4, 6, 8, 10]),
}


@pytest.mark.filterwarnings("ignore:'PretrainGraph' dropped")
@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_rows_in_another_order_are_refused(door):
    door(lambda rows: rows)
    for order in OTHERWISE.values():
        with pytest.raises(ValueError, match=r"pandas .*index.*reset_index\(drop=True\) or .to_numpy"):
            door(order)
        door(lambda rows, order=order: order(rows).reset_index(drop=True))


def test_an_index_of_other_things_is_said():
    for index in (list("abcdef"), range(100, 106), pd.date_range("2020-01-01", periods=N)):
        with pytest.warns(
            UserWarning, match="'y' has a pandas index .*not looked at: row i is taken for sample i"
        ) as said:
            GRAPH.local_consistency(Y.set_axis(index))
        assert said[0].filename == __file__
    for plain in (Y, Y.to_numpy(), Y.tolist(), Y.iloc[:0].iloc[::-1], nx.path_graph(2)):
        check_index(plain, "'y'")
    check_same_index({"'a'": Y.iloc[::-1], "'b'": Y.to_numpy()})
