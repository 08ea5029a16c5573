"""What may be given as samples, and the kind that each becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from scipy.sparse import issparse
from torch import Tensor

from sigraph.files.arguments import as_tensor, is_of, said
from sigraph.files.paths import resolved
from sigraph.files.precision import LARGEST, lost_in_float32, say_lost
from sigraph.samples.base import Files, Samples
from sigraph.samples.features import Features
from sigraph.samples.graphs import Graphs
from sigraph.samples.records import Records
from sigraph.samples.sparse_features import SparseFeatures
from sigraph.samples.tables import read_table
from sigraph.samples.token_sequences import TokenSequences, of_table

# By the file that marks each in a folder; records with a column of token sequences are these.
KINDS: tuple[type[Samples], ...] = (Features, SparseFeatures, Graphs, TokenSequences, Records)


class GivenSamples(NamedTuple):
    """Samples, and what a table says besides of each row and of each feature; None: nothing."""

    store: Samples
    ids: Any = None
    feature_names: list[str] | None = None


def as_samples(samples: Any, owner: str = "SampleDataset") -> Samples:
    """As :func:`read_samples`, without ids and names of features."""
    return read_samples(samples, owner, has_ids=True).store


def read_samples(samples: Any, owner: str = "SampleDataset", has_ids: bool = False) -> GivenSamples:
    """Samples of the kind that was given: feature rows, records, token sequences or graphs; a path is read or mapped.

    Args:
        samples: A tensor, an array or lists of numbers, dense or sparse; a table (pyarrow, pandas, polars, columns by
            name, a list of dictionaries); texts, in a list, an array or a column; PyG graphs, in a list or a data set;
            a path. A pyarrow Table is records; of another table whose columns are all numbers the rows are features.
        owner: Who was given it, for messages.
        has_ids: Whether ids are given besides, so that a table's own do not matter.

    Raises:
        ValueError: It is nothing of the kind; the message says what it becomes one by.
    """
    if isinstance(samples, Samples):
        return GivenSamples(samples)
    if isinstance(samples, str | Path):
        return GivenSamples(_of_file(resolved(samples)))
    if isinstance(samples, pa.Table | pa.RecordBatch):
        return GivenSamples(of_table(pa.table(samples)))
    if issparse(samples) or (isinstance(samples, Tensor) and samples.layout != torch.strided):
        return GivenSamples(SparseFeatures.of(_checked_sparse(samples, owner)))
    if _holds_graphs(samples):
        _refuse_one_with_masks(samples, owner)
        return GivenSamples(Graphs.of(samples, owner))
    if (table := read_table(samples, owner, has_ids)) is not None:
        if table.rows is None:
            return GivenSamples(of_table(table.records), table.ids)
        rows = _checked_rows(torch.from_numpy(table.rows), owner)
        return GivenSamples(Features(rows), table.ids, table.records.column_names)
    return GivenSamples(Features(_checked_rows(_as_rows(samples, owner), owner)))


def _as_rows(samples: Any, owner: str) -> Tensor:
    """A tensor, an array or lists of numbers as a tensor."""
    if isinstance(samples, Tensor):
        return samples
    wrong = ""
    if isinstance(samples, np.ma.MaskedArray) and samples.mask.any():
        wrong = f", {int(samples.mask.sum()):,} entries masked; .filled(...) gives these a value"
    elif hasattr(samples, "__array__") or (isinstance(samples, list | tuple) and len(samples)):
        try:
            rows = as_tensor(samples)
        except ValueError as error:
            lists = isinstance(samples, list | tuple) and all(isinstance(one, list | tuple) for one in samples)
            wrong = f": {error}" + "; lists of tokens are samples by sigraph.samples.token_table" * lists
        else:
            if rows.is_floating_point() or rows.is_complex() or rows.dim() != 2:
                return rows
            wrong = f" of {rows.dtype}, which may be numbers or tokens; numbers: numpy.asarray(samples, float)"
    raise ValueError(
        f"'samples' needs numbers [N, F] (a tensor, an array, a table), texts, a table of records, a list of PyG "
        f"graphs or a path in {owner!r} (got {said(samples)}{wrong}){_way_of_samples(samples)}"
    )


def _holds_graphs(samples: Any) -> bool:
    """Whether samples are a list of PyG graphs, perhaps with something else among them, or a PyG data set."""
    if is_of(samples, "torch_geometric.data", "Dataset"):
        return True
    return isinstance(samples, list | tuple) and any(_is_pyg(one) for one in samples)


def _refuse_one_with_masks(samples: Any, owner: str) -> None:
    """Refuse a single graph with a split of its nodes: these are the samples then."""
    if len(samples) == 1 and any(str(name).endswith("_mask") for name, _ in samples[0]):
        raise ValueError(
            f"'samples' needs graphs that are samples in {owner!r} (got one graph, with masks over its nodes); nodes "
            "that are samples: SampleDataset.from_pyg(data)"
        )


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
    if not isinstance(samples, Tensor) and kind.kind in "biu" and not lost_in_float32(torch.from_numpy(samples.data)):
        return samples.astype(np.float32)  # counts, as scikit-learn's vectorisers give them
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
    if _is_pyg(samples):
        way = "samples.to_data_list()" if hasattr(samples, "to_data_list") else "[samples]"
        nodes = "; nodes that are samples: SampleDataset.from_pyg(data)"
        return f"; graphs come in a list, each a sample: {way}{nodes}"
    return "; there is none in it" if isinstance(samples, list | tuple) and not len(samples) else ""
