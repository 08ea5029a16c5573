"""Numbers with what they count, for messages: 1 cell, 2,000 cells."""

from __future__ import annotations


def counted(number: int, one: str, several: str = "") -> str:
    """A number with its noun, and perhaps its verb, as both are for so many.

    Args:
        number: How many, written with commas.
        one: Of a single one, such as ``cell``, or ``cell is``.
        several: Of none and of more than one; empty: with an s, as most nouns.

    Example:
        >>> counted(1, "cell"), counted(1200, "class is", "classes are")
        ('1 cell', '1,200 classes are')
    """
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"
