"""trials: every trial of every search and grid, from their records; what cannot be read is said."""

import pytest

from sigraph.cli import main
from sigraph.leaderboard.records import DrawnSearch, GridSearch
from sigraph.leaderboard.trials import read_tried, trial_lines, trials_page

LR, LOSS = "pretrain.optimizer.lr", "pretrain.structure_loss"
ABOUT = {"task": "topic", "head": "linear", "metric": "accuracy", "data": "d", "version": "0.1.0", "commit": "abc"}
LOSSES = [{"_target_": "sigraph.losses.InfoNCELoss", "temperature": 0.1}, None]


@pytest.fixture
def runs(tmp_path):
    tried = [
        {"settings": {LR: 0.003, LOSS: LOSSES[0]}, "valid": 0.8125, "scores": [0.8, 0.825], "spread": 0.0177}
        | {"spread_redraws": 0.02, "seconds": 12.34},
        {"settings": {LR: 0.09, LOSS: LOSSES[1]}, "valid": None, "reason": "ValueError: the loss is nan | stop"},
    ]
    drawn = {"chosen": tried[0]["settings"], "tried": tried, "space": {LR: {"low": 1e-4, "high": 0.1}, LOSS: LOSSES}}
    drawn |= {"seeds": [1000, 1001], "redraws": 20, "num_asked": 2, **ABOUT}
    top = tmp_path / "cora"
    for folder in ("_search/pretrained", "_grid", "_pretrain"):
        (top / folder).mkdir(parents=True)
    DrawnSearch.from_dict(drawn).write(top / "_search" / "sipt-0123456789ab.json")
    grid = {"chosen": {LR: 2}, "tried": [{"settings": {LR: lr}, "valid": lr / 10} for lr in (1, 2)], "seed": 0, **ABOUT}
    GridSearch.from_dict(grid).write(top / "_grid" / "objective-only-0123456789ab.json")
    (top / "_search" / "pretrained" / "x.json").write_text("{}")
    return tmp_path


def test_the_page_has_every_trial_and_how_it_was_scored(runs):
    page = trials_page(read_tried(runs))
    lines = page.splitlines()
    assert lines[0] == "# Trials of cora" and "## sipt: 2 trials, 1 failed" in lines
    assert "| trial | optimizer.lr | structure_loss | valid | over seeds | over splits | seconds |  |" in lines
    assert "| 1 | 0.003 | InfoNCELoss (temperature 0.1) | 0.8125 | 0.0177 | 0.0200 | 12.3 | chosen |" in lines
    failed = next(line for line in lines if line.startswith("| 2 | 0.09 | null |"))
    assert (
        "failed: ValueError: the loss is nan" in failed and failed.count(" | ") == 7
    )  # what would end a cell does not
    assert "over 20 redrawn splits of training and validation samples" in page and "seeds 1000, 1001" in page
    assert "- `pretrain.optimizer.lr`: low 0.0001, high 0.1" in lines
    assert "## objective-only: 2 trials" in lines and "| 2 | 2 | 0.2000 | chosen |" in lines
    assert "by validation accuracy of topic (linear) on seed 0; test labels were not looked at" in page


def test_one_that_is_damaged_is_said_and_names_that_are_not_there_too(runs, capsys):
    file = runs / "cora" / "_search" / "sipt-0123456789ab.json"
    file.write_text(file.read_text().replace("0.8125", "0.9125"))
    assert main(["leaderboard", str(runs), "--format", "trials"]) == 0
    said = capsys.readouterr()
    assert "The record of its trials cannot be read: is damaged or was altered" in said.out
    assert "trials of sipt, cora: is damaged" in said.err
    assert "## objective-only" in said.out and "0.9125" not in said.out
    with pytest.raises(ValueError, match=r"experiment 'pubmed'.*experiments: cora"):
        trials_page(read_tried(runs), "pubmed")
    with pytest.raises(ValueError, match="no search and no grid below it"):
        read_tried(runs / "cora" / "_pretrain")
    with pytest.raises(FileNotFoundError):
        read_tried(runs / "nowhere")


def test_a_table_says_how_many_trials_its_arms_had():
    records = [{"experiment": "cora", "arm": arm, "search": {"tried": [{}] * 40}} for arm in ("sipt", "sipt", "b")]
    told = "settings of cora were chosen by validation among drawn ones: sipt 40 trials, b 40 trials"
    assert trial_lines([*records, {"experiment": "x", "arm": "y"}]) == [told]
