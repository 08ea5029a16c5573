"""Nothing foreign is ever replaced: whose a folder is says its mark's content, and what is in it the list there."""

import json
import shutil

import pytest
import torch
from damage import rot

from sigraph import PretrainGraph, SampleDataset
from sigraph.cli import main
from sigraph.edges import CSRStore
from sigraph.files.ownership import CSR, DATASET, check_owned, read_mark
from sigraph.tables import build_store

GRAPH = PretrainGraph([[0, 1], [1, 2]], num_nodes=3)


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def tables(tmp_path):
    (tmp_path / "s.csv").write_text("id,x\n1,0.5\n2,1\n3,2\n")
    (tmp_path / "e.csv").write_text("source,target\n1,2\n")
    (tmp_path / "n.csv").write_text("source,target\n0,1\n")
    return tmp_path


def prepare(tables, out):
    files = ["--samples", str(tables / "s.csv"), "--edges", str(tables / "e.csv")]
    return main(["prepare", *files, "--out", str(out), "--force"])


def prepare_graph(tables, out):
    return main(["prepare", "--edges", str(tables / "n.csv"), "--out", str(out), "--force"])


def save(tables, out):
    SampleDataset(torch.ones(3, 1), {"g": GRAPH}).save(out, overwrite=True)
    return 0


def save_graph(tables, out):
    GRAPH.save(out)
    return 0


def save_store(tables, out):
    GRAPH.store.save(out)
    return 0


def build(tables, out):
    build_store(tables / "n.csv", out, overwrite=True)
    return 0


DOORS = {"dataset": (prepare, save), "graph": (prepare_graph, save_graph, save_store, build)}
EVERY = [(kind, door) for kind, doors in DOORS.items() for door in doors]


def refused(door, tables, out):
    try:
        return door(tables, out) != 0
    except FileExistsError as error:
        return str(out) in str(error)


FOREIGN = {
    "a web project": {"manifest.json": '{"name": "shop", "icons": []}', "index.html": "<p>"},
    "an empty manifest": {"manifest.json": "{}", "photo.jpg": "x"},
    "a list": {"manifest.json": "[]", "header.json": "[]"},
    "files of its own": {"manifest.json": '{"files": {"a.js": "b"}}', "a.js": "x"},
    "a header": {"header.json": '{"kind": "http", "files": {}}', "x": "y"},
    "no mark": {"thesis.tex": "x"},
    "text": {"manifest.json": "hello", "header.json": "hello"},
    "a folder": {"manifest.json/notes": "x", "header.json/notes": "x"},
    "deep": {"manifest.json": "[" * 100_000, "header.json": "[" * 100_000},
}


@pytest.mark.parametrize("files", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize(("kind", "door"), EVERY, ids=[door.__name__ for _, door in EVERY])
def test_foreign_folders_stay(tables, kind, door, files, capsys):
    out = tables / "out"
    for name, text in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text)
    before = contents(out)
    assert refused(door, tables, out) and contents(out) == before
    assert sorted(path.name for path in tables.iterdir()) == ["e.csv", "n.csv", "out", "s.csv"]


@pytest.mark.parametrize(
    "name", ["notes.txt", "OTHER MARK", ".git/HEAD", "graphs/mine.md", "tasks/a/b/c", "samples.npy.bak"]
)
@pytest.mark.parametrize(("kind", "door"), EVERY, ids=[door.__name__ for _, door in EVERY])
def test_a_users_files_in_a_real_folder_stay_and_are_named(tables, kind, door, name, capsys):
    out = tables / "out"
    assert door(tables, out) == 0
    name = name.replace("OTHER MARK", "header.json" if kind == "dataset" else "manifest.json")
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_text("mine")
    before = contents(out)
    with pytest.raises(FileExistsError, match=r"holds what sigraph did not write \((?P<named>[^)]+)\)") as error:
        DOORS[kind][1](tables, out)
    assert (out / name).relative_to(out).parts[0] in str(error.value)
    assert refused(door, tables, out) and contents(out) == before
    (out / name).unlink()
    for folder in sorted((path for path in out.rglob("*") if path.is_dir() and not any(path.iterdir())), reverse=True):
        folder.rmdir()
    shutil.rmtree(out / ".git", ignore_errors=True)
    shutil.rmtree(out / "tasks", ignore_errors=True)
    shutil.rmtree(out / "graphs", ignore_errors=True) if kind == "graph" else None
    assert door(tables, out) == 0  # the way out works


@pytest.mark.parametrize(("kind", "door"), EVERY, ids=[door.__name__ for _, door in EVERY])
def test_the_other_kind_stays_too(tables, kind, door):
    """A data set is not replaced by a graph, nor a graph by a data set."""
    out = tables / "out"
    other = DOORS["graph" if kind == "dataset" else "dataset"][1]
    other(tables, out)
    before = contents(out)
    assert refused(door, tables, out) and contents(out) == before


@pytest.mark.parametrize(("kind", "door"), EVERY, ids=[door.__name__ for _, door in EVERY])
def test_ones_own_is_replaced(tables, kind, door):
    out = tables / "out"
    assert door(tables, out) == 0
    first = contents(out)
    assert door(tables, out) == 0 and contents(out).keys() == first.keys()
    assert sorted(path.name for path in tables.iterdir()) == ["e.csv", "n.csv", "out", "s.csv"]


def test_a_damaged_mark_decides_nothing(tables):
    save(tables, tables / "out")
    rot(tables / "out" / "manifest.json", 40)
    with pytest.raises(FileExistsError, match="cannot be told to be sigraph's"):
        save(tables, tables / "out")


def test_links_and_empty_folders_count_as_foreign(tables):
    save(tables, tables / "out")
    check_owned(tables / "out", {DATASET})
    (tables / "out" / "empty").mkdir()
    (tables / "out" / "link").symlink_to(tables / "s.csv")
    with pytest.raises(FileExistsError, match=r"\(empty, link\)"):
        check_owned(tables / "out", {DATASET})


def test_what_the_first_version_wrote_is_sigraphs_own(tables):
    save(tables, tables / "out")
    file = tables / "out" / "manifest.json"
    files = json.loads(file.read_text())["files"]
    (tables / "out" / "blocks.sums").unlink(), files.pop("blocks.sums")
    file.write_text(json.dumps({name: {**entry, "written": 0} for name, entry in files.items()}))
    assert read_mark(file)["graphs"] == ["g"]
    assert len(SampleDataset.open(tables / "out", verify=True)) == 3
    task = tables / "out" / "card.yaml"
    before = task.read_bytes()
    task.write_text("someone else's, in a list that looks like sigraph's")
    with pytest.raises(FileExistsError, match=r"holds a card\.yaml that was changed"):
        save(tables, tables / "out")
    task.write_bytes(before)
    save(tables, tables / "out")
    assert CSRStore.open(tables / "out" / "graphs" / "g").num_edges == 4
    with pytest.raises(FileExistsError, match="graph's folder"):
        check_owned(tables / "out", {CSR})


@pytest.mark.parametrize("door", DOORS["graph"], ids=[door.__name__ for door in DOORS["graph"]])
def test_a_graph_of_a_data_set_stays(tables, door):
    save(tables, tables / "out")
    before = contents(tables / "out")
    assert refused(door, tables, tables / "out" / "graphs" / "g") and contents(tables / "out") == before


def test_a_card_that_somebody_wrote_in_stays_and_damaged_data_are_mended(tables):
    save(tables, tables / "out")
    rot(tables / "out" / "samples.npy")
    save(tables, tables / "out")
    assert len(SampleDataset.open(tables / "out", verify=True)) == 3
    with (tables / "out" / "card.yaml").open("a") as card:
        card.write("# precious notes")
    with pytest.raises(FileExistsError, match=r"holds a card.yaml that was changed since it was written"):
        save(tables, tables / "out")
