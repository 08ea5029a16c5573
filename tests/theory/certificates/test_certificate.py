"""What a certificate says: plain numbers, a table, and the page about it."""

import json
import re

import pytest
import torch
from pages import anchors, blocks, read

from sigraph.data import PretrainGraph
from sigraph.losses import ContrastiveLoss, InfoNCELoss
from sigraph.theory import Certificate
from sigraph.theory.certificates import certify

PAGE = read("docs/certificates.md")


def case(n):
    generator = torch.Generator().manual_seed(0)
    edges = torch.combinations(torch.arange(n)).t()[:, ::7]
    return torch.randn(n, 3, generator=generator), PretrainGraph(edges, n)


def test_a_certificate_is_plain_numbers_and_a_table():
    z, graph = case(30)
    found = certify(z, graph, ContrastiveLoss(0.2, 0.9), torch.arange(30) % 2)
    assert isinstance(found, Certificate)
    again = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert again["bound"]["radius"] == found.bound.radius and again["loss"] == "ContrastiveLoss"
    table = found.table().splitlines()
    assert len({line.count("|") for line in table}) == 1
    assert f">= {found.local_consistency:.4f}" in table[2] and f"{found.accuracy:.4f}" in table[2]
    assert any(f"<= {found.bound.edges_outside:,}" in line for line in table)
    no_bound = certify(z, graph, InfoNCELoss()).table()
    assert "<=" not in no_bound and "AUC" in no_bound


@pytest.mark.parametrize("y", [torch.arange(30) / 7, (torch.arange(60).view(30, 2) % 3 == 0).float()])
def test_what_is_measured_of_other_labels_than_classes_is_no_promise(y):
    z, graph = case(30)
    found = certify(z, graph, y=y)
    assert found.label_type == ("regression" if y.dim() == 1 else "multilabel")
    assert ">=" not in found.table()
    rows = found.table().splitlines()[2:5]
    for row, value in zip(rows, (found.local_consistency, found.accuracy, found.vote_accuracy), strict=True):
        assert row.endswith(f"| – | {value:.4f} |")
    assert "in the graph, no promise" in rows[0] and "label of the" not in found.table()


def test_the_page_shows_what_its_code_prints(capsys):
    (code,) = blocks(PAGE, "python")
    exec(code, {})
    printed = capsys.readouterr().out
    assert printed in PAGE and printed.count("\n") > 10


def test_the_page_names_every_figure_and_its_links_lead_somewhere():
    named = set(re.findall(r"`(\w+)`", PAGE))
    labels = {"local_consistency", "accuracy", "vote_accuracy"}  # in words
    sizes = {"loss", "measure", "num_samples", "num_edges", "num_non_edges", "num_anchors"}
    assert set(Certificate.__dataclass_fields__) - labels - sizes <= named
    titles = anchors(PAGE)
    assert all(link in titles for link in re.findall(r"\]\(#([\w-]+)\)", PAGE))
