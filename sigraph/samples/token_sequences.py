"""TokenSequences: samples that are sequences over a vocabulary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from torch import Tensor

from sigraph.samples.alike import Alike, codes_of, joined
from sigraph.samples.base import Add, Files
from sigraph.samples.records import Records
from sigraph.samples.tokens import TOKENS, TokenColumn, Tokens, has_tokens, narrowest, with_vocabulary

_GIVEN_AS = b"token_type"  # key of the schema's metadata: of what kind the ids were before they were narrowed


class TokenSequences(Records):
    """Rows of a table with a column ``tokens`` of lists; see :func:`~sigraph.samples.tokens.token_table`.

    In a prepared folder they are an Arrow file, which is mapped: all ids in a row, of 2 bytes where the vocabulary
    allows, and where each sequence begins.

    Args:
        table: N rows. Its metadata state ``num_tokens``; without them it is the largest id + 1.
        files: As of :class:`Records`.

    Raises:
        ValueError: A sequence is missing or empty or not of integers; an id is outside the vocabulary.

    Guide:
        given: table with a column ``tokens`` of lists
        an encoder is given: ``Tokens``, one after the other
    """

    kind, mark = "tokens", "samples.arrow"

    def __init__(self, table: pa.Table, files: Files | Path | None = None) -> None:
        super().__init__(with_vocabulary(table), files)
        self._column = TokenColumn(self.table)

    @property
    def sizes(self) -> Mapping[str, int]:
        size, pad, mask, _ = self._column.vocabulary
        return {"num_tokens": size, "pad_token": pad, "mask_token": mask, "max_length": self._longest}

    @cached_property
    def _longest(self) -> int:
        return self._column.longest

    def fetch(self, node: Tensor) -> Tokens:
        """Some sequences, in their order."""
        return self._column.fetch(node)

    def describe(self) -> str:
        return f"token sequences over a vocabulary of {self._column.num_tokens}"

    def cost(self) -> Tensor:
        """Tokens of each sequence. [N]"""
        return torch.from_numpy(np.diff(self._column.offset))

    def num_parts(self) -> Tensor:
        """Words or residues of each sequence, where its tokens say so; else its tokens but the special ones. [N]"""
        if self._column.unit is not None:
            whole = self.fetch(torch.arange(len(self)))
            return torch.zeros(len(self), dtype=torch.long).index_add_(0, whole.sample, whole.begins_unit.long())
        special = np.isin(self._column.value, self._column.vocabulary.special_tokens)
        before = np.concatenate([[0], np.cumsum(special, dtype=np.int64)])[self._column.offset]
        return torch.from_numpy(np.diff(self._column.offset) - np.diff(before))

    def unknown(self, num_tokens: int) -> tuple[int, int, int]:
        place = (self._column.value >= num_tokens).nonzero()[0]
        sample = np.unique(np.searchsorted(self._column.offset, place, side="right"))
        return place.size, self._column.value.size, sample.size

    def feed(self, add: Add) -> None:
        """The same content has one sum, however many bytes an id takes."""
        metadata = dict(self.table.schema.metadata or {})
        kind = self.table.schema.field(TOKENS).type.value_type
        given = pa.int32() if kind == pa.uint16() else kind
        given = pa.type_for_alias(metadata.pop(_GIVEN_AS, str(given).encode()).decode())
        Records(_with_ids(self.table, given).replace_schema_metadata(metadata)).feed(add)

    def save(self, folder: Path) -> None:
        kind = self.table.schema.field(TOKENS).type.value_type
        table = _with_ids(self.table, pa.from_numpy_dtype(narrowest(self._column.num_tokens)))
        if kind not in (pa.int32(), pa.uint16()):
            metadata = table.schema.metadata or {}
            table = table.replace_schema_metadata({_GIVEN_AS: str(kind), **metadata})
        with pa.ipc.new_file(str(folder / self.mark), table.schema) as file:
            file.write_table(table.combine_chunks())

    @classmethod
    def open(cls, files: Files) -> TokenSequences:
        if cls.mark not in files:  # of an earlier version
            return cls(pq.read_table(files.checked(Records.mark)), files)
        path = files.checked(cls.mark)
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        table.validate(full=True)  # what is mapped is taken as it stands
        return cls(table, files)

    @classmethod
    def alike(cls, sets: Sequence[Any], ids: pa.Array | None, kinds: Mapping[str, str] | None) -> Alike:
        """Token by token."""
        column = joined([_with_ids(one.table.select([TOKENS]), pa.int32()) for one in sets], TOKENS)
        return Alike({"exact": codes_of(_as_bytes(column))[0]}, "token sequences")


def of_table(table: pa.Table, files: Files | Path | None = None) -> Records:
    """Token sequences where there is a column of them, else records."""
    return TokenSequences(table, files) if has_tokens(table) else Records(table, files)


def _with_ids(table: pa.Table, kind: pa.DataType) -> pa.Table:
    """The table with ids of another type."""
    given = table.schema.field(TOKENS).type
    if given.value_type == kind:
        return table
    if pa.types.is_fixed_size_list(given):
        lists = pa.list_(kind, given.list_size)
    else:
        lists = pa.large_list(kind) if pa.types.is_large_list(given) else pa.list_(kind)
    column = table.column(TOKENS).cast(lists)
    return table.set_column(table.schema.get_field_index(TOKENS), TOKENS, column)


def _as_bytes(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Lists of integers as their bytes, which compare at once."""
    length = pc.list_value_length(column).to_numpy()
    flat = pc.list_flatten(column).to_numpy().astype(np.int32, copy=False)
    offset = 4 * np.concatenate([[0], np.cumsum(length, dtype=np.int64)])
    buffers = [None, pa.py_buffer(offset), pa.py_buffer(np.ascontiguousarray(flat))]
    return pa.chunked_array([pa.Array.from_buffers(pa.large_binary(), len(length), buffers)])
