"""Merged edges equal a dictionary of pairs, whatever the order, the blocks and the repeats."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sigraph.edges import merge as module
from sigraph.edges.merge import merge_edges


@st.composite
def edge_lists(draw):
    n = draw(st.integers(1, 12))
    node = st.integers(0, n - 1)
    edges = draw(st.lists(st.tuples(node, node), max_size=40))
    if draw(st.booleans()):  # both directions of each
        edges = draw(st.permutations(edges + [edge[::-1] for edge in edges]))
    return n, edges


def check(n, edges, weighted):
    row, col = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    given = [1 + number % 3 for number in range(len(edges))]  # some are given alike, some not
    weight = np.array(given, dtype=np.float32) if weighted else None
    found = merge_edges(row, col, n, weight)
    expected: dict[tuple[int, int], list[float]] = {}
    for value, (i, j) in zip(given, edges, strict=True):
        for pair in {(i, j), (j, i)} if i != j else ():
            expected.setdefault(pair, []).append(value)
    pairs = sorted(expected)
    assert np.diff(found.rowptr).tolist() == [sum(pair[0] == i for pair in pairs) for i in range(n)]
    assert found.col.tolist() == [j for _, j in pairs]
    assert found.rowptr.dtype == np.int64 and found.col.dtype == np.int32
    assert (found.weight is None) == (not weighted)
    if weighted:
        assert found.weight.dtype == np.float32
        np.testing.assert_allclose(found.weight, [np.mean(expected[pair]) for pair in pairs])
    assert found.averaged == sum(len(set(expected[pair])) > 1 for pair in pairs if pair[0] < pair[1]) * weighted
    listed = {edge for edge in edges if edge[0] != edge[1]}
    both_ways = listed == set(expected)
    assert found.self_loops == sum(i == j for i, j in edges)
    assert found.repeats == len(edges) - found.self_loops - len(pairs) // (1 if both_ways else 2)


@given(edge_lists(), st.booleans())
@example((3, []), False)
@example((2, [(0, 0)]), True)
@example((4, [(0, 1), (1, 2), (2, 0), (3, 1)]), False)  # as many to lower as to higher ids, and no two alike
@example((4, [(0, 1), (1, 0), (0, 2), (2, 1)]), False)
@example((4, [(0, 3), (2, 0), (1, 3), (3, 1)]), False)
@pytest.mark.parametrize("block", [1, 4, module.BLOCK_EDGES])
def test_equals_a_dictionary_of_pairs(block, case, weighted):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_EDGES", block)
        check(*case, weighted)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("both_ways", [False, True])
def test_many_blocks_hubs_and_hundreds_of_repeats(both_ways, weighted):
    generator = np.random.default_rng(0)
    edges = [tuple(pair) for pair in generator.integers(0, 700, (1500, 2)).tolist()]
    edges += [(350, i) for i in range(0, 700, 2)] + [(5, 6)] * 600
    if both_ways:
        edges += [edge[::-1] for edge in edges]
    generator.shuffle(edges)
    edges = [tuple(int(v) for v in edge) for edge in edges]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_EDGES", 64)
        check(700, edges, weighted)


def test_what_was_given_is_left_alone():
    row, col, weight = np.array([2, 1, 1]), np.array([1, 1, 2]), np.array([1.0, 2.0, 3.0], np.float32)
    merge_edges(row, col, 3, weight)
    assert row.tolist() == [2, 1, 1] and col.tolist() == [1, 1, 2] and weight.tolist() == [1, 2, 3]
