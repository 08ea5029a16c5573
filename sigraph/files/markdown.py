"""Tables in Markdown: the only place that writes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sigraph.files.foreign_text import cell


def markdown_table(
    titles: Sequence[object], rows: Iterable[Sequence[object]], padded: bool = False, right: Collection[int] = ()
) -> str:
    """A table as GitHub shows it; what would end a cell or steer a terminal is made harmless.

    Args:
        titles: Of the columns.
        rows: Cells as they are to be read, as many as there are titles.
        padded: Columns are lined up, for people who read it in a terminal.
        right: Columns that are shown flush right.

    Raises:
        ValueError: A row has more or fewer cells than there are titles.
    """
    lines = [[cell(value) for value in line] for line in (titles, *rows)]
    for line in lines:
        if len(line) != len(lines[0]):
            raise ValueError(f"'rows' need {len(lines[0])} cells each, as many as 'titles' (got {len(line)}: {line})")
    widths = [max(map(len, column)) if padded else 3 for column in zip(*lines, strict=True)]
    rule = [f"{'-' * (width - (i in right and padded))}{':' * (i in right)}" for i, width in enumerate(widths)]
    lines.insert(1, rule)
    if padded:
        lines = [[text.ljust(width) for text, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
