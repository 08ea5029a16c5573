"""WHAT a sample is: features, token sequences, graphs, records."""

from sigraph.samples.base import Samples
from sigraph.samples.features import Features
from sigraph.samples.graphs import Graphs
from sigraph.samples.records import Records
from sigraph.samples.sparse_features import SparseFeatures
from sigraph.samples.token_sequences import TokenSequences
from sigraph.samples.tokens import FIRST_TOKEN, MASK, PAD, Tokens, token_table

__all__ = [
    "FIRST_TOKEN",
    "MASK",
    "PAD",
    "Features",
    "Graphs",
    "Records",
    "Samples",
    "SparseFeatures",
    "TokenSequences",
    "Tokens",
    "token_table",
]
