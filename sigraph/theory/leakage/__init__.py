"""What a test score may owe to something other than learning: equal samples, test labels in the graph."""

from sigraph.theory.leakage.leakage import leakage
from sigraph.theory.leakage.report import LeakageReport

__all__ = ["LeakageReport", "leakage"]
