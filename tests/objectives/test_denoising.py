"""Denoising: what is dropped and what stays, values by hand, tokens and rows, and a run of it from a YAML."""

import copy
import math

import pytest
import torch
from corruption_cases import batch, corruptions, seeded

from sigraph.collate import pretrain_loader
from sigraph.config import ConfigError, config_from_dict
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.encoders import BagOfWordsEncoder, Encoding, GRUEncoder, MLPEncoder, TransformerEncoder
from sigraph.experiment import run
from sigraph.objectives import Denoising
from sigraph.objectives.denoising import BagTarget, RowTarget
from sigraph.running.parts import build_parts
from sigraph.samplers import NeighborPairSampler
from sigraph.samples import Tokens, token_table


def corrupted(objective: Denoising, inputs: Tokens, num_seeds: int, seed: int = 0) -> tuple[Tokens, BagTarget]:
    return objective.corrupt(inputs, torch.arange(len(inputs.length)), num_seeds, seeded(seed))


def is_subsequence(short: list[int], long: list[int]) -> bool:
    rest = iter(long)
    return all(one in rest for one in short)


@corruptions(0.01, 0.6, 0.99)
def test_what_is_dropped_and_what_is_remembered(lengths, num_seeds, rate, everyone, seed):
    num_seeds = min(num_seeds, len(lengths))
    inputs = batch(lengths, num_tokens=12, special=(3, 4))
    before = copy.deepcopy(inputs)
    objective = Denoising(4, num_tokens=12, drop_rate=rate, corrupt_all=everyone)
    out, target = corrupted(objective, inputs, num_seeds, seed)
    assert torch.equal(inputs.token, before.token) and torch.equal(inputs.ptr, before.ptr)
    touched = len(lengths) if everyone else num_seeds
    assert len(out.token) == int(out.ptr[-1]) == len(out.is_special) and len(out.ptr) == len(inputs.ptr)
    for i in range(len(lengths)):
        old, new = (one.token[one.ptr[i] : one.ptr[i + 1]].tolist() for one in (inputs, out))
        assert new and is_subsequence(new, old)  # never empty, in order
        assert [t for t in new if t in (3, 4)] == [t for t in old if t in (3, 4)]  # special tokens stay
        words = [t for t in old if t not in (3, 4)]
        assert i < touched or new == old
        assert target.token[target.sample == i].tolist() == (words if i < touched else [])
        assert not words or any(t not in (3, 4) for t in new)
    assert torch.equal(out.is_special, (out.token == 3) | (out.token == 4))


def test_the_share_is_as_stated_and_any_token_may_stay():
    inputs = batch([80] * 400, num_tokens=1000)
    out, _ = corrupted(Denoising(4, num_tokens=1000), inputs, 400)
    assert 1 - len(out.token) / 32_000 == pytest.approx(0.6, abs=0.01)
    short = batch([3] * 3000, num_tokens=5000)._replace(token=torch.arange(9000) % 4000)
    left, _ = corrupted(Denoising(4, num_tokens=5000, drop_rate=0.999), short, 3000)
    assert (left.length >= 1).all() and left.length.sum() < 3020
    first = torch.tensor([0, *left.ptr[1:-1].tolist()])
    place = (left.token[first] - short.token[::3]).remainder(4000)
    assert ((place.bincount() - 1000).abs() < 120).all()  # each of the three as often


def test_words_are_dropped_whole():
    inputs = batch([7, 4])
    special = torch.tensor([True, *[False] * 10])
    inputs = inputs._replace(
        token=torch.arange(11) + 2, unit=torch.tensor([-1, 0, 1, 1, 1, 2, 2, 0, 0, -1, 1]), is_special=special
    )
    words, seen = [[3], [4, 5, 6], [7, 8], [9, 10], [11], [12]], set()
    for seed in range(60):
        out, target = corrupted(Denoising(4, num_tokens=50, whole_units=True), inputs, 2, seed)
        left = set(out.token.tolist())
        assert all(left >= set(word) or not left & set(word) for word in words) and 2 in left
        assert (out.length >= 1).all() and len(out.unit) == len(out.token) == len(out.is_special)
        assert torch.equal(out.unit, inputs.unit[out.token - 2]) and len(target.token) == 10
        seen |= left
    assert seen == set(range(2, 13))
    with pytest.raises(ValueError, match=r"'whole_units' needs samples that say .* in 'Denoising'"):
        corrupted(Denoising(4, num_tokens=50, whole_units=True), batch([3]), 1)


def by_hand(**settings) -> Denoising:
    """Scores (z, 0, 0) of three entries."""
    objective = Denoising(1, **settings)
    objective.decoder.weight.data = torch.tensor([[1.0], [0.0], [0.0]])
    objective.decoder.bias.data.zero_()
    return objective


def test_tokens_by_hand():
    """All tokens count, as often as they stand there, whatever was dropped; the third sample is no seed."""
    z = torch.tensor([[math.log(2)], [0.0], [9.0]])
    target = BagTarget(torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 2, 1]))
    value = by_hand(num_tokens=3)(Encoding(z, torch.zeros(7, 4)), target)  # 1/2, 1/2, 1/4 and 1/3
    assert value.item() == pytest.approx((2 * math.log(2) + math.log(4) + math.log(3)) / 4)


def test_rows_by_hand():
    z, value = torch.tensor([[math.log(2)], [0.0], [9.0]]), torch.tensor([[2.0, 0, 1], [0, 3, 0]])
    words = by_hand(in_channels=3, loss="words")(Encoding(z), RowTarget(value))
    assert words.item() == pytest.approx((2 * math.log(2) + math.log(4) + 3 * math.log(3)) / 6)
    mse = by_hand(in_channels=3)(Encoding(z), RowTarget(value))
    assert mse.item() == pytest.approx(((math.log(2) - 2) ** 2 + 1 + 9) / 6)
    bce = by_hand(in_channels=3, loss="bce")(Encoding(z), RowTarget((value > 0).float()))
    # logit log 2 for a 1, once; logit 0, five times
    assert bce.item() == pytest.approx((math.log(1.5) + 5 * math.log(2)) / 6)
    for loss, wrong in (("words", -value), ("bce", value)):
        with pytest.raises(ValueError, match=rf"'loss' {loss} needs features .* in 'Denoising'; use loss: mse"):
            by_hand(in_channels=3, loss=loss)(Encoding(z), RowTarget(wrong))


@pytest.mark.parametrize("rate", [0.15, 0.6])
def test_rows_lose_the_stated_share_and_never_everything(rate):
    inputs = torch.rand(300, 50, generator=seeded()) + 1
    objective = Denoising(4, in_channels=50, drop_rate=rate)
    out, target = objective.corrupt(inputs, torch.arange(300), 200, seeded())
    assert torch.equal(target.value, inputs[:200]) and torch.equal(out[200:], inputs[200:])
    assert (out[:200] == 0).float().mean().item() == pytest.approx(rate, abs=0.02)
    assert torch.equal(out[out != 0], inputs[out != 0])
    sparse = torch.eye(40)[:, :20] * 5  # one entry a row, or none
    left, _ = Denoising(4, in_channels=20, drop_rate=0.9).corrupt(sparse, torch.arange(40), 40, seeded())
    assert torch.equal(left, sparse)
    whole, target = Denoising(4, in_channels=50, corrupt_all=True).corrupt(inputs, torch.arange(300), 1, seeded())
    assert len(target.value) == 300 and (whole[200:] == 0).any()


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
    encoder, objective = make(), Denoising(6, num_tokens=50)
    out, target = corrupted(objective, batch([5, 3, 8]), 2)
    objective(encoder(out), target).backward()
    for name, parameter in [*encoder.named_parameters(), *objective.named_parameters()]:
        assert parameter.grad is not None and parameter.grad.isfinite().all() and (parameter.grad != 0).any(), name


def test_tokens_are_learnt_down_to_the_entropy_of_the_bags():
    torch.manual_seed(0)
    encoder, objective = BagOfWordsEncoder(30, 32, 16), Denoising(16, num_tokens=30)
    out, target = corrupted(objective, batch([4, 5, 3, 6], num_tokens=30), 4)
    optimizer = torch.optim.Adam([*encoder.parameters(), *objective.parameters()], lr=0.02)
    for _ in range(100):
        optimizer.zero_grad()
        value = objective(encoder(out), target)
        value.backward()
        optimizer.step()
    floor = 0.0
    for i in range(4):
        count = target.token[target.sample == i].bincount().double()
        count = count[count > 0]
        floor -= float((count * (count / count.sum()).log()).sum()) / len(target.token)
    assert floor < value.item() < floor + 0.1


@pytest.mark.parametrize("num_seeds", [0, 2])
def test_nothing_but_special_tokens_is_a_connected_zero(num_seeds):
    inputs = batch([2, 3])._replace(is_special=torch.ones(5, dtype=torch.bool))
    objective = Denoising(6, num_tokens=50)
    out, target = corrupted(objective, inputs, num_seeds)
    assert torch.equal(out.token, inputs.token) and not len(target.token)
    z = torch.randn(2, 6, requires_grad=True)
    loss = objective(Encoding(z), target)
    loss.backward()
    assert loss == 0 and (z.grad == 0).all() and (objective.decoder.weight.grad == 0).all()


@pytest.mark.parametrize("kind", ["tokens", "rows"])
def test_several_processes_share_the_count(kind, monkeypatch):
    settings = {"num_tokens": 3} if kind == "tokens" else {"in_channels": 3, "loss": "words"}
    objective, seen = by_hand(**settings), []
    monkeypatch.setattr(objective, "mean", lambda total, count: seen.append(count.item()) or total / 10)
    bag = BagTarget(torch.tensor([0, 0]), torch.tensor([1, 2]))
    target = bag if kind == "tokens" else RowTarget(torch.tensor([[0.0, 1, 1]]))
    value = objective(Encoding(torch.zeros(1, 1)), target)
    assert seen == [2.0] and value.item() == pytest.approx(2 * math.log(3) / 10)


@pytest.mark.parametrize("num_workers", [1, 2])
def test_batches_are_the_same_with_any_number_of_workers(num_workers):
    tokens = [torch.randint(2, 30, (1 + i % 7,), generator=seeded(i)) for i in range(24)]
    graph = PretrainGraph(torch.stack([torch.arange(23), torch.arange(1, 24)]), 24)
    dataset = SampleDataset(token_table(tokens, 30), {"line": graph})

    def steps(workers: int) -> list:
        objective, sampler = Denoising(4, num_tokens=30), NeighborPairSampler(graph)
        loader = pretrain_loader(dataset, sampler, objective, batch_size=5, seed=3, num_workers=workers)
        return [(*batch.inputs[:2], *batch.target, batch.node) for batch in loader]

    for step, other in zip(steps(0), steps(num_workers), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(step, other, strict=True))


def test_other_samples_and_encoders_are_named():
    with pytest.raises(ValueError, match=r"'inputs' needs Tokens in 'Denoising' \(got Tensor\)"):
        Denoising(4, num_tokens=5).corrupt(torch.ones(2, 3), torch.arange(2), 2)
    with pytest.raises(ValueError, match=r"'inputs' needs feature rows, a tensor, in 'Denoising' \(got Tokens\)"):
        Denoising(4, in_channels=5).corrupt(batch([2, 3]), torch.arange(2), 2)
    for width, features, message in (
        (3, 3, r"'encoder_channels' needs to be the width of z, 3, in 'Denoising' \(got 1\)"),
        (1, 4, r"'in_channels' needs to be the width of the samples, 4, in 'Denoising' \(got 3\)"),
    ):
        with pytest.raises(ValueError, match=message):
            by_hand(in_channels=3)(Encoding(torch.zeros(2, width)), RowTarget(torch.zeros(2, features)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_channels": None}, r"is needed in 'Denoising' \(got neither\); a reader makes either of records"),
        ({"num_tokens": 9}, r"'in_channels' .* or 'num_tokens' .* \(got both\)"),
        ({"in_channels": "six"}, "'in_channels' needs to be an integer >= 1"),
        ({"in_channels": None, "num_tokens": 0}, "'num_tokens' needs to be an integer >= 1"),
        ({"encoder_channels": 0}, "'encoder_channels' needs to be an integer >= 1"),
        ({"drop_rate": 0.0}, r"'drop_rate' needs to be in \(0, 1\)"),
        ({"drop_rate": 1}, "'drop_rate'"),
        ({"loss": "l1"}, "'loss' needs to be one of mse, bce, words in 'Denoising'"),
        ({"in_channels": None, "num_tokens": 9, "loss": "mse"}, r"'loss' needs to be words, or null, .*got 'mse'"),
        ({"whole_units": True}, "'whole_units' needs token sequences"),
        ({"corrupt_all": "no"}, "'corrupt_all' needs to be true or false"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Denoising(**{"in_channels": 3, "encoder_channels": 2, **arguments})


DENOISING = {"_target_": "sigraph.objectives.Denoising"}


def test_an_experiment_on_rows_runs_alone_and_with_labels(toy):
    both = [DENOISING, {"_target_": "sigraph.objectives.MultiTask", "tasks": ["block"]}]
    toy["pretrain"]["objective"], toy["seeds"] = DENOISING, [0]
    toy["arms"]["with-labels"] = {
        "pretrain.objective": {"_target_": "sigraph.objectives.JointObjective", "objectives": both}
    }
    config = config_from_dict(toy)
    assert not run(config).failed
    inside = build_parts(config.arm("with-labels").pretrain, 0).objective.objectives[0]
    assert inside.in_channels == 6 and inside.num_tokens is None and inside.loss == "mse"


def test_an_experiment_on_sequences_runs(toy, tmp_path):
    ids = torch.arange(40)
    table = token_table((torch.arange(0, 161, 4), 2 + torch.arange(160) % 10), 12)
    ring = PretrainGraph(torch.stack([ids, (ids + 2) % 40]), 40)
    SampleDataset(table, {"ring": ring}, name="tokens").save(tmp_path / "tokens")
    encoder = {"_target_": "sigraph.encoders.BagOfWordsEncoder", "hidden_channels": 4, "out_channels": 4}
    toy["pretrain"] |= {"dataset": str(tmp_path / "tokens"), "graph": "ring", "objective": DENOISING}
    toy["pretrain"]["encoder"], toy["seeds"], toy["finetune"] = encoder, [0], []
    config = config_from_dict(toy)
    assert not run(config).failed
    parts = build_parts(config.arm("sipt").pretrain, 0)
    assert parts.objective.num_tokens == 12 and parts.objective.loss == "words"
    toy["pretrain"]["objective"] = {**DENOISING, "loss": "mse"}
    with pytest.raises(ConfigError, match="'loss' needs to be words"):
        build_parts(config_from_dict(toy).arm("sipt").pretrain, 0)


def test_what_is_left_is_read_by_the_encoder():
    inputs = batch([5, 3, 8])
    out, _ = corrupted(Denoising(6, num_tokens=50), inputs, 2)
    encoding = GRUEncoder(50, 5, 6)(out)
    assert len(encoding.z) == 3 and len(encoding.h) == len(out.token) < len(inputs.token)
    rows = torch.rand(4, 9)
    left, target = Denoising(6, in_channels=9).corrupt(rows, torch.arange(4), 4, seeded())
    assert MLPEncoder(9, 8, 6)(left).z.shape == (4, 6) and torch.equal(target.value, rows)
