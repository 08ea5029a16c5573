"""A metric of counts is that of the rows repeated as often: scikit-learn's and scipy's, by the table of metrics."""

import numpy as np
import pytest

from sigraph.leaderboard.weighted_metrics import weighted_score
from sigraph.tasks import metrics

NAMES = [(kind, name) for kind, table in metrics.METRICS.items() for name in table]
TWO = ("rocauc", "ap", "f1", "mrr")
N, DRAWS = 60, 25


def drawn(stream, kind, name, ties):
    """Labels and predictions; ``ties``: scores of which many are equal."""
    if kind == "classification":
        count = 2 if name in TWO or "@" in name else 4
        y, z = stream.integers(count, size=N), stream.normal(size=(N, count)).astype(np.float32)
        return y, np.round(z) if ties else z
    if kind == "multilabel":
        y = (stream.random((N, 5)) < [0.02, 0.2, 0.5, 0.9, 0.0]).astype(float)
        y[stream.random(y.shape) < 0.1] = np.nan
        y[:2, 1:4], y[2:4, 1:4] = 0, 1
        z = stream.normal(size=y.shape).astype(np.float32)
        return y, np.round(z) if ties else z
    y, z = stream.normal(size=N) + 1950, stream.normal(size=(N, 1)) + 1950
    return (np.round(y), np.round(z)) if ties else (y, z)


def score_of(kind, name):
    if "@" in name:
        return metrics.named_metric(name, kind, "here")
    return metrics.METRICS[kind][name]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_counts_are_repetitions(kind, name, ties):
    stream = np.random.default_rng(3)
    y, z = drawn(stream, kind, name, ties)
    counts = stream.multinomial(N, [1 / N] * N, size=DRAWS).T.astype(float)
    counts[:, 0] = 1  # as it is
    found = weighted_score(name, kind, y, z)(counts)
    for value, column in zip(found, counts.T.astype(int), strict=True):
        try:
            expected = score_of(kind, name)(np.repeat(y, column, axis=0), np.repeat(z, column, axis=0))
        except ValueError:  # one class alone
            assert np.isnan(value)
        else:
            assert value == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.skipif(not hasattr(metrics, "named_metric"), reason="no metrics at k in this sigraph")
@pytest.mark.parametrize("name", ["precision@5", "hits@3", "hits@1000"])
def test_so_are_those_at_k(name):
    test_counts_are_repetitions("classification", name, True)


def test_what_a_draw_does_not_define_is_nan_and_what_is_unknown_is_none():
    y = np.array([0, 0, 1])
    score = weighted_score("rocauc", "classification", y, np.array([[0.0, 0.1], [0.0, 0.3], [0.0, 0.2]]))
    assert np.isnan(score(np.array([[3.0], [0.0], [0.0]]))).all() and score(np.ones((3, 1))) == [0.5]
    assert weighted_score("rocauc", "classification", np.zeros(3), np.zeros((3, 2))) is None
    assert weighted_score("of one's own", "classification", y, y) is None
    assert weighted_score("accuracy", "contacts", y, y) is None
