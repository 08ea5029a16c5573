"""PretrainModule: the loss it states, trained with a stock Lightning trainer, resumed bit by bit."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import Callback

import sigraph as sg
from sigraph.collate import StructureCollator, pretrain_loader
from sigraph.data import Pairs, PretrainBatch, PretrainGraph, SampleDataset
from sigraph.encoders import Encoder, Encoding, MLPEncoder, TransformerEncoder, embed
from sigraph.evaluation import edge_retrieval, label_agreement
from sigraph.graphs import hold_out_edges, rewire_edges
from sigraph.losses import StructureLoss
from sigraph.machines.checkpoint import read_checkpoint
from sigraph.machines.trainer import fit, quiet_trainer
from sigraph.objectives import MaskedFeature, Objective
from sigraph.pretrain import HeldOutValidation, PretrainModule
from sigraph.samplers import NeighborPairSampler, SeedsOnly
from sigraph.samples import token_table


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Identity(Encoder):
    """z = scale * x, and how often it was asked."""

    out_channels = 2

    def __init__(self):
        super().__init__()
        self.scale, self.calls = torch.nn.Parameter(torch.tensor(1.0)), 0

    def forward(self, inputs):
        self.calls += 1
        return Encoding(inputs * self.scale)


class SumLoss(StructureLoss):
    """The sum of all embeddings, so that its value is known by hand."""

    calls = 0

    def forward(self, z, pairs, candidates=None):
        self.calls += 1
        return z.sum()


class Square(Objective):
    calls = 0

    def corrupt(self, inputs, node, num_seeds, generator=None):
        return inputs, inputs[:num_seeds]

    def forward(self, encoding, target):
        self.calls += 1
        return (target**2).sum() + 0 * encoding.z.sum()


def batch(target: bool = True) -> PretrainBatch:
    x = torch.tensor([[1.0, 2], [3, 4], [0, 1]])
    pairs = Pairs.square(torch.tensor([[0, 1, 0], [1, 0, 2]]), 3)
    return PretrainBatch(torch.tensor([7, 8, 9]), 2, x, pairs, x[:2] if target else None)


def planted(blocks: int = 3, size: int = 20, noise: float = 1.0) -> tuple[SampleDataset, torch.Tensor]:
    """Blocks joined inside; each sample's features tell little about its block."""
    y = torch.arange(blocks).repeat_interleave(size)
    rate = torch.where(y[:, None] == y[None], 0.3, 0.01)
    edges = (torch.rand(rate.shape, generator=seeded()) < rate).triu(1).nonzero().t()
    centre = torch.randn(blocks, 8, generator=seeded(1))
    x = 0.7 * centre[y] + noise * torch.randn(len(y), 8, generator=seeded(2))
    return SampleDataset(x, {"planted": PretrainGraph(edges, num_nodes=len(y))}), y


def parts(dataset: SampleDataset, scheduler=None, **options):
    """Module, loader and encoder of a small pre-training with dropout and an objective."""
    torch.manual_seed(5)
    sampler = NeighborPairSampler(dataset.graph())
    encoder = MLPEncoder(8, 16, 8, dropout=0.3)
    objective = MaskedFeature(8, 8)
    plain = {"structure_weight": 0.8, "optimizer": partial(torch.optim.AdamW, lr=1e-2), "scheduler": scheduler}
    module = PretrainModule(
        encoder, sg.losses.MultiSimilarityLoss(), objective, sampler=sampler, **{**plain, **options}
    )
    return module, pretrain_loader(dataset, sampler, objective, batch_size=16)


# The loss #############################################################################################################


@pytest.mark.parametrize("weight", [0.1, 0.5, 0.9])
def test_the_loss_is_the_weighted_sum(weight):
    module = PretrainModule(Identity(), SumLoss(), Square(), weight)
    found = module.losses(batch())
    assert found["structure_loss"].item() == 11  # 1 + 2 + 3 + 4 + 0 + 1
    assert found["objective_loss"].item() == 30  # 1 + 4 + 9 + 16
    assert found["loss"].item() == pytest.approx((1 - weight) * 30 + weight * 11)
    found["loss"].backward()
    assert module.encoder.scale.grad.item() == pytest.approx(weight * 11)


def test_each_unique_sample_is_encoded_once():
    module = PretrainModule(Identity(), SumLoss(), Square(), 0.5)
    module.losses(batch())
    assert (module.encoder.calls, module.structure_loss.calls, module.objective.calls) == (1, 1, 1)


def test_at_zero_the_structure_loss_is_not_computed():
    module = PretrainModule(Identity(), SumLoss(), Square(), 0.0)
    found = module.losses(batch())
    assert found["loss"].item() == 30 and "structure_loss" not in found and module.structure_loss.calls == 0


def test_at_one_the_objective_is_not_computed():
    module = PretrainModule(Identity(), SumLoss(), Square(), 1.0)
    found = module.losses(batch(target=False))
    assert found["loss"].item() == 11 and "objective_loss" not in found and module.objective.calls == 0


def test_the_weight_defaults_to_structure_alone_or_a_tenth():
    assert PretrainModule(Identity(), SumLoss()).structure_weight == 1.0
    assert PretrainModule(Identity(), SumLoss(), Square()).structure_weight == 0.1


def test_the_example_of_the_documentation():
    dataset, _ = planted()
    encoder = MLPEncoder(8, 16, 8)
    objective = sg.objectives.MaskedFeature(in_channels=8, encoder_channels=8)
    sampler = sg.samplers.NeighborPairSampler(dataset.graph())
    loss = sg.losses.MultiSimilarityLoss()
    module = sg.PretrainModule(encoder, loss, objective=objective, structure_weight=0.1)
    step = sg.StructureCollator(dataset, sampler, objective)([0, 1, 2, 30])
    z = encoder(step.inputs)
    expected = 0.9 * objective(z, step.target) + 0.1 * loss(z.z, step.pairs)
    torch.testing.assert_close(module.losses(step)["loss"], expected)


def test_only_parameters_that_train_are_optimised():
    module = PretrainModule(Identity(), SumLoss(), MaskedFeature(2, 2), 0.5)
    module.objective.decoder.bias.requires_grad_(False)
    listed = {id(p) for group in module.configure_optimizers().param_groups for p in group["params"]}
    assert listed == {id(module.encoder.scale), id(module.objective.decoder.weight)}


# Errors ###############################################################################################################


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"structure_weight": 1.5}, r"'structure_weight' needs to be in \[0, 1\] in 'PretrainModule' \(got 1.5\)"),
        ({"structure_weight": -0.1}, "'structure_weight'"),
        ({"structure_weight": float("nan")}, "'structure_weight'"),
        ({"structure_weight": 0.5, "objective": None}, r"'objective' is needed .*below 1 \(got 0.5\)"),
        ({"encoder": torch.nn.Linear(2, 2)}, r"'encoder' needs to be a sigraph Encoder \(got Linear\)"),
        (
            {"structure_loss": torch.nn.MSELoss()},
            r"'structure_loss' needs to be a sigraph StructureLoss \(got MSELoss\)",
        ),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        PretrainModule(**{"encoder": Identity(), "structure_loss": SumLoss(), "objective": Square(), **arguments})


def test_a_batch_made_for_an_objective_needs_one_in_the_module():
    """Its samples are corrupted; trained on without a word they would be what the encoder learns from."""
    with pytest.raises(ValueError, match="made for an objective, its samples are corrupted"):
        PretrainModule(Identity(), SumLoss()).losses(batch())
    assert PretrainModule(Identity(), SumLoss(), Square(), 1.0).losses(batch())["loss"].item() == 11


def test_a_batch_without_target_says_what_is_missing():
    with pytest.raises(ValueError, match="give the objective to the StructureCollator too"):
        PretrainModule(Identity(), SumLoss(), Square(), 0.5).losses(batch(target=False))


@pytest.mark.parametrize("part", ["structure_loss", "objective_loss"])
def test_a_nan_stops_the_run_and_says_where_it_came_from(part):
    class Broken(SumLoss):
        def forward(self, z, pairs, candidates=None):
            return super().forward(z, pairs) * (float("nan") if self.calls == 3 else 1)

    class BrokenObjective(Square):
        def forward(self, encoding, target):
            return super().forward(encoding, target) * (float("inf") if self.calls == 3 else 1)

    structure, objective = (Broken(), Square()) if part == "structure_loss" else (SumLoss(), BrokenObjective())
    module = PretrainModule(Identity(), structure, objective, 0.5)
    graph = PretrainGraph([[0, 1, 2], [1, 2, 3]], num_nodes=4)
    dataset = SampleDataset(torch.ones(4, 2), {"line": graph})
    loader = pretrain_loader(dataset, NeighborPairSampler(graph), objective, batch_size=1)
    with pytest.raises(ValueError, match=rf"{part} is (nan|inf) in epoch 0, step 2 \(samples \[\d"):
        quiet_trainer(max_epochs=3, accelerator="cpu").fit(module, loader)
    assert module.encoder.scale.isfinite()


@pytest.mark.parametrize(("value", "got"), [(torch.ones(3, 1), r"shape \[3, 1\]"), (0.5, "0.5"), (None, "None")])
def test_a_loss_that_is_no_scalar_is_named(value, got):
    class Rows(SumLoss):
        def forward(self, z, pairs, candidates=None):
            return value

    with pytest.raises(
        ValueError, match=rf"structure_loss needs to be a scalar tensor, returned by 'Rows' \(got {got}"
    ):
        PretrainModule(Identity(), Rows()).losses(batch(target=False))


def test_several_processes_need_a_sampler_and_a_loss_they_can_share(monkeypatch):
    sampler = NeighborPairSampler(PretrainGraph([[0], [1]]))

    def setup(module, world_size=2):
        module.trainer = SimpleNamespace(world_size=world_size)
        module.setup("fit")

    shared = sg.losses.InfoNCELoss()
    with pytest.raises(ValueError, match=r"'strategy' needs torch.distributed .*\(got 2 processes\)"):
        setup(PretrainModule(Identity(), shared, sampler=sampler))
    monkeypatch.setattr("sigraph.pretrain.world_size", lambda: 2)
    with pytest.raises(ValueError, match=r"'sampler' is needed .*'devices' > 1 \(got 2 processes\)"):
        setup(PretrainModule(Identity(), shared))
    with pytest.raises(ValueError, match=r"'devices' needs to be 1 .*'SumLoss' has a forward"):
        setup(PretrainModule(Identity(), SumLoss(), sampler=sampler))
    memory = sg.losses.CrossBatchMemory(SumLoss())
    with pytest.raises(ValueError, match="'devices' needs to be 1"):
        setup(PretrainModule(Identity(), memory, sampler=sampler))
    setup(PretrainModule(Identity(), shared, sampler=sampler))
    setup(PretrainModule(Identity(), SumLoss(), Square(), 0.0))  # nothing to share
    setup(PretrainModule(Identity(), SumLoss()), world_size=1)


@pytest.mark.parametrize(("weight", "trains"), [(0.0, False), (0.5, True), (1.0, False)])
def test_several_processes_wait_for_no_parameter_without_gradient(weight, trains, monkeypatch):
    monkeypatch.setattr("sigraph.pretrain.world_size", lambda: 2)
    loss = sg.losses.InfoNCELoss()
    loss.scale = torch.nn.Parameter(torch.ones(()))
    sampler = NeighborPairSampler(PretrainGraph([[0], [1]]))
    module = PretrainModule(Identity(), loss, MaskedFeature(2, 2), weight, sampler)
    module.trainer = SimpleNamespace(world_size=2)
    module.setup("fit")
    assert loss.scale.requires_grad == (weight > 0)
    assert module.objective.decoder.weight.requires_grad == (weight < 1)
    assert trains == all(parameter.requires_grad for parameter in module.parameters())


# Training #############################################################################################################


class Logged(Callback):
    def __init__(self):
        self.rows = []

    def on_train_epoch_end(self, trainer, pl_module):
        self.rows.append({name: float(value) for name, value in trainer.callback_metrics.items()})


def test_training_makes_the_latent_space_reflect_the_graph():
    dataset, y = planted()
    module, loader = parts(dataset, structure_weight=0.9)
    before = label_agreement(embed(module.encoder, dataset), y)
    logged = Logged()
    quiet_trainer(max_epochs=25, accelerator="cpu", callbacks=[logged]).fit(module, loader)
    after = label_agreement(embed(module.encoder, dataset), y)
    assert before < 0.82 and after > 0.93
    shuffled = dataset.replace({"shuffled": rewire_edges(dataset.graph(), 1.0, seeded())})
    control, loader = parts(shuffled, structure_weight=0.9)
    quiet_trainer(max_epochs=25, accelerator="cpu").fit(control, loader)
    assert label_agreement(embed(control.encoder, dataset), y) < 0.86  # it is the graph that does it
    assert {"loss", "structure_loss", "objective_loss", "positives_per_anchor", "anchors_without_positive"} <= set(
        logged.rows[0]
    )
    assert logged.rows[-1]["structure_loss"] < logged.rows[0]["structure_loss"]
    assert logged.rows[0]["positives_per_anchor"] > 0 and 0 <= logged.rows[0]["anchors_without_positive"] < 0.5


def test_logs_positives_of_each_anchor():
    graph = PretrainGraph([[0, 0], [1, 2]], num_nodes=4)  # 3 is isolated
    dataset = SampleDataset(torch.randn(4, 2), {"star": graph})
    logged = Logged()
    module = PretrainModule(Identity(), SumLoss(), optimizer=partial(torch.optim.SGD, lr=0.0))
    loader = pretrain_loader(dataset, NeighborPairSampler(graph, 1, 0), batch_size=4)
    quiet_trainer(max_epochs=1, accelerator="cpu", callbacks=[logged]).fit(module, loader)
    assert logged.rows[0]["positives_per_anchor"] == pytest.approx((2 + 1 + 1 + 0) / 4)
    assert logged.rows[0]["anchors_without_positive"] == pytest.approx(0.25)


def test_same_seed_same_weights_other_seed_other_dropout():
    dataset, _ = planted()

    def weights(seed):
        module, loader = parts(dataset, seed=seed)
        torch.manual_seed(100 + torch.initial_seed() % 7)  # what was random before does not matter
        torch.rand(seed + 3)
        quiet_trainer(max_epochs=2, accelerator="cpu").fit(module, loader)
        return torch.cat([p.detach().view(-1) for p in module.parameters()])

    one, two, other = weights(0), weights(0), weights(1)
    assert torch.equal(one, two) and not torch.equal(one, other)


class SaveAt(Callback):
    """As sigraph does: a checkpoint at the end of an epoch, before the run is cut off."""

    def __init__(self, path, epoch):
        self.path, self.epoch = path, epoch

    def on_train_epoch_end(self, trainer, pl_module):
        if trainer.current_epoch == self.epoch:
            trainer.save_checkpoint(self.path)


def cosine(optimizer):
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=6)


@pytest.mark.parametrize("scheduler", [None, cosine])
@pytest.mark.parametrize("epoch", [0, 2])
def test_a_resumed_run_is_the_undisturbed_run_bit_by_bit(tmp_path, scheduler, epoch):
    dataset, y = planted()
    graph, edges = hold_out_edges(dataset.graph(), 0.1, seeded())

    def run(ckpt=None, save=None):
        module, loader = parts(dataset, scheduler)
        validation = HeldOutValidation(dataset, edges, graph, y, every=2)
        trainer = quiet_trainer(max_epochs=5, accelerator="cpu", callbacks=[validation, *([save] if save else [])])
        trainer.fit(module, loader, ckpt_path=ckpt, weights_only=True)
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        return module.state_dict(), validation.history, trainer.global_step, rate

    state, history, steps, rate = run(save=SaveAt(tmp_path / "a.ckpt", epoch))
    read_checkpoint(tmp_path / "a.ckpt")
    resumed_state, resumed_history, resumed_steps, resumed_rate = run(ckpt=tmp_path / "a.ckpt")
    assert steps == resumed_steps == 5 * 4 and rate == resumed_rate
    assert state.keys() == resumed_state.keys()
    assert all(torch.equal(state[name], resumed_state[name]) for name in state)
    assert history == resumed_history
    assert [row["epoch"] for row in history] == [2, 4, 5]


def test_an_epoch_end_schedule_is_stepped_once_an_epoch():
    dataset, _ = planted()
    module, loader = parts(dataset, partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5))
    trainer = quiet_trainer(max_epochs=3, accelerator="cpu")
    trainer.fit(module, loader)
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(1e-2 / 8)


# Validation ###########################################################################################################


def test_validation_measures_what_it_says_and_always_the_last_epoch():
    dataset, y = planted()
    graph, edges = hold_out_edges(dataset.graph(), 0.2, seeded())
    module, loader = parts(dataset)
    validation, logged = HeldOutValidation(dataset, edges, graph, y, every=3), Logged()
    quiet_trainer(max_epochs=7, accelerator="cpu", callbacks=[validation, logged]).fit(module, loader)
    assert [row["epoch"] for row in validation.history] == [3, 6, 7]
    z = embed(module.encoder, dataset)
    expected = {f"valid_{name}": value for name, value in edge_retrieval(z, edges, graph).items()}
    expected["valid_label_agreement"] = label_agreement(z, y)
    assert validation.history[-1] == {"epoch": 7, **expected}
    assert validation.history[0]["valid_mrr"] != validation.history[-1]["valid_mrr"]
    assert module.encoder.training and module.encoder.input_dropout.training


def test_validation_changes_nothing():
    dataset, y = planted()
    states = []
    for every in (1, 100):
        module, loader = parts(dataset)
        validation = HeldOutValidation(dataset, torch.tensor([[0], [1]]), dataset.graph(), y, every=every)
        quiet_trainer(max_epochs=3, accelerator="cpu", callbacks=[validation]).fit(module, loader)
        states.append(torch.cat([p.detach().view(-1) for p in module.parameters()]))
    assert torch.equal(*states)


def test_validation_asks_the_same_few_samples_every_time_above_its_cap():
    dataset, y = planted()
    graph, edges = hold_out_edges(dataset.graph(), 0.3, seeded())
    encoder = MLPEncoder(8)
    z, ends = embed(encoder, dataset), edges.unique()

    def capped(most, seed=0):
        return HeldOutValidation(dataset, edges, graph, y, max_queries=most, seed=seed)

    few = capped(5)
    assert len(few.ends.unique()) == len(few.asking.unique()) == 5 and torch.isin(few.ends, ends).all()
    expected = {f"valid_{k}": v for k, v in edge_retrieval(z, edges, graph, query=few.ends).items()}
    expected["valid_label_agreement"] = label_agreement(z, y, few.asking)
    assert few.measure(encoder) == few.measure(encoder) == capped(5).measure(encoder) == expected
    assert not torch.equal(capped(5, seed=1).ends, few.ends)
    full = HeldOutValidation(dataset, edges, graph, y).measure(encoder)
    assert full == capped(None).measure(encoder) == capped(len(dataset)).measure(encoder) != few.measure(encoder)
    with pytest.raises(ValueError, match="'max_queries' needs to be an integer >= 1 in 'HeldOutValidation'"):
        capped(0)


def test_validation_leaves_out_what_it_cannot_measure():
    dataset, y = planted()
    encoder, none = MLPEncoder(8), torch.empty(2, 0, dtype=torch.long)
    assert HeldOutValidation(dataset, none, dataset.graph()).measure(encoder) == {}
    assert set(HeldOutValidation(dataset, none, dataset.graph(), y).measure(encoder)) == {"valid_label_agreement"}
    hidden = torch.full_like(y, -1)
    assert HeldOutValidation(dataset, none, dataset.graph(), hidden).measure(encoder) == {}
    edges = torch.tensor([[0], [1]])
    assert set(HeldOutValidation(dataset, edges, dataset.graph()).measure(encoder)) == {
        "valid_mrr",
        "valid_hits@1",
        "valid_hits@10",
    }
    with pytest.raises(ValueError, match="'every' needs to be an integer >= 1"):
        HeldOutValidation(dataset, none, dataset.graph(), every=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataset": torch.ones(3, 2)}, r"'dataset' needs to be a SampleDataset .*make one: sigraph.SampleDataset"),
        ({"graph": None}, "'graph' needs to be a PretrainGraph"),
        ({"graph": PretrainGraph([[0], [1]])}, r"'graph' needs one node per sample .*got 2 nodes"),
        ({"edges": [[0], [1]]}, "'edges' needs to be a Tensor"),
        ({"edges": torch.ones(2, 3)}, r"'edges' needs sample ids, \[2, num_edges\], .*float32"),
        ({"edges": torch.tensor([[0], [9_999]])}, r"'edges' needs sample ids in \[0, .*got \[0, 9999\]"),
        ({"y": torch.zeros(3, dtype=torch.long)}, r"'y' needs integer classes, a tensor .*int64 \[3\]"),
        ({"y": [0, 1]}, "'y' needs integer classes, .*got list"),
        ({"every": 1.5}, "'every' needs to be an integer >= 1"),
        ({"max_queries": "all"}, "'max_queries' needs to be an integer >= 1"),
    ],
)
def test_what_validation_is_given_is_over_the_same_samples(arguments, message):
    dataset, y = planted()
    given = {"dataset": dataset, "edges": torch.tensor([[0], [1]]), "graph": dataset.graph(), "y": y}
    with pytest.raises(ValueError, match=message):
        HeldOutValidation(**{**given, **arguments})


def test_objective_and_collator_meet_in_the_batch():
    """Seed samples are corrupted, the others stay clean, and the target holds them as they were."""
    dataset, _ = planted()
    objective = MaskedFeature(8, 8, mask_rate=0.5)
    step = StructureCollator(dataset, NeighborPairSampler(dataset.graph()), objective)([3, 40])
    clean = dataset.samples[step.node]
    assert step.num_seeds == 2 and step.node[:2].tolist() == [3, 40]
    assert torch.equal(step.inputs[2:], clean[2:]) and torch.equal(step.target.value, clean[:2])
    assert torch.equal(step.inputs[:2] == 0, step.target.mask) and step.target.mask.any()


def test_the_log_says_how_much_of_what_is_encoded_is_no_padding_and_how_fast():
    """Three tokens and one, twice: 8 of 12 in one chunk; cut by length, none is padded."""
    dataset = SampleDataset(token_table([[2, 3, 4], [5]] * 2, 8), {"pairs": PretrainGraph([[0, 2], [1, 3]], 4)})
    sampler = SeedsOnly(dataset.graph("pairs"))
    for most, share in ((None, 4 / 6), (3, 1.0)):
        torch.manual_seed(0)
        module = PretrainModule(TransformerEncoder(8, 4, num_heads=2, max_tokens=most), SumLoss(), sampler=sampler)
        trainer = quiet_trainer(max_epochs=1, accelerator="cpu")
        fit(trainer, module, pretrain_loader(dataset, sampler, batch_size=4))
        assert float(trainer.callback_metrics["unpadded_share"]) == pytest.approx(share)
        assert 0 < float(trainer.callback_metrics["tokens_per_second"]) < 1e6
