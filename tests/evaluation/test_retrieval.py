"""edge_retrieval: ranks against loops, ties, filtering."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sigraph.data import PretrainGraph
from sigraph.evaluation import edge_retrieval, neighbors
from sigraph.graphs import hold_out_edges


def brute(z: torch.Tensor, edges: torch.Tensor, graph: PretrainGraph | None, ks: tuple[int, ...]) -> dict[str, float]:
    unit = torch.nn.functional.normalize(z, dim=1)
    held = [tuple(edge) for edge in edges.t().tolist()] + [tuple(edge) for edge in edges.flip(0).t().tolist()]
    trained = set() if graph is None else {tuple(edge) for edge in graph.edge_index.t().tolist()}
    ranks = []
    for a, b in held:
        rank = 1.0
        for c in range(len(z)):
            if c == a or (a, c) in trained or (a, c) in held:
                continue
            score, own = (float((unit[a] * unit[x]).sum()) for x in (c, b))
            rank += 1 if score > own + 1e-9 else 0.5 if abs(score - own) <= 1e-9 else 0
        ranks.append(rank)
    hits = {f"hits@{k}": sum(rank <= k for rank in ranks) / len(ranks) for k in ks}
    return {"mrr": sum(1 / rank for rank in ranks) / len(ranks), **hits}


@st.composite
def cases(draw):
    n = draw(st.integers(2, 9))
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    listed = draw(st.lists(st.sampled_from(pairs), unique=True, min_size=1))
    split = draw(st.integers(1, len(listed)))
    held = torch.tensor(listed[:split]).t()
    rest = torch.tensor(listed[split:], dtype=torch.long).view(-1, 2).t()
    # axis-aligned embeddings: cosines are exactly 0, 1 or -1, so that ties are common and exact
    axis, sign = (torch.tensor(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))) for _ in range(2))
    z = torch.eye(2, dtype=torch.double)[axis] * (2 * sign[:, None] - 1)
    if draw(st.booleans()):
        z = torch.randn(n, 3, generator=torch.Generator().manual_seed(n), dtype=torch.double)
    return z, held, PretrainGraph(rest, num_nodes=n) if draw(st.booleans()) else None


@settings(max_examples=80, deadline=None)
@given(cases())
def test_against_loops_with_ties_and_filtering(case):
    z, edges, graph = case
    found, expected = edge_retrieval(z, edges, graph, ks=(1, 2, 5)), brute(z, edges, graph, (1, 2, 5))
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("budget", [1, 65, 1 << 22])
def test_chunks_change_nothing(budget, monkeypatch):
    monkeypatch.setattr(neighbors, "_BUDGET", budget)
    generator = torch.Generator().manual_seed(0)
    ring = PretrainGraph(torch.stack([torch.arange(30), (torch.arange(30) + 1) % 30]), num_nodes=30)
    graph, edges = hold_out_edges(ring, 0.4, generator)
    z = torch.randn(30, 3, generator=generator, dtype=torch.double)
    assert edge_retrieval(z, edges, graph) == pytest.approx(brute(z, edges, graph, (1, 10)))


def test_ranks_by_hand():
    angle = torch.tensor([0.0, 10, 25, 60]) * torch.pi / 180
    z = torch.stack([angle.cos(), angle.sin()], dim=1)
    edges = torch.tensor([[0], [2]])  # from 0: after 1, rank 2; from 2: 1 at 15 degrees, 0 at 25, rank 2
    assert edge_retrieval(z, edges) == pytest.approx({"mrr": 0.5, "hits@1": 0, "hits@10": 1})
    trained = PretrainGraph([[0], [1]], num_nodes=4)  # 1 is no competitor for 0
    assert edge_retrieval(z, edges, trained) == pytest.approx({"mrr": 0.75, "hits@1": 0.5, "hits@10": 1})
    both = torch.tensor([[0, 1], [2, 0]])  # other held-out partners are no competitors either: 2 -> 0 stays behind 1
    assert edge_retrieval(z, both)["mrr"] == pytest.approx((1 + 1 + 1 / 2 + 1) / 4)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_constant_encoder_gains_nothing(value):
    n = 101
    edges = torch.stack([torch.arange(0, 100, 2), torch.arange(1, 101, 2)])
    figures = edge_retrieval(torch.full((n, 4), value), edges)
    assert figures["mrr"] == pytest.approx(1 / (1 + (n - 2) / 2))  # the middle of all ranks
    assert figures["hits@1"] == figures["hits@10"] == 0


def test_partners_that_coincide_are_found_first():
    z = torch.eye(10).repeat_interleave(2, dim=0)
    edges = torch.stack([torch.arange(0, 20, 2), torch.arange(1, 20, 2)])
    assert edge_retrieval(z, edges) == {"mrr": 1.0, "hits@1": 1.0, "hits@10": 1.0}


@pytest.mark.parametrize("shape", [(2, 0), (3, 2), (2,)])
def test_bad_edges_are_named(shape):
    with pytest.raises(ValueError, match=r"'edges' needs shape \[2, M\] with M >= 1 in 'edge_retrieval'"):
        edge_retrieval(torch.eye(3), torch.zeros(shape, dtype=torch.long))
