"""The picture of latent spaces where there is nothing to colour by."""

import torch

from sigraph.report import latent_figure


def test_samples_without_a_class_are_drawn_without_a_legend(tmp_path, monkeypatch):
    monkeypatch.setattr("matplotlib.figure.Figure.legend", None)
    z = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    path = latent_figure({"sipt": z}, torch.full((20,), -1), tmp_path / "latent.png")
    assert path.stat().st_size > 5_000
