"""Pictures of what a run gave."""

from sigraph.report.audit import audit_figure
from sigraph.report.latent import latent_figure
from sigraph.report.learning_curve import learning_curve_figure

__all__ = ["audit_figure", "latent_figure", "learning_curve_figure"]
