"""How long to pre-train, from a few timed steps: as long as fits, no longer than is enough, never nothing."""

import pytest

from sigraph.config import config_from_dict
from sigraph.proposal.budget import LEAST_STEPS, MOST_EPOCHS, SHARE, length_within

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
    ("seconds", "steps", "minutes", "epochs", "of_epoch", "said"),
    [
        (10.0, 100, 1.0, int(SHARE * 60 / 4), None, "of the 1 that you gave"),  # 2 arms x 2 seeds, 1 s an epoch
        (10.0, 100, 0.01, 3, None, "more than 0.01 min allow; these take less: seeds=[0], fewer arms (--arm), way=1"),
        (10.0, 1000, 0.01, 1, LEAST_STEPS, "more than 0.01 min allow"),  # 100 steps an epoch
        (1000.0, 1000, 6.0, 1, 54, "3.6 min, of the 6 that you gave"),  # 1 s a step
        (1000.0, 1000, 17.0, 1, None, "6.7 min, of the 17 that you gave"),
        (1000.0, 1000, 30.0, 2, None, "13.3 min, of the 30 that you gave"),
        (0.01, 1000, 60.0, 30, None, "3,000 steps are enough"),
        (0.01, 10, 60.0, MOST_EPOCHS, None, "200 steps are enough"),
    ],
)
def test_a_length_fits(monkeypatch, seconds, steps, minutes, epochs, of_epoch, said):
    monkeypatch.setattr("sigraph.proposal.budget.measure", lambda arm, seed: {"seconds": seconds, "num_steps": steps})
    length = length_within(config_from_dict(SETTINGS), minutes, "way=1")
    assert (length.epochs, length.steps_per_epoch) == (epochs, of_epoch)
    assert said in length.why and "2 arms x 2 seeds" in length.why
