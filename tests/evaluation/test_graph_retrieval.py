"""graph_retrieval: figures against every order of ties and scikit-learn; chunks, hubs, isolated samples."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, label_ranking_average_precision_score, ndcg_score
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances

from sigraph.data import PretrainGraph
from sigraph.edges import CSRStore, EdgeStore
from sigraph.evaluation import graph_retrieval, ranks
from sigraph.neighbors import similarity

KS = (1, 2, 5)


def closeness(z: torch.Tensor, metric: str) -> np.ndarray:
    if metric == "euclidean":
        return -euclidean_distances(z.numpy(), squared=True)
    return cosine_similarity(z.numpy()) if metric == "cosine" else (z @ z.t()).numpy()


def every_order(z, graph, metric, query, known=None) -> dict[str, float]:
    """The documented figures from all orders of all ties, in loops."""
    similarity, figures = closeness(z, metric), {}
    asked = [i for i in query if len(graph.store.neighbors(i))]
    for i in asked:
        positive = set(graph.store.neighbors(i).tolist())
        left_out = {i} if known is None else {i, *known.store.neighbors(i).tolist()}
        score = {j: round(float(similarity[i, j]), 9) for j in range(len(z)) if j not in left_out}
        orders = [
            o for o in itertools.permutations(score) if all(score[a] >= score[b] for a, b in itertools.pairwise(o))
        ]
        reach = {j: [c for c in score if score[c] >= score[j]] for j in positive}
        own = {"lrap": np.mean([len(positive & set(r)) / len(r) for r in reach.values()])}
        best = np.mean([1 + min(o.index(j) for j in positive) for o in orders])

        def dcg(order, k, positive=positive):
            return sum(1 / math.log2(2 + r) for r, j in enumerate(order[:k]) if j in positive)

        def ndcg(k, orders=orders, positive=positive, dcg=dcg):
            return np.mean([dcg(o, k) for o in orders]) / dcg(sorted(positive), k)

        own |= {"ndcg": ndcg(None), "mrr": 1 / best}
        for k in KS:
            found = np.mean([len(positive & set(o[:k])) for o in orders])
            own |= {f"precision@{k}": found / k, f"recall@{k}": found / len(positive)}
            own |= {f"hits@{k}": float(best <= k + 1e-9), f"ndcg@{k}": ndcg(k)}
        figures = {name: figures.get(name, 0.0) + value / len(asked) for name, value in own.items()}
    return {**figures, "num_queries": len(asked), "num_isolated": len(query) - len(asked)}


@st.composite
def graphs(draw):
    n = draw(st.integers(2, 6))
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    listed = draw(st.lists(st.sampled_from(pairs), unique=True, min_size=1))
    split = draw(st.integers(1, len(listed)))
    graph, known = (
        PretrainGraph(torch.tensor(part, dtype=torch.long).view(-1, 2).t(), num_nodes=n)
        for part in (listed[:split], listed[split:])
    )
    if draw(st.booleans()):
        z = torch.randn(n, 3, generator=torch.Generator().manual_seed(n), dtype=torch.double)
    else:  # whole numbers on an axis: ties are exact under every metric, zero vectors happen
        z = torch.tensor(
            draw(st.lists(st.sampled_from([[0, 1], [2, 0], [0, 0], [0, -1], [1, 0]]), min_size=n, max_size=n))
        )
        z = z.double()
    query = torch.tensor(draw(st.lists(st.integers(0, n - 1), unique=True, min_size=1)))
    return z, graph, known if draw(st.booleans()) else None, query


@pytest.mark.parametrize("sort_from", [1, 24])
@pytest.mark.parametrize("metric", similarity.METRICS)
def test_figures_are_the_means_over_every_order_of_ties(metric, sort_from, monkeypatch):
    monkeypatch.setattr(ranks, "_SORT_FROM", sort_from)

    @settings(max_examples=25, deadline=None)
    @given(graphs())
    def check(case):
        z, graph, known, query = case
        if int(graph.store.degree(query).sum()) == 0:
            with pytest.raises(ValueError, match=f"'graph' needs an edge at one of the {len(query)} queries"):
                graph_retrieval(z, graph, KS, query, known, metric)
            return
        found = graph_retrieval(z, graph, KS, query, known, metric)
        expected = every_order(z, graph, metric, query.tolist(), known)
        assert found.keys() == expected.keys()
        assert found == pytest.approx(expected)

    check()


def random_graph(n: int, share: float, seed: int = 0) -> PretrainGraph:
    upper = torch.rand(n, n, generator=torch.Generator().manual_seed(seed)).triu(1) > 1 - share
    upper[: n // 5] = False
    upper[:, : n // 5] = False  # a fifth is isolated
    return PretrainGraph(upper.nonzero().t(), num_nodes=n)


@pytest.mark.parametrize("metric", similarity.METRICS)
@pytest.mark.parametrize("share", [0.05, 0.7])
@pytest.mark.parametrize("tied", [False, True])
def test_against_scikit_learn(metric, share, tied):
    n, graph = 60, random_graph(60, share)
    z = torch.randn(n, 4, generator=torch.Generator().manual_seed(1), dtype=torch.double)
    if tied:
        z = z.round() if metric == "dot" else torch.eye(4, dtype=torch.double)[torch.arange(n) % 4]
    found = graph_retrieval(z, graph, ks=(3,), metric=metric, pooled=True)
    adjacency = torch.zeros(n, n)
    adjacency[tuple(graph.edge_index)] = 1
    away = ~np.eye(n, dtype=bool)
    score, target = (m[away].reshape(n, n - 1) for m in (closeness(z, metric).round(9), adjacency.numpy()))
    asked = target.any(axis=1)
    score, target = score[asked], target[asked]
    assert found["lrap"] == pytest.approx(label_ranking_average_precision_score(target, score))
    assert found["lrap"] == pytest.approx(average_precision_score(target.T, score.T, average="macro"))
    assert found["ndcg"] == pytest.approx(ndcg_score(target, score))
    assert found["ndcg@3"] == pytest.approx(ndcg_score(target, score, k=3))
    assert (found["num_queries"], found["num_isolated"]) == (asked.sum(), n - asked.sum())
    once = np.triu(away) & (asked[:, None] | asked)  # pairs with an end that asks
    pairs = adjacency.numpy()[once], closeness(z, metric).round(9)[once]
    assert found["average_precision"] == pytest.approx(average_precision_score(*pairs))


@pytest.mark.parametrize(("budget", "entries"), [(1, 1), (200, 7), (1 << 22, 90), (1 << 22, 1 << 18)])
def test_chunks_of_any_size_change_no_figure(budget, entries, monkeypatch):
    graph, known = random_graph(50, 0.3), random_graph(50, 0.3, seed=3)
    mine = torch.zeros(50, 50, dtype=torch.bool)
    mine[tuple(known.edge_index)] = True
    mine[tuple(graph.edge_index)] = False
    known = PretrainGraph(mine.nonzero().t(), num_nodes=50)
    z = torch.randn(50, 6, generator=torch.Generator().manual_seed(2), dtype=torch.double)
    expected = graph_retrieval(z, graph, KS, known=known, pooled=True)
    monkeypatch.setattr(similarity, "BUDGET", budget)
    monkeypatch.setattr(similarity, "ENTRIES", entries)
    assert graph_retrieval(z, graph, KS, known=known, pooled=True) == pytest.approx(expected)


def test_any_store_will_do():
    class Plain(EdgeStore):
        def __init__(self, store):
            self.inner, self.num_nodes = store, store.num_nodes

        def degree(self, nodes):
            return self.inner.degree(nodes)

        def neighbors(self, node):
            return self.inner.neighbors(node)

        draw_neighbors = draw_non_neighbors = edges_between = None

    graph = random_graph(30, 0.4)
    z = torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
    expected = graph_retrieval(z, graph)
    assert isinstance(graph.store, CSRStore)
    graph._adopt(Plain(graph.store))
    assert graph_retrieval(z, graph) == expected


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_constant_encoder_ranks_neighbours_at_random(value):
    n, graph = 40, random_graph(40, 0.3)
    found = graph_retrieval(torch.full((n, 3), value), graph, ks=(4,), pooled=True)
    degree = graph.store.degree(torch.arange(n)).double()
    degree = degree[degree > 0]
    q = len(degree)
    assert found["lrap"] == pytest.approx(float((degree / (n - 1)).mean()))
    assert found["precision@4"] == pytest.approx(float((degree / (n - 1)).mean()))
    assert found["recall@4"] == pytest.approx(4 / (n - 1))
    assert found["mrr"] == pytest.approx(float(((degree + 1) / n).mean()))  # mean rank of the first of P among n - 1
    assert found["average_precision"] == pytest.approx(float(degree.sum()) / 2 / (q * (q - 1) / 2 + q * (n - q)))


def test_a_perfect_space_scores_one_with_hubs_and_k_beyond_the_candidates():
    n = 40  # a clique of 30 (sorted rows), a pair, isolated nodes
    clique = torch.combinations(torch.arange(30)).t()
    graph = PretrainGraph(torch.cat([clique, torch.tensor([[30], [31]])], dim=1), num_nodes=n)
    z = torch.eye(11)[torch.cat([torch.zeros(30), torch.ones(2), torch.arange(2, 10)]).long()]
    found = graph_retrieval(z, graph, ks=(1, 100), pooled=True)
    ones = ("lrap", "ndcg", "mrr", "average_precision", "precision@1", "hits@1", "ndcg@1", "recall@100", "ndcg@100")
    assert {name: found[name] for name in ones} == pytest.approx(dict.fromkeys(ones, 1.0))
    assert found["precision@100"] == pytest.approx((30 * 29 + 2 * 1) / 100 / 32)
    assert (found["num_queries"], found["num_isolated"]) == (32, 8)


def test_the_input_stays_and_half_precision_is_taken():
    graph = random_graph(30, 0.3)
    z = torch.randn(30, 8, generator=torch.Generator().manual_seed(0))
    for metric in similarity.METRICS:
        before = z.clone()
        assert graph_retrieval(z.half(), graph, metric=metric) == graph_retrieval(
            z.half().float(), graph, metric=metric
        )
        graph_retrieval(z, graph, metric=metric, pooled=True)
        assert torch.equal(z, before)


@pytest.mark.parametrize("n", [0, 1, 4])
def test_graphs_without_edges_are_named(n):
    graph = PretrainGraph(torch.empty(2, 0, dtype=torch.long), num_nodes=n)
    with pytest.raises(ValueError, match=f"'graph' needs an edge at one of the {n} queries"):
        graph_retrieval(torch.ones(n, 2), graph)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ks": (0,)}, "'ks' needs to be >= 1 each"),
        ({"z": torch.eye(3)}, "'graph' needs one node per embedding, 3, .*got 4"),
        ({"known": PretrainGraph([[0], [1]], num_nodes=5)}, "'known' needs one node per embedding, 4"),
        ({"known": PretrainGraph([[0], [1]], num_nodes=4)}, "'known' shares edges with 'graph'"),
        ({"query": torch.tensor([4])}, r"'query' needs ids in \[0, 4\) \(got \[4, 4\]\)"),
        ({"query": torch.tensor([0.5])}, "'query' needs a list of integer sample ids"),
        ({"metric": "cosin"}, "'metric' needs to be one of cosine, euclidean, dot .*did you mean"),
        ({"z": torch.full((4, 2), torch.nan)}, "'z' holds NaN or infinite values in 4 samples"),
        ({"z": torch.ones(4)}, r"'z' needs embeddings of shape \[N, D\] \(got \[4\]\)"),
    ],
)
def test_bad_input_is_named(change, message):
    given = {"z": torch.eye(4), "graph": PretrainGraph([[0], [1]], num_nodes=4)} | change
    with pytest.raises(ValueError, match=message):
        graph_retrieval(**given)
