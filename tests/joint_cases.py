"""What two processes compute together, and one process on all of their samples: run by test_distributed.py."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from contracts import concrete_subclasses
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor

import sigraph.losses
from sigraph import pretrain
from sigraph.collate import pretrain_loader
from sigraph.data import PretrainBatch, PretrainGraph, SampleDataset
from sigraph.encoders import Encoder, Encoding, GRUEncoder, MLPEncoder
from sigraph.losses import (
    ContrastiveLoss,
    CrossBatchMemory,
    InfoNCELoss,
    JointLoss,
    LinkPredictionLoss,
    MultiSimilarityLoss,
    NPairLoss,
    ProjectedLoss,
    SmoothnessLoss,
    StructureLoss,
    TargetLoss,
    TripletLoss,
)
from sigraph.machines.distributed import gather, joint
from sigraph.machines.trainer import quiet_trainer
from sigraph.objectives import Denoising, MaskedFeature, MaskedToken
from sigraph.objectives.masked_token import TokenTarget
from sigraph.pretrain import PretrainModule
from sigraph.samplers import NeighborPairSampler
from sigraph.samples import Tokens, token_table

# What takes arguments: a queue has tests of its own, the second is refused, the others are made below.
WRAPPERS = {"CrossBatchMemory", "PMLLoss", "JointLoss", "ProjectedLoss", "TargetLoss"}
NUM_NODES, NUM_FEATURES = 24, 5
# Node ids of each process. Edges: 0 .. 19 at random in two groups; 20 .. 23 have one neighbour each, 0 .. 3.
SCENARIOS = {
    "alike": ([0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]),
    "other numbers of samples": ([0, 1, 2, 3, 4, 5, 6, 7, 8], [9, 10, 11, 12]),
    "the same node on both": ([0, 1, 2, 3, 4, 5], [3, 4, 5, 6, 7]),
    "one without a positive": ([4, 5, 6, 7, 8], [20, 21, 22]),
    "positives between them only": ([0, 1], [20, 21, 22]),
    "one sample": ([0, 1, 2, 3, 4, 5, 6], [20]),
    "no positive at all": ([20, 21], [22, 23]),
}
SENTENCES = ([[2, 3, 4, 5, 6, 7, 8], [6, 7]], [[8], [9, 2, 3]])  # token ids of each process
STEPS = [([0, 1, 2, 3], [4, 5]), ([6, 7, 0], [8, 9, 10]), ([11, 12, 1], [6, 13, 14, 2]), ([0, 15], [16, 17, 20])]


def losses() -> dict[str, StructureLoss]:
    """Every loss of the package that several processes can share, with settings that matter to them."""
    torch.manual_seed(3)  # of losses with parameters
    rows = torch.randn(NUM_NODES, 3)
    rows[[2, 21]] = 0.0  # without a target
    found = {
        "TargetLoss, cosine": TargetLoss(rows, encoder_channels=4),
        "TargetLoss, relational": TargetLoss(rows, "relational"),
        "JointLoss": JointLoss([TargetLoss(rows, encoder_channels=4), InfoNCELoss()], [0.7, 2.0]),
        "ProjectedLoss": ProjectedLoss(InfoNCELoss(), 4, 8, 3),
        "ProjectedLoss, spread": ProjectedLoss(SmoothnessLoss(), 4, None, 3),
        "ContrastiveLoss, two margins": ContrastiveLoss(0.1, 1.2),
        "MultiSimilarityLoss, mining": MultiSimilarityLoss(beta=10.0, epsilon=0.1),
        "InfoNCELoss, in": InfoNCELoss(variant="in"),
        "LinkPredictionLoss, bilinear": LinkPredictionLoss("bilinear", encoder_channels=4),
        "NPairLoss, norms": NPairLoss(l2_weight=0.1),
        "SmoothnessLoss, by degree": SmoothnessLoss(normalize_degree=True),
        "TripletLoss, semi-hard": TripletLoss(mining="semi-hard"),
    }
    for kind in concrete_subclasses(StructureLoss, sigraph.losses):
        if kind.__name__ not in WRAPPERS:
            found[kind.__name__] = kind()
    return {name: loss.double() for name, loss in found.items() if loss.additive}


def graph() -> PretrainGraph:
    generator = torch.Generator().manual_seed(0)
    edges = (torch.rand(20, 20, generator=generator) < 0.3).triu(1).nonzero().t()
    edges = torch.cat([edges, torch.tensor([[20, 21, 22, 23], [0, 1, 2, 3]])], dim=1)
    weight = torch.rand(edges.size(1), generator=generator) + 0.5
    group = torch.arange(NUM_NODES) % 20 // 15
    return PretrainGraph(edges, NUM_NODES, edge_weight=weight, group=group)


class Linear(Encoder):
    out_channels = 4

    def __init__(self):
        super().__init__()
        weight = torch.randn(NUM_FEATURES, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        self.weight = torch.nn.Parameter(weight)

    def forward(self, inputs):
        return Encoding(inputs @ self.weight)


def features() -> Tensor:
    return torch.randn(NUM_NODES, NUM_FEATURES, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def objective() -> MaskedFeature:
    torch.manual_seed(4)
    return MaskedFeature(NUM_FEATURES, 4, mask_rate=0.4, corrupt_all=True).double()


def module_of(loss: StructureLoss) -> PretrainModule:
    return PretrainModule(Linear(), loss, objective(), 0.6, NeighborPairSampler(graph()))


def denoising() -> PretrainModule:
    """A module that reconstructs rows."""
    module = module_of(InfoNCELoss().double())
    torch.manual_seed(4)
    module.objective = Denoising(4, NUM_FEATURES).double()
    return module


def batch_of(module: PretrainModule, parts: list[list[int]], first: int = 0) -> PretrainBatch:
    """The samples of one or more processes, each corrupted as on its own."""
    inputs, targets = [], []
    for i, nodes in enumerate(parts):
        generator = torch.Generator().manual_seed(first + i)
        x, target = module.objective.corrupt(features()[nodes], torch.tensor(nodes), len(nodes), generator)
        inputs.append(x)
        targets.append(target)
    node = torch.tensor([i for nodes in parts for i in nodes])
    target = type(targets[0])(*(torch.cat(part) for part in zip(*targets, strict=True)))
    return PretrainBatch(node, len(node), torch.cat(inputs), module.sampler.pairs(node, node), target)


def step(module: PretrainModule, batch: PretrainBatch) -> dict[str, Tensor]:
    """Losses and gradients, averaged over the processes as DDP does."""
    module.zero_grad()
    found = module.losses(batch)
    found["loss"].backward()
    gradients = {name: p.grad for name, p in module.named_parameters()}
    found = {name: value.detach() for name, value in found.items()} | gradients
    if dist.is_initialized():
        flat = torch.cat([value.view(-1) for value in found.values()]) / 2
        dist.all_reduce(flat)
        parts = flat.split([value.numel() for value in found.values()])
        found = {name: part.view_as(value) for part, (name, value) in zip(parts, found.items(), strict=True)}
    return found


def token_gradients(parts: list[list[list[int]]], first: int = 0) -> list[Tensor]:
    """Loss and gradients of masked tokens, from h and from z, averaged over the processes as DDP does.

    Of the sentences of one or more processes, each corrupted as on its own.
    """
    torch.manual_seed(7)
    encoder, masked = GRUEncoder(10, 4, 6).double(), MaskedToken(10, 6, mask_rate=0.4, corrupt_all=True).double()
    token, length, targets, start = [], [], [], torch.zeros(2, dtype=torch.long)  # samples and tokens so far
    for i, sentences in enumerate(parts):
        inputs = SampleDataset(token_table(sentences, 10)).fetch(torch.arange(len(sentences)))
        generator = torch.Generator().manual_seed(first + i)
        hidden, target = masked.corrupt(inputs, torch.arange(len(sentences)), len(sentences), generator)
        token.append(hidden.token)
        length.append(hidden.length)
        targets.append((target.sample + start[0], target.part + start[1], target.token))
        start = start + torch.tensor([len(sentences), target.num_parts])
    encoding = encoder(Tokens(torch.cat(token), torch.cat([torch.zeros(1, dtype=torch.long), *length]).cumsum(0)))
    target = TokenTarget(*(torch.cat(part) for part in zip(*targets, strict=True)), num_parts=int(start[1]))
    with joint():
        loss = masked(encoding, target) + masked(Encoding(encoding.z), target)
    loss.backward()
    found = [loss.detach(), *(parameter.grad for parameter in [*encoder.parameters(), *masked.parameters()])]
    if dist.is_initialized():
        for value in found:
            dist.all_reduce(value)
            value /= 2
    return found


def toy() -> SampleDataset:
    """41 samples: batches of 8 leave one, which two processes cannot share."""
    generator = torch.Generator().manual_seed(5)
    edges = (torch.rand(41, 41, generator=generator) < 0.1).triu(1).nonzero().t()
    return SampleDataset(torch.randn(41, NUM_FEATURES, generator=generator), {"random": PretrainGraph(edges, 41)})


def training(loss: StructureLoss, structure_weight: float = 0.7) -> tuple[PretrainModule, Any]:
    """Module and loader of a short training without dropout."""
    dataset = toy()
    sampler = NeighborPairSampler(dataset.graph())
    torch.manual_seed(6)
    masked = MaskedFeature(NUM_FEATURES, 4, corrupt_all=True)
    encoder = MLPEncoder(NUM_FEATURES, 8, 4, dropout=0.0)
    optimizer = partial(torch.optim.SGD, lr=0.05, momentum=0.9)
    module = PretrainModule(encoder, loss, masked, structure_weight, sampler, optimizer)
    return module, pretrain_loader(dataset, sampler, masked, batch_size=8)


def fit(module: PretrainModule, loader: Any) -> dict[str, float]:
    """Two epochs on both processes; returns what was logged last."""
    strategy = DDPStrategy(cluster_environment=LightningEnvironment(), process_group_backend="gloo")
    trainer = quiet_trainer(max_epochs=2, accelerator="cpu", devices=2, strategy=strategy)
    trainer.fit(module, loader)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


def message(function: Any, *arguments: Any) -> str:
    try:
        function(*arguments)
    except ValueError as error:
        return str(error)
    return "no error"


class BrokenOn(InfoNCELoss):
    """NaN on one process only."""

    def terms(self, z, pairs, candidates):
        sums, counts = super().terms(z, pairs, candidates)
        return (sums * float("nan") if dist.get_rank() == 1 else sums), counts


def run(rank: int, folder: Path) -> None:
    """One of two processes: every case, results in ``<rank>.pt``."""
    torch.set_num_threads(1)
    os.environ.update(LOCAL_RANK=str(rank), NODE_RANK="0", MASTER_ADDR="127.0.0.1", MASTER_PORT="0")
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=2)
    results: dict[str, Any] = {"step": {}}
    for name, loss in losses().items():
        for scenario, nodes in SCENARIOS.items():
            module = module_of(loss)
            results["step"][name, scenario] = step(module, batch_of(module, [nodes[rank]], first=rank))

    rows = torch.arange(6.0).view(3, 2)[: 3 - 2 * rank] + 10 * rank  # 3 and 1 rows
    rows.requires_grad_()
    everyone, ids, half = gather(rows, torch.arange(3 - 2 * rank), rows.detach().half())
    (everyone * torch.arange(4.0).view(4, 1) * (rank + 1)).sum().backward()
    results["gather"] = (everyone.detach(), ids, half, rows.grad)

    module = denoising()
    batch = batch_of(module, [SCENARIOS["other numbers of samples"][rank]], first=rank)
    results["denoising"] = step(module, batch)

    results["tokens"] = token_gradients([SENTENCES[rank]], first=rank)

    module = module_of(ContrastiveLoss().double())
    module.structure_weight = 1.0
    module.objective = None
    batch = batch_of(module_of(InfoNCELoss()), [SCENARIOS["other numbers of samples"][rank]], first=rank)
    batch.target = None
    whole = step(module, batch)["encoder.weight"]
    pretrain.gather = lambda *x: tuple(y.detach() for y in gather(*x))
    results["cut"] = (whole, step(module, batch)["encoder.weight"])
    pretrain.gather = gather

    memory = module_of(CrossBatchMemory(InfoNCELoss().double(), size=12))
    results["memory"] = [step(memory, batch_of(memory, [nodes[rank]], first=rank)) for nodes in STEPS]
    results["queue"] = memory.structure_loss.get_extra_state()

    module = module_of(InfoNCELoss())
    batch = batch_of(module, [SCENARIOS["alike"][rank]])
    batch.inputs[2, 0] = float("nan") if rank == 1 else 0.0
    results["nan embedding"] = message(module.losses, batch)
    module = module_of(BrokenOn())
    results["nan loss"] = message(module.losses, batch_of(module, [SCENARIOS["alike"][rank]]))

    for name, weight in (("both", 0.7), ("structure", 1.0), ("objective", 0.0)):
        module, loader = training(InfoNCELoss(), weight)
        logged = fit(module, loader)
        results[name] = ({key: value.clone() for key, value in module.state_dict().items()}, logged)
    module, loader = training(CrossBatchMemory(InfoNCELoss(), size=16))
    fit(module, loader)
    results["training with a memory"] = dict(module.encoder.state_dict())
    module, loader = training(InfoNCELoss())
    module.sampler = None
    results["no sampler"] = message(fit, module, loader)
    torch.save(results, folder / f"{rank}.pt")
    dist.destroy_process_group()
