"""StructureCollator: the same batches with any number of workers, from any way of giving seed samples."""

import pyarrow as pa
import pytest
import torch
from lightning.pytorch import LightningModule
from torch.utils.data import DataLoader

from sigraph.collate import StructureCollator, pretrain_loader
from sigraph.data import PretrainBatch, PretrainGraph, SampleDataset, SeedBatch
from sigraph.machines.trainer import quiet_trainer
from sigraph.objectives import MaskedFeature, Objective
from sigraph.samplers import NeighborPairSampler

N = 50


def make_graph():
    i = torch.arange(N - 1)  # a path and a few chords
    index = torch.cat([torch.stack([i, i + 1]), torch.tensor([[0, 5, 9], [30, 20, 40]])], dim=1)
    return PretrainGraph(index, N, torch.linspace(0.1, 2, N + 2), group=torch.arange(N) % 2)


def make_dataset(graph=None):
    samples = torch.arange(N * 3, dtype=torch.float).view(N, 3) + 1
    return SampleDataset(samples, {"path": make_graph() if graph is None else graph})


def parts(graph=None):
    dataset = make_dataset(graph)
    return dataset, NeighborPairSampler(dataset.graph(), 1, 2), MaskedFeature(3, 4, mask_rate=0.4)


def same(left, right):
    assert torch.equal(left.node, right.node) and left.num_seeds == right.num_seeds
    assert torch.equal(left.inputs, right.inputs)
    for name in ("positive_index", "weight", "self_index", "anchor_id", "candidate_id", "anchor_group"):
        assert torch.equal(getattr(left.pairs, name), getattr(right.pairs, name))
    if left.target is not None:
        assert all(torch.equal(a, b) for a, b in zip(left.target, right.target, strict=True))
    return True


def all_same(left, right):
    return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))


def test_a_batch_holds_what_belongs_together():
    dataset, sampler, objective = parts()
    batch = StructureCollator(dataset, sampler, objective)(SeedBatch(torch.tensor([30, 4, 17]), 0, 0))
    assert isinstance(batch, PretrainBatch) and batch.node[:3].tolist() == [30, 4, 17] and batch.num_seeds == 3
    clean = dataset.fetch(batch.node)
    assert torch.equal(batch.inputs[3:], clean[3:]) and torch.equal(batch.target.value, clean[:3])
    assert torch.equal(batch.inputs[:3], clean[:3].masked_fill(batch.target.mask, 0)) and batch.target.mask.any()
    i, j = batch.pairs.positive_index
    adjacent = dict(
        zip(zip(*dataset.graph().edge_index.tolist(), strict=True), dataset.graph().edge_weight, strict=True)
    )
    found = list(zip(batch.node[i].tolist(), batch.node[j].tolist(), strict=True))
    assert found and all(edge in adjacent for edge in found)
    assert torch.equal(batch.pairs.weight, torch.stack([adjacent[edge] for edge in found]))


def test_without_an_objective_samples_stay_as_they_are():
    dataset, sampler, _ = parts()
    batch = StructureCollator(dataset, sampler)([3, 1])
    assert batch.target is None and torch.equal(batch.inputs, dataset.fetch(batch.node))


def test_repeated_seeds_count_once():
    dataset, sampler, _ = parts()
    batch = StructureCollator(dataset, sampler)([7, 2, 7, 7])
    assert batch.num_seeds == 2 and batch.node[:2].tolist() == [7, 2]
    assert batch.node.unique().numel() == batch.node.numel()


def test_the_objective_is_told_the_nodes_the_seeds_and_the_stream():
    asked = []

    class Recording(Objective):
        def corrupt(self, inputs, node, num_seeds, generator=None):
            asked.append((node, num_seeds, generator))
            return inputs + 1, node

        def forward(self, encoding, target): ...

    dataset, sampler, _ = parts()
    batch = StructureCollator(dataset, sampler, Recording())([5, 6, 5])
    ((node, num_seeds, generator),) = asked
    assert torch.equal(node, batch.node) and num_seeds == 2 and isinstance(generator, torch.Generator)
    assert torch.equal(batch.inputs, dataset.fetch(node) + 1) and torch.equal(batch.target, node)


def test_records_come_as_records():
    table = pa.table({"text": [f"text {i}" for i in range(N)]})
    dataset = SampleDataset(table, {"path": make_graph()})
    batch = StructureCollator(dataset, NeighborPairSampler(dataset.graph()))([9])
    assert batch.inputs == [{"text": f"text {i}"} for i in batch.node.tolist()]


def test_a_step_depends_on_seed_epoch_and_step_only():
    ids = torch.arange(10)

    def collate(seed=0, epoch=0, step=0):
        return StructureCollator(*parts(), seed=seed)(SeedBatch(ids, epoch, step))

    torch.manual_seed(1)
    first = collate()
    torch.manual_seed(2)
    assert same(first, collate())
    others = [collate(seed=1), collate(epoch=1), collate(step=1), collate(epoch=2), collate(step=2)]
    assert len({str(batch.node.tolist()) for batch in [first, *others]}) == 6
    assert len({str(batch.target.mask.tolist()) for batch in [first, *others]}) == 6


def test_plain_ids_are_keyed_by_themselves_in_any_form():
    collator = StructureCollator(*parts(), seed=3)
    first = collator([4, 8, 15])
    for ids in (torch.tensor([4, 8, 15]), (4, 8, 15), torch.tensor([4, 8, 15], dtype=torch.int32)):
        assert same(first, collator(ids))
    assert collator([4, 8, 16]).node.tolist() != first.node.tolist()
    assert StructureCollator(*parts(), seed=4)([4, 8, 15]).node.tolist() != first.node.tolist()


# Workers ##############################################################################################################


def epoch_of(loader, epoch=0):
    loader.sampler.set_epoch(epoch)
    return list(loader)


def test_the_loader_gives_the_same_batches_with_0_and_2_workers():
    alone, two = (pretrain_loader(*parts(), batch_size=8, seed=5, num_workers=workers) for workers in (0, 2))
    assert len(alone) == len(two) == 7
    for epoch in (0, 1):  # the workers of the second epoch are those of the first
        left, right = epoch_of(alone, epoch), epoch_of(two, epoch)
        assert all_same(left, right)
        assert sorted(torch.cat([batch.node[: batch.num_seeds] for batch in left]).tolist()) == list(range(N))
    assert epoch_of(alone, 0)[0].node.tolist() != left[0].node.tolist()


def test_the_loader_goes_on_in_the_middle_of_an_epoch():
    whole = pretrain_loader(*parts(), batch_size=8, seed=5)
    expected = epoch_of(whole, 2)
    rest = pretrain_loader(*parts(), batch_size=8, seed=5, num_workers=2)
    rest.sampler.load_state_dict({"seed": 5, "epoch": 2, "step": 4})
    assert all_same(epoch_of(rest, 2), expected[4:])


class Seen(LightningModule):
    """Trains nothing; keeps the ids of every step."""

    def __init__(self):
        super().__init__()
        self.weight, self.nodes = torch.nn.Parameter(torch.zeros(())), []

    def training_step(self, batch, batch_idx):
        self.nodes.append(batch.node.tolist())
        return self.weight.square()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_an_own_trainer_that_resumes_goes_on_with_the_next_epoch(num_workers, tmp_path):
    whole, before, after = Seen(), Seen(), Seen()
    for module, max_epochs, checkpoint in ((whole, 3, None), (before, 1, None), (after, 3, tmp_path / "p.ckpt")):
        loader = pretrain_loader(*parts(), batch_size=16, seed=5, num_workers=num_workers)
        trainer = quiet_trainer(max_epochs=max_epochs, accelerator="cpu")
        trainer.fit(module, loader, ckpt_path=checkpoint, weights_only=True)
        trainer.save_checkpoint(tmp_path / "p.ckpt")
    assert len(whole.nodes) == 12 and before.nodes + after.nodes == whole.nodes


def test_a_stock_loader_over_ids_gives_the_same_batches_with_0_and_2_workers():
    def batches(num_workers):
        torch.manual_seed(0)
        collator = StructureCollator(*parts())
        order = torch.Generator().manual_seed(1)
        loader = DataLoader(range(N), 8, shuffle=True, generator=order, collate_fn=collator, num_workers=num_workers)
        return list(loader)

    left, right = batches(0), batches(2)
    assert all_same(left, right) and len(left) == 7


def test_workers_that_start_anew_map_an_opened_graph_again(tmp_path):
    make_graph().save(tmp_path / "graph")
    graph = PretrainGraph.open(tmp_path / "graph")
    dataset, sampler, objective = parts(graph)
    expected = list(pretrain_loader(*parts(), batch_size=20))
    loader = DataLoader(
        pretrain_loader(dataset, sampler, objective).dataset,
        batch_size=None,
        sampler=pretrain_loader(dataset, sampler, batch_size=20).sampler,
        collate_fn=StructureCollator(dataset, sampler, objective),
        num_workers=1,
        multiprocessing_context="forkserver",
    )
    assert all_same(list(loader), expected)
    assert "edge_index" not in graph.__dict__["_store"]


# Errors ###############################################################################################################


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        ([], "'seeds' needs at least one sample"),
        (SeedBatch(torch.empty(0, dtype=torch.long), 0, 0), "'seeds' needs at least one sample"),
        ([0, N], rf"'seeds' needs sample ids in \[0, {N}\) .*\[0, {N}\]"),
        ([-1], r"'seeds' needs sample ids .*\[-1, -1\]"),
        (SeedBatch(torch.tensor([N]), 0, 0), "'seeds' needs sample ids"),
        ([0.5], "'seeds' needs integer sample ids .*float32"),
        ([True], "'seeds' needs integer sample ids .*bool"),
    ],
)
def test_wrong_seeds_are_refused(seeds, message):
    dataset, sampler, _ = parts()
    with pytest.raises(ValueError, match=message):
        StructureCollator(dataset, sampler)(seeds)


def test_numbers_of_nodes_and_samples_must_agree():
    sampler = NeighborPairSampler(PretrainGraph([[0], [1]], N + 1))
    with pytest.raises(ValueError, match=rf"one node per sample, {N}, in 'StructureCollator' \(got {N + 1} nodes\)"):
        StructureCollator(make_dataset(), sampler)


def test_processes_draw_apart():
    dataset, sampler, objective = parts()
    collate, seeds = StructureCollator(dataset, sampler, objective), torch.arange(0, N, 3)
    first, again, other = (collate(SeedBatch(seeds, 1, 2, rank)) for rank in (0, 0, 1))
    assert same(first, again) and same(first, collate(SeedBatch(seeds, 1, 2)))
    assert not torch.equal(first.target.mask, other.target.mask) and not torch.equal(first.node, other.node)


@pytest.mark.parametrize(
    ("swap", "message"),
    [
        (
            lambda d, s, o: (s, d, o),
            "'dataset' needs to be a sigraph SampleDataset .*got a NeighborPairSampler.*order is",
        ),
        (lambda d, s, o: (d, o, s), r"'sampler' needs to be a sigraph PairSampler .*\(got a MaskedFeature\)"),
        (lambda d, s, o: (d, d.graph()), r"'sampler' needs .*\(got a PretrainGraph\)"),
        (lambda d, s, o: (d, None), r"'sampler' needs .*\(got a NoneType\)"),
        (lambda d, s, o: (d, s, 256), r"'objective' needs to be a sigraph Objective .*\(got a int\)"),
        (lambda d, s, o: (d.samples, s), r"'dataset' needs .*\(got a Tensor\)"),
    ],
)
def test_swapped_arguments_are_named(swap, message):
    for make in (StructureCollator, pretrain_loader):
        with pytest.raises(ValueError, match=message):
            make(*swap(*parts()))


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"batch_size": "many"}, "'batch_size' needs to be an integer >= 1 in 'pretrain_loader' .*got 'many'"),
        ({"batch_size": None}, "'batch_size' needs to be an integer >= 1"),
        ({"num_steps": 0}, "'num_steps' needs to be an integer >= 1"),
        ({"num_workers": -1}, "'num_workers' needs to be an integer >= 0"),
        ({"seed": 0.5}, "'seed' needs to be an integer >= 0 in 'StructureCollator'"),
    ],
)
def test_numbers_that_are_none_are_named(numbers, message):
    with pytest.raises(ValueError, match=message):
        pretrain_loader(*parts(), **numbers)
