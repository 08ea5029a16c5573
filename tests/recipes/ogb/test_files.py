"""Official files: found where they lie, downloaded once, refused when damaged or old; nobody is asked."""

import ast
import gzip
import logging
import shutil
import threading
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ogb_files import graphs_as_text, write_graphs, write_nodes

import sigraph
from sigraph.cli import main
from sigraph.data.ogb_facts import ogb_facts
from sigraph.recipes import download, open_dataset, prepare
from sigraph.recipes.ogb import files
from sigraph.recipes.ogb.prepare import prepare_ogb


@pytest.fixture
def archive(source, tmp_path, monkeypatch):
    """The archive at its official address, which is a file; nothing lies in the source."""
    folder, *_ = write_graphs(source)
    (folder / "processed").mkdir(exist_ok=True)
    (folder / "processed" / "data_processed").write_bytes(b"what ogb made")
    folder = folder.rename(tmp_path / "hiv")
    made = shutil.make_archive(str(tmp_path / "hiv-archive"), "zip", tmp_path, "hiv")
    facts = replace(ogb_facts("ogbg-molhiv"), url=f"file://{made}")
    monkeypatch.setattr("sigraph.recipes.ogb.prepare.ogb_facts", lambda name: facts)
    return tmp_path / "hiv-archive.zip"


def test_it_is_downloaded_unpacked_and_its_size_is_said(archive, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        folder = prepare("ogbg-molhiv")
    assert "MB to download from file:" in caplog.text and folder == tmp_path / "data" / "prepared" / "ogbg-molhiv"
    raw = tmp_path / "data" / "raw" / "ogb"
    assert sorted(file.name for file in raw.iterdir() if not file.name.startswith(".")) == ["ogbg_molhiv"]
    assert sorted(file.name for file in (raw / "ogbg_molhiv").iterdir()) == [
        "RELEASE_v1.txt",
        "mapping",
        "raw",
        "split",
    ]
    archive.unlink()
    assert prepare("ogbg-molhiv", force=True) == folder  # from what was unpacked
    assert open_dataset("ogbg-molhiv").card.files[0].sha256


class Handler(BaseHTTPRequestHandler):
    """Serves the archive; breaks off after so many bytes, and may not know parts of files."""

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()

    def do_GET(self):
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        self.server.asked.append(start)
        rest = self.server.content[start if self.server.ranges else 0 :]
        self.send_response(206 if start and self.server.ranges else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: self.server.break_after])

    def log_message(self, *_):
        pass


@pytest.mark.enable_socket
@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_goes_on(archive, tmp_path, monkeypatch, ranges):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download, "PIECE", 100)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.content, server.asked, server.ranges, server.break_after = archive.read_bytes(), [], ranges, 1000
        threading.Thread(target=server.serve_forever, daemon=True).start()
        facts = replace(ogb_facts("ogbg-molhiv"), url=f"http://127.0.0.1:{server.server_port}/hiv.zip")
        monkeypatch.setattr("sigraph.recipes.ogb.prepare.ogb_facts", lambda name: facts)
        with pytest.raises(ConnectionError, match="could not download"):
            prepare("ogbg-molhiv")
        server.break_after = None
        assert len(open_dataset("ogbg-molhiv")) == 24
        server.shutdown()
    assert server.asked == ([0, 1000] if ranges else [0, 1000, 0])


@pytest.mark.parametrize("damage", ["cut", "altered"])
def test_a_damaged_archive_is_discarded(archive, tmp_path, damage):
    whole = archive.read_bytes()
    middle = len(whole) // 3
    archive.write_bytes(whole[:-60] if damage == "cut" else whole[:middle] + b"xyz" + whole[middle + 3 :])
    with pytest.raises(ValueError, match=r"downloaded, discarded.*the same command gets it again"):
        prepare("ogbg-molhiv")
    left = [file.name for file in (tmp_path / "data" / "raw" / "ogb").iterdir() if not file.name.endswith(".lock")]
    assert left == []
    archive.write_bytes(whole)
    assert len(open_dataset("ogbg-molhiv")) == 24


def test_a_member_outside_of_the_archive_is_refused(archive, tmp_path):
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr("hiv/raw/../../../../outside.txt", "x")
    with pytest.raises(ValueError, match="outside"):
        prepare("ogbg-molhiv")
    assert not list(tmp_path.rglob("outside.txt"))


def test_no_room_is_said_before_anything_is_downloaded(archive, monkeypatch):
    monkeypatch.setattr(files.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**6, 10**6, 10))
    with pytest.raises(OSError, match=r"needs at least .* MB .*SIGRAPH_DATA"):
        prepare("ogbg-molhiv")


def test_a_failed_download_says_what_to_do(archive):
    archive.unlink()
    with pytest.raises(ConnectionError, match=r"unpack it by hand to .*ogbg_molhiv.*SIGRAPH_DATA_SOURCE"):
        prepare("ogbg-molhiv")


def test_another_release_is_refused_and_a_missing_note_is_said(source, caplog, tmp_path):
    folder, *_ = write_nodes(source)
    (folder / "RELEASE_v1.txt").rename(folder / "RELEASE_v0.txt")
    with pytest.raises(ValueError, match=r"release 0 of ogbn-arxiv, and OGB's current one is 1"):
        prepare("ogbn-arxiv")
    (folder / "RELEASE_v0.txt").unlink()
    with caplog.at_level(logging.WARNING):
        prepare("ogbn-arxiv")
    assert "says no release" in caplog.text


def test_a_prepared_folder_of_an_older_release_is_prepared_anew(source, monkeypatch, tmp_path):
    folder, *_ = write_nodes(source)
    before = prepare("ogbn-arxiv").stat().st_ino
    assert prepare("ogbn-arxiv").stat().st_ino == before
    newer = replace(ogb_facts("ogbn-arxiv"), version=2)
    monkeypatch.setattr("sigraph.recipes.ogb.prepare.ogb_facts", lambda name: newer)
    with pytest.raises(ValueError, match="release 1"):
        prepare_ogb("ogbn-arxiv", tmp_path / "data")
    (folder / "RELEASE_v1.txt").rename(folder / "RELEASE_v2.txt")
    assert prepare_ogb("ogbn-arxiv", tmp_path / "data").stat().st_ino != before


def test_files_without_the_official_split_are_refused(source):
    folder, *_ = write_nodes(source)
    (folder / "split" / "time").rename(folder / "split" / "random")
    with pytest.raises(FileNotFoundError, match="no split/time"):
        prepare("ogbn-arxiv")


@pytest.mark.parametrize("name", ["edge", "node-feat", "graph-label", "num-node-list"])
@pytest.mark.parametrize("damage", ["cut", "text", "rows", "missing"])
def test_damaged_text_files_are_named(source, tmp_path, name, damage):
    folder, graphs, y, split = write_graphs(source)
    folder.rename(source / "binary")
    graphs_as_text(folder, graphs, y, split, "scaffold")
    file = folder / "raw" / f"{name}.csv.gz"
    whole = gzip.decompress(file.read_bytes())
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-9])
    elif damage == "rows":
        file.write_bytes(gzip.compress(b"\n".join(whole.split(b"\n")[:-4]) + b"\n"))
    elif damage == "text":
        file.write_bytes(gzip.compress(b"__import__('os')\n" * whole.count(b"\n")))
    else:
        file.unlink()
    with pytest.raises((ValueError, FileNotFoundError), match=rf"{name}|lists of counts|is none of 21"):
        prepare("ogbg-molhiv")
    assert not list((tmp_path / "data" / "prepared").glob("[!.]*"))


def test_a_damaged_npz_is_named(source):
    folder, *_ = write_nodes(source)
    file = folder / "raw" / "data.npz"
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"data\.npz cannot be unpacked"):
        prepare("ogbn-arxiv")


def test_names_are_known_everywhere(source, capsys):
    with pytest.raises(ValueError, match=r"did you mean 'ogbn-arxiv'"):
        open_dataset("ogbn-arxv")
    assert main(["datasets"]) == 0
    assert "ogbl-ddi" in capsys.readouterr().out


def test_nothing_of_ours_imports_ogb():
    """Its import starts threads that ask the network for its newest version; so do its readers for what they lack."""
    top = Path(sigraph.__file__).parent
    own = [*top.glob("recipes/**/*.py"), *top.glob("leaderboard/*.py"), top / "data" / "ogb_facts.py"]
    for file in own:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.partition(".")[0] for name in names} & {"ogb", "outdated"}, file
