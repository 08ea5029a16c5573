"""build_store: out of core as in memory, whatever the limit; whole or not there; what is wrong is named."""

import errno
import os
import signal

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sigraph.tables.out_of_core
from sigraph.data import PretrainGraph
from sigraph.edges.runs import EdgeRuns
from sigraph.files.atomic import DiskFullError
from sigraph.tables import TableReport, build_store, from_tables
from sigraph.tables.out_of_core import parse_size

IDS = ["0", "00", "a", "A", 'x "y", z', "🧪", " ", "é", "e\u0301", "null", "NaN", "-1", "a\nb", "None"]
ID = st.sampled_from(IDS)


@pytest.fixture
def little_room(monkeypatch):
    monkeypatch.setattr(sigraph.tables.out_of_core, "_room", lambda limit: 24 * 64)  # many runs of 64 keys


def write(path, **columns):
    table = pa.table(columns)
    pq.write_table(table, path) if path.suffix == ".parquet" else pa_csv.write_csv(table, path)
    return path


def same(built, expected):
    for name in ("rowptr", "col", "weight"):
        one, other = getattr(built.store, name), getattr(expected.store, name)
        assert (one is None and other is None) or (one.dtype == other.dtype and torch.equal(one, other)), name


@st.composite
def edge_lists(draw):
    n = draw(st.integers(1, 40))
    node = st.integers(0, n - 1) | st.just(0)  # a hub
    edges = draw(st.lists(st.tuples(node, node), max_size=150))
    if draw(st.booleans()):
        edges += [(v, u) for u, v in edges]
    return n, np.array(edges, dtype=np.int64).reshape(-1, 2)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(edge_lists(), st.booleans(), st.sampled_from([".parquet", ".csv", ".tsv"]), st.booleans())
def test_numbered_edges_give_the_store_of_the_same_edges_in_memory(tmp_path, little_room, case, weighted, kind, large):
    n, edges = case
    if kind == ".tsv":
        kind = ".parquet"
        edges = edges.astype(np.uint8)
    columns = {"u": edges[:, 0], "v": edges[:, 1]}
    weight = np.arange(len(edges), dtype=np.float32) % 7 / 8
    if weighted:
        columns["weight"] = weight
    file = write(tmp_path / f"e{kind}", **columns)
    if not (edges[:, 0] != edges[:, 1]).any():
        with pytest.raises(ValueError, match=r"has no edges|none of its .* rows? is an edge"):
            build_store(file, tmp_path / "g", n, overwrite=True)
        file.unlink()
        return
    with pytest.MonkeyPatch.context() as patch:
        if large:
            patch.setattr(sigraph.tables.out_of_core, "_room", lambda limit: 10**6)
        read = build_store(file, tmp_path / "g", n, overwrite=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *args, **kwargs: None)
        graph = PretrainGraph(torch.from_numpy(edges.astype(np.int64).T), n, torch.tensor(weight) if weighted else None)
    same(PretrainGraph.open(tmp_path / "g", verify=True), graph)
    assert {"self_loops": read.self_loops, "repeated_edges": read.repeated_edges} == graph.__dict__["dropped"]
    isolated = int((graph.store.rowptr.diff() == 0).sum())
    counts = (read.num_rows, read.num_edges, read.num_isolated, read.num_samples)
    assert counts == (len(edges), graph.num_edges // 2, isolated, n)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([file.name, "g"])
    file.unlink()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(IDS)), min_size=1), st.sampled_from([".parquet", ".csv"])
)
def test_hostile_ids_mean_what_they_mean_in_memory(tmp_path, little_room, edges, kind):
    edges = [*edges, (IDS[0], IDS[1])]  # not self-loops alone
    file = write(tmp_path / f"e{kind}", source=[u for u, _ in edges], target=[v for _, v in edges])
    (tmp_path / "graphs").mkdir(exist_ok=True)
    samples = pa.table({"id": IDS, "x": [1.0] * len(IDS)})
    built = from_tables(samples, file, memory_limit="8GB", scratch=tmp_path / "graphs").graph()
    same(built, from_tables(samples, file).graph())
    build_store(file, tmp_path / "alone", ids=pa.array(IDS), overwrite=True)
    same(PretrainGraph.open(tmp_path / "alone"), built)
    for path in (tmp_path / "graphs" / "e").iterdir():
        path.unlink()


def test_integer_ids_that_are_no_node_numbers(tmp_path, little_room):
    ids = [7, -3, 10**15, 0]
    file = write(tmp_path / "e.parquet", a=[7, 0, 10**15, 10**15], b=[-3, 7, 7, 10**15])
    read = build_store(file, tmp_path / "g", ids=pa.array(ids))
    assert PretrainGraph.open(tmp_path / "g").edge_index.tolist() == [[0, 0, 0, 1, 2, 3], [1, 2, 3, 0, 0, 0]]
    assert read.self_loops == 1 and read.num_samples == 4


def test_pieces_of_text_files_and_row_numbers_over_pieces(tmp_path, little_room, monkeypatch):
    monkeypatch.setattr("sigraph.tables.stream.BLOCK", 64)
    u, v = np.arange(100), (np.arange(100) * 7 + 1) % 100
    file = write(tmp_path / "e.csv", source=u, target=v)
    shares = []
    build_store(file, tmp_path / "g", progress=lambda what, share: shares.append((what, share)))
    same(PretrainGraph.open(tmp_path / "g"), PretrainGraph(np.stack([u, v]), 100))
    assert len([share for what, share in shares if what == "sorting"]) > 3
    assert all(0 <= share <= 1 for _, share in shares) and shares[-1] == ("checking", 1.0)
    (tmp_path / "n.csv").write_text("\n".join(f"{a},{b}" for a, b in zip(u, v, strict=True)))
    build_store(tmp_path / "n.csv", tmp_path / "n", header=False)
    same(PretrainGraph.open(tmp_path / "n"), PretrainGraph.open(tmp_path / "g"))
    read = build_store(tmp_path / "n.csv", tmp_path / "o")
    assert "is an edge, so that no row names the columns" in read.notes[0]
    same(PretrainGraph.open(tmp_path / "o"), PretrainGraph.open(tmp_path / "g"))
    file.write_text(file.read_text() + "5,\n")
    with pytest.raises(ValueError, match=r"'target' lacks ids in 1 row \(row 101\)"):
        build_store(file, tmp_path / "p")


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"u": [0, None], "v": [1, 2]}, {}, r"column 'u' lacks ids in 1 row \(row 2\)"),
        ({"u": [0.5], "v": [1.0]}, {}, "needs ids that are integers or text"),
        ({"u": ["a"], "v": ["b"]}, {}, "holds text .*--samples FILE"),
        ({"u": [0, -1], "v": [1, 2]}, {}, r"node numbers in \[0, 2147483648\) \(got -1 in row 2\)"),
        ({"u": [0, 5], "v": [1, 2]}, {"num_nodes": 5}, r"node numbers in \[0, 5\) \(got 5 in row 2\)"),
        ({"u": [2**40], "v": [1]}, {}, r"got 1099511627776 in row 1"),
        ({"u": [0]}, {}, "needs two columns of ids"),
        ({"u": [0], "v": [1]}, {"edge_columns": ("u", "w")}, "no column 'w'"),
        ({"u": [0], "v": [1]}, {"weight_column": "w"}, "no column 'w'"),
        ({"u": [0], "v": [1], "weight": [-1.0]}, {}, "needs finite values >= 0"),
        ({"u": [0], "v": [1], "weight": [None]}, {}, "needs weights that are numbers|lacks 1 weight in"),
        ({"u": [0], "v": [1], "weight": ["x"]}, {}, "needs weights that are numbers"),
        ({"u": [0, 9], "v": [1, 1]}, {"ids": pa.array([0, 1])}, "1 unknown id in 1 edge .9.; drop these edges"),
        ({"u": ["a"], "v": ["b"]}, {"ids": pa.array([0, 1])}, "mixed id types"),
        ({"u": [0], "v": [1]}, {"ids": pa.array([0, 0])}, "1 id occurs more than once"),
        ({"u": [0], "v": [1]}, {"ids": pa.array([0, 1]), "num_nodes": 3}, "number of 'ids', 2"),
        ({"u": [0], "v": [1]}, {"num_nodes": -1}, "needs to be in"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_left(tmp_path, little_room, columns, options, message):
    file = write(tmp_path / "e.parquet", **columns)
    with pytest.raises(ValueError, match=message):
        build_store(file, tmp_path / "g", **options)
    assert [path.name for path in tmp_path.iterdir()] == ["e.parquet"]


def test_files_that_cannot_be_read_in_pieces(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        build_store(tmp_path / "e.csv", tmp_path / "g")
    (tmp_path / "e.jsonl").write_text("{}")
    with pytest.raises(ValueError, match=r"needs to be a \.parquet, .csv or .tsv file"):
        build_store(tmp_path / "e.jsonl", tmp_path / "g")
    (tmp_path / "e.parquet").write_text("none")
    with pytest.raises(ValueError, match="is not a Parquet file"):
        build_store(tmp_path / "e.parquet", tmp_path / "g")
    (tmp_path / "r.csv").write_text("u,v\n0,1\n0,1,2\n")
    with pytest.raises(ValueError, match=r"r.csv, line 3: 3 cells"):
        build_store(tmp_path / "r.csv", tmp_path / "g", memory_limit="8GB")
    assert not (tmp_path / "g").exists()


def test_unknown_ids_are_dropped_only_if_asked_and_counted(tmp_path, little_room):
    file = write(tmp_path / "e.csv", source=["a", "q", "a"], target=["b", "a", "r"], year=[1, 2, 3])
    read = build_store(file, tmp_path / "g", ids=pa.array(["a", "b"]), drop_unknown=True)
    assert read.num_edges == 1 and read.notes == [
        "dropped 2 edges of unknown ids (such as q, r)",
        "columns not used: 'year'",
    ]


@pytest.mark.parametrize(
    ("text", "size"), [("2GB", 2 * 10**9), ("1.5 gib", 3 * 2**29), ("700MB", 7 * 10**8), (12, 12), ("12", 12)]
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["much", "-2GB", "2TBB", "", "GB"])
def test_what_is_no_size(tmp_path, text):
    file = write(tmp_path / "e.csv", u=[0], v=[1])
    with pytest.raises(ValueError, match="needs a size such as 2GB"):
        build_store(file, tmp_path / "g", memory_limit=text)


def test_a_limit_that_the_process_has_passed_already(tmp_path):
    file = write(tmp_path / "e.csv", u=[0], v=[1])
    with pytest.raises(ValueError, match=r"'memory_limit' needs at least \d\.\d\dGB"):
        build_store(file, tmp_path / "g", memory_limit="64MB")


def test_what_exists_is_replaced_only_if_asked_and_survives_a_full_disk(tmp_path, little_room, monkeypatch):
    file = write(tmp_path / "e.csv", u=[0, 1], v=[1, 2])
    build_store(file, tmp_path / "g")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        build_store(file, tmp_path / "g")

    def full(self, array):
        raise OSError(errno.ENOSPC, "No space left on device")

    write(file, u=[0], v=[1])
    with monkeypatch.context() as patch:
        patch.setattr("sigraph.edges.csr_writer.NpyStream.write", full)
        with pytest.raises(DiskFullError, match="nothing was changed"):
            build_store(file, tmp_path / "g", overwrite=True)
    assert PretrainGraph.open(tmp_path / "g", verify=True).num_edges == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.csv", "g"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs kill -9 and fork")
@pytest.mark.parametrize("stage", ["sorting", "merging", "checking"])
def test_a_kill_in_the_middle_leaves_nothing_that_opens_and_loses_nothing(tmp_path, little_room, stage):
    file = write(tmp_path / "e.csv", u=[0, 1], v=[1, 2])
    build_store(file, tmp_path / "g")
    write(file, u=[0], v=[1])

    def kill(what, share):
        if what == stage:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        try:
            build_store(file, tmp_path / "g", memory_limit="8GB", overwrite=True, progress=kill)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    left = [path for path in tmp_path.iterdir() if path.name not in ("e.csv", "g")]
    assert len(left) == 1
    with pytest.raises(FileNotFoundError, match=r"holds no header\.json"):
        PretrainGraph.open(left[0])
    assert PretrainGraph.open(tmp_path / "g", verify=True).num_edges == 4
    build_store(file, tmp_path / "g", overwrite=True)  # sweeps what was left
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.csv", "g"]
    assert PretrainGraph.open(tmp_path / "g").num_edges == 2


def test_memory_stays_under_what_was_given_for_hubs_and_repeats(tmp_path):
    """A star and one edge over and over: each piece of the merge stays small."""
    room = 56 * 2_000
    runs = EdgeRuns(tmp_path, room)
    for start in range(0, 30_000, 1_000):
        leaves = np.arange(start, start + 1_000) + 1
        runs.add(np.zeros(1_000, np.int64), leaves)
        runs.add(np.full(1_000, 5), np.full(1_000, 6))
    sizes = [piece.row.size for piece, _ in runs.pieces()]
    assert sum(sizes) == 2 * 30_001 and max(sizes) <= room // 56


@pytest.mark.parametrize("weights", [[0.0, 0.0], [0.0, 0.5]])
def test_weights_that_are_all_0_are_said_at_every_door_for_tables(tmp_path, weights):
    file = write(tmp_path / "e.csv", source=[0, 1], target=[1, 2], weight=weights)
    samples, report = pa.table({"id": [0, 1, 2], "x": [0.5, 1.0, 2.0]}), TableReport()
    from_tables(samples, {"g": file}, report=report)
    notes = [*report.graphs[0].notes, *build_store(file, tmp_path / "g").notes]
    assert sum("all weights in 'weight' are 0" in note for note in notes) == (0 if any(weights) else 2)
