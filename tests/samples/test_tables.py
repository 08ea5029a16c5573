"""What Python's tools hold samples in becomes feature rows or records; no row changes its name, no gap passes."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp
import torch

import sigraph as sg
from sigraph.samples.given import as_samples, read_samples

VALUES = np.array([[0.5, 1.0], [2.0, 3.0], [4.0, 5.0]])
TEXTS = ["a b", "c", "d"]


class Streams:
    """A table of a tool that hands on nothing but Arrow's stream, as DuckDB does."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


class Polars:
    """A table by the methods that one of polars has."""

    def __init__(self, table):
        self.table, self.columns = table, table.column_names

    def to_numpy(self):
        raise NotImplementedError

    def __getitem__(self, name):
        column = self.table[name]
        return type("Series", (), {"to_arrow": lambda self: column})()


def table(**columns):
    return pa.table({name: pa.array(values) for name, values in columns.items()})


@pytest.mark.parametrize(
    "given",
    [
        VALUES,
        VALUES.astype(np.float32),
        VALUES.tolist(),
        list(torch.tensor(VALUES)),
        pd.DataFrame(VALUES, columns=["a", "b"]),
        {"a": VALUES[:, 0], "b": VALUES[:, 1]},
        [{"a": a, "b": b} for a, b in VALUES],
        Streams(table(a=VALUES[:, 0], b=VALUES[:, 1])),
        Polars(table(a=VALUES[:, 0], b=VALUES[:, 1])),
        sp.csr_array(VALUES),
    ],
    ids=lambda given: type(given).__name__,
)
def test_numbers_are_features_in_whatever_form(given):
    dataset = sg.SampleDataset(given)
    assert torch.equal(dataset.fetch(torch.arange(3)), torch.tensor(VALUES).float()) and dataset.ids is None
    is_named = not isinstance(given, np.ndarray | sp.csr_array) and not isinstance(given, list | tuple)
    assert dataset.feature_names == (
        ["a", "b"] if is_named or (isinstance(given, list) and isinstance(given[0], dict)) else None
    )


def test_numbers_of_several_kinds_and_counts_are_features():
    frame = pd.DataFrame({"yes": [True, False], "count": [1, 3], "share": pd.array([0.5, 1], "Float64")})
    assert sg.SampleDataset(frame).samples.tolist() == [[1, 1, 0.5], [0, 3, 1]]
    counts = sp.csr_array([[0, 2], [1, 0]])
    assert sg.SampleDataset(counts).fetch(torch.tensor([0, 1])).tolist() == [[0, 2], [1, 0]]


@pytest.mark.parametrize(
    "given",
    [TEXTS, tuple(TEXTS), np.array(TEXTS), np.array(TEXTS, object), pd.Series(TEXTS), pa.array(TEXTS), {"text": TEXTS}],
    ids=lambda given: type(given).__name__,
)
def test_texts_are_records_with_text(given):
    assert sg.SampleDataset(given).records.to_pydict() == {"text": TEXTS}


def test_tables_with_text_are_records_and_lists_of_integers_are_tokens():
    frame = pd.DataFrame({"title": TEXTS, "kind": pd.Categorical(["x", "y", "x"]), "year": [1, 2, 3]})
    assert sg.SampleDataset(frame).records.to_pydict() == {**frame.to_dict("list")}
    assert as_samples(pd.Series(TEXTS, name="title")).table.column_names == ["title"]
    rows = [{"title": "a"}, {"title": "b", "year": 2}]  # Arrow's own reader drops what the first row lacks
    assert as_samples(rows).table.to_pydict() == {"title": ["a", "b"], "year": [None, 2]}
    assert sg.SampleDataset(pd.DataFrame({"tokens": [[2, 3], [4]]})).num_tokens == 5
    assert sg.SampleDataset(pa.table({"a": [1.0]})).store.kind == "records"  # as ever


def test_ids_are_the_index_or_the_column_id_and_no_feature():
    named = pd.DataFrame(VALUES, columns=["a", "b"], index=["p7", "p2", "p9"])
    assert sg.SampleDataset(named).ids.to_pylist() == ["p7", "p2", "p9"]
    assert sg.SampleDataset(named.reset_index(drop=True).iloc[:2]).ids is None
    column = named.reset_index(names="id")
    dataset = sg.SampleDataset(column)
    assert dataset.ids.to_pylist() == ["p7", "p2", "p9"] and dataset.feature_names == ["a", "b"]
    assert sg.SampleDataset(column, ids=[4, 5, 6]).ids.to_pylist() == [4, 5, 6]
    assert sg.SampleDataset(pd.DataFrame(VALUES, index=[30, 40, 50])).ids.to_pylist() == [30, 40, 50]
    assert read_samples(pd.Series(TEXTS, index=["u", "v", "w"])).ids.tolist() == ["u", "v", "w"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (pd.DataFrame({"a": [1.0, 2.0]}, index=[1, 0]), r"row 0 is 1, so that an edge .*ids=frame.index; none: .reset"),
        (pd.DataFrame({"a": [1.0, 2.0]}, index=pd.to_datetime(["2020", "2021"])), "needs an index of integers or text"),
        (pd.DataFrame({"a": [1.0, 2.0]}, index=["u", "u"]), "'ids' needs each id once"),
        (pd.DataFrame({"id": [5, 6], "a": [1.0, 2.0]}, index=["u", "v"]), "an index and a column 'id'"),
        (pd.DataFrame({"id": [5, 6]}), "needs a column besides ids"),
        (pd.DataFrame([[1.0, 2.0]], columns=["a", "a"]), "each column once .*'a' again"),
        (pd.DataFrame({"a": [1.0, None], "b": [1, 2]}), "column 'a' lacks 1, first in row 1.*TableFeatures"),
        (pd.DataFrame.sparse.from_spmatrix(sp.eye_array(2)), r"sparse columns: frame.sparse.to_coo\(\)"),
        (pd.Series([1.0, 2.0]), r"needs text, or rows .*\[N, 1\]"),
        (["a", 1], "needs numbers, text or lists of one kind"),
        ({"a": [1.0], "b": [1.0, 2.0]}, "columns of one length .*'a' 1, 'b' 2"),
    ],
)
def test_what_could_be_misread_is_refused_with_the_way_out(given, message):
    with pytest.raises(ValueError, match=message):
        sg.SampleDataset(given)
