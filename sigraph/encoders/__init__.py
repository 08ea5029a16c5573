"""sample -> z."""

from sigraph.encoders.base import Encoder, Encoding
from sigraph.encoders.embed import embed
from sigraph.encoders.mlp import MLPEncoder

__all__ = ["Encoder", "Encoding", "MLPEncoder", "embed"]
