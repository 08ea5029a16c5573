"""docs/labels.md: its table of metrics is that of the code, and its Python does what it says."""

import re

import pytest
import torch
from pages import blocks, read
from torch_geometric.data import Data

import sigraph as sg
from sigraph.tasks.metrics import AT_K, METRICS

PAGE = read("docs/labels.md")


def rows():
    """Of the table of metrics: names in each cell, by what the labels are; of the last one before its first colon."""
    text = re.search(r"^\| labels \| metrics.*\n\| ---.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)[1]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return {what: [re.findall(r"`(\w+(?:@K)?)`", cell.split(":")[0]) for cell in others] for what, *others in cells}


def test_the_table_of_metrics_is_that_of_the_code():
    found = rows()
    at_k = [f"{name}@K" for name in AT_K]
    classes = METRICS["classification"]
    expected = {
        "classes": [metric for metric in classes.values() if not metric.num_classes],
        "two classes": [metric for metric in classes.values() if metric.num_classes == 2],
        "label columns": list(METRICS["multilabel"].values()),
        "numbers": list(METRICS["regression"].values()),
    }
    assert found.keys() == expected.keys()
    for what, metrics in expected.items():
        more = at_k if what == "two classes" else []
        names, smaller, need = found[what]
        assert names == [metric.name for metric in metrics] + more
        assert smaller == [metric.name for metric in metrics if not metric.greater_is_better]
        assert need == [metric.name for metric in metrics if metric.needs] + more


@pytest.mark.filterwarnings("ignore:task :UserWarning")
def test_its_python_does_what_it_says():
    split = {"train": [0, 1], "valid": [2, 3], "test": [4, 5]}
    masks = {name: torch.arange(6) // 2 == i for i, name in enumerate(("train_mask", "val_mask", "test_mask"))}
    names = {"sg": sg, "torch": torch, "split": split, "data": Data(y=torch.arange(6) % 2, **masks)}
    for code in blocks(PAGE, "python"):
        exec(code, names)
    assert names["task"].metrics == ("rocauc", "ap", "mcc")
    assert names["found"].metrics == ("mrr", "recall@10") and names["found"].split["train"].tolist() == [0, 1, 2]
    assert not names["binds"].directed and names["cites"].directed and names["cites"].metric == "f1"
    drawn, given = names["drawn"], names["given"]
    items = drawn.split["test"]
    assert drawn.labels[items].tolist() == [1, 1, 0, 0] and drawn.metric == "rocauc" and drawn.draws_negatives
    negative = drawn.pairs[:, items[2:]]
    assert bool((negative >= 8).all()) and bool((negative[0] // 2 != negative[1] // 2).all())
    assert given.pairs[:, given.split["test"][2:]].tolist() == [[8, 9], [10, 11]]
    exposed, same = names["exposed"], names["same"]
    assert torch.equal(exposed.labels, same.labels) and torch.equal(exposed.ptr, same.ptr)
    assert exposed.num_samples == 6 and exposed.metric == "macro_f1"
