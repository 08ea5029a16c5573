"""What may be given as samples, and the kind that each becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from scipy.sparse import issparse
from torch import Tensor

from sigraph.files.arguments import is_frame, is_of
from sigraph.files.paths import resolved
from sigraph.files.precision import LARGEST, lost_in_float32, say_lost
from sigraph.samples.base import Files, Samples
from sigraph.samples.features import Features
from sigraph.samples.graphs import Graphs
from sigraph.samples.records import Records
from sigraph.samples.sparse_features import SparseFeatures
from sigraph.samples.token_sequences import of_table

# By the file that marks each in a folder; token sequences are records with a column of them.
KINDS: tuple[type[Samples], ...] = (Features, SparseFeatures, Graphs, Records)


def as_samples(samples: Any, owner: str = "SampleDataset") -> Samples:
    """Samples of the kind that was given: feature rows, records, token sequences or graphs; a path is read or mapped.

    Raises:
        ValueError: It is nothing of the kind; the message says what it becomes one by.
    """
    if isinstance(samples, Samples):
        return samples
    if isinstance(samples, str | Path):
        return _of_file(resolved(samples))
    if isinstance(samples, pa.Table):
        return of_table(samples)
    if issparse(samples) or (isinstance(samples, Tensor) and samples.layout != torch.strided):
        return SparseFeatures.of(_checked_sparse(samples, owner))
    if _holds_graphs(samples):
        return Graphs.of(samples, owner)
    if not isinstance(samples, Tensor):
        raise ValueError(
            f"'samples' needs a float tensor [N, F], a pyarrow Table, a list of PyG graphs or a path in {owner!r} "
            f"(got {type(samples)})"
            f"{_way_of_samples(samples)}"
        )
    return Features(_checked_rows(samples, owner))


def _holds_graphs(samples: Any) -> bool:
    """Whether samples are a list of PyG graphs, perhaps with something else among them, or a PyG data set."""
    if is_of(samples, "torch_geometric.data", "Dataset"):
        return True
    return isinstance(samples, list | tuple) and any(_is_pyg(one) for one in samples)


def _is_pyg(value: Any) -> bool:
    return is_of(value, "torch_geometric.data.data", "BaseData")


def open_samples(files: Files) -> Samples:
    """The samples of a prepared folder, whichever kind its files say."""
    kind = next(kind for kind in KINDS if kind.mark in files)
    if kind is Records:
        return of_table(pq.read_table(files.checked(Records.mark)), files)
    return kind.open(files)


def _of_file(path: Path) -> Samples:
    """Map feature rows or read records, of a file that has no sums."""
    if path.suffix == ".parquet":
        return of_table(pq.read_table(path), path)
    if path.suffix != ".npy":
        raise ValueError(f"'samples' needs a .npy or .parquet file in 'SampleDataset' (got {path})")
    return Features.map(path)


def _checked_sparse(samples: Any, owner: str) -> Any:
    shape, kind = list(samples.shape), samples.dtype
    if len(shape) != 2 or shape[1] == 0:
        raise ValueError(f"'samples' needs shape [N, F], F > 0, in {owner!r} (got {shape}, sparse)")
    if not (samples.is_floating_point() if isinstance(samples, Tensor) else np.issubdtype(kind, np.floating)):
        raise ValueError(f"'samples' needs floats in {owner!r} (got {kind}); use .float(), or .astype('float32')")
    return samples


def _checked_rows(samples: Tensor, owner: str) -> Tensor:
    """Feature rows as a float32 tensor [N, F]."""
    if samples.dim() != 2 or samples.size(1) == 0:
        raise ValueError(f"'samples' needs shape [N, F], F > 0, in {owner!r} (got {list(samples.shape)})")
    if not samples.is_floating_point():
        way = "" if samples.is_complex() else f"; use samples.{'double' if lost_in_float32(samples) else 'float'}()"
        raise ValueError(f"'samples' needs floats in {owner!r} (got {samples.dtype}){way}")
    say_lost("samples", owner, samples, stacklevel=5)
    rows = samples.detach().float()
    if samples.dtype == torch.float64 and bool((rows.isinf() & samples.isfinite()).any()):
        raise ValueError(
            f"'samples' needs features of at most {LARGEST:.4g}, float32, in {owner!r} (got "
            f"{float(samples[rows.isinf() & samples.isfinite()][0])})"
        )
    return rows


def _way_of_samples(samples: Any) -> str:
    if is_frame(samples):
        return (
            "; of a table: torch.tensor(frame.to_numpy()), with ids=frame.index and feature_names=frame.columns; rows "
            "are taken in their order, whatever the index of graphs and labels is"
        )
    if _is_pyg(samples):
        way = "samples.to_data_list()" if hasattr(samples, "to_data_list") else "[samples]"
        return f"; graphs come in a list, each a sample: {way}"
    if isinstance(samples, np.ndarray | list | tuple):
        return "; use torch.tensor(samples)" if len(samples) else "; there is none in it"
    return ""
