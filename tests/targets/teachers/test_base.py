"""What teachers share: a graph that is too large for a step, and a training within something else."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from sigraph.data import PretrainGraph
from sigraph.edges import LabelSetStore
from sigraph.graph_networks import subgraphs
from sigraph.targets.teachers import CCASSG, GraphMAETeacher, Teacher

N = 300
KINDS = {
    "CCASSG": lambda **more: CCASSG(16, max_epochs=6, lr=1e-2, accelerator="cpu", **more),
    "GraphMAETeacher": lambda **more: GraphMAETeacher(16, max_epochs=6, lr=1e-2, accelerator="cpu", **more),
}


def blocks():
    """Three blocks whose words overlap, edges within them."""
    draw = np.random.default_rng(0)
    y = np.arange(N) % 3
    x = (draw.random((N, 60)) < np.where(np.arange(60) % 3 == y[:, None], 0.15, 0.08)).astype(np.float32)
    pairs = torch.from_numpy(draw.integers(0, N, (2, 3000)))
    pairs = pairs[:, (pairs[0] % 3 == pairs[1] % 3) & (pairs[0] != pairs[1])]
    return csr_matrix(x), PretrainGraph(pairs.sort(dim=0).values.unique(dim=1), N).store, torch.from_numpy(y)


def agreement(found, y):
    """How often the nearest other row is of the same block."""
    z = torch.nn.functional.normalize(found - found.mean(dim=0), dim=1)
    near = (z @ z.T).fill_diagonal_(-2).argmax(dim=1)
    return float((y[near] == y).float().mean())


@pytest.mark.parametrize("name", KINDS)
def test_a_large_graph_is_trained_on_in_parts(name, monkeypatch):
    rows, store, y = blocks()
    whole = KINDS[name]().embed(rows, store, 0)
    monkeypatch.setattr(subgraphs, "MOST_NUMBERS", 0)
    monkeypatch.setattr(subgraphs, "_WALKS", 60)
    sizes = []
    loss = type(KINDS[name]()).loss
    monkeypatch.setattr(
        type(KINDS[name]()), "loss", lambda self, net, part: sizes.append(part.x.size(0)) or loss(self, net, part)
    )
    found = KINDS[name]().embed(rows, store, 0)
    assert len(sizes) == 6 * 5 and max(sizes) < N and min(sizes) >= 60
    assert found.shape == whole.shape == (N, 16)
    raw = agreement(torch.from_numpy(rows.toarray()), y)
    assert min(agreement(whole, y), agreement(found, y)) > max(0.9, raw + 0.2)
    assert torch.equal(KINDS[name]().embed(rows, store, 0), found)
    sizes.clear()
    KINDS[name](max_steps=7).embed(rows, store, 0)
    assert len(sizes) == 7


def test_parts_of_a_two_level_graph_and_of_one_node_alone(monkeypatch):
    monkeypatch.setattr(subgraphs, "MOST_NUMBERS", 0)
    monkeypatch.setattr(subgraphs, "_WALKS", 8)
    rows = csr_matrix(np.eye(20, dtype=np.float32))
    for name in KINDS:
        found = KINDS[name]().embed(rows, LabelSetStore.from_sets(torch.arange(20) // 6 - 1), 0)
        assert found.shape == (20, 16) and bool(torch.isfinite(found).all())


@pytest.mark.parametrize("name", KINDS)
def test_sparse_and_dense_rows_are_the_same(name):
    rows, store, _ = blocks()
    found = [KINDS[name]().embed(given, store, 0) for given in (rows, rows.toarray())]
    found = [one - one.mean(dim=0) for one in found]  # CCA-SSG learns no bias
    torch.testing.assert_close(*found, atol=1e-3, rtol=1e-3)


def test_what_goes_on_around_it_changes_nothing():
    rows, store, _ = blocks()
    found = KINDS["GraphMAETeacher"]().embed(rows, store, 0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            again = KINDS["GraphMAETeacher"]().embed(rows, store, 0)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(before)
    assert torch.equal(found, again)


def test_a_loss_that_is_no_number_is_named():
    class Broken(CCASSG):
        def loss(self, network, part):
            return super().loss(network, part) * float("nan")

    rows, store, _ = blocks()
    with pytest.raises(ValueError, match=r"the loss of 'Broken' is nan in step 0 of epoch 0; lower 'lr'"):
        Broken(8).embed(rows, store, 0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"lr": 0.0}, "'lr' needs to be > 0"),
        ({"batch_size": 1}, "'batch_size' needs to be an integer >= 2"),
        ({"accelerator": "tpu"}, "'accelerator' needs to be one of auto, cpu, gpu"),
        ({"drop_edge": 1.0}, r"'drop_edge' needs to be in \[0, 1\)"),
    ],
)
def test_wrong_arguments_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        CCASSG(**wrong)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    rows, store, _ = blocks()
    with pytest.raises(ValueError, match="'accelerator' needs a CUDA GPU for 'gpu'"):
        CCASSG(8, accelerator="gpu").embed(rows, store, 0)


def test_the_contract_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Teacher(0.1, 0.0, 1, None, 1, "cpu")
