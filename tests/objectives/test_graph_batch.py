"""What objectives on graphs share: draws are exact in number and fair, losses by hand, batches are not changed."""

import pytest
import torch
import torch.nn.functional as F
from torch_geometric.data import Data

from sigraph.data import SampleDataset
from sigraph.encoders import Encoding
from sigraph.objectives.graph_batch import draw_some, kind_losses, nodes_of, replaced


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("rate", [0.1, 0.34, 0.99])
def test_as_many_of_each_group_as_stated(rate):
    size = [1, 5, 2, 10, 3]
    whose = torch.arange(5).repeat_interleave(torch.tensor(size))
    drawn = draw_some(whose, 4, rate, seeded())
    assert [int(drawn[whose == i].sum()) for i in range(4)] == [min(n, int(n * rate) + 1) for n in size[:4]]
    assert not drawn[whose == 4].any()
    assert not draw_some(whose, 0, rate, seeded()).any() and draw_some(whose[:0], 3, rate, seeded()).shape == (0,)


def test_groups_without_members_are_passed_over():
    whose = torch.tensor([1, 1, 1, 4, 4])
    drawn = draw_some(whose, 5, 0.5, seeded())
    assert drawn[:3].sum() == 2 and drawn[3:].sum() == 2


def test_every_member_is_drawn_as_often():
    whose = torch.arange(2).repeat_interleave(torch.tensor([4, 6]))
    draw = seeded()
    count = torch.stack([draw_some(whose, 2, 0.3, draw) for _ in range(4000)]).sum(dim=0)
    expected = torch.tensor([4000 * 2 / 4] * 4 + [4000 * 2 / 6] * 6)
    assert ((count - expected).abs() < 5 * (expected * (1 - expected / 4000)).sqrt()).all()


def test_losses_of_several_attributes_are_averaged():
    logits, kind = torch.randn(4, 5, generator=seeded()), torch.tensor([[0, 1], [1, 2], [0, 0], [1, 1]])
    one, other = F.cross_entropy(logits[:, :2], kind[:, 0]), F.cross_entropy(logits[:, 2:], kind[:, 1])
    torch.testing.assert_close(kind_losses(logits, kind, [2, 3]) / 4, (one + other) / 2)


def test_the_batch_that_was_given_stays():
    batch = SampleDataset([Data(x=torch.ones(2, 1), edge_index=torch.zeros(2, 0).long())]).fetch(torch.arange(1))
    out = replaced(batch, x=torch.zeros(2, 1), node_mask=torch.ones(2).bool())
    assert batch.x.sum() == 2 and "node_mask" not in batch and out.x.sum() == 0 and out.num_graphs == 1
    assert out.to("cpu").node_mask.all()  # goes along to a device


@pytest.mark.parametrize("h", [None, torch.ones(3, 2)])
def test_embeddings_of_nodes_are_asked_for(h):
    got = "none" if h is None else 3
    with pytest.raises(ValueError, match=rf"h needs one row a node, 4, for 'X' \(got {got}\); choose an encoder that"):
        nodes_of(Encoding(torch.ones(1, 2), h), 4, "X")
