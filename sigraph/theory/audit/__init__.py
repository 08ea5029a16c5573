"""Whether a graph is worth pre-training on for a task: local consistency beside its null."""

from sigraph.theory.audit.audit import audit
from sigraph.theory.audit.report import AuditReport, AuditRow

__all__ = ["AuditReport", "AuditRow", "audit"]
