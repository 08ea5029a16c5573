"""Kept targets: found again where nothing changed, computed where anything did, never misread."""

import logging

import pytest
import torch

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.targets import PropagatedFeatures, Target
from sigraph.targets.joined import JoinedTargets, aligned_mean


class Counted(Target):
    """Rows of a constant; says how often it was computed."""

    out_channels = 2
    times = 0

    def __init__(self, value=1.0):
        self.value = value

    def compute(self, dataset, graph, seed):
        Counted.times += 1
        return torch.full((len(dataset), 2), float(self.value + seed))


def data(feature=1.0):
    return SampleDataset(torch.full((4, 3), feature)), PretrainGraph(torch.tensor([[0, 1], [1, 2]]), 4)


@pytest.fixture(autouse=True)
def _never_computed():
    Counted.times = 0


def test_is_computed_once_and_mapped(data_root):
    first = Counted().fit(*data(), keep=True)
    again = Counted().fit(*data(), keep=True)
    assert Counted.times == 1 and torch.equal(first, again)
    assert len(list((data_root / "targets").glob("*/target.npy"))) == 1


def test_whatever_differs_is_computed():
    dataset, graph = data()
    more = PretrainGraph(torch.tensor([[0, 1, 2], [1, 2, 3]]), 4)
    heavy = PretrainGraph(graph.edge_index, 4, torch.full((4,), 2.0))
    for number, ask in enumerate(
        [
            lambda: Counted().fit(dataset, graph, keep=True),
            lambda: Counted(2.0).fit(dataset, graph, keep=True),
            lambda: Counted().fit(dataset, graph, seed=1, keep=True),
            lambda: Counted().fit(data(2.0)[0], graph, keep=True),
            lambda: Counted().fit(dataset, more, keep=True),
            lambda: Counted().fit(dataset, heavy, keep=True),
            lambda: Counted().fit(dataset, graph, torch.tensor([0, 1, 3]), keep=True),
        ],
        1,
    ):
        ask()
        assert Counted.times == number


def test_a_damaged_one_is_computed_again(data_root, caplog):
    wanted = Counted().fit(*data(), keep=True).clone()
    (file,) = (data_root / "targets").glob("*/target.npy")
    file.write_bytes(file.read_bytes()[:-3])
    with caplog.at_level(logging.WARNING):
        found = Counted().fit(*data(), keep=True)
    assert "computed again" in caplog.text and Counted.times == 2 and torch.equal(found, wanted)
    assert torch.equal(Counted().fit(*data(), keep=True), wanted) and Counted.times == 2


def test_what_cannot_be_written_stays_in_memory(data_root, caplog):
    (data_root / "targets").write_text("a file where the folder would be")
    with caplog.at_level(logging.WARNING):
        assert (Counted().fit(*data(), keep=True) == 1).all()
    assert "not kept" in caplog.text


def test_an_attribute_that_cannot_be_told_apart_is_named():
    target = Counted()
    target.how = lambda: 0
    with pytest.raises(ValueError, match=r"'how' holds a function.*keep=False"):
        target.fit(*data(), keep=True)
    assert (target.fit(*data()) == 1).all()


def test_rows_of_hidden_samples_are_zeros_and_the_rest_knows_nothing_of_them():
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(12, 5, generator=draw)
    index = torch.combinations(torch.arange(12)).t()[:, ::3]
    visible = torch.arange(12) % 4 != 0
    found = PropagatedFeatures(3, complete={"neighbors": 2, "weight": 0.5}).fit(
        SampleDataset(x), PretrainGraph(index, 12), visible
    )
    assert (found[~visible] == 0).all() and found[visible].abs().sum(dim=1).min() > 0
    planted = x.clone()
    planted[~visible] = 100.0
    fewer = index[:, visible[index].all(dim=0)]
    again = PropagatedFeatures(3, complete={"neighbors": 2, "weight": 0.5}).fit(
        SampleDataset(planted), PretrainGraph(fewer, 12), visible.nonzero().view(-1)
    )
    assert torch.equal(found, again)


def test_averages_are_taken_after_the_alignment():
    draw = torch.Generator().manual_seed(0)
    x, turn = torch.randn(30, 4, generator=draw), torch.linalg.qr(torch.randn(4, 4, generator=draw))[0]
    torch.testing.assert_close(aligned_mean([x, x @ turn, x @ turn.T]), x, atol=1e-5, rtol=0)
    joined = JoinedTargets([Counted(), Counted(3.0)], out_channels=5).fit(*data())
    assert joined.shape == (4, 5) and torch.allclose(joined.norm(dim=1), torch.ones(4))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: Counted().fit(data()[0], PretrainGraph(torch.tensor([[0], [1]]), 3)), "3 nodes, 4 samples"),
        (lambda: Counted().fit(*data(), torch.tensor([3])), "an edge between visible samples"),
        (lambda: Counted().fit(*data(), torch.tensor([], dtype=torch.long)), "at least one sample"),
        (lambda: Counted().fit(*data(), torch.tensor([True])), r"a mask \[4\]"),
        (lambda: Counted(float("nan")).fit(*data()), "NaN or infinity in 4 rows"),
        (lambda: JoinedTargets([]), "a list of targets"),
        (lambda: PropagatedFeatures().fit(*data(), seed=-1), "seed"),
    ],
)
def test_refuses(call, says):
    with pytest.raises(ValueError, match=says):
        call()
