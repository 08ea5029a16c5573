"""Learning rates by layer, and epochs in which the head trains alone."""

from functools import partial

import pytest
import torch
from torch import nn

import sigraph as sg
from sigraph.encoders import GraphEncoder, GRUEncoder, MLPEncoder, TransformerEncoder
from sigraph.finetune import check_fits_task
from sigraph.machines.layer_rates import by_layer
from sigraph.machines.layers import layers_of

SGD = partial(torch.optim.SGD, lr=0.8)
X = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
SPLIT = {"train": torch.arange(30), "valid": torch.arange(30, 45), "test": torch.arange(45, 60)}


def test_layers_of_every_encoder_that_ships_from_the_samples_up():
    for encoder, number, lowest, highest in (
        (MLPEncoder(4, 8, 3, num_layers=3), 3, "mlp.lins.0.weight", "mlp.lins.2.bias"),
        (GRUEncoder(9, 6, 4, num_layers=2), 3, "embedding.weight", "gru.weight_hh_l1_reverse"),
        (TransformerEncoder(9, 8, num_layers=2, num_heads=2), 3, "embedding.weight", "layers.norm.weight"),
        (GraphEncoder(4, hidden_channels=8, out_channels=4, num_layers=2), 2, None, "linear.weight"),
    ):
        layers = layers_of(encoder)
        assert sorted(name for layer in layers for name in layer) == sorted(
            name for name, _ in encoder.named_parameters()
        )
        assert len(layers) == number and (lowest is None or lowest in layers[0]) and highest in layers[-1], layers
    assert layers_of(nn.Linear(2, 2)) == [["weight", "bias"]]


def test_each_layer_moves_by_its_own_rate_and_the_head_by_its_own():
    encoder, head = MLPEncoder(4, 8, 3, num_layers=3), nn.Linear(3, 2)
    made = by_layer(SGD, encoder, 0.5, 0.1)([*encoder.parameters(), *head.parameters()])
    rate = {id(parameter): group["lr"] for group in made.param_groups for parameter in group["params"]}
    found = {name: rate[id(parameter)] for name, parameter in encoder.named_parameters()}
    for number, want in enumerate((0.004, 0.04, 0.4)):
        assert found[f"mlp.lins.{number}.weight"] == pytest.approx(want)
    assert rate[id(head.weight)] == 0.8
    schedule = torch.optim.lr_scheduler.StepLR(made, 1, 0.5)
    made.step()
    schedule.step()
    assert sorted(group["lr"] for group in made.param_groups) == pytest.approx([0.002, 0.02, 0.2, 0.4])
    assert by_layer(SGD, encoder, 1, 1) is SGD  # what was run before trains to the digit as it did


def fine_tuned(**settings):
    torch.manual_seed(0)
    encoder = MLPEncoder(4, 8, 3)
    task = sg.Task("side", (X[:, 0] > 0).long(), SPLIT)
    settings = sg.FinetuneSettings("full", SGD, **{"max_epochs": 6, "patience": 6, **settings})
    return encoder, sg.fine_tune(encoder, sg.SampleDataset(X), task, settings, accelerator="cpu").model


def moved(one, other):
    pairs = zip(one.named_parameters(), other.parameters(), strict=True)
    return {name: float((a - b).detach().abs().max()) for (name, a), b in pairs}


def test_a_small_scale_leaves_the_encoder_almost_where_it_was():
    encoder, model = fine_tuned(encoder_lr_scale=1e-6)
    assert max(moved(encoder, model.encoder).values()) < 1e-4
    encoder, model = fine_tuned(layer_decay=1e-6)
    found = moved(encoder, model.encoder)
    assert found["mlp.lins.0.weight"] < 1e-4 < 1e-2 < found["mlp.lins.1.weight"]


def test_the_head_trains_alone_at_first(monkeypatch):
    seen = []
    step = sg.FinetuneModule.training_step

    def watched(self, batch, number):
        seen.append((self.encoder.mlp.lins[0].weight.detach().clone(), self.head[-1].weight.detach().clone()))
        return step(self, batch, number)

    monkeypatch.setattr(sg.FinetuneModule, "training_step", watched)
    encoder, model = fine_tuned(freeze_epochs=2, patience=2)
    same = [torch.equal(weight, encoder.mlp.lins[0].weight) for weight, _ in seen]
    assert same[:3] == [True, True, True] and not any(same[3:]) and len(seen) >= 4
    assert not torch.equal(seen[0][1], seen[1][1])
    assert all(parameter.requires_grad for parameter in model.encoder.parameters())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"head": "linear", "layer_decay": 0.5}, "'layer_decay' acts with 'head' full, where"),
        ({"head": "knn", "freeze_epochs": 1}, "'freeze_epochs' acts with 'head' full, where"),
        ({"head": "full", "layer_decay": 0.0}, "'layer_decay' needs"),
        ({"head": "full", "encoder_lr_scale": 0.0}, "'encoder_lr_scale' needs"),
        ({"head": "full", "freeze_epochs": 5, "max_epochs": 5}, "below 'max_epochs'"),
    ],
)
def test_what_does_not_act_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        sg.FinetuneSettings(**settings)


def test_an_optimiser_without_several_rates_is_refused_before_it_trains():
    with pytest.raises(ValueError, match="per-parameter"):
        check_fits_task(
            MLPEncoder(4, 8, 3),
            sg.SampleDataset(X),
            sg.Task("side", (X[:, 0] > 0).long(), SPLIT),
            sg.FinetuneSettings("full", torch.optim.LBFGS, layer_decay=0.5),
        )
