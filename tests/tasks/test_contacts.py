"""ContactTask: precision of the likeliest pairs, sample by sample; against plain loops."""

from functools import partial

import pytest
import torch
from token_cases import OneHot

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.finetune import FinetuneSettings, fine_tune
from sigraph.samples.tokens import token_table
from sigraph.tasks import ContactTask
from sigraph.tasks.contacts import METRICS, num_pairs, pairs_of
from sigraph.theory import audit

SPLIT = {"train": range(8), "valid": range(8, 11), "test": range(11, 14)}
LENGTHS = [30 + i for i in range(13)] + [40]


def chains(special=True):
    """Tokens 4 ... 9; those of the same kind touch."""
    inner = [torch.randint(4, 10, (n,), generator=torch.Generator().manual_seed(n)) for n in LENGTHS]
    whole = [torch.cat([torch.tensor([2]), part, torch.tensor([3])]) if special else part for part in inner]
    contacts = [torch.combinations(torch.arange(len(part))).T for part in inner]
    contacts = [pairs[:, part[pairs[0]] == part[pairs[1]]] for pairs, part in zip(contacts, inner, strict=True)]
    return SampleDataset(token_table(whole, 10, special_tokens=[2, 3] if special else [])), contacts


def test_pairs_and_targets_are_those_at_least_six_apart():
    _, contacts = chains()
    task = ContactTask("touch", contacts, LENGTHS, SPLIT)
    items = torch.tensor([3, 0])
    wanted = []
    for item in items.tolist():
        touching = {tuple(pair) for pair in contacts[item].T.tolist()}
        pairs = [(i, j) for i in range(LENGTHS[item]) for j in range(i + 6, LENGTHS[item])]
        assert torch.stack(pairs_of(LENGTHS[item])).T.tolist() == [list(pair) for pair in pairs]
        wanted.append([float(pair in touching) for pair in pairs])
    assert task.target(items).tolist() == wanted[0] + wanted[1]
    assert task.row_items(items).tolist() == [0] * len(wanted[0]) + [1] * len(wanted[1])
    assert num_pairs(torch.tensor([0, 6, 7, 9])).tolist() == [0, 0, 1, 6]
    turned = ContactTask("touch", [pairs.flip(0).repeat(1, 2) for pairs in contacts], LENGTHS, SPLIT)
    assert torch.equal(turned.labels, task.labels)  # the other way round, and twice


def test_precision_is_that_of_a_plain_loop():
    _, contacts = chains()
    task = ContactTask("touch", contacts, LENGTHS, SPLIT)
    items = torch.tensor(SPLIT["test"])
    score = torch.rand(len(task.target(items)), generator=torch.Generator().manual_seed(0))
    found, values, at = task.evaluate(items, score), {name: [] for name in METRICS}, 0
    for item in items.tolist():
        length, touching = LENGTHS[item], {tuple(pair) for pair in contacts[item].T.tolist()}
        rows = []
        for i in range(length):
            for j in range(i + 6, length):
                rows.append((float(score[at]), j - i, (i, j) in touching))
                at += 1
        for name in METRICS:
            reach, share = name.split("_precision@L/")
            least, most = {"short": (6, 12), "medium": (12, 24), "long": (24, 10**9)}[reach]
            best = sorted((row for row in rows if least <= row[1] < most), reverse=True)[: max(length // int(share), 1)]
            values[name].append(sum(row[2] for row in best) / len(best))
    assert found == pytest.approx({name: sum(all_of) / len(all_of) for name, all_of in values.items()})


def test_pairs_of_parts_without_a_place_are_neither_learnt_nor_scored(tmp_path):
    dataset, contacts = chains()
    placed = [torch.ones(n, dtype=torch.bool) for n in LENGTHS]
    placed[12][[0, 20]], placed[13][5] = False, False
    whole = ContactTask("touch", contacts, LENGTHS, SPLIT, "long_precision@L/1")
    task = ContactTask("touch", contacts, LENGTHS, SPLIT, "long_precision@L/1", placed=placed)
    assert ContactTask("touch", contacts, LENGTHS, SPLIT, placed=[torch.ones(n) for n in LENGTHS]).placed is None
    items = torch.tensor(SPLIT["test"])
    y, full = task.target(items), whole.target(items)
    at = [
        (i, a, b) for i in items.tolist() for a, b in zip(*map(torch.Tensor.tolist, pairs_of(LENGTHS[i])), strict=True)
    ]
    hidden = torch.tensor([not (placed[i][a] and placed[i][b]) for i, a, b in at])
    assert torch.equal(y.isnan(), hidden) and torch.equal(y[~hidden], full[~hidden]) and int(hidden.sum()) > 80
    score = torch.rand(len(y), generator=torch.Generator().manual_seed(0)).requires_grad_()
    task.loss(score, y, None).backward()
    assert bool((score.grad[hidden] == 0).all()) and bool((score.grad[~hidden] != 0).all())
    kept, found = ~hidden, []
    for i in items.tolist():
        of = [
            float(s) for s, (j, a, b), k in zip(score.detach(), at, kept, strict=True) if j == i and b - a >= 24 and k
        ]
        true = [float(t) for t, (j, a, b), k in zip(full, at, kept, strict=True) if j == i and b - a >= 24 and k]
        best = sorted(range(len(of)), key=of.__getitem__, reverse=True)[: LENGTHS[i]]
        found.append(sum(true[k] for k in best) / len(best))
    assert task.evaluate(items, score.detach())["long_precision@L/1"] == pytest.approx(sum(found) / len(found))
    dataset.replace(tasks={"touch": task}).save(tmp_path / "it")
    again = SampleDataset.open(tmp_path / "it").task("touch")
    assert torch.equal(again.placed, task.placed) and torch.equal(again.target(items).isnan(), hidden)


@pytest.mark.parametrize("special", [True, False])
@pytest.mark.parametrize("head", ["linear", "full"])
def test_contacts_are_learnt(special, head):
    dataset, contacts = chains(special)
    task = ContactTask("touch", contacts, LENGTHS, SPLIT, ["short_precision@L/1", "long_precision@L/5"])
    settings = FinetuneSettings(
        head, partial(torch.optim.AdamW, lr=0.3 if head == "linear" else 0.03), max_epochs=40, patience=40
    )
    found = fine_tune(OneHot(), dataset, task, settings, accelerator="cpu")  # by chance 0.17
    assert found.test > 0.6 and found.scores["long_precision@L/5"]["test"] > 0.95


def test_a_folder_keeps_the_task_and_an_audit_says_what_it_is(tmp_path):
    dataset, contacts = chains()
    task = ContactTask("touch", contacts, LENGTHS, SPLIT, ["medium_precision@L/2", "long_precision@L/1"], about="toy")
    graph = PretrainGraph([[0, 1], [1, 2]], len(LENGTHS))
    dataset.replace({"g": graph}, {"touch": task}).save(tmp_path / "it")
    again = SampleDataset.open(tmp_path / "it", verify=True)
    now = again.task("touch")
    assert type(now) is ContactTask and torch.equal(now.labels, task.labels) and now.metrics == task.metrics
    assert again.card.tasks["touch"].type == "contact"
    (row,) = audit(again).rows
    assert row.verdict == "undefined" and "labels are of a contact, not of a sample" in row.reason
    assert row.num_samples == 14 and row.type == "contact"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"contacts": lambda old: [torch.tensor([[0], [30]]), *old[1:]]}, r"sample 0 .* positions in \[0, 30\)"),
        ({"contacts": lambda old: [torch.tensor([[-1], [9]]), *old[1:]]}, r"got \[-1, 9\]"),
        ({"contacts": lambda old: [torch.tensor([[4], [4]]), *old[1:]]}, "hold a part with itself"),
        ({"contacts": lambda old: [torch.tensor([4, 9, 8]), *old[1:]]}, r"need shape \[2, C\]"),
        ({"contacts": lambda old: old[:-1]}, "needs an array for each of 14 lengths .got 13"),
        ({"placed": [[True] * 30]}, "'placed' .* a row for each of 14 samples .got 1"),
        ({"placed": [[True] * 30] * 14}, "'placed' .* needs 31 of sample 1 .got 30"),
        ({"metric": "long_precision@L/3"}, r"needs to be one of .*did you mean 'long_precision@L/"),
        ({"split": {**SPLIT, "valid": range(7, 11)}}, "share sample 7"),
        ({"lengths": [20] * 14, "contacts": lambda old: [torch.empty(2, 0)] * 14}, "a sample of more than 24 parts"),
    ],
)
def test_what_does_not_fit_is_said_when_the_task_is_made(change, message):
    _, contacts = chains()
    given = {"contacts": contacts, "lengths": LENGTHS, "split": SPLIT, "metric": "long_precision@L/5"}
    for name, value in change.items():
        given[name] = value(contacts) if callable(value) else value
    with pytest.raises(ValueError, match=message):
        ContactTask("touch", **given)


def test_samples_of_other_lengths_are_refused():
    dataset, contacts = chains()
    task = ContactTask("touch", contacts, [*LENGTHS[:-1], 41], SPLIT)
    with pytest.raises(ValueError, match="has 41 parts of sample 13, which has 40"):
        dataset.replace(tasks={"touch": task})


@pytest.mark.parametrize("most", [6, 12, 35, 45])
def test_cut_chains_are_tasks_of_what_is_read(most):
    _, contacts = chains()
    has_place = [torch.arange(n) % 5 != 0 for n in LENGTHS]
    task = ContactTask("touch", contacts, LENGTHS, SPLIT, placed=has_place)
    cut, items = task.cut(most), torch.arange(14)
    short = [min(n, most) for n in LENGTHS]
    inside = [pairs[:, (pairs < most).all(dim=0)] for pairs in contacts]
    if most >= 25:
        same = ContactTask("touch", inside, short, SPLIT, placed=[row[:most] for row in has_place])
        torch.testing.assert_close(cut.target(items), same.target(items), equal_nan=True)
        scores = torch.rand(int(num_pairs(same.lengths).sum()), generator=torch.Generator().manual_seed(0))
        assert cut.evaluate(items, scores) == same.evaluate(items, scores)
        cut.check_scorable()
    else:
        with pytest.raises(ValueError, match=r"needs a sample of more than 24 parts in 'train' \(the longest has"):
            cut.check_scorable()
    assert (cut is task) == (most == 45) and bool(cut.left_out) == (most != 45)
    if most == 35:
        far = sum(int(((pairs >= 35).any(dim=0) & (pairs[1] - pairs[0] >= 6)).sum()) for pairs in contacts)
        whole = sum(int((pairs[1] - pairs[0] >= 6).sum()) for pairs in contacts)
        assert (
            cut.left_out.startswith("8 samples of more than 35 parts")
            and f"{far} of {whole:,} contacts" in cut.left_out
        )
        assert task.lengths.tolist() == LENGTHS and not task.left_out
