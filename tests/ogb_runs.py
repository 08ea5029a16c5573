"""Records of ten seeds as `sigraph run` keeps them, and as OGB takes them."""

import yaml

from sigraph.files.sealed import write_sealed
from sigraph.leaderboard import Leaderboard

NAME = "ogbg-molbace"
ENCODER = {"_target_": "sigraph.encoders.GraphEncoder", "hidden_channels": 64}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def task(seed, head="full", valid=0.7, test=0.8, **changes):
    plain = {"dataset": NAME, "task": NAME, "head": head, "metric": "rocauc", "primary": True}
    numbers = {"valid": valid + 0.01 * seed, "test": test + 0.01 * (seed % 3), "num_parameters": 5, "seconds": 1.0}
    return {**plain, **numbers, "data": "official", "pretrain_data": "official", **changes}


def record(seed, *tasks, arm="sipt", **changes):
    pretrain = {
        "num_parameters": {"encoder": 1000, "other": 20},
        "seconds": 2.0,
        "data": "official",
        "dataset": NAME,
        "graph": {"name": "scaffold"},
        "encoder": ENCODER,
        "commit": COMMIT,
    }
    return {
        "experiment": "bace",
        "arm": arm,
        "seed": seed,
        "hash": f"{arm}-hash",
        "status": "ok",
        "reason": None,
        "format": 2,
        "kind": "pretrained",
        "commit": COMMIT,
        "data": "official",
        "device": "cpu, 1 threads",
        "versions": {"sigraph": "0.1.0", "torch": "2.13.0"},
        "command": "sigraph run experiments/ogb/ogbg-molbace.yaml",
        "tasks": list(tasks) or [task(seed)],
        "pretrain": {**pretrain, **changes.pop("pretrain", {})},
        **changes,
    }


def ten(**changes):
    return [record(seed, **changes) for seed in range(10)]


def board(records):
    return Leaderboard(records)


def write(top, records, settings=None):
    """The folders of runs, with their settings beside them."""
    for one in records:
        folder = top / one["experiment"] / one["arm"] / one["hash"] / f"seed-{one['seed']}"
        folder.mkdir(parents=True)
        write_sealed(folder / "results.json", one)
        if settings is not None:
            (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    return top
