"""The vectors of a data set's samples that neighbours are sought among."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sigraph.data import SampleDataset
from sigraph.files.arguments import as_tensor, said
from sigraph.files.row_index import check_index
from sigraph.neighbors.search import row_blocks


def sample_vectors(dataset: SampleDataset, vectors: Any, owner: str) -> Tensor:
    """The data set's feature rows, or the given vectors, one a sample. Shape [N, D].

    Raises:
        ValueError: The samples are records and no vectors are given; shapes do not fit; NaN or infinity.
    """
    own = dataset.store.vectors() if vectors is None else None
    if vectors is None and own is None:
        raise ValueError(
            f"{owner!r} needs feature rows, but the samples of data set {dataset.name!r} are "
            f"{dataset.store.describe()}; give 'vectors', e.g. embeddings of them"
        )
    check_index(vectors, f"'vectors' of {owner!r}")
    try:
        x = as_tensor(own if vectors is None else vectors).detach().cpu()
    except ValueError as error:
        raise ValueError(
            f"'vectors' needs numbers of shape [N, D] in {owner!r} (got {said(vectors)}: {error})"
        ) from error
    if x.layout != torch.strided:
        raise ValueError(f"'vectors' needs dense rows in {owner!r} (got {said(vectors)}); use vectors.to_dense()")
    if x.dim() != 2 or x.size(1) == 0 or x.is_complex():
        raise ValueError(
            f"'vectors' needs numbers of shape [N, D], D > 0, in {owner!r} (got {x.dtype} {list(x.shape)})"
        )
    if len(x) != len(dataset):
        raise ValueError(f"'vectors' needs one row per sample in {owner!r} (got {len(x)} rows, {len(dataset)} samples)")
    x = x if x.is_floating_point() else x.float()
    wrong = torch.cat([~torch.isfinite(rows).all(dim=1) for rows in row_blocks(x)]).nonzero().view(-1)
    if wrong.numel():
        raise ValueError(
            f"{owner!r} needs finite vectors (got NaN or infinity in {wrong.numel()} rows, first in row "
            f"{int(wrong[0])}); fill them in, or give other 'vectors'"
        )
    return x


def take_vectors(vectors: Any, ids: Tensor, num_samples: int, owner: str) -> Tensor:
    """The given vectors of some of N samples. Shape [M, D].

    Raises:
        ValueError: They are not one a sample.
    """
    rows = vectors if isinstance(vectors, Tensor) else as_tensor(vectors)
    if rows.dim() == 0 or len(rows) != num_samples:
        got = f"{len(rows) if rows.dim() else 'no'} rows, {num_samples} samples"
        raise ValueError(f"'vectors' needs one row per sample in {owner!r} (got {got})")
    return rows[ids.to(rows.device)]
