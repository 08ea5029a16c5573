"""``sigraph embed RUN_FOLDER --out FILE``: embeddings by a run's encoder on the command line."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from sigraph.commands.run_samples import RUN_HELP, add_sample_options, open_run, open_samples
from sigraph.config.trust import OPTION_HELP, trusting
from sigraph.files.counted import counted
from sigraph.files.paths import user_path

if TYPE_CHECKING:
    from torch import Tensor

    from sigraph.export.samples import ReadSamples

_SUFFIXES = (".npy", ".parquet")


def add_embed_options(parser: argparse.ArgumentParser) -> None:
    """The options that say which encoder embeds what, and where to."""
    add = parser.add_argument
    add("folder", metavar="RUN_FOLDER", help=RUN_HELP)
    add_sample_options(parser)
    add(
        "--out", metavar="FILE", help="FILE.parquet: columns id, z0, z1, ...; FILE.npy: [N, D], ids in FILE.ids.parquet"
    )
    add("--force", action="store_true", help="replace FILE if it is there")
    add("--trust", action="append", default=[], metavar="NAME", help=OPTION_HELP)


def embed_run(arguments: argparse.Namespace) -> int:
    """Load the encoder, embed the samples, write the file."""
    with trusting(arguments.trust):
        return _embed_run(arguments)


def _embed_run(arguments: argparse.Namespace) -> int:
    targets = _targets(arguments.out, arguments.force)

    from sigraph.encoders import embed
    from sigraph.export.samples import fitting_encoder

    open_run(arguments)
    samples = open_samples(arguments)
    dataset, note = samples.dataset, samples.note
    encoder = fitting_encoder(arguments.folder, dataset, note, arguments.samples)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        z = embed(encoder, dataset)
    note += "".join(f" ({warning.message})" for warning in said)
    z = samples.spread(z, float("nan"))
    _write(z, samples, targets)
    own = samples.ids is not None
    ids = (f"ids in {targets[-1]}" if own else "row i is sample i") if len(targets) > 1 else "ids in column 'id'"
    print(f"{targets[0]}: {counted(z.size(0), 'embedding')} of width {z.size(1)}, {ids}{note}")
    return 0


def _targets(out: str | None, force: bool) -> list[Path]:
    """The files to write; the last one holds the ids."""
    if out is None:
        raise ValueError("embed needs --out FILE.npy or --out FILE.parquet; embeddings are not printed")
    path = user_path(out)
    if path.suffix.lower() not in _SUFFIXES:
        raise ValueError(f"--out needs to end in {' or '.join(_SUFFIXES)} (got {out!r})")
    targets = [path] if path.suffix.lower() == ".parquet" else [path, path.with_suffix(".ids.parquet")]
    for target in targets:
        if target.is_dir():
            raise ValueError(f"--out needs a file ({target} is a folder)")
        if target.exists() and not force:
            raise ValueError(f"{target} exists; choose another --out, or replace it by --force")
    return targets


def _write(z: Tensor, samples: ReadSamples, targets: list[Path]) -> None:
    """All or nothing. Ids of another data set never stay beside new embeddings; what was not read is null, or NaN."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from sigraph.files.atomic import atomic_file

    ids, empty = samples.ids, ~samples.is_read.numpy()
    with atomic_file(targets[0]) as file:
        if len(targets) == 1:
            columns = {"id": pa.array(np.arange(len(z))) if ids is None else ids}
            columns |= {f"z{i}": pa.array(z[:, i].numpy(), mask=empty) for i in range(z.size(1))}
            pq.write_table(pa.table(columns), file)
            return
        with file.open("wb") as stream:
            np.save(stream, z.numpy(), allow_pickle=False)
        if ids is None:
            targets[1].unlink(missing_ok=True)
            return
        with atomic_file(targets[1]) as own:
            pq.write_table(pa.table({"id": ids}), own)
