"""Pickles of arrays, read without running what is inside: whoever names another class is refused."""

from __future__ import annotations

import io
import pickle
from collections import defaultdict
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

_reconstruct: Any = np.empty(0).__reduce__()[0]
_scalar: Any = np.float64(0).__reduce__()[0]
ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("scipy.sparse.csr", "csr_matrix"): csr_matrix,
    ("scipy.sparse._csr", "csr_matrix"): csr_matrix,
    ("collections", "defaultdict"): defaultdict,
    ("__builtin__", "list"): list,
    ("builtins", "list"): list,
}


class _Refused(ValueError):
    """A pickle names something that is not on the list."""


class _Unpickler(pickle.Unpickler):
    """Knows arrays, sparse matrices and dictionaries of lists, and nothing that could run."""

    where = ""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise _Refused(
                f"{self.where} holds {module}.{name}; only arrays, sparse matrices and lists are read from a pickle"
            ) from None


def plain_pickle(content: bytes, where: str) -> Any:
    """Unpickle arrays, numbers, text, CSR matrices, dictionaries and lists; anything else is refused unread.

    Args:
        content: The pickle; text of Python 2 is read as Latin-1.
        where: The file, for messages.

    Raises:
        ValueError: It names another class (nothing of it was called), or is no pickle.
    """
    unpickler = _Unpickler(io.BytesIO(content), encoding="latin1")
    unpickler.where = where
    try:
        return unpickler.load()
    except _Refused:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise ValueError(f"{where} is not a readable pickle ({error!r})") from error
