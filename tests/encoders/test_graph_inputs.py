"""Inputs of a graph encoder: OGB's sum of embeddings, hidden rows and loops, what does not fit."""

import pytest
import torch

from sigraph.encoders.graph_inputs import CategoryInput, LinearInput, inputs_of
from sigraph.samples.categories import EDGES, NODES


def test_an_embedding_for_each_attribute_is_summed():
    torch.manual_seed(0)
    read = CategoryInput(NODES["ogb"], 8)
    tables = read.table.weight.split(list(NODES["ogb"].rows))
    value = torch.stack([torch.randint(size, (20,)) for size in NODES["ogb"].known], dim=1)
    expected = sum(table[column] for table, column in zip(tables, value.t(), strict=True))
    torch.testing.assert_close(read(value), expected)
    bound = [(6 / (len(table) + 8)) ** 0.5 for table in tables]  # Glorot and Bengio, a table by itself
    assert all(0.8 * most < table.abs().max() <= most for table, most in zip(tables, bound, strict=True))


def test_few_combinations_are_summed_in_advance_to_the_same():
    torch.manual_seed(0)
    read = CategoryInput(EDGES["ogb"], 8)
    value = torch.cartesian_prod(*(torch.arange(size) for size in EDGES["ogb"].rows))
    assert read.num_every == len(value) == 7 * 8 * 4
    out = read(value)
    weight = torch.randn(out.shape)
    (out * weight).sum().backward()
    grad, read.table.weight.grad = read.table.weight.grad, None
    read.num_every = 0
    torch.testing.assert_close(read(value), out)
    (read(value) * weight).sum().backward()
    torch.testing.assert_close(read.table.weight.grad, grad)


@pytest.mark.parametrize("categories", [NODES["ogb"], EDGES["ogb"]])
@pytest.mark.parametrize("kind", [-1, 200])
def test_a_kind_that_is_none_is_never_read_as_one_of_another_attribute(categories, kind):
    value = torch.zeros(2, len(categories.known)).long()
    value[1, 1] = kind
    with pytest.raises(ValueError, match=rf"kinds in \[0, {categories.rows[1]}\) as attribute 1 \(got {kind}\)"):
        CategoryInput(categories, 4)(value)


def test_hidden_categories_are_read_whatever_they_were():
    read = CategoryInput(NODES["hu2020"], 4)
    hidden = torch.tensor([True, False])
    one, other = read(torch.tensor([[5, 1], [6, 0]]), hidden), read(torch.tensor([[9, 2], [6, 0]]), hidden)
    assert torch.equal(one, other)
    torch.testing.assert_close(one[0], read.table.weight[119] + read.table.weight[120])  # theirs: type 119, chirality 0


def test_loops_of_bonds_are_of_a_kind_of_their_own():
    read = CategoryInput(EDGES["hu2020"], 4)
    torch.testing.assert_close(read.loop_row(), read.table.weight[4] + read.table.weight[6])


def test_hidden_numbers_have_learnt_attributes():
    read, hidden = LinearInput(3, 4, has_loop=True), torch.tensor([False, True])
    read.hidden.data, read.loop.data = torch.tensor([1.0, 2, 3]), torch.tensor([4.0, 5, 6])
    out = read(torch.tensor([[7, 8, 9], [10, 11, 12]]), hidden)
    expected = read.linear(torch.tensor([[7.0, 8, 9], [1, 2, 3]]))
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(read.loop_row(), read.linear(read.loop))
    read(torch.ones(2, 3)).sum().backward()
    assert (read.hidden.grad == 0).all()  # connected where nothing is hidden: DDP waits for it


@pytest.mark.parametrize(
    ("value", "channels", "edges", "message"),
    [
        ("linear", None, True, "'edge_channels' needs graphs with attributes of edges in 'E'"),
        ("ogb", 4, False, r"'node_encoder' 'ogb' reads 9 attributes of nodes in 'E', but they have 4; use"),
        ("bonds", 3, True, "'edge_encoder' needs to be one of ogb, hu2020 or a list"),
    ],
)
def test_what_does_not_fit_is_named(value, channels, edges, message):
    with pytest.raises(ValueError, match=message):
        inputs_of(value, channels, 8, "E", int(edges))
