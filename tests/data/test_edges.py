"""Checks of given edges: what is accepted comes back as one type, what was dropped is counted and said."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sigraph.data import PretrainGraph
from sigraph.data.edges import check_edge_index, check_edge_weight, check_group


@given(st.integers(1, 9), st.data())
def test_ids_in_range_pass_and_others_are_named(n, data):
    node = st.integers(-2, n + 1)
    edges = data.draw(st.lists(st.tuples(node, node), min_size=1, max_size=6))
    index = torch.tensor(edges, dtype=data.draw(st.sampled_from([torch.int32, torch.long]))).t()
    wrong = [number for number, edge in enumerate(edges) if not all(0 <= i < n for i in edge)]
    if wrong:
        with pytest.raises(ValueError, match=rf"\[0, {n}\).*number {wrong[0]}, \[{edges[wrong[0]][0]}, "):
            check_edge_index(index, n)
    else:
        checked, num_nodes = check_edge_index(index, n)
        assert checked.dtype == torch.long and torch.equal(checked, index.long()) and num_nodes == n
        assert check_edge_index(index, None)[1] == int(index.max()) + 1


def test_no_edges_and_numbers_of_nodes():
    assert check_edge_index([[], []], None)[1] == 0 and check_edge_index([[], []], 4)[0].dtype == torch.long
    for num_nodes in (3, 3.0, np.int64(3), torch.tensor(3)):
        assert check_edge_index([[0], [2]], num_nodes)[1] == 3
    for num_nodes in (-1, 2.5, True, "3"):
        with pytest.raises(ValueError, match="'num_nodes' needs to be an integer >= 0"):
            check_edge_index([[0], [1]], num_nodes)


def test_weights_become_a_float_vector():
    for weight in ([1, 2], [1.0, 2.0], torch.tensor([[1.0], [2.0]]), np.array([1.0, 2.0]), torch.tensor([1, 2])):
        checked = check_edge_weight(weight, 2)
        assert checked.dtype == torch.float and checked.tolist() == [1, 2]
    for weight in ([1.0], [[1.0, 2.0]], 1.0, torch.ones(2, 2)):
        with pytest.raises(ValueError, match=r"'edge_weight' needs shape \[2\]"):
            check_edge_weight(weight, 2)
    with pytest.raises(ValueError, match=r"got 2 others; first: -1.0 of edge number 1"):
        check_edge_weight([0.0, -1.0, float("nan")], 3)


def test_groups_become_an_integer_vector():
    assert check_group(np.array([1, 2], dtype=np.int8), 2).dtype == torch.long
    for group in ([1], [1.0, 2.0], [[1, 2]], 1):
        with pytest.raises(ValueError, match="'group' needs 2 integers, one per node"):
            check_group(group, 2)


def test_weights_that_are_all_0_are_said_and_some_are_not():
    with pytest.warns(UserWarning, match="'edge_weight' is 0 for every edge .* edge_weight=None") as said:
        PretrainGraph([[0, 1], [1, 2]], 3, [0.0, 0.0])
    assert [warning.filename for warning in said] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert PretrainGraph([[0, 1], [1, 2]], 3, [0.0, 0.5]).edge_weight.tolist() == [0.0, 0.0, 0.5, 0.5]
        assert PretrainGraph([[], []], 3, []).num_edges == 0
    with pytest.raises(ValueError, match=r"'edge_weight' needs finite values >= 0 .*first: -1.0 of edge number 1"):
        PretrainGraph([[0, 1], [1, 2]], 3, [0.0, -1.0])


@pytest.mark.parametrize(
    ("edges", "loops", "repeats"),
    [
        ([], 0, 0),
        ([(0, 1), (1, 2)], 0, 0),
        ([(0, 1), (1, 0), (1, 2), (2, 1)], 0, 0),  # both ways, as PyG stores them
        ([(0, 1), (0, 1)], 0, 1),
        ([(0, 1), (1, 0), (1, 2)], 0, 1),  # listed one way, one edge once more
        ([(0, 1), (1, 0), (0, 1)], 0, 1),
        ([(0, 1), (1, 0), (0, 1), (1, 0)], 0, 2),
        ([(0, 1), (0, 1), (2, 1), (2, 1)], 0, 2),
        ([(1, 1)], 1, 0),
        ([(1, 1), (1, 1), (0, 1), (1, 0)], 2, 0),
        ([(0, 0), (0, 1), (0, 1)], 1, 1),
    ],
)
def test_loops_and_repeats_are_counted_and_said(edges, loops, repeats):
    index = torch.tensor(edges, dtype=torch.long).view(-1, 2).t()
    kept = len({frozenset(edge) for edge in edges if edge[0] != edge[1]})
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert PretrainGraph(index).dropped == {"self_loops": loops, "repeated_edges": repeats}
    text = " ".join(str(warning.message) for warning in said)
    assert len(said) == (1 if loops or repeats else 0)
    assert (f"{loops} self-loops" in text) == (loops > 0) and (f"{repeats} repeated edges" in text) == (repeats > 0)
    assert not said or f"of {len(edges)} given edges ({kept} undirected edges remain)" in text
