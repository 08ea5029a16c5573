"""Texts, sequences and molecules without what does not change their meaning."""

from __future__ import annotations

import importlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_APART = "!\"#%&'()*,-./:;?@[\\]_{} \x7f" + "".join(map(chr, range(32)))  # ASCII of \p{P}, \p{Z} and \p{Cc}
_BLANK = 32
_BLOCK = 1 << 22  # bytes at a time


def normalized_text(text: pa.Array) -> pa.Array:
    """Lower case, Unicode NFKC, without invisible characters; runs of punctuation and white space are one blank.

    Symbols (``+``, ``=``, ``<``, ``$``, ...) stay.
    """
    text = text.cast(pa.large_string())
    is_ascii = pc.string_is_ascii(text)
    if pc.all(is_ascii).as_py() is not False:
        return _normalized_ascii(text)
    others = pc.invert(is_ascii)
    plain = pc.replace_with_mask(text, others, _normalized_unicode(text.filter(others)))
    return pc.replace_with_mask(plain, is_ascii, _normalized_ascii(text.filter(is_ascii)))


def normalized_sequence(text: pa.Array) -> pa.Array:
    """Upper case, without gaps (``-``, ``.``, ``~``), stops (``*``) and white space."""
    return pc.utf8_upper(pc.replace_substring_regex(text, r"[\-.~*\s]+", ""))


def has_rdkit() -> bool:
    """Whether molecules can be read: rdkit is there (extra ``molecules``)."""
    try:
        importlib.import_module("rdkit")
    except ImportError:
        return False
    return True


def canonical_smiles(text: pa.Array) -> pa.Array:
    """rdkit's canonical SMILES; what rdkit cannot read stays as it is.

    Raises:
        ImportError: There is no rdkit.
    """
    chem, base = (importlib.import_module(f"rdkit.{name}") for name in ("Chem", "rdBase"))
    silent = base.BlockLogs()
    found = []
    for smiles in text.to_pylist():
        molecule = chem.MolFromSmiles(smiles) if smiles else None
        found.append(smiles if molecule is None else chem.MolToSmiles(molecule))
    del silent
    return pa.array(found, pa.large_string())


def _normalized_unicode(text: pa.Array) -> pa.Array:
    seen = pc.replace_substring_regex(text, r"\p{Cf}+", "")  # first: an accent behind them joins its letter
    plain = pc.utf8_normalize(pc.utf8_lower(pc.utf8_normalize(seen, "NFKC")), "NFKC")
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(plain, r"[\p{P}\p{Z}\p{Cc}]+", " "))


def _normalized_ascii(text: pa.Array) -> pa.Array:
    """The same where every character is a byte: on all bytes at once, since expressions cost most of the time."""
    text = pa.concat_arrays([text.fill_null("")])  # from the start of its buffers
    if not len(text):
        return text
    offset = np.frombuffer(text.buffers()[1], np.int64, len(text) + 1)
    size = offset[-1] - offset[0]
    if size > _BLOCK and len(text) > 1:
        middle = int(np.searchsorted(offset, offset[0] + size // 2).clip(1, len(text) - 1))
        return pa.concat_arrays([_normalized_ascii(text[:middle]), _normalized_ascii(text[middle:])])
    table = np.arange(256, dtype=np.uint8)
    table[65:91] += 32
    table[[ord(c) for c in _APART]] = _BLANK
    data = table[np.frombuffer(text.buffers()[2] or b"", np.uint8)[offset[0] : offset[-1]]]
    offset = offset - offset[0]
    blank = data == _BLANK
    before = np.empty_like(blank)
    before[1:] = blank[:-1]
    before[offset[:-1][np.diff(offset) > 0]] = True  # of a text's first character
    keep = ~(blank & before)
    total = np.append(np.int32(0), np.cumsum(keep, dtype=np.int32))[offset]
    kept = data[keep]
    last = total[1:][(np.diff(total) > 0)] - 1
    last = last[kept[last] == _BLANK]  # a text's last character
    dropped = np.zeros(len(kept) + 1, dtype=np.int32)
    dropped[last + 1] = 1
    total = (total - np.cumsum(dropped, dtype=np.int32)[total]).astype(np.int64)
    kept = np.delete(kept, last)
    return pa.Array.from_buffers(pa.large_string(), len(text), [None, pa.py_buffer(total), pa.py_buffer(kept)])
