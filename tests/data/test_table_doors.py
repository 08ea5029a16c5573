"""Every door by which a table comes in says the same of it: CSV, TSV, JSONL, Parquet, arrays, Python, out of core."""

import csv
import gzip
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import sigraph.tables.out_of_core
from sigraph.tables import TableReport, from_tables

N = 30
IDS = [f"a{i}" for i in range(N)]
X = [round(((i * 7919) % 1000) / 997, 4) for i in range(N)]
SAMPLES = {"id": IDS, "x": X, "y": [i % 7 for i in range(N)]}
RING = {"source": IDS, "target": IDS[1:] + IDS[:1]}
LABELS = {"id": IDS, "label": ["cab"[i % 3] for i in range(N)]}
BIG = 1_700_000_000
# Names: samples, edges, labels as changes of the above; options; what the report or the error says.
CASES = {
    "as they should be": ({}, {}, {}, {}, "30 undirected"),
    "weights": ({}, {"weight": [0.1 * i for i in range(N)]}, {}, {}, "weights in 'weight'"),
    "weights on some edges": (
        {},
        {"weight": [None, *range(1, N)]},
        {},
        {},
        r"lacks 1 weight in 30 rows \(first: row 1",
    ),
    "negative weights": ({}, {"weight": [*range(1, N), -1.5]}, {}, {}, "needs finite values >= 0 .*-1.5 in row 30"),
    "weights that are text": ({}, {"weight": ["1", *"b" * (N - 1)]}, {}, {}, r"needs weights that are numbers .*'b'"),
    "weights beyond float32": ({}, {"weight": [1e39, *range(1, N)]}, {}, {}, "finite values >= 0 .*1e.39 in row 1"),
    "weights that lose digits": ({}, {"weight": [2**24 + i for i in range(N)]}, {}, {}, "lose digits: 30 different"),
    "edges that disagree": (
        {},
        {"source": [*IDS, "a1"], "target": [*RING["target"], "a0"], "weight": [0.5] * N + [0.75]},
        {},
        {},
        "1 edge is given with different weights",
    ),
    "columns of edges not used": ({}, {"since": [2000] * N, "kind": ["k"] * N}, {}, {}, "not used: 'since', 'kind'"),
    "an id of edges that is missing": ({}, {"source": [None, *IDS[1:]]}, {}, {}, r"lacks ids in 1 row \(row 1\)"),
    "unknown ids of edges": ({}, {"source": ["zz", *IDS[1:]]}, {}, {}, r"1 unknown id in 1 edge \('zz'\)"),
    "ids padded in edges": ({}, {"source": ["a0 ", *IDS[1:]]}, {}, {}, "differ from ids of samples by blanks alone"),
    "self-loops alone": ({}, {"target": IDS}, {}, {}, "30 join a sample to itself"),
    "nothing known": ({}, {"source": ["q"] * N}, {}, {"drop_unknown": True}, "30 are of ids that no sample has"),
    "an id that is missing": ({"id": [None, *IDS[1:]]}, {}, {}, {}, r"column 'id' lacks ids in 1 row \(row 1\)"),
    "an id twice": ({"id": [*IDS[:-1], "a0"]}, {}, {}, {}, r"1 id occurs more than once \('a0'\)"),
    "large integers as ids": (
        {"id": [2**53 + i for i in range(N)]},
        {"source": [2**53 + i for i in range(N)], "target": [2**53 + (i + 1) % N for i in range(N)]},
        {"id": [2**53 + i for i in range(N)]},
        {},
        "integers, such as 9007199254740992",
    ),
    "a feature that is missing": ({"x": [None, *X[1:]]}, {}, {}, {}, r"column 'x': 1 cell is missing or not finite"),
    "a feature beyond float32": ({"x": [1e39, *X[1:]]}, {}, {}, {}, r"column 'x': 1 cell is too large for float32"),
    "features that lose digits": (
        {"x": [2**24 + i for i in range(N)]},
        {},
        {},
        {},
        "30 different numbers become 15 in",
    ),
    "row numbers": ({"index": list(range(N))}, {}, {}, {}, "left out: 'index', which numbers the rows"),
    "row numbers of edges and labels": (
        {},
        {"index": list(range(N))},
        {"index": list(range(N))},
        {},
        "left out: 'index'",
    ),
    "true and false": (
        {"y": [i % 2 == 0 for i in range(N)]},
        {},
        {"label": [i % 3 == 0 for i in range(N)]},
        {},
        "1 10",
    ),
    "the label among the features": ({"y": [ord(c) for c in LABELS["label"]]}, {}, {}, {}, "'y' tells the class of"),
    "text among the features": ({"y": ["k"] * N}, {}, {}, {}, r"all cells are alike[^$]*TableFeatures, columns: \[x\]"),
    "a split of numbers": (
        {"split": [i % 3 for i in range(N)]},
        {},
        {},
        {},
        r"needs train, valid or test \(got integers\)",
    ),
    "a split that tells": (
        {"y": [i % 3 for i in range(N)]},
        {},
        {"split": [("train", "valid", "test")[i % 3] for i in range(N)], "label": ["ab"[i // 3 % 2] for i in range(N)]},
        {},
        "'y' tells which part of the split",
    ),
    "a split with gaps": (
        {},
        {},
        {"split": [(None, "train", "valid", "test")[i // 3 % 4] for i in range(N)]},
        {},
        "9 samples with a label but no split are in no part",
    ),
    "labels of some samples": ({}, {}, {"label": [None, *LABELS["label"][1:]]}, {}, "29 of 30 samples"),
    "labels of ids that are unknown": ({}, {}, {"id": ["zz", *IDS[1:]]}, {}, r"labels for 1 unknown id in 1 row"),
    "a rare class": ({}, {}, {"label": ["r", *"x" * (N - 1)]}, {}, r"1 class is missing from valid and test.*'r' 1"),
    "classes that differ in blanks": ({}, {}, {"label": ["x", "x ", *"yz" * 14]}, {}, "'x', 'x ' differ in blanks"),
    "floats that are classes": (
        {},
        {},
        {"label": [i % 2 + 0.0 for i in range(N)]},
        {},
        "the numbers are whole, and no more than two",
    ),
    "large targets": (
        {},
        {},
        {"label": [BIG + i * 37 % 30 for i in range(N)]},
        {"task_types": "regression"},
        f"numbers from {BIG} to {BIG + 29}",
    ),
    "targets that float64 does not tell apart": (
        {},
        {},
        {"label": [2**53 + i * 37 % 30 for i in range(N)]},
        {"task_types": "regression"},
        "needs numbers that float64 can hold .*subtract an offset",
    ),
    "labels that disagree in the last digit": (
        {},
        {},
        {"id": [*IDS[1:], "a1"], "label": [2**53 + i for i in range(1, N)] + [2**53]},
        {"task_types": "regression"},
        "1 id has rows that disagree",
    ),
    "one column a class": (
        {},
        {},
        {"label": [int(i % 2 == 0) for i in range(N)], "other": [i % 2 for i in range(N)]},
        {},
        "exactly one 1 in 2 columns .*--task-type",
    ),
    "one column a class, said": (
        {},
        {},
        {"label": [int(i % 2 == 0) for i in range(N)], "other": [i % 2 for i in range(N)]},
        {"task_types": "classification"},
        "2 classes, 'label' 15, 'other' 15",
    ),
    "a remark beside the label": ({}, {}, {"remark": ["k"] * N}, {}, "or one column of classes or numbers"),
    "lists of terms": (
        {},
        {},
        {"label": [f"T{i % 5};T{i % 7}" for i in range(N)]},
        {},
        "look like lists of terms separated by ';'",
    ),
    "padded names": ({" z ": X}, {" kind ": IDS}, {}, {}, "x, y, z"),
}


def write_csv(path, columns, delimiter=",", comma=False):
    def cell(value):
        text = "" if value is None else str(value)
        return text.replace(".", ",") if comma and isinstance(value, float) else text

    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerows([[*columns], *([cell(v) for v in row] for row in zip(*columns.values(), strict=True))])
    return path


def write_jsonl(path, columns):
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if path.suffix == ".gz" and any(row != rows[0] for row in rows):  # a value that is missing may have no key
        rows = [{key: value for key, value in row.items() if value is not None} for row in rows]
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def write_parquet(path, columns):
    pq.write_table(pa.table(columns), path)
    return path


DOORS = {
    "csv": lambda stem, columns: write_csv(stem.with_suffix(".csv"), columns),
    "csv.gz": lambda stem, columns: write_csv(stem.with_suffix(".csv.gz"), columns),
    "tsv": lambda stem, columns: write_csv(stem.with_suffix(".tsv"), columns, "\t"),
    "semicolons": lambda stem, columns: write_csv(stem.with_suffix(".csv"), columns, ";", comma=True),
    "jsonl": lambda stem, columns: write_jsonl(stem.with_suffix(".jsonl"), columns),
    "jsonl.gz": lambda stem, columns: write_jsonl(stem.with_suffix(".jsonl.gz"), columns),
    "parquet": lambda stem, columns: write_parquet(stem.with_suffix(".parquet"), columns),
    "python": lambda stem, columns: pa.table(columns),
}


def outcome(folder, door, tables, out_of_core=False, **options):
    """What comes of some tables through a door: the data set, and all that is said, files and doors aside."""
    folder = folder / f"{door}{'-pieces' * out_of_core}"
    folder.mkdir()
    sources = [DOORS[door](folder / name, columns) for name, columns in zip("set", tables, strict=True)]
    if out_of_core:
        options |= {"memory_limit": "8GB", "scratch": folder}
    report, dataset, error = TableReport(), None, ""
    try:
        dataset = from_tables(sources[0], {"e": sources[1]}, {"t": sources[2]}, report=report, name="d", **options)
    except ValueError as raised:
        error = str(raised)
    names = {"s": "samples", "e": "edges 'e'", "t": "task 't'"}  # what tables of Python are called
    pattern = rf"{re.escape(str(folder))}/([set])\.[a-z.]+[a-z]"
    said = re.sub(pattern, lambda found: names[found[1]], f"{report}\n{error}")
    said = re.sub(r"\n  note     its cells are separated by .*|; its cells .* is a number(?=;)", "", said)
    return dataset, said


@pytest.mark.parametrize("case", CASES)
def test_all_doors_agree(tmp_path, monkeypatch, case):
    monkeypatch.setattr(sigraph.tables.out_of_core, "_room", lambda limit: 10**6)
    *changes, options, expected = CASES[case]
    tables = [{**plain, **change} for plain, change in zip((SAMPLES, RING, LABELS), changes, strict=True)]
    results = {door: outcome(tmp_path, door, tables, **options) for door in DOORS}
    dataset, said = results["python"]
    assert re.search(expected, said), said
    for door, (other, also) in results.items():
        assert also == said, door
        assert (other is None) == (dataset is None)
        if dataset is not None:
            assert other.fingerprint == dataset.fingerprint and other.ids.to_pylist() == dataset.ids.to_pylist()
    for door in ("csv", "tsv", "csv.gz", "semicolons", "parquet"):
        other, also = outcome(tmp_path, door, tables, out_of_core=True, **options)
        assert re.search(expected, also), (door, also)
        if dataset is not None:
            assert torch.equal(other.graph().edge_index, dataset.graph().edge_index)
            assert (other.graph().edge_weight is None) == (dataset.graph().edge_weight is None)


HUGE = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 99999999999)}"


def arrays(folder, **values):
    for name, array in values.items():
        np.save(folder / f"{name}.npy", np.asarray(array))
    return [folder / f"{name}.npy" for name in values]


def test_arrays_agree_with_a_table_of_row_numbers(tmp_path):
    x, ring = np.stack([X, SAMPLES["y"]], axis=1), np.stack([np.arange(N), (np.arange(N) + 1) % N])
    y = np.arange(N) % 3
    numbers = list(range(N))
    tables = [
        pa.table({"id": numbers, "column1": X, "column2": [float(v) for v in SAMPLES["y"]]}),
        pa.table({"source": ring[0], "target": ring[1]}),
        pa.table({"id": numbers, "label": y}),
    ]
    expected = from_tables(tables[0], {"e": tables[1]}, {"t": tables[2]})
    samples, edges, labels = arrays(tmp_path, s=x, e=ring, t=y)
    for s, e, t in [(samples, edges, labels), (tables[0], edges, labels), (samples, tables[1], tables[2])]:
        found = from_tables(s, {"e": e}, {"t": t})
        assert found.fingerprint == expected.fingerprint and found.ids.to_pylist() == numbers
    big = arrays(tmp_path, b=2**24 + np.arange(N)[:, None] + [0, 0])[0]
    report = TableReport()
    from_tables(big, {"e": edges}, report=report)
    assert "30 different numbers become 15 in 'column1'; and so in 1 more" in str(report)


def test_arrays_beside_ids_are_taken_row_by_row_only_where_that_is_clear(tmp_path):
    edges, labels = arrays(tmp_path, e=[[0, 1, 2], [1, 2, 3]], t=np.arange(N) % 3)
    order = [1, 0, *range(2, N)]
    shuffled = pa.table({"id": order, "x": X})
    with pytest.raises(
        ValueError, match=r"t.npy has labels in some order and no ids, .* \(row 1 is 1\); give the labels"
    ):
        from_tables(shuffled, edges, labels)
    assert from_tables(shuffled, edges).graph().edge_index[:, 0].tolist() == [0, 1]  # edges are of ids
    report = TableReport()
    ring = pa.table({"source": IDS, "target": IDS[1:] + IDS[:1]})
    assert from_tables(pa.table(SAMPLES), {"e": ring}, labels, report=report).task().labels[4] == 1
    assert "row i is taken for row i of samples" in str(report)
    with pytest.raises(ValueError, match="mixed id types"):
        from_tables(pa.table(SAMPLES), edges)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.full((N, 2), np.nan), "30 cells are missing or not finite"),
        (np.full((N, 2), 1e39), "30 cells are too large for float32"),
        (b"PK\x03\x04nonsense", "not a plain .npy array"),
        (b"\x93NUMPY\x01\x00\x76\x00" + HUGE.ljust(118), "not a plain .npy array"),
    ],
)
def test_arrays_that_are_none(tmp_path, content, message):
    path = tmp_path / "s.npy"
    path.write_bytes(content) if isinstance(content, bytes) else np.save(path, content)
    with pytest.raises(ValueError, match=message) as raised:
        from_tables(path, pa.table({"source": [0], "target": [1]}))
    assert str(path) in str(raised.value) and "\n" not in str(raised.value)


def test_an_archive_of_arrays_is_no_array(tmp_path):
    np.savez(tmp_path / "s.npz", x=np.eye(3))
    (tmp_path / "s.npz").rename(tmp_path / "s.npy")
    with pytest.raises(ValueError, match=r"s.npy is not a plain .npy array"):
        from_tables(tmp_path / "s.npy", pa.table({"source": [0], "target": [1]}))


def test_ids_are_never_rounded(tmp_path):
    """Integers in a column of floats are no ids where the file says so, and text as written where it does not."""
    ids = [float(2**53), float(2**53 + 2)]
    for door in ("parquet", "jsonl", "python"):
        source = DOORS[door](tmp_path / f"{door}s", {"id": ids, "x": [1.0, 2.0]})
        with pytest.raises(ValueError, match=r"column 'id' needs ids that are integers or text \(got double\)"):
            from_tables(source, {})
    (tmp_path / "s.csv").write_text("id,x\n9007199254740993.0,1\n9007199254740992.0,2\n")
    assert from_tables(tmp_path / "s.csv", {}).ids.to_pylist() == ["9007199254740993.0", "9007199254740992.0"]
    beyond = [2**63 + 1, 2**63 + 2, 5]
    source = pa.table({"id": pa.array(beyond, pa.uint64()), "x": [1.0, 2.0, 3.0]})
    edges = pa.table({"u": pa.array(beyond[:2], pa.uint64()), "v": pa.array(beyond[1:], pa.uint64())})
    dataset = from_tables(source, edges)
    assert dataset.ids.to_pylist() == [str(id) for id in beyond] and dataset.graph().num_edges == 4
    (tmp_path / "e.csv").write_text(f"u,v\n{beyond[0]},{beyond[1]}\n{beyond[1]},5\n")
    assert torch.equal(from_tables(source, tmp_path / "e.csv").graph().edge_index, dataset.graph().edge_index)
