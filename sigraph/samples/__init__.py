"""WHAT a sample is."""

from sigraph.samples.tokens import FIRST_TOKEN, MASK, PAD, Tokens, token_table

__all__ = ["FIRST_TOKEN", "MASK", "PAD", "Tokens", "token_table"]
