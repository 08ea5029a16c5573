"""A folder of texts is a table with a row a file; a folder of anything else is refused with the way out."""

import pytest

from sigraph.tables import TableReport, from_tables
from sigraph.tables.text_folder import is_text_folder


@pytest.fixture
def folder(tmp_path):
    for kind in ("good", "bad"):
        (tmp_path / "texts" / kind).mkdir(parents=True)
        for i in range(8):
            (tmp_path / "texts" / kind / f"{kind}{i}.txt").write_text(
                f"a {kind} film, number {i}\n", encoding="utf-8-sig"
            )
    (tmp_path / "texts" / ".hidden").write_text("x")
    (tmp_path / "e.txt").write_text("good0 good1\nbad0 bad1\n")
    return tmp_path


def test_files_are_samples_and_folders_are_classes(folder):
    report = TableReport()
    split = {"split_rates": (0.5, 0.25, 0.25)}
    dataset = from_tables(folder / "texts", folder / "e.txt", labels=["folder"], report=report, **split)
    assert dataset.ids.to_pylist()[:2] == ["bad0", "bad1"] and dataset.graph().num_edges == 4
    assert dataset.records.column("text")[8].as_py() == "a good film, number 0"
    assert list(dataset.task().classes) == ["bad", "good"]
    assert [(one.name, one.use) for one in report.samples.columns] == [
        ("id", "id"),
        ("text", "text"),
        ("folder", "label"),
    ]


def test_names_that_repeat_and_folders_of_other_files(folder):
    for kind in ("good", "bad"):
        (folder / "texts" / kind / "same.txt").write_text("one more film")
    assert "good/same" in from_tables(folder / "texts", {}).ids.to_pylist()
    (folder / "texts" / "bad" / "same.txt").write_bytes(b"caf\xe9")
    with pytest.raises(ValueError, match=r"same\.txt is not UTF-8 \(byte 3\)"):
        from_tables(folder / "texts", {})
    (folder / "texts" / "s.csv").write_text("id,text\n")
    assert not is_text_folder(folder / "texts") and not is_text_folder(folder / "e.txt")
    with pytest.raises(ValueError, match="is a folder, and samples are a file"):
        from_tables(folder / "texts", {})
