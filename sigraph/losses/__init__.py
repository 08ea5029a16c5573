"""L_SI: losses between samples, computed on embeddings and on pairs of the pre-training graph."""

from sigraph.losses.base import PairSets, StructureLoss
from sigraph.losses.blockwise import Block, PairwiseLoss, log_sum_exp
from sigraph.losses.contrastive import ContrastiveLoss
from sigraph.losses.info_nce import InfoNCELoss
from sigraph.losses.memory import CrossBatchMemory
from sigraph.losses.multi_similarity import MultiSimilarityLoss

__all__ = [
    "Block",
    "ContrastiveLoss",
    "CrossBatchMemory",
    "InfoNCELoss",
    "MultiSimilarityLoss",
    "PairSets",
    "PairwiseLoss",
    "StructureLoss",
    "log_sum_exp",
]
