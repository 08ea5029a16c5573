"""MaskedToken: BERT's rule counted, values by hand, what is never touched, what is refused."""

import math

import pytest
import torch
from corruption_cases import batch, corruptions, seeded
from token_cases import TINY_BERT

from sigraph.collate import pretrain_loader
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.encoders import (
    BagOfWordsEncoder,
    Encoding,
    GRUEncoder,
    HuggingFaceEncoder,
    MLPEncoder,
    TransformerEncoder,
)
from sigraph.losses import InfoNCELoss
from sigraph.objectives import MaskedToken
from sigraph.objectives.masked_token import TokenTarget
from sigraph.pretrain import PretrainModule
from sigraph.samplers import NeighborPairSampler
from sigraph.samples import FIRST_TOKEN, MASK, PAD, Tokens, token_table


def corrupted(objective: MaskedToken, inputs: Tokens, num_seeds: int, seed: int = 0) -> tuple[Tokens, TokenTarget]:
    return objective.corrupt(inputs, torch.arange(len(inputs.length)), num_seeds, seeded(seed))


@corruptions(0.01, 0.15, 0.9)
def test_what_is_touched_and_what_is_remembered(lengths, num_seeds, rate, everyone, seed):
    num_seeds = min(num_seeds, len(lengths))
    inputs = batch(lengths)
    out, target = corrupted(MaskedToken(50, 4, rate, corrupt_all=everyone), inputs, num_seeds, seed)
    touched = len(lengths) if everyone else num_seeds
    assert torch.equal(out.length, inputs.length) and torch.equal(out.token == PAD, inputs.token == PAD)
    assert target.sample.unique().tolist() == list(range(touched))  # at least one of each, of no other sample
    assert target.num_parts == sum(lengths)
    assert torch.equal(inputs.sample[target.part], target.sample)
    assert torch.equal(inputs.token[target.part], target.token)
    assert target.part.unique().numel() == target.part.numel()
    changed = torch.zeros_like(inputs.token, dtype=torch.bool)
    changed[target.part] = True
    assert torch.equal(out.token[~changed], inputs.token[~changed])
    shown = out.token[target.part]
    assert ((shown == MASK) | (shown >= FIRST_TOKEN)).all() and (shown < 50).all()


@pytest.mark.parametrize(("hide", "other"), [(0.8, 0.1), (0.3, 0.6), (1.0, 0.0), (0.0, 1.0)])
def test_shares_are_as_stated(hide, other):
    inputs = batch([80] * 500, num_tokens=1000)
    out, target = corrupted(MaskedToken(1000, 4, 0.15, hide, other), inputs, 500)
    number = len(target.token)
    assert number / 40_000 == pytest.approx(0.15, abs=0.01)
    shown = out.token[target.part]
    assert (shown == MASK).sum().item() / number == pytest.approx(hide, abs=0.03)
    assert (shown == target.token).sum().item() / number == pytest.approx(1 - hide - other, abs=0.03)
    if other == 1:  # any token of the vocabulary, each as often: 6,000 draws into 998 classes
        count = shown.bincount(minlength=1000)[FIRST_TOKEN:].double()
        expected = number / 998
        assert ((count - expected) ** 2 / expected).sum().item() == pytest.approx(997, abs=5 * (2 * 997) ** 0.5)


def test_a_short_sequence_loses_any_of_its_tokens():
    inputs = batch([3] * 3000)
    _, target = corrupted(MaskedToken(50, 4, mask_rate=0.001), inputs, 3000)
    place = (target.part - 3 * target.sample).bincount()
    assert place.sum() < 3020 and ((place - 1000).abs() < 120).all()


def by_hand() -> MaskedToken:
    """Logits 0, 0, x, 0 for an embedding x: probability of token 2 is e^x / (3 + e^x)."""
    objective = MaskedToken(4, 1)
    objective.decoder.weight.data = torch.tensor([[0.0], [0.0], [1.0], [0.0]])
    objective.decoder.bias.data.zero_()
    return objective


def test_from_tokens_by_hand():
    h = torch.tensor([[0.0], [math.log(3)], [5.0], [math.log(9)]])
    target = TokenTarget(torch.tensor([0, 1]), torch.tensor([1, 3]), torch.tensor([2, 3]), 4)
    value = by_hand()(Encoding(torch.zeros(2, 7), h), target)  # 3 of 6 for token 2, 1 of 12 for token 3
    assert value.item() == pytest.approx((math.log(2) + math.log(12)) / 2)


def test_from_samples_by_hand():
    z = torch.tensor([[5.0], [math.log(3)], [0.0]])
    target = TokenTarget(torch.tensor([1, 1, 2]), torch.tensor([1, 3, 4]), torch.tensor([2, 3, 2]), 6)
    value = by_hand()(Encoding(z), target)
    assert value.item() == pytest.approx((math.log(2) + math.log(6) + math.log(4)) / 3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: BagOfWordsEncoder(50, 8, 6),
        lambda: GRUEncoder(50, 5, 6, pooling="last"),
        lambda: TransformerEncoder(50, 6, num_heads=2),
    ],
)
def test_every_parameter_gets_a_gradient(make):
    torch.manual_seed(0)
    encoder, objective = make(), MaskedToken(50, 6)
    out, target = corrupted(objective, batch([5, 3, 8]), 2)
    objective(encoder(out), target).backward()
    for name, parameter in [*encoder.named_parameters(), *objective.named_parameters()]:
        assert parameter.grad is not None and parameter.grad.isfinite().all() and (parameter.grad != 0).any(), name


def test_a_layer_of_z_alone_is_connected():
    """DDP waits for a gradient of every parameter."""
    own = torch.nn.Linear(6, 6)
    h = torch.randn(4, 6)
    target = TokenTarget(torch.tensor([0]), torch.tensor([1]), torch.tensor([2]), 4)
    MaskedToken(50, 6)(Encoding(own(h[:2]), h), target).backward()
    assert (own.weight.grad == 0).all() and (own.bias.grad == 0).all()


@pytest.mark.parametrize("h", [None, torch.zeros(3, 6)])
def test_nothing_to_predict_is_a_connected_zero(h):
    z = torch.randn(2, 6, requires_grad=True)
    none = torch.empty(0, dtype=torch.long)
    loss = MaskedToken(50, 6)(Encoding(z, h), TokenTarget(none, none, none, 3))
    loss.backward()
    assert loss == 0 and (z.grad == 0).all()


def test_several_processes_share_the_count(monkeypatch):
    """The mean is taken by the objective's own means, which counts the tokens of all processes."""
    seen = []
    objective = by_hand()
    monkeypatch.setattr(objective, "mean", lambda total, count: seen.append(count.item()) or total / 10)
    target = TokenTarget(torch.tensor([0, 0]), torch.tensor([0, 1]), torch.tensor([2, 2]), 2)
    value = objective(Encoding(torch.zeros(1, 1), torch.zeros(2, 1)), target)
    assert seen == [2.0] and value.item() == pytest.approx(2 * math.log(4) / 10)


@pytest.mark.parametrize("num_workers", [1, 2])
def test_batches_are_the_same_with_any_number_of_workers(num_workers):
    tokens = [torch.randint(2, 30, (1 + i % 7,), generator=seeded(i)) for i in range(24)]
    graph = PretrainGraph(torch.stack([torch.arange(23), torch.arange(1, 24)]), 24)
    dataset = SampleDataset(token_table(tokens, 30), {"line": graph})

    def steps(workers: int) -> list:
        loader = pretrain_loader(
            dataset, NeighborPairSampler(graph), MaskedToken(30, 4), batch_size=5, seed=3, num_workers=workers
        )
        return [(*batch.inputs[:2], *batch.target[:3], batch.node) for batch in loader]

    own = steps(0)
    for step, other in zip(own, steps(num_workers), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(step, other, strict=True))
    assert any(MASK in step[0] for step in own)


def test_another_encoder_is_named():
    target = TokenTarget(torch.tensor([0]), torch.tensor([1]), torch.tensor([2]), 4)
    for encoding, message in (
        (Encoding(torch.zeros(2, 5)), r"'encoder_channels' needs to be the width of z, 5, in 'MaskedToken' \(got 6\)"),
        (Encoding(torch.zeros(2, 6), torch.zeros(4, 7)), r"the width of h, 7, in 'MaskedToken' \(got 6\)"),
        (Encoding(torch.zeros(2, 6), torch.zeros(3, 6)), r"h needs one row a token, 4, for 'MaskedToken' \(got 3\)"),
    ):
        with pytest.raises(ValueError, match=message):
            MaskedToken(50, 6)(encoding, target)


def test_other_samples_are_named():
    with pytest.raises(ValueError, match=r"'inputs' needs sigraph.data.Tokens in 'MaskedToken' \(got Tensor\)"):
        MaskedToken(50, 6).corrupt(torch.ones(2, 3), torch.arange(2), 2)
    with pytest.raises(ValueError, match="'inputs' needs feature rows"):
        MLPEncoder(4)(batch([2, 3]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_tokens": None}, r"'num_tokens' needs token sequences in 'MaskedToken' \(got a data set without\)"),
        ({"num_tokens": 2}, "'num_tokens' needs to be an integer >= 3 in 'MaskedToken'"),
        ({"encoder_channels": 0}, "'encoder_channels' needs to be an integer >= 1"),
        ({"mask_rate": 0.0}, r"'mask_rate' needs to be in \(0, 1\)"),
        ({"mask_rate": float("nan")}, "'mask_rate'"),
        ({"hide_rate": 1.1}, r"'hide_rate' needs to be in \[0, 1\] in 'MaskedToken' \(got 1.1\)"),
        ({"random_rate": -0.1}, r"'random_rate' needs to be in \[0, 1\]"),
        ({"random_rate": float("nan")}, r"'random_rate' needs to be in \[0, 1\]"),
        ({"hide_rate": "most"}, r"'hide_rate' .*got 'most'"),
        ({"random_rate": 0.3}, r"'hide_rate' \+ 'random_rate' need to be in \(0, 1\] .*got 0.8 \+ 0.3"),
        ({"hide_rate": 0.0, "random_rate": 0.0}, r"need to be in \(0, 1\]"),
        ({"corrupt_all": "no"}, "'corrupt_all' needs to be true or false"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        MaskedToken(**{"num_tokens": 50, "encoder_channels": 6, **arguments})


def test_tied_weights_are_the_encoders_and_learn_with_it():
    torch.manual_seed(0)
    encoder = TransformerEncoder(50, 8, num_heads=2, dropout=0.0)
    objective = MaskedToken(50, 8, tied=True)
    module = PretrainModule(encoder, InfoNCELoss(), objective, structure_weight=0.5)
    assert objective.decoder.weight is encoder.embedding.weight
    assert len(list(module.parameters())) == len({id(p) for p in module.parameters()})
    inputs, target = corrupted(objective, batch([5, 3]), 2)
    objective(encoder(inputs), target).backward()
    alone = TransformerEncoder(50, 8, num_heads=2, dropout=0.0)
    alone.load_state_dict(encoder.state_dict())
    loose = MaskedToken(50, 8)
    loose.decoder.load_state_dict(objective.decoder.state_dict())
    loose(alone(inputs), target).backward()
    torch.testing.assert_close(encoder.embedding.weight.grad, alone.embedding.weight.grad + loose.decoder.weight.grad)


def test_a_checkpoint_that_knows_more_tokens_is_tied_with_all_of_them():
    encoder = HuggingFaceEncoder(50, config={**TINY_BERT, "vocab_size": 60})
    objective = MaskedToken(50, 8, tied=True)
    objective.check_encoder(encoder)
    assert objective.decoder.weight is encoder.token_embedding.weight and objective.decoder.out_features == 60
    _, target = corrupted(objective, batch([5, 3]), 2)
    assert objective(encoder(batch([5, 3])), target).isfinite()


@pytest.mark.parametrize(
    ("encoder", "got"),
    [
        (lambda: BagOfWordsEncoder(50, 8, 8), "'BagOfWordsEncoder', which has none"),
        (lambda: GRUEncoder(50, 4, 8), "'GRUEncoder', of width 4"),
    ],
)
def test_what_cannot_be_tied_is_refused(encoder, got):
    with pytest.raises(ValueError, match=rf"'tied' needs an encoder of tokens .* as wide as its h, 8, .*{got}"):
        MaskedToken(50, 8, tied=True).check_encoder(encoder())


def with_words() -> Tokens:
    """Two sequences: [CLS] of no word, words of 1, 3 and 2 tokens; a word of 2, a mark of none, a word of 1."""
    inputs = batch([7, 4])
    special = torch.tensor([True, *[False] * 10])
    return inputs._replace(unit=torch.tensor([-1, 0, 1, 1, 1, 2, 2, 0, 0, -1, 1]), is_special=special)


def test_whole_words_are_hidden_or_not_at_all():
    inputs, seen = with_words(), set()
    words = [[1], [2, 3, 4], [5, 6], [7, 8], [9], [10]]
    for seed in range(60):
        _, target = corrupted(MaskedToken(50, 4, 0.3, whole_units=True), inputs, 2, seed)
        chosen = set(target.part.tolist())
        assert all(chosen >= set(word) or not chosen & set(word) for word in words)
        assert {int(sample) for sample in target.sample} == {0, 1}
        seen |= chosen
    assert seen == set(range(1, 11))
    with pytest.raises(
        ValueError, match=r"'whole_units' needs samples that say .* HuggingFaceTokens\(units=True\), or leave"
    ):
        corrupted(MaskedToken(50, 4, whole_units=True), batch([3]), 1)
    with pytest.raises(ValueError, match="'span_length' needs to be 1 in 'MaskedToken' with 'whole_units'"):
        MaskedToken(50, 4, whole_units=True, span_length=2)


def test_spans_are_hidden_as_one_and_begin_anywhere():
    inputs, lengths, starts = batch([90] * 40), [], set()
    _, target = corrupted(MaskedToken(50, 4, 0.2, span_length=3), inputs, 40)
    place = target.part - 90 * target.sample
    for sample in range(40):
        own = place[target.sample == sample]
        ends = torch.cat([torch.tensor([-1]), (own.diff() != 1).nonzero().view(-1), torch.tensor([len(own) - 1])])
        lengths += ends.diff().tolist()
        starts |= {int(one) % 3 for one in own[ends[:-1] + 1]}
    inner = [one for one in lengths if one % 3]
    assert len(inner) < 0.1 * len(lengths) and starts == {0, 1, 2}  # but for those cut off at an end
    assert len(target.token) / 3600 == pytest.approx(0.2, abs=0.04)
