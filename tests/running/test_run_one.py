"""One run: where it lies, who holds it, what is found again and what never is."""

import contextlib
import errno
import os
import resource
import signal
import socket

import pytest
import yaml
from safetensors.torch import load_file

from sigraph.cli import main
from sigraph.config import config_from_dict, provenance
from sigraph.config.provenance import commit
from sigraph.data import SampleDataset
from sigraph.experiment import run
from sigraph.files.sealed import read_sealed, write_sealed
from sigraph.leaderboard import Leaderboard
from sigraph.leaderboard.result_files import ENCODER
from sigraph.machines.trainer import TimeIsUp
from sigraph.running import fitting, found, stages
from sigraph.running import run_one as module
from sigraph.running.progress import Progress
from sigraph.running.run_one import HOLDER, SETTINGS, Busy, held, pretrain_folder, run_folder, run_one
from sigraph.tasks import Task

KEPT = ("commit", "device", "wall_seconds", "peak_memory_mb", "versions")


def one(toy, arm="sipt", seed=0, **more):
    config = config_from_dict(toy)
    return run_one(config, config.arm(arm), seed, Progress(), **more)


@pytest.fixture
def fits(monkeypatch):
    """Epochs of every pre-training that starts."""
    started, original = [], fitting.quiet_trainer
    monkeypatch.setattr(fitting, "quiet_trainer", lambda **o: started.append(o["max_epochs"]) or original(**o))
    return started


# Folders and hashes ###################################################################################################


def backwards(tree):
    """The same settings, every mapping written the other way round."""
    if isinstance(tree, dict):
        return {key: backwards(tree[key]) for key in reversed(tree)}
    return [backwards(item) for item in tree] if isinstance(tree, list) else tree


def test_the_folder_does_not_depend_on_the_order_of_keys(toy):
    toy["arms"]["sipt-more"] = {"pretrain.batch_size": 10, "pretrain.graph.drop": 0.1, "finetune.0.k": 3}
    one, two = config_from_dict(toy), config_from_dict(backwards(toy))
    for name in toy["arms"]:
        assert run_folder(one, one.arm(name), 0) == run_folder(two, two.arm(name), 0)
        assert pretrain_folder(one, one.arm(name), 0) == pretrain_folder(two, two.arm(name), 0)


@pytest.mark.parametrize(
    ("change", "pretrains_the_same"),
    [
        ({"pretrain.batch_size": 10}, False),
        ({"pretrain.encoder.dropout": 0.4}, False),
        ({"pretrain.inductive": True}, False),
        ({"pretrain.optimizer.lr": 0.5}, False),
        ({"finetune.0.max_epochs": 5}, True),
        ({"finetune.0.optimizer.lr": 0.5}, True),
        ({"finetune.0.head": "knn"}, True),
    ],
)
def test_a_changed_setting_is_another_run(toy, change, pretrains_the_same):
    toy["arms"]["other"] = change
    config = config_from_dict(toy)
    base, other = config.arm("sipt"), config.arm("other")
    assert run_folder(config, base, 0).parent.name != run_folder(config, other, 0).parent.name
    assert (pretrain_folder(config, base, 0) == pretrain_folder(config, other, 0)) is pretrains_the_same


def test_what_shapes_no_result_is_no_part_of_the_folder(toy):
    config = config_from_dict(toy)
    folder = run_folder(config, config.arm("sipt"), 1)
    toy["pretrain"] |= {"num_workers": 2, "valid_every": 1}
    changed = config_from_dict({**toy, "question": "?", "seeds": [1], "arms": {"sipt": {}}, "baseline": None})
    assert run_folder(changed, changed.arm("sipt"), 1) == folder


# Found again, or not ##################################################################################################


def test_a_found_run_keeps_how_it_came_about(toy, monkeypatch):
    first = one(toy)
    monkeypatch.setattr(module, "environment", lambda accelerator: dict.fromkeys(KEPT[1:], "of the second call"))
    again = one(toy)
    assert {key: again[key] for key in KEPT} == {key: first[key] for key in KEPT} and again == {**first, "found": True}


def test_the_baseline_it_is_compared_with_is_always_the_latest(toy):
    one(toy, about={"baseline": "a", "baseline_hash": "1"})
    again = one(toy, about={"baseline": "b", "baseline_hash": "2"})
    config = config_from_dict(toy)
    kept = read_sealed(run_folder(config, config.arm("sipt"), 0) / "results.json")
    assert {**kept, "found": True} == again and kept["baseline"] == "b"


def test_a_further_task_is_a_run_with_its_own_circumstances(toy, monkeypatch):
    first = one(toy)
    toy["finetune"].append({"task": "size", "head": "linear", "max_epochs": 2})
    monkeypatch.setattr(stages, "commit", lambda: "another commit")
    again = one(toy)
    assert again["hash"] != first["hash"] and again["commit"] == f"{first['commit'] or 'unknown'} + another commit"
    assert again["tasks"][0] == first["tasks"][0] and again["pretrain"] == first["pretrain"]


def test_a_failed_run_is_tried_again_and_says_so_until_it_works(toy, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(module, "finetune_stage", lambda *a, **o: (_ for _ in ()).throw(MemoryError("too big")))
        failed = one(toy)
    assert (failed["status"], failed["reason"], failed["tasks"]) == ("failed", "MemoryError: too big", [])
    config = config_from_dict(toy)
    folder = run_folder(config, config.arm("sipt"), 0)
    assert read_sealed(folder / "results.json") == failed and not (folder / ENCODER).exists()
    assert failed["traceback"].startswith("Traceback") and failed["commit"] == commit()
    record = one(toy)
    assert record["status"] == "ok" and record["reason"] is None and (folder / ENCODER).is_file()
    assert "traceback" not in record and "found" not in record


@pytest.mark.parametrize("text", ["{", "[]", "", "0.9"])
def test_a_damaged_result_is_made_again_from_the_stages(toy, text, caplog, fits):
    first = one(toy)
    config = config_from_dict(toy)
    file = run_folder(config, config.arm("sipt"), 0) / "results.json"
    test = repr(first["tasks"][0]["test"])
    file.write_text(file.read_text().replace(test, text) if text == "0.9" else text)
    again = one(toy)
    (said,) = caplog.records
    assert "is damaged" in said.message and str(file) in said.message and "it is made again" in said.message
    assert (again["tasks"], again["pretrain"]) == (first["tasks"], first["pretrain"]) and len(fits) == 1
    assert read_sealed(file) == again


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 1}, "'seed' is 1, not 0"),
        ({"arm": "objective-only"}, "'arm' is 'objective-only', not 'sipt'"),
        ({"hash": "0"}, "'hash' is '0', not"),
        ({"wall_seconds": "x"}, "'wall_seconds' needs a number >= 0 (got 'x')"),
        ({"tasks": [1]}, "'tasks.0' needs a mapping (got 1)"),
    ],
)
def test_a_result_of_another_run_is_made_again(toy, change, said, caplog):
    first = one(toy)
    config = config_from_dict(toy)
    file = run_folder(config, config.arm("sipt"), 0) / "results.json"
    write_sealed(file, {**first, **change})
    again = one(toy)
    assert said in caplog.text and "found" not in again and again["tasks"] == first["tasks"]
    assert read_sealed(file) == again


def test_a_failure_that_no_file_could_hold_is_kept(toy, monkeypatch):
    """Names of files may hold halves of characters, and errors name files."""
    monkeypatch.setattr(module, "finetune_stage", lambda *a, **o: (_ for _ in ()).throw(OSError("caf\udce9.csv")))
    failed = one(toy)
    config = config_from_dict(toy)
    assert read_sealed(run_folder(config, config.arm("sipt"), 0) / "results.json") == failed
    assert failed["reason"] == "OSError: caf\\udce9.csv"
    (row,) = Leaderboard.from_folder(config.output_dir).rows()
    assert row["status"] == "1 failed: OSError: caf\\udce9.csv"


def test_a_full_disk_ends_everything_and_says_where(toy, monkeypatch):
    """It would fail every further run after as much training."""
    error = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(module, "finetune_stage", lambda *a, **o: (_ for _ in ()).throw(error))
    config = config_from_dict(toy)
    with pytest.raises(OSError, match=r"make room, the same command resumes.*_pretrain") as caught:
        run(config)
    assert caught.value.errno == errno.ENOSPC and caught.value.__cause__ is error
    assert not list(run_folder(config, config.arm("sipt"), 0).glob("results.json"))


def test_no_room_to_say_who_holds_a_run_is_said_with_its_name(tmp_path):
    """By a limit on the size of files, in a process of its own."""
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        try:
            with held(tmp_path):
                pass
        except OSError as error:
            os._exit(3 if HOLDER in str(error) and "make room" in str(error) else 4)
        finally:
            os._exit(5)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3 and not (tmp_path / HOLDER).exists()


def relabelled(dataset):
    task = dataset.task("block")
    return {**dataset.tasks, "block": Task("block", 1 - task.labels, task.split)}


def test_changed_data_run_again_and_stand_in_a_row_of_their_own(toy, toy_dataset, tmp_path, fits):
    before = run(config_from_dict(toy), only=[("sipt", 0), ("sipt", 1)]).records
    toy_dataset.replace(tasks=relabelled(toy_dataset)).save(tmp_path / "toy", overwrite=True)
    fits.clear()
    (after,) = run(config_from_dict(toy), only=[("sipt", 0)]).records
    assert fits == [2] and after["data"] != before[0]["data"] and after["hash"] == before[0]["hash"]
    assert after["data"] == after["pretrain"]["data"] == after["tasks"][0]["data"]
    rows = Leaderboard.from_folder(tmp_path / "runs").rows()
    assert sorted((row["n"], row["data"]) for row in rows) == sorted((1, r["data"]) for r in (after, before[1]))
    assert all("data" in row["status"] for row in rows if row["data"] == before[1]["data"])


def test_labels_changed_elsewhere_are_scored_again_and_nothing_is_pretrained(toy, toy_dataset, tmp_path, fits):
    toy_dataset.save(tmp_path / "elsewhere")
    toy["finetune"][0] |= {"dataset": str(tmp_path / "elsewhere"), "head": "knn"}
    before = one(toy)
    toy_dataset.replace(tasks=relabelled(toy_dataset)).save(tmp_path / "elsewhere", overwrite=True)
    fits.clear()
    after = one(toy)
    assert fits == [] and after["pretrain"] == before["pretrain"]
    assert after["tasks"][0]["data"] != before["tasks"][0]["data"]


def test_an_encoder_of_other_data_is_scored_again_on_a_task_elsewhere(toy, toy_dataset, tmp_path):
    toy_dataset.save(tmp_path / "elsewhere")
    toy["finetune"][0] |= {"dataset": str(tmp_path / "elsewhere"), "task": "size"}
    before = one(toy)
    other = SampleDataset(-3 * toy_dataset.samples + 1, toy_dataset.graphs, toy_dataset.tasks, name="toy")
    other.save(tmp_path / "toy", overwrite=True)
    found = one(toy)
    clean = one({**toy, "output_dir": str(tmp_path / "clean")})
    same = ("valid", "test", "best_epoch")
    assert [found["tasks"][0][key] for key in same] == [clean["tasks"][0][key] for key in same]
    assert found["pretrain"]["data"] != before["pretrain"]["data"]
    assert [found["tasks"][0][key] for key in same] != [before["tasks"][0][key] for key in same]


def test_a_task_elsewhere_is_taken_from_there_even_under_the_same_name(toy, toy_dataset, tmp_path, monkeypatch):
    """Names of data sets are not unique: a copy with another graph keeps its card's name."""
    toy["finetune"][0]["head"] = "knn"
    before = one(toy)
    toy_dataset.replace(tasks=relabelled(toy_dataset)).save(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy").rename(tmp_path / "pretraining")
    (tmp_path / "elsewhere").rename(tmp_path / "toy")
    toy["pretrain"]["dataset"] = str(tmp_path / "pretraining")
    toy["finetune"][0]["dataset"] = "toy"  # a folder here, and the name of the pre-training's data set
    after = one(toy)
    assert after["tasks"][0]["data"] != before["tasks"][0]["data"] == after["data"]


def test_another_version_trains_again(toy, monkeypatch, fits, tmp_path):
    before = one(toy)
    with monkeypatch.context() as patch:
        for place in (stages, provenance, found):
            patch.setattr(place, "__version__", "99.0")
        after = one(toy, seed=1), one(toy)
        assert fits == [2, 2, 2] and one(toy) == {**after[1], "found": True} and len(fits) == 3
    assert after[1]["pretrain"]["version"] == after[1]["tasks"][0]["version"] == "99.0" != before["pretrain"]["version"]
    assert after[1]["versions"]["sigraph"] == "99.0"


def test_a_checkpoint_of_another_version_is_not_resumed(toy, monkeypatch):
    toy["pretrain"]["trainer"]["max_epochs"] = 3
    config = config_from_dict(toy).arm("sipt").pretrain
    folder = pretrain_folder(config_from_dict(toy), config_from_dict(toy).arm("sipt"), 0)
    with pytest.raises(TimeIsUp):
        stages.pretrain_stage(config, 0, folder, deadline=0.0)
    assert (folder / stages.PROGRESS).is_file()
    monkeypatch.setattr(fitting, "__version__", "99.0")
    ticks = []
    stages.pretrain_stage(config, 0, folder, ticks.append)
    assert ticks == [0, 1, 1, 1]


# Who holds it #########################################################################################################


@contextlib.contextmanager
def another_process(folder):
    """One that holds the folder until it is killed; gives its id."""
    folder.mkdir(parents=True, exist_ok=True)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        with held(folder):
            os.write(writer, b".")
            signal.pause()
    try:
        assert os.read(reader, 1) == b"."
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(reader)
        os.close(writer)


def test_a_held_run_says_who_holds_it_and_is_free_after_kill_9(toy, tmp_path, capsys):
    config = config_from_dict(toy)
    folder = run_folder(config, config.arm("sipt"), 1)
    file = tmp_path / "toy.yaml"
    file.write_text(yaml.safe_dump(toy))
    command = ["run", str(file), "--arm", "sipt", "--seed"]
    with another_process(folder) as pid:
        with pytest.raises(Busy, match=rf"seed-1 is worked on by process {pid} on {socket.gethostname()} since 20"):
            run(config)
        assert main([*command, "1"]) == 2
        captured = capsys.readouterr()
        assert f"process {pid} on" in captured.err and "Traceback" not in captured.err
        assert main([*command, "0"]) == 0  # other runs of the experiment are free
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert (folder / HOLDER).is_file()  # left behind, and no hindrance
        assert main([*command, "1"]) == 0
    assert not (folder / HOLDER).exists()


def test_a_holder_that_left_no_name_is_another_process(tmp_path):
    with another_process(tmp_path):
        forged = '{"pid": "\\u001b[2J", "host": "a", "since": "b"}'
        for content in (None, "{", "{}", "[1]", '{"pid": 1, "host": "a", "since"', "[" * 10**5, forged):
            (tmp_path / HOLDER).unlink(missing_ok=True)
            if content is not None:
                (tmp_path / HOLDER).write_text(content)
            with pytest.raises(Busy, match="is worked on by another process; wait for it"), held(tmp_path):
                pass


def test_an_error_lets_go(tmp_path):
    for _ in range(2):
        with pytest.raises(KeyError), held(tmp_path):
            raise KeyError
    assert not (tmp_path / HOLDER).exists()


def test_the_run_has_the_encoder_under_its_own_name(toy):
    config = config_from_dict(toy)
    one(toy)
    shared, own = pretrain_folder(config, config.arm("sipt"), 0), run_folder(config, config.arm("sipt"), 0)
    a, b = load_file(shared / ENCODER), load_file(own / ENCODER)
    assert a.keys() == b.keys() and all((a[key] == b[key]).all() for key in a)


def test_the_encoder_is_there_at_every_moment(toy, monkeypatch, tmp_path):
    """A copy, where there are no links, takes the place of the one before when it is whole."""
    config = config_from_dict(toy)
    one(toy)
    own = run_folder(config, config.arm("sipt"), 0) / ENCODER
    assert own.stat().st_nlink == 2
    monkeypatch.setattr(module.os, "link", lambda *a: (_ for _ in ()).throw(OSError("no links here")))
    module._link(pretrain_folder(config, config.arm("sipt"), 0) / ENCODER, own)  # the same file: nothing to do
    assert own.stat().st_nlink == 2
    whole = own.read_bytes()
    own.unlink()
    own.write_bytes(b"another")
    monkeypatch.setattr(module.shutil, "copyfile", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        one(toy)
    assert own.read_bytes() == b"another"
    monkeypatch.undo()
    one(toy)
    assert own.read_bytes() == whole and len(list(own.parent.glob(f".{ENCODER}*"))) == 0


def test_time_up_before_it_began_keeps_nothing(toy):
    record = one(toy, deadline=0.0)
    assert record["status"] == "unfinished" and "the same command resumes" in record["reason"]
    config = config_from_dict(toy)
    assert not (run_folder(config, config.arm("sipt"), 0) / "results.json").exists()
    assert not pretrain_folder(config, config.arm("sipt"), 0).exists()


def test_a_result_that_is_found_keeps_how_it_came_about(toy):
    """Settings that change no result are not in the hash of the folder."""
    toy["seeds"] = [0]
    config = config_from_dict(toy)
    run(config)
    file = run_folder(config, config.arm("sipt"), 0) / SETTINGS
    before = file.read_text()
    toy["pretrain"]["valid_every"] = 7
    run(config_from_dict(toy))
    assert file.read_text() == before
    file.write_text("{}")
    run(config_from_dict(toy))
    assert "valid_every: 7" in file.read_text()  # nothing was known any more
