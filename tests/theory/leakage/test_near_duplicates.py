"""Alike samples: against loops over all pairs, on hostile text, and what is no content."""

import itertools
import sys
import time
import types
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sigraph.samples import token_table
from sigraph.theory.leakage import near_duplicates, normal_forms
from sigraph.theory.leakage.near_duplicates import column_kind, find_alike, hashed_rows, near_by_cosine, occurs_in
from sigraph.theory.leakage.normal_forms import canonical_smiles, normalized_sequence, normalized_text

HOSTILE = [
    "",
    " ",
    "\x00",
    "a\u200bb",
    "ＡＢ",
    "ﬁ",
    "İ",
    "ß",
    "🙂",
    "\u202e",
    "e\u0301",
    "é",
    "!?",
    "\ufeffa",
    "A  b",
    "a,b",
]
CHARACTERS = st.sampled_from("aAbB .,!\t\n\x00\u00e9\u0301\u200bＡß🙂+<")


def plain(text: str) -> str:
    """By Python's own tables, character by character."""
    seen = "".join(c for c in text if unicodedata.category(c) != "Cf")
    form = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).lower())
    kinds = [unicodedata.category(c) for c in form]
    kept = [" " if kind[0] in "PZ" or kind == "Cc" else c for c, kind in zip(form, kinds, strict=True)]
    return " ".join(word for word in "".join(kept).split(" ") if word)


def same(code) -> set[tuple[int, int]]:
    """The pairs that are alike."""
    return {(i, j) for i, j in itertools.combinations(range(len(code)), 2) if code[i] == code[j] >= 0}


def table(text, name="text") -> pa.Table:
    return pa.table({name: pa.array(text, pa.string())})


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(CHARACTERS, max_size=6), min_size=1, max_size=12))
def test_text_is_alike_as_a_loop_over_pairs_says(text):
    found = find_alike(table(text), kinds={"text": "text"})
    forms = [plain(t) for t in text]
    assert list(found.levels) == ["exact", "normalised"]
    pairs = list(itertools.combinations(range(len(text)), 2))
    assert same(found.levels["normalised"]) == {(i, j) for i, j in pairs if forms[i] == forms[j] != ""}
    assert same(found.levels["exact"]) == {(i, j) for i, j in pairs if text[i] == text[j] and forms[i]}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(CHARACTERS, max_size=8)), max_size=8))
@example(["A\u200b\u0301"])
def test_normalized_text_is_what_unicode_says(text):
    forms = normalized_text(pa.array(text, pa.string())).to_pylist()
    assert [form or "" for form in forms] == ["" if t is None else plain(t) for t in text]
    again = normalized_text(pa.array(forms, pa.string())).to_pylist()
    assert [form or "" for form in again] == [form or "" for form in forms]


def test_long_text_in_blocks_is_as_short_text(monkeypatch):
    text = [("Some Words, " * i)[: 7 * i] for i in range(40)]
    whole = normalized_text(pa.array(text)).to_pylist()
    monkeypatch.setattr(normal_forms, "_BLOCK", 16)
    assert normalized_text(pa.array(text)).to_pylist() == whole == [plain(t) for t in text]


def test_hostile_text_has_a_form_and_symbols_keep_their_meaning():
    forms = normalized_text(pa.array(HOSTILE)).to_pylist()
    assert forms[:6] == ["", "", "", "ab", "ab", "fi"] and forms[9] == "" and forms[10] == forms[11]
    assert forms[12] == "" and forms[13] == "a" and forms[14] == forms[15] == "a b"
    assert normalized_text(pa.array(["x < 1", "x > 1"])).to_pylist() == ["x < 1", "x > 1"]


def test_nothing_is_alike_to_nothing():
    for samples in (table(["", "", None, None, "...", "!!", "a b", "c d"]), torch.zeros(5, 3)):
        found = find_alike(samples)
        assert not same(found.loosest) and not same(found.levels["exact"])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-30]), min_size=3, max_size=3), min_size=1, max_size=9)
)
def test_feature_rows_are_alike_where_they_are_equal(rows):
    x = torch.tensor(rows)
    pairs = itertools.combinations(range(len(x)), 2)
    assert same(find_alike(x).loosest) == {(i, j) for i, j in pairs if torch.equal(x[i], x[j]) and bool(x[i].any())}


def test_rows_of_the_same_numbers_in_another_order_differ():
    x = torch.tensor([[1.0, 2, 3], [3, 2, 1], [2, 1, 3], [1, 2, 3]])
    assert same(find_alike(x).loosest) == {(0, 3)}
    bits = torch.randint(2, (20_000, 64), generator=torch.Generator().manual_seed(0)).float()
    assert len(np.unique(hashed_rows(bits))) == len(bits.unique(dim=0))
    assert (hashed_rows(bits.double()[:50]) == hashed_rows(bits.double())[:50]).all()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.integers(2, 4), min_size=1, max_size=3), min_size=1, max_size=10))
def test_token_sequences_are_alike_where_they_are_equal(sequences):
    pairs = itertools.combinations(range(len(sequences)), 2)
    found = find_alike(token_table(sequences, 5))
    assert same(found.loosest) == {(i, j) for i, j in pairs if sequences[i] == sequences[j]}


def test_two_sets_are_numbered_together_also_in_pieces():
    first = pa.concat_tables([table(["a b", "c d"]), table(["e f"])])
    code = find_alike(first, table(["C, D", "e f", "g h"])).levels
    assert same(code["exact"]) == {(2, 4)} and same(code["normalised"]) == {(1, 3), (2, 4)}
    assert same(find_alike(torch.eye(3), torch.eye(3)[1:]).loosest) == {(1, 3), (2, 4)}
    assert same(find_alike(token_table([[2], [3]], 4), token_table([[3]], 9)).loosest) == {(1, 2)}
    assert same(find_alike(table(["a b"]), table(["a b"]).cast(pa.schema([("text", pa.large_string())]))).loosest)


def test_sets_of_different_kinds_are_refused():
    for sets in ((torch.eye(2), table(["a"])), (torch.eye(2), torch.eye(3)), (token_table([[2]], 3), table(["a"]))):
        with pytest.raises(ValueError, match="'sets' need"):
            find_alike(*sets)
    with pytest.raises(ValueError, match="a column in common"):
        find_alike(table(["a"]), table(["a"], "title"))


def test_samples_of_nothing_but_ids_repeat_none():
    numbers = pa.array([4, 7, 9])
    assert not same(find_alike(pa.table({"node": numbers}), ids=numbers).loosest)


def test_kinds_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="names 'titel', which is no column"):
        find_alike(table(["a"]), kinds={"titel": "text"})
    with pytest.raises(ValueError, match="one of text, sequence, smiles, exact"):
        find_alike(table(["a"]), kinds={"text": "prose"})


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("abstract", ["We show that", "It is known", None, ""], "text"),
        ("seq", ["MKV", "AC-D"], "sequence"),
        ("chain", ["MKVLAAGGTRRSTEDLLKKW", "GSHMKVLAAGGTRRSTEDLLKKW"], "sequence"),
        ("smiles", ["CCO", "c1ccccc1"], "smiles"),
        ("code", ["A-17", "a17"], "exact"),
        ("empty", ["", None], "exact"),
    ],
)
def test_the_kind_of_a_column_is_told(name, cells, kind):
    assert column_kind(name, pa.chunked_array([pa.array(cells, pa.string())])) == kind
    assert column_kind(name, pa.chunked_array([pa.array([1, 2])])) == "exact"


def test_codes_and_numbers_are_compared_as_they_are_without_the_ids():
    samples = pa.table({"id": [1, 2, 3, 4], "code": ["A1", "a1", "A1", "A1"], "size": [1.5, 1.5, 1.5, 2.5]})
    found = find_alike(samples)
    assert list(found.levels) == ["exact"] and same(found.loosest) == {(0, 2)}
    assert found.chance == pytest.approx((3 / 6) * (3 / 6))  # pairs of equal codes, of equal sizes
    named = pa.table({"accession": ["P1", "P2"], "x": [1, 1]})
    assert same(find_alike(named, ids=pa.array(["P1", "P2"])).loosest) == {(0, 1)}
    assert not same(find_alike(named).loosest)


def test_text_decides_where_there_is_text():
    samples = pa.table({"id": [1, 2, 3], "text": ["A word", "a word!", "other words"], "year": [1, 2, 3]})
    found = find_alike(samples)
    assert same(found.loosest) == {(0, 1)} and found.read_as == "records by 'text' (text)" and found.chance == 0
    both = pa.table({"title": ["A b", "a b", "A b"], "body": ["c d", "C D", "e f"]})
    assert same(find_alike(both).loosest) == {(0, 1)}


def test_sequences_without_case_and_gaps():
    assert normalized_sequence(pa.array(["mk-V.*", " MKV\n", ""])).to_pylist() == ["MKV", "MKV", ""]
    assert same(find_alike(table(["MKV", "mkv", "M-KV", "--", "**"], "seq")).loosest) == {(0, 1), (0, 2), (1, 2)}


def fake_rdkit(monkeypatch):
    """Reads a string of letters; sorted letters are its canonical form."""
    chem = types.ModuleType("rdkit.Chem")
    chem.MolFromSmiles = lambda text: sorted(text) if text.isalpha() else None
    chem.MolToSmiles = "".join
    base = types.ModuleType("rdkit.rdBase")
    base.BlockLogs = object
    for name, module in {"rdkit": types.ModuleType("rdkit"), "rdkit.Chem": chem, "rdkit.rdBase": base}.items():
        monkeypatch.setitem(sys.modules, name, module)


def test_molecules_by_what_rdkit_writes(monkeypatch):
    fake_rdkit(monkeypatch)
    found = find_alike(table(["OCC", "CCO", "C(", "C(", "CO", "co"], "smiles"))
    assert list(found.levels) == ["exact", "canonical"] and not found.notes
    assert same(found.levels["exact"]) == {(2, 3)} and same(found.loosest) == {(0, 1), (2, 3)}


def test_molecules_without_rdkit_are_compared_as_written_and_that_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdkit", None)
    found = find_alike(table(["OCC", "CCO", "CCO"], "smiles"))
    assert list(found.levels) == ["exact"] and same(found.loosest) == {(1, 2)}
    assert "no rdkit" in found.notes[0] and "sigraph[molecules]" in found.notes[0]


def test_molecules_by_rdkit_itself():
    pytest.importorskip("rdkit")
    forms = canonical_smiles(pa.array(["OCC", "CCO", "no molecule", ""])).to_pylist()
    assert forms[0] == forms[1] and forms[2:] == ["no molecule", ""]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-1, 4), min_size=2, max_size=12), st.data())
def test_occurs_in_as_a_loop_says(code, data):
    cut = data.draw(st.integers(0, len(code)))
    rows, others = np.arange(len(code))[:cut], np.arange(len(code))[cut:]
    expected = [code[i] >= 0 and any(code[i] == code[j] for j in others) for i in rows]
    assert occurs_in(np.array(code), rows, others).tolist() == expected


def test_cosine_as_a_loop_says(monkeypatch):
    monkeypatch.setattr(near_duplicates, "_BLOCK", 20)
    generator = torch.Generator().manual_seed(0)
    rows, others = torch.randn(9, 3, generator=generator), torch.randn(7, 3, generator=generator)
    rows[0], rows[1] = 5 * others[3], 0
    expected = [max(float(torch.cosine_similarity(a, b, dim=0)) for b in others) >= 0.9 for a in rows]
    assert near_by_cosine(rows, others, 0.9).tolist() == expected and expected[0] and not expected[1]
    assert near_by_cosine(rows, others, 1.0).tolist() == [True, *[False] * 8]
    assert not near_by_cosine(rows, others[:0], 0.9).any()
    with pytest.raises(ValueError, match=r"'cosine' needs to be in \(0, 1\]"):
        near_by_cosine(rows, others, 1.5)


def test_many_rows_take_time_in_proportion():
    text = pa.array([f"Sentence number {i % 40_000} of the corpus, said again." for i in range(50_000)])
    start = time.perf_counter()
    found = find_alike(pa.table({"text": text}))
    assert len(np.unique(found.loosest)) == 40_000 and time.perf_counter() - start < 10
