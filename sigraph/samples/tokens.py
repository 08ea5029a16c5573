"""Token sequences: samples whose records have a column ``tokens``, and the batches an encoder reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from sigraph.files.arguments import check_integers

PAD, MASK, FIRST_TOKEN = 0, 1, 2  # unless a vocabulary says so: behind the end; hidden; the first id of the data
TOKENS, UNITS, VOCABULARY = "tokens", "units", b"num_tokens"  # columns; the key of the schema's metadata
_PAD_KEY, _MASK_KEY, _SPECIAL_KEY = b"pad_token", b"mask_token", b"special_tokens"
LARGEST = 1 << 31
TWO_BYTES = 1 << 16  # a vocabulary up to here


class Vocabulary(NamedTuple):
    """Which ids a tokenizer uses, and which of them stand for no content.

    Args:
        num_tokens: Its size, all ids together.
        pad_token: Behind the end of a sequence; never in one.
        mask_token: Of a hidden token; never in a sequence either.
        special_tokens: May stand in sequences, are never hidden and never predicted, as BERT's [CLS] and [SEP].
    """

    num_tokens: int
    pad_token: int = PAD
    mask_token: int = MASK
    special_tokens: tuple[int, ...] = ()

    def check(self, owner: str) -> None:
        """Refuse ids that are not in the vocabulary, or mean two things."""
        named = {"pad_token": self.pad_token, "mask_token": self.mask_token}
        check_integers(owner, 0, most=self.num_tokens - 1, **named)
        if self.pad_token == self.mask_token:
            raise ValueError(f"'mask_token' needs another id than 'pad_token' in {owner!r} (got {self.mask_token})")
        for token in self.special_tokens:
            check_integers(owner, 0, most=self.num_tokens - 1, special_tokens=token)
        if {self.pad_token, self.mask_token} & {*self.special_tokens}:
            raise ValueError(f"'special_tokens' of {owner!r} are those besides 'pad_token' and 'mask_token'")


class Tokens(NamedTuple):
    """A batch of token sequences, one after the other: nothing is padded until a layer wants it.

    Args:
        token: Ids of all M tokens in a row, int64; the mask's where an objective hid one. Shape [M].
        ptr: Where each sequence begins, and where the last one ends: sample i is ``token[ptr[i] : ptr[i + 1]]``. int64
            [B + 1].
        is_special: Tokens that are never hidden and never predicted, bool [M]; None: there are none.
        unit: Which word or residue of its sequence each token belongs to, from 0, -1: none. int64 [M]; None: every
            token that is not special is one of its own.
        pad_token: What :meth:`padded` fills with.
    """

    token: Tensor
    ptr: Tensor
    is_special: Tensor | None = None
    unit: Tensor | None = None
    pad_token: int = PAD

    @property
    def length(self) -> Tensor:
        """Tokens of each sequence, >= 1. int64 [B]."""
        return self.ptr.diff()

    @property
    def sample(self) -> Tensor:
        """Whose each token is, in [0, B). int64 [M]."""
        length = self.length
        return torch.arange(len(length), device=length.device).repeat_interleave(length, output_size=len(self.token))

    @property
    def begins_unit(self) -> Tensor:
        """Which tokens are the first of a word or residue, bool [M]; without ``unit`` all that are not special."""
        if self.unit is None:
            return torch.ones_like(self.token, dtype=torch.bool) if self.is_special is None else ~self.is_special
        return (self.unit >= 0) & changes(self.sample, self.unit)

    def padded(self, pad_token: int | None = None) -> tuple[Tensor, Tensor]:
        """Ids behind each other's, filled up to the longest, and which are real: ``ids[is_real]`` are the M tokens.

        Args:
            pad_token: What to fill with; None: the batch's own.

        Returns:
            int64 and bool, [B, L] both.
        """
        length = self.length
        longest = int(length.max()) if len(length) else 0
        is_real = torch.arange(longest, device=length.device) < length[:, None]
        ids = self.token.new_full(is_real.shape, self.pad_token if pad_token is None else pad_token)
        return ids.masked_scatter_(is_real, self.token), is_real

    def take(self, row: Tensor) -> Tokens:
        """Some sequences, in this order. Shape [b]."""
        ptr, place = rows_between(self.ptr, row)
        special, unit = (None if part is None else part[place] for part in (self.is_special, self.unit))
        return self._replace(token=self.token[place], ptr=ptr, is_special=special, unit=unit)


def changes(*columns: Tensor) -> Tensor:
    """Which entries differ from the one before in any of some columns; the first does. Shape [M] each -> bool [M]."""
    out = torch.ones_like(columns[0], dtype=torch.bool)
    out[1:] = torch.stack([column[1:] != column[:-1] for column in columns]).any(dim=0)
    return out


def rows_between(ptr: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
    """Where the parts of some samples stand, of all that lie in a row: their own ``ptr`` [b + 1], and places [m].

    Args:
        ptr: Where the parts of each sample begin, and where the last ones end. Shape [B + 1].
        row: Samples. Shape [b].
    """
    length = ptr.diff()[row]
    own = torch.cat([length.new_zeros(1), length.cumsum(0)])
    place = torch.repeat_interleave(ptr[row] - own[:-1], length)
    return own, place + torch.arange(len(place), device=place.device)


def token_table(
    sequences: Any,
    num_tokens: int,
    pad_token: int = PAD,
    mask_token: int = MASK,
    special_tokens: Sequence[int] = (),
    **other_columns: Any,
) -> pa.Table:
    """Samples that are token sequences, as :class:`~sigraph.data.SampleDataset` takes them.

    Args:
        sequences: A list of sequences (1-D integer tensors, arrays or lists); or a tuple ``(offset, token)``: all
            tokens in a row, sample i being ``token[offset[i] : offset[i + 1]]``. None is empty, and every id is in
            [0, num_tokens), but for those of padding and mask.
        num_tokens: Size of the vocabulary with all special ids, >= 3.
        pad_token: The tokenizer's id of padding, e.g. 0 of BERT's, 1 of ESM's.
        mask_token: The tokenizer's id of a hidden token, e.g. 103 of BERT's, 32 of ESM's.
        special_tokens: Ids that are never hidden and never predicted, e.g. [101, 102] of BERT's.
        **other_columns: Kept beside the tokens, one entry a sample; encoders do not see them. One called ``units``, of
            lists as long as the sequences, says which word or residue each token belongs to, -1: none.

    Shapes:
        - **offset:** [N + 1], from 0 up to T.  **token:** [T]

    Raises:
        ValueError: A sequence is empty or no list of integers; an id is outside the vocabulary.
    """
    check_integers("token_table", FIRST_TOKEN + 1, num_tokens=num_tokens)
    vocabulary = Vocabulary(num_tokens, pad_token, mask_token, tuple(special_tokens))
    vocabulary.check("token_table")
    offset, token = _joined(sequences)
    _check(offset, token, vocabulary)
    small = offset[-1] < LARGEST
    make, kind = (pa.ListArray, pa.int32()) if small else (pa.LargeListArray, pa.int64())
    column = make.from_arrays(pa.array(offset, kind), pa.array(token.astype(narrowest(num_tokens))))
    table = pa.table({TOKENS: column, **{name: _as_column(values) for name, values in other_columns.items()}})
    return table.replace_schema_metadata(_metadata(vocabulary))


class TokenColumn:
    """The token sequences of a table, laid out for fetching; nothing is copied where Arrow holds them in one piece.

    Args:
        table: Has the column ``tokens``. Its metadata state ``num_tokens``; without them it is the largest id + 1.

    Raises:
        ValueError: A sequence is missing or empty or not of integers; an id is outside the vocabulary.
    """

    def __init__(self, table: pa.Table) -> None:
        column = table.column(TOKENS)
        if not pa.types.is_integer(column.type.value_type):
            raise ValueError(
                f"the column 'tokens' needs lists of integers (got {column.type}); rename it to keep plain records"
            )
        flat = pc.list_flatten(column)
        if missing := column.null_count or flat.null_count:
            raise ValueError(f"the column 'tokens' needs a whole sequence in every row (got {missing} nulls)")
        self.offset = np.concatenate([[0], np.cumsum(pc.list_value_length(column).to_numpy(), dtype=np.int64)])
        value = flat.to_numpy()
        self.vocabulary = _vocabulary(table, value)
        _check(self.offset, value, self.vocabulary)
        self.value = value if value.dtype == np.uint16 else value.astype(np.int32, copy=False)
        self.unit = _units(table, self.offset)

    @property
    def num_tokens(self) -> int:
        """Size of the vocabulary."""
        return self.vocabulary.num_tokens

    @property
    def longest(self) -> int:
        """Tokens of the longest sequence."""
        return int(np.diff(self.offset).max(initial=0))

    def fetch(self, node: Tensor) -> Tokens:
        """Some sequences, in their order.

        Args:
            node: Sample ids. Shape [B].
        """
        ptr, place = rows_between(torch.from_numpy(self.offset), node.cpu())
        token = torch.from_numpy(self.value[place.numpy()].astype(np.int64))
        special = self.vocabulary.special_tokens
        is_special = torch.isin(token, torch.tensor(special)) if special else None
        unit = None if self.unit is None else torch.from_numpy(self.unit[place.numpy()].astype(np.int64))
        return Tokens(token, ptr, is_special, unit, self.vocabulary.pad_token)


def _units(table: pa.Table, offset: np.ndarray) -> np.ndarray | None:
    """Units of all tokens in a row, if the table has them."""
    if UNITS not in table.column_names or not hasattr(table.schema.field(UNITS).type, "value_type"):
        return None
    column = table.column(UNITS)
    flat, length = pc.list_flatten(column), pc.list_value_length(column).to_numpy()
    fits = pa.types.is_integer(flat.type) and not flat.null_count and np.array_equal(length, np.diff(offset))
    if not fits:
        raise ValueError(
            f"the column {UNITS!r} needs a list of integers as long as the one of {TOKENS!r} in every row; rename it "
            "to keep plain records"
        )
    return flat.to_numpy().astype(np.int32, copy=False)


def narrowest(num_tokens: int) -> type[np.integer]:
    """Of what ids are kept: in 2 bytes where a vocabulary of this size allows it, else in 4."""
    return np.uint16 if num_tokens <= TWO_BYTES else np.int32


def has_tokens(samples: Any) -> bool:
    """Whether samples are token sequences: a table with a column ``tokens`` of lists."""
    if not isinstance(samples, pa.Table) or TOKENS not in samples.column_names:
        return False
    kind = samples.schema.field(TOKENS).type
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def with_vocabulary(table: pa.Table) -> pa.Table:
    """The table with ``num_tokens`` in its metadata, so that a part of it keeps the vocabulary of all."""
    metadata = table.schema.metadata or {}
    if VOCABULARY in metadata:
        return table
    return table.replace_schema_metadata({**metadata, **_metadata(TokenColumn(table).vocabulary)})


def _metadata(vocabulary: Vocabulary) -> dict[bytes, str]:
    """What a table's schema says of its vocabulary; the usual ids need no word."""
    found = {VOCABULARY: str(vocabulary.num_tokens)}
    if (vocabulary.pad_token, vocabulary.mask_token) != (PAD, MASK):
        found |= {_PAD_KEY: str(vocabulary.pad_token), _MASK_KEY: str(vocabulary.mask_token)}
    if vocabulary.special_tokens:
        found[_SPECIAL_KEY] = " ".join(map(str, vocabulary.special_tokens))
    return found


def _check(offset: np.ndarray, value: np.ndarray, vocabulary: Vocabulary) -> None:
    """Refuse empty sequences and ids that no token of the data can have."""
    empty = np.flatnonzero(offset[1:] == offset[:-1])
    if empty.size:
        raise ValueError(
            f"the column 'tokens' needs at least one token a sample (got none in {empty.size} rows; first: "
            f"{', '.join(map(str, empty[:5]))}); leave these samples out, or give them a token that says so"
        )
    size, pad, mask = vocabulary[:3]
    wrong = np.flatnonzero((value < 0) | (value >= size) | (value == pad) | (value == mask))
    if wrong.size:
        low, high = int(value.min(initial=FIRST_TOKEN)), int(value.max(initial=FIRST_TOKEN))
        sample = int(np.searchsorted(offset, wrong[0], side="right")) - 1
        needed = f"[{FIRST_TOKEN}, num_tokens = {size})"
        if (pad, mask) != (PAD, MASK):
            needed = f"[0, num_tokens = {size}) but for {pad} and {mask}"
        raise ValueError(
            f"the column 'tokens' needs ids in {needed} (got [{low}, {high}]; first: {value[wrong[0]]} in sample "
            f"{sample}); {pad} and {mask} stand for padding and hidden tokens: add {FIRST_TOKEN} to yours, say which "
            "ids your tokenizer uses (sigraph.samples.token_table), or rename the column to keep plain records"
        )


def _vocabulary(table: pa.Table, value: np.ndarray) -> Vocabulary:
    metadata = table.schema.metadata or {}
    text = metadata.get(VOCABULARY)
    if text is None:
        num_tokens = max(int(value.max(initial=0)) + 1, FIRST_TOKEN + 1)
    elif not text.isdigit() or not FIRST_TOKEN < int(text) <= LARGEST:
        raise ValueError(
            f"'num_tokens' needs to be an integer in ({FIRST_TOKEN}, {LARGEST}] for a column 'tokens' "
            f"(got {text.decode()!r}): the vocabulary counts the ids {PAD} and {MASK} too"
        )
    else:
        num_tokens = int(text)
    listed = [metadata.get(_PAD_KEY, b"%d" % PAD), metadata.get(_MASK_KEY, b"%d" % MASK)]
    listed += metadata.get(_SPECIAL_KEY, b"").split()
    if not all(one.isdigit() and len(one) < 11 for one in listed):
        got = b", ".join(listed).decode(errors="replace")
        raise ValueError(f"the special ids of a column 'tokens' need to be integers (got {got!r:.60})")
    pad, mask, *special = map(int, listed)
    found = Vocabulary(num_tokens, pad, mask, tuple(special))
    found.check("tokens")
    return found


def _joined(sequences: Any) -> tuple[np.ndarray, np.ndarray]:
    """(offset [N + 1], token [T]), of integers."""
    if isinstance(sequences, tuple):
        if len(sequences) != 2:
            raise ValueError(
                "'sequences' needs a list of sequences or a tuple (offset, token) in 'token_table' "
                f"(got a tuple of {len(sequences)})"
            )
        offset, token = (_integers(part, name) for part, name in zip(sequences, ("offset", "token"), strict=True))
        if not offset.size or offset[0] != 0 or offset[-1] != token.size or (np.diff(offset) < 0).any():
            raise ValueError(
                f"'offset' needs to rise from 0 to {token.size}, the number of tokens, in 'token_table' (got "
                f"{offset[:3].tolist()} ... {offset[-1:].tolist()}); several sequences are a list, not a tuple"
            )
        return offset, token
    parts = [_integers(part, f"sequence {i}") for i, part in enumerate(_as_list(sequences))]
    length = [0, *(part.size for part in parts)]
    return np.cumsum(length, dtype=np.int64), np.concatenate([*parts, np.empty(0, np.int64)])


def _as_list(sequences: Any) -> Sequence[Any]:
    if isinstance(sequences, str | bytes) or not hasattr(sequences, "__len__"):
        raise ValueError(
            "'sequences' needs a list of sequences or a tuple (offset, token) in 'token_table' "
            f"(got a {type(sequences).__name__})"
        )
    return sequences


def _integers(part: Any, name: str) -> np.ndarray:
    array = part.detach().cpu().numpy() if isinstance(part, Tensor) else np.asarray(part)
    if array.size == 0 and array.ndim == 1:
        return np.empty(0, np.int64)  # an empty list is of floats to numpy
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        got = f"{array.dtype} {list(array.shape)}"
        raise ValueError(f"'{name}' needs to be 1-D and of integers in 'token_table' (got {got})")
    return array.astype(np.int64, copy=False)


def _as_column(values: Any) -> Any:
    return values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(list(values))
