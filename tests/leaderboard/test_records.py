"""Records: what a file says is what is read, an older one is not misread, a newer one is refused."""

import pytest

from sigraph.files.sealed import read_sealed, write_sealed
from sigraph.leaderboard import Leaderboard
from sigraph.leaderboard.records import FORMAT, GridSearch, NewerFormatError, PretrainInfo, Record, TaskResult, Visible

SEEN = {"inductive": "no", "samples": [2708, "ab" * 6], "edges": [5278, "cd" * 6], "labels": "none"}
SEEN |= {"graph_at_inference": False, "trials": 1}
TASK = {"dataset": "cora", "task": "topic", "head": "linear", "metric": "accuracy", "primary": True, "valid": 0.7}
TASK |= {"test": 0.6, "num_parameters": 7, "seconds": 1.0, "greater_is_better": True}
# As sigraph 0.1.0 wrote results.json, before records said their format.
OLD = {
    "experiment": "cora",
    "arm": "sipt",
    "seed": 0,
    "hash": "0123456789ab",
    "arms": ["sipt", "objective-only"],
    "baseline": "objective-only",
    "baseline_hash": "ba9876543210",
    "baseline_sources": None,
    "status": "ok",
    "reason": None,
    "tasks": [TASK],
    "pretrain": {
        "version": "0.1.0",
        "transductive": False,
        "num_parameters": {"encoder": 10, "other": 2},
        "seconds": 2.0,
        "features": None,
        "num_edges": 5278,
    },
    "data": "d",
    "versions": {"sigraph": "0.1.0"},
    "wall_seconds": 3.0,
    "of one's own": [1, {"a": None}],
}


def old(arm, seed, test, **changes):
    tasks = [{**TASK, "test": test}]
    return {**OLD, "arm": arm, "seed": seed, "hash": f"{arm}-1", "baseline_hash": None, "tasks": tasks, **changes}


def test_a_folder_of_0_1_0_is_read_and_nothing_is_guessed(tmp_path):
    for number, arm in enumerate(("sipt", "objective-only")):
        for seed in range(3):
            folder = tmp_path / "cora" / arm / f"{arm}-1" / f"seed-{seed}"
            folder.mkdir(parents=True)
            write_sealed(folder / "results.json", old(arm, seed, 0.5 + 0.1 * (1 - number) + 0.01 * seed**2))
    sipt, base = Leaderboard.from_folder(tmp_path).rows()
    assert sipt["difference"] == pytest.approx(0.1) and sipt["status"] == base["status"] == "ok"
    assert (sipt["n"], sipt["transductive"], sipt["visible"]) == (3, False, "inductive")
    unknown = ("kind", "trials", "difference_low", "difference_high")
    assert [sipt[name] for name in unknown] == [None] * 4
    record = Record.from_dict(OLD)
    assert (record.format, record.kind, record.visible, record.tasks[0].predictions) == (None,) * 4
    assert record.says("baseline_sources") and not record.says("sources")


@pytest.mark.parametrize("plain", [OLD, {**OLD, "kind": "closed-form", "pretrain": None, "visible": SEEN, "format": 2}])
def test_what_is_read_is_written_as_it_was(plain, tmp_path):
    """Nothing is added, left out or turned into null; what is of another version is carried along."""
    record = Record.from_dict(plain)
    assert record.to_dict() == plain and list(record.more) == ["of one's own"]
    record.write(tmp_path / "r.json")
    assert read_sealed(tmp_path / "r.json") == plain and Record.read(tmp_path / "r.json") == record


def test_what_could_not_be_read_again_is_not_written(tmp_path):
    record = Record.from_dict(OLD)
    with pytest.raises(ValueError, match=r"r\.json cannot be written: 'pretrain\.seconds' needs a number >= 0"):
        Record.of_checked({**OLD, "pretrain": {**OLD["pretrain"], "seconds": -1.0}}).write(tmp_path / "r.json")
    assert not (tmp_path / "r.json").exists() and record.finished


@pytest.mark.parametrize(
    ("kind", "plain"),
    [
        (Record, OLD),
        (TaskResult, TASK),
        (PretrainInfo, OLD["pretrain"]),
        (GridSearch, {"chosen": {}, "tried": []}),
        (Visible, SEEN),
    ],
)
def test_a_newer_format_is_refused_with_the_way_out(kind, plain, tmp_path):
    for number in (FORMAT + 1, 10**400):
        with pytest.raises(NewerFormatError, match=r"of a newer sigraph .* update sigraph, or give another output_dir"):
            kind.from_dict({**plain, "format": number})
    write_sealed(tmp_path / "r.json", {**plain, "format": FORMAT + 1})
    with pytest.raises(NewerFormatError, match=r"r\.json is of a newer sigraph"):
        kind.read(tmp_path / "r.json")
    if kind is not Visible:
        assert kind.from_dict({**plain, "format": FORMAT}).format == FORMAT
        assert kind.wrong({**plain, "format": 0}) == f"'format' needs a whole number from 1 to {FORMAT} (got 0)"


def test_a_newer_record_is_a_row_that_says_so(tmp_path):
    folder = tmp_path / "cora" / "sipt" / "0123456789ab" / "seed-0"
    folder.mkdir(parents=True)
    write_sealed(folder / "results.json", {**OLD, "format": FORMAT + 1, "status": "wonderful"})
    (row,) = Leaderboard.from_folder(tmp_path).rows()
    assert row["n"] == 0 and "of a newer sigraph (format 3, this one reads up to 2)" in row["status"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "reference"}, "'pretrain' needs null in an arm of its kind (got a mapping)"),
        ({"kind": "magic"}, "'kind' needs one of pretrained, closed-form, reference (got 'magic')"),
        ({"pretrain": None}, "'pretrain' needs a mapping (got null)"),
        ({"visible": {**SEEN, "inductive": "maybe"}}, "'visible.inductive' needs one of no, yes, test, edges"),
        ({"visible": {**SEEN, "samples": [3]}}, "'visible.samples' needs a count and a digest in hexadecimal"),
        (
            {"tasks": [{**TASK, "predictions": {"file": "../../x.parquet", "sha256": "0" * 64}}]},
            "'tasks.0.predictions.file' needs the name of a .parquet file (got '../../x.parquet')",
        ),
    ],
)
def test_what_does_not_fit_is_said(change, said):
    assert said in Record.wrong({**OLD, **change})


def seen(**changes):
    return Visible.from_dict({**SEEN, **changes})


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ({}, {}, None),
        ({}, {"edges": None}, None),  # the baseline reads no graph
        ({"edges": None}, {"edges": None}, None),
        ({"trials": 9, "inductive": "edges"}, {}, None),
        ({"samples": [1208, "0" * 12]}, {}, "saw 1,208 samples, objective-only 2,708"),
        ({"samples": [2708, "0" * 12]}, {}, "saw other samples than objective-only"),
        ({"labels": "train"}, {}, "used labels of train, objective-only of none"),
        ({"edges": None}, {}, "saw no edges, objective-only 5,278"),
        ({"edges": [10, "0" * 12]}, {}, "saw 10 edges, objective-only 5,278"),
        ({"edges": [5278, "0" * 12]}, {}, "saw other edges than objective-only"),
    ],
)
def test_a_gain_is_told_only_against_an_arm_that_saw_the_same(ours, theirs, said):
    assert seen(**ours).differs(seen(**theirs), "objective-only") == said
    assert seen(**ours).comparable(seen(**theirs)) == (said is None)


def test_what_was_hidden_has_its_published_name():
    names = ["transductive", "inductive", "test hidden", "edges hidden", "all but train hidden", "20 % of test hidden"]
    words = ("no", "yes", "test", "edges", "outside-train", "share 0.2")
    assert [seen(inductive=word).reach for word in words] == names
    assert seen(graph_at_inference=True).reach == "transductive, graph at inference"
