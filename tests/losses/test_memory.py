"""CrossBatchMemory: a slow loop over everything it should remember, its rules, and its place in a checkpoint."""

import math
from functools import partial

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import WeightAveraging
from torch.optim.swa_utils import get_ema_avg_fn

import sigraph.losses
from sigraph.collate import pretrain_loader
from sigraph.config import config_from_dict
from sigraph.data import Pairs, PretrainGraph, SampleDataset
from sigraph.encoders import MLPEncoder
from sigraph.losses import ContrastiveLoss, CrossBatchMemory, InfoNCELoss, MultiSimilarityLoss, StructureLoss
from sigraph.machines.trainer import quiet_trainer
from sigraph.pretrain import PretrainModule
from sigraph.running.parts import build_parts
from sigraph.samplers import NeighborPairSampler

NODES = [[0, 1, 2, 3], [4, 5, 0], [6, 1, 7, 8, 9], [2, 3], [0, 4, 6, 9, 5, 8, 7], [1]]


def graph() -> PretrainGraph:
    generator = torch.Generator().manual_seed(0)
    edges = (torch.rand(10, 10, generator=generator) < 0.35).triu(1).nonzero().t()
    weight = torch.rand(edges.size(1), generator=generator) + 0.5
    return PretrainGraph(edges, 10, edge_weight=weight, group=torch.tensor([0] * 8 + [1] * 2))


def sampler() -> NeighborPairSampler:
    return NeighborPairSampler(graph())


def embeddings(n: int, seed: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def path(n: int) -> NeighborPairSampler:
    i = torch.arange(n - 1)
    return NeighborPairSampler(PretrainGraph(torch.stack([i, i + 1]), n))


def call(memory: StructureLoss, rule: NeighborPairSampler, nodes: list[int], z: torch.Tensor) -> torch.Tensor:
    node = torch.tensor(nodes)
    return memory(z, rule.pairs(node, node))


def slow(nodes: list[int], z: torch.Tensor, queue: list[tuple[int, torch.Tensor]]) -> torch.Tensor:
    """InfoNCE pair by pair: each anchor against the other samples of the step and everything in the queue."""
    whole, temperature, total, count = graph(), 0.2, 0.0, 0
    weight = {(int(i), int(j)): float(w) for (i, j), w in zip(whole.edge_index.t(), whole.edge_weight, strict=True)}
    for i, anchor in zip(nodes, z, strict=True):
        positives, every = [], []
        for j, other in [*zip(nodes, z, strict=True), *queue]:
            if i == j or whole.group[i] != whole.group[j]:
                continue
            cosine = (anchor @ other) / (anchor.norm() * other.norm()) / temperature
            every.append(cosine.exp())
            if (i, j) in weight:
                positives.append((weight[i, j], cosine))
        if positives:
            all_weights = sum(w for w, _ in positives)
            total = total - sum(w / all_weights * (c - sum(every).log()) for w, c in positives)
            count += 1
    return total / max(count, 1)


@pytest.mark.parametrize("size", [1, 4, 9, 100])
@pytest.mark.parametrize("start_step", [0, 3])
def test_agrees_with_a_slow_loop(size, start_step):
    memory, queue = CrossBatchMemory(InfoNCELoss(), size, start_step, sampler()), []
    for step, nodes in enumerate(NODES):
        z = embeddings(len(nodes), step).requires_grad_()
        value = call(memory, sampler(), nodes, z)
        expected = slow(nodes, z, queue if step >= start_step else [])
        torch.testing.assert_close(value, torch.as_tensor(expected, dtype=torch.float64))
        if value.item():
            torch.testing.assert_close(*(torch.autograd.grad(x, z, retain_graph=True)[0] for x in (value, expected)))
        queue = [*queue, *zip(nodes, z.detach(), strict=True)][-size:]
        assert memory.queue_node.tolist() == [node for node, _ in queue]
        assert torch.equal(memory.queue_z, torch.stack([x for _, x in queue])) and not memory.queue_z.requires_grad


def test_a_neighbour_in_the_queue_is_a_positive_and_a_copy_of_the_anchor_is_nothing():
    """On the path 0 - 1 - 2 - 3 - 4, with the anchor 1 alone in its step."""
    z = torch.eye(5, dtype=torch.float64) + 0.3
    memory = CrossBatchMemory(InfoNCELoss(temperature=1.0), sampler=path(5))
    assert call(memory, path(5), [0, 1, 4], z[[0, 1, 4]]) > 0
    cosine = torch.nn.functional.cosine_similarity(z[1], z[0], dim=0).item()  # of any two different ones
    # candidates: the neighbour 0, the copy of 1, and 4, which is no neighbour
    value = call(memory, path(5), [1], z[[1]])
    assert value.item() == pytest.approx(-cosine + math.log(2 * math.exp(cosine)))
    assert memory.queue_node.tolist() == [0, 1, 4, 1]
    only_copies = CrossBatchMemory(InfoNCELoss(), sampler=path(5))
    call(only_copies, path(5), [1], z[[1]])
    anchor = z[[1]].requires_grad_()
    value = call(only_copies, path(5), [1], anchor)
    value.backward()
    assert value == 0 and (anchor.grad == 0).all()


def test_negatives_of_the_queue_count_too():
    z = torch.eye(5, dtype=torch.float64)
    memory = CrossBatchMemory(ContrastiveLoss(0.0, 2.0), sampler=path(5))
    call(memory, path(5), [0, 4], z[[0, 4]])
    # anchor 2 has no neighbour here; two negatives at distance sqrt(2)
    assert call(memory, path(5), [2], z[[2]]).item() == pytest.approx(2 - math.sqrt(2))


@pytest.mark.parametrize("loss", [ContrastiveLoss(), MultiSimilarityLoss(epsilon=0.1), InfoNCELoss()])
def test_is_the_loss_on_a_rectangle(loss):
    memory = CrossBatchMemory(loss, 100, sampler=sampler())
    first, second = (torch.tensor(nodes) for nodes in (NODES[2], NODES[4]))
    old, z = embeddings(5, 0), embeddings(7, 1)
    call(memory, sampler(), first.tolist(), old)
    expected = loss(z, sampler().pairs(second, torch.cat([second, first])), torch.cat([z, old]))
    assert torch.allclose(call(memory, sampler(), second.tolist(), z), expected) and expected > 0


def test_candidates_of_a_step_join_the_queue():
    """As on several processes: the anchors are some of the candidates."""
    memory, node = CrossBatchMemory(InfoNCELoss(), 100, sampler=sampler()), torch.tensor([3, 1, 5])
    z = embeddings(3, 0)
    memory(z[:1], sampler().pairs(node[:1], node), z)
    assert memory.queue_node.tolist() == [3, 1, 5] and torch.equal(memory.queue_z, z)


def test_evaluation_looks_into_the_queue_and_leaves_it():
    memory = CrossBatchMemory(InfoNCELoss(), 100, sampler=sampler())
    call(memory, sampler(), NODES[0], embeddings(4, 0))
    z, before = embeddings(3, 1), memory.get_extra_state()
    memory.eval()
    value = call(memory, sampler(), NODES[1], z)
    after = memory.get_extra_state()
    assert all(after[name] is before[name] for name in ("z", "node")) and after["num_steps"] == before["num_steps"] == 1
    memory.train()
    assert (
        value
        == call(memory, sampler(), NODES[1], z)
        != InfoNCELoss()(z, sampler().pairs(*2 * [torch.tensor([4, 5, 0])]))
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_queue_is_kept_in_the_precision_of_the_loss(dtype):
    memory, kept = CrossBatchMemory(InfoNCELoss(), 100, sampler=sampler()), []
    for step, nodes in enumerate(NODES[:3]):
        z = embeddings(len(nodes), step, dtype).requires_grad_()
        value = call(memory, sampler(), nodes, z)
        exact = slow(nodes, z.detach().double(), kept)
        kept += zip(nodes, z.detach().double(), strict=True)
        assert value.item() == pytest.approx(float(exact), rel=1e-5)
    value.backward()
    assert z.grad.dtype == dtype and (z.grad != 0).any() and z.grad.isfinite().all()
    assert memory.queue_z.dtype == value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


def test_a_nan_is_refused_and_does_not_join_the_queue():
    memory = CrossBatchMemory(InfoNCELoss(), 100, sampler=sampler())
    call(memory, sampler(), NODES[0], embeddings(4, 0))
    broken = embeddings(3, 1)
    broken[1, 2] = float("nan")
    with pytest.raises(ValueError, match=r"'z' needs finite embeddings .*node ids 5"):
        call(memory, sampler(), NODES[1], broken)
    assert memory.queue_node.tolist() == NODES[0] and memory.num_steps == 1


# Checkpoints ##########################################################################################################


def test_the_state_dict_holds_the_queue():
    one, two = (CrossBatchMemory(InfoNCELoss(), 6, sampler=sampler()) for _ in range(2))
    for step, nodes in enumerate(NODES[:3]):
        call(one, sampler(), nodes, embeddings(len(nodes), step))
    two.load_state_dict(one.state_dict())
    for step, nodes in enumerate(NODES[3:]):
        values = [call(memory, sampler(), nodes, embeddings(len(nodes), step)) for memory in (one, two)]
        assert values[0] == values[1]
    assert torch.equal(one.queue_z, two.queue_z) and torch.equal(one.queue_node, two.queue_node)
    smaller = CrossBatchMemory(InfoNCELoss(), 2, sampler=sampler())
    smaller.load_state_dict(one.state_dict())
    assert torch.equal(smaller.queue_node, one.queue_node[-2:]) and torch.equal(smaller.queue_z, one.queue_z[-2:])


class SaveAt(Callback):
    def __init__(self, file, epoch):
        self.file, self.epoch = file, epoch

    def on_train_epoch_end(self, trainer, pl_module):
        if trainer.current_epoch == self.epoch:
            trainer.save_checkpoint(self.file)


@pytest.mark.parametrize("averaged", [False, True])
def test_a_resumed_run_is_the_undisturbed_run_bit_by_bit(tmp_path, averaged):
    x = torch.randn(10, 5, generator=torch.Generator().manual_seed(1))
    dataset = SampleDataset(x, {"random": graph()})

    def run(ckpt=None, save=None):
        torch.manual_seed(2)
        memory = CrossBatchMemory(InfoNCELoss(), 12, start_step=2)
        optimizer = partial(torch.optim.AdamW, lr=1e-2)
        module = PretrainModule(MLPEncoder(5, 8, 4, dropout=0.2), memory, sampler=sampler(), optimizer=optimizer)
        callbacks = [save] if save else []
        if averaged:
            callbacks.insert(0, WeightAveraging(avg_fn=get_ema_avg_fn(0.9)))
        trainer = quiet_trainer(max_epochs=5, accelerator="cpu", callbacks=callbacks)
        trainer.fit(module, pretrain_loader(dataset, sampler(), batch_size=4), ckpt_path=ckpt, weights_only=True)
        return module

    whole = run(save=SaveAt(tmp_path / "a.ckpt", 1))
    resumed = run(ckpt=tmp_path / "a.ckpt")
    assert whole.structure_loss.num_steps == resumed.structure_loss.num_steps == 15
    assert len(whole.structure_loss.queue_node) == 12
    for name, value in whole.encoder.state_dict().items():
        assert torch.equal(value, resumed.encoder.state_dict()[name]), name
    assert torch.equal(whole.structure_loss.queue_z, resumed.structure_loss.queue_z)
    assert torch.equal(whole.structure_loss.queue_node, resumed.structure_loss.queue_node)


# Configuration and errors #############################################################################################


def test_from_a_yaml(toy):
    component = {"_target_": "sigraph.losses.CrossBatchMemory", "size": 30, "start_step": 1}
    component["loss"] = {"_target_": "sigraph.losses.InfoNCELoss", "temperature": 0.3}
    toy["pretrain"]["structure_loss"] = component
    toy["arms"]["sipt"] = {"pretrain.structure_loss.loss.temperature": 0.4, "pretrain.structure_loss.size": 25}
    parts = build_parts(config_from_dict(toy).arm("sipt").pretrain, seed=0)
    memory = parts.module.structure_loss
    assert isinstance(memory.loss, InfoNCELoss) and memory.loss.temperature == 0.4
    assert (memory.size, memory.start_step) == (25, 1) and memory.sampler is parts.sampler
    loader = pretrain_loader(parts.dataset, parts.sampler, parts.objective, batch_size=20)
    quiet_trainer(max_epochs=1, accelerator="cpu").fit(parts.module, loader)
    assert len(memory.queue_node) == 25


def test_is_exported_and_documented():
    assert "CrossBatchMemory" in sigraph.losses.__all__
    assert all(part in CrossBatchMemory.__doc__ for part in ("Args:", "Shapes:", "Source:"))


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ({"size": 0}, "'size' needs to be an integer >= 1 in 'CrossBatchMemory' .got 0"),
        ({"size": 2.5}, "'size'"),
        ({"start_step": -1}, "'start_step' needs to be an integer >= 0"),
        ({"loss": torch.nn.MSELoss()}, "'loss' needs to be a StructureLoss .*got MSELoss"),
        ({"loss": CrossBatchMemory(InfoNCELoss())}, "without a memory .*got CrossBatchMemory"),
    ],
)
def test_bad_arguments_are_named(arguments, wrong):
    with pytest.raises(ValueError, match=wrong):
        CrossBatchMemory(**{"loss": InfoNCELoss(), **arguments})


def test_what_it_needs_is_named():
    node, z = torch.tensor([0, 1]), embeddings(2, 0)
    memory = CrossBatchMemory(InfoNCELoss())
    with pytest.raises(ValueError, match="'pairs' needs node ids in 'CrossBatchMemory'"):
        memory(z, Pairs.square(torch.tensor([[0], [1]]), 2))
    memory(z, sampler().pairs(node, node))
    with pytest.raises(ValueError, match="'sampler' is needed in 'CrossBatchMemory'"):
        memory(z, sampler().pairs(node, node))
    with pytest.raises(ValueError, match="'sampler' is needed in 'PretrainModule' with a 'CrossBatchMemory'"):
        PretrainModule(MLPEncoder(5), CrossBatchMemory(InfoNCELoss()))
    own, others = path(5), sampler()
    assert (
        PretrainModule(
            MLPEncoder(5), CrossBatchMemory(InfoNCELoss(), sampler=own), sampler=others
        ).structure_loss.sampler
        is own
    )
