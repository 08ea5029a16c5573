"""Leakage: counted as loops count it, label edges found and honest graphs left alone, true on real files."""

import csv
import json

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import blocks
from pages import read as read_page

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.edges import LabelSetStore
from sigraph.graphs import (
    DatasetGraph,
    HopClosure,
    IntersectionGraph,
    KNNGraph,
    LabelAgreement,
    LabelCliques,
    LabelJaccard,
    Rewired,
    UnionGraph,
)
from sigraph.recipes import open_dataset
from sigraph.tasks import Task
from sigraph.theory.leakage import leakage
from sigraph.theory.leakage.label_edges import is_label_cliques, label_graphs, told
from sigraph.theory.leakage.leakage import repeated_in_training


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def split(n: int, train: int, valid: int) -> dict[str, torch.Tensor]:
    ids = torch.arange(n)
    return {"train": ids[:train], "valid": ids[train : train + valid], "test": ids[train + valid :]}


def texts(words: list[str], labels: list[int], train: int, valid: int) -> SampleDataset:
    task = Task("t", torch.tensor(labels), split(len(words), train, valid))
    return SampleDataset(pa.table({"text": words}), tasks={"t": task}, name="texts")


def cliques(y: torch.Tensor) -> PretrainGraph:
    return LabelCliques().from_labels(y)


def written_out(graph: PretrainGraph) -> PretrainGraph:
    return PretrainGraph(graph.edge_index, graph.num_nodes)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-1, 2)), min_size=6, max_size=20), st.data())
def test_counts_as_a_loop_over_pairs_says(rows, data):
    content, y = [c for c, _ in rows], torch.tensor([label for _, label in rows])
    y[:3] = y[:3].clamp(min=0)
    known = (y >= 0).nonzero().view(-1)
    order = known[torch.randperm(len(known), generator=seeded(data.draw(st.integers(0, 9))))]
    cut = data.draw(st.integers(1, len(order) - 2))
    task = Task("t", y, {"train": order[:cut], "valid": order[cut : cut + 1], "test": order[cut + 1 :]})
    samples = pa.table({"text": [f"Text, {c}" if i % 2 else f"text {c}" for i, c in enumerate(content)]})
    report = leakage(SampleDataset(samples), None, task)
    train, test = task.split["train"].tolist(), task.split["test"].tolist()
    exact = [i for i in test if any(content[i] == content[j] and i % 2 == j % 2 for j in train)]
    loose = [i for i in test if any(content[i] == content[j] for j in train)]
    assert report.affected.tolist() == sorted(loose)
    assert report.repeated["exact"]["test"] == len(exact)
    assert report.repeated["normalised"]["test"] == len(loose) - len(exact)
    pretrained = [i for i in test if any(content[i] == c for j, c in enumerate(content) if j not in test)]
    assert report.num_pretrained == len(pretrained)
    groups = [[i for i in known.tolist() if content[i] == c] for c in range(6)]
    differ = sorted(g for g in groups if len({int(y[i]) for i in g}) > 1)
    in_train = [g for g in differ if len({int(y[i]) for i in g if i in train}) > 1]
    assert report.conflicts == {
        "groups": len(differ),
        "groups_in_train": len(in_train),
        "samples": sum(map(len, differ)),
        "first": differ[:5],
    }
    assert torch.equal(repeated_in_training(SampleDataset(samples), task), report.affected)


@pytest.mark.parametrize(
    "labels",
    [
        torch.tensor([0.5, 0.5, 1.0, float("nan"), 2.0, 2.0]),
        torch.tensor([[0, 1], [0, 1], [1, 1], [float("nan"), float("nan")], [1, float("nan")], [1, float("nan")]]),
    ],
)
def test_conflicts_of_numbers_and_rows_of_labels(labels):
    task = Task("t", labels, {"train": [0, 1], "valid": [2], "test": [4, 5]})
    report = leakage(SampleDataset(pa.table({"text": ["a a", "a a", "A a", "a a", "b b", "b b"]})), None, task)
    assert report.conflicts == {"groups": 1, "groups_in_train": 0, "samples": 3, "first": [[0, 1, 2]]}


def test_the_same_id_is_the_same_sample_and_levels_join():
    task = Task("t", torch.tensor([0, 1, 0, 1]), split(4, 1, 1))
    samples = pa.table({"text": ["a a", "b b", "c c", "c, c"]})
    report = leakage(None, None, task, ids=["x", "y", "x", "z"], samples=samples)
    assert report.repeated == {
        "ids": {"valid": 0, "test": 1},
        "exact": {"valid": 0, "test": 0},
        "normalised": {"valid": 0, "test": 0},
    }
    assert report.conflicts["first"] == [[0, 2, 3]]  # 0 and 2 by id, 2 and 3 by text
    assert leakage(None, None, task, ids=["x", "y", "x", "z"]).num_affected == 1
    nothing = leakage(None, None, task)
    assert nothing.read_as.startswith("nothing") and not nothing.suspicious and nothing.line() == ""


@pytest.mark.parametrize(("num_repeated", "num_test", "suspicious"), [(2, 199, 1), (2, 200, 0), (1, 10, 0), (0, 9, 0)])
def test_the_rule_two_samples_and_one_percent(num_repeated, num_test, suspicious):
    words = ["train one", "train two", "valid it"] + [f"test {i}" for i in range(num_test)]
    words[3 : 3 + num_repeated] = ["Train One!", "train two"][:num_repeated]
    report = leakage(
        texts(words, [0, 1] + [0] * (num_test + 1), 2, 1),
        None,
        texts(words, [0, 1] + [0] * (num_test + 1), 2, 1).task(),
    )
    assert report.num_affected == num_repeated and report.suspicious == bool(suspicious)
    said = f"{num_repeated} of {num_test} test samples also occur in training"
    assert (said in report.line()) == bool(num_repeated)
    assert (said in report.reasons) == report.suspicious


def test_rows_of_few_values_meet_by_chance_and_copied_rows_do_not():
    y = torch.randint(2, (400,), generator=seeded())
    task = Task("t", y, split(400, 200, 50))
    coarse = torch.randint(3, (400, 3), generator=seeded(1)).float() + 1
    report = leakage(SampleDataset(coarse), None, task)
    assert report.num_affected == 150 and report.by_chance == pytest.approx(150, rel=0.01)
    assert not report.suspicious and "by chance" in report.line()
    fine = torch.randint(3, (400, 30), generator=seeded(1)).float() + 1
    fine[250:260] = fine[:10]
    report = leakage(SampleDataset(fine), None, task)
    assert report.num_affected == 10 and report.by_chance < 1e-6 and report.suspicious
    codes = pa.table({"a": coarse[:, 0].tolist(), "b": coarse[:, 1].tolist()})
    assert not leakage(SampleDataset(codes), None, task).suspicious


def test_honest_random_features_never_alarm():
    for seed in range(100):
        density, width = [0.01, 0.1, 0.5][seed % 3], [5, 40, 300][seed // 3 % 3]
        x = (torch.rand(300, width, generator=seeded(seed)) < density).float()
        task = Task("t", torch.randint(2, (300,), generator=seeded(seed)), split(300, 100, 50))
        assert not leakage(SampleDataset(x), None, task).suspicious


def test_near_feature_rows_where_asked():
    x = torch.randn(40, 16, generator=seeded())
    x[30] = 3 * x[0] + 1e-4
    task = Task("t", torch.arange(40) % 2, split(40, 10, 10))
    assert leakage(SampleDataset(x), None, task).num_affected == 0
    report = leakage(SampleDataset(x), None, task, cosine=0.999)
    assert report.affected.tolist() == [30] and report.repeated["cosine"] == {"valid": 0, "test": 1}
    with pytest.raises(ValueError, match="'cosine' needs feature rows"):
        leakage(None, None, task, ids=range(40), cosine=0.9)


def test_transductive_is_said_and_allowed():
    task = Task("t", torch.arange(10) % 2, split(10, 4, 3))
    graph = PretrainGraph([[0, 4, 7], [1, 8, 3]], 10)
    report = leakage(None, graph, task)
    assert report.transductive == {"valid": 1, "test": 2} and not report.suspicious
    assert report.line() == "task 't': transductive: 2 test samples are nodes of the graph"
    held_out = leakage(None, PretrainGraph([[0], [1]], 10), task)
    assert held_out.transductive == {"valid": 0, "test": 0} and held_out.line() == ""
    with pytest.raises(ValueError, match=r"'graph' needs one node per label, 10, in 'leakage' \(got 3\)"):
        leakage(None, PretrainGraph([[0], [1]], 3), task)
    with pytest.raises(ValueError, match="'samples' needs one entry per label"):
        leakage(None, None, task, samples=torch.eye(3))


Y = torch.arange(60) % 3
ROWS = torch.nn.functional.one_hot(Y, 3).float()


def labelled(**more: Task) -> SampleDataset:
    """Classes and the same as rows of labels; the features say nothing."""
    tasks = {"topic": Task("topic", Y, split(60, 30, 10)), "rows": Task("rows", ROWS, split(60, 30, 10)), **more}
    graph = PretrainGraph([[0, 1], [1, 2]], 60)
    return SampleDataset(torch.randn(60, 4, generator=seeded()), {"line": graph}, tasks)


ALLOWED = {"allow_label_edges": True}


@pytest.mark.parametrize(
    "constructor",
    [
        LabelCliques("topic", **ALLOWED),
        UnionGraph([DatasetGraph("line"), LabelCliques("topic", **ALLOWED)]),
        IntersectionGraph([LabelCliques("topic", **ALLOWED), KNNGraph(k=20)]),
        HopClosure(UnionGraph([LabelCliques("topic", **ALLOWED)]), hops=1),
        Rewired(LabelCliques("topic", **ALLOWED), rate=0.5),
    ],
)
def test_label_edges_are_found_however_deep(constructor):
    data = labelled()
    graph = constructor(data, seeded())
    report = leakage(data, graph, data.task("topic"), graph_labels=constructor)
    has_edge = graph.store.degree(torch.arange(60)) > 0
    (made,) = report.label_edges
    assert made == {
        "made_from": "LabelCliques of task 'topic'",
        "valid": int(has_edge[30:40].sum()),
        "test": int(has_edge[40:].sum()),
        "allowed": True,
    }
    assert report.suspicious and "LabelCliques of task 'topic' makes edges that tell the labels of 20" in report.line()


@pytest.mark.parametrize(
    "constructor", [LabelAgreement("rows", 0, **ALLOWED), LabelJaccard("rows", **ALLOWED)], ids=["agreement", "jaccard"]
)
def test_rows_of_labels_in_edges(constructor):
    data = labelled()
    report = leakage(data, constructor(data), data.task("rows"), graph_labels=constructor)
    assert report.label_edges[0]["test"] == 20 and report.suspicious


def test_training_labels_in_edges_are_honest_unless_another_split_tests_them():
    turned = Task("turned", (Y + 1) % 3, {part: ids.flip(0) for part, ids in split(60, 30, 10).items()})
    swapped = Task("swapped", (Y + 1) % 3, {"train": range(40, 60), "valid": range(30, 40), "test": range(30)})
    data, constructor = labelled(turned=turned, swapped=swapped), LabelCliques("topic")
    graph = constructor(data)
    for name in ("topic", "turned"):
        report = leakage(data, graph, data.task(name), graph_labels=constructor)
        assert not report.label_edges and not report.suspicious
    report = leakage(data, graph, swapped, graph_labels=constructor)
    assert report.label_edges == [
        {"made_from": "LabelCliques of task 'topic'", "valid": 0, "test": 30, "allowed": False}
    ]


def test_a_control_that_is_rewired_in_full_and_other_labels_are_honest():
    other = Task("other", torch.randint(3, (60,), generator=seeded(5)), split(60, 30, 10))
    data = labelled(other=other)
    control = Rewired(LabelCliques("topic", **ALLOWED), rate=1)
    assert list(label_graphs(control)) == []
    assert not leakage(data, control(data, seeded()), data.task("topic"), graph_labels=control).suspicious
    real = LabelCliques("topic", **ALLOWED)
    assert not leakage(data, real(data), other, graph_labels=real).suspicious


def test_labels_may_be_given_themselves_and_a_constructor_needs_its_data():
    data, seen = labelled(), Y.clone()
    seen[45:] = -1
    report = leakage(None, None, data.task("topic"), graph_labels=seen)
    assert report.label_edges == [{"made_from": "the graph", "valid": 10, "test": 5, "allowed": True}]
    with pytest.raises(ValueError, match="'graph_labels' needs 'dataset'"):
        leakage(None, None, data.task("topic"), graph_labels=LabelCliques())
    with pytest.raises(ValueError, match="'graph_labels' needs one label per sample, 60"):
        leakage(None, None, data.task("topic"), graph_labels=seen[:5])


def test_what_labels_tell():
    task = Task("t", Y, split(60, 30, 10))
    assert len(told(Y, task)) == 60 and len(told((Y + 1) % 3, task)) == 60  # other names
    assert len(told(torch.arange(60) % 6, task)) == 60  # finer
    assert len(told(torch.arange(60), task)) == 0  # each its own: they join nobody
    assert len(told(Y // 2, task)) == 0  # coarser
    assert len(told(torch.full((60,), -1), task)) == 0
    number = Task("n", Y.float() / 3, split(60, 30, 10))
    assert len(told(Y.float() / 3, number)) == 60 and len(told(Y.float(), number)) == 0


@pytest.mark.parametrize("form", [lambda graph: graph, written_out], ids=["two-level", "edges"])
def test_a_graph_that_is_the_cliques_of_the_labels_is_found(form):
    graph = form(cliques(Y))
    assert is_label_cliques(graph, Y) and is_label_cliques(graph, ROWS) and is_label_cliques(graph, (Y + 1) % 3)
    report = leakage(None, graph, Task("t", Y, split(60, 30, 10)))
    assert report.suspicious and "exactly the cliques" in report.line()
    some = Y.clone()
    some[::4] = -1  # samples outside the graph keep their labels
    assert is_label_cliques(form(cliques(some)), Y)
    held_out = Y.clone()
    held_out[40:] = -1
    assert not leakage(None, form(cliques(held_out)), Task("t", Y, split(60, 30, 10))).suspicious


def test_graphs_that_merely_agree_with_the_labels_are_left_alone():
    whole = written_out(cliques(Y))
    lacks_one = whole.edge_index[:, whole.edge_index[0] < whole.edge_index[1]][:, 1:]
    assert not is_label_cliques(PretrainGraph(lacks_one, 60), Y)
    one_more = torch.cat([lacks_one, torch.tensor([[0], [1]])], dim=1)
    assert not is_label_cliques(PretrainGraph(one_more, 60), Y)
    assert not is_label_cliques(PretrainGraph([[0, 1, 2, 3], [3, 4, 5, 6]], 60), Y)  # paths
    assert not is_label_cliques(cliques(Y), Y // 2) and not is_label_cliques(cliques(torch.arange(60) % 6), Y)
    assert not is_label_cliques(cliques(Y), Y.float())
    assert not is_label_cliques(PretrainGraph([[0, 3], [3, 6]], 60), Y)
    small = torch.tensor([0, 0, 0, 1, 1, 1])  # two triangles: chance makes them
    assert not is_label_cliques(cliques(small), small)
    unlabelled = Y.clone()
    unlabelled[0] = -1
    assert not is_label_cliques(cliques(Y), unlabelled)
    joined = PretrainGraph.from_store(LabelSetStore.from_sets(Y, torch.tensor([[0], [1]])))
    assert not is_label_cliques(joined, Y)
    mixed = PretrainGraph.from_store(
        LabelSetStore.from_sets(torch.arange(60) % 6, torch.tensor([[0, 1, 2], [3, 4, 5]]))
    )
    assert is_label_cliques(mixed, Y)  # two sets a class, joined


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 0.999))
def test_sparse_graphs_of_local_consistency_one_never_alarm(seed, share):
    graph = written_out(cliques(Y))
    upper = graph.edge_index[:, graph.edge_index[0] < graph.edge_index[1]]
    keep = torch.rand(upper.size(1), generator=seeded(seed)) < share
    keep[seed % upper.size(1)] = False
    thin = PretrainGraph(upper[:, keep], 60)
    full = all(bool((degree[degree > 0] == len(degree[degree > 0]) - 1).all()) for degree in by_class(thin))
    assert is_label_cliques(thin, Y) <= full


def by_class(graph: PretrainGraph) -> list[torch.Tensor]:
    degree = graph.store.degree(torch.arange(60))
    return [degree[class_ == Y] for class_ in range(3)]


def test_another_pretraining_set_is_compared_by_content_and_ids():
    home = texts(["a a", "b b", "c c", "d d", "e e"], [0, 1, 0, 1, 0], 1, 1)
    before = SampleDataset(pa.table({"text": ["E, e", "x x", "c c"]}))
    report = leakage(home, None, home.task(), pretraining=before)
    assert report.num_pretrained == 2 and report.transductive is None and not report.suspicious
    assert "2 of 3 test samples also occur in pre-training, which sees no label of theirs" in report.line()
    other = SampleDataset(torch.eye(3), ids=["p", "q", "r"])
    report = leakage(home, None, home.task(), ids=["q", "a", "b", "r", "c"], pretraining=other)
    assert report.num_pretrained == 1 and "not compared with the pre-training samples" in report.line()
    numbers = leakage(
        home, None, home.task(), ids=[0, 1, 2, 3, 4], pretraining=SampleDataset(torch.eye(3), ids=[2, 3, 4])
    )
    assert numbers.num_pretrained is None
    assert (
        leakage(
            home, None, home.task(), pretraining=texts(["a a", "b b", "c c", "d d", "e e"], [0, 1, 0, 1, 0], 1, 1)
        ).num_pretrained
        == 0
    )


def test_report_is_plain_and_its_table_counts():
    data = labelled()
    constructor = LabelCliques("topic", **ALLOWED)
    report = leakage(data, constructor(data), data.task("topic"), graph_labels=constructor)
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["suspicious"] and plain["reasons"] == report.reasons and plain["num"]["test"] == 20
    table = report.table()
    assert "| samples | 30 | 10 | 20 |" in table and "| nodes of the graph |  | 10 | 20 |" in table
    assert "| label edges: LabelCliques of task 'topic' |  | 10 | 20 |" in table and "\nsuspicious;" in table


def read(folder, name: str, column: str, files: list[str], kind: str) -> tuple[SampleDataset, Task]:
    """Text or sequences and labels of three files, as the sources distribute them."""
    parts = []
    for file in files:
        path = folder / name.format(file)
        if not path.is_file():
            pytest.skip(f"needs {path}")
        with path.open(encoding="utf-8", newline="") as lines:
            parts.append([json.loads(line) for line in lines] if path.suffix == ".txt" else list(csv.DictReader(lines)))
    rows = [row for part in parts for row in part]
    if kind == "classes":
        names = sorted({row["label"] for row in rows})
        y = torch.tensor([names.index(row["label"]) for row in rows])
    else:
        y = torch.tensor([float(row["label"]) for row in rows])
    ids = torch.arange(len(rows)).split([len(part) for part in parts])
    task = Task("task", y, dict(zip(("train", "valid", "test"), ids, strict=True)))
    return SampleDataset(pa.table({column: [row[column] for row in rows]}), tasks={"task": task}), task


def test_citation_intent_is_suspicious(data_source):
    data, task = read(data_source, "scibert/citation_intent/{}.txt", "text", ["train", "dev", "test"], "classes")
    report = leakage(data, None, task)
    assert report.suspicious and report.repeated["exact"] == {"valid": 43, "test": 52}
    assert report.num_affected == 52 and report.num["test"] == 139 and report.conflicts["groups_in_train"] == 20
    assert report.reasons == ["52 of 139 test samples also occur in training"]


def test_sci_cite_is_clean(data_source):
    data, task = read(data_source, "scibert/sci-cite/{}.txt", "text", ["train", "dev", "test"], "classes")
    report = leakage(data, None, task)
    assert not report.suspicious and report.num_affected == 0 and report.repeated["exact"]["valid"] == 2


def test_stability_has_26_test_sequences_in_training_which_is_said(data_source):
    data, task = read(data_source, "protein_tasks/stability.{}.csv", "seq", ["train", "valid", "test"], "numbers")
    report = leakage(data, None, task)
    assert report.num_affected == 26 and report.num["test"] == 12_851 and not report.suspicious
    assert report.conflicts["groups_in_train"] == 42 and np.isclose(report.by_chance, 0)
    assert "26 of 12,851 test samples also occur in training" in report.line()


def test_the_page_shows_what_works(capsys):
    page = read_page("docs/leakage.md")
    for code in blocks(page, "python"):
        exec(compile(code, "docs/leakage.md", "exec"), {})
    table, affected = capsys.readouterr().out.split("\n\n")[0], "tensor([3])"
    assert table in page and "| also in training, normalised |  | 0 | 1 |" in table and affected in page


@pytest.mark.parametrize("name", ["cora", "manifold-torus"])
def test_known_data_sets_are_as_the_page_says(name, data_source):
    data = open_dataset(name)
    report = leakage(data, data.graph(), data.task())
    assert not report.suspicious and not report.is_label_cliques
    row = next(line for line in read_page("docs/leakage.md").splitlines() if line.startswith(f"| {name} |"))
    assert row.split(" | ")[1] == f"{report.num_affected} of {report.num['test']:,}"
    assert report.by_chance < 1e-6
