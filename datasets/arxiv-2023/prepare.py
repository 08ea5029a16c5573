"""Titles of arXiv's computer science with their citations, split by time, from the raw files of LLM-Structured-Data."""

import pyarrow as pa
import torch

from sigraph.data import SampleDataset
from sigraph.recipes.raw_text import numbered_graph, read_columns
from sigraph.tasks import RetrievalTask, Task
from sigraph.tasks.splits import few_per_class

PARTS = {"train": "train_id", "valid": "val_id", "test": "test_id"}  # the column of each file
FEW = (20, 5)  # training papers of a class, at most
CITED = "cited-training-papers"
DRAWS = {"": 0, "-b": 1, "-c": 2}  # by what the name of a task ends with: the seed


def prepare(files, card):
    """Records with ``text``, the graph ``citation``, tasks of subjects and ``cited-training-papers``."""
    texts = read_column(files, "raw/titles", "titles", pa.large_string())
    ids = read_column(files, "raw/ids", "ids", pa.large_string())
    subjects = read_column(files, "raw/labels", "labels", pa.large_string())
    for name, column in (("ids", ids), ("labels", subjects)):
        if len(column) != len(texts):
            raise ValueError(f"raw/{name}.csv.gz needs a line for each of the {len(texts)} titles (got {len(column)})")
    for name, column in (("titles", texts), ("labels", subjects)):
        if "" in column:
            line = column.index("") + 2  # the first one is the header
            raise ValueError(f"raw/{name}.csv.gz, line {line}: needs a text (got a blank line)")
    classes = sorted(set(subjects))
    place = {subject: number for number, subject in enumerate(classes)}
    label = torch.tensor([place[subject] for subject in subjects])
    split = {part: torch.tensor(read_column(files, f"split/{part}", name, pa.int64())) for part, name in PARTS.items()}
    tasks = {"subject": Task("subject", label, split, about="the given split, by time", classes=classes)}
    for most in FEW:
        for suffix, seed in DRAWS.items():
            few = {**split, "train": few_per_class(split["train"], label[split["train"]], most, seed)}
            about = f"the given split, but at most {most} training papers a class, drawn with seed {seed}"
            name = f"subject-{most}{suffix}"
            tasks[name] = Task(name, label, few, about=about, classes=classes)
    ends = [torch.tensor(read_column(files, "raw/edges", end, pa.int64())) for end in ("source", "target")]
    graph = numbered_graph(torch.stack(ends), len(texts))
    tasks[CITED] = cited(graph, split)
    samples = pa.table({"text": pa.array(texts, pa.large_string())})
    return SampleDataset(samples, {"citation": graph}, tasks, name=card.name, ids=ids)


def cited(graph, split):
    """Which training papers a paper cites, of the validation and test papers that cite one."""
    asked, answered = graph.edges_between(papers := torch.cat([split["valid"], split["test"]]), split["train"])
    answers = torch.stack([papers[asked], split["train"][answered]])
    queries = {part: split[part][torch.isin(split[part], answers[0])] for part in ("valid", "test")}
    return RetrievalTask(CITED, answers, split["train"], queries, graph.num_nodes, about="the given split, by time")


def read_column(files, name, column, kind):
    """One column of one of the files."""
    return read_columns(files[f"arxiv_2023/{name}.csv.gz"], {column: kind})[column].to_pylist()
