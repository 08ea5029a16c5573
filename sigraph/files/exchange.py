"""exchange: two folders swap their names in one step, where the system has it."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

_UNABLE = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM}


def exchange(first: Path, second: Path) -> bool:
    """Swap two paths of one file system: at every moment each name has one of the two.

    Returns:
        Whether it was done; False, with nothing changed, where the system or the file system has no such call.

    Raises:
        OSError: One of them is missing, or may not be renamed.
    """
    call = _system_call()
    if call is None:
        return False
    if call(os.fsencode(first.absolute()), os.fsencode(second.absolute())) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNABLE:
        return False
    raise OSError(number, os.strerror(number), str(first), None, str(second))


@cache
def _system_call() -> Any:
    """``call(first, second) -> 0``, errno set otherwise; None where there is none."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "linux":
            here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of renameat2(2)
            return lambda first, second: library.renameat2(here, first, here, second, swap)
        if sys.platform == "darwin":
            swap = 2  # RENAME_SWAP of renamex_np(2)
            return lambda first, second: library.renamex_np(first, second, swap)
    except (OSError, TypeError):  # no C library to ask
        return None
    return None
