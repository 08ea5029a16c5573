"""A file that unpacks to more than there is memory is refused before it is read."""

import gzip
import re
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sigraph.files.free_memory import free_memory, refuse_more
from sigraph.tables import build_store, from_tables


@pytest.fixture
def little(monkeypatch):
    for module in ("table_file", "sample_table"):
        monkeypatch.setattr(f"sigraph.tables.{module}.free_memory", lambda: 10**6)


def test_what_there_is():
    free = free_memory()
    assert free is None or free > 10**6
    refuse_more("f", 10**30, None)
    refuse_more("f", 1, 1)


def test_a_limit_of_the_process_counts(tmp_path):
    """As ``ulimit -v`` and many clusters set it; a table of short cells takes far more than its text."""
    path = tmp_path / "s.csv.gz"
    path.write_bytes(gzip.compress(b"id,a\n" + b"1,2\n" * (1 << 24)))
    code = (
        "import resource\nfrom sigraph.tables import table_file\nfrom sigraph.files import free_memory\n"
        "limit = free_memory._of_process\nassert limit() is None\n"
        "now = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (now + (1 << 29),) * 2)\nassert 0 < limit() <= 1 << 29\n"
        f"table_file.read_table({str(path)!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode and re.search(r"s.csv.gz takes 0.5\d* GB or more .* 0.5\d* GB are free", done.stderr)


@pytest.mark.parametrize("old", [False, True])
def test_a_limit_of_a_container_counts(tmp_path, monkeypatch, old):
    names = ("limit", "used", "stat")
    (tmp_path / "stat").write_text(f"cache 7\n{'total_' if old else ''}inactive_file 300\nactive_file 9\n")
    (tmp_path / "used").write_text("900\n")
    monkeypatch.setattr("sigraph.files.free_memory._GROUPS", (tuple(str(tmp_path / name) for name in names),))
    before = free_memory()  # there is no limit file
    (tmp_path / "limit").write_text("1000\n")
    assert free_memory() == 400
    (tmp_path / "limit").write_text("max\n")
    assert (free_memory() is None) == (before is None)
    (tmp_path / "limit").write_text("1\n")  # made smaller while something ran
    assert free_memory() == 0


MANY = 20_000


@pytest.mark.parametrize("name", ["s.csv.gz", "s.jsonl.gz", "s.parquet", "s.npy"])
def test_a_small_file_that_is_large_in_memory(tmp_path, little, name):
    path = tmp_path / name
    if name == "s.csv.gz":
        path.write_bytes(gzip.compress(b"id,x\n" + b"".join(b"%d,%050d\n" % (i, 1) for i in range(MANY))))
    elif name == "s.jsonl.gz":
        path.write_bytes(gzip.compress(b"".join(b'{"id": %d, "x": "%050d"}\n' % (i, 1) for i in range(MANY))))
    elif name == "s.parquet":  # each text is kept once
        table = pa.table({"id": np.arange(MANY), "x": pa.array(["x" * 500] * MANY)})
        pq.write_table(table, path)
    else:
        with path.open("wb") as file:  # a file with a hole
            np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (MANY, 50)})
            file.truncate(file.tell() + 4 * 50 * MANY)
    with pytest.raises(
        ValueError, match=rf"{name} takes .* GB or more in memory, and 0.001 GB are free; is it what it"
    ):
        from_tables(path, {})


def test_edges_are_read_in_pieces_all_the_same(tmp_path, little):
    (tmp_path / "e.csv.gz").write_bytes(
        gzip.compress(b"u,v\n" + b"".join(b"%d,%d\n" % (i, i + 1) for i in range(10**5)))
    )
    assert build_store(tmp_path / "e.csv.gz", tmp_path / "g", memory_limit="8GB").num_edges == 10**5
