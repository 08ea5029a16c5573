"""prepare: sums and counts are checked before anything is written, and nothing half-written is left."""

import hashlib
import shutil
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml

from sigraph.data.card import Card
from sigraph.data.dataset import SampleDataset
from sigraph.files.atomic import DiskFullError
from sigraph.files.sealed import read_sealed
from sigraph.files.temporary import own_prefix
from sigraph.recipes import download
from sigraph.recipes.prepare import data_root, open_dataset, prepare

RECIPE = """
from pathlib import Path
from typing import ClassVar
import torch
from sigraph.data.dataset import SampleDataset
from sigraph.data.graph import PretrainGraph
from sigraph.tasks.task import Task

def prepare(files, card):
    with (Path(__file__).parent / "runs").open("a") as log:
        log.write("ran ")
    numbers = [float(line) for line in files["toy/numbers.txt"].read_text().split()]
    n = len(numbers)
    graph = PretrainGraph([list(range(n - 1)), list(range(1, n))], num_nodes=n)
    split = {"train": [0], "valid": [1], "test": [2]}
    task = Task("sign", torch.tensor([int(v > 0) for v in numbers]), split)
    return SampleDataset(torch.tensor(numbers).view(-1, 1), {"line": graph}, {"sign": task})
"""
CONTENT = "1\n-2\n3\n-4\n"
SUM = hashlib.sha256(CONTENT.encode()).hexdigest()


class Toy:
    """A data set folder of a user: its card, its recipe, and a 'server' that is a folder."""

    def __init__(self, tmp_path):
        self.folder, self.server = tmp_path / "toy", tmp_path / "server"
        self.folder.mkdir()
        self.server.mkdir()
        self.remote = self.server / "numbers.txt"
        self.remote.write_text(CONTENT)
        (self.folder / "prepare.py").write_text(RECIPE)
        self.card()

    def card(self, sha256=SUM, **samples):
        content = {
            "name": "toy",
            "files": [{"path": "toy/numbers.txt", "url": self.remote.as_uri(), "sha256": sha256}],
            "samples": {"count": 4, "channels": 1, **samples},
            "graphs": {"line": {"num_edges": 3}},
            "tasks": {"sign": {"num_classes": 2, "train": 1, "valid": 1, "test": 1}},
        }
        (self.folder / "card.yaml").write_text(yaml.safe_dump(content))

    def prepare(self, **options):
        return prepare(self.folder, trust_recipe=True, **options)

    @property
    def num_runs(self):
        log = self.folder / "runs"
        return len(log.read_text().split()) if log.exists() else 0

    @property
    def cached(self):
        return data_root() / "raw" / "toy" / "numbers.txt"


@pytest.fixture
def toy(tmp_path, monkeypatch):
    monkeypatch.delenv("SIGRAPH_DATA_SOURCE", raising=False)
    return Toy(tmp_path)


def leftovers():
    """Everything under prepared/ that is not a whole data set."""
    folder = data_root() / "prepared"
    return [p.name for p in folder.iterdir() if not (p / "manifest.json").is_file()] if folder.exists() else []


def prepared():
    folder = data_root() / "prepared"
    return [p.name for p in folder.iterdir()] if folder.exists() else []


def test_download_check_write_open(toy, data_root):
    path = toy.prepare()
    assert path.parent == data_root / "prepared" and not leftovers()
    assert toy.cached.read_text() == CONTENT
    dataset = open_dataset(path)
    assert dataset.name == "toy" and dataset.samples.view(-1).tolist() == [1, -2, 3, -4]
    assert dataset.card.measured["card_sha256"] == Card.read(toy.folder / "card.yaml").digest()
    SampleDataset.open(path, verify=True)


def test_prepared_data_are_not_prepared_again(toy):
    path = toy.prepare()
    toy.remote.unlink()
    toy.cached.unlink()
    assert toy.prepare() == path and toy.num_runs == 1
    assert prepare(toy.folder) == path  # nothing runs, so nothing needs to be trusted
    assert open_dataset(toy.folder).name == "toy"


def test_force_and_a_changed_card_prepare_again(toy):
    toy.prepare()
    toy.prepare(force=True)
    assert toy.num_runs == 2
    (toy.folder / "card.yaml").write_text((toy.folder / "card.yaml").read_text() + "title: new\n")
    path = toy.prepare()
    assert toy.num_runs == 3 and open_dataset(path).card.title == "new" and not leftovers()


def test_source_comes_before_cache_and_download(toy, tmp_path, monkeypatch):
    monkeypatch.setenv("SIGRAPH_DATA_SOURCE", str(tmp_path / "source"))
    toy.card(sha256=None)
    mine, cached = tmp_path / "source" / "toy" / "numbers.txt", toy.cached
    for place, content in ((mine, "1 2 3 4"), (cached, "5 6 7 8")):
        place.parent.mkdir(parents=True)
        place.write_text(content)
    assert open_dataset(toy.prepare()).samples[0].item() == 1
    mine.unlink()
    (data_root() / "known-hashes.json").unlink()
    assert open_dataset(toy.prepare(force=True)).samples[0].item() == 5
    assert cached.read_text() == "5 6 7 8"


@pytest.mark.parametrize("place", ["source", "cache", "download"])
def test_wrong_sum_stops_before_anything_is_written(toy, tmp_path, monkeypatch, place):
    monkeypatch.setenv("SIGRAPH_DATA_SOURCE", str(tmp_path / "source"))
    wrong = {"source": tmp_path / "source" / "toy" / "numbers.txt", "cache": toy.cached, "download": toy.remote}[place]
    wrong.parent.mkdir(parents=True, exist_ok=True)
    wrong.write_text("1 2 3 5")
    with pytest.raises(ValueError) as error:
        toy.prepare()
    said = str(error.value)
    assert SUM in said and hashlib.sha256(b"1 2 3 5").hexdigest() in said
    assert (toy.remote.as_uri() if place == "download" else str(wrong)) in said
    assert not prepared() and toy.num_runs == 0
    assert toy.cached.exists() == (place == "cache")  # a wrong download is not kept


def test_unknown_sum_is_recorded_at_first_use(toy):
    toy.card(sha256=None)
    path = toy.prepare()
    known = read_sealed(data_root() / "known-hashes.json")
    assert known == {path.name: {"toy/numbers.txt": SUM}}
    assert Card.read(path / "card.yaml").files[0].sha256 == SUM
    assert toy.prepare() == path and toy.num_runs == 1
    toy.cached.write_text("9 8 7 6")
    with pytest.raises(ValueError, match=f"needs sha256 {SUM}, recorded in known-hashes.json"):
        toy.prepare(force=True)
    assert open_dataset(path).samples[0].item() == 1


@pytest.mark.parametrize("change", [("numbers.txt", "nombres.txt"), (SUM, 64 * "0"), ("{", "["), ("", "")])
def test_an_altered_list_of_sums_is_not_trusted(toy, change):
    """Were a name in it another one, the file of that name would be taken as it is."""
    toy.card(sha256=None)
    toy.prepare()
    known = data_root() / "known-hashes.json"
    known.write_text(known.read_text().replace(*change) if change[0] else "[" * 100_000)
    with pytest.raises(ValueError, match=r"known-hashes\.json is not the list of sums.*remove it") as error:
        toy.prepare(force=True)
    assert "\n" not in str(error.value)
    known.unlink()
    toy.prepare(force=True)
    assert known.is_file()


@pytest.mark.parametrize("sha256", [SUM, None])
def test_wrong_counts_leave_nothing(toy, sha256):
    toy.card(sha256=sha256, count=5, channels=2)
    with pytest.raises(ValueError) as error:
        toy.prepare()
    assert "samples.count 4 (card: 5); samples.channels 1 (card: 2)" in str(error.value)
    assert not prepared() and not (data_root() / "known-hashes.json").exists()
    assert toy.cached.exists() == (sha256 is not None)  # an unverified download could be an error page


def test_other_graphs_and_tasks_than_on_the_card_are_refused(toy):
    card = (toy.folder / "card.yaml").read_text()
    (toy.folder / "card.yaml").write_text(card.replace("line:", "ring:").replace("train: 1", "train: 2"))
    with pytest.raises(ValueError, match=r"graphs \['line'\] \(card: \['ring'\]\); tasks.sign.train 1 \(card: 2\)"):
        toy.prepare()


def test_failed_download_says_what_to_do(toy):
    toy.remote.unlink()
    with pytest.raises(ConnectionError) as error:
        toy.prepare()
    for word in (toy.remote.as_uri(), str(toy.cached), "toy/numbers.txt", "SIGRAPH_DATA_SOURCE"):
        assert word in str(error.value)
    assert not prepared() and not [*toy.cached.parent.glob("numbers*")]


class Handler(BaseHTTPRequestHandler):
    """Sends CONTENT, or what is left of it from where it is asked for, and breaks off where it is told to."""

    def do_GET(self):
        server = self.server
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        server.asked.append(start)
        if start >= len(CONTENT):
            self.send_error(416)
            return
        start = start if server.ranges else 0
        rest = CONTENT.encode()[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: server.break_after])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(toy, monkeypatch):
    """The toy's file on a server of this machine."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download, "PIECE", 1)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.ranges, server.break_after = [], True, None
        threading.Thread(target=server.serve_forever, daemon=True).start()
        toy.remote = SimpleNamespace(as_uri=lambda: f"http://127.0.0.1:{server.server_port}/numbers.txt")
        toy.card()
        yield server
        server.shutdown()


@pytest.mark.enable_socket
@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_goes_on(toy, server, ranges):
    server.break_after, server.ranges = 5, ranges
    with pytest.raises(ConnectionError, match="could not download"):
        toy.prepare()
    assert not toy.cached.exists() and not prepared()
    server.break_after = None
    assert open_dataset(toy.prepare()).samples.view(-1).tolist() == [1, -2, 3, -4]
    assert server.asked == ([0, 5] if ranges else [0, 5, 0])  # a server that sends all of it is asked afresh
    assert toy.cached.read_text() == CONTENT and not [*toy.cached.parent.glob("*.part")]


@pytest.mark.enable_socket
def test_what_came_of_another_file_is_not_gone_on_with(toy, server):
    part = toy.cached.with_name("numbers.txt.part")
    part.parent.mkdir(parents=True)
    for content, asked in (("xx", [2, 0]), (f"{CONTENT} and more", [19, 0])):
        part.write_text(content)
        toy.prepare(force=True)
        assert server.asked == asked and toy.cached.read_text() == CONTENT
        toy.cached.unlink()
        server.asked.clear()
    part.write_text(CONTENT)  # killed before its sum was taken
    toy.prepare(force=True)
    assert server.asked == [len(CONTENT)] and toy.cached.read_text() == CONTENT


@pytest.mark.enable_socket
def test_without_a_sum_a_download_starts_afresh(toy, server):
    toy.card(sha256=None)
    server.break_after = 5
    with pytest.raises(ConnectionError, match="could not download"):
        toy.prepare()
    server.break_after = None
    toy.prepare()
    assert server.asked == [0, 0] and toy.cached.read_text() == CONTENT


@pytest.mark.enable_socket
def test_a_server_that_refuses_is_a_failed_download(toy, server):
    toy.card(sha256=None)
    toy.remote = SimpleNamespace(as_uri=lambda: f"http://127.0.0.1:{server.server_port + 1}/numbers.txt")
    toy.card()
    with pytest.raises(ConnectionError, match=r"could not download.*SIGRAPH_DATA_SOURCE"):
        toy.prepare()
    assert not [*toy.cached.parent.glob("*.part")]


def test_a_full_disk_is_no_failed_download(toy, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(DiskFullError) as error:
        toy.prepare()
    assert error.value.filename == str(toy.cached) and not [*toy.cached.parent.glob("numbers*")]


def test_what_a_killed_preparation_left_is_removed(toy):
    path = toy.prepare()
    dead = own_prefix(path).rsplit("-", 2)[0] + f"-{2**22 + 1}-abcdefgh"
    (path.parent / dead / "toy").mkdir(parents=True)
    toy.prepare(force=True)
    assert not leftovers()


def test_recipe_of_a_stranger_runs_only_when_trusted(toy):
    with pytest.raises(ValueError, match=r"`sigraph prepare .* --trust-recipe`, or trust_recipe=True"):
        prepare(toy.folder)
    with pytest.raises(ValueError, match=r"`sigraph prepare .* --trust-recipe`, or trust_recipe=True"):
        open_dataset(str(toy.folder))
    assert toy.num_runs == 0 and not toy.cached.exists()


def test_folders_of_the_same_name_do_not_meet(toy, tmp_path):
    path = toy.prepare()
    (tmp_path / "elsewhere").mkdir()
    twin = toy.folder.rename(tmp_path / "elsewhere" / "toy")
    assert prepare(twin, trust_recipe=True) != path


@pytest.mark.parametrize("recipe", ["x = 1", "def prepare(files, card):\n    return 3"])
def test_recipe_that_gives_no_data_set_is_refused(toy, recipe):
    (toy.folder / "prepare.py").write_text(recipe)
    with pytest.raises(ValueError, match=r"needs (a function 'prepare|to return a SampleDataset)"):
        toy.prepare()
    assert not prepared()


def test_truncated_folder_is_an_error_until_forced(toy):
    path = toy.prepare()
    (path / "samples.npy").write_bytes(b"")
    for attempt in (toy.prepare, lambda: open_dataset(toy.folder)):
        with pytest.raises(ValueError, match=r"truncated or tampered; run `sigraph prepare .*") as error:
            attempt()
        assert str(error.value).endswith(f"`sigraph prepare {toy.folder} --force --trust-recipe`")
    with pytest.raises(ValueError, match="truncated or tampered; write it again"):
        open_dataset(path)
    assert len(open_dataset(toy.prepare(force=True))) == 4 and not leftovers()
    (path / "manifest.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"remove it and run .* --force"):
        toy.prepare()
    with pytest.raises(FileExistsError, match="is no prepared data set of sigraph, so it is not replaced"):
        toy.prepare(force=True)
    assert (path / "samples.npy").is_file()
    shutil.rmtree(path)
    assert len(open_dataset(toy.prepare(force=True))) == 4 and not leftovers()


def test_failure_while_writing_leaves_the_old_folder(toy, monkeypatch):
    path = toy.prepare()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sigraph.data.dataset.write_manifest", full_disk)
    with pytest.raises(OSError, match="No space"):
        toy.prepare(force=True)
    assert prepared() == [path.name] and len(open_dataset(path)) == 4


@pytest.mark.parametrize("existing", [False, True])
def test_slower_of_two_processes_keeps_what_the_faster_wrote(toy, monkeypatch, existing):
    if existing:
        toy.prepare()
    save = SampleDataset.save

    def save_after_another(self, path, overwrite=False):
        save(self, path, overwrite)
        target = Path(path).parent.parent / Path(path).name
        other = SampleDataset(torch.full((4, 1), 7.0), self.graphs, self.tasks, card=self.card)
        save(other, target, overwrite=True)

    monkeypatch.setattr(SampleDataset, "save", save_after_another)
    path = toy.prepare(force=existing)
    assert open_dataset(path).samples[0].item() == 7 and prepared() == [path.name]


def test_many_at_once_agree(toy):
    barrier, errors = threading.Barrier(4), []

    def work(force):
        try:
            barrier.wait()
            SampleDataset.open(toy.prepare(force=force), verify=True)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(False,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and len(prepared()) == 1 and not leftovers()


def test_names_come_before_folders(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cora").mkdir()
    (tmp_path / "manifold-torus").mkdir()
    assert open_dataset("manifold-torus").in_channels == 400
    assert prepare("manifold-torus") == data_root() / "prepared" / "manifold-torus"
    with pytest.raises(FileNotFoundError, match=r"holds no card\.yaml"):
        prepare(Path("manifold-torus"))
    with pytest.raises(ValueError, match=r"unknown data set 'coro'.*did you mean 'cora'.*manifold-torus"):
        open_dataset("coro")


def test_a_data_set_that_is_not_found_says_where_a_folder_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = rf"in the current directory, {tmp_path}$"
    for name, said in (
        (
            "coro",
            rf"unknown data set 'coro' \(did you mean 'cora'\?\); there are: .*; and there is no folder 'coro' {here}",
        ),
        ("own/papers", rf"unknown data set 'own/papers'; there are: .*; and there is no folder 'own/papers' {here}"),
        ("prepared/cora", rf"did you mean 'cora'.* no folder 'prepared/cora' {here}"),
        (str(tmp_path / "gone"), rf"there are: .*, cora, .*; and there is no folder '{tmp_path}/gone'$"),
        (tmp_path / "gone", "there is no folder '.*gone'$"),
    ):
        for find in (open_dataset, prepare):
            with pytest.raises(ValueError, match=said):
                find(name)
    (tmp_path / "papers.csv").write_text("id\n")
    with pytest.raises(
        ValueError, match=r"'papers.csv' is a file; tables become a data set by `sigraph prepare --samples"
    ):
        open_dataset("papers.csv")


def test_a_folder_of_the_shipped_ones_is_trusted():
    module = sys.modules["sigraph.recipes.prepare"]
    assert prepare(module.shipped_folder() / "manifold-torus").name == "manifold-torus"


def test_recipes_leave_no_bytecode(toy):
    toy.prepare()
    assert sorted(p.name for p in toy.folder.iterdir()) == ["card.yaml", "prepare.py", "runs"]


def test_data_root_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("SIGRAPH_DATA", str(tmp_path))
    assert data_root() == tmp_path
    monkeypatch.delenv("SIGRAPH_DATA")
    assert data_root() == Path("~/.cache/sigraph").expanduser()


def test_a_prepared_folder_of_ones_own_is_not_to_prepare(tmp_path):
    SampleDataset(torch.eye(3)).save(tmp_path / "mine")
    with pytest.raises(ValueError, match=r"is prepared already; .* `sigraph prepare --samples ... --out"):
        prepare(tmp_path / "mine")
