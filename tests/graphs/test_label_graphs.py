"""Graphs from labels: edges as brute force says, training labels only, missing labels in nothing."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sigraph.data import SampleDataset
from sigraph.edges import LabelSetStore
from sigraph.graphs import (
    LabelAgreement,
    LabelCliques,
    LabelJaccard,
    hold_out_edges,
    label_sets,
    perturb_edges,
    rewire_edges,
)
from sigraph.graphs.label_sets import distinct_rows, overlaps
from sigraph.losses import LinkPredictionLoss, PairSets
from sigraph.samplers import NeighborPairSampler
from sigraph.tasks import Task


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def edge_set(graph) -> set[tuple[int, int]]:
    return {(a, b) for a, b in graph.edge_index.t().tolist() if a < b}


def joined(labels, rule) -> set[tuple[int, int]]:
    rows = labels.tolist()
    return {(i, j) for i in range(len(rows)) for j in range(i + 1, len(rows)) if rule(rows[i], rows[j])}


def num_differences(one, other) -> int:
    return sum(not (a in (0, 1) and a == b) for a, b in zip(one, other, strict=True))


def jaccard(one, other) -> float:
    both = sum(a == b == 1 for a, b in zip(one, other, strict=True))
    return both / max(sum(a == 1 or b == 1 for a, b in zip(one, other, strict=True)), 1)


@st.composite
def tables(draw, missing=True):
    width = draw(st.integers(1, 6))
    cell = st.sampled_from([0, 0, 1, 1, -1] if missing else [0, 1])
    rows = draw(st.lists(st.lists(cell, min_size=width, max_size=width), min_size=1, max_size=14))
    labels = torch.tensor(rows)
    if draw(st.booleans()):
        labels = torch.where(labels < 0, math.nan, labels.float())
    return labels


@given(st.lists(st.integers(-1, 4), min_size=1, max_size=14))
def test_cliques_equal_brute_force(classes):
    labels = torch.tensor(classes)
    graph = LabelCliques().from_labels(labels)
    assert edge_set(graph) == joined(labels, lambda a, b: a == b >= 0)
    assert isinstance(graph.store, LabelSetStore) and graph.num_nodes == len(classes)


def test_classes_may_be_any_numbers_and_local_consistency_is_one():
    labels = torch.tensor([10**12, 7, 10**12, 7, -1])
    graph = LabelCliques().from_labels(labels)
    assert edge_set(graph) == {(0, 2), (1, 3)} and graph.local_consistency(labels) == 1


@given(st.lists(st.integers(-1, 3), min_size=1, max_size=14))
def test_unlabelled_samples_are_negatives_or_no_pair(classes):
    labels = torch.tensor([*classes, 2, 2])  # an edge at least
    node = torch.arange(len(labels))
    for unlabelled in ("negatives", "apart"):
        graph = LabelCliques(unlabelled=unlabelled).from_labels(labels)
        assert edge_set(graph) == joined(labels, lambda a, b: a == b >= 0)
        sets = PairSets.of(NeighborPairSampler(graph, num_negatives=0).pairs(node, node))
        may = labels >= 0 if unlabelled == "apart" else torch.ones_like(labels, dtype=torch.bool)
        different = (labels[:, None] != labels) | (labels < 0)
        different &= may[:, None] & may & ~torch.eye(len(labels), dtype=torch.bool)
        assert sets.num_negatives() == int(different.sum()) and sets.positive.numel() == graph.num_edges


def test_unlabelled_samples_stay_apart_when_classes_are_shuffled_and_are_drawn_for_nobody():
    labels = torch.tensor([0, 0, 0, 1, 1, 2, -1, -1, -1, -1])
    graph = LabelCliques(unlabelled="apart").from_labels(labels)
    shuffled = rewire_edges(graph, generator=seeded())
    assert torch.equal(shuffled.group, graph.group) and graph.group.unique().numel() == 5
    assert {i for pair in edge_set(shuffled) for i in pair} <= set(range(5))
    for seed in range(20):
        node, pairs = NeighborPairSampler(graph, num_negatives=2).sample(torch.arange(3, 9), seeded(seed))
        assert set(node[6:].tolist()) <= {0, 1, 2}
        z = torch.randn(len(node), 4, generator=seeded(seed))
        moved = torch.where((labels[node] < 0)[:, None], z + 7, z)
        loss = LinkPredictionLoss("cosine")
        assert torch.equal(loss(z, pairs), loss(moved, pairs))
    with pytest.raises(ValueError, match="'unlabelled' needs to be one of negatives, apart in 'LabelCliques'"):
        LabelCliques(unlabelled="ignored")


@settings(max_examples=150)
@given(tables(), st.integers(0, 6))
def test_agreement_equals_brute_force(labels, most):
    graph = LabelAgreement(max_differences=most).from_labels(labels)
    nothing = {i for i, row in enumerate(labels.tolist()) if all(cell not in (0, 1) for cell in row)}
    expected = joined(labels, lambda a, b: num_differences(a, b) <= most)
    assert edge_set(graph) == {pair for pair in expected if not nothing & set(pair)}
    assert isinstance(graph.store, LabelSetStore)


@settings(max_examples=150)
@given(tables(), st.sampled_from([0.1, 1 / 3, 0.5, 2 / 3, 0.75, 1.0]), st.booleans())
def test_jaccard_equals_brute_force(labels, threshold, weighted):
    graph = LabelJaccard(threshold=threshold, weighted=weighted).from_labels(labels)
    assert edge_set(graph) == joined(labels, lambda a, b: jaccard(a, b) >= threshold)
    if weighted:
        rows = labels.tolist()
        for (i, j), weight in zip(graph.edge_index.t().tolist(), graph.edge_weight.tolist(), strict=True):
            assert weight == pytest.approx(jaccard(rows[i], rows[j]))
    else:
        assert graph.edge_weight is None


@settings(max_examples=80)
@given(tables(), st.sampled_from([0.01, 0.2, 0.5, 0.9, 1.0]))
def test_density_chooses_the_closest_number_of_differences(labels, density):
    known = torch.tensor([any(cell in (0, 1) for cell in row) for row in labels.tolist()])
    num_pairs = int(known.sum()) * (int(known.sum()) - 1) // 2
    got = LabelAgreement(density=density).from_labels(labels).num_edges / 2
    counts = [LabelAgreement(max_differences=t).from_labels(labels).num_edges / 2 for t in range(labels.size(1) + 1)]
    assert abs(got - density * num_pairs) == pytest.approx(min(abs(count - density * num_pairs) for count in counts))


@pytest.mark.parametrize("share", [0.01, 0.5])  # sparse and dense products
@pytest.mark.parametrize("cells", [1, 1000, 10**6])  # one row, some and all at a time
def test_overlaps_of_any_blocks_equal_the_whole_product(monkeypatch, share, cells):
    monkeypatch.setattr(label_sets, "_BLOCK_CELLS", cells)
    table = torch.rand(150, 200, generator=seeded()) < share
    rows, number = distinct_rows(table, 200)
    assert torch.equal(rows[number], table) and len(rows) == len(table.unique(dim=0))
    assert bool((rows.sum(dim=1).diff() >= 0).all())
    whole, seen = rows.float() @ rows.float().t(), 0
    for first, block in overlaps(rows, torch.full((len(rows),), len(rows))):
        assert torch.equal(block, whole[first : first + len(block), first:])
        seen += len(block)
    assert seen == len(rows)


# Whose labels #########################################################################################################


def dataset() -> SampleDataset:
    split = {"train": [0, 1, 2, 3], "valid": [4, 5], "test": [6, 7]}
    classes = torch.tensor([0, 0, 1, 1, 0, 0, 1, 1, 0])  # sample 8 is labelled and in no part
    rows = torch.stack([classes, 1 - classes, torch.ones(9, dtype=torch.long)], dim=1)
    tasks = {"class": Task("class", classes, split), "rows": Task("rows", rows, split)}
    return SampleDataset(torch.zeros(9, 2), tasks=tasks)


@pytest.mark.parametrize(
    ("constructor", "arguments"),
    [
        (LabelCliques, {"labels": "class"}),
        (LabelAgreement, {"labels": "rows", "max_differences": 0}),
        (LabelJaccard, {"labels": "rows", "threshold": 1.0}),
    ],
)
def test_only_training_labels_make_edges_unless_allowed(constructor, arguments):
    data = dataset()
    assert edge_set(constructor(**arguments)(data)) == {(0, 1), (2, 3)}
    opened = edge_set(constructor(**arguments, allow_label_edges=True)(data))
    assert opened == {(i, j) for i in range(9) for j in range(i + 1, 9) if (i in {2, 3, 6, 7}) == (j in {2, 3, 6, 7})}
    relabelled = data.task(arguments["labels"]).labels.clone()
    relabelled[4:] = relabelled[4:].roll(1, 0)  # other answers, the same graph
    changed = data.replace(tasks={"it": Task("it", relabelled, data.task("class").split)})
    assert edge_set(constructor(**{**arguments, "labels": "it"})(changed)) == {(0, 1), (2, 3)}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LabelCliques("no")(dataset()), "unknown task 'no'"),
        (lambda: LabelCliques()(SampleDataset(torch.zeros(2, 1))), "'LabelCliques' needs a data set with a task"),
        (lambda: LabelCliques("rows")(dataset()), "'labels' needs classes, integers or names.*'LabelAgreement'"),
        (lambda: LabelAgreement("class", 1)(dataset()), "'labels' needs rows of labels.*'LabelCliques'"),
        (lambda: LabelCliques(torch.zeros(3)), "'labels' needs to be the name of a task.*'from_labels'"),
        (lambda: LabelCliques(allow_label_edges="no"), "'allow_label_edges' needs to be true or false"),
        (lambda: LabelAgreement(), r"one of 'max_differences', 'density', 'max_density' \(got neither\)"),
        (lambda: LabelAgreement(max_differences=1, density=0.5), r"\(got max_differences and density\)"),
        (lambda: LabelAgreement(max_differences=-1), "'max_differences' needs to be an integer >= 0"),
        (lambda: LabelAgreement(max_density=2), r"'max_density' needs to be in \(0, 1\]"),
        (lambda: LabelAgreement(density=0), r"'density' needs to be in \(0, 1\]"),
        (lambda: LabelJaccard(threshold=0), r"'threshold' needs to be in \(0, 1\]"),
        (lambda: LabelJaccard(weighted=1), "'weighted' needs to be true or false"),
        (lambda: LabelCliques().from_labels(torch.tensor([0, -2])), "'LabelCliques' needs classes as integers >= 0"),
        (lambda: LabelJaccard().from_labels(torch.tensor([[0, 2]])), r"got 2 in column 1 of sample 0"),
    ],
)
def test_what_does_not_fit_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_labels_come_in_any_holder():
    for labels in (["a", "b", "a", None], np.array([0, 1, 0, None], dtype=object)):
        assert edge_set(LabelCliques().from_labels(labels)) == {(0, 2)}
    rows = [[1, 0], [1, 0], [0, None]]
    assert edge_set(LabelAgreement(max_differences=0).from_labels(rows)) == {(0, 1)}


def test_a_graph_without_an_edge_is_said():
    labels = torch.tensor([[1, 0], [0, 1], [1, 1]])
    task = Task("rows", labels, {"train": [0], "valid": [1], "test": [2]})
    with pytest.raises(ValueError, match="'LabelJaccard' made no edge from the labels of task 'rows'"):
        LabelJaccard(threshold=0.9)(SampleDataset(torch.zeros(3, 1), tasks={"rows": task}))


# Controls #############################################################################################################


def test_rewiring_exchanges_sets_among_samples_with_edges():
    y = torch.arange(400) % 4
    y[::10] = -1
    graph = LabelCliques().from_labels(y)
    before = torch.get_rng_state()
    out, half = rewire_edges(graph, 1.0, seeded()), rewire_edges(graph, 0.5, seeded())
    assert torch.equal(before, torch.get_rng_state()) and isinstance(out.store, LabelSetStore)
    nodes = torch.arange(400)
    assert sorted(out.store.degree(nodes).tolist()) == sorted(graph.store.degree(nodes).tolist())
    assert torch.equal(out.store.degree(nodes) == 0, y < 0) and out.num_edges == graph.num_edges
    assert out.local_consistency(y) == pytest.approx(0.25, abs=0.05)
    assert 0.3 < half.local_consistency(y) < 0.6
    assert torch.equal(rewire_edges(graph, 1.0, seeded()).store.set_of, out.store.set_of)


def test_nothing_held_out_leaves_it_two_level_and_something_writes_it_out():
    graph = LabelCliques().from_labels(torch.arange(40) % 2)
    same, none = hold_out_edges(graph, 0.0)
    assert same is graph and none.shape == (2, 0)
    kept, out = hold_out_edges(graph, 0.25, seeded())
    assert out.size(1) == 95 and edge_set(kept) | set(map(tuple, out.t().tolist())) == edge_set(graph)


def test_noise_writes_the_edges_out():
    graph = LabelCliques().from_labels(torch.arange(20) % 2)
    out = perturb_edges(graph, 0.5, 0.1, seeded())
    assert len(edge_set(out) & edge_set(graph)) == 45 and len(edge_set(out) - edge_set(graph)) == 9


def test_a_data_set_keeps_it_two_level(tmp_path):
    data = dataset()
    SampleDataset(data.samples, {"same": LabelCliques("class")(data)}, data.tasks).save(tmp_path / "d")
    opened = SampleDataset.open(tmp_path / "d", verify=True).graph("same")
    assert isinstance(opened.store, LabelSetStore) and edge_set(opened) == {(0, 1), (2, 3)}


@pytest.mark.parametrize(("width", "most"), [(12, 0.05), (40, 0.05), (6, 0.3)])
def test_the_largest_t_that_keeps_within_a_density(width, most):
    """A fixed t joins nearly all pairs where there are few labels; a bound on the share never does."""
    labels = (torch.rand(150, width, generator=torch.Generator().manual_seed(width)) < 0.3).long()
    pairs = 150 * 149
    shares = [LabelAgreement(max_differences=t).from_labels(labels).num_edges / pairs for t in range(width + 1)]
    got = LabelAgreement(max_density=most).from_labels(labels).num_edges / pairs
    assert got == max(share for share in shares if share <= most)
    assert width != 12 or shares[9] > 0.9
    with pytest.raises(ValueError, match=r"'max_density' needs to be at least 1 .*equal labels \(got 0.05\)"):
        LabelAgreement(max_density=0.05).from_labels(torch.ones(20, 3, dtype=torch.long))
