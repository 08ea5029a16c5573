"""sample -> z."""

from sigraph.encoders.bag_of_words import BagOfWordsEncoder
from sigraph.encoders.base import Encoder, Encoding
from sigraph.encoders.embed import embed
from sigraph.encoders.graph_encoder import GraphEncoder
from sigraph.encoders.gru import GRUEncoder
from sigraph.encoders.hugging_face import HuggingFaceEncoder
from sigraph.encoders.mlp import MLPEncoder
from sigraph.encoders.module_encoder import ModuleEncoder
from sigraph.encoders.padded_encoder import PaddedEncoder
from sigraph.encoders.pretrained_gnns import from_pretrained_gnns
from sigraph.encoders.token_encoder import TokenEncoder
from sigraph.encoders.transformer import TransformerEncoder

__all__ = [
    "BagOfWordsEncoder",
    "Encoder",
    "Encoding",
    "GRUEncoder",
    "GraphEncoder",
    "HuggingFaceEncoder",
    "MLPEncoder",
    "ModuleEncoder",
    "PaddedEncoder",
    "TokenEncoder",
    "TransformerEncoder",
    "embed",
    "from_pretrained_gnns",
]
