"""Seed batches: every sample once an epoch, in an order of (seed, epoch), resumable; and batches that move whole."""

from collections import namedtuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader
from torch_geometric.data import Batch, Data

from sigraph.data.batch import PretrainBatch, SampleIds, SeedBatch, SeedBatchSampler
from sigraph.data.pairs import Pairs


def order(sampler):
    return [batch.seeds.tolist() for batch in sampler]


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 5), st.integers(0, 5))
def test_every_sample_once_an_epoch(n, batch_size, seed, epoch):
    sampler = SeedBatchSampler(n, batch_size, seed)
    sampler.set_epoch(epoch)
    batches = list(sampler)
    assert len(batches) == len(sampler) == -(-n // batch_size)
    assert sorted(torch.cat([batch.seeds for batch in batches]).tolist()) == list(range(n))
    assert all(batch.seeds.numel() == batch_size for batch in batches[:-1])
    assert [(batch.epoch, batch.step) for batch in batches] == [(epoch, step) for step in range(len(batches))]


def test_given_ids_only():
    for ids, batch_size in ((torch.tensor([7, 3, 100]), 2), (torch.tensor([100, 7, 3], dtype=torch.int32), 5)):
        seeds = torch.cat([batch.seeds for batch in SeedBatchSampler(ids, batch_size)])
        assert sorted(seeds.tolist()) == [3, 7, 100] and seeds.dtype == torch.long


def test_order_depends_on_seed_and_epoch_only():
    def epoch(seed, number):
        sampler = SeedBatchSampler(100, 10, seed)
        sampler.set_epoch(number)
        torch.rand(3)
        return order(sampler)

    assert epoch(0, 0) == epoch(0, 0) != sorted(epoch(0, 0))
    assert len({str(epoch(seed, number)) for seed in range(3) for number in range(3)}) == 9
    sampler = SeedBatchSampler(100, 10)
    assert order(sampler) == order(sampler) == epoch(0, 0)  # asking twice does not move on
    sampler.set_epoch(2)
    assert order(sampler) == epoch(0, 2)


@pytest.mark.parametrize("step", [0, 1, 3, 4, 5])
def test_an_epoch_is_continued_where_it_stood(step):
    first = SeedBatchSampler(10, 2, seed=4)
    first.set_epoch(3)
    whole, state = list(first), first.state_dict(step)
    other = SeedBatchSampler(10, 2, seed=9)
    other.load_state_dict(state)
    other.set_epoch(3)  # as Lightning does before it iterates: the same epoch goes on
    rest = list(other)
    assert [batch.step for batch in rest] == list(range(step, 5))
    assert [batch.seeds.tolist() for batch in rest] == [batch.seeds.tolist() for batch in whole[step:]]
    assert order(other) == order(first)  # once continued, the next pass is a whole one
    other.load_state_dict(state)
    other.set_epoch(4)
    first.set_epoch(4)
    assert order(other) == order(first) and len(order(other)) == 5


@pytest.mark.parametrize(
    ("ids", "batch_size", "message"),
    [
        (5, 0, "'batch_size' needs to be an integer >= 1 .*got 0"),
        (5, -3, "'batch_size' needs to be an integer >= 1"),
        (0, 2, "'ids' needs at least one sample"),
        (torch.empty(0, dtype=torch.long), 2, "'ids' needs at least one sample"),
        (torch.tensor([0.5, 1.0]), 2, "'ids' needs a list of integer sample ids .*float32"),
        (torch.tensor([True, False]), 2, "'ids' needs a list of integer sample ids .*bool"),
        (torch.tensor([[0, 1]]), 2, r"'ids' needs a list of integer sample ids .*\[1, 2\]"),
    ],
)
def test_wrong_arguments_are_refused(ids, batch_size, message):
    with pytest.raises(ValueError, match=message):
        SeedBatchSampler(ids, batch_size)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_stock_loader_passes_seed_batches_through(num_workers):
    sampler = SeedBatchSampler(10, 4, seed=1)
    loader = DataLoader(
        SampleIds(10), batch_size=None, sampler=sampler, num_workers=num_workers, collate_fn=lambda x: x
    )
    assert [(batch.seeds.tolist(), batch.step) for batch in loader] == [(b.seeds.tolist(), b.step) for b in sampler]
    assert len(loader) == 3 and len(SampleIds(10)) == 10


Nested = namedtuple("Nested", ["value", "more"])


def batch(inputs):
    pairs = Pairs.square(torch.tensor([[0, 1], [1, 0]]), 3)
    return PretrainBatch(
        torch.tensor([4, 2, 9]), 2, inputs, pairs, target=Nested(torch.ones(2), {"a": [torch.ones(1), 3]})
    )


def test_everything_moves_in_any_nesting():
    graphs = Batch.from_data_list([Data(x=torch.ones(2, 1)), Data(x=torch.ones(1, 1))])
    inputs = ({"x": torch.ones(3)}, [torch.ones(3), "text", None], graphs)
    original = batch(inputs)
    moved = original.to("meta", non_blocking=True)
    assert moved.node.is_meta and moved.pairs.positive_index.is_meta and moved.pairs.self_index.is_meta
    assert isinstance(moved.target, Nested) and moved.target.value.is_meta
    assert moved.target.more["a"][0].is_meta and moved.target.more["a"][1] == 3
    assert isinstance(moved.inputs, tuple) and moved.inputs[0]["x"].is_meta and moved.inputs[1][0].is_meta
    assert moved.inputs[1][1:] == ["text", None] and moved.inputs[2].x.is_meta
    assert moved.num_seeds == 2 and original.node.device.type == "cpu" and original.target.value.device.type == "cpu"


def test_pin_memory_reaches_everything(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: asked.append(self) or self)
    pinned = batch([torch.ones(3), "text"]).pin_memory()
    assert len(asked) == 1 + 1 + 2 + 2 and pinned.inputs[1] == "text"  # node, inputs, pairs, target


def test_records_and_no_target_pass_through():
    plain = PretrainBatch(torch.tensor([0]), 1, [{"text": "a"}], Pairs.square(torch.empty(2, 0, dtype=torch.long), 1))
    assert plain.to("cpu").inputs == [{"text": "a"}] and plain.to("cpu").target is None


def test_a_seed_batch_says_which_step_it_is():
    one = SeedBatch(torch.tensor([1]), epoch=2, step=3)
    assert (one.epoch, one.step, one.seeds.tolist()) == (2, 3, [1])


def test_num_steps_goes_over_as_many_shuffles_as_it_takes():
    sampler = SeedBatchSampler(5, 2, seed=1, num_steps=7)
    steps = list(sampler)
    assert len(sampler) == len(steps) == 7 and [batch.step for batch in steps] == list(range(7))
    first, second = torch.cat([b.seeds for b in steps[:3]]), torch.cat([b.seeds for b in steps[3:6]])
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(5)) and first.tolist() != second.tolist()
    sampler.load_state_dict({"seed": 1, "epoch": 0, "step": 4})
    assert [b.seeds.tolist() for b in sampler] == [b.seeds.tolist() for b in steps[4:]]
    plain = [b.seeds.tolist() for b in SeedBatchSampler(5, 2, seed=1)]
    assert plain == [b.seeds.tolist() for b in steps[:3]]
    with pytest.raises(ValueError, match="'num_steps'"):
        SeedBatchSampler(5, 2, num_steps=0)


@given(st.integers(2, 4), st.integers(0, 30), st.integers(0, 6), st.one_of(st.none(), st.integers(1, 20)))
def test_processes_share_every_batch_without_overlap(size, more, wider, num_steps):
    """As many steps on each, none without seed samples, every sample once a shuffle."""
    n, batch_size = size + more, 2 * size + wider
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sigraph.data.batch.world_size", lambda: size)
        for rank in range(size):
            patch.setattr("sigraph.data.batch.rank", lambda rank=rank: rank)
            sampler = SeedBatchSampler(n, batch_size, seed=3, num_steps=num_steps)
            found.append(list(sampler))
            assert len(found[-1]) == len(sampler) == (num_steps or -(-n // batch_size))
    for step, shares in enumerate(zip(*found, strict=True)):
        counts = [share.seeds.numel() for share in shares]
        assert [(share.step, share.rank) for share in shares] == [(step, rank) for rank in range(size)]
        assert min(counts) >= 1 and max(counts) - min(counts) <= 1 and sum(counts) <= batch_size
    if num_steps is None:
        seeds = torch.cat([share.seeds for shares in found for share in shares])
        assert sorted(seeds.tolist()) == list(range(n))


@pytest.mark.parametrize(("n", "batch_size"), [(100, 3), (1, 8)])
def test_a_batch_that_processes_cannot_share_is_refused(n, batch_size, monkeypatch):
    monkeypatch.setattr("sigraph.data.batch.world_size", lambda: 2)
    with pytest.raises(ValueError, match=r"'batch_size' needs to be >= 4, of >= 2 samples, .* on 2 processes \(got"):
        list(SeedBatchSampler(n, batch_size))
