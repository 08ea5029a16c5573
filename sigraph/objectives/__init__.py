"""L_M: losses WITHIN a sample."""

from sigraph.objectives.base import Objective
from sigraph.objectives.masked_feature import MaskedFeature

__all__ = ["MaskedFeature", "Objective"]
