"""What people take home from a run."""

from sigraph.export.load import load_encoder, load_reader, pretrained_on
from sigraph.export.predicted import Predicted, predict
from sigraph.export.save import save_encoder
from sigraph.export.sentence_transformer import save_sentence_transformer

__all__ = [
    "Predicted",
    "load_encoder",
    "load_reader",
    "predict",
    "pretrained_on",
    "save_encoder",
    "save_sentence_transformer",
]
