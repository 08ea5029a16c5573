"""Epochs from a few timed steps: as many as fit, no more than are enough, never none."""

import pytest

from sigraph.config import config_from_dict
from sigraph.proposal.budget import LEAST_EPOCHS, MOST_EPOCHS, SHARE, epochs_within

SETTINGS = {
    "name": "mine",
    "seeds": [0, 1],
    "pretrain": {
        "dataset": "cora",
        "graph": "citation",
        "encoder": {"_target_": "sigraph.encoders.MLPEncoder"},
        "trainer": {"max_epochs": 10},
    },
    "finetune": [{"task": "topic", "head": "linear"}],
    "arms": {"sipt": {}, "rewired": {"pretrain.graph.rewire": 1.0}, "none": {"pretrain.trainer.max_epochs": 0}},
    "baseline": "none",
}


@pytest.mark.parametrize(
    ("seconds", "steps", "minutes", "expected", "said"),
    [
        (10.0, 100, 1.0, int(SHARE * 60 / 4), "of the 1 that you gave"),  # 2 arms x 2 seeds, 1 s an epoch
        (10.0, 100, 0.01, LEAST_EPOCHS, "more than 0.01 min allow"),
        (0.01, 1000, 60.0, 30, "3,000 steps are enough"),  # 100 steps an epoch
        (0.01, 10, 60.0, MOST_EPOCHS, "200 steps are enough"),
    ],
)
def test_epochs_fit(monkeypatch, seconds, steps, minutes, expected, said):
    monkeypatch.setattr("sigraph.proposal.budget.measure", lambda arm, seed: {"seconds": seconds, "num_steps": steps})
    epochs, why = epochs_within(config_from_dict(SETTINGS), minutes)
    assert epochs == expected and said in why and "2 arms x 2 seeds" in why
