"""Semi-synthetic worlds: samples whose pre-training graph and labels are known by construction."""

from sigraph.synthetic.base import World
from sigraph.synthetic.torus import TorusWorld

__all__ = ["TorusWorld", "World"]
