"""What was read or learned is kept: found again by what it was made of, made again if damaged, never in the way."""

import errno
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from token_cases import listed, saved

import sigraph.readers.kept as kept
from sigraph.config import config_from_dict
from sigraph.experiment import run
from sigraph.files.ownership import HEADER
from sigraph.readers import HuggingFaceTokens
from sigraph.samples import TokenSequences

TEXTS = [f"the cell number{i} binds a receptor" for i in range(40)]
RECORDS = pa.table({"text": TEXTS})


@pytest.fixture(autouse=True)
def keeps_few(monkeypatch):
    monkeypatch.setattr("sigraph.readers.hugging_face_tokens.KEPT_FROM", 100)


@pytest.fixture
def folders(data_root):
    """The folders that hold samples, and those that hold what was learned."""

    def found(of_samples=True):
        every = [one for one in (data_root / "read").iterdir() if not one.name.startswith(".")]
        return sorted(one for one in every if (one / "samples.arrow").is_file() is of_samples)

    return found


def fitted(records=RECORDS, **settings):
    reader = HuggingFaceTokens(**{"train": {"vocab_size": 60}, **settings})
    reader.fit(records)
    return reader


def nothing_is_done_again(patch):
    """Whatever would tokenise, open a checkpoint or train fails the test."""
    for name in ("trained", "opened"):
        patch.setattr(f"sigraph.readers.hugging_face_tokens.{name}", lambda *_: pytest.fail("learned again"))
    patch.setattr(HuggingFaceTokens, "_encoded", lambda *_: pytest.fail("tokenised again"))


@pytest.mark.parametrize("units", [False, True])
@pytest.mark.parametrize("how", ["trained", "checkpoint"])
def test_tokens_are_mapped_the_second_time_and_nothing_is_done_again(how, units, tmp_path, monkeypatch, folders):
    given = {"units": units, "max_length": 5}
    if how == "checkpoint":
        given |= {"checkpoint": saved(tmp_path / "model"), "train": None}
    monkeypatch.setattr("sigraph.readers.hugging_face_tokens.KEPT_FROM", 1 << 40)
    plain = fitted(**given)
    expected, state, note = plain.read(RECORDS), plain.state(), plain.note(RECORDS)
    assert not (Path(os.environ["SIGRAPH_DATA"]) / "read").exists()
    monkeypatch.setattr("sigraph.readers.hugging_face_tokens.KEPT_FROM", 100)
    for attempt in range(2):
        with monkeypatch.context() as patch:
            if attempt:
                nothing_is_done_again(patch)
            again = fitted(**given)
            samples = again.read(RECORDS)
            assert again.state() == state and again.note(RECORDS) == note != ""
            assert samples.table.equals(expected.table, check_metadata=True) and samples.digest() == expected.digest()
            assert dict(samples.sizes) == dict(expected.sizes)
        assert len(folders()) == len(folders(of_samples=False)) == 1
    if how == "checkpoint":
        expected_rows = [[2, 5, 6, 1, 3]] * 40
        assert listed(samples.fetch(torch.arange(40))) == expected_rows


def test_other_data_settings_and_tokenizers_are_read_anew(tmp_path, folders):
    first = fitted()
    digests = {first.read(RECORDS).digest()}
    others = [
        (fitted(max_length=4), RECORDS),
        (fitted(max_length=4, truncate="left"), RECORDS),
        (fitted(units=True), RECORDS),
        (fitted(train={"vocab_size": 70}), RECORDS),
        (fitted(train=None, checkpoint=saved(tmp_path / "model")), RECORDS),
        (first, pa.table({"text": [*TEXTS[:-1], "the cell"]})),
        (first, RECORDS.slice(1)),
    ]
    for number, (reader, records) in enumerate(others, 2):
        digests.add(reader.read(records).digest())
        assert len(digests) == len(folders()) == number
    wider = pa.table({"number": range(40), "text": TEXTS})
    assert first.read(wider).digest() in digests and len(folders()) == len(digests)  # other columns do not matter


def test_a_checkpoint_of_another_content_in_the_same_folder_is_opened_anew(tmp_path):
    before = fitted(train=None, checkpoint=saved(tmp_path)).read(RECORDS)
    after = fitted(train=None, checkpoint=saved(tmp_path, more=["number3"])).read(RECORDS)
    assert before.sizes["num_tokens"] == 10 and after.sizes["num_tokens"] == 11
    assert before.digest() != after.digest()
    (tmp_path / "model.safetensors").write_bytes(b"weights")  # shape no tokens
    assert fitted(train=None, checkpoint=str(tmp_path)).read(RECORDS).digest() == after.digest()


@pytest.mark.parametrize("name", ["tokenizers", "transformers", "sigraph"])
def test_another_version_is_read_anew(name, tmp_path, monkeypatch, folders):
    checkpoint = saved(tmp_path)
    digest = fitted(train=None, checkpoint=checkpoint).read(RECORDS).digest()
    if name == "sigraph":
        monkeypatch.setattr("sigraph.readers.hugging_face_tokens.__version__", "99")
    else:
        own = {"tokenizers": "99", "transformers": "99"}
        monkeypatch.setattr(
            "sigraph.readers.hugging_face_tokens.version", lambda asked: own[name] if asked == name else "1"
        )
    assert fitted(train=None, checkpoint=checkpoint).read(RECORDS).digest() == digest
    assert len(folders(of_samples=False)) == 2 and len(folders()) == 2


def test_changed_texts_change_what_a_run_reads(tmp_path):
    """The same name and path, other texts: other figures, though all is kept."""
    import text_run

    dataset = text_run.dataset()
    settings = text_run.settings(tmp_path, seeds=[0], finetune=[])
    settings["pretrain"]["reader"] = {"_target_": "sigraph.readers.HuggingFaceTokens", "train": {"vocab_size": 80}}
    found = []
    for change in (str, str, str.swapcase, lambda text: text.replace("protein", "star")):
        texts = [change(text) for text in dataset.records.column("text").to_pylist()]
        other = type(dataset)(pa.table({"text": texts}), dataset.graphs, dataset.tasks, name="papers")
        other.save(tmp_path / "papers", overwrite=True)
        (record,) = run(config_from_dict(settings)).records
        found.append((record["pretrain"]["data"], record["pretrain"]["validation"][-1]))
    assert found[0] == found[1] and found[3] != found[0] != found[2]


@pytest.mark.parametrize("harm", ["altered", "cut", "gone", "header", "headless", "sums"])
def test_what_is_damaged_is_read_again_and_written_again(harm, folders, caplog):
    digest = fitted().read(RECORDS).digest()
    (folder,) = folders()
    file = folder / {"header": HEADER, "headless": HEADER, "sums": "blocks.sums"}.get(harm, "samples.arrow")
    data = bytearray(file.read_bytes())
    if harm in ("gone", "headless"):
        file.unlink()
    elif harm == "cut":
        file.write_bytes(data[: len(data) // 2])
    elif harm == "sums":
        file.write_bytes(b"more")
    else:
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    assert fitted().read(RECORDS).digest() == digest and ("read again" in caplog.text) is (harm != "headless")
    caplog.clear()
    assert fitted().read(RECORDS).digest() == digest and not caplog.text and file.is_file()


def test_a_folder_of_others_stays(folders, caplog):
    fitted().read(RECORDS)
    (folder,) = folders()
    (folder / HEADER).unlink()
    (folder / "thesis.txt").write_text("mine")
    assert len(fitted().read(RECORDS)) == 40 and "is not kept" in caplog.text
    assert (folder / "thesis.txt").read_text() == "mine"


def test_what_was_learned_and_damaged_is_learned_again(folders, caplog):
    state = fitted().state()
    (folder,) = folders(of_samples=False)
    header = json.loads((folder / HEADER).read_text())
    header["learnt"]["special"]["mask"] = 7
    (folder / HEADER).write_text(json.dumps(header))
    assert fitted().state() == state and "read again" in caplog.text
    caplog.clear()
    assert fitted().state() == state and not caplog.text


def test_a_file_in_the_way_is_said_and_stops_nothing(data_root, caplog):
    (data_root / "read").write_text("a file")
    assert len(fitted().read(RECORDS)) == 40 and "is not kept" in caplog.text


def test_a_full_disk_is_said_and_stops_nothing(folders, caplog):
    """No file may grow beyond a few bytes: nothing is left of what was begun."""
    reader = fitted()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
    try:
        samples = reader.read(RECORDS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(samples) == 40 and "is not kept" in caplog.text and not folders()
    assert reader.read(RECORDS).digest() == samples.digest() and len(folders()) == 1


def test_a_folder_that_cannot_be_written_stops_nothing(monkeypatch, caplog):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system", "read")

    monkeypatch.setattr(kept, "atomic_folder", refuse)
    assert len(fitted().read(RECORDS)) == 40 and "Read-only file system" in caplog.text


_PROCESS = """
import sys, time
import pyarrow as pa
import sigraph.readers.hugging_face_tokens as module
from sigraph.readers import HuggingFaceTokens
module.KEPT_FROM = 100
records = pa.table({"text": [f"the cell number{i} binds a receptor" for i in range(3000)]})
while time.time() < float(sys.argv[1]):
    pass
for _ in range(5):
    reader = HuggingFaceTokens(train={"vocab_size": 60})
    reader.fit(records)
    print(reader.read(records).digest())
"""


def test_processes_that_read_the_same_at_once_read_the_same(folders):
    start = str(time.time() + 6)
    command = [sys.executable, "-c", _PROCESS, start]
    several = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [one.communicate(timeout=120) for one in several]
    assert [one.returncode for one in several] == [0, 0, 0], said
    assert len({line for out, _ in said for line in out.split()}) == 1
    assert len(folders()) == len(folders(of_samples=False)) == 1


def test_opening_again_takes_a_tenth_of_a_second():
    """Of as many titles as a data set of papers has."""
    records = pa.table({"text": [f"paper {i} on the cell and receptor {i % 97}" for i in range(30_000)]})
    reader = fitted(records)
    assert isinstance(reader.read(records), TokenSequences)
    took = []
    for _ in range(3):
        start = time.perf_counter()
        fitted(records).read(records)
        took.append(time.perf_counter() - start)
    assert min(took) < 0.1
