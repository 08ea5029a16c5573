"""WHAT an arm does that pre-trains no encoder: closed forms, and models of other methods to compare with."""

from sigraph.arms.base import ArmKind, Given, Prediction
from sigraph.arms.label_propagation import LabelPropagation
from sigraph.arms.lsa import LSA
from sigraph.arms.majority import Majority
from sigraph.arms.morgan_fingerprints import MorganFingerprints
from sigraph.arms.raw_features import RawFeatures
from sigraph.arms.ridge import Ridge
from sigraph.arms.supervised_gnn import SupervisedGNN

__all__ = [
    "LSA",
    "ArmKind",
    "Given",
    "LabelPropagation",
    "Majority",
    "MorganFingerprints",
    "Prediction",
    "RawFeatures",
    "Ridge",
    "SupervisedGNN",
]
