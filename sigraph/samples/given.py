"""What may be given as samples: feature rows or records, and what they are in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import torch
from scipy.sparse import issparse
from torch import Tensor

from sigraph.files.arguments import is_frame
from sigraph.files.precision import LARGEST, lost_in_float32, say_lost
from sigraph.samples.tokens import TokenColumn, has_tokens, with_vocabulary

CHUNK = 1 << 24  # numbers checked at a time: 64 MB of float32


def checked_samples(samples: Any, owner: str = "SampleDataset") -> Tensor | pa.Table:
    """Feature rows as a float32 tensor [N, F], or records; those of token sequences say how large the vocabulary is."""
    if isinstance(samples, pa.Table):
        return with_vocabulary(samples) if has_tokens(samples) else samples
    if not isinstance(samples, Tensor):
        raise ValueError(
            f"'samples' needs a float tensor [N, F], a pyarrow Table or a path in {owner!r} (got {type(samples)})"
            f"{_way_of_samples(samples)}"
        )
    if samples.dim() != 2 or samples.size(1) == 0 or samples.layout != torch.strided:
        sparse = "" if samples.layout == torch.strided else ", sparse; use samples.to_dense()"
        raise ValueError(f"'samples' needs shape [N, F], F > 0, in {owner!r} (got {list(samples.shape)}{sparse})")
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
    if isinstance(samples, np.ndarray | list | tuple):
        return "; use torch.tensor(samples)"
    return "; use torch.tensor(samples.toarray())" if issparse(samples) else ""


def check_finite(samples: Tensor, owner: str = "SampleDataset") -> None:
    """Refuse NaN and infinite features, naming the first rows; reads a piece at a time."""
    rows = max(1, CHUNK // samples.size(1))
    bad: list[int] = []
    num_bad = 0
    for start in range(0, samples.size(0), rows):
        wrong = (~torch.isfinite(samples[start : start + rows])).any(dim=1).nonzero().view(-1)
        num_bad += wrong.numel()
        bad += (wrong[: 5 - len(bad)] + start).tolist()
    if num_bad:
        raise ValueError(
            f"'samples' needs finite features in {owner!r} (got NaN or infinite ones in {num_bad} rows; "
            f"first: {', '.join(map(str, bad))})"
        )


def describe_samples(samples: Tensor | pa.Table) -> str:
    """What the samples are, in words."""
    if isinstance(samples, Tensor):
        return f"rows of {samples.size(1)} features"
    if has_tokens(samples):
        return f"token sequences over a vocabulary of {TokenColumn(samples).num_tokens}"
    columns = [repr(name) for name in samples.column_names]
    return f"records with the columns {', '.join(columns[:5])}{', ...' if len(columns) > 5 else ''}"
