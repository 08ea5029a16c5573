"""Pictures of what a run gave."""

from sigraph.report.latent import latent_figure

__all__ = ["latent_figure"]
