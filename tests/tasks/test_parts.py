"""PartTask: ragged labels of tokens, residues and nodes; padding and special tokens are never counted."""

import warnings
from functools import partial

import pyarrow as pa
import pytest
import torch
from token_cases import OneHot

from sigraph.data import SampleDataset
from sigraph.encoders import BagOfWordsEncoder, Encoding, GRUEncoder, MLPEncoder, TransformerEncoder, embed
from sigraph.evaluation import task_batches
from sigraph.evaluation.task_batches import EmbeddedParts, Fetched
from sigraph.finetune import FinetuneSettings, fine_tune
from sigraph.readers import SymbolTokens
from sigraph.samples.tokens import token_table
from sigraph.tasks import PartTask

N = 30
SPLIT = {"train": range(16), "valid": range(16, 22), "test": range(22, N)}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def sequences(special):
    """Tokens 4 ... 9, between 2 and 3 where special; the label of a token is whether it is odd."""
    size = torch.randint(1, 9, (N,), generator=seeded())
    inner = [torch.randint(4, 10, (int(n),), generator=seeded(i)) for i, n in enumerate(size)]
    whole = [torch.cat([torch.tensor([2]), part, torch.tensor([3])]) if special else part for part in inner]
    table = token_table(whole, 10, special_tokens=[2, 3] if special else [])
    return SampleDataset(table), [part % 2 for part in inner], inner


def make(labels, split=SPLIT, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return PartTask("odd", labels, split, **options)


def test_labels_in_a_list_and_in_a_row_are_the_same():
    _, labels, _ = sequences(False)
    ptr = torch.tensor([0, *map(len, labels)]).cumsum(0)
    tasks = [
        make(labels),
        make([part.tolist() for part in labels]),
        make(torch.cat(labels), ptr=ptr),
        make([["even", "odd"][i] for part in labels for i in part.tolist()], ptr=ptr.numpy()),
    ]
    for task in tasks:
        assert torch.equal(task.ptr, ptr) and torch.equal(task.labels.long(), torch.cat(labels))
        items = torch.tensor([5, 2, 9])
        assert torch.equal(task.target(items), torch.cat([labels[5], labels[2], labels[9]]))
        assert task.row_items(items).tolist() == [i for i, j in enumerate((5, 2, 9)) for _ in labels[j]]
    assert tasks[-1].classes == ["even", "odd"] and (tasks[0].num_samples, tasks[0].type) == (N, "classification")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda labels: [*labels[:7], labels[7][:-1], *labels[8:]], r"sample 7 has \d parts and \d labels"),
        (lambda labels: [*labels[:3], [], *labels[4:]], "split 'train' of task 'odd' lists 1 sample without a label"),
        (lambda labels: [[-1] * len(labels[0]), *labels[1:]], "lists 1 sample without a label .first: 0"),
        (lambda labels: labels[:-1], r"needs sample ids in \[0, 29\)"),
        (lambda labels: 3, "needs a list with the labels of each sample"),
        (lambda labels: [*labels[:-1], 1], r"got a label in place of a list\); where all .* 'ptr' says where"),
        (lambda labels: list(torch.arange(2)), "got a label in place of a list"),
        (lambda labels: [*labels[:4], [0.5] * len(labels[4]), *labels[5:]], None),  # numbers: the metric is another
        (lambda labels: [*labels[:4], [0, -7], *labels[5:]], r"got -7 at part 1 of sample 4"),
    ],
)
def test_labels_that_do_not_fit_are_said_with_their_sample(change, message):
    dataset, labels, _ = sequences(True)
    if message is None:
        assert make(change(labels)).type == "regression"
        return
    with pytest.raises(ValueError, match=message):
        dataset.replace(tasks={"odd": make(change(labels))})


def test_a_sample_outside_the_split_needs_no_labels():
    dataset, labels, _ = sequences(True)
    labels[29] = []
    dataset.replace(tasks={"odd": make(labels, {**SPLIT, "test": range(22, 29)})})


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("kind", [TransformerEncoder, GRUEncoder])
def test_rows_are_those_of_the_labelled_tokens_alone(kind, special):
    """Batched with longer ones or alone, in any order; what stands for a special token is never read."""
    dataset, labels, inner = sequences(special)
    task = make(labels)
    torch.manual_seed(0)
    encoder = kind(10, out_channels=8).eval()
    items = torch.tensor([4, 0, 11])
    node, place = task.samples(items)
    inputs = dataset.fetch(node)
    rows = task.read(encoder(inputs), place, inputs)
    assert len(rows) == len(task.target(items)) == sum(len(inner[i]) for i in (4, 0, 11))
    alone = []
    for i in items.tolist():
        h = encoder(dataset.fetch(torch.tensor([i]))).h
        alone.append(h[1:-1] if special else h)
    torch.testing.assert_close(rows, torch.cat(alone), atol=1e-5, rtol=1e-4)
    turned = task.read(encoder(inputs), torch.tensor([2, 0]), inputs)
    torch.testing.assert_close(turned, torch.cat([alone[2], alone[0]]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("head", ["linear", "full", "converged"])
@pytest.mark.parametrize("kind", ["classification", "regression", "multilabel"])
def test_every_type_of_label_is_learnt_over_parts_where_some_are_missing(kind, head):
    dataset, labels, _ = sequences(True)
    if kind != "classification":
        labels = [part.float() for part in labels]
    labels[0][0] = -1 if kind == "classification" else float("nan")
    if kind == "multilabel":
        labels = [torch.stack([part, 1 - part], dim=1) for part in labels]
    task = make(labels)
    how = partial(torch.optim.AdamW, lr=0.1)
    settings = FinetuneSettings("full" if head == "full" else "linear", how, max_epochs=60, patience=60)
    settings.converged = head == "converged"
    found = fine_tune(OneHot(), dataset, task, settings, accelerator="cpu")
    assert found.test < 0.05 if kind == "regression" else found.test > 0.95
    assert len(found.predicted) == len(task.target(task.split["test"]))


def test_frozen_parts_are_encoded_once_within_a_budget_and_again_beyond_it(monkeypatch):
    dataset, labels, _ = sequences(True)
    task = make(labels)
    torch.manual_seed(0)
    encoder = TransformerEncoder(10, out_channels=16, num_layers=1)
    items = torch.cat(list(task.split.values()))
    kept = EmbeddedParts.of(encoder, dataset, task, items)
    live = Fetched(task, dataset)
    some = torch.tensor([20, 3, 28])
    batch, fetched = kept.fetch(some), live.fetch(some)
    encoder.eval()
    rows = task.read(encoder(fetched.inputs), fetched.place, fetched.inputs)
    torch.testing.assert_close(batch.inputs, rows.detach(), atol=2e-3, rtol=2e-3)  # half precision
    assert torch.equal(batch.y, fetched.y) and torch.equal(batch.y, torch.cat([labels[i] for i in some]))
    counts = []
    monkeypatch.setattr(TransformerEncoder, "forward", counted(TransformerEncoder.forward, counts))
    settings = FinetuneSettings(max_epochs=5, patience=5)
    once = fine_tune(encoder, dataset, task, settings, accelerator="cpu")
    assert len(counts) == 2  # one sample to look at, all samples
    monkeypatch.setattr(task_batches, "SCRATCH", 100)
    again = fine_tune(encoder, dataset, task, settings, accelerator="cpu")
    assert len(counts) > 2 + 2 * 5
    torch.testing.assert_close(once.predicted, again.predicted, atol=2e-2, rtol=2e-2)
    with pytest.raises(ValueError, match="'converged' needs embeddings of parts of at most"):
        fine_tune(encoder, dataset, task, FinetuneSettings(converged=True), accelerator="cpu")


def counted(forward, counts):
    def wrapped(self, inputs):
        counts.append(1)
        return forward(self, inputs)

    return wrapped


def test_samples_and_encoders_without_parts_are_said_before_anything_trains():
    dataset, labels, _ = sequences(True)
    task = make(labels)
    with pytest.raises(ValueError, match="reads embeddings of parts, h with ptr, which this encoder does not give"):
        fine_tune(BagOfWordsEncoder(10), dataset, task)
    features = SampleDataset(torch.randn(N, 3, generator=seeded()))
    with pytest.raises(ValueError, match="task 'odd' has labels of parts, but the samples are rows of 3 features"):
        fine_tune(MLPEncoder(3), features, task)
    with pytest.raises(ValueError, match="'pair' does not act on task 'odd', whose items are no pairs"):
        fine_tune(TransformerEncoder(10), dataset, task, FinetuneSettings(pair="dot"))

    class Short(TransformerEncoder):
        def forward(self, inputs):
            found = super().forward(inputs)
            return Encoding(found.z, found.h[:, :5], found.ptr)

    with pytest.raises(ValueError, match="'part_channels' of 'Short' needs to be 5"):
        fine_tune(Short(10), dataset, task)


def test_z_is_as_it_was_and_a_folder_keeps_the_task(tmp_path):
    dataset, labels, _ = sequences(True)
    task = make(labels, metric=["macro_f1", "accuracy"], classes=["even", "odd"])
    dataset = dataset.replace(tasks={"odd": task})
    dataset.save(tmp_path / "it")
    again = SampleDataset.open(tmp_path / "it", verify=True)
    now = again.task("odd")
    assert type(now) is PartTask and torch.equal(now.labels, task.labels) and torch.equal(now.ptr, task.ptr)
    assert (now.metrics, now.classes) == (task.metrics, task.classes)
    assert again.card.tasks["odd"].type == "token" and again.card.tasks["odd"].num_classes == 2
    encoder = TransformerEncoder(10, out_channels=8)
    assert torch.equal(embed(encoder, again), embed(encoder, dataset))


@pytest.mark.parametrize("head", ["linear", "full"])
def test_the_first_token_of_a_word_is_read_where_words_have_several(head, tmp_path):
    """Between [2] and [3] each word is one or two tokens, of which the first alone says its label."""
    _, labels, inner = sequences(False)
    sizes = [torch.randint(1, 3, (len(part),), generator=seeded(i)).tolist() for i, part in enumerate(inner)]
    words = [
        [[int(t), 9][:n] for t, n in zip(part, size, strict=True)] for part, size in zip(inner, sizes, strict=True)
    ]
    token = [[2, *(one for word in part for one in word), 3] for part in words]
    units = [[-1, *(i for i, word in enumerate(part) for _ in word), -1] for part in words]
    dataset = SampleDataset(token_table(token, 10, special_tokens=[2, 3], units=units), tasks={"odd": make(labels)})
    assert dataset.store.num_parts().tolist() == [len(part) for part in labels]
    dataset.save(tmp_path / "saved")
    for one in (dataset, SampleDataset.open(tmp_path / "saved")):
        result = fine_tune(OneHot(), one, one.task("odd"), FinetuneSettings(head=head, max_epochs=60), seed=0)
        assert result.test == 1
    with pytest.raises(ValueError, match="the column 'units' needs a list of integers as long as the one of 'tokens'"):
        SampleDataset(token_table(token, 10, units=[[0]] * N))


def test_what_a_reader_cuts_off_is_neither_learnt_nor_scored():
    """Labels behind the cut go with their letters, counted and said; a wrong number of labels is refused as ever."""
    sequences = ["ACDEF", "GH", "IKLMNPQ"]
    labels = [[0, 1, 0, 1, 0], [1, 0], [0, 0, 0, 1, 1, 1, 1]]
    split = {"train": [0], "valid": [1], "test": [2]}
    dataset = SampleDataset(pa.table({"sequence": sequences}), tasks={"state": PartTask("state", labels, split)})
    reader = SymbolTokens(max_length=4)
    reader.fit(dataset.records)
    with pytest.warns(UserWarning, match=r"'state': 2 samples of more than 4 parts, .* 4 of 14 labels are left out"):
        read = dataset.read(reader)
    task = read.task("state")
    assert task.target(torch.arange(3)).tolist() == [0, 1, 0, 1, 1, 0, 0, 0, 0, 1]
    task.check_samples(read.store)
    assert dataset.task("state").target(torch.arange(3)).tolist() == [one for row in labels for one in row]
    assert read.fingerprint == dataset.fingerprint
    whole = SymbolTokens(max_length=7)
    whole.fit(dataset.records)
    assert dataset.read(whole).task("state") is dataset.task("state")
    short = PartTask("state", [labels[0], labels[1], labels[2][:3]], split)
    wrong = SampleDataset(pa.table({"sequence": sequences}), tasks={"state": short})
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(ValueError, match="sample 2 has 4 parts and 3 labels"),
    ):
        wrong.read(reader).task("state").check_samples(wrong.read(reader).store)
