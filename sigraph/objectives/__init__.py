"""L_M: losses WITHIN a sample."""

from sigraph.objectives.base import Objective
from sigraph.objectives.masked_feature import MaskedFeature
from sigraph.objectives.masked_token import MaskedToken

__all__ = ["MaskedFeature", "MaskedToken", "Objective"]
