"""A PyG ``Data`` whose nodes are the samples: features, graph, labels and split, each under its usual name."""

from __future__ import annotations

import copy
from collections.abc import Sized
from typing import Any, NamedTuple

from torch import Tensor
from torch_geometric.data import Batch, Data, Dataset, HeteroData

from sigraph.data.foreign import way_from
from sigraph.data.from_data import read_data
from sigraph.data.graph import PretrainGraph
from sigraph.files.arguments import check_integers, said
from sigraph.files.row_index import warn_caller
from sigraph.tasks.given_split import part_of
from sigraph.tasks.task import Task

_OWNER = "'SampleDataset.from_pyg'"
_READ = ("x", "y", "edge_index", "edge_weight", "adj_t", "adj", "num_nodes", "group")
_END = "_mask"


class GivenData(NamedTuple):
    """What a ``Data`` holds of a data set; None: it has none."""

    samples: Any
    graph: PretrainGraph | None
    task: Task | None


def read_pyg(data: Any, samples: Any, task: str, split: Any, split_index: int | None) -> GivenData:
    """As :meth:`~sigraph.data.SampleDataset.from_pyg`, which says what the arguments are."""
    data = copy.copy(_one(data))
    if isinstance(samples, Sized) and not isinstance(samples, str) and "x" not in data and "num_nodes" not in data:
        data.num_nodes = len(samples)
    held = {key: value for key, value in data.to_dict().items() if value is not None}
    if samples is None and "x" not in held:
        raise ValueError(
            f"'data' needs features of its nodes, x, in {_OWNER} (it has {', '.join(map(repr, held)) or 'nothing'}); "
            "give the samples besides, samples=texts for one; of nodes that are all alike nothing can be learned "
            "without their neighbours: sigraph.recipes.ego_networks makes graphs of them"
        )
    parts = {key: value for key, value in held.items() if key.endswith(_END)}
    chosen = _of_masks(parts, split_index) if split is None else _plain(split, split_index)
    found, used = _task(held.get("y"), chosen, task), () if split is not None else chosen or ()
    left_out = [key for key in held if key not in (*_READ, *used) and not data.is_edge_attr(key)]
    if found is None and chosen:
        warn_caller(f"{_OWNER} makes no task: 'data' has no labels y, by which its masks would be a split")
    if left_out:
        warn_caller(
            f"{_OWNER} keeps features, edges, labels and split, and leaves out {', '.join(map(repr, left_out))}"
        )
    graph = None
    if any(key in held for key in ("edge_index", "adj_t", "adj")):
        edges, _ = read_data(data)
        graph = PretrainGraph(edges.edge_index, edges.num_nodes, edges.weight, edges.group)
    return GivenData(_rows(held["x"]) if samples is None else samples, graph, found)


def _one(data: Any) -> Data:
    """The one graph whose nodes are the samples."""
    if isinstance(data, Dataset) and len(data) == 1:
        data = data[0]
    if isinstance(data, Data) and not isinstance(data, Batch):
        return data
    several = isinstance(data, Dataset | list | tuple | Batch)
    way = "graphs that are samples themselves: SampleDataset(graphs)" if several else way_from(data)
    if isinstance(data, HeteroData):
        way = (
            "nodes of one type are the samples: Data(x=data[TYPE].x, y=data[TYPE].y, edge_index=data[EDGE_TYPE]"
            ".edge_index), and its masks"
        )
    way = f"; {way}" if way else ""
    raise ValueError(f"'data' needs to be one PyG Data whose nodes are the samples in {_OWNER} (got {said(data)}){way}")


def _rows(x: Any) -> Any:
    """Features, one row a node; a ``SparseTensor`` as scipy has it."""
    if hasattr(x, "to_scipy"):
        return x.to_scipy(layout="csr")
    return x[:, None] if isinstance(x, Tensor) and x.dim() == 1 else x


def _of_masks(masks: dict[str, Any], split_index: int | None) -> dict[str, Any] | None:
    """The masks that are a split, of several side by side one; None: there are none."""
    found = {key: mask for key, mask in masks.items() if part_of(key) is not None}
    several = {key: mask.size(1) for key, mask in found.items() if isinstance(mask, Tensor) and mask.dim() == 2}
    several = {key: count for key, count in several.items() if count != 1}
    if split_index is None:
        if several:
            key, count = next(iter(several.items()))
            raise ValueError(
                f"'split_index' is needed in {_OWNER}: {key!r} holds {count} splits side by side, "
                f"{list(found[key].shape)}; choose one: split_index=0"
            )
    else:
        check_integers("SampleDataset.from_pyg", 0, split_index=split_index)
        if not several or split_index >= min(several.values()):
            shapes = ", ".join(f"{key!r} {list(mask.shape)}" for key, mask in found.items()) or "no masks"
            raise ValueError(
                f"'split_index' needs a column of masks [N, S] in {_OWNER} (got {split_index}, of {shapes})"
            )
    columns = {key: mask[:, split_index or 0] if key in several else mask for key, mask in found.items()}
    return {key: mask.view(-1) if isinstance(mask, Tensor) else mask for key, mask in columns.items()} or None


def _plain(split: Any, split_index: int | None) -> Any:
    if split_index is not None:
        raise ValueError(f"'split_index' chooses among masks of 'data' in {_OWNER}, and 'split' is given besides")
    return split


def _task(y: Any, split: Any, name: str) -> Task | None:
    """The task of labels with a split; labels alone are none, which is said."""
    if y is None:
        return None
    if split is None:
        warn_caller(
            f"{_OWNER} makes no task of y: 'data' has no train_mask, val_mask, test_mask; draw them, "
            "torch_geometric.transforms.RandomNodeSplit()(data), or give 'split' as sigraph.Task takes it"
        )
        return None
    is_column = isinstance(y, Tensor) and y.dim() == 2 and y.size(1) == 1 and not y.is_floating_point()
    return Task(name, y.view(-1) if is_column else y, split)  # OGB writes classes as [N, 1]
