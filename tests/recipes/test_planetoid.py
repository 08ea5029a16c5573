"""Planetoid's format on a small fake of it (gaps in test.index, as CiteSeer has), and on Cora where it is at hand."""

import io
import logging
import os
import pickle
from collections import defaultdict
from typing import ClassVar

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from sigraph.recipes.planetoid import read_pickle, read_planetoid

TRAIN, START, CLASSES, CHANNELS = 6, 510, 3, 7
TEST = [515, 511, 516, 510, 513]  # 512 and 514 are left out
N = 517


def one_hot(label):
    return np.eye(CLASSES, dtype=np.int32)[label]


def fake_parts():
    """The content of the eight files, and features and labels as they must come out."""
    random = np.random.default_rng(0)
    features = (random.random((N, CHANNELS)) < 0.4).astype(np.float32)
    label = random.integers(0, CLASSES, N)
    graph = defaultdict(list, {node: [] for node in range(N)})
    for a, b in [(0, 1), (1, 515), (2, 510), (3, 514), (511, 513)]:
        graph[a].append(b)
        graph[b].append(a)
    graph[0] += [1, 0]  # a repeat and a self-loop
    parts = {
        "x": csr_matrix(features[:TRAIN]),
        "y": one_hot(label[:TRAIN]),
        "allx": csr_matrix(features[:START]),
        "ally": one_hot(label[:START]),
        "tx": csr_matrix(features[TEST]),
        "ty": one_hot(label[TEST]),
        "graph": graph,
        "test.index": "".join(f"{node}\n" for node in TEST),
    }
    features[[512, 514]], label[[512, 514]] = 0, -1
    return parts, torch.from_numpy(features), torch.from_numpy(label)


class Python2Pickler(pickle._Pickler):
    """Writes bytes as Python 2 wrote its strings, and the old paths of numpy and scipy."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_bytes(self, value):
        self.write(pickle.BINSTRING + len(value).to_bytes(4, "little") + value)
        self.memoize(value)

    dispatch[bytes] = save_bytes

    @classmethod
    def dumps(cls, value):
        file = io.BytesIO()
        cls(file, protocol=2).dump(value)
        old = file.getvalue().replace(b"scipy.sparse._csr\n", b"scipy.sparse.csr\n")
        return old.replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n")


def write(folder, parts, name="citeseer"):
    """Write the raw files; a part that is bytes is written as it is."""
    files = {}
    for part, content in parts.items():
        path = folder / f"ind.{name}.{part}"
        if isinstance(content, str):
            path.write_text(content)
        else:
            path.write_bytes(content if isinstance(content, bytes) else Python2Pickler.dumps(content))
        files[f"planetoid/CiteSeer/raw/{path.name}"] = path
    return files


def test_fake_is_read_as_stated(tmp_path, caplog):
    parts, features, label = fake_parts()
    with caplog.at_level(logging.INFO, logger="sigraph"):
        dataset = read_planetoid(write(tmp_path, parts), "citeseer")
    assert torch.equal(dataset.samples, features) and dataset.samples.dtype == torch.float
    task = dataset.task("topic")
    assert torch.equal(task.labels, label) and task.labels.dtype == torch.long
    assert task.split["train"].tolist() == list(range(TRAIN))
    assert task.split["valid"].tolist() == list(range(TRAIN, TRAIN + 500))
    assert task.split["test"].tolist() == TEST
    graph = dataset.graph("citation")
    assert graph.num_nodes == N and graph.num_edges == 2 * 5
    assert graph.store.neighbors(514).tolist() == [3]  # a left-out node keeps its edges
    assert "2 nodes after the training ones" in caplog.text and "1 of them have no edge" in caplog.text


def test_row_of_tx_belongs_to_the_id_on_the_same_line(tmp_path):
    parts, features, _ = fake_parts()
    parts["tx"] = csr_matrix(np.arange(1, 6, dtype=np.float32)[:, None] * np.ones(CHANNELS, dtype=np.float32))
    samples = read_planetoid(write(tmp_path, parts), "citeseer").samples
    assert samples[TEST, 0].tolist() == [1, 2, 3, 4, 5]
    assert torch.equal(samples[:START], features[:START])


def test_agrees_with_pyg_where_it_has_labels(tmp_path):
    planetoid = pytest.importorskip("torch_geometric.io.planetoid")
    parts, _, label = fake_parts()
    ours = read_planetoid(write(tmp_path, parts), "citeseer")
    theirs = planetoid.read_planetoid_data(str(tmp_path), "citeseer")
    assert torch.equal(ours.samples, theirs.x)
    assert torch.equal(ours.graph().edge_index, theirs.edge_index[:, theirs.edge_index[0].argsort(stable=True)])
    assert torch.equal(ours.task().labels[label >= 0], theirs.y[label >= 0])
    assert theirs.y[label < 0].tolist() == [0, 0] and ours.task().labels[label < 0].tolist() == [-1, -1]
    for part, mask in (("train", theirs.train_mask), ("valid", theirs.val_mask), ("test", theirs.test_mask)):
        assert ours.task().split[part].sort().values.tolist() == mask.nonzero().view(-1).tolist()


def test_pickles_of_today_are_read_too(tmp_path):
    path = tmp_path / "ind.citeseer.x"
    path.write_bytes(pickle.dumps(csr_matrix(np.eye(3)), protocol=4))
    assert (read_pickle(path) != csr_matrix(np.eye(3))).nnz == 0


class Attack:
    """Unpickled by pickle itself, this makes a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("part", ["x", "ally", "graph"])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_pickle_that_would_run_something_is_refused(tmp_path, part, protocol):
    proof = tmp_path / "ran"
    parts, _, _ = fake_parts()
    parts[part] = pickle.dumps(defaultdict(list, {0: [Attack(proof)]}), protocol=protocol)
    files = write(tmp_path, parts)
    with pytest.raises(ValueError, match=r"holds (posix|nt)\.mkdir") as error:
        read_planetoid(files, "citeseer")
    assert f"ind.citeseer.{part}" in str(error.value) and not proof.exists()
    pickle.loads(parts[part])  # it was a real attack
    assert proof.exists()


@pytest.mark.parametrize("name", ["eval", "getattr", "dict", "__import__"])
def test_no_other_builtin_is_known(tmp_path, name):
    path = tmp_path / "ind.citeseer.x"
    path.write_bytes(f"c__builtin__\n{name}\n.".encode())
    with pytest.raises(ValueError, match=f"holds __builtin__.{name}"):
        read_pickle(path)


def test_damaged_pickle_is_named(tmp_path):
    path = tmp_path / "ind.citeseer.x"
    for content in (b"", b"<html>not found</html>", Python2Pickler.dumps(np.ones(9))[:-20]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"ind\.citeseer\.x is not a readable pickle"):
            read_pickle(path)


def bad_csr():
    matrix = csr_matrix(np.eye(TRAIN, CHANNELS, dtype=np.float32))
    matrix.indices[0] = 10**6  # would write outside the array
    return matrix


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": bad_csr()}, "x needs a valid CSR matrix"),
        ({"allx": np.ones((START, CHANNELS))}, "allx needs a CSR matrix .got ndarray"),
        ({"ally": np.ones((START, CLASSES))}, "ally needs one-hot rows"),
        ({"ty": one_hot([0, 1, 2])}, "differ in length"),
        ({"test.index": "511\n5x\n"}, "test.index, line 2: needs a node id .got '5x'"),
        ({"test.index": "511\n511\n512\n513\n514\n"}, "distinct ids"),
        ({"test.index": "1\n511\n512\n513\n514\n"}, "distinct ids, all >= 510"),
        ({"graph": [[1]]}, "graph needs a dictionary"),
        ({"graph": {0: [1.5]}}, "non-negative integers"),
        ({"graph": {0: [-1]}}, "non-negative integers"),
        ({"y": None}, r"needs ind\.citeseer\.y "),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path, change, message):
    parts, _, _ = fake_parts()
    parts = {part: content for part, content in {**parts, **change}.items() if content is not None}
    with pytest.raises(ValueError, match=message):
        read_planetoid(write(tmp_path, parts), "citeseer")


def test_cora_has_the_published_counts(data_source):
    folder = data_source / "planetoid" / "Cora" / "raw"
    if not folder.is_dir():
        pytest.skip("needs planetoid/Cora/raw in SIGRAPH_DATA_SOURCE")
    dataset = read_planetoid({path.name: path for path in folder.iterdir()}, "cora")
    task, graph = dataset.task("topic"), dataset.graph("citation")
    assert dataset.samples.shape == (2708, 1433) and set(dataset.samples.unique().tolist()) == {0.0, 1.0}
    assert graph.num_edges == 2 * 5278
    assert torch.bincount(task.labels).tolist() == [351, 217, 418, 818, 426, 298, 180]
    assert torch.bincount(task.labels[task.split["train"]]).tolist() == [20] * 7
    row, col = graph.edge_index
    assert (task.labels[row] == task.labels[col]).float().mean().item() == pytest.approx(0.810, abs=5e-4)
