"""What the nearest neighbours in the latent space say about labels: exact, chunked, without a graph."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.neighbors.exact import closest
from sigraph.neighbors.similarity import Similarity
from sigraph.tasks.task import is_labelled, label_type


def neighbor_prediction(
    z: Tensor, y: Tensor, k: int = 5, query: Tensor | None = None, metric: str = "cosine"
) -> Tensor:
    r"""Predict labels from the ``k`` closest labelled samples, :math:`N_k`, all with the same weight.

    .. math::
        \hat y_i = \arg\max_c |\{j \in N_k(i) : y_j = c\}| \text{ (classes)} \qquad
        \hat y_{il} = \frac{1}{k} \sum_{j \in N_k(i, l)} y_{jl} \text{ (each label column; regression)}

    Missing labels do not vote: every column asks its own ``k`` closest samples whose label it knows. Of equally close
    samples those listed first are taken; of classes with equally many votes the smallest.

    Args:
        z: Embeddings of the samples that answer. Shape [N, D].
        y: 1-D integer = classes (-1 missing), 1-D float = regression (NaN missing), 2-D = label columns (NaN missing).
            Shape [N] or [N, L].
        k: >= 1, at most the known labels of every column, one fewer without ``query``.
        query: Embeddings to predict for. Shape [Q, D]; None: leave-one-out, each of ``z`` from the others.
        metric: ``cosine``, ``euclidean`` or ``dot``.

    Returns:
        Classes [Q] int64; shares of votes [Q, L] for label columns; means [Q] for regression.

    Raises:
        ValueError: The sizes differ, or a column knows too few labels for ``k``.
    """
    if len(y) != len(z):
        raise ValueError(f"'y' needs one label per embedding, {len(z)}, in 'neighbor_prediction' (got {len(y)})")
    kind, answer = label_type(y), is_labelled(y).nonzero().view(-1)
    own = None
    if query is None:
        query, own = z, torch.full((len(z),), -1)
        own[answer] = torch.arange(len(answer))
    table = y[answer] if kind == "multilabel" else y[answer][:, None]  # [n, L]
    known = ~torch.isnan(table) if table.is_floating_point() else torch.ones_like(table, dtype=torch.bool)
    counts = known.sum(dim=0) - int(own is not None)
    most = max(int(counts.min()), 0) if counts.numel() else 0
    if not 1 <= k <= most:
        where = f" (column {int(counts.argmin())} knows fewest labels)" if kind == "multilabel" and most else ""
        raise ValueError(f"'k' needs to be in [1, {most}] in 'neighbor_prediction' (got {k}){where}")
    closeness = Similarity(z[answer], metric, query, own)
    blocks = (block for _, _, block in closeness.blocks())
    if kind == "classification":
        parts = [_vote(table.view(-1)[closest(block, k)[0]]) for block in blocks]
        return torch.cat([torch.empty(0, dtype=torch.long), *parts])
    value = table if table.is_floating_point() else table.float()
    value, known_all = torch.where(known, value, 0), bool(known.all())
    parts = [_mean(block, value, k) if known_all else _mean_of_known(block, value, known, k) for block in blocks]
    predicted = torch.cat([value.new_empty(0, value.size(1)), *parts])
    return predicted.view(-1) if kind == "regression" else predicted


def label_agreement(z: Tensor, y: Tensor, query: Tensor | None = None) -> float:
    """Leave-one-out nearest-neighbour accuracy: share of samples whose nearest other one has the same class.

    Args:
        z: Embeddings. Shape [N, D], N >= 2.
        y: Classes, -1 missing; samples without a class neither ask nor answer. Shape [N].
        query: Samples that ask. Shape [Q]; None: all.
    """
    known = (y >= 0).nonzero().view(-1)
    if len(known) < 2:
        raise ValueError(f"'y' needs at least two labelled samples in 'label_agreement' (got {len(known)})")
    asked = torch.arange(len(known)) if query is None else torch.isin(known, query).nonzero().view(-1)
    if len(asked) == 0:
        raise ValueError("'query' needs a sample with a class in 'label_agreement' (got none)")
    z, y = z[known], y[known]
    nearest = torch.cat([closest(block, 1)[0][:, 0] for _, _, block in Similarity(z, own=asked).blocks()])
    return float((y[nearest] == y[asked]).float().mean())


def _vote(classes: Tensor) -> Tensor:
    """The most frequent class of each row, the smallest of equally frequent ones. Shape [q, k] -> [q]."""
    if classes.size(1) == 1:
        return classes[:, 0].long()
    classes = classes.long().sort(dim=1).values
    count = torch.stack([(classes == column[:, None]).sum(dim=1) for column in classes.t()], dim=1)  # [q, k]
    return classes.gather(1, count.argmax(dim=1, keepdim=True))[:, 0]


def _mean(similarity: Tensor, value: Tensor, k: int) -> Tensor:
    """Mean of the values of the ``k`` closest. Shape [q, n], [n, L] -> [q, L]."""
    index, _ = closest(similarity, k)
    return sum((value[index[:, j]] for j in range(1, k)), start=value[index[:, 0]]) / k


def _mean_of_known(similarity: Tensor, value: Tensor, known: Tensor, k: int) -> Tensor:
    """The same, of the ``k`` closest that know the column: among a few closest, or else among all that know it."""
    index, closeness = closest(similarity, min(4 * k, similarity.size(1)))
    total = value.new_zeros(len(index), value.size(1))
    seen = torch.zeros(total.shape, dtype=torch.long)
    for j in range(index.size(1)):
        counts = known[index[:, j]] & (seen < k) & (closeness[:, j, None] > -torch.inf)  # -inf: the sample itself
        total += torch.where(counts, value[index[:, j]], 0)
        seen += counts
    lacking = seen < k  # [q, L]
    for column in lacking.any(dim=0).nonzero().view(-1).tolist():
        rows, mine = lacking[:, column].nonzero().view(-1), known[:, column].nonzero().view(-1)
        nearest, _ = closest(similarity[rows[:, None], mine], k)
        total[rows, column] = value[mine[nearest], column].sum(dim=1)
    return total / k
