"""What each column is for: told from the cells, changed by what is asked."""

import pyarrow as pa
import pytest

from sigraph.data.column_uses import USES
from sigraph.samples.normal_forms import has_rdkit
from sigraph.tables import TableReport, from_tables
from sigraph.tables.column_use import guess_use
from sigraph.tables.report import suggested_reader

TITLES = [f"A study of {a} in {b}" for a in ("mice", "graphs", "yeast", "soils") for b in ("water", "space", "time")]
PROTEINS = ["MKVLAAGIVGLPNVGKSTLFNALTKAGVEW" * 2, "GSHMRPWLEKQNDTYCFIVAAGKKPLW", "MAAARPWKKEEDTYCFIVLLQNHSGW"] * 4
MOLECULES = ["CC(=O)Oc1ccccc1C(=O)O", "c1ccccc1O", "CC(C)=O", "O=C(O)c1ccccc1"] * 3


@pytest.mark.parametrize(
    ("name", "cells", "use"),
    [
        ("title", TITLES, "text"),
        ("notes", TITLES, "text"),
        ("text", ["short"] * 12, "text"),
        ("city", ["New York", "Paris", "Rome"] * 4, "category"),
        ("flag", ["y", None, "n", ""] * 3, "category"),
        ("x", PROTEINS, "protein"),
        ("sequence", ["MKV", "AAR", "WWE"] * 4, "protein"),
        ("x", ["ACGTTGCANN" * 3, "acgttttttacgatagctagctagc"] * 6, "dna"),
        ("x", ["ACGUUGCANN" * 3, "ACGUUUUUACGAUAGCUAGCUAGC"] * 6, "rna"),
        ("dna", ["GATTACA", "CAT", "TAG"] * 4, "dna"),
        ("go", ["GO:1;GO:2", "GO:2", "GO:3;GO:1", "GO:2;GO:3", "GO:1;GO:3", "GO:3"] * 2, "terms"),
        ("go", [["a", "b"], ["b"], []] * 4, "terms"),
        ("words, with commas", [f"{title}, and more" for title in TITLES], "text"),
        ("code", [f"P{i:05}" for i in range(12)], "left out"),
        ("blank", ["", "  "] * 6, "left out"),
        ("source", ["crawl"] * 12, "left out"),
        ("year", [2000, 2001, None] * 4, "number"),
        ("x", [0.5, float("nan")] * 6, "number"),
        ("is_new", [True, False] * 6, "number"),
        ("vector", [[0.1, 0.2], [0.3, 0.4]] * 6, "features"),
        ("tokens", [[2, 3], [4]] * 6, "tokens"),
    ],
)
def test_the_use_is_told_from_the_cells(name, cells, use):
    found = guess_use(name, pa.chunked_array([pa.array(cells)]))
    assert found.use == use and found.use in USES and (found.example or name == "blank")


@pytest.mark.skipif(not has_rdkit(), reason="rdkit")
def test_molecules_are_what_rdkit_reads():
    assert guess_use("structure", pa.chunked_array([MOLECULES])).use == "smiles"
    words = [f"{a}({b})" for a in "abcdef" for b in ("xy", "zq")]
    assert guess_use("structure", pa.chunked_array([words])).use == "left out"
    assert "reads 0 of" in guess_use("smiles", pa.chunked_array([words])).why


def test_what_is_asked_is_what_the_column_is_for(tmp_path):
    file = tmp_path / "s.csv"
    file.write_text("id,place,year,label\n" + "".join(f"{i},{i % 3},{1990 + i},{i % 2}\n" for i in range(12)))
    report = TableReport()
    dataset = from_tables(file, {}, labels=["label"], uses={"PLACE": "category"}, report=report)
    uses = {one.name: one.use for one in report.samples.columns}
    assert uses == {"id": "id", "place": "category", "year": "number", "label": "label"}
    assert dataset.records.column("place").to_pylist() == [str(i % 3) for i in range(12)]
    assert suggested_reader(report.samples.columns) == (
        "{_target_: sigraph.readers.TableFeatures, columns: [place, year]}"
    )
    said = str(report)
    assert "place   category  '0'          as asked" in said and "TableFeatures" in said
    with pytest.raises(ValueError, match=r"has no column 'plaec'.*did you mean 'place'"):
        from_tables(file, {}, uses={"plaec": "category"})
    with pytest.raises(ValueError, match="column 'label' is to be category, and is the id, a label"):
        from_tables(file, {}, labels=["label"], uses={"label": "category"})
    with pytest.raises(ValueError, match="'uses' needs one of text, sequence"):
        from_tables(file, {}, uses={"place": "words"})
