"""Semi-synthetic worlds: samples whose pre-training graph and labels are known by construction."""

from sigraph.synthetic.base import World
from sigraph.synthetic.cliques import CliqueWorld
from sigraph.synthetic.manifolds import ManifoldWorld
from sigraph.synthetic.topics import TopicModel
from sigraph.synthetic.topology import TopologyWorld
from sigraph.synthetic.torus import TorusWorld

__all__ = ["CliqueWorld", "ManifoldWorld", "TopicModel", "TopologyWorld", "TorusWorld", "World"]
