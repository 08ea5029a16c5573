"""What the theory of structure-inducing pre-training says of data before training, and of a latent space after it."""

from sigraph.theory.audit import audit
from sigraph.theory.audit_report import AuditReport, AuditRow
from sigraph.theory.certificate import Bound, Certificate
from sigraph.theory.certify import certify
from sigraph.theory.leakage import leakage
from sigraph.theory.leakage_report import LeakageReport

__all__ = ["AuditReport", "AuditRow", "Bound", "Certificate", "LeakageReport", "audit", "certify", "leakage"]
