"""PairTask: which pairs are refused, what a head reads of them, and that negatives are none that are known."""

import warnings
from functools import partial

import pytest
import torch
from torch import nn

from sigraph.data import SampleDataset
from sigraph.encoders import Encoding, MLPEncoder
from sigraph.finetune import FinetuneSettings, fine_tune
from sigraph.tasks import PairTask
from sigraph.tasks.negatives import Negatives, pair_keys
from sigraph.tasks.pairs import PairFeatures

N = 60
NONE_TO_DRAW = {
    "pairs": ((0, 0, 1), (1, 2, 2)),
    "labels": None,
    "split": {"train": [0], "valid": [1], "test": [2]},
}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def make(pairs=((0, 1, 2, 3), (1, 2, 3, 0)), labels=(1, 0, 1, 1), split=None, **options):
    split = split or {"train": [0, 1], "valid": [2], "test": [3]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return PairTask("bind", torch.tensor(pairs), labels, split, **{"num_samples": 5, **options})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pairs": ((0, 1, 2, 9), (1, 2, 3, 0))}, r"'pairs' .* sample ids in \[0, 5\) \(got \[9, 0\] at pair 3\)"),
        ({"pairs": ((0, 1, 2, 3), (1, 2, 2, 0))}, r"two different samples each \(got sample 2 with itself at pair 2\)"),
        (
            {"pairs": ((0, 1, 2, 1), (1, 2, 3, 0))},
            "has samples 0 and 1 twice as pair 0 and pair 3, the other way round",
        ),
        (
            {"pairs": ((0, 1, 2, 2), (1, 2, 3, 1))},
            "with different labels, 0 and 1, as pair 1 and pair 3, the other way",
        ),
        ({"pairs": ((0, 1, 2, 1), (1, 2, 3, 2)), "directed": True}, "different labels, 0 and 1, as pair 1 and pair 3 "),
        (
            {"pairs": ((0, 1), (1, 2), (2, 3), (3, 4))},
            r"\(got torch.int64 \[4, 2\]\); of a list of pairs: its transpose",
        ),
        ({"labels": [1, 0, 1]}, r"'labels' of task 'bind' needs one a pair, 4 \(got 3\)"),
        ({"split": {"train": [0, 1], "valid": [2], "test": []}}, "split 'test' of task 'bind' is empty"),
        ({"split": {"train": [0, 1], "valid": [2], "test": [2]}}, r"'test' of task 'bind' shares 1 pair with 'valid'"),
        ({"split": {"train": [0, 1], "valid": [2], "test": [4]}}, r"needs pair ids in \[0, 4\)"),
        ({"labels": [1, 0, 1, -1]}, "split 'test' of task 'bind' lists 1 pair without a label"),
        ({"negatives": {}}, "'negatives' of task 'bind' are for links"),
        ({"metric": "rmse"}, "'metric' of task 'bind' needs to be one of accuracy"),
        ({"num_negatives": 0}, "'num_negatives'"),
        (
            {"pairs": ((0, 0, 1), (1, 2, 2)), "labels": None, "split": {"train": [0], "valid": [1], "test": [2]}},
            r"task 'bind', 'valid': all pairs of the 2 samples are related, .*; give this part pairs of "
            r"more samples, or negatives=\{'valid': pairs\}",
        ),
        # each of them before negatives are looked for, of which there are none
        ({**NONE_TO_DRAW, "split": {"train": [0], "valid": [1], "test": [1]}}, "'test' .* shares 1 pair with 'valid'"),
        ({**NONE_TO_DRAW, "metric": "nope"}, r"needs to be one of accuracy, .* \(got 'nope'\)"),
        ({**NONE_TO_DRAW, "metric": "rmse"}, r"for classification \(got 'rmse'\)"),
        ({**NONE_TO_DRAW, "type": "regression"}, "'type' of task 'bind' is classification where 'labels' is None"),
        (
            {**NONE_TO_DRAW, "negatives": {"valid": [[1], [3]], "test": [[0], [3]]}},
            "'train': all pairs of the 2 samples are related, .* or labels with pairs of class 0",
        ),
    ],
)
def test_what_is_no_pair_task_is_said_when_it_is_made(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


def test_both_orders_are_two_pairs_where_the_relation_is_directed():
    assert make(pairs=((0, 1, 2, 2), (1, 2, 3, 1)), directed=True).num_items == 4


def test_a_metric_that_a_part_leaves_undefined_is_warned_of_and_refused():
    with pytest.warns(UserWarning, match="metric 'rocauc' is not defined: 'valid' holds class 1 alone, 1 sample"):
        task = PairTask("bind", [[0, 1, 2, 3], [1, 2, 3, 0]], [1, 0, 1, 1], make().split, 5, "rocauc")
    with pytest.raises(ValueError, match="'valid' holds class 1 alone"):
        task.check_scorable()


def test_items_know_their_samples():
    task = make()
    node, place = task.samples(torch.tensor([3, 0]))
    assert torch.equal(node[place], torch.tensor([[3, 0], [0, 1]])) and node.tolist() == [0, 1, 3]
    assert task.part_samples("train").tolist() == [0, 1, 2] and task.edges().tolist() == [[3], [0]]
    assert task.num_samples == 5 and task.sample_labels() is None


def test_features_of_pairs_by_hand():
    z = torch.tensor([[[1.0, 2.0], [3.0, -1.0]]])
    found = {(how, d): PairFeatures(how, d)(z).tolist() for how in ("hadamard", "dot", "concatenate") for d in (0, 1)}
    assert found["hadamard", 0] == [[3, -2]] and found["dot", 0] == [[1]]
    assert found["concatenate", 1] == [[1, 2, 3, -1]] and found["concatenate", 0] == [[4, 1, 2, 3]]
    for how in ("hadamard", "dot", "concatenate"):
        features = PairFeatures(how, False)
        assert torch.equal(features(z), features(z.flip(1))) and features.width(2) == features(z).size(1)


# Links ################################################################################################################


def links(directed=False, **options):
    """Samples on a ring, each linked to the next two."""
    start = torch.arange(N)
    pairs = torch.stack([torch.cat([start, start]), torch.cat([(start + 1) % N, (start + 2) % N])])
    order = torch.randperm(2 * N, generator=seeded())
    split = {"train": order[:80], "valid": order[80:100], "test": order[100:]}
    return PairTask("link", pairs, None, split, N, directed=directed, **options), pairs


@pytest.mark.parametrize("directed", [False, True])
def test_negatives_of_links_are_drawn_once_among_the_parts_samples_and_never_known(directed):
    task, pairs = links(directed, num_negatives=2)
    again, _ = links(directed, num_negatives=2)
    other, _ = links(directed, num_negatives=2, seed=1)
    assert torch.equal(task.pairs, again.pairs) and not torch.equal(task.pairs, other.pairs)
    known = pair_keys(pairs, N, directed)
    for part in ("valid", "test"):
        items = task.split[part]
        y = task.labels[items]
        assert (int((y == 1).sum()), int((y == 0).sum())) == (20, 40)
        drawn = task.pairs[:, items[y == 0]]
        assert not torch.isin(pair_keys(drawn, N, directed), known).any() and (drawn[0] != drawn[1]).all()
        assert set(drawn.unique().tolist()) <= set(task.pairs[:, items[y == 1]].unique().tolist())
    keys = pair_keys(task.pairs, N, directed)
    assert keys.unique().numel() == keys.numel()
    assert task.metric == "rocauc" and task.draws_negatives and not make().draws_negatives


def test_steps_draw_negatives_among_training_samples_alone_that_know_no_test_link():
    task, _ = links(num_negatives=3)
    items = task.split["train"]
    node, place, y = task.step(items, seeded(3))
    assert len(place) == len(y) == 4 * 80 and y.tolist() == [1] * 80 + [0] * 240
    assert torch.equal(node[place[:80]].T, task.pairs[:, items])
    drawn = pair_keys(node[place[80:]].T, N, False)
    train = pair_keys(task.pairs[:, items], N, False)
    assert not torch.isin(drawn, train).any() and torch.isin(node, task.part_samples("train")).all()
    assert torch.isin(drawn, pair_keys(task.pairs[:, task.split["test"]], N, False)).any()  # else test links are told
    assert torch.equal(task.samples(items, seeded(3))[1], place)
    assert not torch.equal(task.samples(items, seeded(4))[1], place)
    assert len(task.samples(items)[1]) == 80 and len(task.part_labels("train")) == 320


def test_given_negatives_are_kept():
    given = {"valid": [[0, 0], [30, 31]], "test": [[1], [40]]}
    task, _ = links(negatives=given)
    for part, pairs in given.items():
        items = task.split[part]
        assert task.pairs[:, items[task.labels[items] == 0]].tolist() == pairs
    with pytest.raises(ValueError, match="different labels, 1 and 0,"):
        links(negatives={"valid": [[1], [0]]})


@pytest.mark.parametrize("size", [8, 1500])  # all pairs listed, and pairs tried
def test_drawn_pairs_are_uniform_over_what_there_is(size):
    pool = torch.arange(size) * 2
    known = pair_keys(torch.stack([pool[:-1], pool[1:]]), 2 * size, False)
    negatives = Negatives(pool, known, 2 * size, False, "it")
    assert (negatives.all is None) == (size > 1000)
    drawn = negatives.draw(4000, seeded())
    keys = pair_keys(drawn, 2 * size, False)
    assert not torch.isin(keys, known).any() and (drawn[0] != drawn[1]).all() and torch.isin(drawn, pool).all()
    if size == 8:
        counts = keys.unique(return_counts=True)[1]
        assert len(counts) == 28 - 7 and counts.min() > 0.6 * 4000 / 21
    different = negatives.draw_different(20, seeded())
    assert pair_keys(different, 2 * size, False).unique().numel() == 20


# Fine-tuning ##########################################################################################################


class AsGiven(MLPEncoder):
    """Embeddings are the features."""

    def __init__(self):
        super().__init__(4, 4, 4)

    def forward(self, inputs):
        return Encoding(inputs)


def relation(kind):
    """Two samples are related if their first features have one sign; numbers, their product."""
    x = torch.randn(N, 4, generator=seeded())
    pairs = torch.combinations(torch.arange(N)).T[:, torch.randperm(N * (N - 1) // 2, generator=seeded(1))[:600]]
    product = x[pairs[0], :2] * x[pairs[1], :2]
    labels = {"classification": (product[:, 0] > 0).long(), "regression": product[:, 0], "multilabel": product > 0}[
        kind
    ]
    labels = labels.float() if kind == "multilabel" else labels
    split = {"train": range(400), "valid": range(400, 500), "test": range(500, 600)}
    return SampleDataset(x), PairTask("sign", pairs, labels, split, N)


@pytest.mark.parametrize("converged", [False, True])
@pytest.mark.parametrize("kind", ["classification", "regression", "multilabel"])
def test_every_type_of_label_is_learnt_over_pairs(kind, converged):
    dataset, task = relation(kind)
    how = partial(torch.optim.AdamW, lr=0.1)
    settings = FinetuneSettings("linear", how, max_epochs=60, patience=60, batch_size=200, converged=converged)
    found = fine_tune(AsGiven(), dataset, task, settings, accelerator="cpu")
    assert found.test < 0.1 if kind == "regression" else found.test > 0.9
    assert len(found.predicted) == 100 and found.scores[task.metric] == {"valid": found.valid, "test": found.test}
    if converged:
        assert found.probe.num_strengths == 9 and found.num_parameters == (4 + 1) * task.num_outputs


def test_what_a_pair_reads_decides_what_can_be_learnt_and_settings_that_do_not_act_are_said():
    dataset, task = relation("classification")
    scores = {
        pair: fine_tune(AsGiven(), dataset, task, FinetuneSettings(pair=pair, converged=True)).test
        for pair in ("hadamard", "concatenate", "dot")
    }
    assert scores["hadamard"] > max(scores["concatenate"], scores["dot"]) + 0.1
    with pytest.raises(
        ValueError, match="'head' knn needs a task with a label a sample, but task 'sign' has one a pair"
    ):
        fine_tune(AsGiven(), dataset, task, FinetuneSettings("knn"))
    with pytest.raises(ValueError, match="'pair' needs to be one of hadamard, concatenate, dot"):
        FinetuneSettings(pair="sum")


def test_links_are_learnt_by_the_whole_encoder_and_are_the_same_again():
    start = torch.arange(N)
    angle = 2 * torch.pi * start / N
    dataset = SampleDataset(torch.stack([angle.cos(), angle.sin(), (2 * angle).cos(), (2 * angle).sin()], dim=1))
    task, _ = links(metric=["rocauc", "ap", "hits@5", "mrr", "accuracy"])
    torch.manual_seed(0)
    encoder = MLPEncoder(4, 32, 16, dropout=0.0)
    settings = FinetuneSettings("full", max_epochs=40, patience=40, batch_size=40)
    one, two = (fine_tune(encoder, dataset, task, settings, accelerator="cpu") for _ in range(2))
    assert one.test > 0.9 and torch.equal(one.predicted, two.predicted)
    assert list(one.scores) == ["rocauc", "ap", "hits@5", "mrr", "accuracy"]
    assert all(set(score) == {"valid", "test"} for score in one.scores.values())
    assert isinstance(one.model.head, nn.Sequential)


def test_a_folder_keeps_pair_tasks(tmp_path):
    dataset, task = relation("regression")
    link, _ = links(metric=["rocauc", "hits@5"], num_negatives=2)
    dataset = dataset.replace(tasks={"sign": task, "link": link})
    dataset.save(tmp_path / "it")
    again = SampleDataset.open(tmp_path / "it", verify=True)
    for name, was in dataset.tasks.items():
        now = again.task(name)
        assert type(now) is PairTask and torch.equal(now.pairs, was.pairs) and torch.equal(now.labels, was.labels)
        assert (now.metrics, now.directed, now.num_negatives) == (was.metrics, was.directed, was.num_negatives)
        assert all(torch.equal(now.split[part], was.split[part]) for part in now.split)
    assert again.task("link").draws_negatives
    assert again.card.tasks["link"].type == "pair" and again.card.tasks["link"].metrics == ["rocauc", "hits@5"]
    assert dataset.fingerprint != dataset.replace(tasks={"sign": task}).fingerprint
