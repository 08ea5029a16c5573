"""L_SI: losses between samples, computed on embeddings and on pairs of the pre-training graph."""

from sigraph.losses.base import PairSets, StructureLoss
from sigraph.losses.blockwise import Block, PairwiseLoss, log_sum_exp
from sigraph.losses.contrastive import ContrastiveLoss
from sigraph.losses.info_nce import InfoNCELoss
from sigraph.losses.joint import JointLoss
from sigraph.losses.link_prediction import LinkPredictionLoss
from sigraph.losses.memory import CrossBatchMemory
from sigraph.losses.multi_similarity import MultiSimilarityLoss
from sigraph.losses.n_pair import NPairLoss
from sigraph.losses.pml import PMLLoss
from sigraph.losses.projected import ProjectedLoss
from sigraph.losses.smoothness import SmoothnessLoss
from sigraph.losses.target import TargetLoss
from sigraph.losses.triplet import TripletLoss

__all__ = [
    "Block",
    "ContrastiveLoss",
    "CrossBatchMemory",
    "InfoNCELoss",
    "JointLoss",
    "LinkPredictionLoss",
    "MultiSimilarityLoss",
    "NPairLoss",
    "PMLLoss",
    "PairSets",
    "PairwiseLoss",
    "ProjectedLoss",
    "SmoothnessLoss",
    "StructureLoss",
    "TargetLoss",
    "TripletLoss",
    "log_sum_exp",
]
