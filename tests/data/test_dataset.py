"""SampleDataset: what goes in comes out, in memory, on disk and through a pickle; and nothing damaged is opened."""

import json
import os
import pickle
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp
import torch
from damage import forge, rot

from sigraph.data.card import Card
from sigraph.data.dataset import SampleDataset
from sigraph.data.graph import PretrainGraph
from sigraph.files.atomic import sha256
from sigraph.recipes import open_dataset
from sigraph.tasks.task import Task

N = 6
FILES = (
    *("card.yaml", "manifest.json", "samples.npy", "ids.parquet", "blocks.sums"),
    *(f"graphs/line/{name}" for name in ("header.json", "rowptr.npy", "col.npy", "weight.npy", "blocks.sums")),
    *(f"tasks/topic/{name}" for name in ("labels.npy", "train.npy", "valid.npy", "test.npy", "task.json")),
)


def split():
    return {"train": torch.tensor([0, 1]), "valid": torch.tensor([2]), "test": torch.tensor([4, 3])}


def make(samples=None, **changes):
    """Six samples, a weighted line with an isolated node at its end, a ring, and three kinds of tasks."""
    samples = torch.arange(12.0).view(N, 2) if samples is None else samples
    weight = torch.tensor([1.0, 2.0, 0.5])
    graphs = {
        "line": PretrainGraph([[0, 1, 2], [1, 2, 3]], num_nodes=N, edge_weight=weight),
        "a-ring": PretrainGraph([list(range(N)), [*range(1, N), 0]], num_nodes=N),
    }
    columns = torch.tensor([[1.0, 0], [0, 1], [1, 1], [0, 0], [1, 0], [float("nan"), 1]])
    tasks = {
        "topic": Task("topic", torch.tensor([0, 1, 2, 0, 1, -1]), split(), about="what it is about"),
        "size": Task("size", torch.tensor([0.5, 1, 2, 3, 4, float("nan")]), split(), metric="mae"),
        "tags": Task("tags", columns, split()),
    }
    return SampleDataset(samples, **{"graphs": graphs, "tasks": tasks, "name": "toy", **changes})


def records():
    return pa.table({"text": [f"text {i}" for i in range(N)], "length": list(range(N))})


def same(left, right):
    """Every public part is equal."""
    everything = torch.arange(N)
    assert len(left) == len(right) and left.name == right.name and left.in_channels == right.in_channels
    a, b = left.fetch(everything), right.fetch(everything)
    assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
    assert list(left.graphs) == list(right.graphs) and list(left.tasks) == list(right.tasks)
    for name, graph in left.graphs.items():
        other = right.graph(name)
        assert torch.equal(graph.edge_index, other.edge_index) and other.num_nodes == N
        assert (graph.edge_weight is None) == (other.edge_weight is None)
        assert graph.edge_weight is None or torch.equal(graph.edge_weight, other.edge_weight)
    for name, task in left.tasks.items():
        other = right.task(name)
        assert (task.type, task.metric, task.about, task.name) == (other.type, other.metric, other.about, other.name)
        torch.testing.assert_close(task.labels, other.labels, equal_nan=True)
        assert all(torch.equal(task.split[part], other.split[part]) for part in task.split)


def test_fetch_features_in_the_order_asked_for():
    dataset = make()
    fetched = dataset.fetch(torch.tensor([5, 0, 5]))
    assert fetched.tolist() == [[10, 11], [0, 1], [10, 11]] and fetched.dtype == torch.float
    assert dataset.fetch(torch.empty(0, dtype=torch.long)).shape == (0, 2)
    assert len(dataset) == N and dataset.in_channels == 2


def test_fetch_records_as_dictionaries():
    dataset = make(records())
    assert dataset.fetch(torch.tensor([2, 0, 2])) == [
        {"text": "text 2", "length": 2},
        {"text": "text 0", "length": 0},
        {"text": "text 2", "length": 2},
    ]
    assert len(dataset) == N and dataset.in_channels is None


@pytest.mark.parametrize("node", [[0.5], [[0]], [-1], [N]])
@pytest.mark.parametrize("samples", [None, records()], ids=["features", "records"])
def test_fetch_refuses_what_is_no_sample(node, samples):
    with pytest.raises(ValueError, match="'node' needs"):
        make(samples).fetch(torch.tensor(node))


def test_double_features_become_float32():
    assert make(torch.ones(N, 2, dtype=torch.double)).fetch(torch.tensor([0])).dtype == torch.float


@pytest.mark.parametrize(
    "ids",
    [list("abcdef"), np.array(list("abcdef")), pa.array(list("abcdef")), pa.chunked_array([list("abc"), list("def")])],
    ids=["list", "numpy", "array", "chunked"],
)
def test_ids_may_come_in_any_form(tmp_path, ids):
    dataset = make(ids=ids)
    assert isinstance(dataset.ids, pa.Array) and dataset.ids.to_pylist() == list("abcdef")
    dataset.save(tmp_path / "toy")
    assert SampleDataset.open(tmp_path / "toy").ids.to_pylist() == list("abcdef")
    assert make(ids=torch.arange(N)).ids.to_pylist() == list(range(N))


@pytest.mark.parametrize(
    "ids",
    [
        pd.Series(list("abcdef"), index=[5, 4, 3, 2, 1, 0]),  # in their order, as rows are
        pd.Series(list("abcdef")).astype("category"),
        pd.Index(list("abcdef")),
        pa.array(list("abcdef")).dictionary_encode(),
        iter("abcdef"),
    ],
    ids=["series", "category", "index", "dictionary", "iterator"],
)
def test_ids_of_tables_stand_in_the_order_of_their_rows(ids):
    assert make(ids=ids).ids.to_pylist() == list("abcdef")


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (list("abcdea"), r"'ids' needs each id once .*1 occur more than once: 'a'"),
        ([1, 2, 3, 3, 2, 6], r"2 occur more than once: 2, 3"),
        ([1, None, 3, 4, None, 6], r"an id for every sample .*2 are missing: 1, 4"),
        (["a", float("nan"), *"cdef"], r"an id for every sample .*1 are missing: 1"),
        (np.arange(6.0), "integers or text, .*of double; numbers such as 1.0 are written as integers"),
        ([True] * 6, "integers or text, .*of bool"),
        ([1, "b", 3, 4, 5, 6], "integers or text, .*Could not convert"),
        (np.ones((6, 2), dtype=int), "integers or text, .*1-dimensional"),
        (pd.date_range("2020", periods=6), "integers or text, .*timestamp"),
        ("abcdef", "integers or text, .*got a str"),
        (dict.fromkeys("abcdef"), "integers or text, .*got a dict"),
        (set("abcdef"), "integers or text, .*got a set"),
        (6, "integers or text, .*got a int"),
    ],
)
def test_ids_by_which_no_sample_is_found_are_refused(ids, message):
    with pytest.raises(ValueError, match=message):
        make(ids=ids)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.ones((3, 2), int), r"int64, which may be numbers or tokens; numbers: numpy.asarray\(samples, float\)"),
        ([[2, 3], [4]], "no array of numbers.*; lists of tokens are samples by sigraph.samples.token_table"),
        (np.ma.array([[1.0, 2.0]], mask=[[0, 1]]), r"1 entries masked; .filled"),
        (sp.eye_array(3) * 1j, "needs floats .*complex128"),
        (torch.eye(3).long().to_sparse(), "needs floats .*int64"),
        (torch.eye(3) * 1j, "needs floats .*complex64"),
        (None, r"needs numbers .*\(got a NoneType"),
    ],
)
def test_rows_in_another_form_are_told_the_way(samples, message):
    with pytest.raises(ValueError, match=message):
        SampleDataset(samples)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (torch.tensor([True, False, True, False, True, False]), r"bool \[6\]\); of a mask: \w+.nonzero\(\).view\(-1\)"),
        (np.array([True] * 6), "of a mask"),
        (["a"], "needs integer sample ids .*got a list"),
        (None, "needs integer sample ids"),
        ([[0, 1], [2]], "needs integer sample ids"),
        (2, "needs a 1-D tensor"),
        ([0.0, 1.0], "needs a 1-D tensor of integer sample ids .*float32"),
        ([-1], r"needs sample ids in \[0, 6\)"),
    ],
)
def test_masks_and_what_else_is_no_sample_number_are_told_the_way(node, message):
    with pytest.raises(ValueError, match="'node' .*" + message):
        make().fetch(node)
    with pytest.raises(ValueError, match="'ids' .*" + message):
        make().subset(node)


def test_graphs_of_other_sizes_are_told_what_they_lack():
    with pytest.raises(
        ValueError, match=r"got 2 nodes, 6 samples\); isolated nodes at the end are kept by 'num_nodes'"
    ):
        make(graphs={"small": PretrainGraph([[0], [1]])})
    with pytest.raises(
        ValueError, match=r"got 9 nodes, 6 samples\); node i has to be sample i, and every node a sample"
    ):
        make(graphs={"large": PretrainGraph([[0], [1]], num_nodes=9)})


@pytest.mark.parametrize("names", ["ab", 3, {"a": 1, "b": 2}, {"a", "b"}])
def test_names_of_features_are_a_list(names):
    with pytest.raises(ValueError, match="'feature_names' needs a list of names"):
        make(feature_names=names)


def test_default_graph_is_the_first_and_unknown_names_list_all():
    dataset = make()
    assert dataset.graph() is dataset.graph("line") and dataset.task() is dataset.task("topic")
    with pytest.raises(ValueError, match=r"unknown graph 'lin' .*did you mean 'line'\?.*there are: line, a-ring"):
        dataset.graph("lin")
    with pytest.raises(ValueError, match=r"unknown task 'x' .*there are: topic, size, tags"):
        dataset.task("x")
    with pytest.raises(ValueError, match=r"has no graph; make one with a constructor of sigraph\.graphs"):
        SampleDataset(torch.ones(2, 2)).graph()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": torch.ones(N + 1, 2)}, r"graph 'line' needs one node per sample .*\(got 6 nodes, 7 samples\)"),
        ({"samples": torch.ones(N + 1, 2), "graphs": {}}, r"task 'topic' needs one label per sample, 7 \(got 6 labels"),
        ({"samples": torch.ones(0, 2)}, "at least one sample"),
        ({"samples": torch.ones(N)}, r"needs shape \[N, F\]"),
        ({"samples": torch.ones(N, 2, dtype=torch.long)}, "needs floats .*torch.int64"),
        ({"graphs": PretrainGraph(num_nodes=N)}, r"'graphs' needs a mapping .*got a PretrainGraph.*{\"name\": graph}"),
        ({"graphs": [PretrainGraph(num_nodes=N)]}, r"'graphs' needs a mapping .*got a list\); give {\"name\": graph}"),
        ({"graphs": {"line": torch.zeros(2, 0)}}, "graph 'line' needs to be a PretrainGraph .*got a Tensor"),
        (
            {"tasks": Task("t", torch.arange(N), split())},
            r"'tasks' needs a mapping .*got a Task\); give {\"name\": task}",
        ),
        ({"tasks": {"t": torch.arange(N)}}, "task 't' needs to be a Task .*got a Tensor"),
        ({"graphs": {0: PretrainGraph(num_nodes=N)}}, "graph 0 needs a name of letters"),
        ({"ids": ["a"]}, r"'ids' needs one id per sample .*\(got 1 for 6\)"),
        ({"graphs": {"../up": PretrainGraph(num_nodes=N)}}, "graph '../up' needs a name of letters"),
    ],
)
def test_wrong_parts_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        make(**change)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_features_that_are_not_finite_are_named(value, monkeypatch):
    monkeypatch.setattr("sigraph.samples.features.CHUNK", 4)  # two rows at a time: the rows lie in different pieces
    samples = torch.zeros(N, 2)
    samples[1, 0] = samples[4, 1] = value
    with pytest.raises(ValueError, match="in 2 rows; first: 1, 4"):
        make(samples)


@pytest.mark.parametrize("samples", [None, records()], ids=["features", "records"])
def test_save_and_open_give_the_same(tmp_path, samples):
    dataset = make(samples)
    dataset.save(tmp_path / "toy")
    same(dataset, SampleDataset.open(tmp_path / "toy"))
    same(dataset, SampleDataset.open(tmp_path / "toy", verify=True))


def test_folder_is_readable_without_sigraph(tmp_path):
    make().save(tmp_path / "toy")
    folder = tmp_path / "toy"
    assert np.load(folder / "samples.npy")[3].tolist() == [6, 7]
    assert np.load(folder / "tasks/topic/test.npy").tolist() == [4, 3]
    assert json.loads((folder / "tasks/size/task.json").read_text())["metric"] == "mae"
    assert np.load(folder / "graphs/a-ring/rowptr.npy").tolist() == [0, 2, 4, 6, 8, 10, 12]
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert set(json.loads((folder / "manifest.json").read_text())["files"]) == files - {"manifest.json"}
    measured = Card.read(folder / "card.yaml").measured
    assert measured["graphs"]["line"] == {"num_edges": 3, "num_isolated": 2}
    assert measured["tasks"]["topic"]["num_labelled"] == 5 and measured["samples"]["count"] == N


def test_opened_features_are_mapped_and_never_written_to(tmp_path):
    make().save(tmp_path / "toy")
    dataset = SampleDataset.open(tmp_path / "toy")
    dataset.samples[0] = 99
    assert SampleDataset.open(tmp_path / "toy").fetch(torch.tensor([0])).tolist() == [[0, 1]]


def test_pickle_of_mapped_samples_is_small(tmp_path):
    features = torch.arange(N * 50_000.0).view(N, -1)
    make(features).save(tmp_path / "toy")
    opened = SampleDataset.open(tmp_path / "toy")
    np.save(tmp_path / "x.npy", features.numpy())
    for dataset in (opened, make(str(tmp_path / "x.npy")), opened.replace(graphs={"ring": opened.graph("a-ring")})):
        data = pickle.dumps(dataset)
        assert len(data) < 50_000 < features.numel() * 4
        same(dataset, pickle.loads(data))
    assert len(pickle.dumps(make(features))) > features.numel() * 4  # in memory there is no path to send
    same(make(features), pickle.loads(pickle.dumps(make(features))))


def test_pickle_finds_its_files_from_another_working_directory(tmp_path, monkeypatch):
    make(records()).save(tmp_path / "toy")
    monkeypatch.chdir(tmp_path)
    data = pickle.dumps(SampleDataset.open("toy"))
    monkeypatch.chdir("/")
    same(make(records()), pickle.loads(data))


def test_mapped_file_needs_float32_without_pickles(tmp_path):
    np.save(tmp_path / "double.npy", np.ones((N, 2)))
    with pytest.raises(ValueError, match="needs float32"):
        make(tmp_path / "double.npy")
    np.save(tmp_path / "object.npy", np.array([{}] * N), allow_pickle=True)
    with pytest.raises(ValueError, match=r"not a plain \.npy array"):
        make(tmp_path / "object.npy")
    with pytest.raises(ValueError, match=r"needs a \.npy or \.parquet file"):
        make(tmp_path / "x.csv")


def test_replace_checks_and_keeps_the_rest():
    dataset = make()
    graph = PretrainGraph([[0], [5]], num_nodes=N)
    other = dataset.replace(graphs={"one": graph})
    assert list(other.graphs) == ["one"] and list(dataset.graphs) == ["line", "a-ring"]
    assert other.tasks == dataset.tasks and other.samples is dataset.samples
    with pytest.raises(ValueError, match="one node per sample"):
        dataset.replace(graphs={"small": PretrainGraph([[0], [1]], num_nodes=2)})
    with pytest.raises(ValueError, match=r'give {"name": graph}'):
        dataset.replace(graphs=graph)
    with pytest.raises(TypeError):
        dataset.graphs["new"] = graph


def test_fingerprint_follows_the_data(tmp_path):
    for name, title in (("a", "one title"), ("b", "another")):
        make(card=Card("toy", title=title)).save(tmp_path / name)
    opened = SampleDataset.open(tmp_path / "a")
    assert opened.fingerprint == SampleDataset.open(tmp_path / "b").fingerprint  # words of the card are no data
    assert make().fingerprint == make().fingerprint != make(torch.zeros(N, 2)).fingerprint
    for part in ({"graphs": {"line": opened.graph("a-ring")}}, {"tasks": {"topic": opened.task("size")}}):
        assert opened.replace(**part).fingerprint not in (opened.fingerprint, opened.replace().fingerprint)
        make(**part).save(tmp_path / "c", overwrite=True)
        assert SampleDataset.open(tmp_path / "c").fingerprint != opened.fingerprint
    assert make(records()).fingerprint != make(records().slice(0, N).set_column(1, "length", [[0] * N])).fingerprint


@pytest.mark.parametrize("file", ["samples.npy", "graphs/line/col.npy", "tasks/topic/labels.npy"])
def test_truncated_and_missing_files_are_named(tmp_path, file):
    make().save(tmp_path / "toy")
    path = tmp_path / "toy" / file
    content = path.read_bytes()
    path.write_bytes(content[:-3])
    with pytest.raises(ValueError, match=f"needs {len(content)} bytes .got {len(content) - 3}.: trunc") as error:
        SampleDataset.open(tmp_path / "toy")
    assert str(path) in str(error.value) and "write it again" in str(error.value)
    path.unlink()
    with pytest.raises(ValueError, match="got no file"):
        SampleDataset.open(tmp_path / "toy")


@pytest.mark.parametrize("file", ["samples.npy", "graphs/line/col.npy", "tasks/topic/task.json", "card.yaml"])
def test_verify_finds_a_changed_byte(tmp_path, file):
    make().save(tmp_path / "toy")
    path = tmp_path / "toy" / file
    rot(path)
    with pytest.raises(ValueError, match=r"needs sha256|does not match its sum|is not what was written"):
        SampleDataset.open(tmp_path / "toy", verify=True)


@pytest.mark.parametrize("file", FILES)
def test_a_bit_that_flips_is_noticed_when_it_is_read(tmp_path, file):
    """What was trained on the old samples would be taken for what is trained on the new ones."""
    make(ids=[f"s{i}" for i in range(N)]).save(tmp_path / "toy")
    path = tmp_path / "toy" / file
    os.utime(path, (1e9, 1e9))  # touched, not changed: its sum still fits
    same(make(), SampleDataset.open(tmp_path / "toy"))
    rot(path)  # size and time stay
    with pytest.raises(
        ValueError, match=r"(needs sha256|match its sum|not valid JSON|is not what was written).*write it again"
    ) as error:
        use(SampleDataset.open(tmp_path / "toy"))
    assert str(path) in str(error.value)


def test_words_of_a_card_may_be_edited_and_nothing_else(tmp_path):
    """The card comes with empty words, which invites to fill them in."""
    make(feature_names=["x\n", "1"]).save(tmp_path / "toy")
    file, fingerprint = tmp_path / "toy" / "card.yaml", make_opened(tmp_path).fingerprint
    text = "# mine\n" + file.read_text().replace("title: ''", "title: Toys").replace("licence: ''", "licence: CC0")
    text = text.replace("about: what it is about", "about: topics")
    file.write_text(text)
    opened = SampleDataset.open(tmp_path / "toy", verify=True)
    assert (opened.card.title, opened.card.licence, opened.card.tasks["topic"].about) == ("Toys", "CC0", "topics")
    assert opened.fingerprint == fingerprint and opened.feature_names == ["x\n", "1"]
    for before, after in (("name: toy", "name: boy"), ("count: 6", "count: 7"), ("- '1'", "- '2'"), ("mae", "mse")):
        assert before in text
        file.write_text(text.replace(before, after))
        with pytest.raises(ValueError, match=r"card.yaml: .* is not what was written"):
            make_opened(tmp_path)
    with pytest.raises(FileExistsError, match=r"card.yaml that was changed .*; move that away"):
        make().save(tmp_path / "toy", overwrite=True)
    file.rename(tmp_path / "kept.yaml")
    with pytest.raises(ValueError, match=r"card.yaml .*got no file.*write it again"):
        make_opened(tmp_path)
    make().save(tmp_path / "toy", overwrite=True)  # the way out works
    assert make_opened(tmp_path).card.title == ""


def make_opened(folder):
    return SampleDataset.open(folder / "toy")


def use(dataset):
    """Touch all of it."""
    dataset.fetch(torch.arange(N)), dataset.ids
    for graph in dataset.graphs.values():
        graph.csr(), graph.edge_weight


def test_a_block_is_checked_when_it_is_touched_and_once(tmp_path):
    make(torch.rand(N, 40_000)).save(tmp_path / "toy")  # some two and a half blocks a row
    opened = SampleDataset.open(tmp_path / "toy")
    rot(tmp_path / "toy" / "samples.npy")  # in the last row
    first = opened.fetch(torch.arange(N - 1))
    with pytest.raises(ValueError, match=r"samples.npy does not match its sum \(bytes \d+ to \d+\)"):
        opened.fetch(torch.tensor([0, N - 1]))
    with pytest.raises(ValueError, match="match its sum"):
        use(pickle.loads(pickle.dumps(opened)))  # a loader's worker checks for itself
    assert torch.equal(first, opened.fetch(torch.arange(N - 1)))


def test_a_graph_of_another_folder_is_noticed(tmp_path):
    make().save(tmp_path / "toy")
    other = PretrainGraph([[0, 1], [2, 3]], num_nodes=N)
    other.save(tmp_path / "other")
    line = tmp_path / "toy" / "graphs" / "line"
    before = {file.name: file.stat().st_size for file in line.iterdir()}
    shutil.rmtree(line)
    shutil.copytree(tmp_path / "other", line)
    assert {file.name: file.stat().st_size for file in line.iterdir()}.keys() <= before.keys()
    with pytest.raises(ValueError, match=r"graphs/line/.*(needs sha256|needs \d+ bytes)"):
        use(SampleDataset.open(tmp_path / "toy"))


def test_folder_without_a_whole_manifest_is_refused(tmp_path):
    make().save(tmp_path / "toy")
    manifest = tmp_path / "toy" / "manifest.json"
    files = json.loads(manifest.read_text())["files"]
    forge(manifest, files={**files, "../secret": {"bytes": 1, "sha256": ""}})
    with pytest.raises(ValueError, match="outside the folder"):
        SampleDataset.open(tmp_path / "toy")
    forge(manifest, files={"card.yaml": files["card.yaml"]})
    with pytest.raises(ValueError, match="no samples"):
        SampleDataset.open(tmp_path / "toy")
    manifest.write_text(manifest.read_text()[:-5])
    with pytest.raises(ValueError, match=r"manifest.json is damaged: not valid JSON"):
        SampleDataset.open(tmp_path / "toy")
    manifest.unlink()
    with pytest.raises(FileNotFoundError, match="not a prepared data set"):
        SampleDataset.open(tmp_path / "toy")


def test_task_that_holds_a_pickle_is_refused(tmp_path):
    make().save(tmp_path / "toy")
    labels = tmp_path / "toy" / "tasks" / "topic" / "labels.npy"
    np.save(labels, np.array([{}] * N), allow_pickle=True)
    manifest = tmp_path / "toy" / "manifest.json"
    files = json.loads(manifest.read_text())["files"]
    entry = {"bytes": labels.stat().st_size, "sha256": sha256(labels)}
    forge(manifest, files={**files, "tasks/topic/labels.npy": entry})
    with pytest.raises(ValueError, match=r"labels\.npy is not a plain \.npy array"):
        SampleDataset.open(tmp_path / "toy")


@pytest.mark.parametrize("text", ["[1, 2]", '{"a":' * 5_000 + "1" + "}" * 5_000, "{}"])
def test_a_task_that_is_no_mapping_is_refused_with_its_file(tmp_path, text):
    make().save(tmp_path / "toy")
    file, manifest = tmp_path / "toy" / "tasks" / "topic" / "task.json", tmp_path / "toy" / "manifest.json"
    file.write_text(text)
    entry = {"bytes": file.stat().st_size, "sha256": sha256(file)}
    forge(manifest, files={**json.loads(manifest.read_text())["files"], "tasks/topic/task.json": entry})
    with pytest.raises(ValueError, match=r"task\.json: not a task"):
        SampleDataset.open(tmp_path / "toy")


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_a_mark_that_is_no_file_is_named(tmp_path, kind):
    make().save(tmp_path / "toy")
    mark = tmp_path / "toy" / "manifest.json"
    mark.unlink()
    mark.mkdir() if kind == "folder" else mark.symlink_to(mark.name)
    with pytest.raises(ValueError, match=r"manifest\.json is no plain file"):
        open_dataset(tmp_path / "toy")


@pytest.mark.parametrize("existing", [False, True])
def test_save_that_fails_leaves_what_was_there(tmp_path, monkeypatch, existing):
    if existing:
        make().save(tmp_path / "toy")

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sigraph.data.dataset.write_task", full_disk)
    with pytest.raises(OSError, match="No space left"):
        make(torch.ones(N, 2)).save(tmp_path / "toy", overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["toy"] * existing
    if existing:
        same(make(), SampleDataset.open(tmp_path / "toy", verify=True))


def test_save_replaces_only_when_told(tmp_path):
    make().save(tmp_path / "toy")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        make(torch.ones(N, 2)).save(tmp_path / "toy")
    same(make(), SampleDataset.open(tmp_path / "toy"))
    make(torch.ones(N, 2)).save(tmp_path / "toy", overwrite=True)
    same(make(torch.ones(N, 2)), SampleDataset.open(tmp_path / "toy"))
    assert [p.name for p in tmp_path.iterdir()] == ["toy"]


# Subsets ##############################################################################################################


def test_a_subset_has_the_samples_asked_for_and_the_edges_among_them():
    part = make().subset(torch.tensor([3, 1, 2, 5]))
    assert part.name == "toy" and not part.tasks and part.card is None
    assert torch.equal(part.samples, make().samples[[3, 1, 2, 5]])
    line, ring = part.graph("line"), part.graph("a-ring")
    # Sample i is ids[i]: the edge (1, 2) of weight 2 is now (1, 2), (2, 3) of weight 0.5 is (0, 2).
    weights = dict(zip(map(tuple, line.edge_index.t().tolist()), line.edge_weight.tolist(), strict=True))
    assert weights == {(1, 2): 2.0, (2, 1): 2.0, (0, 2): 0.5, (2, 0): 0.5}
    assert {(a, b) for a, b in ring.edge_index.t().tolist() if a < b} == {(1, 2), (0, 2)} and ring.edge_weight is None
    assert line.num_nodes == ring.num_nodes == 4


def test_a_subset_agrees_with_the_induced_subgraph():
    generator = torch.Generator().manual_seed(0)
    edges = torch.combinations(torch.arange(50))[torch.randperm(1225, generator=generator)[:300]].t()
    whole = PretrainGraph(edges, 50, group=torch.arange(50) % 3)
    dataset = SampleDataset(torch.randn(50, 2), {"g": whole})
    ids = torch.randperm(50, generator=generator)[:20]
    part = dataset.subset(ids).graph()
    place = {int(node): i for i, node in enumerate(ids)}
    expected = {(place[a], place[b]) for a, b in whole.edge_index.t().tolist() if a in place and b in place}
    assert set(map(tuple, part.edge_index.t().tolist())) == expected and part.num_edges == len(expected)
    assert torch.equal(part.group, whole.group[ids])


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([0, 2, 0], r"'ids' needs each sample once in 'subset' \(got 3 ids of 2 samples\)"),
        ([0, N], rf"'ids' needs sample ids in \[0, {N}\) \(got \[0, {N}\]\)"),
        ([-1], r"'ids' needs sample ids .*got \[-1, -1\]"),
        ([True] * N, "'ids' needs a 1-D tensor of integer sample ids .*bool"),
        (torch.empty(0, dtype=torch.long), "at least one sample"),
    ],
)
def test_a_subset_is_of_samples_each_once(ids, message):
    with pytest.raises(ValueError, match=message):
        make().subset(ids)


def test_a_subset_keeps_what_its_samples_are_called():
    assert make(ids=list("abcdef")).subset([4, 1]).ids.to_pylist() == ["e", "b"] and make().subset([4, 1]).ids is None


def test_a_subset_of_records_and_of_a_mapped_folder_is_in_memory(tmp_path):
    assert make(records()).subset(torch.tensor([4, 0])).fetch(torch.tensor([0]))[0]["text"] == "text 4"
    make().save(tmp_path / "toy")
    part = SampleDataset.open(tmp_path / "toy").subset(torch.tensor([2, 0]))
    again = pickle.loads(pickle.dumps(part))
    assert torch.equal(again.fetch(torch.arange(2)), make().samples[[2, 0]])
    part.samples.add_(1)  # the folder stays
    assert torch.equal(SampleDataset.open(tmp_path / "toy").fetch(torch.arange(N)), make().samples)


def test_a_subset_leaves_the_data_set_alone():
    dataset = make()
    before = dataset.fingerprint
    part = dataset.subset(torch.arange(3))
    part.samples.zero_()
    assert dataset.fingerprint == before and list(dataset.tasks) == ["topic", "size", "tags"]
