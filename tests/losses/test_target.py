"""TargetLoss against the formulas, pair by pair; a list of losses in a YAML; a run of it."""

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cosine_similarity, normalize

from sigraph.config import ConfigError, config_from_dict
from sigraph.data import Pairs, PretrainGraph, SampleDataset
from sigraph.experiment import run
from sigraph.leaderboard.records import Record
from sigraph.losses import InfoNCELoss, JointLoss, TargetLoss
from sigraph.running.parts import build_parts
from sigraph.running.run_one import run_folder
from sigraph.targets import PropagatedFeatures

NONE = torch.empty(2, 0, dtype=torch.long)


def case(num_rows=9, width=4):
    draw = torch.Generator().manual_seed(0)
    z, c = torch.randn(5, 4, generator=draw).double(), torch.randn(7, 4, generator=draw).double()
    rows = torch.randn(num_rows, width, generator=draw).double()
    rows[3] = 0
    pairs = Pairs(NONE, 5, 7, anchor_id=torch.tensor([0, 3, 5, 8, 1]), candidate_id=torch.tensor([2, 3, 4, 6, 7, 8, 1]))
    return z, c, rows, pairs


def test_cosine_is_the_mean_over_anchors_with_a_target():
    z, c, rows, pairs = case()
    ids = pairs.anchor_id
    wanted = torch.stack([1 - cosine_similarity(z[i], rows[ids[i]], dim=0) for i in (0, 2, 3, 4)]).mean()
    torch.testing.assert_close(TargetLoss(rows)(z, pairs, c), wanted)


def test_relational_is_the_mean_over_pairs_with_targets():
    z, c, rows, pairs = case(width=6)
    total, count = 0.0, 0
    for i, a in enumerate(pairs.anchor_id.tolist()):
        for j, b in enumerate(pairs.candidate_id.tolist()):
            if 3 not in (a, b):
                mine, theirs = cosine_similarity(z[i], c[j], dim=0), cosine_similarity(rows[a], rows[b], dim=0)
                total, count = total + (mine - theirs) ** 2, count + 1
    torch.testing.assert_close(TargetLoss(rows, "relational")(z, pairs, c), total / count)


def test_relational_is_zero_at_the_target_in_any_rotation():
    rows = torch.randn(9, 4, generator=torch.Generator().manual_seed(1)).double()
    turn = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64))[0]
    pairs = Pairs.square(NONE, 9, anchor_id=torch.arange(9), candidate_id=torch.arange(9))
    z = (3 * normalize(rows) @ turn).requires_grad_()
    loss = TargetLoss(rows, "relational")(z, pairs)
    loss.backward()
    assert loss.abs() < 1e-12 and z.grad.abs().max() < 1e-8


def test_other_widths_are_projected_and_the_projection_learns():
    z, c, rows, pairs = case(width=3)
    loss = TargetLoss(rows, encoder_channels=4).double()
    assert [tuple(p.shape) for p in loss.parameters()] == [(3, 4)]
    optimizer = torch.optim.Adam([*loss.parameters(), z.requires_grad_()], 0.05)
    first = loss(z, pairs, c).item()
    for _ in range(200):
        optimizer.zero_grad()
        value = loss(z, pairs, c)
        value.backward()
        optimizer.step()
    assert value.item() < 0.01 < first
    assert not list(TargetLoss(rows, "relational").parameters()) and not list(TargetLoss(rows[:, :3]).parameters())


@pytest.mark.parametrize("measure", ["cosine", "relational"])
def test_gradients_are_derivatives_and_no_target_is_no_loss(measure):
    z, c, rows, pairs = case()
    loss = TargetLoss(rows, measure)
    assert torch.autograd.gradcheck(lambda z, c: loss(z, pairs, c), (z.requires_grad_(), c.requires_grad_()))
    empty = TargetLoss(torch.zeros_like(rows), measure)(z, pairs, c)
    empty.backward()
    assert empty == 0 and (z.grad == 0).all()


def test_refuses():
    z, c, rows, pairs = case()
    with pytest.raises(ValueError, match="needs node ids"):
        TargetLoss(rows)(z, Pairs(NONE, 5, 7), c)
    with pytest.raises(ValueError, match="8 rows, and a sample 8"):
        TargetLoss(rows[:8])(z, pairs, c)
    with pytest.raises(ValueError, match=r"finite rows.*first 2"):
        TargetLoss(rows.index_fill(0, torch.tensor([2]), float("nan")))
    with pytest.raises(ValueError, match="'measure'"):
        TargetLoss(rows, "euclidean")
    with pytest.raises(ValueError, match=r"encoder_channels.*needs to be 4"):
        TargetLoss(rows[:, :3])(z, pairs, c)
    with pytest.raises(ValueError, match=r"loss.prepare\(dataset, graph, seed\)"):
        TargetLoss(PropagatedFeatures(4))(z, pairs, c)
    with pytest.raises(ValueError, match="a Target or rows"):
        TargetLoss([1.0])
    with pytest.raises(ValueError, match=r"_target_: sigraph.targets.*got 'PropagatedFeatures'"):
        TargetLoss("PropagatedFeatures")
    with pytest.raises(ValueError, match="not all 0"):
        JointLoss([InfoNCELoss()], [0.0])
    with pytest.raises(ValueError, match="a list of structure losses"):
        JointLoss([])


def test_a_target_is_computed_of_what_the_loss_is_told():
    x, graph = torch.eye(6), PretrainGraph(torch.tensor([[0, 1, 2, 4], [1, 2, 3, 5]]), 6)
    loss = TargetLoss(PropagatedFeatures(4))
    loss.prepare(SampleDataset(x), graph, 3)
    assert torch.equal(loss.rows, PropagatedFeatures(4).fit(SampleDataset(x), graph, seed=3))
    assert loss.state_dict() == {}


TARGET = {
    "_target_": "sigraph.losses.TargetLoss",
    "target": {"_target_": "sigraph.targets.PropagatedFeatures", "out_channels": 5},
}


def test_a_list_is_a_weighted_sum(toy):
    pairs = {"_target_": "InfoNCELoss", "weight": 2}
    toy["pretrain"]["structure_loss"] = [{**TARGET, "weight": 0.7}, pairs, "NPairLoss"]
    config = config_from_dict(toy, overrides=["pretrain.structure_loss.losses.1.temperature=0.5"])
    loss = build_parts(config.arm("sipt").pretrain, 0).module.structure_loss
    assert isinstance(loss, JointLoss) and loss.weights == [0.7, 2.0, 1.0]
    assert loss.losses[1].temperature == 0.5 and loss.losses[0].projection.weight.shape == (5, 4)
    toy["pretrain"]["structure_loss"] = []
    with pytest.raises(ConfigError, match="at least one loss"):
        config_from_dict(toy)


def test_an_experiment_runs_and_its_target_is_kept(toy, data_root):
    toy["pretrain"] |= {"structure_loss": [{**TARGET, "weight": 0.5}, "InfoNCELoss"], "sampler": "SeedsOnly"}
    toy["seeds"] = [0]
    config = config_from_dict(toy)
    assert not run(config).failed
    folder = run_folder(config, config.arm("sipt"), 0)
    assert Record.read(folder / "results.json").to_dict()["visible"]["labels"] == "none"
    assert len(list((data_root / "targets").glob("*/target.npy"))) >= 1
    assert not [name for name in load_file(folder / "encoder.safetensors") if "projection" in name]


def test_an_embedding_of_zeros_has_a_finite_gradient():
    z, _, rows, pairs = case()
    zero = torch.zeros_like(z).requires_grad_()
    TargetLoss(rows)(zero, Pairs.square(NONE, 5, anchor_id=pairs.anchor_id, candidate_id=pairs.anchor_id)).backward()
    assert torch.isfinite(zero.grad).all()
