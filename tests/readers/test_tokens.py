"""Words and letters as tokens, by hand."""

import pyarrow as pa
import pytest
import torch
from token_cases import listed

from sigraph.readers import SymbolTokens, TfIdf, WordTokens


def rows(samples) -> list[list[int]]:
    return listed(samples.fetch(torch.arange(len(samples))))


def test_words_by_how_often_they_occur():
    records = pa.table({"text": ["b a, A! don't", "a", "", "c-b  b", None]})
    reader = WordTokens(min_count=1)
    reader.fit(records)
    assert reader.words == ["a", "b", "c", "don't"]  # 3 and 3 times, then once each, by the alphabet
    assert rows(reader.read(records)) == [[4, 3, 3, 6], [3], [2], [5, 4, 4], [2]]
    assert reader.read(records).sizes["num_tokens"] == 7
    assert "2 texts have no word (row 3, 5)" in reader.note(records)
    new = pa.table({"text": ["a zebra", "Übung"]})
    assert rows(reader.read(new)) == [[3, 2], [2]] and reader.note(new).startswith("2 of 3 words are not in")


def test_rare_words_long_texts_and_case():
    records = pa.table({"text": ["x y x", "Y y z"]})
    for settings, words in (({}, ["y", "x"]), ({"lowercase": False}, ["x", "y"]), ({"max_tokens": 1}, ["y"])):
        reader = WordTokens(**settings)
        reader.fit(records)
        assert reader.words == words, settings
    reader = WordTokens(min_count=1, max_length=2)
    reader.fit(records)
    assert [len(row) for row in rows(reader.read(records))] == [2, 2]
    with pytest.raises(ValueError, match="lower 'min_count'"):
        WordTokens(min_count=9).fit(records)


def test_letters_of_an_alphabet():
    records = pa.table({"sequence": ["ACX", "ac-\n*", "a1€", "", "  "]})
    reader = SymbolTokens()
    reader.fit(records)
    a, c, x = (3 + reader.letters.index(letter) for letter in "ACX")
    assert rows(reader.read(records)) == [[a, c, x], [a, c], [a, 2, 2], [2], [2]]
    note = reader.note(records)
    assert note.startswith("2 of 8 letters, in 1 sequence,") and "2 sequences are empty (row 4, 5)" in note
    assert SymbolTokens(alphabet="DNA").letters == SymbolTokens(alphabet="dna").letters
    assert rows(SymbolTokens(alphabet="acgt", max_length=2).read(pa.table({"sequence": ["TGA"]}))) == [[6, 5]]


def test_words_of_several_columns_are_those_of_one_text():
    records = pa.table({"title": ["a b", None, "", "c"], "abstract": ["a", "b c", None, ""]})
    both, one = WordTokens(["title", "abstract"], min_count=1), WordTokens(min_count=1)
    both.fit(records)
    joined = pa.table({"text": ["a b a", "b c", "", "c"]})
    one.fit(joined)
    assert both.state() == one.state() and both.wanted == both.written == ["title", "abstract"]
    assert rows(both.read(records)) == rows(one.read(joined))
    assert both.note(records) == "1 text has no word (row 3)"  # missing in all columns
    with pytest.raises(ValueError, match="'column' 'body' of 'WordTokens' is not in the records"):
        WordTokens(["title", "body"]).fit(records)


def test_a_special_token_stands_between_the_sequences_of_several_columns():
    records = pa.table({"heavy": ["AC", None, "", "D\x1f"], "light": ["D", "C*", None, "A"]})
    reader = SymbolTokens(["heavy", "light"], "ACD")
    reader.fit(records)
    samples = reader.read(records)
    assert rows(samples) == [[3, 4, 6, 5], [6, 4], [2], [5, 2, 6, 3]]
    is_special = samples.fetch(torch.tensor([0])).is_special
    assert samples.sizes["num_tokens"] == 7 and is_special.tolist() == [False, False, True, False]
    assert "1 of 7 letters, in 1 sequence," in reader.note(records) and "1 sequence is empty (row 3)" in reader.note(
        records
    )
    assert reader.known(records).tolist() == [1, 1, 0, 2 / 3]
    assert SymbolTokens(["heavy"], "ACD").read(records).sizes["num_tokens"] == 6


@pytest.mark.parametrize("kind", [WordTokens, SymbolTokens, TfIdf])
@pytest.mark.parametrize("column", [[], ["a", "a"], [1], None, {"a": 1}])
def test_columns_are_named_by_a_text_or_a_list_of_different_ones(kind, column):
    with pytest.raises(ValueError, match="'column' needs a column's name, or a list of different ones"):
        kind(column)


@pytest.mark.parametrize("alphabet", ["AA", "", "A-C", None, 5])
def test_an_alphabet_is_of_different_letters(alphabet):
    with pytest.raises(ValueError, match="'alphabet' needs"):
        SymbolTokens(alphabet=alphabet)


@pytest.mark.parametrize("kind", [WordTokens, SymbolTokens])
@pytest.mark.parametrize(("cells", "words"), [(["", None], "empty in all 2 rows"), ([1, 2], "needs text")])
def test_a_column_without_text_is_refused(kind, cells, words):
    with pytest.raises(ValueError, match=words):
        kind("t").fit(pa.table({"t": cells}))
