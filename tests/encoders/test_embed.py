"""embed: all samples, in order, in evaluation mode, and the encoder as it was."""

import pyarrow as pa
import pytest
import torch

from sigraph.data import SampleDataset
from sigraph.encoders import Encoder, Encoding, MLPEncoder, embed


@pytest.fixture
def dataset() -> SampleDataset:
    return SampleDataset(torch.randn(11, 4, generator=torch.Generator().manual_seed(0)))


@pytest.fixture
def encoder() -> MLPEncoder:
    torch.manual_seed(0)
    return MLPEncoder(4, 8, 3, dropout=0.5)


def test_every_sample_in_order_whatever_the_batch_size(dataset, encoder):
    z = embed(encoder, dataset)
    assert z.shape == (11, 3) and not z.requires_grad
    torch.testing.assert_close(z, encoder.eval()(dataset.samples).z.detach())
    for batch_size in (1, 4, 11, 100):
        torch.testing.assert_close(embed(encoder, dataset, batch_size=batch_size), z)


def test_listed_samples_in_their_order(dataset, encoder):
    z, node = embed(encoder, dataset), torch.tensor([7, 0, 7, 3])
    torch.testing.assert_close(embed(encoder, dataset, node, batch_size=3), z[node])
    assert embed(encoder, dataset, torch.empty(0, dtype=torch.long)).shape == (0, 3)


def test_samples_may_be_listed_in_any_form_but_not_masked(dataset, encoder):
    z = embed(encoder, dataset)
    torch.testing.assert_close(embed(encoder, dataset, [7, 0]), z[[7, 0]])
    for node, message in (
        (torch.ones(11, dtype=torch.bool), r"of a mask: node.nonzero\(\).view\(-1\)"),
        ([11], r"'node' needs sample ids in \[0, 11\)"),
        (["a"], "'node' needs integer sample ids"),
    ):
        with pytest.raises(ValueError, match=message):
            embed(encoder, dataset, node)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataset": torch.ones(3, 4)}, r"'dataset' needs .*got Tensor\); make one: sigraph.SampleDataset"),
        ({"dataset": torch.ones(3, 4).numpy()}, r"got ndarray\); make one: sigraph.SampleDataset\("),
        ({"dataset": "folder"}, r"got 'folder'\); open it: sigraph.open_dataset"),
        ({"encoder": "runs/seed-0"}, r"'encoder' needs .*load it: sigraph.load_encoder"),
        ({"encoder": torch.nn.Linear(4, 2)}, "'encoder' needs .*a subclass of sigraph.encoders.Encoder"),
        ({"encoder": MLPEncoder}, r"the class MLPEncoder: forgotten \(\)\?"),
        ({"batch_size": 1.5}, "'batch_size' needs to be an integer"),
    ],
)
def test_things_of_another_kind_are_told_the_way(dataset, encoder, arguments, message):
    with pytest.raises(ValueError, match=message):
        embed(**{"encoder": encoder, "dataset": dataset, **arguments})


def test_training_modes_are_as_before(dataset, encoder):
    encoder.train()
    frozen = encoder.input_dropout.eval()  # a layer that the user keeps in evaluation mode
    embed(encoder, dataset)
    assert encoder.training and encoder.mlp.training and not frozen.training
    encoder.eval()
    embed(encoder, dataset)
    assert not any(module.training for module in encoder.modules())


def test_the_mode_returns_also_after_an_error(dataset):
    class Refusing(MLPEncoder):
        def forward(self, inputs):
            assert not self.training
            raise ValueError("no")

    encoder = Refusing(4).train()
    with pytest.raises(ValueError, match="no"):
        embed(encoder, dataset)
    assert encoder.training


def test_samples_that_the_encoder_cannot_read_are_refused_before_any_is_fetched(dataset, monkeypatch):
    monkeypatch.setattr(SampleDataset, "fetch", None)
    with pytest.raises(ValueError, match="'MLPEncoder' needs rows of 5 features"):
        embed(MLPEncoder(5), dataset)


def test_embeds_records(encoder):
    class Length(Encoder):
        out_channels = 1

        def forward(self, inputs):
            return Encoding(torch.tensor([[float(len(record["text"]))] for record in inputs]))

    records = SampleDataset(pa.table({"text": ["a", "bbb", "cc"]}))
    assert embed(Length(), records, batch_size=2).view(-1).tolist() == [1, 3, 2]


def test_half_precision_comes_back_as_float32(dataset):
    class Half(Encoder):
        out_channels = 4

        def forward(self, inputs):
            return Encoding(inputs.bfloat16())

    z = embed(Half(), dataset)
    assert z.dtype == torch.float32 and torch.equal(z, dataset.samples.bfloat16().float())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_nan_is_an_error_that_names_the_first_sample(dataset, value):
    class Broken(Encoder):
        out_channels = 4

        def forward(self, inputs):
            return Encoding(torch.where((inputs == dataset.samples[6]) | (inputs == dataset.samples[9]), value, inputs))

    with pytest.raises(ValueError, match=r"NaN or infinite embeddings for 2 samples \(first: sample 6\)"):
        embed(Broken(), dataset, batch_size=3)
    with pytest.raises(ValueError, match="first: sample 9"):
        embed(Broken(), dataset, torch.tensor([1, 9, 6]))


@pytest.mark.parametrize("swap", [True, False])
def test_arguments_of_another_kind_are_said(swap):
    encoder, dataset = MLPEncoder(3, out_channels=2), SampleDataset(torch.eye(3))
    if swap:
        with pytest.raises(ValueError, match=r"'encoder' needs to be a Encoder in 'embed' \(got SampleDataset\)"):
            embed(dataset, encoder)
    else:
        with pytest.raises(ValueError, match="'batch_size' needs to be an integer >= 1"):
            embed(encoder, dataset, batch_size=0)
