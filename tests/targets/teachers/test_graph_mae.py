"""GraphMAE as a teacher: what is hidden is not read, where it is found it costs nothing."""

import pytest
import torch

from sigraph.graph_networks.subgraphs import Subgraph
from sigraph.objectives.graph_mae import scaled_cosine_error
from sigraph.targets.teachers import GraphMAETeacher


def part(x):
    index = torch.randint(len(x), (2, 80), generator=torch.Generator().manual_seed(0))
    index = index[:, index[0] != index[1]]
    return Subgraph(x, torch.cat([index, index.flip(0)], 1), torch.rand(2 * index.size(1)))


def test_the_error_by_hand():
    found = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]])
    value = torch.tensor([[2.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    assert scaled_cosine_error(found, value, 3.0).tolist() == [0.0, 1.0, 8.0]


@pytest.mark.parametrize("layer", ["gat", "gcn"])
def test_hidden_features_are_reconstructed_without_them(layer):
    torch.manual_seed(0)
    kind, x = GraphMAETeacher(8, layer=layer, num_heads=2, mask_rate=0.4, replace_rate=0.0), torch.rand(20, 5)
    network, asked = kind.network(5).eval(), []
    network.register_forward_hook(lambda module, inputs, out: asked.append((inputs[2], out)))
    other = torch.rand(20, 5)
    losses = []
    for change in (False, True):
        torch.manual_seed(1)
        given = x.clone()
        if change:
            given[asked[0][0]] = other[asked[0][0]]
        losses.append(kind.loss(network, part(given)))
    (hidden, first), (again, second) = asked
    assert len(hidden) == 8 and torch.equal(hidden, again) and torch.equal(first, second)
    expected = [scaled_cosine_error(first, given[hidden], 3.0).mean() for given in (x, other)]
    torch.testing.assert_close(torch.stack(losses), torch.stack(expected))
    losses[0].backward()
    assert bool(network.mask.grad.any()) and bool(network.to_decoder.weight.grad.any())


def test_heads_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="'hidden_channels' needs to be a multiple of num_heads, 4"):
        GraphMAETeacher(10)
