"""Tested pairs in a graph that is trained on: counted, refused, taken out."""

from itertools import combinations

import pytest
import torch

from sigraph.config import ConfigError, config_from_dict, settings_hash
from sigraph.data import PretrainGraph
from sigraph.edges import LabelSetStore
from sigraph.graphs import LabelCliques
from sigraph.running import ground
from sigraph.running.leakage_check import LeakageCheck, told_by_edges
from sigraph.running.parts import build_parts, pretrain_hash
from sigraph.tasks.base import BaseTask
from sigraph.theory.leakage import leakage
from sigraph.theory.leakage.pairs import held_pairs, without_pairs


class Related(BaseTask):
    """Whether two samples are related; as much of a task as those ask for who look at its samples and pairs."""

    item, greater_is_better = "pair", True

    def __init__(self, pairs, split, num_samples):
        self.name, self.pairs, self.split, self._size = "related", pairs, split, num_samples
        self.metric, self.metrics, self.labels = "accuracy", ("accuracy",), torch.ones(pairs.size(1))

    num_samples = property(lambda self: self._size)
    num_items = property(lambda self: self.pairs.size(1))

    def samples(self, items, generator=None):
        node, place = self.pairs[:, items].unique(return_inverse=True)
        return node, place.t()

    def edges(self):
        return self.pairs[:, self.split["test"]]

    def state(self):
        return {"pairs": self.pairs, **self.split}, {"type": "related", "metric": self.metric}

    def _unused(self, *given):
        raise NotImplementedError

    read = head = target = loss = evaluate = _unused


def pair_set(index):
    return {(min(a, b), max(a, b)) for a, b in index.t().tolist()}


@pytest.fixture
def related(toy, toy_dataset, monkeypatch):
    """The toy with a task on pairs, of which all but the last are edges of the graph; six are tested."""
    edges = toy_dataset.graph().edge_index
    edges = edges[:, edges[0] < edges[1]]
    pairs = edges[:, torch.randperm(edges.size(1), generator=torch.Generator().manual_seed(0))[:15]]
    pairs = torch.cat([pairs, torch.tensor([[0], [1]])], dim=1)  # one that is no edge
    items = torch.arange(16)
    split = {"train": items[:7], "valid": items[7:10], "test": items[10:]}
    dataset = toy_dataset.replace(tasks={"related": Related(pairs, split, 40)})
    monkeypatch.setattr(ground, "open_data", lambda source: dataset)
    monkeypatch.setattr(ground, "fingerprint_of", lambda *given: f"related-{id(dataset)}")
    toy["pretrain"]["valid_edge_rate"] = 0.2
    return dataset


def arm_of(toy, **changes):
    return config_from_dict({**toy, "pretrain": {**toy["pretrain"], **changes}}).arm("sipt")


def look(toy, dataset, **changes):
    check, arm = LeakageCheck(), arm_of(toy, **changes)
    parts = build_parts(arm.pretrain, 0)
    check.look(arm, parts.whole, parts.whole, dataset.task("related"), parts.graph, parts.ground.pairs)
    return check.lines(), told_by_edges(arm.pretrain, parts.whole, parts.graph, parts.ground.pairs)


def test_pairs_of_any_store_as_a_loop_finds_them():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(-1, 3, (15,), generator=generator)
    sparse = PretrainGraph(torch.tensor([[0, 3, 14], [3, 9, 2]]), 15)
    everyone = torch.tensor(list(combinations(range(15), 2))).t().flip(0)
    for graph in (sparse, LabelCliques().from_labels(labels), PretrainGraph([[], []], 15)):
        known = pair_set(graph.edge_index) if graph.num_edges else set()
        wanted = [(min(a, b), max(a, b)) in known for a, b in everyone.t().tolist()]
        assert held_pairs(graph, everyone).tolist() == wanted
        assert not held_pairs(graph, torch.arange(15).expand(2, 15)).any()
        some = everyone[:, ::2]
        left = without_pairs(graph, some)
        assert pair_set(left.edge_index) == known - pair_set(some)
    assert isinstance(LabelCliques().from_labels(labels).store, LabelSetStore)
    assert without_pairs(sparse, torch.tensor([[1], [2]])) is sparse


def test_a_graph_that_holds_tested_pairs_is_refused_with_the_way_out(toy, related):
    said = r"pretrain.graph: it holds 5 of 6 test pairs of task 'related'; take them out \(pretrain.test_pairs: leave-"
    with pytest.raises(ConfigError, match=said):
        look(toy, related)
    lines, told = look(toy, related, test_pairs="allow")
    assert "suspicious: the graph holds 5 of 6 test pairs" in lines[0] and set(told) == {"related"}
    assert look(toy, related, test_pairs="leave-out")[1] == {}
    for quiet in ({"inductive": "test"}, {"inductive": True}, {"inductive": "edges"}, {"structure_weight": 0.0}):
        assert look(toy, related, **quiet)[1] == {}
    near = {"_target_": "sigraph.graphs.KNNGraph", "k": 9}  # pairs that are near are no answers
    assert look(toy, related, graph=near)[1] == {}
    report = leakage(None, related.graph(), related.task("related"))
    assert report.suspicious and report.pairs_in_graph == 5 and "pairs in the graph" in report.table()


@pytest.mark.parametrize("graph", [{"name": "blocks"}, {"name": "blocks", "hops": 2}, "union"])
def test_what_is_left_out_is_in_no_part_of_the_graph(toy, related, graph):
    if graph == "union":
        cards = [{"_target_": "sigraph.graphs.DatasetGraph", "name": "blocks"}] * 2
        graph = {"_target_": "sigraph.graphs.UnionGraph", "graphs": cards}
    tested = related.task("related").edges()
    for inductive in (False, {"share": 0.2}):
        whole = build_parts(arm_of(toy, graph=graph, inductive=inductive, test_pairs="allow").pretrain, 0).ground
        cut = build_parts(arm_of(toy, graph=graph, inductive=inductive, test_pairs="leave-out").pretrain, 0).ground
        assert whole.pairs["related"] > 0 and cut.pairs == {}
        assert whole.edges[0] - cut.edges[0] == whole.pairs["related"]
        seen = torch.arange(40) if cut.sight.samples is None else cut.sight.samples
        assert not pair_set(seen[cut.held_out]) & pair_set(tested)
        if graph.get("hops", 1) == 1:
            assert not pair_set(seen[cut.graph.edge_index]) & pair_set(tested)


def test_both_ends_of_hidden_pairs_are_left_out(toy, related):
    for inductive, parts in (("test", ["test"]), (True, ["valid", "test"])):
        dataset = build_parts(arm_of(toy, inductive=inductive).pretrain, 0).ground
        hidden = torch.cat([related.task("related").part_samples(part) for part in parts])
        assert hidden.numel() and not torch.isin(hidden, dataset.sight.samples).any()


def test_settings_from_before_are_the_same(toy):
    config = arm_of(toy).pretrain
    plain = config.to_dict()
    del plain["test_pairs"]
    assert settings_hash(config.to_dict()) == settings_hash(plain)
    assert pretrain_hash(arm_of(toy, test_pairs="leave-out").pretrain) != pretrain_hash(config)
