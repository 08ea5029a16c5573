"""The recipe of arxiv-2023 on small files in the official form, and what is true of the real ones."""

import gzip

import pytest
import torch

from sigraph.data import load_card
from sigraph.data.card import shipped_folder
from sigraph.recipes import open_dataset
from sigraph.recipes.prepare import _load_recipe
from sigraph.running.visible import shown_edges, sight

PAPERS, SUBJECTS = 90, ("cs.LG", "cs.AI", "cs.OS")
PARTS = {"train": range(60), "valid": range(60, 69), "test": range(69, 78)}  # the last twelve are in none
SUBJECT = [SUBJECTS[2] if i in (7, 59) else SUBJECTS[i % 2] for i in range(PAPERS)]
COLUMN = {"train": "train_id", "valid": "val_id", "test": "test_id"}


def contents():
    """Text of each file, by its name."""
    titles = [f'"Paper {i}, with a ""quote"""' if i == 3 else f"Paper {i} of the year" for i in range(PAPERS)]
    ids = [f"20{i:02d}.07920" if i % 3 else str(40 + i) for i in range(PAPERS)]
    files = {"raw/titles": ["titles", *titles], "raw/ids": ["ids", *ids], "raw/labels": ["labels", *SUBJECT]}
    edges = ["0,1", "1,0", "2,2", "5,70", *(f"{i},{i + 1}" for i in range(50, 85))]
    files["raw/edges"] = ["source,target", *edges]
    for part, papers in PARTS.items():
        files[f"split/{part}"] = [COLUMN[part], *map(str, papers)]
    return files


@pytest.fixture
def prepared(tmp_path):
    """Runs the recipe on files as they are published, some of them changed."""

    def run(**changes):
        files = {}
        for name, lines in (contents() | {name.replace("_", "/"): lines for name, lines in changes.items()}).items():
            files[f"arxiv_2023/{name}.csv.gz"] = file = tmp_path / f"{name}.csv.gz"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
        return _load_recipe(shipped_folder() / "arxiv-2023" / "prepare.py")(files, load_card("arxiv-2023"))

    return run


def test_files_of_the_official_form(prepared):
    dataset = prepared()
    assert dataset.records["text"].to_pylist()[2:5] == ["Paper 2 of the year", 'Paper 3, with a "quote"', *_title(4)]
    assert dataset.ids.to_pylist()[:3] == ["40", "2001.07920", "2002.07920"]  # text, not a number without its zero
    task, graph = dataset.task(), dataset.graph()
    assert task.name == "subject" and task.classes == sorted(SUBJECTS)
    assert [task.classes[label] for label in task.labels] == SUBJECT
    assert {part: task.split[part].tolist() for part in PARTS} == {part: list(ids) for part, ids in PARTS.items()}
    assert graph.num_edges == 2 * 37 and not graph.has_self_loops()


def _title(number):
    return [f"Paper {number} of the year"]


def test_few_labels_are_draws_of_the_training_papers(prepared):
    dataset = prepared()
    label, whole = dataset.task().labels, dataset.task().split
    assert list(dataset.tasks) == list(load_card("arxiv-2023").tasks)
    drawn = {}
    for name, task in dataset.tasks.items():
        if name == "cited-training-papers":
            continue
        most = int(name.split("-")[1]) if "-" in name else PAPERS
        train = drawn[name] = task.split["train"]
        assert torch.isin(train, whole["train"]).all() and torch.equal(task.labels, label)
        assert label[train].bincount().tolist() == label[whole["train"]].bincount().clamp(max=most).tolist()
        assert all(torch.equal(task.split[part], whole[part]) for part in ("valid", "test"))
    assert len({tuple(train.tolist()) for train in drawn.values()}) == 7  # each draw is another one
    assert all(torch.isin(drawn[f"subject-5{end}"], drawn[f"subject-20{end}"]).all() for end in ("", "-b", "-c"))


def test_cited_training_papers_are_found_among_all_of_them(prepared):
    dataset = prepared(raw_edges=[*contents()["raw/edges"], "61,3", "4,61", "70,71", "85,6"])
    task = dataset.task("cited-training-papers")
    assert task.candidates.tolist() == [*PARTS["train"]] == task.split["train"].tolist()
    assert task.split["valid"].tolist() == [60, 61] and task.split["test"].tolist() == [70]  # 59 and 60 are joined
    assert task.pairs.T.tolist() == [[60, 59], [61, 3], [61, 4], [70, 5]] and task.edges().T.tolist() == [[70, 5]]


def test_only_training_papers_and_their_citations_are_seen_outside_train(prepared):
    dataset = prepared()
    found = sight(dataset, "outside-train")
    assert found.samples.tolist() == list(PARTS["train"])
    assert sight(dataset, True).samples.tolist() == [*PARTS["train"], *range(78, PAPERS)]
    assert shown_edges(dataset, found).graph().num_edges == 2 * (1 + 9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"raw_titles": ["titles", "", *contents()["raw/titles"][2:]]}, r"titles\.csv\.gz, line 2: .*a blank line"),
        (
            {"raw_labels": contents()["raw/labels"][:-1]},
            r"labels\.csv\.gz needs a line for each of .*\(got 89\)",
        ),
        ({"raw_edges": ["source,target", "0,90"]}, r"needs sample numbers in \[0, 90\) \(got 0 to 90\)"),
        (
            {"split_valid": ["valid_id", "60"]},
            r"valid\.csv\.gz needs .* with the columns 'val_id' \(int64\)",
        ),
        ({"split_test": ["test_id", "69", "x"]}, r"test\.csv\.gz needs to be .*'x'"),
    ],
)
def test_files_of_another_form_are_refused(prepared, changes, message):
    with pytest.raises(ValueError, match=message):
        prepared(**changes)


def test_real_files_have_what_the_card_says(data_source):
    card = load_card("arxiv-2023")
    if not all((data_source / file.path).is_file() for file in card.files):
        pytest.skip("needs the raw files of arxiv-2023 in SIGRAPH_DATA_SOURCE")
    dataset = open_dataset("arxiv-2023")  # counts of samples, edges and splits are compared with the card
    task = dataset.task()
    found = sight(dataset, "outside-train")
    assert torch.equal(found.samples, task.split["train"]) and len(sight(dataset, True).samples) == 19_461 + 9_057
    assert shown_edges(dataset, found).graph().num_edges == 2 * 166_649
    row, col = dataset.graph().edge_index
    assert float((task.labels[row] == task.labels[col]).float().mean()) == pytest.approx(0.617, abs=1e-3)
    sizes = task.labels[task.split["train"]].bincount()
    assert sorted(sizes[sizes < 20].tolist()) == [2, 4, 7, 7, 11, 13, 18]
    found = dataset.task("cited-training-papers")
    assert found.edges().size(1) == 2_654 and len(found.candidates) == 19_461
    assert dataset.ids.to_pylist()[:2] == ["2304.07638", "2010.07922"]
