"""Planetoid: the raw files of Cora, CiteSeer and PubMed, read without running what is inside."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from sigraph.data.dataset import SampleDataset
from sigraph.data.graph import PretrainGraph
from sigraph.recipes.plain_pickle import plain_pickle
from sigraph.tasks.task import Task

PARTS = ("x", "tx", "allx", "y", "ty", "ally", "graph", "test.index")
NUM_VALID = 500

logger = logging.getLogger(__name__)


def read_planetoid(files: Mapping[str, Path], name: str) -> SampleDataset:
    """A citation network of Planetoid with its public split: features, graph ``citation``, task ``topic``.

    Training samples are the first ``len(y)``, validation samples the next 500, test samples those of ``test.index``;
    row i of ``tx`` belongs to sample ``test.index[i]``. Ids that ``test.index`` leaves out of its range (15 in
    CiteSeer) have neither features nor a label in the raw files: they stay nodes of the graph, with all-zero features.
    As in PyTorch Geometric, except that their label is -1, missing, where PyG's arg-max of a zero row makes them class
    0. No split lists them, here or there. Features are not normalised.

    Args:
        files: The eight raw files; any key that ends as the raw name does, ``ind.<name>.<part>``.
        name: ``cora``, ``citeseer`` or ``pubmed``.

    Raises:
        ValueError: A file is missing, holds anything but arrays, or the files do not fit each other.

    Source: Yang, Cohen, Salakhutdinov, "Revisiting Semi-Supervised Learning with Graph Embeddings", ICML 2016.
    """
    part = _parts(files, name)
    x, tx, allx = (_features(part[p]) for p in ("x", "tx", "allx"))
    y, ty, ally = (_classes(part[p]) for p in ("y", "ty", "ally"))
    graph = read_pickle(part["graph"])
    test = _test_index(part["test.index"])
    for left, right, wanted in ((tx, ty, test.numel()), (allx, ally, allx.size(0)), (x, y, x.size(0))):
        if left.size(0) != wanted or right.size(0) != wanted:
            raise ValueError(f"{name}: features, labels and test.index differ in length ({left.size(0)}, {wanted})")
    start = allx.size(0)
    if test.numel() == 0 or int(test.min()) < start or test.unique().numel() != test.numel():
        raise ValueError(f"{part['test.index']} needs distinct ids, all >= {start}, the number of rows of allx")
    edges, last = _edges(graph, part["graph"])
    num_nodes = max(int(test.max()), last) + 1
    if max(x.size(0) + NUM_VALID, y.numel()) > start or {x.size(1), tx.size(1)} != {allx.size(1)}:
        raise ValueError(
            f"{name}: allx needs {x.size(0)} training and {NUM_VALID} validation rows, as wide as x and tx"
        )

    features = torch.zeros(num_nodes, allx.size(1))
    features[:start], features[test] = allx, tx
    label = torch.full((num_nodes,), -1, dtype=torch.long)
    label[:start], label[test] = ally, ty
    pretrain_graph = PretrainGraph(edges, num_nodes=num_nodes)
    _log_missing(name, torch.arange(start, num_nodes), test, label, pretrain_graph)
    split = {"train": torch.arange(y.numel()), "valid": torch.arange(y.numel(), y.numel() + NUM_VALID), "test": test}
    return SampleDataset(features, {"citation": pretrain_graph}, {"topic": Task("topic", label, split)}, name=name)


def read_pickle(path: Path) -> Any:
    """Unpickle a file of arrays, CSR matrices, dictionaries and lists; anything else is refused unread.

    Raises:
        ValueError: The file names another class (nothing of it was called), or is no pickle.
    """
    return plain_pickle(path.read_bytes(), str(path))


def _parts(files: Mapping[str, Path], name: str) -> dict[str, Path]:
    part = {}
    for key, path in files.items():
        head, _, tail = Path(key).name.partition(f"ind.{name}.")
        if not head and tail in PARTS:
            part[tail] = Path(path)
    missing = [f"ind.{name}.{p}" for p in PARTS if p not in part]
    if missing:
        raise ValueError(f"'files' needs {', '.join(missing)} in 'read_planetoid' (got {', '.join(files) or 'none'})")
    return part


def _features(path: Path) -> Tensor:
    matrix = read_pickle(path)
    if not isinstance(matrix, csr_matrix):
        raise ValueError(f"{path} needs a CSR matrix (got {type(matrix).__name__})")
    try:  # built anew: scipy trusts indices it did not check
        inner = vars(matrix)
        shape = inner["_shape"] if "_shape" in inner else inner["shape"]
        clean = csr_matrix((inner["data"], inner["indices"], inner["indptr"]), shape=shape)
        clean.check_format(full_check=True)
        return torch.from_numpy(clean.astype(np.float32).toarray())
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise ValueError(f"{path} needs a valid CSR matrix ({error})") from error


def _classes(path: Path) -> Tensor:
    """Classes of one-hot rows; -1 where a row is all zero."""
    one_hot = read_pickle(path)
    if not isinstance(one_hot, np.ndarray) or one_hot.ndim != 2 or one_hot.dtype.kind not in "biuf":
        raise ValueError(f"{path} needs a 2-D array of numbers (got {type(one_hot).__name__})")
    if not np.isin(one_hot, (0, 1)).all() or (one_hot.sum(axis=1) > 1).any():
        raise ValueError(f"{path} needs one-hot rows")
    return torch.from_numpy(np.where(one_hot.any(axis=1), one_hot.argmax(axis=1), -1).astype(np.int64))


def _test_index(path: Path) -> Tensor:
    lines = path.read_text(encoding="ascii").split()
    for number, line in enumerate(lines, start=1):
        if not line.isdigit():
            raise ValueError(f"{path}, line {number}: needs a node id (got {line!r})")
    return torch.tensor([int(line) for line in lines], dtype=torch.long)


def _edges(graph: Any, path: Path) -> tuple[Tensor, int]:
    """Undirected edges, each once, without self-loops, and the largest node id."""
    if not isinstance(graph, dict) or not all(isinstance(near, list) for near in graph.values()):
        raise ValueError(f"{path} needs a dictionary of node -> list of neighbours (got {type(graph).__name__})")
    row = [node for node, near in graph.items() for _ in near]
    col = [other for near in graph.values() for other in near]
    if not all(type(node) is int and node >= 0 for node in (*graph, *col)):
        raise ValueError(f"{path} needs non-negative integers as node ids")
    given = torch.tensor([row, col], dtype=torch.long).view(2, -1)
    edges = given[:, given[0] != given[1]].sort(dim=0).values.unique(dim=1)
    logger.info(
        "%s: %d entries, %d undirected edges without self-loops and repeats", path.name, len(row), edges.size(1)
    )
    return edges, max((*graph, *col), default=-1)


def _log_missing(name: str, ids: Tensor, test: Tensor, label: Tensor, graph: PretrainGraph) -> None:
    left_out = ids[~torch.isin(ids, test)]
    if left_out.numel():
        isolated = int((graph.store.degree(left_out) == 0).sum())
        logger.info(
            "%s: %d nodes after the training ones are not in test.index: no features (zeros), no label (-1), "
            "in no split; %d of them have no edge",
            name,
            left_out.numel(),
            isolated,
        )
    unlabelled = int((label < 0).sum()) - left_out.numel()
    if unlabelled:
        logger.info("%s: %d more nodes have an all-zero label row: label -1, missing", name, unlabelled)
