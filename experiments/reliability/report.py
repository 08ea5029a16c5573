"""``experiments/reliability.md``: what was tried and what came of it, from what the parts have kept."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

from harness import GOOD, HERE, PARTS, PROGRESS, VERDICTS

from sigraph.files.markdown import markdown_table

PAGE = HERE.parent / "reliability.md"
SHOWN = 40  # cases that did not hold, of one part

ABOUT = {
    "kills": "Killed (`SIGKILL`, or by the kernel in the middle of a write) at every file operation of each command, "
    "then the same command again. *Survived*: it ends with the scores, weights and files of an undisturbed run, byte "
    "for byte.",
    "full": "The disk is full from each file operation on, in the middle of each file, and for real on a small one. "
    "*Survived*: one line says where, and the same command ends as if nothing had happened once there is room.",
    "damage": "One bit of a byte flipped, the file cut or removed, a block of zeros, its time kept, as rotting disks "
    "do. *Survived*: what a user gets is the same; *refused*: an error, a row or a warning names the file.",
    "hostile": "Values that do not belong into an experiment's YAML, broken YAML, and pickles, archives, modules and "
    "bombs where a file is read. *Survived*: it means something and runs; *refused*: one line, nothing executed, in "
    "bounded time and memory.",
    "foreign": "Every command that can replace something, pointed at folders of someone else. *Survived*: it did its "
    "work and every foreign file is there; *refused*: it said no, and every file is there.",
}


def summary(record: dict[str, Any]) -> str:
    """A line for each kind."""
    lines = [
        f"{record['part']}: {len(record['outcomes']):,} of {record['total']:,} in {record['seconds'] / 60:.1f} min"
    ]
    for kind, counts in _kinds(record).items():
        lines.append(
            f"  {kind}: " + ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in VERDICTS if counts[verdict])
        )
    return "\n".join(lines)


def write_report() -> None:
    """Write the page from the kept outcomes; a part's quick run counts only where there is no whole one."""
    sections = [
        "# Reliability",
        "",
        "What was done to sigraph and what came of it, written by `make reliability` (a part: `make reliability "
        "PART=kills`). *Silent*: another result and nothing said. *Lost*: a file that was not sigraph's to take, or "
        "both the old and the new of what was replaced. *Unclear*: an error that does not name the file, a traceback, "
        "no end.",
        "",
    ]
    records = [record for part in PARTS if (record := _kept(part)) is not None]
    rows, total = [], Counter[str]()
    for record in records:
        for kind, counts in _kinds(record).items():
            rows.append(_row(record["part"], kind, counts))
            total += counts
    sections += _table(["part", "kind", "tried", "survived", "refused", "silent", "lost files", "unclear"], rows)
    sections += _table_end(total)
    for record in records:
        sections += _section(record)
    PAGE.write_text("\n".join(sections).rstrip() + "\n")


def _kept(part: str) -> dict[str, Any] | None:
    for name in (f"{part}.json", f"{part}-quick.json"):
        if (PROGRESS / name).is_file():
            return json.loads((PROGRESS / name).read_text())
    return None


def _kinds(record: dict[str, Any]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for kind, verdict, _ in record["outcomes"].values():
        found[kind][verdict] += 1
    return found


def _row(part: str, kind: str, counts: Counter[str]) -> list[str]:
    return [part, kind, f"{counts.total():,}", *(f"{counts[verdict]:,}" for verdict in VERDICTS)]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return markdown_table(head, rows).splitlines()


def _table_end(total: Counter[str]) -> list[str]:
    return [
        "| **all** | " + " | ".join(f"**{cell}**" for cell in _row("", "", total)[1:]).replace("****", "") + " |",
        "",
    ]


def _section(record: dict[str, Any]) -> list[str]:
    part, known = record["part"], record["versions"]
    command = f"make reliability PART={part}" + (" QUICK=1" if record["quick"] else "")
    done = f"{len(record['outcomes']):,} of {record['total']:,} cases"
    how = ", ".join(f"{name} {version}" for name, version in known.items())
    lines = [
        f"## {part}",
        "",
        ABOUT[part],
        "",
        f"`{command}`, seed {record['seed']}, {record['date']}, {done}, {record['seconds'] / 60:.0f} minutes, commit "
        f"{(record['commit'] or 'unknown')[:18]}; {how}.",
        "",
    ]
    bad = [(key, verdict, note) for key, (_, verdict, note) in record["outcomes"].items() if verdict not in GOOD]
    for key, verdict, note in bad[:SHOWN]:
        lines.append(f"- **{verdict}** {_plain(key)}: {_plain(note)}")
    if len(bad) > SHOWN:
        lines.append(f"- and {len(bad) - SHOWN:,} more")
    return [*lines, ""] if bad else lines


def _plain(text: str) -> str:
    """One line of plain text, whatever it holds."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() and c not in "|<>*`" else "·" for c in line)[:240]
