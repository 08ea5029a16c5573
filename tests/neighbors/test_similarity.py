"""Similarity: blocks against direct formulas, their sizes, and itself left out."""

import pytest
import torch

from sigraph.neighbors import similarity
from sigraph.neighbors.similarity import Similarity


def points(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def whole(closeness: Similarity, entries=None) -> torch.Tensor:
    return torch.cat([block.clone() for _, _, block in closeness.blocks(entries)])


@pytest.mark.parametrize("budget", [1, 25, 1 << 22])
def test_blocks_hold_the_documented_closeness(budget, monkeypatch):
    monkeypatch.setattr(similarity, "BUDGET", budget)
    z, query = points(9), points(6, 1)
    expected = {
        "cosine": torch.cosine_similarity(query[:, None], z[None], dim=2),
        "euclidean": -(query[:, None] - z[None]).square().sum(dim=2) / 2,
        "dot": (query[:, None] * z[None]).sum(dim=2),
    }
    assert set(expected) == set(similarity.METRICS)
    for metric, value in expected.items():
        torch.testing.assert_close(whole(Similarity(z, metric, query)), value)


def test_a_sample_is_never_close_to_itself():
    z = points(7)
    assert whole(Similarity(z)).isneginf().nonzero().tolist() == [[i, i] for i in range(7)]
    own = torch.tensor([4, 2])
    assert whole(Similarity(z, own=own)).isneginf().nonzero().tolist() == [[0, 4], [1, 2]]
    strangers = torch.tensor([-1, 3])
    assert whole(Similarity(z, query=points(2), own=strangers)).isneginf().nonzero().tolist() == [[1, 3]]
    assert whole(Similarity(z, query=z)).isfinite().all()


@pytest.mark.parametrize(("budget", "entries"), [(40, 10**6), (10**6, 12), (35, 12), (1, 1)])
def test_blocks_stay_under_both_limits_and_cover_every_row_once(budget, entries, monkeypatch):
    monkeypatch.setattr(similarity, "BUDGET", budget)
    monkeypatch.setattr(similarity, "ENTRIES", entries)
    degree = torch.tensor([0, 5, 0, 30, 1, 1, 10, 2, 0, 0])
    last = 0
    for start, stop, block in Similarity(points(10)).blocks(degree):
        assert start == last < stop and block.shape == (stop - start, 10)
        assert block.numel() <= budget or stop - start == 1
        assert int(degree[start:stop].sum()) <= entries or stop - start == 1
        last = stop
    assert last == 10


def test_equal_whole_numbers_stay_equal():
    z = torch.randint(-3, 4, (60, 4), generator=torch.Generator().manual_seed(0)).float() + 1e4
    found = whole(Similarity(z, "euclidean", z))
    assert torch.equal(found, -torch.cdist(z.double(), z.double()).square().round().float() / 2)


def test_nothing_to_search_or_to_ask():
    assert list(Similarity(points(0), "euclidean").blocks()) == []
    assert whole(Similarity(points(0), "euclidean", points(2))).shape == (2, 0)
