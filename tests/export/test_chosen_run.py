"""Which run a folder above runs stands for."""

import shutil

import pytest

import sigraph
from sigraph.cli import main
from sigraph.export.chosen_run import chosen_run
from sigraph.files.sealed import read_sealed, write_sealed
from sigraph.leaderboard.result_files import RESULTS


@pytest.fixture
def home(text_runs, tmp_path):
    """An experiment of two arms; of the arm that uses the graph, the second seed is the better one."""
    home = tmp_path / "runs" / "papers"
    for arm in ("alone", "sipt"):
        for run in text_runs:
            changed(shutil.copytree(run, home / arm / run.parent.name / run.name), arm=arm, arms=["alone", "sipt"])
    folder = home / "sipt" / text_runs[0].parent.name
    scored(folder / "seed-0", 0.5)
    scored(folder / "seed-1", 0.75)
    return home


def changed(folder, **more):
    write_sealed(folder / RESULTS, {**read_sealed(folder / RESULTS), **more})


def scored(folder, valid, **more):
    first, *rest = read_sealed(folder / RESULTS)["tasks"]
    changed(folder, tasks=[{**first, "valid": valid, **more}, *rest])


def test_every_folder_above_stands_for_the_run_that_validation_prefers(home, monkeypatch, capsys):
    best = next((home / "sipt").glob("*/seed-1"))
    for folder in (home.parent, home, home / "sipt", best.parent):
        run = chosen_run(folder)
        assert run.path == best
        assert (
            run.note
            == f"run {best}: arm sipt, seed 1 of 2, which validation prefers: accuracy 0.75 of task topic (linear)"
        )
    assert chosen_run(best) == (best, "")
    monkeypatch.chdir(home.parent)
    assert main(["predict", "papers", "--out", "p.csv"]) == 0
    out = capsys.readouterr().out
    assert (
        out.startswith(f"run papers/sipt/{best.parent.name}/seed-1: arm sipt")
        and "other heads: --task topic --head full" in out
    )
    assert "which validation prefers" in sigraph.predict("papers", ["enzyme"]).note
    assert main(["embed", "papers", "--out", "z.npy"]) == 0 and "seed-1" in capsys.readouterr().out
    monkeypatch.chdir(best.parent)
    assert chosen_run(".").path.name == "seed-1"


def test_by_the_task_that_is_asked_for_and_in_its_direction(home):
    folder = next((home / "sipt").iterdir())
    for seed, error in enumerate((2.0, 3.0)):
        tasks = read_sealed(folder / f"seed-{seed}" / RESULTS)["tasks"]
        changed(folder / f"seed-{seed}", tasks=[*tasks[:4], {**tasks[4], "valid": error}])
    assert chosen_run(home, "length").path.name == "seed-0"  # an error: lower is better


def test_arms_of_another_name_and_those_that_left_no_encoder(home):
    others = home / "alone"
    shutil.move(home / "sipt", home.parent / "sipt")
    assert chosen_run(home).path.parents[1] == others
    for folder in others.glob("*/seed-*"):
        changed(folder, kind="closed-form", pretrain=None)
    with pytest.raises(
        ValueError, match=r"alone holds no encoder: its arm pre-trains nothing \(closed-form\); name another arm"
    ):
        chosen_run(others)
    assert chosen_run(home.parent / "sipt").path.name == "seed-1"


def test_several_experiments_and_data_that_cannot_be_compared_are_said(home):
    shutil.copytree(home, home.parent / "again")
    with pytest.raises(ValueError, match=r"runs of 2 experiments; name one: .*again, .*papers"):
        chosen_run(home.parent)
    folder = next((home / "sipt").iterdir())
    other = shutil.copytree(folder, folder.with_name("0" * 12))
    for seed in (0, 1):
        changed(other / f"seed-{seed}", hash="0" * 12)
        scored(other / f"seed-{seed}", 0.9, data="0" * 64)
    with pytest.raises(ValueError, match=rf"on different data, .*name one: {other}, {folder}"):
        chosen_run(home)
