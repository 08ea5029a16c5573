"""L_M: losses WITHIN a sample."""

from sigraph.objectives.attribute_masking import AttributeMasking
from sigraph.objectives.base import Objective
from sigraph.objectives.context_prediction import ContextPrediction
from sigraph.objectives.denoising import Denoising
from sigraph.objectives.edge_prediction import EdgePrediction
from sigraph.objectives.graph_mae import GraphMAE
from sigraph.objectives.joint import JointObjective
from sigraph.objectives.masked_feature import MaskedFeature
from sigraph.objectives.masked_token import MaskedToken
from sigraph.objectives.multi_task import MultiTask

__all__ = [
    "AttributeMasking",
    "ContextPrediction",
    "Denoising",
    "EdgePrediction",
    "GraphMAE",
    "JointObjective",
    "MaskedFeature",
    "MaskedToken",
    "MultiTask",
    "Objective",
]
