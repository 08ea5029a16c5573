"""What a latent space proves about the graph it was shaped by."""

from sigraph.theory.certificates.certificate import Bound, Certificate
from sigraph.theory.certificates.certify import certify

__all__ = ["Bound", "Certificate", "certify"]
