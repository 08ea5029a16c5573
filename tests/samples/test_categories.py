"""Categories: OGB's own numbers, those that are given, what is neither."""

import sys

import pytest

from sigraph.samples.categories import EDGES, NODES, categories_of_edges, categories_of_nodes


def test_ogb_is_as_ogb_has_it():
    sys.modules.setdefault("outdated", None)  # it opens sockets when it is imported
    features = pytest.importorskip("ogb.utils.features")
    assert list(NODES["ogb"].known) == features.get_atom_feature_dims()
    assert list(EDGES["ogb"].known) == features.get_bond_feature_dims()


@pytest.mark.parametrize("one", [*NODES.values(), *EDGES.values(), categories_of_nodes([3, 1], "a", "B")])
def test_what_is_hidden_and_loops_are_rows_of_no_known_kind(one):
    for special in (one.hidden, one.loop) if one.loop else (one.hidden,):
        assert all(0 <= kind < rows for kind, rows in zip(special, one.rows, strict=True))
        assert special[0] >= one.known[0]
    assert all(known <= rows for known, rows in zip(one.known, one.rows, strict=True))
    assert not one.loop or one.loop != one.hidden


def test_a_list_makes_rows_for_what_is_hidden():
    assert categories_of_nodes([7, 2], "a", "B").rows == (8, 3) and categories_of_edges([4], "a", "B").rows == (6,)


@pytest.mark.parametrize("value", ["atoms", [], [0], [True], [2.5], 3, None, "linear"])
def test_others_are_named(value):
    with pytest.raises(ValueError, match=r"'node_encoder' needs to be one of ogb, hu2020 or a list, .*'GraphEncoder'"):
        categories_of_nodes(value, "node_encoder", "GraphEncoder")
