"""Finished runs: recognised from their files alone, unless one is missing, altered, or of other data."""

import pytest

from sigraph.config import config_from_dict
from sigraph.data import SampleDataset
from sigraph.experiment import run
from sigraph.leaderboard.result_files import ENCODER
from sigraph.running.arm_settings import finished_jobs
from sigraph.running.found import found
from sigraph.running.run_one import pretrain_folder, run_folder


@pytest.fixture
def finished(toy):
    toy |= {"seeds": [0], "arms": {"sipt": {}}, "baseline": None}
    toy["pretrain"]["trainer"]["max_epochs"] = 1
    config = config_from_dict(toy)
    return config, run(config).records[0]


def recognised(config):
    arm = config.arm("sipt")
    return found(arm, 0, run_folder(config, arm, 0), pretrain_folder(config, arm, 0))


def test_no_data_set_is_opened_for_what_is_done(toy, monkeypatch):
    toy["grid"] = {"pretrain.structure_weight": [0.2, 0.5]}
    toy["pretrain"]["trainer"]["max_epochs"] = 1
    config = config_from_dict(toy)
    first = run(config).records
    assert finished_jobs(config, [("sipt", 0), ("objective-only", 1)]) == [("sipt", 0), ("objective-only", 1)]
    with monkeypatch.context() as patch:
        patch.setattr(SampleDataset, "open", lambda *given: pytest.fail("a data set was opened"))
        again = run(config).records
        assert run(config, jobs=2).records == again  # no process is started either
    assert again == [{**record, "found": True} for record in first]
    toy["seeds"] = [0, 1, 2]
    more = run(config_from_dict(toy)).records
    assert [record.get("found", False) for record in more] == [True] * 4 + [False] * 2


def test_other_data_code_and_settings_are_not_recognised(finished, toy, toy_dataset, tmp_path, monkeypatch):
    config, record = finished
    assert recognised(config).pretrain == record["pretrain"] and recognised(config).tasks == record["tasks"]
    toy["finetune"][0]["max_epochs"] = 5
    other = config_from_dict(toy)
    assert recognised(other) is None and finished_jobs(other, [("sipt", 0)]) == []
    with monkeypatch.context() as patch:
        patch.setattr("sigraph.running.found.__version__", "99.0")
        assert recognised(config) is None
    moved = SampleDataset(toy_dataset.samples + 1, toy_dataset.graphs, toy_dataset.tasks, name="toy")
    moved.save(tmp_path / "toy", overwrite=True)
    assert recognised(config) is None


def test_whatever_is_missing_or_altered_is_made_again(finished, caplog):
    config, record = finished
    arm = config.arm("sipt")
    folder, shared = run_folder(config, arm, 0), pretrain_folder(config, arm, 0)
    kept = record["tasks"][0]["predictions"]["file"]
    files = [folder / "results.json", folder / ENCODER, shared / "pretrain.json"]
    files += [shared / "predictions" / kept, *shared.glob("finetune/*.json")]
    for file in files:
        before = file.read_bytes()
        file.unlink()  # of a linked file, one name
        assert recognised(config) is None and not caplog.records, file
        file.write_bytes(before[:-20] + b"x" * 20)
        assert recognised(config) is None and not caplog.records, file
        file.write_bytes(before)
        assert recognised(config) is not None, file
    (folder / ENCODER).unlink()
    again = run(config).records[0]
    assert again == {**record, "found": True} and (folder / ENCODER).is_file()
