"""How well the latent space ranks the neighbours of a graph, or held-out edges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sigraph.data import PretrainGraph
from sigraph.edges import CSRStore, EdgeStore
from sigraph.evaluation.ranks import PooledCounts, count_ranks, rank_figures, sort_in_rows
from sigraph.neighbors.similarity import Similarity

_POOLED = 1 << 16  # similarities counted at a time


def graph_retrieval(
    z: Tensor,
    graph: PretrainGraph,
    ks: tuple[int, ...] = (1, 10),
    query: Tensor | None = None,
    known: PretrainGraph | None = None,
    metric: str = "cosine",
    pooled: bool = False,
) -> dict[str, float]:
    r"""Rank all other samples by closeness to each sample, and score where its neighbours in a graph come.

    For positive :math:`j` of query :math:`i` let :math:`a_j` candidates be strictly closer than it and :math:`b_j` at
    least as close, itself among them, :math:`b^+_j` of these positives; :math:`P_i` positives in all, and
    :math:`C(r) = \sum_{s \le r} 1 / \log_2(1 + s)`. Per query, then averaged over queries:

    .. math::
        \mathrm{LRAP} = \frac{1}{P_i} \sum_j \frac{b^+_j}{b_j} \qquad
        \mathrm{nDCG} = \frac{1}{C(P_i)} \sum_j \frac{C(b_j) - C(a_j)}{b_j - a_j} \qquad
        \mathrm{MRR} = \frac{1}{r_i}, \quad r_i = a + \frac{b - a + 1}{b^+ + 1} \text{ of the closest positive}

        h_i(k) = \sum_j \frac{\min(b_j, k) - \min(a_j, k)}{b_j - a_j} \qquad
        \mathrm{precision@}k = \frac{h_i(k)}{k} \qquad \mathrm{recall@}k = \frac{h_i(k)}{P_i} \qquad
        \mathrm{hits@}k = [r_i \le k]

    and nDCG@k with :math:`\min(\cdot, k)` inside every C. **Ties:** LRAP takes the last rank of a tie, as scikit-learn
    does; all others take the mean over every order of the tied (:math:`r_i` is the mean rank of the closest positive),
    so that a constant encoder gains nothing. LRAP is also the macro average precision: the mean of scikit-learn's
    average precision over queries. Ranks end with the candidates: a k beyond them finds all and still divides by k.

    Args:
        z: Embeddings of all samples. Shape [N, D].
        graph: Its edges are the positives; for held-out edges, a graph of these alone.
        ks: The k of the figures @k, >= 1.
        query: Samples that ask. Shape [Q]; None: all.
        known: Edges that are neither positive nor competitors, e.g. those trained on; shares none with ``graph``.
        metric: ``cosine``, ``euclidean`` or ``dot``.
        pooled: Also ``average_precision``, the micro average: one ranking of all pairs that have a query with
            positives at an end, each pair once; :math:`\overline{b^+ / b}` over its positives. It takes several times
            as long.

    Returns:
        ``lrap``, ``ndcg``, ``mrr``, ``precision@k``, ``recall@k``, ``hits@k`` and ``ndcg@k`` for each k, in [0, 1];
        ``num_queries`` and ``num_isolated``: queries with positives, and those without, which are left out.

    Raises:
        ValueError: Sizes differ, a k is below 1, no query has a positive, or ``known`` holds a positive.

    Exact in O(Q N D) time; memory is bounded by blocks of rows, beside the embeddings (``pooled``: and 8 bytes a
    positive). Weights of edges are not looked at.
    """
    if min(ks, default=1) < 1:
        raise ValueError(f"'ks' needs to be >= 1 each in 'graph_retrieval' (got {list(ks)})")
    for name, given in (("graph", graph), ("known", known)):
        if given is not None and given.store.num_nodes != len(z):
            raise ValueError(
                f"{name!r} needs one node per embedding, {len(z)}, in 'graph_retrieval' (got {given.store.num_nodes})"
            )
    asked = _nodes(query, len(z))
    busy = asked[graph.store.degree(asked) > 0]
    if busy.numel() == 0:
        raise ValueError(f"'graph' needs an edge at one of the {len(asked)} queries in 'graph_retrieval' (it has none)")
    lines = _Lines(Similarity(z, metric, own=busy), busy, graph.store, None if known is None else known.store)
    gain = np.append(0.0, np.cumsum(1 / np.log2(np.arange(2, len(z) + 2))))  # [N + 1]
    sums: dict[str, float] = {}
    scores = []
    for start, similarity, row, node, score in lines:
        if np.isneginf(similarity[row, node]).any():
            raise ValueError("'known' shares edges with 'graph' in 'graph_retrieval'; take them out of one of the two")
        if pooled:
            scores.append(score[lines.later[node] > start + row])
        score = sort_in_rows(row, score)
        above, at_least = count_ranks(similarity, row, score)
        for name, value in rank_figures(row, score, above, at_least, ks, gain).items():
            sums[name] = sums.get(name, 0.0) + value
    figures = {name: value / len(busy) for name, value in sums.items()}
    if pooled:
        figures["average_precision"] = _pooled(lines, scores)
    return {**figures, "num_queries": len(busy), "num_isolated": len(asked) - len(busy)}


def edge_retrieval(
    z: Tensor,
    edges: Tensor,
    graph: PretrainGraph | None = None,
    ks: tuple[int, ...] = (1, 10),
    query: Tensor | None = None,
) -> dict[str, float]:
    r"""Rank the other end of each held-out edge among all samples by cosine similarity, from both ends.

    Filtered, as in link prediction: an end's neighbours in ``graph`` and its other held-out partners are no
    competitors. With :math:`r` the rank (1 is best; ties count half, so that a constant encoder gains nothing),
    :math:`\mathrm{MRR} = \overline{1 / r}` and :math:`\mathrm{hits@}k = \overline{[r \le k]}`.

    Args:
        z: Embeddings of all samples. Shape [N, D].
        edges: Held-out edges, each once. Shape [2, M], M >= 1.
        graph: Edges that were trained on; None: nothing is filtered but the held-out partners.
        ks: The k of hits@k, >= 1.
        query: The ends to rank from, each for all its held-out partners. Shape [Q]; None: every end.

    Returns:
        ``mrr`` and ``hits@k`` for each k, in [0, 1].
    """
    if edges.dim() != 2 or edges.size(0) != 2 or edges.size(1) == 0:
        raise ValueError(f"'edges' needs shape [2, M] with M >= 1 in 'edge_retrieval' (got {list(edges.shape)})")
    anchor, partner = torch.cat([edges, edges.flip(0)], dim=1)
    if query is not None:
        chosen = torch.isin(anchor, _nodes(query, len(z)))
        if not bool(chosen.any()):
            raise ValueError(f"'query' needs an end of a held-out edge in 'edge_retrieval' (got {len(query)} others)")
        anchor, partner = anchor[chosen], partner[chosen]
    order = anchor.argsort(stable=True)
    anchor, partner = anchor[order], partner[order]
    asked, count = anchor.unique_consecutive(return_counts=True)
    held = CSRStore(torch.cat([count.new_zeros(1), count.cumsum(0)]), partner)  # row q: the partners of asked[q]
    lines = _Lines(Similarity(z, own=asked), asked, held, None if graph is None else graph.store, by_query=True)
    ranks = []
    for _, similarity, row, node, score in lines:
        similarity[row, node] = -np.inf  # partners do not compete
        above, at_least = map(torch.from_numpy, count_ranks(similarity, row, score))
        ranks.append(1 + above + (at_least - above) / 2)
    rank = torch.cat(ranks)
    return {"mrr": float((1 / rank).mean()), **{f"hits@{k}": float((rank <= k).float().mean()) for k in ks}}


class _Block(NamedTuple):
    start: int  # the first query
    similarity: np.ndarray  # [a, N], known edges at -inf
    row: np.ndarray  # [m], of each positive
    node: np.ndarray
    score: np.ndarray


class _Lines:
    """Blocks of similarities and their positives; can be gone through again.

    ``by_query``: row q of the positives' store belongs to query q, not to node q.
    """

    def __init__(
        self,
        closeness: Similarity,
        asked: Tensor,
        positives: EdgeStore,
        known: EdgeStore | None,
        by_query: bool = False,
    ) -> None:
        self.closeness, self.asked, self.positives, self.known = closeness, asked, positives, known
        self.rows = torch.arange(len(asked)) if by_query else asked
        self.later = np.full(closeness.num_candidates, len(asked), dtype=np.int32)  # when a node asks, last if never
        self.later[asked.numpy()] = np.arange(len(asked))

    def __iter__(self) -> Iterator[_Block]:
        entries = self.positives.degree(self.rows)
        if self.known is not None:
            entries = entries + self.known.degree(self.asked)
        for start, stop, block in self.closeness.blocks(entries):
            similarity = block.numpy()
            row, node = _adjacent(self.positives, self.rows[start:stop])
            score = similarity[row, node]
            if self.known is not None:
                similarity[_adjacent(self.known, self.asked[start:stop])] = -np.inf
            yield _Block(start, similarity, row, node, score)


def _adjacent(store: EdgeStore, nodes: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Position in ``nodes`` and neighbour, for every neighbour of each. Shape [m] each."""
    row, neighbor = store.all_neighbors(nodes)
    return row.numpy(), neighbor.numpy()


def _pooled(lines: _Lines, scores: list[np.ndarray]) -> float:
    """Average precision of one ranking of all pairs: blocks are made again and counted against all positives.

    A pair that both ends ask for counts where the first asks: the other product may be rounded otherwise.
    """
    value, count = np.unique(np.concatenate(scores), return_counts=True)  # ascending
    counts = PooledCounts(value)
    for (start, similarity, row, node, _), score in zip(lines, scores, strict=True):
        mine = lines.later[node] > start + row
        similarity[row[mine], node[mine]] = score  # as in the first pass, however this one is rounded
        step = max(1, _POOLED // similarity.shape[1])
        for first in range(0, len(similarity), step):
            part = similarity[first : first + step]
            query = np.arange(start + first, start + first + len(part), dtype=np.int32)
            counts.add(part[lines.later > query[:, None]])
    positives = count[::-1].cumsum()[::-1]
    return float((count * positives / counts.at_least()).sum() / count.sum())


def _nodes(query: Tensor | None, num_nodes: int) -> Tensor:
    if query is None:
        return torch.arange(num_nodes)
    if query.dim() != 1 or query.is_floating_point() or query.dtype == torch.bool:
        raise ValueError(f"'query' needs a list of integer sample ids (got {query.dtype} {list(query.shape)})")
    if query.numel() and (int(query.min()) < 0 or int(query.max()) >= num_nodes):
        raise ValueError(f"'query' needs ids in [0, {num_nodes}) (got [{int(query.min())}, {int(query.max())}])")
    return query.long()
