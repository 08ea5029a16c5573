"""Sparse rows give what dense ones give, in every use."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch import Tensor

from sigraph.data import SampleDataset
from sigraph.encoders import MLPEncoder, embed
from sigraph.samples import SparseFeatures
from sigraph.theory.leakage.near_duplicates import find_alike

DENSE = torch.rand(30, 7, generator=torch.Generator().manual_seed(0)) * (torch.arange(210).view(30, 7) % 3 == 0)
DENSE[4], DENSE[9] = DENSE[2], 0


def forms() -> list:
    return [
        sp.csr_array(DENSE.numpy()),
        sp.coo_matrix(DENSE.double().numpy()),
        DENSE.to_sparse(),
        DENSE.to_sparse_csr(),
    ]


@pytest.mark.parametrize("matrix", forms(), ids=["csr", "coo", "tensor", "csr tensor"])
def test_rows_are_those_of_the_matrix(matrix, tmp_path):
    dataset = SampleDataset(matrix)
    node = torch.tensor([3, 29, 3, 9])
    assert len(dataset) == 30 and dataset.in_channels == 7 and "most of them zero" in dataset.store.describe()
    dataset.save(tmp_path / "d")
    opened = SampleDataset.open(tmp_path / "d", verify=True)
    for one in (dataset, opened, pickle.loads(pickle.dumps(opened)), dataset.subset(torch.arange(30))):
        assert torch.equal(one.fetch(node), DENSE[node])
        assert torch.equal(one.store.vectors(), DENSE)
    assert torch.equal(dataset.subset(node[1:]).fetch(torch.arange(3)), DENSE[node[1:]])
    assert dataset.fingerprint == SampleDataset(forms()[0]).fingerprint


def test_an_encoder_reads_them_as_rows():
    torch.manual_seed(0)
    encoder = MLPEncoder(7, 8, 3)
    assert torch.equal(embed(encoder, SampleDataset(forms()[0])), embed(encoder, SampleDataset(DENSE)))


def test_equal_rows_are_found_as_among_dense_ones():
    def groups(*sets) -> list[Tensor]:
        code = find_alike(*sets).loosest
        return [np.flatnonzero(code == one).tolist() for one in np.unique(code[code >= 0]) if (code == one).sum() > 1]

    assert groups(SparseFeatures.of(forms()[0])) == groups(DENSE) == [[2, 4]]
    both = (SparseFeatures.of(forms()[0]), SparseFeatures.of(forms()[0]).take(torch.tensor([2, 7])))
    assert sorted(groups(*both)) == [[2, 4, 30], [7, 31]]


def test_repeated_entries_are_added_zeros_dropped_and_order_does_not_count():
    plain = SparseFeatures.of(sp.csr_array(np.array([[0, 3.0, 0], [0, 1, 0], [0, 1, 2]])))
    row, col = [0, 0, 1, 1, 2, 2], [1, 1, 1, 0, 2, 1]
    value = np.array([1.0, 2, 1, 0, 2, 1])
    others = [
        torch.sparse_coo_tensor(torch.tensor([row, col]), torch.tensor(value), (3, 3)),
        torch.sparse_csr_tensor([0, 2, 4, 6], col, torch.tensor(value), (3, 3), check_invariants=False),
        sp.coo_array((np.append(value, 1e-60), ([*row, 0], [*col, 2])), shape=(3, 3)),  # zero in float32
    ]
    for matrix in others:
        assert SparseFeatures.of(matrix).digest() == plain.digest()
    with pytest.raises(ValueError, match="single entries"):
        SampleDataset(torch.ones(2, 4).to_sparse(1))


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (sp.csr_array(np.array([[2**30 + 1, 2**30]])), "needs floats"),  # would be one in float32
        (sp.csr_array(np.array([[np.nan, 0.0], [1.0, np.inf]])), "finite features .* 2 entries; first: row 0"),
        (torch.zeros(3, 0).to_sparse(), "F > 0"),
    ],
)
def test_what_is_no_row_of_numbers_is_refused(matrix, words):
    with pytest.raises(ValueError, match=words):
        SampleDataset(matrix)
