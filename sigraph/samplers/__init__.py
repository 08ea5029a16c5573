"""WHICH samples meet in a step, and which pairs are positive."""

from sigraph.samplers.base import PairSampler
from sigraph.samplers.neighbor import NeighborPairSampler

__all__ = ["NeighborPairSampler", "PairSampler"]
