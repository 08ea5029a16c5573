"""What people take home from a run."""

from sigraph.export.load import load_encoder, load_reader, pretrained_on
from sigraph.export.predicted import Predicted, predict

__all__ = ["Predicted", "load_encoder", "load_reader", "predict", "pretrained_on"]
