"""The contract, for every graph constructor of the package."""

import pyarrow as pa
import pytest
import torch
from contracts import concrete_subclasses

import sigraph.graphs
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.graphs import DatasetGraph, GraphConstructor, KNNGraph
from sigraph.tasks import Task

# What constructors cannot do without.
ARGUMENTS = {
    "BipartiteGraph": {"pairs": [[i, i // 3] for i in range(12)]},
    "HopClosure": {"graph": DatasetGraph()},
    "IntersectionGraph": {"graphs": [DatasetGraph(hops=3), KNNGraph(5)]},
    "KNNGraph": {"k": 3},
    "LabelAgreement": {"labels": "rows", "max_differences": 1},
    "LabelJaccard": {"labels": "rows"},
    "RadiusGraph": {"radius": 1.0},
    "Rewired": {"graph": DatasetGraph()},
    "TanimotoGraph": {"k": 3},
    "UnionGraph": {"graphs": [DatasetGraph(hops=2), KNNGraph(2)]},
}
OF_MOLECULES = ("ScaffoldGraph", "TanimotoGraph")
TAILS = ["", "C", "O", "N", "CO", "CN", "CC", "F", "Cl", "Br", "S", "CS"]
every_constructor = pytest.mark.parametrize("constructor_type", concrete_subclasses(GraphConstructor, sigraph.graphs))


def dataset() -> SampleDataset:
    generator = torch.Generator().manual_seed(0)
    ring = torch.stack([torch.arange(12), (torch.arange(12) + 1) % 12])
    graphs = {"ring": PretrainGraph(ring, num_nodes=12)}
    classes, split = torch.arange(12) % 3, {"train": range(8), "valid": [8, 9], "test": [10, 11]}
    tasks = {"class": Task("class", classes, split), "rows": Task("rows", torch.eye(3)[classes].long(), split)}
    return SampleDataset(torch.randn(12, 3, generator=generator), graphs, tasks)


def data_for(constructor_type: type[GraphConstructor]) -> SampleDataset:
    if constructor_type.__name__ in OF_MOLECULES:
        return SampleDataset(pa.table({"smiles": [f"{tail}C1CCCC{'C' * (i % 2)}1" for i, tail in enumerate(TAILS)]}))
    return dataset()


def make(constructor_type: type[GraphConstructor]) -> GraphConstructor:
    return constructor_type(**ARGUMENTS.get(constructor_type.__name__, {}))


def test_finds_the_constructors():
    assert "DatasetGraph" in {
        constructor.__name__ for constructor in concrete_subclasses(GraphConstructor, sigraph.graphs)
    }


@every_constructor
def test_is_exported_and_documented(constructor_type):
    assert constructor_type.__name__ in sigraph.graphs.__all__
    assert "Args:" in (constructor_type.__doc__ or "")


@every_constructor
def test_one_node_per_sample_and_the_same_graph_for_the_same_seed(constructor_type):
    data, constructor = data_for(constructor_type), make(constructor_type)
    graph = constructor(data, torch.Generator().manual_seed(3))
    assert isinstance(graph, PretrainGraph) and graph.num_nodes == len(data) and graph.num_edges > 0
    again = constructor(data, torch.Generator().manual_seed(3))
    assert torch.equal(graph.edge_index, again.edge_index)


@every_constructor
def test_calling_it_is_both_steps(constructor_type):
    data, constructor = data_for(constructor_type), make(constructor_type)
    steps = constructor.expand(constructor.base(data, torch.Generator().manual_seed(3)))
    assert torch.equal(constructor(data, torch.Generator().manual_seed(3)).edge_index, steps.edge_index)


@every_constructor
def test_global_randomness_is_not_touched(constructor_type):
    before = torch.get_rng_state()
    make(constructor_type)(data_for(constructor_type), torch.Generator().manual_seed(3))
    assert torch.equal(before, torch.get_rng_state())


def test_expand_defaults_to_the_observed_graph():
    class Line(GraphConstructor):
        def base(self, dataset, generator=None):
            return PretrainGraph([[0], [1]], num_nodes=len(dataset))

    graph = Line().base(dataset())
    assert Line().expand(graph) is graph
