"""Words and table columns as features, against scikit-learn and by hand."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer

from sigraph.readers import TableFeatures, TfIdf
from sigraph.readers.base import UnreadableRecordsError


def test_tf_idf_is_scikit_learns():
    texts = ["a word or two words", "two or more", "words words more", "nothing else"]
    reader = TfIdf(max_ngram=2, sublinear=True)
    reader.fit(pa.table({"text": texts}))
    expected = TfidfVectorizer(min_df=2, ngram_range=(1, 2), sublinear_tf=True).fit_transform(texts).toarray()
    np.testing.assert_allclose(reader.read(pa.table({"text": texts})).vectors().numpy(), expected, atol=1e-6)
    said = reader.note(pa.table({"text": texts}))  # word, nothing, else
    assert said.startswith("3 of 12 words are not among those that were learned: left out; 1 text holds no word")
    with pytest.raises(ValueError, match="lower 'min_count'"):
        TfIdf(min_count=9).fit(pa.table({"text": texts}))
    with pytest.raises(ValueError, match="fitted first"):
        TfIdf().read(pa.table({"text": texts}))


def test_numbers_gaps_and_categories_by_hand():
    records = pa.table(
        {
            "id": [7, 8, 9, 10],
            "x": [1.0, 3.0, None, 5.0],
            "y": [True, False, True, True],
            "c": ["u", None, "v", "u"],
            "l": [[1]] * 4,
        }
    )
    reader = TableFeatures()
    reader.fit(records)
    rows = reader.read(records).vectors()
    scale = np.std([1, 3, 5])
    x = torch.tensor([-2.0, 0.0, 0.0, 2.0]) / scale
    assert torch.allclose(rows[:, 0], x.float()) and rows[:, 1].tolist() == [0, 0, 1, 0]  # and where the gap is
    assert torch.allclose(rows[:, 2].mean(), torch.zeros(())) and rows.shape == (4, 3 + 4)
    assert rows[:, 3:].sum(dim=1).tolist() == [1] * 4 and torch.equal(rows[0, 3:], rows[3, 3:])
    new = reader.read(pa.table({"x": [None, 2.0], "y": [True, True], "c": ["w", "v"]})).vectors()
    assert new[0, -1] == 1 and new[1, -1] == 0  # a category that was not learned
    assert "1 cell of 'c' is of other or rarer" in reader.note(pa.table({"x": [1.0], "y": [True], "c": ["w"]}))


@pytest.mark.parametrize(
    ("columns", "table", "words"),
    [
        (["l"], {"l": [[1]]}, "needs numbers or text in column 'l'"),
        (None, {"id": [1], "l": [[1]]}, "no column of numbers or text"),
        (None, {"x": pa.array([None, None], pa.float64())}, "finds no number in column 'x'"),
        (None, {"x": [1.0, float("inf")]}, "finite numbers .*row 2"),
        ("x", {"x": [1.0]}, "needs a list of columns"),
    ],
)
def test_what_is_no_feature_is_named(columns, table, words):
    with pytest.raises(ValueError, match=words):
        TableFeatures(columns).fit(pa.table(table))


def test_letters_in_a_row_are_counted_as_words_are():
    texts = ["MKVLA", "MKVLG", "GGGGA"]
    reader = TfIdf(analyzer="char", max_ngram=3)
    reader.fit(pa.table({"text": texts}))
    theirs = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2).fit_transform(texts).toarray()
    again = TfIdf(analyzer="char", max_ngram=3)
    again.restore(reader.state())
    for one in (reader, again):
        found = one.read(pa.table({"text": texts})).fetch(torch.arange(3))
        torch.testing.assert_close(found, torch.from_numpy(theirs).float())
    with pytest.raises(ValueError, match="'analyzer' needs to be one of word, char in 'TfIdf'"):
        TfIdf(analyzer="kmer")


def test_cells_that_are_no_numbers_are_refused_by_row_and_what_is_known_is_a_share():
    reader = TableFeatures(["x", "c"])
    reader.fit(pa.table({"x": [1.0, 3.0, 5.0], "c": ["u", None, "v"]}))
    new = pa.table({"x": ["1", "many", "", " +2.5e0", "inf"], "c": ["u", "v", "w", None, "u"]})
    with pytest.raises(
        UnreadableRecordsError, match=r"'x' .* needs numbers, as learned \(got 'many' in row 2\)"
    ) as raised:
        reader.read(new)
    assert raised.value.rows.tolist() == [1]
    with pytest.raises(UnreadableRecordsError, match="finite numbers") as raised:
        reader.read(new.filter(pa.array([True, False, True, True, True])))
    assert raised.value.rows.tolist() == [3]
    rest = new.take(pa.array([0, 2, 3]))
    assert reader.read(rest).vectors()[2, 0] == pytest.approx((2.5 - 3) / np.std([1, 3, 5]))
    assert reader.known(rest).tolist() == [1, 0, 0.5]
    text = TfIdf(min_count=1)
    text.fit(pa.table({"text": ["a word or two", "two words"]}))
    assert text.known(pa.table({"text": ["word two more", "nothing", ""]})).tolist() == [2 / 3, 0, 0]


def test_letters_of_several_columns_and_what_is_missing_in_all():
    records = pa.table({"a": ["AB", None, None], "b": ["BA", "A", None]})
    reader = TfIdf(["a", "b"], min_count=1, analyzer="char")
    reader.fit(records)
    assert reader.state()["words"] == ["\n", "a", "b"]
    assert (reader.read(records).vectors()[2] == 0).all() and reader.note(records).startswith("1 text holds no word")
    assert reader.known(pa.table({"a": ["A", "Z"], "b": ["ZZZ", "Z"]})).tolist() == [0.25, 0]


def test_categories_that_a_new_table_writes_as_floats_are_known():
    reader = TableFeatures(columns=["ward"])
    reader.fit(pa.table({"ward": ["1", "2", "2", "1"]}))
    new = pa.table({"ward": pa.array([2.0, 1.0, 2.5, float("nan")])})
    assert list(reader.known(new)) == [1, 1, 0, 0]
