"""No field of a record, whatever it holds, takes a leaderboard or an encoder down."""

import copy
import shutil

import pytest
import torch

from sigraph.cli import main
from sigraph.config import config_from_dict
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.experiment import _summary, run
from sigraph.export.load import load_encoder
from sigraph.files.sealed import read_sealed, write_sealed
from sigraph.leaderboard import Leaderboard
from sigraph.leaderboard.leakage_lines import leakage_lines
from sigraph.leaderboard.record_fields import UNREADABLE, misfit, shown
from sigraph.leaderboard.result_files import ENCODER, RESULTS
from sigraph.leaderboard.tables import FORMATS
from sigraph.running.run_one import run_folder
from sigraph.tasks import Task

DEEP = [[[[[[[[[[1]]]]]]]]]]
for _ in range(40):
    DEEP = [DEEP]
WRONG = ["x", [1], {}, None, -1, True, 10**400, DEEP, "\ud800", 1e300, {"_target_": 3}, [{"a": [None]}]]
# Where any plain value fits: settings of parts, whose constructors say what does not.
FREE = ("grid.chosen", "grid.tried.0.settings", "pretrain.encoder", "pretrain.dataset", "pretrain.graph")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished run, and its record with every field that one can have."""
    top = tmp_path_factory.mktemp("finished")
    ids = torch.arange(24)
    graph = PretrainGraph(torch.stack([ids[:-2], ids[2:]]), 24)
    task = Task("odd", ids % 2, {"train": ids[:8], "valid": ids[8:16], "test": ids[16:]})
    SampleDataset(torch.randn(24, 3), {"line": graph}, {"odd": task}, name="toy").save(top / "toy")
    pretrain = {"dataset": str(top / "toy"), "graph": "line", "batch_size": 8}
    pretrain |= {"encoder": {"_target_": "sigraph.encoders.MLPEncoder", "hidden_channels": 4, "out_channels": 2}}
    pretrain |= {"objective": {"_target_": "sigraph.objectives.MaskedFeature"}, "trainer": {"max_epochs": 1}}
    finetune = [{"task": "odd", "head": "knn", "k": 1}]
    plain = {"name": "e", "seeds": [0], "pretrain": pretrain, "finetune": finetune, "output_dir": str(top / "runs")}
    plain["references"] = False
    config = config_from_dict({**plain, "baseline": "sipt", "grid": {"pretrain.batch_size": [8, 12]}})
    (found,) = run(config).records
    folder = run_folder(config, config.arm("sipt", chosen=found["grid"]["chosen"]), 0)
    record = read_sealed(folder / RESULTS)
    bound = {"radius": 1.0, "positive_loss": 0.5, "negative_loss": 0.5}
    counts = dict.fromkeys(("edges_outside", "non_edges_inside", "counted_outside", "counted_inside"), 1)
    record["pretrain"]["certificate"]["bound"] = {**bound, **counts}
    record["pretrain"]["features"] = ["a", "b"]
    leakage = {"num_affected": 2, "num_test": 5, "test_without": 0.5, "reason": None, "label_edges": "by names"}
    record["tasks"][0]["leakage"] = leakage
    record["grid"]["tried"][0]["reason"] = "ValueError: nan"
    record |= {"sources": {"mine": "1"}, "baseline_sources": {"mine": "1"}, "transductive": True, "traceback": "none"}
    return folder, record


@pytest.fixture
def folder(finished, tmp_path):
    """A copy of the run's folder, free to change."""
    return shutil.copytree(finished[0], tmp_path / "run")


def places(part, above=()):
    """The way to every value of a record, those that hold others included."""
    items = part.items() if isinstance(part, dict) else enumerate(part)
    for name, value in items:
        yield (*above, name)
        if isinstance(value, dict | list):
            yield from places(value, (*above, name))


def replaced(record, place, value):
    changed = copy.deepcopy(record)
    part = changed
    for name in place[:-1]:
        part = part[name]
    part[place[-1]] = value
    return changed


def test_the_table_covers_every_field_of_a_record(finished):
    """What is no line of the table could hold anything."""
    _, record = finished
    assert misfit(record) is None
    for place in places(record):
        dotted = ".".join(map(str, place))
        if not dotted.startswith(FREE) or dotted in FREE:
            assert misfit(replaced(record, place, object())), dotted
            assert misfit(replaced(record, place, DEEP)), dotted


@pytest.mark.parametrize("value", WRONG, ids=range(len(WRONG)))
def test_any_field_may_hold_anything(finished, value):
    _, record = finished
    named = [
        ({**record, "experiment": f"e{i}", "arm": f"a{i}", "hash": str(i)}, p) for i, p in enumerate(places(record))
    ]
    board = Leaderboard([replaced(one, place, value) for one, place in named])
    said = [one["reason"] for one in board.records if one["status"] == UNREADABLE]
    assert len(named) / 2 < len(said) <= len(named)
    assert all("\n" not in text and len(text) < 250 for text in said)
    statuses = " ".join(row["status"] for row in board.rows())
    assert all(text in statuses for text in said)
    for format in FORMATS:
        board.table(format)
    leakage_lines(board.records)
    assert all(_summary(one) for one in board.records if one["status"] != UNREADABLE)


def test_any_field_of_a_file_may_hold_anything(finished, tmp_path, capsys):
    """As above from files whose sums are right: rows with the reason, and errors of one line."""
    source, record = finished
    number = 0
    for place in places(record):
        for value in WRONG[:6]:
            changed, folder = replaced(record, place, value), tmp_path / "many" / str(number)
            folder.mkdir(parents=True)
            write_sealed(folder / RESULTS, changed)
            number += 1
            if misfit(changed) is None and place[:2] != ("pretrain", "encoder"):
                continue
            (folder / ENCODER).hardlink_to(source / ENCODER)
            try:
                load_encoder(folder)
            except ValueError as error:
                assert "\n" not in str(error) and str(folder) in str(error)
            else:
                assert misfit(changed) is None
    for format in FORMATS:
        assert main(["leaderboard", str(tmp_path / "many"), "--format", format]) == 0
    captured = capsys.readouterr()
    assert captured.err.count("\n") > 4 * 0.7 * number and "Traceback" not in captured.err


@pytest.mark.parametrize("place", ["data", "pretrain.dataset", "pretrain.features", "pretrain", "pretrain.encoder"])
@pytest.mark.parametrize("value", [-1, [1], {}, "x", DEEP, True])
def test_embed_ends_with_one_line(finished, folder, tmp_path, capsys, place, value):
    _, record = finished
    write_sealed(folder / RESULTS, replaced(record, tuple(place.split(".")), value))
    assert main(["embed", str(folder), "--out", str(tmp_path / "z.npy")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("sigraph: ") and said.count("\n") == 1 and not (tmp_path / "z.npy").exists()


@pytest.mark.parametrize("text", ["[" * 10**5, '{"a": ' * 10**5, "{}", "", '{"status": "ok", "sum": "0"}'])
def test_embed_of_what_is_no_record_ends_with_one_line(folder, tmp_path, capsys, text):
    (folder / RESULTS).write_text(text)
    assert main(["embed", str(folder), "--out", str(tmp_path / "z.npy")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("sigraph: ") and said.count("\n") == 1 and RESULTS in said


@pytest.mark.parametrize("records", [None, "x", {}, 3])
def test_what_is_no_list_of_records_is_refused(records):
    with pytest.raises(ValueError, match="'records' needs a list of records in 'Leaderboard'"):
        Leaderboard(records)
    with pytest.raises(ValueError, match="'baseline' needs the name of an arm"):
        Leaderboard([], baseline=[1])


@pytest.mark.parametrize("record", [None, "x", [], 3, {}, {"status": []}, {"status": "unreadable"}])
def test_what_is_no_record_is_a_row(record):
    board = Leaderboard([record])
    (row,) = board.rows()
    assert row["n"] == 0 and row["status"].startswith("1 unreadable: record 0: ")
    for format in FORMATS:
        board.table(format)


def test_scores_at_the_ends_of_numbers_are_a_table(finished):
    """Means, spreads, reductions and tests of numbers as far apart as numbers are."""
    _, record = finished
    for low, high in ((5e-324, 1e100), (-1e100, 1e100), (0, 10**99)):
        for better in (True, False):
            records = []
            for arm, scores in (("sipt", (low, high)), ("other", (high, low))):
                for seed, score in enumerate(scores):
                    one = copy.deepcopy(record) | {"arm": arm, "seed": seed, "baseline_hash": None}
                    one["tasks"][0] |= {"test": score, "valid": score, "greater_is_better": better}
                    records.append(one)
            board = Leaderboard(records)
            assert all(row["n"] == 2 for row in board.rows())
            for format in FORMATS:
                board.table(format)


def test_a_value_is_shown_in_few_words():
    class Own:
        pass

    found = [shown(value) for value in (None, True, "a" * 1000, 10**5000, 0.5, DEEP, {}, Own())]
    assert found[:2] == ["null", "true"] and all(len(text) < 70 for text in found)
    assert found[3:] == ["a whole number of 16610 bits", "0.5", "a list", "a mapping", "Own"]
