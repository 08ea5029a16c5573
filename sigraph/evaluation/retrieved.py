"""Where the known answers of queries come among the candidates of a retrieval task, by embeddings or other rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.preprocessing import normalize
from torch import Tensor

from sigraph.evaluation.ranks import count_ranks, query_figures, sort_in_rows
from sigraph.neighbors.similarity import BUDGET, ENTRIES, Similarity
from sigraph.tasks.retrieval import KS, RetrievalTask


def ranked_answers(task: RetrievalTask, candidates: Any, queries: Any, items: Tensor) -> Tensor:
    """The task's figures of each query, candidates ranked by cosine.

    Args:
        task: Its candidates and answers.
        candidates: Rows of the candidates, in their order: embeddings, an array or a sparse matrix. Shape [C, D].
        queries: Rows of the queries, likewise. Shape [n, D].
        items: The queries. Shape [n].

    Shapes:
        - **returns:** float64 [n, num_metrics]

    Exact, in O(n C D) time; a block of queries is held at a time.
    """
    row, answer = (value.numpy() for value in task.answers(items))
    own = torch.searchsorted(task.candidates, items).clamp(max=len(task.candidates) - 1)
    own = torch.where(task.candidates[own] == items, own, -1)
    gain = np.append(0.0, np.cumsum(1 / np.log2(np.arange(2, len(task.candidates) + 2))))
    size = torch.from_numpy(np.bincount(row, minlength=len(items)))
    out = np.empty((len(items), len(task.metrics)))
    for start, stop, block in _blocks(candidates, queries, own, size):
        first, last = np.searchsorted(row, (start, stop))
        here, place = row[first:last] - start, answer[first:last]
        score = sort_in_rows(here, block[here, place])
        above, at_least = count_ranks(block, here, score)
        figures = query_figures(here, score, above, at_least, KS, gain)
        out[start:stop] = np.stack([figures[name] for name in task.metrics], axis=1)
    return torch.from_numpy(out)


def by_part(task: RetrievalTask, rows: Mapping[str, Any], part: str) -> Tensor:
    """:func:`ranked_answers` of a part of the split, rows under its name and under ``candidates``."""
    return ranked_answers(task, rows["candidates"], rows[part], task.split[part])


def _blocks(candidates: Any, queries: Any, own: Tensor, size: Tensor) -> Iterator[tuple[int, int, np.ndarray]]:
    """Cosines of some queries with all candidates, a query itself at -inf."""
    if not issparse(candidates):
        z, asked = (value if isinstance(value, Tensor) else torch.from_numpy(value) for value in (candidates, queries))
        for start, stop, block in Similarity(z, "cosine", asked, own).blocks(size):
            yield start, stop, block.numpy()
        return
    columns, asked = normalize(candidates).T.tocsc(), normalize(queries).tocsr()
    step = max(1, BUDGET // candidates.shape[0])
    start = 0
    while start < len(own):
        stop = min(start + step, len(own))
        while stop > start + 1 and int(size[start:stop].sum()) > ENTRIES:
            stop -= 1
        block = (asked[start:stop] @ columns).toarray()
        mine = (own[start:stop] >= 0).nonzero().view(-1).numpy()
        block[mine, own[start:stop].numpy()[mine]] = -np.inf
        yield start, stop, block
        start = stop
