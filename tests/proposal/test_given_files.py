"""Which file holds samples, edges, labels."""

import pytest

from sigraph.proposal.given_files import sort_files


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "papers.csv").write_text("id,text\n" + "".join(f"p{i},words of {i}\n" for i in range(8)))
    (tmp_path / "cites.csv").write_text("source,target\np1,p2\np2,p3\np5,p7\n")
    (tmp_path / "topics.csv").write_text("id,topic\n" + "".join(f"p{i},{'ab'[i % 2]}\n" for i in range(8)))
    (tmp_path / "README.md").write_text("about")
    return tmp_path


def names(found):
    return [one.rsplit("/", 1)[-1] for one in (found.samples, *found.edges, *found.labels)]


@pytest.mark.parametrize(
    "order", [("papers.csv", "cites.csv", "topics.csv"), ("papers.csv", "topics.csv", "cites.csv")]
)
def test_edges_and_labels_in_any_order(folder, order):
    found = sort_files([str(folder / name) for name in order])
    assert names(found) == ["papers.csv", "cites.csv", "topics.csv"] and len(found.why) == 2


def test_a_folder_is_sorted_by_what_its_files_speak_of(folder):
    assert names(sort_files([str(folder)])) == ["papers.csv", "cites.csv", "topics.csv"]


def test_files_of_other_samples_are_refused_and_many_unknown_ids_said(folder):
    (folder / "other.csv").write_text("id,label\nz1,a\nz2,b\n")
    with pytest.raises(ValueError, match=r"no id .* is a sample of .*papers.csv \(got 'z1', 'z2'; samples are 'p0'"):
        sort_files([str(folder / "papers.csv"), str(folder / "other.csv")])
    (folder / "half.csv").write_text("source,target\np1,p2\np2,z3\np5,p7\n")
    (said,) = sort_files([str(folder / "papers.csv"), str(folder / "half.csv")]).unknown
    assert "1 of 5 ids are no sample" in said and "'z3'" in said


def test_what_is_missing_or_empty_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.csv: there is no such file"):
        sort_files([str(tmp_path / "no.csv")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no file of samples"):
        sort_files([str(tmp_path / "empty")])


def test_a_file_without_rows_is_refused(folder):
    (folder / "none.csv").write_text("source,target\n")
    with pytest.raises(ValueError, match=r"none.csv has no rows below its header; is it the right file\?"):
        sort_files([str(folder / "papers.csv"), str(folder / "none.csv")])
