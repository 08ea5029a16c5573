"""What reads, encodes and hides samples of a kind: a first choice that trains in minutes, with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sigraph.data import SampleDataset
from sigraph.encoders.checkpoint_folder import open_checkpoint
from sigraph.files.counted import counted
from sigraph.machines.devices import has_bf16
from sigraph.readers.base import text_column
from sigraph.samples import Features, Records, SparseFeatures, TokenSequences
from sigraph.samples.molecules import parsed
from sigraph.samples.normal_forms import has_rdkit

SEQUENCES = ("protein", "dna", "rna")
_LETTERS = {"protein": 3, "dna": 6, "rna": 6}  # in a row that count as one
_MANY = 1_000  # features: a wider encoder
_WORDS = 5_000  # at most, the commonest: more take longer and seldom tell more
LONGEST = 128  # tokens of a text that a checkpoint reads
FINE_RATE, SMALL_BATCH = 5.0e-5, 32  # of a checkpoint
FINEST_RATE = 2.0e-5  # of one that embeds samples well as it is
FEW_TEXTS = 20  # that hold a word by which they are joined
_SPARSE = 0.5  # share of zeros from which features count words


@dataclass
class Components:
    """Settings of a pre-training that depend on what the samples are.

    Args:
        reader, encoder, objective: As in an experiment file; no objective where it would undo what the encoder knows.
        near: The graph of nearest samples, for who has no edges; None: there is none to propose.
        read: Columns that are read.
        why: The reason of each, by key, for people.
        arms: What such samples should be compared with besides.
        pace: Learning rate, and samples of a step at most.
        trainer: Of ``pretrain.trainer``.
        shorter: Overrides by which it takes less time.
    """

    reader: dict[str, Any] | None
    encoder: dict[str, Any]
    objective: dict[str, Any] | None
    near: dict[str, Any] | None
    read: list[str]
    why: dict[str, str] = field(default_factory=dict)
    arms: dict[str, Any] = field(default_factory=dict)
    pace: tuple[float, int] = (1.0e-3, 1024)
    trainer: dict[str, Any] = field(default_factory=dict)
    shorter: str = ""


def choose_components(dataset: SampleDataset, uses: Mapping[str, str], checkpoint: str | None = None) -> Components:
    """For molecules a graph network, for texts, sequences and tables a perceptron on counts or features.

    Of several columns that could be read the first of this order is: molecules, the longest sequence, all of text as
    one, tokens, numbers and categories together.

    Args:
        dataset: As it would be prepared.
        uses: What each column of its records is, as :class:`~sigraph.data.column_uses.ColumnUse` says.
        checkpoint: Folder of a transformer that reads its texts or sequences instead.

    Raises:
        ValueError: Nothing of it can be read.
    """
    store = dataset.store
    if checkpoint is not None:
        return _of_checkpoint(checkpoint, store.records() if isinstance(store, Records) else None, uses)
    if isinstance(store, TokenSequences):
        return Components(
            None,
            _component("encoders.GRUEncoder", embedding_channels=128, out_channels=128),
            _component("objectives.MaskedToken"),
            _component("graphs.BipartiteGraph", column="tokens", max_item_degree=100),
            ["tokens"],
            {"encoder": "samples are token sequences", "objective": "hides tokens and predicts them"},
        )
    if isinstance(store, Features | SparseFeatures):
        words = _counts_words(dataset)
        return Components(
            None,
            _perceptron(dataset.in_channels or 0),
            _masked("words" if words else "mse"),
            _component("graphs.KNNGraph", k=10, metric="cosine" if words else "euclidean"),
            [],
            {
                "encoder": f"samples are rows of {counted(dataset.in_channels or 0, 'number')}",
                "objective": "hides entries and predicts them"
                + (", as words: most are 0 and none is negative" if words else ""),
            },
        )
    records = store.records() if isinstance(store, Records) else None
    if records is None:
        raise ValueError(f"no encoder is proposed for samples that are {store.describe()}; write the YAML by hand")
    return _of_records(records, uses)


def _of_records(records: pa.Table, uses: Mapping[str, str]) -> Components:
    by_use: dict[str, list[str]] = {}
    for name, use in uses.items():
        if name in records.column_names:
            by_use.setdefault(use, []).append(name)
    if by_use.get("smiles"):
        return _molecules(by_use["smiles"][0], records)
    for kind in SEQUENCES:
        if by_use.get(kind):
            return _sequences(_longest(records, by_use[kind]), kind, by_use[kind])
    if by_use.get("text"):
        return _texts(by_use["text"], records)
    columns = [name for name in records.column_names if uses.get(name) in ("number", "category")]
    if columns:
        return _table(columns)
    raise ValueError(
        f"there is nothing to read in the columns {', '.join(map(repr, records.column_names))}; say what they hold "
        "(--text, --sequence, --smiles, --category COLUMN)"
    )


def _of_checkpoint(checkpoint: str, records: pa.Table | None, uses: Mapping[str, str]) -> Components:
    """As of records that are counted, but read by a checkpoint; the counts are what it is compared with."""
    read = {name: use for name, use in uses.items() if use in ("text", *SEQUENCES)}
    texts = [name for name, use in read.items() if use == "text"]
    if records is None or not any(name in records.column_names for name in read):
        raise ValueError("--checkpoint needs a column of text or of sequences to read (--text, --sequence COLUMN)")
    counts = _texts(texts, records) if texts else _of_records(records, read)
    columns = counts.read
    # Tokens are no rows of numbers, of which the nearest could be found; words that few texts hold join them.
    shared = _component("graphs.BipartiteGraph", column=columns[0], separator=" ", max_item_degree=FEW_TEXTS)
    # On arxiv-2023 hidden tokens cost such a checkpoint what citations gave (experiments/arxiv-2023/minilm.yaml).
    embeds = open_checkpoint(checkpoint, "HuggingFaceEncoder").pooling is not None
    return Components(
        _component(
            "readers.HuggingFaceTokens", column=columns[0] if len(columns) == 1 else columns, checkpoint=checkpoint
        )
        | {"max_length": LONGEST},
        _component("encoders.HuggingFaceEncoder", checkpoint=checkpoint, dropout=0.0),
        None if embeds else _component("objectives.MaskedToken", tied=True),
        shared if texts else None,
        columns,
        {
            "reader": f"{' and '.join(columns)}{_blank(columns, records)}, by the checkpoint's own tokenizer; what is "
            "longer is cut, and counted",
            "encoder": "all of its weights learn; lora: 8 learns a few of them, and needs less memory; dropout takes a "
            "third of a processor's time",
            "objective": "none: what embeds texts well already forgets by hiding tokens; see docs/transformers.md"
            if embeds
            else "hides tokens and predicts them, by the checkpoint's own embeddings",
        },
        {"tf-idf": {"kind": _component("arms.RawFeatures"), "pretrain.reader": counts.reader}},
        (FINEST_RATE if embeds else FINE_RATE, SMALL_BATCH),
        {"precision": "bf16-mixed"} if has_bf16() else {},
        f"pretrain.reader.max_length={LONGEST // 2}, pretrain.encoder.freeze_layers=4",
    )


def _molecules(column: str, records: pa.Table) -> Components:
    sizes = {"hidden_channels": 64, "out_channels": 64, "num_layers": 3}
    text = records[column].cast(pa.large_string()).combine_chunks()
    unreadable = sum(one is None for one in parsed(text)) if has_rdkit() else 0
    how = {"unreadable": "unknown"} if unreadable else {}
    said = f"; {unreadable:,} that rdkit cannot read are one unknown atom" if unreadable else ""
    return Components(
        _component("readers.Molecules", column=column, **how),
        _component("encoders.GraphEncoder", layer="gine", node_encoder="ogb", edge_encoder="ogb", **sizes),
        _component("objectives.AttributeMasking", node_categories="ogb", edge_categories="ogb"),
        _component("graphs.TanimotoGraph", k=5, column=column),
        [column],
        {
            "reader": f"{column} holds molecules: atoms and bonds with OGB's attributes{said}",
            "encoder": "a graph network of the bonds, small enough for a processor; 300 x 5 is usual on a GPU",
            "objective": "hides atoms and bonds and predicts what they are",
        },
        {"morgan": {"kind": _component("arms.MorganFingerprints", column=column, **how)}},
    )


def _sequences(column: str, kind: str, columns: list[str]) -> Components:
    most = _LETTERS[kind]
    others = [name for name in columns if name != column]
    more = f"; not read: {', '.join(others)} (column: [{', '.join(columns)}] reads all)" if others else ""
    return Components(
        _component(
            "readers.TfIdf", column=column, analyzer="char", max_ngram=most, max_features=_WORDS, sublinear=True
        ),
        _perceptron(_WORDS),
        _masked("words"),
        _component("graphs.KNNGraph", k=10, metric="cosine"),
        [column],
        {
            "reader": f"{column} holds {kind} sequences: counts of up to {most} letters in a row, which is fast; "
            f"SymbolTokens with TransformerEncoder and MaskedToken read their order{more}",
            "encoder": "a perceptron on those counts",
            "objective": "hides counts and predicts them",
        },
    )


def _texts(columns: list[str], records: pa.Table) -> Components:
    one = columns[0] if len(columns) == 1 else ""
    column = one or columns
    what = f"{one} holds text" if one else f"{' and '.join(columns)} hold text, read as one"
    what += _blank(columns, records)
    return Components(
        _component("readers.TfIdf", column=column, max_features=_WORDS, sublinear=True),
        _perceptron(_WORDS),
        _masked("words"),
        _component("graphs.KNNGraph", k=10, metric="cosine"),
        columns,
        {
            "reader": f"{what}; WordTokens with TransformerEncoder and MaskedToken read its order",
            "encoder": "a perceptron on weighted words: hard to beat where texts are few, and fast",
            "objective": "hides words and predicts them",
        },
    )


def _blank(columns: list[str], records: pa.Table) -> str:
    """How many samples have no text, if there are any."""
    text = text_column(records, columns, "TfIdf", True)
    blank = int(pc.sum(pc.equal(pc.utf8_trim_whitespace(text), "")).as_py() or 0)
    return f" ({counted(blank, 'sample')} without any)" if blank else ""


def _table(columns: list[str]) -> Components:
    return Components(
        _component("readers.TableFeatures", columns=columns),
        _perceptron(len(columns)),
        _masked("mse"),
        _component("graphs.KNNGraph", k=10, metric="euclidean"),
        columns,
        {
            "reader": "numbers scaled, a feature for each category, gaps known as gaps",
            "encoder": "a perceptron on the features",
            "objective": "hides features and predicts them",
        },
    )


def _perceptron(num_features: int) -> dict[str, Any]:
    wide = num_features >= _MANY
    return _component(
        "encoders.MLPEncoder",
        hidden_channels=512 if wide else 256,
        out_channels=128,
        dropout=0.3,
        input_dropout=0.2 if wide else 0.0,
    )


def _masked(loss: str) -> dict[str, Any]:
    return _component("objectives.MaskedFeature", mask_rate=0.15, loss=loss)


def _component(name: str, **arguments: Any) -> dict[str, Any]:
    return {"_target_": f"sigraph.{name}", **arguments}


def _longest(records: pa.Table, columns: list[str]) -> str:
    """The column with most letters."""
    return max(columns, key=lambda name: pc.sum(pc.utf8_length(records[name].cast(pa.large_string()))).as_py() or 0)


def _counts_words(dataset: SampleDataset) -> bool:
    """Whether features are none below 0 and mostly 0, as those of a bag of words."""
    if isinstance(dataset.store, SparseFeatures):
        return bool((dataset.store.value.whole() >= 0).all())
    rows = dataset.store.vectors()
    return rows is not None and bool((rows >= 0).all()) and float((rows == 0).float().mean()) > _SPARSE
