"""WHICH samples meet in a step, and which pairs are positive."""

from sigraph.samplers.base import PairSampler
from sigraph.samplers.degree_balanced import DegreeBalancedSampler
from sigraph.samplers.hard_negative import HardNegativeSampler
from sigraph.samplers.neighbor import NeighborPairSampler
from sigraph.samplers.random_walk import RandomWalkSampler
from sigraph.samplers.seeds_only import SeedsOnly
from sigraph.samplers.subgraph import SubgraphSampler

__all__ = [
    "DegreeBalancedSampler",
    "HardNegativeSampler",
    "NeighborPairSampler",
    "PairSampler",
    "RandomWalkSampler",
    "SeedsOnly",
    "SubgraphSampler",
]
