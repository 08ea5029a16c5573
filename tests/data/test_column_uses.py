"""What columns were taken for is kept with a folder, checked, and no part of its fingerprint."""

import pytest

from sigraph.data import SampleDataset
from sigraph.data.column_uses import ColumnUse
from sigraph.data.prepared import COLUMNS
from sigraph.files.sealed import DamagedError
from sigraph.tables import from_tables


@pytest.fixture
def dataset(tmp_path):
    (tmp_path / "s.csv").write_text(
        "id,title,size,who\n" + "".join(f"s{i},some words {i},{i}.5,ann\n" for i in range(9))
    )
    (tmp_path / "e.csv").write_text("u,v\ns0,s1\n")
    return from_tables(tmp_path / "s.csv", tmp_path / "e.csv", ignore=["who"])


def test_what_was_said_is_said_again(dataset, tmp_path):
    dataset.save(tmp_path / "mine")
    again = SampleDataset.open(tmp_path / "mine", verify=True)
    *kept, who = again.column_uses
    assert kept == dataset.column_uses[:3] and [one.use for one in kept] == ["id", "text", "number"]
    assert who == ColumnUse("who", "left out", "as asked", "")  # no cell of what was to be left out
    assert again.replace(tasks={}).column_uses == again.column_uses
    dataset.column_uses = None
    dataset.save(tmp_path / "bare")
    bare = SampleDataset.open(tmp_path / "bare")  # as earlier versions wrote it
    assert bare.column_uses is None and bare.fingerprint == again.fingerprint


@pytest.mark.parametrize("text", ["[]", '{"columns": [{"name": "x"}]}', '{"columns": 5}', "{"])
def test_what_is_damaged_is_refused(dataset, tmp_path, text):
    dataset.save(tmp_path / "mine")
    (tmp_path / "mine" / COLUMNS).write_text(text)
    with pytest.raises(DamagedError, match=COLUMNS):
        SampleDataset.open(tmp_path / "mine")
