"""What the theory of structure-inducing pre-training says of data before training, and of a latent space after it."""

from sigraph.theory.audit import AuditReport, AuditRow, audit
from sigraph.theory.certificates import Bound, Certificate, certify
from sigraph.theory.leakage import LeakageReport, leakage

__all__ = ["AuditReport", "AuditRow", "Bound", "Certificate", "LeakageReport", "audit", "certify", "leakage"]
