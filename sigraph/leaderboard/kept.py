"""What a kept file of results is, whatever it holds: typed fields with a format and a sum, read and written whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Self

from sigraph.files.sealed import read_sealed, write_sealed
from sigraph.leaderboard.record_fields import FORMAT, MOST_BYTES, Check, shown


class RecordError(ValueError):
    """A file, or a value, is no record: a field is missing or does not fit."""


class NewerFormatError(RecordError):
    """A file of results was written by a newer sigraph, and may mean something else than this one reads."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Fields of a file, with those that this sigraph does not know.

    Args:
        null: Fields that the file gives as null, which differs from not giving them.
        more: Fields of other versions.
    """

    null: frozenset[str] = field(default=frozenset(), repr=False)
    more: Mapping[str, Any] = field(default_factory=dict, repr=False)

    _check: ClassVar[Check]
    _parts: ClassVar[Mapping[str, type[Kept]]] = {}  # fields that are of these kinds, or lists of them

    @classmethod
    def wrong(cls, plain: Any) -> str | None:
        """What is wrong with plain values: the field, what it needs, what came; None if nothing is."""
        return newer(plain) or cls._check(plain, "")

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """From plain values, as in JSON.

        Raises:
            NewerFormatError: They are of a newer format.
            RecordError: A field is missing or does not fit; says which.
        """
        if found := newer(plain):
            raise NewerFormatError(found)
        if found := cls.wrong(plain):
            raise RecordError(f"no {cls.__name__}: {found}")
        return cls.of_checked(plain)

    @classmethod
    def of_checked(cls, plain: Mapping[str, Any]) -> Self:
        """From plain values of which :meth:`wrong` said nothing."""
        known = {one.name for one in fields(cls)} - {"null", "more"}
        values = {name: cls._part(name, value) for name, value in plain.items() if name in known and value is not None}
        null = frozenset(name for name in known if name in plain and plain[name] is None)
        return cls(**values, null=null, more={name: value for name, value in plain.items() if name not in known})

    @classmethod
    def _part(cls, name: str, value: Any) -> Any:
        kind = cls._parts.get(name)
        if kind is None:
            return value
        return [kind.of_checked(one) for one in value] if isinstance(value, list | tuple) else kind.of_checked(value)

    def to_dict(self) -> dict[str, Any]:
        """The plain values that it was made from."""
        found: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name not in ("null", "more") and (value is not None or one.name in self.null):
                found[one.name] = _plain(value) if one.name in self._parts else value
        return {**found, **self.more}

    def says(self, name: str) -> bool:
        """Whether the file gives a field, be it as null."""
        return getattr(self, name) is not None or name in self.null

    @classmethod
    def read(cls, file: str | Path) -> Self:
        """From a file.

        Raises:
            OSError: The file cannot be read.
            DamagedError: It is no record, or was altered.
            NewerFormatError, RecordError: As in :meth:`from_dict`, with the file.
        """
        plain = read_sealed(file, MOST_BYTES)
        if found := newer(plain):
            raise NewerFormatError(f"{file} is {found}")
        if found := cls.wrong(plain):
            raise RecordError(f"{file} {found}")
        return cls.of_checked(plain)

    def write(self, file: str | Path) -> None:
        """To a file, all or nothing, with its sum.

        Raises:
            RecordError: A field does not fit; such a file could not be read again.
        """
        plain = self.to_dict()
        if found := self.wrong(plain):
            raise RecordError(f"{file} cannot be written: {found}")
        write_sealed(file, plain)


def newer(plain: Any) -> str | None:
    """Why plain values may not be read: their format is a newer one; None if it is not."""
    found = plain.get("format") if isinstance(plain, Mapping) else None
    if not isinstance(found, int) or isinstance(found, bool) or found <= FORMAT:
        return None
    return (
        f"of a newer sigraph (format {shown(found)}, this one reads up to {FORMAT}); update sigraph, or give another "
        "output_dir"
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Kept):
        return value.to_dict()
    return [one.to_dict() for one in value] if isinstance(value, list | tuple) else value
