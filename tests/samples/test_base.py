"""The contract, for every kind of samples of the package."""

import pickle

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp
import torch
from contracts import concrete_subclasses
from torch_geometric.data import Data

import sigraph.samples
from sigraph.data import SampleDataset
from sigraph.data.batch import on_parts
from sigraph.samples import Samples, token_table
from sigraph.samples.given import as_samples

X = torch.rand(6, 3, generator=torch.Generator().manual_seed(0))
# What is given for six samples, the last of which is the first again; a kind without an entry fails here.
GIVEN = {
    "Features": torch.cat([X[:5], X[:1]]),
    "SparseFeatures": sp.csr_array(torch.cat([X[:5], X[:1]]).numpy()),
    "TokenSequences": token_table([[2, 3], [4], [5, 2, 3], [3], [2], [2, 3]], 6),
    "Graphs": [
        Data(x=torch.full((size, 2), float(size)), edge_index=torch.tensor([[0], [size - 1]]))
        for size in (3, 1, 2, 4, 5, 3)
    ],
    "Records": pa.table({"text": [*"abcdea"], "lists": [[[1]], [], [[2], []], [[3]], [[]], [[1]]]}),
}
every_kind = pytest.mark.parametrize("kind", concrete_subclasses(Samples, sigraph.samples))


def made(kind) -> Samples:
    samples = as_samples(GIVEN[kind.__name__])
    assert type(samples) is kind
    return samples


def same(left, right) -> bool:
    """Two batches."""
    if isinstance(left, torch.Tensor):
        return torch.equal(left, right)
    if isinstance(left, tuple | list):
        return len(left) == len(right) and all(map(same, left, right))
    if hasattr(left, "to_dict"):
        left, right = left.to_dict(), right.to_dict()
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return left == right


@every_kind
def test_is_exported_and_its_files_and_kind_are_told(kind):
    assert kind.__name__ in sigraph.samples.__all__ and kind.__doc__ and kind.kind and kind.mark
    samples = made(kind)
    assert len(samples) == 6 and samples.describe() and all(isinstance(size, int) for size in samples.sizes.values())


@every_kind
def test_some_samples_are_those_samples_in_their_order(kind):
    samples, node = made(kind), torch.tensor([4, 0, 4])
    part = samples.take(node)
    assert type(part) is kind and len(part) == 3 and part.sizes.keys() == samples.sizes.keys()
    assert same(part.fetch(torch.arange(3)), samples.fetch(node))
    assert same(samples.fetch(torch.tensor([0])), samples.fetch(torch.tensor([5])))
    assert len(samples.take(torch.tensor([1]))) == 1
    samples.fetch(torch.empty(0, dtype=torch.long))


@every_kind
def test_they_survive_disk_and_pickling(kind, tmp_path):
    samples, node = made(kind), torch.tensor([5, 2])
    SampleDataset(samples).save(tmp_path / "saved")
    opened = SampleDataset.open(tmp_path / "saved", verify=True)
    assert opened.card.samples.kind == kind.kind and (tmp_path / "saved" / kind.mark).is_file()
    for other in (opened.store, pickle.loads(pickle.dumps(opened.store)), pickle.loads(pickle.dumps(samples))):
        assert type(other) is kind and same(other.fetch(node), samples.fetch(node))
        assert other.sizes == samples.sizes
    for one in (opened.store, samples):  # Arrow names the items of lists in another way on disk
        assert pickle.loads(pickle.dumps(one)).digest() == one.digest() == samples.digest()
    assert samples.digest() != samples.take(torch.tensor([1, 0, 2, 3, 4, 5])).digest()


@every_kind
def test_batches_move_and_are_bounded_by_what_is_stated(kind):
    samples = made(kind)
    seen = []
    on_parts(samples.fetch(torch.arange(2)), lambda part: seen.append(part.to("meta")))
    assert seen or kind.kind == "records"  # what is fetched moves, but for dictionaries of plain values
    for part in seen:
        tensors = part.to_dict().values() if hasattr(part, "to_dict") else [part]
        assert all(one.is_meta for one in tensors if isinstance(one, torch.Tensor))
    cost, vectors = samples.cost(), samples.vectors()
    assert cost is None or (cost.shape == (6,) and bool((cost > 0).all()))
    assert vectors is None or (len(vectors) == 6 and vectors.is_floating_point())
    samples.check()


@every_kind
def test_equal_samples_are_found_also_in_another_set(kind):
    samples = made(kind)
    for sets in ([samples], [samples, samples.take(torch.tensor([3, 1]))]):
        found = kind.alike(sets, None, None)
        assert all(len(code) == sum(map(len, sets)) for code in found.levels.values()) and found.read_as
        code = found.levels["exact"]
        assert code[0] == code[5] and len(set(code[:5])) == 5
        if len(sets) == 2:
            assert np.array_equal(code[6:], code[[3, 1]])
