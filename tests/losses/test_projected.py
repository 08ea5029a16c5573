"""ProjectedLoss: the formula, what it passes on to the loss inside, what is kept of it, and what a certificate says."""

import dataclasses

import pytest
import torch
from safetensors.torch import load_file

from sigraph.config import ConfigError, config_from_dict
from sigraph.data import Pairs, PretrainGraph, SampleDataset
from sigraph.encoders import MLPEncoder
from sigraph.experiment import run
from sigraph.losses import (
    ContrastiveLoss,
    CrossBatchMemory,
    InfoNCELoss,
    JointLoss,
    PMLLoss,
    ProjectedLoss,
    StructureLoss,
    TargetLoss,
)
from sigraph.pretrain import PretrainModule
from sigraph.running.parts import build_parts
from sigraph.running.run_one import run_folder
from sigraph.samplers import NeighborPairSampler
from sigraph.targets import PropagatedFeatures
from sigraph.theory.certificates import certify

NODE = torch.arange(9)


def graph() -> PretrainGraph:
    return PretrainGraph(torch.stack([NODE, (NODE + 1) % 9]), 9)


def sampler() -> NeighborPairSampler:
    return NeighborPairSampler(graph())


def embeddings(seed: int = 0) -> torch.Tensor:
    return torch.randn(9, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def projected(loss: StructureLoss, *widths: int | None) -> ProjectedLoss:
    torch.manual_seed(1)
    return ProjectedLoss(loss, 4, *widths).double()


class Seen(StructureLoss):
    """Keeps what it is given."""

    def terms(self, z, pairs, candidates):
        self.z, self.pairs, self.candidates = z, pairs, candidates
        return z.sum().view(1), z.new_ones(1)


@pytest.mark.parametrize("hidden", [5, None])
def test_the_loss_sees_the_projection_by_hand(hidden):
    seen, z = Seen(), embeddings()
    loss, pairs = projected(seen, hidden, 3), sampler().pairs(NODE[:2], NODE)
    loss(z[:2], pairs, z)
    rows, weights = [], [p.detach() for p in loss.parameters()]
    for row in z:
        if hidden is not None:
            row = torch.stack([max(unit @ row, row.new_zeros(())) for unit in weights[0]])
        rows.append(torch.stack([unit @ row for unit in weights[-1]]))
    assert len(weights) == (1 if hidden is None else 2) and weights[-1].shape == (3, hidden or 4)
    torch.testing.assert_close(seen.candidates.detach(), torch.stack(rows))
    torch.testing.assert_close(seen.z.detach(), torch.stack(rows[:2]))
    assert seen.pairs is pairs and not loss.state_dict().keys() & seen.state_dict().keys()


def test_square_pairs_stay_square():
    seen = Seen()
    projected(seen, 5, 3)(embeddings(), sampler().pairs(NODE, NODE))
    assert seen.candidates is seen.z


def test_lengths_of_embeddings_do_not_matter_to_cosines():
    loss, z, pairs = projected(InfoNCELoss(), 8, 3), embeddings(), sampler().pairs(NODE, NODE)
    torch.testing.assert_close(loss(z, pairs), loss(z * torch.rand(9, 1).double().add(0.1), pairs))


def test_the_head_learns_with_the_embeddings():
    loss, pairs = projected(InfoNCELoss(), 8, 3), sampler().pairs(NODE, NODE)
    z, before = embeddings().requires_grad_(), [p.detach().clone() for p in loss.parameters()]
    optimizer = torch.optim.Adam([z, *loss.parameters()], 0.05)
    first = loss(z, pairs).item()
    for _ in range(60):
        optimizer.zero_grad()
        value = loss(z, pairs)
        value.backward()
        optimizer.step()
    assert value.item() < 0.7 * first
    assert all((p - old).abs().max() > 0.05 for p, old in zip(loss.parameters(), before, strict=True))


def test_what_is_told_before_training_reaches_the_loss():
    x, g = torch.eye(6), PretrainGraph(torch.tensor([[0, 1, 2, 4], [1, 2, 3, 5]]), 6)
    loss = ProjectedLoss(TargetLoss(PropagatedFeatures(4), encoder_channels=3), 7, None, 3)
    loss.prepare(SampleDataset(x), g, 3)
    assert torch.equal(loss.loss.rows, PropagatedFeatures(4).fit(SampleDataset(x), g, seed=3))
    ids = torch.arange(6)
    value = loss(torch.randn(6, 7), Pairs.square(torch.empty(2, 0).long(), 6, anchor_id=ids, candidate_id=ids))
    assert 0 < value < 2


def test_several_processes_share_it_if_they_share_its_loss():
    library = pytest.importorskip("pytorch_metric_learning.losses")
    assert projected(InfoNCELoss()).additive and not projected(PMLLoss(library.ContrastiveLoss())).additive


@pytest.mark.parametrize("wrap", [lambda memory: memory, lambda memory: JointLoss([InfoNCELoss(), memory])])
def test_a_memory_inside_is_refused(wrap):
    with pytest.raises(ValueError, match=r"CrossBatchMemory\(ProjectedLoss\(loss\)\)"):
        ProjectedLoss(wrap(CrossBatchMemory(InfoNCELoss())), 4)


def test_a_memory_around_keeps_embeddings_and_projects_them_as_the_head_is_now():
    loss, rule = projected(InfoNCELoss(), 8, 3), sampler()
    memory = CrossBatchMemory(loss, size=5, sampler=rule)
    memory(embeddings()[:5], rule.pairs(NODE[:5], NODE[:5]))
    assert torch.equal(memory.queue_z, embeddings()[:5])
    with torch.no_grad():
        for weight in loss.parameters():
            weight.mul_(torch.rand_like(weight))
    z, node = embeddings(1)[5:], NODE[5:]
    wide = torch.cat([z, embeddings()[:5]])
    expected = InfoNCELoss()(
        loss.project(z), rule.pairs(node, torch.cat([node, NODE[:5]])), loss.project(wide)
    )  # projected anew
    torch.testing.assert_close(memory(z, rule.pairs(node, node)), expected)
    PretrainModule(MLPEncoder(6, 8, 4), CrossBatchMemory(loss), sampler=rule)


def test_refuses():
    with pytest.raises(ValueError, match=r"StructureLoss in 'ProjectedLoss' .got Linear"):
        ProjectedLoss(torch.nn.Linear(2, 2), 4)
    with pytest.raises(ValueError, match="'hidden_channels' needs to be an integer >= 1"):
        ProjectedLoss(InfoNCELoss(), 4, 0)
    with pytest.raises(ValueError, match=r"'encoder_channels' needs to be the width of z, 4, in .* .got 5"):
        ProjectedLoss(InfoNCELoss(), 5)(embeddings().float(), sampler().pairs(NODE, NODE))


def test_a_certificate_is_of_the_embeddings_that_are_kept():
    z, g = embeddings().float(), graph()
    torch.manual_seed(1)
    loss = ProjectedLoss(ContrastiveLoss(0.2, 1.0), 4, 16, 3)
    found = certify(z, g, loss)
    assert found.loss == "ProjectedLoss" and found.bound is None and found.measure == "cosine"
    assert (
        dataclasses.replace(found, loss=None)
        == certify(z, g)
        == dataclasses.replace(certify(z, g, CrossBatchMemory(loss)), loss=None)
    )
    trained = certify(loss.project(z), g, loss.loss)  # of what was trained: it has the bound
    assert trained.bound.counted_outside <= trained.bound.edges_outside
    assert trained.bound.counted_inside <= trained.bound.non_edges_inside
    assert trained.auc != found.auc


HEAD = {"_target_": "ProjectedLoss", "hidden_channels": 6, "out_channels": 3}
TARGET = {
    "_target_": "sigraph.losses.TargetLoss",
    "target": {"_target_": "sigraph.targets.PropagatedFeatures", "out_channels": 5},
}


def built(toy, loss):
    toy["pretrain"]["structure_loss"] = loss
    return build_parts(config_from_dict(toy).arm("sipt").pretrain, 0).module.structure_loss


def test_widths_are_filled_in_outside_and_inside(toy):
    bilinear = {"_target_": "sigraph.losses.LinkPredictionLoss", "score": "bilinear"}
    both = {"_target_": "sigraph.losses.JointLoss", "losses": [TARGET, bilinear]}
    loss = built(toy, {**HEAD, "loss": both})
    assert loss.hidden.weight.shape == (6, 4) and loss.output.weight.shape == (3, 6)  # the encoder's width is 4
    assert loss.loss.losses[0].projection.weight.shape == (5, 3) and loss.loss.losses[1].weight.shape == (3, 3)
    usual = built(toy, {"_target_": "ProjectedLoss", "loss": bilinear})
    assert usual.loss.weight.shape == (128, 128)
    joined = built(toy, [{**HEAD, "loss": bilinear, "weight": 0.5}, bilinear])
    assert joined.losses[0].loss.weight.shape == (3, 3) and joined.losses[1].weight.shape == (4, 4)
    inside = {**HEAD, "_target_": "sigraph.losses.ProjectedLoss", "loss": bilinear}
    outside = built(toy, {"_target_": "CrossBatchMemory", "loss": inside})
    assert outside.loss.hidden.weight.shape == (6, 4) and outside.loss.loss.weight.shape == (3, 3)
    with pytest.raises(ConfigError, match="put the memory around it"):
        built(toy, {**HEAD, "loss": {"_target_": "sigraph.losses.CrossBatchMemory", "loss": bilinear}})


def test_an_experiment_keeps_the_encoder_without_the_head(toy):
    toy["pretrain"]["structure_loss"] = {**HEAD, "loss": {"_target_": "sigraph.losses.InfoNCELoss"}}
    toy["seeds"] = [0]
    config = config_from_dict(toy)
    assert not run(config).failed
    kept = {}
    for arm in ("sipt", "objective-only"):
        kept[arm] = load_file(run_folder(config, config.arm(arm), 0) / "encoder.safetensors")
        parts = build_parts(config.arm(arm).pretrain, 0)
        assert kept[arm].keys() == parts.module.encoder.state_dict().keys()
    assert any(not torch.equal(kept["sipt"][name], value) for name, value in kept["objective-only"].items())
