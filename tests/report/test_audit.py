"""The picture of an audit: a panel a row, every class in it, in each format, all or nothing."""

import pytest
import torch
from matplotlib.figure import Figure

from sigraph.data import PretrainGraph
from sigraph.report import audit_figure
from sigraph.theory.audit import audit

pytestmark = pytest.mark.filterwarnings("ignore:'PretrainGraph' dropped")


@pytest.fixture(scope="module")
def report():
    generator = torch.Generator().manual_seed(0)
    graph = PretrainGraph(torch.randint(0, 60, (2, 200), generator=generator), 60)
    y = torch.arange(60) % 4
    values = torch.randn(60, generator=generator)
    columns = (torch.rand(60, 50, generator=generator) < 0.4).float()
    return audit({"g": graph, "none": PretrainGraph(num_nodes=60)}, {"t": y, "n": values, "c": columns}, draws=5)


def test_a_panel_a_row_and_a_line_a_class(report, tmp_path, monkeypatch):
    drawn = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *args, **named: drawn.append(self) or save(self, *args, **named)
    )
    assert audit_figure(report, tmp_path / "audit.png") == tmp_path / "audit.png"
    axes = {axis.get_title(): axis for axis in drawn[0].axes if axis.get_title()}
    assert set(axes) == {f"{row.graph} × {row.task}: {row.verdict}" for row in report.rows}
    classes = [label.get_text() for label in axes["g × t: useless"].get_yticklabels()]
    assert classes[0] == "all" and sorted(classes[1:]) == ["0", "1", "2", "3"]
    assert len(axes["g × c: useless"].get_yticklabels()) == 1 + 40
    assert [label.get_text() for label in axes["none × t: useless"].get_yticklabels()] == ["all"]
    row = report.rows[0]
    diamond = [line for line in axes["g × t: useless"].lines if line.get_marker() == "D"]
    assert diamond[0].get_xdata()[0] == row.local_consistency


@pytest.mark.parametrize(("name", "start"), [("a.svg", b"<?xml"), ("a.pdf", b"%PDF"), ("a.png", b"\x89PNG")])
def test_formats(tmp_path, name, start):
    ids = torch.arange(20)
    small = audit({"g": PretrainGraph(torch.stack([ids, (ids + 1) % 20]), 20)}, {"t": ids % 2}, draws=5)
    assert audit_figure(small, tmp_path / name).read_bytes().startswith(start)
    assert [file.name for file in tmp_path.iterdir()] == [name]
