"""Ridge regression onto many columns at once, for several penalties: directly where it is small, else by iteration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import Ridge as RidgeRegression

from sigraph.samples.vectors import Rows

_DENSE = 4096  # samples or features up to which the normal equations are solved directly
_TOLERANCE = 1e-4  # of the residual, as a share of the right-hand side: scikit-learn's for its iterative solvers
_MOST_STEPS = 1000


def ridge_maps(rows: Rows, target: np.ndarray, penalties: Sequence[float]) -> Iterator[np.ndarray]:
    r"""The map :math:`(X^\top X + \alpha I)^{-1} X^\top T` for each penalty :math:`\alpha`.

    Where there are few samples or features, scikit-learn solves the normal equations. Otherwise conjugate gradients do,
    for all columns in the same steps, preconditioned by the diagonal and started from the penalty before: neither
    :math:`X^\top X` nor anything else of the size F x F is made.

    Args:
        rows: X. Shape [n, F], dense or sparse.
        target: T. Shape [n, D].
        penalties: Each > 0.

    Yields:
        Weights, float32 [F, D].
    """
    if min(rows.shape) <= _DENSE:
        for penalty in penalties:
            model = RidgeRegression(penalty, fit_intercept=False, solver="cholesky").fit(rows, target)
            yield model.coef_.reshape(target.shape[1], -1).T
        return
    weight = np.zeros((rows.shape[1], target.shape[1]), np.float32)
    across = csr_matrix(rows.T) if not isinstance(rows, np.ndarray) else rows.T
    goal = np.asarray(across @ target, np.float32)
    squares = rows.multiply(rows).sum(axis=0) if not isinstance(rows, np.ndarray) else np.square(rows).sum(axis=0)
    diagonal = np.asarray(squares, np.float32).reshape(-1, 1)
    for penalty in penalties:
        weight = _conjugate_gradients(rows, across, goal, diagonal, np.float32(penalty), weight)
        yield weight


def _conjugate_gradients(
    rows: Rows, across: Rows, goal: np.ndarray, diagonal: np.ndarray, penalty: np.float32, start: np.ndarray
) -> np.ndarray:
    """Weights of one penalty, each column by itself. ``across`` is X^T, ``goal`` X^T T, ``diagonal`` that of X^T X."""

    def apply(value: np.ndarray) -> np.ndarray:
        return across @ (rows @ value) + penalty * value

    def dot(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.einsum("fd,fd->d", one, other)

    least = np.finfo(np.float32).tiny
    scale = diagonal + penalty
    weight, enough = start.copy(), _TOLERANCE**2 * dot(goal, goal)
    residual = goal - apply(weight)
    step = residual / scale
    slope = dot(residual, step)
    for _ in range(_MOST_STEPS):
        if (dot(residual, residual) <= enough).all():
            break
        moved = apply(step)
        length = slope / np.maximum(dot(step, moved), least)
        weight += length * step
        residual -= length * moved
        ahead = residual / scale
        before, slope = slope, dot(residual, ahead)
        step *= slope / np.maximum(before, least)
        step += ahead
    return weight
