"""edge_retrieval and graph_retrieval: ranks against loops, every order of ties and scikit-learn; filtering, chunks."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, label_ranking_average_precision_score, ndcg_score
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances

from sigraph.data import CSRStore, EdgeStore, PretrainGraph
from sigraph.evaluation import edge_retrieval, graph_retrieval, ranks, similarity
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
    monkeypatch.setattr(similarity, "BUDGET", budget)
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


@settings(max_examples=30, deadline=None)
@given(cases(), st.data())
def test_queries_keep_the_filter_of_all_held_out_edges(case, data):
    z, edges, graph = case
    ends = edges.reshape(-1).unique().tolist()
    query = data.draw(st.lists(st.sampled_from(ends), unique=True, min_size=1))
    found = edge_retrieval(z, edges, graph, ks=(1, 2), query=torch.tensor(query))
    both = torch.cat([edges, edges.flip(0)], dim=1)
    total = {"mrr": 0.0, "hits@1": 0.0, "hits@2": 0.0}
    for end in query:  # one end at a time, its partners' other edges and all else as trained on
        mine = both[:, both[0] == end]
        rest = both[:, (both[0] != end) & (both[1] != end)]
        trained = torch.empty(2, 0, dtype=torch.long) if graph is None else graph.edge_index
        alone = brute_from(z, mine, PretrainGraph(torch.cat([rest, trained], dim=1), num_nodes=len(z)), (1, 2))
        total = {name: value + alone[name] for name, value in total.items()}
    number = sum(int((both[0] == end).sum()) for end in query)
    assert found == pytest.approx({name: value / number for name, value in total.items()})


def brute_from(z, edges, graph, ks):
    """Sums over edges ranked from their first end alone."""
    unit = torch.nn.functional.normalize(z, dim=1)
    partners, trained = set(edges[1].tolist()), set(graph.store.neighbors(int(edges[0, 0])).tolist())
    total = dict.fromkeys(["mrr", *(f"hits@{k}" for k in ks)], 0.0)
    for a, b in edges.t().tolist():
        others = [c for c in range(len(z)) if c != a and c not in partners | trained]
        gap = [float((unit[a] * (unit[c] - unit[b])).sum()) for c in others]
        rank = 1 + sum(1.0 if g > 1e-9 else 0.5 if abs(g) <= 1e-9 else 0.0 for g in gap)
        total["mrr"] += 1 / rank
        for k in ks:
            total[f"hits@{k}"] += rank <= k
    return total


def test_queries_need_a_held_out_end():
    edges = torch.tensor([[0], [2]])
    with pytest.raises(ValueError, match="'query' needs an end of a held-out edge in 'edge_retrieval'"):
        edge_retrieval(torch.eye(3), edges, query=torch.tensor([1]))
    with pytest.raises(ValueError, match=r"'query' needs ids in \[0, 3\)"):
        edge_retrieval(torch.eye(3), edges, query=torch.tensor([3]))


# All neighbours in a graph ############################################################################################

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
