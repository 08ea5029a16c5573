"""FASTA: sequences under headers, each with an accession and perhaps a description."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass
class FastaRecord:
    """A sequence as a file has it, in one or several lines."""

    accession: str
    description: str
    lines: list[str] = field(default_factory=list)

    @property
    def sequence(self) -> str:
        """All its lines as one."""
        return "".join(self.lines)


def fasta_records(lines: Iterable[str], where: str) -> Iterator[FastaRecord]:
    """The records of a FASTA file.

    The accession is the middle of a header ``>db|ACCESSION|NAME ...``, else the header's first word; the rest of the
    header describes. Blank lines do not count.

    Args:
        lines: Of the file, with or without their ends.
        where: The file, for messages.

    Raises:
        ValueError: A sequence without a header, a header without an accession or a sequence, an accession that stands
            there twice.
    """
    seen: set[str] = set()
    current: FastaRecord | None = None
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if line.startswith(">"):
            if current is not None:
                yield _whole(current, where)
            name, _, description = text[1:].strip().partition(" ")
            accession = name.split("|")[1] if name.count("|") == 2 else name
            if not accession or accession in seen:
                raise ValueError(
                    f"{where}, line {number}: needs an accession of its own (got {accession!r}, {text!r:.60})"
                )
            seen.add(accession)
            current = FastaRecord(accession, description.strip())
        elif text:
            if current is None:
                raise ValueError(f"{where}, line {number}: needs a header '>...' before the first sequence")
            current.lines.append(text)
    if current is not None:
        yield _whole(current, where)


def _whole(record: FastaRecord, where: str) -> FastaRecord:
    if not record.lines:
        raise ValueError(f"{where}: the header {record.accession!r} has no sequence")
    return record
