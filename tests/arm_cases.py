"""Small data for the arms' tests: every kind of samples, every type of labels."""

import pyarrow as pa
import torch

from sigraph.arms import Given
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.samples import SparseFeatures, token_table
from sigraph.tasks import Task

SHORT = {
    "SupervisedGNN": {"max_epochs": 3, "hidden_channels": 4},
    "Ridge": {"ridges": [0.3, 3.0], "penalties": [0.1, 1.0]},
    "LSA": {"penalties": [0.1, 1.0]},
}
N = 60


READS_SMILES = ("MorganFingerprints",)


def make(kind):
    return kind(**SHORT.get(kind.__name__, {})) if isinstance(kind, type) else kind


def labels(of_type):
    """Two blocks; some labels of columns are missing, column 2 is known of no training sample."""
    y, draw = torch.arange(N) % 2, torch.Generator().manual_seed(3)
    if of_type == "classification":
        return y
    if of_type == "regression":
        return (y + 0.1 * torch.randn(N, generator=draw)).double()
    columns = torch.stack([y, 1 - y, torch.arange(N) // 2 % 2], dim=1).float()
    columns[:, 1:][torch.rand(N, 2, generator=draw) < 0.1] = float("nan")
    columns[:20, 2] = float("nan")
    return columns


def samples(kind="rows"):
    """Counts that tell the block; feature 5 is constant, row 59 is empty."""
    draw = torch.Generator().manual_seed(0)
    rate = torch.where((torch.arange(N) % 2)[:, None] == torch.arange(8) % 2, 1.0, 0.3)
    x = torch.poisson(rate, generator=draw)
    x[:, 5], x[59] = 0, 0
    if kind == "sparse":
        return SparseFeatures.of(x.to_sparse())
    if kind == "numbers":
        return x - 0.7 + torch.randn(N, 8, generator=draw) * (torch.arange(8) != 5)
    if kind == "text":
        words = [" ".join(f"w{j}" * int(n > 0) for j, n in enumerate(row)) for row in x.tolist()]
        return pa.table({"text": words, "page": list(range(N))})
    if kind == "smiles":
        groups = ["CO", "CN", "CS", "CF", "CCl", "CBr", "CI", "C#N"]
        molecules = [".".join(groups[j] for j, n in enumerate(row) if n) or "C" for row in x.tolist()]
        return pa.table({"smiles": molecules, "page": list(range(N))})
    if kind == "tokens":
        return token_table([[2 + j for j, n in enumerate(row) if n] or [11] for row in x.tolist()], 12)
    return x


def graph(weighted=False):
    """Mostly within blocks; nodes 56 and on are isolated."""
    draw = torch.Generator().manual_seed(1)
    pairs = torch.combinations(torch.arange(56)).t()
    same = (pairs[0] - pairs[1]) % 2 == 0
    pairs = pairs[:, torch.rand(pairs.size(1), generator=draw) < torch.where(same, 0.15, 0.02)]
    return PretrainGraph(pairs, N, torch.rand(pairs.size(1), generator=draw) + 0.1 if weighted else None)


def dataset(kind="rows", of_type="classification", weighted=False):
    ids = torch.arange(N)
    split = {"train": ids[:20], "valid": ids[20:40], "test": ids[40:]}
    task = Task("block", labels(of_type), split)
    return SampleDataset(samples(kind), {"g": graph(weighted)}, {"block": task}, name="blocks")


def given(data, node=None, own=True):
    visible = data if node is None else data.subset(node)
    return Given(data, visible, node, own, visible.graph, data.graph, "cpu")


def home(kind, **how):
    """A data set whose samples a kind reads."""
    return dataset("smiles" if kind.__name__ in READS_SMILES else "rows", **how)


def predict(kind, data, node=None, task=None, seed=0, score_test=True):
    return make(kind).predict(given(data, node), task or data.task(), seed, score_test)
