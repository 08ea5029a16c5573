"""Worlds that settings describe."""

from sigraph.synthetic.generated import generated, shown

WORLD = {"_target_": "sigraph.synthetic.ManifoldWorld", "manifold": "torus", "num_samples": 20}


def test_a_world_is_generated_once_and_said_by_its_settings():
    assert generated(WORLD, "dataset") is generated(dict(reversed(WORLD.items())), "dataset")
    assert len(generated(WORLD, "dataset")) == 20
    assert shown("cora") == "cora" and shown(WORLD) == "ManifoldWorld(manifold=torus, num_samples=20)"
