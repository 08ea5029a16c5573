"""WHAT a graph, a pair, a minibatch and a data set are."""

from sigraph.data.batch import PretrainBatch, SampleIds, SeedBatch, SeedBatchSampler
from sigraph.data.card import Card, card_names, load_card
from sigraph.data.consistency import local_consistency
from sigraph.data.dataset import SampleDataset
from sigraph.data.graph import PretrainGraph
from sigraph.data.pairs import Pairs
from sigraph.edges.label_store import LabelSetStore
from sigraph.edges.store import CSRStore, EdgeStore
from sigraph.files.lazy_names import lazy_names
from sigraph.samples.tokens import FIRST_TOKEN, MASK, PAD, Tokens, token_table
from sigraph.tasks.task import Task

__all__ = [
    "FIRST_TOKEN",
    "MASK",
    "PAD",
    "CSRStore",
    "Card",
    "EdgeStore",
    "LabelSetStore",
    "Pairs",
    "PretrainBatch",
    "PretrainGraph",
    "SampleDataset",
    "SampleIds",
    "SeedBatch",
    "SeedBatchSampler",
    "Task",
    "Tokens",
    "card_names",
    "load_card",
    "local_consistency",
    "token_table",
]

# What reads and downloads data sets stands above them, and was found here in 0.1.0.
__getattr__ = lazy_names(
    __name__,
    {
        "TableReport": "sigraph.tables",
        "build_store": "sigraph.tables",
        "from_tables": "sigraph.tables",
        "data_root": "sigraph.recipes",
        "open_dataset": "sigraph.recipes",
        "prepare": "sigraph.recipes",
    },
)
