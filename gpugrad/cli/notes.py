"""`gpugrad notes`: the course notes section by section, where each is in the code, the command that shows it."""

import argparse
from pathlib import Path
from typing import NamedTuple

from ..errors import UsageError


class Entry(NamedTuple):
    """A section of the notes: its title, the names in the code (below `gpugrad`), the command that shows it."""

    note: str
    section: str
    code: tuple[str, ...]
    command: str


def entries() -> list[Entry]:
    """Return all sections, in the notes' order."""
    found, note = [], ""
    for line in Path(__file__).with_name("notes.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("="):
            note = line.removeprefix("=").strip()
        elif line and not line.startswith("#"):
            section, code, command = (part.strip() for part in line.split(" | "))
            found.append(Entry(note, section, tuple(code.split(", ")), command))
    return found


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("word", nargs="?", default="", metavar="WORD", help="list only entries with this word")
    parser.add_argument("--markdown", action="store_true", help="as a page of tables")


def run(args: argparse.Namespace) -> int:
    """Print the map. Raises UsageError where no entry has the word."""
    chosen = [entry for entry in entries() if args.word.lower() in " ".join(map(str, entry)).lower()]
    if not chosen:
        raise UsageError(f"no section, name or command has {args.word!r} in it")
    print("\n".join(_page(chosen) if args.markdown else _lines(chosen)))
    return 0


def _lines(chosen: list[Entry]) -> list[str]:
    width, wide = (max(len(", ".join([e.section] if at else e.code)) for e in chosen) for at in (1, 0))
    width, wide, note, lines = min(width, 60), min(wide, 50), "", []
    for entry in chosen:
        if entry.note != note:
            lines += [*([""] if note else []), entry.note]
            note = entry.note
        lines.append(f"  {entry.section:<{width}}  {', '.join(entry.code):<{wide}}  {entry.command}")
    return lines


def _page(chosen: list[Entry]) -> list[str]:
    note, lines = "", ["# The course notes, section by section"]
    for entry in chosen:
        if entry.note != note:
            note = entry.note
            lines += ["", f"## {note}", "", "| section | in the code, below `gpugrad` | shown by |", "|---|---|---|"]
        lines.append(f"| {entry.section} | {', '.join(f'`{name}`' for name in entry.code)} | `{entry.command}` |")
    return lines
