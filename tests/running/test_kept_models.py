"""Models of fine-tuning: the best seed's by validation, all, or none, in whichever order runs end."""

import pytest
import text_run

from sigraph.config import config_from_dict
from sigraph.experiment import run
from sigraph.files.sealed import read_sealed, write_sealed
from sigraph.leaderboard.result_files import MODELS, RESULTS
from sigraph.running import kept_models
from sigraph.running.run_one import pretrain_folder, run_folder


@pytest.fixture
def experiment(tmp_path):
    text_run.dataset().save(tmp_path / "papers")
    entry = text_run.settings(tmp_path)["finetune"][1]
    plain = text_run.settings(tmp_path, finetune=[entry], seeds=[0, 1, 2])

    def make(**more):
        return config_from_dict({**plain, **more})

    return make


def full(config, seed):
    """The full fine-tuning of a seed, from its record."""
    record = read_sealed(run_folder(config, config.arm("sipt"), seed) / RESULTS)
    return record["tasks"][0]


def kept(config):
    """Seeds that have a model in the run's folder, and in the pre-training's."""
    arm = config.arm("sipt")
    places = [[of(config, arm, seed) / MODELS for seed in config.seeds] for of in (run_folder, pretrain_folder)]
    return [[seed for seed, place in enumerate(some) if list(place.glob("*.safetensors"))] for some in places]


def preferred(config):
    return min(config.seeds, key=lambda seed: (-full(config, seed)["valid"], seed))


def test_the_best_seed_alone_is_kept_in_whichever_order_and_however_often_it_is_killed(experiment, monkeypatch):
    config = experiment()
    whole = kept_models.drop_losers

    def killed(*arguments):
        raise KeyboardInterrupt

    for seed in (2, 0):  # each by a command of its own, the first killed before it could look at the others
        monkeypatch.setattr("sigraph.running.run_one.drop_losers", killed if seed == 2 else whole)
        try:
            run(config, only=[("sipt", seed)])
        except KeyboardInterrupt:
            assert seed == 2
    run(config)
    best = preferred(config)
    assert kept(config) == [[best], [best]]
    before = {seed: full(config, seed) for seed in config.seeds}
    assert all(record["found"] for record in run(config).records)  # the losers' are not made again
    assert kept(config) == [[best], [best]] and before == {seed: full(config, seed) for seed in config.seeds}
    (file,) = (pretrain_folder(config, config.arm("sipt"), best) / MODELS).iterdir()
    file.write_bytes(b"damaged")
    run(config)
    assert kept(config) == [[best], [best]] and file.stat().st_size > 100


def test_all_and_none_and_from_one_to_the_other(experiment):
    config = experiment(save_models="none")
    assert not run(config).failed and kept(config) == [[], []] and "model" not in full(config, 0)
    scores = {seed: full(config, seed)["test"] for seed in config.seeds}
    run(experiment())
    best = preferred(config)
    assert kept(config) == [[best], [best]]
    run(experiment(save_models="all"))
    assert kept(config) == [[0, 1, 2], [0, 1, 2]]
    run(experiment())  # what was asked for is not taken away
    assert kept(config) == [[0, 1, 2], [0, 1, 2]] and scores == {seed: full(config, seed)["test"] for seed in scores}


def test_runs_that_are_older_than_heads_stay_as_they_are(experiment):
    config = experiment(save_models="none", seeds=[0])
    run(config)
    arm = config.arm("sipt")
    folder, shared = run_folder(config, arm, 0), pretrain_folder(config, arm, 0)
    record, (file,) = read_sealed(folder / RESULTS), (shared / "finetune").glob("*.json")
    write_sealed(file, {key: value for key, value in read_sealed(file).items() if key != "trained_head"})
    del record["tasks"][0]["trained_head"]
    write_sealed(folder / RESULTS, record)
    config = experiment(seeds=[0])
    assert run(config).records[0].get("found") and kept(config) == [[], []]
    file.unlink()  # what the message of `sigraph predict` says
    run(config)
    assert kept(config) == [[0], [0]] and full(config, 0)["test"] == record["tasks"][0]["test"]
