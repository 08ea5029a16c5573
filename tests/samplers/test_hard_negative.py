"""HardNegativeSampler: pools against brute force, with and without faiss, groups and hops."""

import pickle
import time

import networkx as nx
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import chisquare
from torch.utils.data import DataLoader

from sigraph.data import PretrainGraph
from sigraph.neighbors import by_depth as nearest
from sigraph.samplers import HardNegativeSampler

both_ways = pytest.mark.parametrize("faiss", [True, False])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def random_graph(n=50, num_edges=120, **fields):
    index = torch.randint(n - 2, (2, num_edges), generator=seeded())
    return PretrainGraph(index[:, index[0] < index[1]].unique(dim=1), n, **fields)


def without_faiss(monkeypatch, faiss):
    if faiss:
        pytest.importorskip("faiss")
    else:
        monkeypatch.setattr(nearest, "faiss_or_none", lambda: None)


def distances(graph):
    g = nx.Graph(graph.edge_index.t().tolist())
    g.add_nodes_from(range(graph.num_nodes))
    return {u: dict(lengths) for u, lengths in nx.all_pairs_shortest_path_length(g)}


@both_ways
@pytest.mark.parametrize("hops", [1, 2])
@pytest.mark.parametrize("groups", [None, 3])
@pytest.mark.parametrize("guard", [0, 4])
def test_pools_are_the_nearest_non_neighbors_after_the_guard(monkeypatch, faiss, hops, groups, guard):
    without_faiss(monkeypatch, faiss)
    group = None if groups is None else torch.arange(50) % groups
    # As many are looked at as the degree, the guard and the pool ask for; with hops, that is all of so few.
    graph, z = random_graph(group=group), torch.randn(50, 8, generator=seeded(1))
    size = 49 if hops > 1 else 6
    sampler = HardNegativeSampler(graph, guard_rank=guard, pool_size=size, exclude_hops=hops, missing_rate=0.2)
    figures = sampler.refresh(z)
    distance, similarity = distances(graph), F.normalize(z) @ F.normalize(z).t()
    edges = others = 0
    for node in range(50):
        near = [u for u in similarity[node].argsort(descending=True).tolist() if u != node]
        near = [u for u in near if group is None or group[u] == group[node]]
        far = [u for u in near if distance[node].get(u, 99) > hops][guard : guard + size]
        assert [u for u in sampler.pool[node].tolist() if u >= 0] == far
        assert sampler.pool[node].tolist()[len(far) :] == [-1] * (size - len(far))
        if far:
            ranks = near[near.index(far[0]) : near.index(far[-1]) + 1]
            edges, others = edges + sum(distance[node].get(u, 99) == 1 for u in ranks), others + len(far)
    assert figures["false_negative_rate"] == pytest.approx(min(edges / others * 0.25, 1.0))
    assert figures["pool_share"] == pytest.approx(others / (50 * size)) and edges > 0


@both_ways
def test_a_hub_is_searched_deep_and_costs_no_one_else(monkeypatch, faiss):
    without_faiss(monkeypatch, faiss)
    n = 3000
    leaves = torch.arange(1, n - 5)
    graph = PretrainGraph(torch.stack([torch.zeros_like(leaves), leaves]), n)
    sampler = HardNegativeSampler(graph, guard_rank=0, pool_size=4)
    start = time.perf_counter()
    sampler.refresh(torch.randn(n, 8, generator=seeded()))
    assert time.perf_counter() - start < 5
    assert set(sampler.pool[0].tolist()) < set(range(n - 5, n)) and bool((sampler.pool >= 0).all())


def test_inverted_lists_beyond_the_limit_find_nearly_the_same(monkeypatch):
    pytest.importorskip("faiss")
    graph, z = random_graph(4000, 8000), torch.randn(4000, 8, generator=seeded())
    exact, lists = (HardNegativeSampler(graph, guard_rank=2, pool_size=5) for _ in range(2))
    exact.refresh(z)
    monkeypatch.setattr(nearest, "EXACT_LIMIT", 1000)
    lists.refresh(z)
    assert float((exact.pool == lists.pool).float().mean()) > 0.6
    again = HardNegativeSampler(graph, guard_rank=2, pool_size=5)
    again.refresh(z)
    assert torch.equal(again.pool, lists.pool)


def test_draws_are_uniform_over_the_pool_and_uniform_negatives_where_there_is_none():
    graph = PretrainGraph([[0, 0, 4, 4, 4, 4, 4], [1, 2, 0, 1, 2, 3, 5]], 7)
    z = torch.tensor([0.0, 0.1, 0.2, 0.3, 0.5, 0.6, 0.7])
    sampler = HardNegativeSampler(graph, num_neighbors=0, guard_rank=0, pool_size=2)
    first = sampler.draw(torch.tensor([0]), seeded())
    assert first.numel() == 2  # uniform before the first refresh
    sampler.refresh(torch.stack([z.cos(), z.sin()], dim=1))
    assert sampler.pool[0].tolist() == [3, 5] and sampler.pool[4].tolist() == [6, -1]
    generator = seeded()
    count = torch.stack([sampler.draw(torch.tensor([0]), generator)[1] for _ in range(1000)]).bincount()
    assert count.nonzero().view(-1).tolist() == [3, 5] and chisquare(count[[3, 5]]).pvalue > 1e-3
    none = torch.full((7, 2), -1)
    none[:, 0] = torch.tensor([3, 3, 3, 0, -1, 0, 0])
    sampler.load(none)
    assert sampler.draw(torch.tensor([4]), generator).tolist() == [4, 6]  # the only one it does not touch


class Collate:
    def __init__(self, sampler):
        self.sampler = sampler

    def __call__(self, key):
        return self.sampler.draw(torch.arange(0, 50, 5), seeded(int(key))).tolist()


# spawn: each worker imports torch anew, which takes seconds
@pytest.mark.parametrize("context", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_persistent_workers_see_every_refresh(context):
    batches = {}
    for num_workers in (0, 2):
        sampler = HardNegativeSampler(random_graph(), guard_rank=0, pool_size=4)
        sampler.refresh(torch.randn(50, 4, generator=seeded(1)))
        options = {"multiprocessing_context": context, "persistent_workers": True} if num_workers else {}
        loader = DataLoader(range(6), None, collate_fn=Collate(sampler), num_workers=num_workers, **options)
        batches[num_workers] = [list(loader)]
        sampler.refresh(torch.randn(50, 4, generator=seeded(2)))
        batches[num_workers].append(list(loader))
    assert batches[0] == batches[2] and batches[0][0] != batches[0][1]


def test_workers_that_cannot_see_a_refresh_are_refused():
    loader = DataLoader(range(2), None, collate_fn=Collate(HardNegativeSampler(random_graph())), num_workers=1)
    with pytest.raises(ValueError, match=r"needs to be refreshed before DataLoader workers start .* num_workers=0"):
        list(loader)


def test_pickles_with_its_pools():
    sampler = HardNegativeSampler(random_graph(), guard_rank=1, pool_size=3)
    sampler.refresh(torch.randn(50, 4, generator=seeded()))
    assert torch.equal(pickle.loads(pickle.dumps(sampler)).pool, sampler.pool)


def test_what_cannot_be_is_refused():
    graph = random_graph()
    for name, value in (("guard_rank", -1), ("pool_size", 0), ("refresh_every", 0), ("num_negatives", 0)):
        with pytest.raises(ValueError, match=f"'{name}' needs to be an integer >= "):
            HardNegativeSampler(graph, **{name: value})
    with pytest.raises(ValueError, match=r"'missing_rate' needs to be in \[0, 1\)"):
        HardNegativeSampler(graph, missing_rate=1)
    sampler = HardNegativeSampler(graph, guard_rank=49)
    for z, message in (
        (torch.ones(49, 3), r"'z' needs shape \[50, D\] .*\(got torch.float32 \[49, 3\]\)"),
        (torch.full((50, 3), float("nan")), "'z' needs finite values"),
        (torch.randn(50, 3), r"'guard_rank' leaves no sample a hard negative .*\(got 49, of 50 samples\)"),
    ):
        with pytest.raises(ValueError, match=message):
            sampler.refresh(z)
    with pytest.raises(ValueError, match=r"'pool' needs shape \[50, 32\]"):
        sampler.load(torch.ones(50, 3))
    complete = PretrainGraph(torch.combinations(torch.arange(5)).t(), 5)
    with pytest.raises(ValueError, match="needs a graph with non-neighbours in 'HardNegativeSampler'"):
        HardNegativeSampler(complete).refresh(torch.randn(5, 3))
