"""HOW raw records become samples that an encoder reads."""

from sigraph.readers.base import Reader
from sigraph.readers.hugging_face_tokens import HuggingFaceTokens
from sigraph.readers.molecules import Molecules
from sigraph.readers.symbol_tokens import SymbolTokens
from sigraph.readers.table_features import TableFeatures
from sigraph.readers.tf_idf import TfIdf
from sigraph.readers.word_tokens import WordTokens

__all__ = ["HuggingFaceTokens", "Molecules", "Reader", "SymbolTokens", "TableFeatures", "TfIdf", "WordTokens"]
