"""What the theory of structure-inducing pre-training says of data before training, and of a latent space after it."""

from typing import TYPE_CHECKING

from sigraph.files.lazy_names import lazy_names
from sigraph.theory.audit import AuditReport, AuditRow, audit
from sigraph.theory.leakage import LeakageReport, leakage

if TYPE_CHECKING:
    from sigraph.theory.certificates import Bound, Certificate, certify

__all__ = ["AuditReport", "AuditRow", "Bound", "Certificate", "LeakageReport", "audit", "certify", "leakage"]

# They look at losses, which an audit needs nothing of.
__getattr__ = lazy_names(__name__, dict.fromkeys(("Bound", "Certificate", "certify"), f"{__name__}.certificates"))
