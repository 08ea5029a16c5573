"""Tables in Markdown: whatever a cell holds, a reader finds as many columns as there are titles."""

import re

import pytest

from sigraph.files.markdown import markdown_table


def columns(line):
    """Cells as GitHub takes them apart: by bars that no backslash stands in front of."""
    return [cell.strip() for cell in re.split(r"(?<!\\)(?:\\\\)*\|", line)[1:-1]]


def test_plain_and_padded():
    assert markdown_table(["arm", "n"], [["sipt", 10]]) == "| arm | n |\n| --- | --- |\n| sipt | 10 |"
    assert markdown_table(["arm", "n"], [["sipt", 10]], right=[1]).splitlines()[1] == "| --- | ---: |"
    padded = markdown_table(["arm", "n"], [["sipt", 10], ["a", 1]], padded=True, right=[1])
    assert padded.splitlines() == ["| arm  | n  |", "| ---- | -: |", "| sipt | 10 |", "| a    | 1  |"]
    assert markdown_table(["arm"], []) == "| arm |\n| --- |"


@pytest.mark.parametrize("text", ["a|b", "a\\|b", "a\nb", "\x1b[2J", "|", "", "\\"])
@pytest.mark.parametrize("padded", [False, True])
def test_no_cell_ends_early(text, padded):
    lines = markdown_table(["one", text, "three"], [["x", text, "y"]], padded).splitlines()
    assert len(lines) == 3 and "\x1b" not in "".join(lines)
    assert [len(columns(line)) for line in lines] == [3, 3, 3]
    assert columns(lines[2])[::2] == ["x", "y"]


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="'rows' need 2 cells each"):
        markdown_table(["a", "b"], [["x"]])
