"""Bootstrap intervals: of means by numpy, of correlations by scipy, and how often they cover."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from sigraph.data import PretrainGraph
from sigraph.data.consistency import Agreement, node_agreement
from sigraph.theory.audit import interval as module
from sigraph.theory.audit.interval import bootstrap_interval

pytestmark = pytest.mark.filterwarnings("ignore:'PretrainGraph' dropped")


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def graph_of(num_nodes, num_edges, seed=0):
    return PretrainGraph(torch.randint(0, num_nodes, (2, num_edges), generator=seeded(seed)), num_nodes)


def drawn(count, resamples, seed):
    """The nodes of each resample."""
    return [
        torch.randint(count, (count,), generator=module.keyed_generator(seed, module._BOOTSTRAP, i)).numpy()
        for i in range(resamples)
    ]


def test_classes_and_columns_equal_resampling_by_hand():
    graph = graph_of(40, 80)
    y = torch.randint(-1, 3, (40,), generator=seeded(1))
    columns = (torch.rand(40, 3, generator=seeded(2)) < 0.4).float()
    for labels in (y, columns):
        found = node_agreement(graph.store, labels)
        node = found.node.unique().tolist()
        values, parts = [], []
        for rows in drawn(len(node), 50, 3):
            entries = [j for i in rows for j in (found.node == node[i]).nonzero().view(-1).tolist()]
            share, column = found.share[entries], found.column[entries]
            means = [share[column == c].mean() if bool((column == c).any()) else torch.nan for c in range(3)]
            parts.append(np.array(means, dtype=float))
            values.append(float(share.mean()) if labels.dim() == 1 else np.nanmean(parts[-1]))
        whole, each = bootstrap_interval(found, 50, 3)
        assert np.allclose(whole.numpy(), np.quantile(values, [0.025, 0.975]))
        assert np.allclose(each.numpy(), np.nanquantile(parts, [0.025, 0.975], axis=0))


def test_correlations_equal_scipys_on_resamples_with_ties():
    y = torch.randint(0, 5, (40,), generator=seeded(1)).double()
    found = node_agreement(graph_of(40, 80).store, y)
    own, around = found.own.numpy(), found.share.numpy()
    values = [spearmanr(own[rows], around[rows]).statistic for rows in drawn(own.size, 50, 0)]
    whole, each = bootstrap_interval(found, 50)
    assert np.allclose(whole.numpy(), np.quantile(values, [0.025, 0.975]))
    assert torch.allclose(each[:, 0], whole)


def test_covers_the_mean_it_is_of_about_as_often_as_it_says():
    """Shares drawn independently, of which the expectation is known: 95 % within what 100 repetitions allow."""
    covered = 0
    for seed in range(100):
        share = torch.rand(150, generator=seeded(seed), dtype=torch.double) ** 2  # mean 1 / 3, skewed
        zeros = torch.zeros(150, dtype=torch.int32)
        found = Agreement("classification", torch.arange(150, dtype=torch.int32), zeros, share, None, 1)
        low, high = bootstrap_interval(found, 100, seed)[0]
        covered += int(low <= 1 / 3 <= high)
    assert 0.88 <= covered / 100 <= 0.99


def test_a_larger_graph_has_a_narrower_interval_and_the_seed_decides():
    widths = []
    for count in (100, 2_500):
        graph = graph_of(count, 4 * count)
        found = node_agreement(graph.store, torch.arange(count) % 3)
        low, high = bootstrap_interval(found)[0]
        assert low < found.value() < high
        assert torch.equal(bootstrap_interval(found)[0], torch.stack([low, high]))
        assert not torch.equal(bootstrap_interval(found, seed=1)[0], torch.stack([low, high]))
        widths.append(float(high - low))
    assert widths[0] / widths[1] == pytest.approx(5, rel=0.35)  # the root of 25


def test_a_class_that_few_resamples_hold_has_an_interval_over_those():
    graph = PretrainGraph([[0, 1, 2], [1, 2, 3]], 4)
    whole, each = bootstrap_interval(node_agreement(graph.store, torch.tensor([0, 0, 0, 4])))
    assert not bool(whole.isnan().any()) and each.shape == (2, 5)
    assert each[:, 4].tolist() == [0, 0] and bool(each[:, 1:4].isnan().all())
