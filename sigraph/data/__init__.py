"""WHAT a graph, a pair, a minibatch and a data set are. Names are imported when they are first used."""

from typing import TYPE_CHECKING

from sigraph.files.lazy_names import lazy_names

if TYPE_CHECKING:
    from sigraph.data.batch import PretrainBatch, SampleIds, SeedBatch, SeedBatchSampler
    from sigraph.data.card import Card, card_names, load_card
    from sigraph.data.consistency import local_consistency
    from sigraph.data.dataset import SampleDataset
    from sigraph.data.graph import PretrainGraph
    from sigraph.data.pairs import Pairs

__all__ = [
    "Card",
    "Pairs",
    "PretrainBatch",
    "PretrainGraph",
    "SampleDataset",
    "SampleIds",
    "SeedBatch",
    "SeedBatchSampler",
    "card_names",
    "load_card",
    "local_consistency",
]

_HERE = {
    **dict.fromkeys(("PretrainBatch", "SampleIds", "SeedBatch", "SeedBatchSampler"), "batch"),
    **dict.fromkeys(("Card", "card_names", "load_card"), "card"),
    "SampleDataset": "dataset",
    "PretrainGraph": "graph",
    "Pairs": "pairs",
    "local_consistency": "consistency",
}
_MOVED = {  # found here in 0.1.0
    **dict.fromkeys(("CSRStore", "EdgeStore", "LabelSetStore"), "sigraph.edges"),
    **dict.fromkeys(("FIRST_TOKEN", "MASK", "PAD", "Tokens", "token_table"), "sigraph.samples"),
    "Task": "sigraph.tasks",
    **dict.fromkeys(("TableReport", "build_store", "from_tables"), "sigraph.tables"),
    **dict.fromkeys(("data_root", "open_dataset", "prepare"), "sigraph.recipes"),
}
__getattr__ = lazy_names(__name__, {**{name: f"{__name__}.{module}" for name, module in _HERE.items()}, **_MOVED})
