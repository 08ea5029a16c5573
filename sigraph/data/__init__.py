"""WHAT a sample, a graph, a pair and a minibatch are."""

from sigraph.data.batch import PretrainBatch, SampleIds, SeedBatch, SeedBatchSampler
from sigraph.data.card import Card, card_names, load_card
from sigraph.data.consistency import local_consistency
from sigraph.data.dataset import SampleDataset
from sigraph.data.graph import PretrainGraph
from sigraph.data.import_tables import from_tables
from sigraph.data.out_of_core import build_store
from sigraph.data.pairs import Pairs
from sigraph.data.prepare import data_root, open_dataset, prepare
from sigraph.data.table_report import TableReport
from sigraph.edges.label_store import LabelSetStore
from sigraph.edges.store import CSRStore, EdgeStore
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
    "TableReport",
    "Task",
    "Tokens",
    "build_store",
    "card_names",
    "data_root",
    "from_tables",
    "load_card",
    "local_consistency",
    "open_dataset",
    "prepare",
    "token_table",
]
