"""The contract, for every reader of the package."""

import json
import pickle

import pyarrow as pa
import pytest
import torch
from contracts import concrete_subclasses

import sigraph.readers
from sigraph.data import SampleDataset
from sigraph.readers import HuggingFaceTokens, Molecules, Reader, SymbolTokens, TableFeatures, TfIdf, WordTokens
from sigraph.samples import Samples

TEXTS = ["graphs of words", "words, words and more words", "a graph of graphs", "more of the same words", "of graphs"]
RECORDS = pa.table(
    {
        "id": [f"p{i}" for i in range(5)],
        "text": TEXTS,
        "sequence": ["MKV", "MKL", "mkva", "AC-DE*", "W"],
        "smiles": ["CCO", "[He]", "c1ccccc1", "[Na+].[Cl-]", "CC(=O)O"],
        "size": [1.0, 2.5, None, 4.0, -3.0],
        "kind": ["a", "b", "a", None, "b"],
    }
)
OTHERS = pa.table({name: RECORDS.column(name).take(pa.array([3, 0])) for name in RECORDS.column_names})
# How to build one for these records; a reader without an entry fails here and asks for one.
EXAMPLES = {
    "HuggingFaceTokens": lambda: HuggingFaceTokens(train={"vocab_size": 60}),
    "WordTokens": lambda: WordTokens(),
    "Molecules": lambda: Molecules(unreadable="unknown"),
    "SymbolTokens": lambda: SymbolTokens(),
    "TfIdf": lambda: TfIdf(),
    "TableFeatures": lambda: TableFeatures(["size", "kind"]),
}
every_reader = pytest.mark.parametrize("kind", concrete_subclasses(Reader, sigraph.readers))


def fitted(kind, records=RECORDS) -> Reader:
    reader = EXAMPLES[kind.__name__]()
    reader.fit(records)
    return reader


def same(left: Samples, right: Samples) -> bool:
    return left.digest() == right.digest() and left.sizes == right.sizes


@every_reader
def test_is_exported_and_documented(kind):
    assert kind.__name__ in sigraph.readers.__all__ and "Args:" in (kind.__doc__ or "")


@every_reader
def test_a_record_is_a_sample_whatever_stands_beside_it(kind):
    reader = fitted(kind)
    samples = reader.read(RECORDS)
    assert len(samples) == 5 and isinstance(samples, Samples)
    samples.check()
    assert same(reader.read(OTHERS), samples.take(torch.tensor([3, 0])))
    assert same(samples, fitted(kind).read(RECORDS))  # the same records teach the same


@every_reader
def test_what_was_learned_survives_json(kind):
    state = json.loads(json.dumps(fitted(kind).state()))
    other = EXAMPLES[kind.__name__]()
    other.restore(state)
    assert same(other.read(RECORDS), fitted(kind).read(RECORDS)) and other.state() == fitted(kind).state()
    assert same(pickle.loads(pickle.dumps(fitted(kind))).read(OTHERS), other.read(OTHERS))
    for wrong in ({}, dict.fromkeys(state, 5), []):
        with pytest.raises(ValueError, match="needs"):
            EXAMPLES[kind.__name__]().restore(wrong)


@every_reader
def test_what_is_not_known_is_counted_and_read_all_the_same(kind):
    reader = fitted(kind)
    strange = pa.table({"text": ["zzz", "words"], "sequence": ["€MK", ""], "size": [None, 1.0], "kind": ["z", "a"]})
    strange = strange.append_column("smiles", [["no molecule", "C"]])
    assert len(reader.read(strange)) == 2
    assert reader.note(strange)[0].isdigit()


@every_reader
def test_a_column_that_is_not_there_is_named_with_those_that_are(kind):
    with pytest.raises(ValueError, match=r"not in the records.* there are: 'x'"):
        fitted(kind, pa.table({"x": [1]}))
    with pytest.raises(ValueError, match="not in the records"):
        fitted(kind).read(pa.table({"x": [1]}))


@every_reader
def test_the_data_set_that_was_read_is_the_same_one(kind):
    dataset = SampleDataset(RECORDS, ids=RECORDS.column("id").combine_chunks())
    read = dataset.read(fitted(kind))
    assert read.fingerprint == dataset.fingerprint and read.ids.equals(dataset.ids) and read.reader is not None
    assert read.records is not None and read.feature_names is None
    assert read.unread is dataset.store and read.sizes and len(read.subset(torch.tensor([1]))) == 1
    again = pickle.loads(pickle.dumps(read))
    assert same(again.store, read.store) and again.fingerprint == dataset.fingerprint


@every_reader
def test_new_records_may_hold_less_than_those_learned_from(kind):
    """Numbers where text was, nothing at all: what a table of new samples is guessed to hold."""
    reader = fitted(kind)
    new = pa.table({"text": [1999, 2000], "sequence": [None, None], "size": [None, None], "kind": [3, 4]})
    new = new.append_column("smiles", [[1999, 2000]])
    assert len(reader.read(new)) == 2


@every_reader
def test_what_was_not_learned_cannot_be_read(kind):
    if kind in (SymbolTokens, Molecules):
        return  # learn nothing
    with pytest.raises(ValueError, match="fitted first"):
        EXAMPLES[kind.__name__]().read(RECORDS)
    with pytest.raises(ValueError, match="needs a pyarrow Table"):
        EXAMPLES[kind.__name__]().fit("x")


@every_reader
def test_what_is_known_of_a_record_is_a_share(kind):
    known = fitted(kind).known(RECORDS)
    assert known is None or (known.shape == (5,) and known.min() >= 0 and known.max() == 1)
