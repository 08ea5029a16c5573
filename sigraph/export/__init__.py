"""What people take home from a run."""

from sigraph.export.load import load_encoder, load_reader, pretrained_on

__all__ = ["load_encoder", "load_reader", "pretrained_on"]
