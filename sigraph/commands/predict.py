"""``sigraph predict RUN_FOLDER --samples FILE --out FILE``: classes, probabilities and numbers by a run's heads."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sigraph.commands.run_samples import RUN_HELP, add_sample_options, open_run, open_samples
from sigraph.config.trust import OPTION_HELP, trusting
from sigraph.files.counted import counted
from sigraph.files.paths import user_path

if TYPE_CHECKING:
    import pyarrow as pa

_SUFFIXES = (".parquet", ".csv", ".jsonl")
_ROWS = {"sample": "ids in column 'id'", "token": "a row for each 'id' and 'position', from 0"}


def add_predict_options(parser: argparse.ArgumentParser) -> None:
    """The options that say which head predicts what, and where to."""
    add = parser.add_argument
    add("folder", metavar="RUN_FOLDER", help=RUN_HELP)
    add_sample_options(parser)
    add(
        "--pairs",
        metavar="FILE",
        help="of a task of pairs, which: two columns of ids, of the samples or else of the run's own",
    )
    add("--task", metavar="TASK", help="one of the run's tasks (default: its primary one)")
    add("--head", metavar="HEAD", help="linear, full or knn, where the task has several; or a file's name in heads/")
    add("--out", metavar="FILE", help="FILE.parquet, .csv or .jsonl: id, predicted, p_<class> of each class, known")
    add("--force", action="store_true", help="replace FILE if it is there")
    add("--trust", action="append", default=[], metavar="NAME", help=OPTION_HELP)


def predict_run(arguments: argparse.Namespace) -> int:
    """Read the samples, predict, write the file."""
    target = _target(arguments.out, arguments.force)

    from sigraph.export.predicted import check_pairs, predict_by
    from sigraph.export.trained_heads import trained_head

    with trusting(arguments.trust):
        run = open_run(arguments, arguments.task, arguments.head)
        trained = trained_head(run, arguments.task, arguments.head)
        check_pairs(trained.head, arguments.pairs is not None)
        found = predict_by(trained, open_samples(arguments), arguments.samples, arguments.pairs)
    table = found.to_table()
    _write(table, target)
    what = {
        "classification": counted(len(found.names), "class", "classes"),
        "multilabel": counted(len(found.names), "label column"),
    }
    note = f" {found.note}" if found.note else ""
    print(
        f"{target}: {counted(table.num_rows, 'prediction')} of {found.head.task} ({found.head.kind}), "
        f"{what.get(found.head.type, 'numbers')}, {_ROWS.get(found.head.item, 'pairs of ids in id_0 and id_1')}{note}"
    )
    return 0


def _target(out: str | None, force: bool) -> Path:
    """The file to write."""
    if out is None:
        raise ValueError("predict needs --out FILE.parquet, FILE.csv or FILE.jsonl; predictions are not printed")
    path = user_path(out)
    if path.suffix.lower() not in _SUFFIXES:
        raise ValueError(f"--out needs to end in {', '.join(_SUFFIXES)} (got {out!r})")
    if path.is_dir():
        raise ValueError(f"--out needs a file ({path} is a folder)")
    if path.exists() and not force:
        raise ValueError(f"{path} exists; choose another --out, or replace it by --force")
    return path


def _write(table: pa.Table, target: Path) -> None:
    """All or nothing."""
    import pyarrow.csv
    import pyarrow.parquet

    from sigraph.files.atomic import atomic_file

    with atomic_file(target) as file:
        if target.suffix.lower() == ".parquet":
            pyarrow.parquet.write_table(table, file)
        elif target.suffix.lower() == ".csv":
            pyarrow.csv.write_csv(table, file)
        else:
            import json

            with file.open("w", encoding="utf-8") as stream:
                stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in table.to_pylist())
