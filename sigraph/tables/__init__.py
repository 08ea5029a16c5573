"""One's own files: samples, edges and labels in tables, their ids, and what is wrong with them."""

from sigraph.tables.import_tables import from_tables
from sigraph.tables.out_of_core import build_store
from sigraph.tables.report import TableReport

__all__ = ["TableReport", "build_store", "from_tables"]
