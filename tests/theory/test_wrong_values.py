"""Every public function of the theory and every graph constructor names the argument that is of another kind."""

from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

import sigraph.graphs as graphs
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.losses import ContrastiveLoss, CrossBatchMemory, LinkPredictionLoss
from sigraph.tasks import Task
from sigraph.theory.audit import audit
from sigraph.theory.certificates import certify
from sigraph.theory.leakage import leakage

N = 12
SPLIT = {"train": range(6), "valid": range(6, 9), "test": range(9, 12)}
X = torch.rand(N, 4, generator=torch.Generator().manual_seed(0))
Y = torch.arange(N) % 3
GRAPH = PretrainGraph([list(range(N - 1)), list(range(1, N))], N)
TASK = Task("topic", Y, SPLIT)
TAGS = Task("tags", (X > 0.5).float(), SPLIT)
DATASET = SampleDataset(X, {"line": GRAPH}, {"topic": TASK, "tags": TAGS}, name="toy")
RECORDS = SampleDataset(pa.table({"a": ["x", "y", "z"] * 4, "n": range(N)}), {"line": GRAPH}, {"topic": TASK})
GIVEN = graphs.DatasetGraph()

THINGS = [["a"], object(), b"x", int, lambda: 1, Path("there"), nx.path_graph(3), pd.DataFrame({"a": [1]})]
NEVER = [{}, {"a": None}, *THINGS]
NO_NUMBER = [
    *NEVER,
    "x",
    "5",
    None,
    [None],
    float("nan"),
    torch.ones(N, 2),
    np.array(["a"] * N),
    torch.eye(3).to_sparse(),
]
NO_COUNT = [*NO_NUMBER, 5.5, -1, True]
NO_COUNT_NOR_NONE = [value for value in NO_COUNT if value is not None]
NO_TEXT = [*NEVER, "x", 5, 5.5, True, [None], torch.ones(N), np.array(["a"] * N), torch.eye(3).to_sparse()]
NO_ARRAY = [*NEVER, "x", [None], np.array(["a"] * N), np.ones(N, dtype=complex), torch.eye(N).to_sparse(), 10**30]
NO_LABELS = [*NEVER, "x", [None], np.ones(N, dtype=complex), 10**30]  # text is classes by name
NO_CLASSES = [{}, *THINGS[1:7], "x", np.ones(N, dtype=complex), 10**30]
NO_GRAPH = [*NEVER, "there", 5, X, [GRAPH], DATASET.task()]
NO_DATASET = [*NEVER, "there", 5, X, GRAPH, TASK]
NO_FLAG = [*NEVER, "yes", 1, None, torch.ones(N), np.array(["a"] * N)]
NO_GENERATOR = [*NEVER, 0, "x", X]


def made(constructor, dataset=DATASET):
    return lambda **arguments: constructor(**arguments)(dataset, torch.Generator().manual_seed(0))


def called(constructor, dataset=DATASET):
    return lambda **given: constructor(**{"dataset": dataset, "generator": None, **given})


CALLS = {  # the function, arguments that fit, and by argument what does not
    "audit": (
        audit,
        {"graph": GRAPH, "tasks": TASK, "dataset": DATASET, "draws": 2, "resamples": 2},
        {
            "graph": [*NEVER, "there", 5, X, None],
            "labels": NO_TEXT,
            "null": NO_TEXT,
            "draws": [*NO_COUNT, 10**30],
            "resamples": [*NO_COUNT, 10**30],
            "seed": NO_COUNT,
            "dataset": NO_DATASET,
            "graph_labels": [*THINGS, {"a": None}, X, "x", 5, {"other": X}],
        },
    ),
    "certify": (
        certify,
        {"embeddings": X, "graph": GRAPH, "loss": ContrastiveLoss(), "y": Y, "max_anchors": 5},
        {
            "embeddings": [*NO_ARRAY, X[:5], X[:, 0], X * float("nan"), X * 1j, Y, None],
            "graph": [*NO_GRAPH, None],
            "loss": [*NEVER, "margin", torch.nn.Linear(2, 2), ContrastiveLoss],
            "y": [*NO_LABELS, Y[:5], torch.ones(N, 2, 2), X],
            "max_anchors": [*NO_COUNT_NOR_NONE, 0],
            "seed": NO_COUNT,
        },
    ),
    "leakage": (
        leakage,
        {"dataset": DATASET, "graph": GRAPH, "task": TASK, "ids": list(range(N)), "cosine": 0.9},
        {
            "dataset": NO_DATASET,
            "graph": NO_GRAPH,
            "task": [*NEVER, None, "topic", 5, Y, DATASET],
            "ids": [*NEVER, "abc", 5, [1.5] * N, list(range(N - 1)), X, torch.eye(N).to_sparse()],
            "samples": [*NEVER, "x", 5, X[:5], X * float("nan"), Y, Y.to_sparse()],
            "graph_labels": [*NEVER, "topic", 5, Y[:5], torch.ones(N, 2, 2), torch.eye(N).to_sparse()],
            "pretraining": NO_DATASET,
            "cosine": [*NEVER, "x", 0, 1.5, True, float("nan"), X],
        },
    ),
    "leakage of records": (
        leakage,
        {"dataset": RECORDS, "graph": None, "task": TASK},
        {"kinds": [*THINGS, "x", 5, X, {"b": "text"}, {"a": "prose"}]},
    ),
    "BipartiteGraph": (
        made(graphs.BipartiteGraph, RECORDS),
        {"column": "a"},
        {
            "column": [*NO_TEXT, X],
            "separator": [*NEVER, 5, "", X],
            "min_shared": [*NO_COUNT, 0],
            "max_item_degree": [*NO_COUNT_NOR_NONE, 1],
            "weight": NO_TEXT,
            "max_edges": [*NO_COUNT, 0],
        },
    ),
    "BipartiteGraph of pairs": (
        made(graphs.BipartiteGraph),
        {"pairs": [[0, 1], [1, 1]]},
        {"pairs": [*NO_ARRAY, X, [[0, 1, 2]], [[0.0, 1.0]], [[N, 1]], [[-1, 1]], []]},
    ),
    "DatasetGraph": (
        made(graphs.DatasetGraph),
        {},
        {
            "name": [*NO_TEXT, X],
            "hops": [*NO_COUNT, 0, 10**30],
            "weight": NO_TEXT,
            "rewire": [*NO_NUMBER, 1.5, -0.1, True],
            "drop": [*NO_NUMBER, 1.0, -0.1, True],
            "add": [*NO_NUMBER, float("inf"), -0.1, True],
            "flip": [*NO_NUMBER, 1.0, -0.1, True],
        },
    ),
    "HopClosure": (
        made(graphs.HopClosure),
        {"graph": GIVEN},
        {"graph": [*NO_GRAPH, None, GRAPH], "hops": [*NO_COUNT, 0, 10**30], "weight": NO_TEXT},
    ),
    "Rewired": (
        made(graphs.Rewired),
        {"graph": GIVEN},
        {"graph": [*NO_GRAPH, None, GRAPH], "rate": [*NO_NUMBER, 1.5, -0.1, True]},
    ),
    "UnionGraph": (
        made(graphs.UnionGraph),
        {"graphs": [GIVEN, GIVEN]},
        {"graphs": [*NEVER, [], None, GIVEN, [GRAPH], ["line"], X], "weights": [*NEVER, 1, "x", [1.0], [1.0, -1.0], X]},
    ),
    "IntersectionGraph": (
        made(graphs.IntersectionGraph),
        {"graphs": [GIVEN, GIVEN]},
        {"graphs": [*NEVER, [], None, GIVEN, [GRAPH], ["line"], X]},
    ),
    "KNNGraph": (
        made(graphs.KNNGraph),
        {"k": 2},
        {
            "k": [*NO_COUNT, 0, N],
            "metric": NO_TEXT,
            "mutual": NO_FLAG,
            "vectors": [*NO_ARRAY, X[:5], X[:, 0], X * 1j],
            "exact": [*NEVER, 1, "yes", X],
            "min_recall": [*NO_NUMBER, 0, 1.5, True],
        },
    ),
    "RadiusGraph": (
        made(graphs.RadiusGraph),
        {"radius": 0.5},
        {
            "radius": [*NO_NUMBER, 0, -1, True],
            "metric": NO_TEXT,
            "max_neighbors": [*NO_COUNT_NOR_NONE, 0],
            "vectors": [*NO_ARRAY, X[:5], X[:, 0], X * 1j],
            "max_edges": [*NO_COUNT, 0],
        },
    ),
    "LabelCliques": (
        made(graphs.LabelCliques),
        {"allow_label_edges": True},
        {"labels": [*NEVER, 5, Y], "allow_label_edges": NO_FLAG},
    ),
    "LabelAgreement": (
        made(graphs.LabelAgreement),
        {"labels": "tags", "max_differences": 1, "allow_label_edges": True},
        {"labels": [*NEVER, 5, Y], "max_differences": NO_COUNT_NOR_NONE},
    ),
    "LabelJaccard": (
        made(graphs.LabelJaccard),
        {"labels": "tags", "threshold": 0.1, "allow_label_edges": True},
        {"labels": [*NEVER, 5, Y], "threshold": [*NO_NUMBER, 0, 1.5, True], "weighted": NO_FLAG},
    ),
    "from_labels": (
        graphs.LabelCliques().from_labels,
        {"labels": Y},
        {"labels": [*NO_CLASSES, X, X[:, 0], None]},
    ),
    "call": (
        called(graphs.KNNGraph(k=2)),
        {},
        {"dataset": [*NO_DATASET, None], "generator": NO_GENERATOR},
    ),
    "hold_out_edges": (
        graphs.hold_out_edges,
        {"graph": GRAPH, "rate": 0.1},
        {"graph": [*NO_GRAPH, None], "rate": [*NO_NUMBER, 1.0, -0.1, True], "generator": NO_GENERATOR},
    ),
    "hop_graph": (
        graphs.hop_graph,
        {"graph": GRAPH},
        {"graph": [*NO_GRAPH, None], "hops": [*NO_COUNT, 0, 10**30], "weight": NO_TEXT},
    ),
    "perturb_edges": (
        graphs.perturb_edges,
        {"graph": GRAPH, "drop": 0.1, "add": 0.1},
        {
            "graph": [*NO_GRAPH, None],
            "drop": [*NO_NUMBER, 1.0, -0.1, True],
            "add": [*NO_NUMBER, float("inf"), -0.1, True],
            "generator": NO_GENERATOR,
        },
    ),
    "rewire_edges": (
        graphs.rewire_edges,
        {"graph": GRAPH},
        {"graph": [*NO_GRAPH, None], "rate": [*NO_NUMBER, 1.5, -0.1, True], "generator": NO_GENERATOR},
    ),
    "local_consistency": (GRAPH.local_consistency, {"y": Y}, {"y": [*NO_LABELS, Y[:5], torch.ones(N, 2, 2), None]}),
    "edges_between": (
        GRAPH.edges_between,
        {"rows": [0, 1], "cols": [1, 2]},
        {key: [*NO_ARRAY, [0.5], [N], [-1], [True], 0, None] for key in ("rows", "cols")},
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_arguments_fit(name):
    function, arguments, _ = CALLS[name]
    function(**arguments)


@pytest.mark.parametrize(("name", "argument"), [(name, argument) for name in CALLS for argument in CALLS[name][2]])
def test_an_argument_of_another_kind_is_named_in_one_line(name, argument):
    function, arguments, wrong = CALLS[name]
    for value in wrong[argument]:
        with pytest.raises(ValueError, match=r"needs?|names|unknown|is not in") as error:
            function(**{**arguments, argument: value})
        text, where = str(error.value), error.traceback[-1]
        assert f"'{argument}'" in text or argument in ("name", "y", "dataset") or "task" in text, (value, text)
        assert "\n" not in text and "sigraph" in str(where.path), (value, text)


def test_a_bilinear_loss_of_another_width_is_named():
    loss = LinkPredictionLoss("bilinear", encoder_channels=7)
    for given in (loss, CrossBatchMemory(loss)):
        with pytest.raises(
            ValueError, match=r"'encoder_channels' of 'loss' needs to be the width of the embeddings, 4"
        ):
            certify(X, GRAPH, given)
    assert certify(X, GRAPH, LinkPredictionLoss("bilinear", encoder_channels=4)).measure == "dot"


def test_ways_out_are_said():
    for what, way in (
        ("toy", "sigraph.open_dataset"),
        (X, "sigraph.SampleDataset"),
        (X.numpy(), "sigraph.SampleDataset"),
    ):
        with pytest.raises(ValueError, match=f"'dataset' needs to be a SampleDataset in 'audit' .*{way}"):
            audit(GRAPH, TASK, dataset=what)
    with pytest.raises(ValueError, match=r"open it: sigraph.audit\(sigraph.open_dataset"):
        audit("toy")
    with pytest.raises(ValueError, match=r"'graph' needs to be a PretrainGraph in 'certify'.*from_networkx"):
        certify(X, nx.path_graph(N))
    with pytest.raises(ValueError, match=r"in 'audit' \(got dict of 1 with a Graph\); use PretrainGraph.from_networkx"):
        audit({"mine": nx.path_graph(N)}, TASK)


def test_an_audit_of_a_data_set_is_of_its_graphs_and_tasks_and_samples():
    whole = audit(DATASET, draws=2, resamples=2)
    apart = audit(DATASET.graphs, DATASET.tasks, dataset=DATASET, draws=2, resamples=2)
    assert whole.to_dict() == apart.to_dict() and len(whole.rows) == 2 and whole.rows[0].leakage["read_as"] != "nothing"
    assert [row.task for row in audit(DATASET, TASK, draws=2, resamples=2).rows] == ["topic"]
    with pytest.raises(ValueError, match="data set 'bare' has no graph to look at in 'audit'"):
        audit(SampleDataset(X, name="bare"))
    with pytest.raises(ValueError, match="data set 'bare' has no task to look at in 'audit'"):
        audit(SampleDataset(X, {"line": GRAPH}, name="bare"))
