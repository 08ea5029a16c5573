"""FinetuneModule and finetune: what trains, what stays, which epoch is chosen, and that the test set is only scored."""

import contextlib
import copy
import warnings
from functools import partial
from typing import ClassVar

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import sigraph as sg
from sigraph.data import SampleDataset
from sigraph.encoders import Encoder, Encoding, MLPEncoder, embed
from sigraph.finetune import FinetuneModule, FinetuneSettings, fine_tune
from sigraph.machines.trainer import KeepBest, quiet_trainer
from sigraph.tasks import Evaluator, Task

N, F = 90, 6
SPLIT = {"train": torch.arange(30), "valid": torch.arange(30, 60), "test": torch.arange(60, N)}
SGD = partial(torch.optim.SGD, lr=0.5)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


X = torch.randn(N, F, generator=seeded())
TRUE = torch.randn(F, 3, generator=seeded(1))


@pytest.fixture
def dataset() -> SampleDataset:
    return SampleDataset(X)


@pytest.fixture
def encoder() -> MLPEncoder:
    torch.manual_seed(0)
    return MLPEncoder(F, 16, 8, dropout=0.3)


def task(kind: str = "classification", metric: str = "") -> Task:
    score = X @ TRUE
    labels = {
        "classification": score.argmax(1),
        "regression": score[:, 0],
        "multilabel": (score > 0).float(),
    }[kind].clone()
    if kind == "multilabel":
        labels[torch.rand(N, 3, generator=seeded(2)) < 0.3] = float("nan")
        labels[labels.isnan().all(dim=1)] = 0.0
    elif kind == "regression":  # samples without a label lie in no part
        split = {part: ids[:-2] for part, ids in SPLIT.items()}
        for ids in SPLIT.values():
            labels[ids[-2:]] = float("nan")
        return Task("toy", labels, split, metric=metric)
    return Task("toy", labels, SPLIT, metric=metric)


def state(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def run(encoder, dataset, task, seed=0, **settings):
    plain = {"max_epochs": 15, "patience": 15}
    return fine_tune(encoder, dataset, task, FinetuneSettings(**{**plain, **settings}), seed, accelerator="cpu")


# What trains and what stays ###########################################################################################


class Modes(Callback):
    def __init__(self):
        self.seen = set()

    def on_train_batch_start(self, trainer, pl_module, *args):
        self.seen.add(("train", pl_module.encoder.training, pl_module.head.training))

    def on_validation_batch_start(self, trainer, pl_module, *args):
        self.seen.add(("valid", pl_module.encoder.training, pl_module.head.training))


def fit(module: FinetuneModule, callback: Callback | None = None, epochs: int = 3) -> FinetuneModule:
    y = task().labels
    loader = DataLoader(TensorDataset(X[:60], y[:60]), batch_size=20)
    callbacks = [] if callback is None else [callback]
    quiet_trainer(max_epochs=epochs, accelerator="cpu", callbacks=callbacks).fit(module, loader, loader)
    return module


def test_a_frozen_encoder_is_unchanged_and_in_evaluation_mode(encoder):
    before, modes, head = state(encoder), Modes(), nn.Linear(8, 3)
    first = state(head)
    fit(FinetuneModule(encoder, head, Evaluator(task()), freeze_encoder=True), modes)
    assert equal(state(encoder), before) and not equal(state(head), first)
    assert modes.seen == {("train", False, True), ("valid", False, False)}
    assert not any(p.requires_grad for p in encoder.parameters())


def test_train_keeps_a_frozen_encoder_in_evaluation_mode(encoder):
    module = FinetuneModule(encoder, nn.Linear(8, 3), Evaluator(task()), freeze_encoder=True)
    module.eval()
    module.train()
    assert module.head.training and not any(part.training for part in encoder.modules())


def test_an_encoder_that_is_not_frozen_trains(encoder):
    before, modes = state(encoder), Modes()
    fit(FinetuneModule(encoder, nn.Linear(8, 3), Evaluator(task())), modes)
    after = state(encoder)
    assert all(not torch.equal(after[name], before[name]) for name in before)
    assert modes.seen == {("train", True, True), ("valid", False, False)}


@pytest.mark.parametrize("head", ["linear", "full", "knn"])
@pytest.mark.parametrize("training", [True, False])
def test_the_given_encoder_is_never_changed(encoder, dataset, head, training):
    encoder.train(training)
    encoder.mlp.lins[0].weight.requires_grad_(False)
    before, needs = state(encoder), [p.requires_grad for p in encoder.parameters()]
    result = run(encoder, dataset, task(), head=head)
    assert equal(state(encoder), before) and [p.requires_grad for p in encoder.parameters()] == needs
    assert all(module.training == training for module in encoder.modules())
    if head == "full":  # all of the copy trained
        after = state(result.model.encoder)
        assert all(not torch.equal(after[name], before[name]) for name in before)
    if head == "linear":
        assert equal(state(result.model.encoder), before)


def test_full_means_the_same_whatever_mode_the_encoder_comes_in(encoder, dataset):
    """An encoder that was just used for embeddings is in evaluation mode: dropout works all the same."""
    one = run(encoder.train(), dataset, task(), head="full", optimizer=SGD)
    two = run(encoder.eval(), dataset, task(), head="full", optimizer=SGD)
    assert equal(state(one.model), state(two.model))


@pytest.mark.parametrize("kind", ["classification", "multilabel", "regression"])
@pytest.mark.parametrize("head", ["linear", "full"])
def test_the_returned_model_scores_what_the_result_says(encoder, dataset, kind, head):
    this = task(kind)
    result = run(encoder, dataset, this, head=head)
    assert not any(module.training for module in result.model.modules())
    for part, score in (("valid", result.valid), ("test", result.test)):
        ids = this.split[part]
        with torch.no_grad():
            predicted = result.model(X[ids])
        (found,) = Evaluator(this).eval({"y_true": this.labels[ids], "y_pred": predicted}).values()
        assert found == pytest.approx(score, abs=1e-5)
    width = 1 if kind == "regression" else 3
    assert result.num_parameters == 8 * width + width


# The loss #############################################################################################################


def module(kind: str) -> FinetuneModule:
    return FinetuneModule(MLPEncoder(F), nn.Identity(), Evaluator(task(kind)))


def test_losses_by_hand():
    scores = torch.tensor([[0.0, 0.0, 0.0], [np.log(2.0), 0.0, 0.0]])
    expected = (np.log(3) - np.log(2 / 4)) / 2
    for dtype in (torch.long, torch.int32, torch.uint8):
        assert module("classification").loss(scores, torch.tensor([2, 0], dtype=dtype)).item() == pytest.approx(
            expected
        )
    values = torch.tensor([[1.0], [4.0]])
    assert module("regression").loss(values, torch.tensor([0.0, 2.0])).item() == pytest.approx((1 + 4) / 2)
    known = torch.tensor([[1, float("nan"), 0], [float("nan"), float("nan"), 1]])
    expected = (np.log(2) + np.log(2) + np.log(2)) / 3
    assert module("multilabel").loss(torch.zeros(2, 3), known).item() == pytest.approx(expected)
    predicted = torch.zeros(2, 3, requires_grad=True)
    module("multilabel").loss(predicted, known).backward()
    assert torch.equal(predicted.grad != 0, ~known.isnan())
    assert module("multilabel").loss(torch.zeros(1, 2), torch.tensor([[0, 1]])).item() == pytest.approx(np.log(2))


def test_a_nan_stops_and_says_where(encoder, dataset):
    with pytest.raises(ValueError, match=r"the fine-tuning loss is (nan|inf) in epoch \d"):
        run(encoder, dataset, task("regression"), optimizer=partial(torch.optim.SGD, lr=1e20))


# Which epoch ##########################################################################################################


class Scripted(FinetuneModule):
    """Validation scores as listed; the weight counts the epochs that were trained."""

    def __init__(self, scores):
        super().__init__(MLPEncoder(F, 4, 8), nn.Linear(8, 3), Evaluator(task()))
        self.scores, self.count = scores, nn.Parameter(torch.zeros(()), requires_grad=False)

    def on_train_epoch_end(self):
        self.count.add_(1)

    def on_validation_epoch_end(self):
        self._seen.clear()
        self.log("valid_accuracy", torch.tensor(self.scores[self.current_epoch]))


@pytest.mark.parametrize(
    ("scores", "greater", "patience", "best", "trained"),
    [
        ([0.1, 0.5, 0.3, 0.4, 0.2, 0.6], True, 3, 1, 5),  # stops three epochs after the best
        ([0.1, 0.5, 0.3, 0.4, 0.6, 0.2], True, 3, 4, 6),
        ([0.5, 0.5, 0.5, 0.5], True, 9, 0, 4),  # a tie: the earlier one
        ([0.5, 0.1, 0.3, 0.4], False, 2, 1, 4),
        ([0.1, 0.2, 0.3, 0.4], True, 1, 3, 4),
        ([0.4, 0.3, 0.9], True, 1, 0, 2),
        ([-3.0, -1.0, -2.0], True, 5, 1, 3),
    ],
)
def test_the_best_epoch_is_restored_and_patience_ends_the_run(scores, greater, patience, best, trained):
    this, keep = Scripted(scores), KeepBest("valid_accuracy", greater, patience)
    snapshots = []

    class Snapshot(Callback):
        def on_validation_end(self, trainer, pl_module):
            snapshots.append(state(pl_module))

    y = task().labels
    loader = DataLoader(TensorDataset(X[:20], y[:20]), batch_size=20)
    trainer = quiet_trainer(max_epochs=len(scores), accelerator="cpu", callbacks=[keep, Snapshot()])
    trainer.fit(this, loader, loader)
    assert (keep.epoch, len(snapshots)) == (best, trained) and keep.score == pytest.approx(scores[best])
    keep.restore(this)
    assert equal(state(this), snapshots[best])
    assert best == trained - 1 or not equal(snapshots[best], snapshots[-1])


def test_finetune_returns_the_best_validated_epoch(encoder, dataset):
    """What longer training adds cannot lower the validation score that is returned."""
    scores = [run(encoder, dataset, task(), head="full", max_epochs=n, patience=n, optimizer=SGD) for n in (1, 5, 20)]
    assert [result.best_epoch < n for result, n in zip(scores, (1, 5, 20), strict=True)] == [True] * 3
    assert scores[0].valid <= scores[1].valid <= scores[2].valid and scores[2].valid > scores[0].valid
    again = run(encoder, dataset, task(), head="full", max_epochs=scores[2].best_epoch + 1, optimizer=SGD)
    assert (again.valid, again.test, again.best_epoch) == (scores[2].valid, scores[2].test, scores[2].best_epoch)
    assert equal(state(again.model), state(scores[2].model))


@pytest.mark.parametrize("head", ["linear", "full", "knn"])
def test_test_labels_cannot_influence_the_choice(encoder, dataset, head):
    honest, shuffled = task(), task()
    shuffled.labels[SPLIT["test"]] = honest.labels[SPLIT["test"]].roll(1)
    one, two = (run(encoder, dataset, this, head=head, optimizer=SGD) for this in (honest, shuffled))
    assert (one.best_epoch, one.valid) == (two.best_epoch, two.valid)
    assert one.test != two.test
    if head != "knn":
        assert equal(state(one.model), state(two.model))


def test_validation_labels_train_nothing(encoder, dataset):
    """They choose the epoch; the weights after one epoch do not depend on them."""
    other = task()
    other.labels[SPLIT["valid"]] = 0
    one, two = (run(encoder, dataset, this, head="full", max_epochs=1, optimizer=SGD) for this in (task(), other))
    assert equal(state(one.model), state(two.model)) and one.valid != two.valid


def test_the_schedule_acts_once_an_epoch(encoder, dataset):
    """A rate of zero from the second epoch on: ten epochs are one."""
    off = partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.0)
    long = run(encoder, dataset, task(), head="full", scheduler=off, batch_size=10, optimizer=SGD)
    short = run(encoder, dataset, task(), head="full", max_epochs=1, batch_size=10, optimizer=SGD)
    free = run(encoder, dataset, task(), head="full", batch_size=10, optimizer=SGD)
    assert long.best_epoch == 0 and equal(state(long.model), state(short.model))
    assert free.best_epoch > 0


# Tasks and heads ######################################################################################################


@pytest.mark.parametrize(
    ("kind", "metric", "at_least"),
    [("classification", "accuracy", 0.65), ("multilabel", "rocauc", 0.85), ("regression", "spearman", 0.8)],
)
@pytest.mark.parametrize("head", ["linear", "full"])
def test_every_type_of_task_is_learnt(dataset, kind, metric, at_least, head):
    torch.manual_seed(0)
    result = run(
        MLPEncoder(F, 32, 32, num_layers=1),
        dataset,
        task(kind, metric),
        head=head,
        max_epochs=60,
        optimizer=partial(torch.optim.AdamW, lr=0.05),
    )
    assert result.test > at_least and result.valid > at_least


@pytest.mark.parametrize("head", ["linear", "full", "knn"])
def test_samples_that_the_encoder_cannot_read_are_refused(dataset, head):
    with pytest.raises(ValueError, match=rf"'MLPEncoder' needs rows of {F + 1} features, .* rows of {F} features"):
        run(MLPEncoder(F + 1), dataset, task(), head=head)


def test_a_lower_is_better_metric_chooses_the_lowest(encoder, dataset):
    fast = partial(torch.optim.AdamW, lr=0.1)
    worst = run(encoder, dataset, task("regression", "mae"), max_epochs=1, optimizer=fast)
    best = run(encoder, dataset, task("regression", "mae"), max_epochs=40, patience=40, optimizer=fast)
    assert best.valid < 0.9 * worst.valid and best.best_epoch > 5


def test_nearest_neighbours_as_scikit_learn_by_hand(encoder, dataset):
    this = task()
    result = run(encoder, dataset, this, head="knn", k=3)
    z, y = embed(encoder, dataset).numpy(), this.labels.numpy()
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)  # cosine: the order of distances of unit vectors
    model = KNeighborsClassifier(3).fit(unit[:30], y[:30])
    assert result.valid == pytest.approx(model.score(unit[30:60], y[30:60]))
    assert result.test == pytest.approx(model.score(unit[60:], y[60:]))
    assert (result.best_epoch, result.num_parameters, result.model) == (0, 0, None)


class Plane(Encoder):
    out_channels = 2

    def forward(self, inputs):
        return Encoding(inputs)


def test_nearest_neighbours_vote_or_average():
    angle = torch.tensor([0.0, 10, 20, 90, 100, 8, 96]) * torch.pi / 180
    plane = SampleDataset(torch.stack([angle.cos(), angle.sin()], dim=1) * torch.arange(1.0, 8)[:, None])
    split = {"train": torch.arange(5), "valid": torch.tensor([5]), "test": torch.tensor([6])}
    values = Task("t", torch.tensor([1.0, 2, 6, 10, 20, 3, 15]), split, metric="mae")
    result = run(Plane(), plane, values, head="knn", k=2)
    assert (result.valid, result.test) == (pytest.approx(3 - 1.5), pytest.approx(0))  # (1 + 2) / 2, (10 + 20) / 2
    classes = Task("t", torch.tensor([1, 1, 0, 0, 0, 1, 0]), split)
    result = run(Plane(), plane, classes, head="knn", k=3)
    assert (result.valid, result.test) == (1, 1)


def test_nearest_neighbours_of_label_columns(dataset):
    columns = (X @ TRUE > 0).float()
    columns[SPLIT["test"][0], 0] = float("nan")
    result = run(MLPEncoder(F), dataset, Task("t", columns, SPLIT), head="knn")
    assert 0.6 < result.test <= 1
    columns[0, 1] = float("nan")  # a training sample that does not know it is not asked about it
    assert 0.6 < run(MLPEncoder(F), dataset, Task("t", columns, SPLIT), head="knn").test <= 1


@pytest.mark.parametrize("head", ["linear", "full"])
def test_same_seed_same_result_whatever_was_random_before(encoder, dataset, head):
    def once(seed, noise):
        torch.manual_seed(noise)
        return run(encoder, dataset, task(), seed, head=head, batch_size=8, max_epochs=4, dropout=0.2)

    one, two, other = once(0, 1), once(0, 2), once(3, 1)
    assert (one.valid, one.test, one.best_epoch) == (two.valid, two.test, two.best_epoch)
    assert equal(state(one.model), state(two.model)) and not equal(state(one.model), state(other.model))


def test_batches_of_any_size_see_every_training_sample(encoder, dataset):
    class Counting(SampleDataset):
        seen: ClassVar[list[int]] = []

        def fetch(self, node):
            self.seen.extend(node.tolist())
            return super().fetch(node)

    for size in (7, 30, 100, None):
        Counting.seen = []
        run(encoder, Counting(X), task(), head="full", batch_size=size, max_epochs=2)
        assert sorted(Counting.seen) == sorted([*range(60)] * 2 + [*range(60, N)])  # and the test set once


# Two classes, and targets of many digits ##############################################################################


def two_classes(metric: str) -> Task:
    labels = ((X @ TRUE)[:, 0] > 1.0).long()
    return Task("toy", labels, SPLIT, metric, classes=["inactive", "active"])


@pytest.mark.parametrize(("metric", "oracle"), [("rocauc", roc_auc_score), ("ap", average_precision_score)])
@pytest.mark.parametrize("head", ["linear", "full", "knn"])
def test_two_classes_are_ranked_by_scores_not_by_votes(encoder, dataset, metric, oracle, head):
    this = two_classes(metric)
    result = run(encoder, dataset, this, head=head, k=5, max_epochs=3)
    for part, score in (("valid", result.valid), ("test", result.test)):
        ids = this.split[part]
        if head == "knn":
            z = embed(encoder, dataset).numpy()
            model = KNeighborsClassifier(5, metric="cosine").fit(z[:30], this.labels[:30])
            scores = model.predict_proba(z[ids.numpy()])[:, 1]
        else:
            with torch.no_grad():
                scores = result.model(X[ids]).softmax(1)[:, 1].numpy()
        assert score == pytest.approx(oracle(this.labels[ids].numpy(), scores), abs=1e-6)
    if metric == "rocauc" and head != "knn":
        assert result.valid != run(encoder, dataset, two_classes("accuracy"), head=head, max_epochs=3).valid


def seconds(metric: str = "") -> tuple[SampleDataset, Task]:
    """60 points in time, a second apart: one number in float32."""
    when = torch.arange(60, dtype=torch.float64)[torch.randperm(60, generator=seeded())]
    samples = SampleDataset(torch.stack([when / 30 - 1, torch.ones(60), when.sin()], dim=1).float())
    split = {"train": range(40), "valid": range(40, 50), "test": range(50, 60)}
    return samples, Task("when", 1.7e9 + when, split, metric)


@pytest.mark.parametrize("head", ["linear", "full", "knn"])
def test_targets_of_many_digits_are_scored_truthfully(head):
    samples, this = seconds()
    torch.manual_seed(0)
    encoder = MLPEncoder(3, 8, 4, num_layers=1)
    settings = {"head": head, "k": 3, "max_epochs": 3, "optimizer": partial(torch.optim.AdamW, lr=0.02)}
    result = run(encoder, samples, this, **settings)
    small = Task("when", (this.labels - 1.7e9).float(), this.split)  # float32 can hold these
    expected = run(encoder, samples, small, **settings)
    assert result.predicted.dtype == torch.float64
    assert (result.valid, result.test) == (
        pytest.approx(expected.valid, rel=1e-4),
        pytest.approx(expected.test, rel=1e-4),
    )
    true = this.labels[this.split["test"]]
    assert (
        result.test == pytest.approx(float((result.predicted.view(-1) - true).square().mean().sqrt()))
        and result.test > 0.1
    )
    assert result.predicted.unique().numel() > 1
    ranked = run(encoder, samples, seconds("spearman")[1], **settings)
    assert -1 <= ranked.test <= 1


def test_a_task_that_cannot_be_scored_is_refused_before_anything_trains(encoder, dataset):
    def trains(parameters):
        raise AssertionError("an optimiser was made")

    one = torch.zeros(N, dtype=torch.long)
    for labels, metric, message in (
        (one, "accuracy", "task 'toy': all samples of its split are of class 0: there is nothing to tell apart"),
        (
            one + (torch.arange(N) == 3),
            "rocauc",
            "task 'toy': metric 'rocauc' is not defined: 'valid' holds class 0 alone",
        ),
        (torch.arange(N) % 7 * 1.0 * (torch.arange(N) < 60), "spearman", "all targets in 'test' are 0, 30 samples"),
    ):
        for head in ("linear", "knn"):
            with pytest.warns(UserWarning) if metric != "accuracy" else contextlib.nullcontext():
                this = Task("toy", labels, SPLIT, metric)
            with pytest.raises(ValueError, match=message):
                run(encoder, dataset, this, head=head, optimizer=trains)


def test_libraries_say_nothing_and_the_users_own_warnings_are_heard(encoder, dataset):
    class Warns(torch.optim.SGD):
        def step(self, closure=None):
            warnings.warn("mine", stacklevel=1)
            return super().step(closure)

    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        run(encoder, dataset, task(), optimizer=partial(Warns, lr=0.1), max_epochs=1)
    assert {str(one.message) for one in heard} == {"mine"}


# Errors ###############################################################################################################


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"head": "mlp"}, "'head' needs to be one of linear, full, knn in .*got 'mlp'"),
        ({"max_epochs": 0}, "'max_epochs' needs to be an integer >= 1 .*got 0"),
        ({"max_epochs": "5"}, "'max_epochs' needs to be an integer .*got '5'"),
        ({"max_epochs": float("nan")}, "'max_epochs' needs to be an integer .*got nan"),
        ({"patience": 0}, "'patience'"),
        ({"k": 2.5}, "'k' needs to be an integer .*got 2.5"),
        ({"batch_size": True}, "'batch_size'"),
        ({"dropout": "x"}, "'dropout'"),
        ({"normalize": "no"}, "'normalize'"),
        ({"optimizer": "AdamW"}, "'optimizer' needs what is called .*partial.*got 'AdamW'"),
        ({"optimizer": None}, "'optimizer'"),
        ({"scheduler": 3}, "'scheduler'"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        FinetuneSettings(**settings)


def test_a_task_of_other_samples_is_refused(encoder, dataset):
    short = Task(
        "short",
        torch.zeros(80, dtype=torch.long),
        {
            p: ids // 2 + 10 * i
            for i, (p, ids) in enumerate(
                {
                    "train": torch.arange(0, 10, 2),
                    "valid": torch.arange(0, 10, 2),
                    "test": torch.arange(0, 10, 2),
                }.items()
            )
        },
    )
    with pytest.raises(ValueError, match=r"task 'short' needs one label per sample, 90 \(got 80 labels\)"):
        run(encoder, dataset, short)
    with pytest.raises(ValueError, match=r"'k' needs to be <= 30, the training samples of task 'toy' \(got 31\)"):
        run(encoder, dataset, task(), head="knn", k=31)


def test_an_encoder_that_diverged_is_refused(dataset, encoder):
    broken = copy.deepcopy(encoder)
    next(broken.parameters()).data.fill_(float("nan"))
    for head, count in (("linear", 90), ("knn", 30)):
        with pytest.raises(ValueError, match=f"NaN or infinite embeddings for {count} samples"):
            run(broken, dataset, task(), head=head)


def test_the_trainer_leaves_nothing_behind(encoder, dataset, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    run(encoder, dataset, task(), head="full", max_epochs=2)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().out == ""


def test_public_names():
    assert sg.FinetuneModule is FinetuneModule and sg.FinetuneSettings is FinetuneSettings


@pytest.mark.parametrize("head", ["linear", "full"])
def test_a_regression_learns_alike_in_any_unit(encoder, dataset, head):
    """Years lie around 1990: without a unit of its own a head would spend its training on getting there."""
    plain = task("regression", "mae")
    years = Task("toy", 1990 + 20 * plain.labels, plain.split, metric="mae")
    errors = [run(encoder, dataset, which, head=head, max_epochs=40, patience=40).test for which in (plain, years)]
    spread = float(years.labels[years.split["test"]].std())
    assert errors[1] == pytest.approx(20 * errors[0], rel=0.02) and errors[1] < 0.9 * spread


@pytest.mark.parametrize("kind", ["classification", "regression", "multilabel"])
def test_leave_one_out_asks_all_others_of_the_split(dataset, encoder, kind):
    """Against a loop over the asking samples with a fresh scikit-learn model each."""
    wanted = task(kind)
    if kind == "multilabel":  # the loop's model knows no missing labels
        wanted = Task("toy", (X @ TRUE > 0).float(), SPLIT)
    found = fine_tune(encoder, dataset, wanted, FinetuneSettings("knn", k=3, leave_one_out=True))
    ids = torch.cat(list(wanted.split.values()))
    z, y = embed(encoder, dataset).numpy(), wanted.labels.numpy()
    make = KNeighborsClassifier if kind == "classification" else KNeighborsRegressor
    for part in ("valid", "test"):
        predicted = []
        for i in wanted.split[part].tolist():
            others = ids[ids != i].numpy()
            predicted.append(make(3, metric="cosine").fit(z[others], y[others]).predict(z[[i]])[0])
        scored = {"y_true": y[wanted.split[part].numpy()], "y_pred": np.array(predicted)}
        evaluator = Evaluator(wanted)
        assert getattr(found, part) == pytest.approx(evaluator.eval(scored)[evaluator.metric], abs=1e-6)


def test_leave_one_out_looks_at_no_test_score_unless_asked(dataset, encoder):
    settings = FinetuneSettings("knn", k=1, leave_one_out=True)
    assert fine_tune(encoder, dataset, task(), settings, score_test=False).test is None


def test_leave_one_out_is_for_neighbors():
    with pytest.raises(ValueError, match=r"'leave_one_out' needs 'head' knn .got 'linear'"):
        FinetuneSettings("linear", leave_one_out=True)


def test_arguments_in_another_order_are_said(encoder, dataset):
    with pytest.raises(ValueError, match=r"'encoder' needs to be a Encoder in 'fine_tune' \(got SampleDataset\)"):
        fine_tune(dataset, encoder, task())
    with pytest.raises(ValueError, match=r"'settings' needs to be a FinetuneSettings .*\(got 'linear'\)"):
        fine_tune(encoder, dataset, task(), "linear")
