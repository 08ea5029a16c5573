"""LinkTask: links ranked against the negatives that come with them give the numbers of OGB's evaluators."""

import sys

import numpy as np
import pytest
import torch

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.evaluation import task_batches
from sigraph.samples.encoding import Encoding
from sigraph.tasks.links import LinkTask, reciprocal_rank

N = 30


def drawn(*shape, seed=0):
    return torch.randint(0, N, shape, generator=torch.Generator().manual_seed(seed))


LINKS = {"train": drawn(2, 40), "valid": drawn(2, 12, seed=1), "test": drawn(2, 15, seed=2)}
SHARED = {"valid": drawn(2, 50, seed=3), "test": drawn(2, 60, seed=4)}
OWN = {
    part: {side: drawn(LINKS[part].size(1), 7, seed=seed + i) for i, side in enumerate(("source", "target"))}
    for part, seed in (("valid", 5), ("test", 7))
}


def shared(metric="hits@20", **options):
    return LinkTask("ogbl-ddi", LINKS, N, metric, negatives=SHARED, **options)


def own(sides=("source", "target")):
    candidates = {part: {side: OWN[part][side] for side in sides} for part in OWN}
    return LinkTask("ogbl-biokg", LINKS, N, "mrr", candidates=candidates, directed=True)


@pytest.fixture
def evaluator(monkeypatch):
    monkeypatch.setitem(sys.modules, "outdated", None)  # ogb would ask the network for its newest version
    pytest.importorskip("ogb")
    from ogb.linkproppred import Evaluator

    return Evaluator


@pytest.mark.parametrize(
    ("name", "metric"), [("ogbl-ddi", "hits@20"), ("ogbl-collab", "hits@50"), ("ogbl-vessel", "rocauc")]
)
def test_negatives_of_all_as_ogb_scores_them(evaluator, name, metric):
    task = shared(metric)
    items = task.split["test"]
    scores = torch.randn(len(items), 2, generator=torch.Generator().manual_seed(9)).round(decimals=1)
    rank = scores[:, 1].double() - scores[:, 0]
    theirs = evaluator(name).eval({"y_pred_pos": rank[:15], "y_pred_neg": rank[15:]})
    assert task.evaluate(items, scores) == {metric: pytest.approx(theirs[metric])}


@pytest.mark.parametrize("sides", [("target",), ("source", "target")])
def test_negatives_of_each_as_ogb_scores_them(evaluator, sides):
    task = own(sides)
    items = task.split["valid"]
    node, place = task.samples(items)
    ends = node[place]  # [R, 2]
    # A score of each pair, whoever asks for it, with ties.
    scored = torch.randint(0, 9, (N, N), generator=torch.Generator().manual_seed(1)).float()
    score = scored[ends[:, 0], ends[:, 1]]
    predicted = torch.stack([torch.zeros(len(score)), score], dim=1)
    source, target = LINKS["valid"]
    lists = []
    for side in sides:
        other = OWN["valid"][side]
        negative = scored[other, target[:, None]] if side == "source" else scored[source[:, None], other]
        found = evaluator("ogbl-biokg").eval({"y_pred_pos": scored[source, target], "y_pred_neg": negative})
        lists.append(found["mrr_list"])
    assert task.evaluate(items, predicted) == {"mrr": pytest.approx(float(torch.cat(lists).mean()), rel=1e-6)}
    assert torch.equal(task.row_items(items).bincount(), torch.full((12,), 1 + 7 * len(sides)))
    assert task.target(items).sum() == 12 and len(task.target(items)) == len(place)


def test_some_items_in_any_order_score_as_they_do_among_all():
    task = own()
    items = task.split["test"][torch.tensor([4, 0, 9])]
    _, place = task.samples(items)
    assert torch.equal(task.samples(items)[0][place][:1][0], LINKS["test"][:, 4])
    score = torch.randn(len(place), generator=torch.Generator().manual_seed(2))
    blocks = score.view(3, 15)
    expected = torch.cat([reciprocal_rank(blocks[:, 0], part) for part in (blocks[:, 1:8], blocks[:, 8:])]).mean()
    assert task.evaluate(items, score[:, None])["mrr"] == pytest.approx(float(expected))


def test_ties_have_the_middle_rank():
    assert reciprocal_rank(torch.tensor([1.0]), torch.tensor([[1.0, 1.0, 2.0]])).tolist() == pytest.approx([1 / 3])


@pytest.mark.parametrize("make", [shared, own])
def test_steps_draw_negatives_among_training_samples_and_heads_read_pairs(make):
    task = make()
    items = task.split["train"][:10]
    node, place, y = task.step(items, torch.Generator().manual_seed(0))
    assert y.tolist() == [1] * 10 + [0] * 10 and place.shape == (20, 2)
    known = {tuple(sorted(pair)) for pair in LINKS["train"].t().tolist()}
    ends = node[place[10:]]
    assert not known & {tuple(sorted(pair)) for pair in ends.tolist()} or task.directed
    assert set(ends.unique().tolist()) <= set(LINKS["train"].unique().tolist())
    z = torch.randn(len(node), 4)
    assert task.read(Encoding(z), place, None).shape == (20, 2, 4)


@pytest.mark.parametrize("make", [shared, own])
def test_it_is_kept_in_a_folder(make, tmp_path):
    task = make()
    graph = PretrainGraph(LINKS["train"].sort(dim=0).values.unique(dim=1), N)
    dataset = SampleDataset(torch.eye(N), {"edges": graph}, {task.name: task}, name="links")
    dataset.save(tmp_path / "links")
    again = SampleDataset.open(tmp_path / "links").task()
    assert isinstance(again, LinkTask) and again.metric == task.metric and again.directed == task.directed
    assert again.state()[0].keys() == task.state()[0].keys()
    assert all(torch.equal(again.state()[0][name], value) for name, value in task.state()[0].items())


def test_what_it_tests_is_what_training_does_not_hold():
    links = {**LINKS, "valid": LINKS["train"][:, :3].flip(0), "test": torch.tensor([[0, 0], [29, 28]])}
    known = {tuple(sorted(pair)) for pair in LINKS["train"].t().tolist()}
    expected = [pair for pair in ([0, 29], [0, 28]) if tuple(pair) not in known]
    assert LinkTask("a", links, N, "hits@20", negatives=SHARED).edges().t().tolist() == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"links": {"train": LINKS["train"], "valid": LINKS["valid"]}}, "'test' of task 'a' are missing"),
        ({"links": {**LINKS, "test": LINKS["test"].t()}}, r"\[2, n\], n >= 1"),
        ({"links": {**LINKS, "test": LINKS["test"] + N}}, r"in \[0, 30\)"),
        ({"negatives": None}, "needs either 'negatives' of all links or"),
        ({"metric": "mrr"}, "needs either 'negatives'"),
        ({"negatives": {"valid": SHARED["valid"]}}, "negatives of valid and test"),
        (
            {"negatives": None, "metric": "mrr", "candidates": {"valid": {"head": OWN["valid"]["source"]}}},
            "'source' or",
        ),
        ({"negatives": None, "metric": "mrr", "candidates": {"valid": {"source": drawn(3, 3)}}}, r"\[12, K\]"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    given = {"links": LINKS, "metric": "hits@20", "negatives": SHARED, "candidates": None, **changes}
    with pytest.raises(ValueError, match=message):
        LinkTask("a", given["links"], N, given["metric"], negatives=given["negatives"], candidates=given["candidates"])


def test_predictions_that_are_no_numbers_are_refused():
    task = own()
    rows = len(task.target(task.split["test"]))
    with pytest.raises(ValueError, match="NaN or infinite"):
        task.evaluate(task.split["test"], torch.full((rows, 1), np.nan))


def test_candidates_of_few_links_are_scored_at_a_time(monkeypatch):
    task = own()
    source = task_batches.Embedded(task, torch.randn(N, 4))
    whole = [batch.y for batch in task_batches.batches(source, "test", 100, 0)]
    monkeypatch.setattr(task_batches, "MOST_ROWS", 40)
    parts = [batch.y for batch in task_batches.batches(source, "test", 100, 0)]
    assert len(whole) == 1 and [len(part) for part in parts] == [30] * 7 + [15]
    assert torch.equal(torch.cat(parts), whole[0])
