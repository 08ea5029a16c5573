"""How tests damage files: as bit rot does, which keeps size and time; and as a forger does, who makes the sums fit."""

import json
import os
from pathlib import Path

from sigraph.files.sealed import sealed_text


def rot(file: Path, place: int = -2, bit: int = 0) -> None:
    """Flip one bit and keep the time of writing."""
    about = file.stat()
    content = bytearray(file.read_bytes())
    content[place] ^= 1 << bit
    file.write_bytes(content)
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))


def forge(file: Path, **changes) -> None:
    """Change keys of a sealed file and make its sum fit; None removes one."""
    content = {**json.loads(file.read_text()), **changes}
    file.write_text(sealed_text({key: value for key, value in content.items() if value is not None}))
