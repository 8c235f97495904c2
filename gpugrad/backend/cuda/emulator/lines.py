"""The source lines of addresses in a kernel's library, and its stretches of code, by binutils."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from .toolchain import INCLUDE


class Place(NamedTuple):
    """A line of a source: of the kernel's file if `file` is empty."""

    file: str
    line: int


class Frames(NamedTuple):
    """The lines of an address, innermost first: its own and those that called it, without the emulator's own lines."""

    places: tuple[Place, ...]
    in_emulator: bool  # whether the emulator's code is the innermost


_known: dict[tuple[Path, int], Frames] = {}


def frames(library: Path, offsets: Iterable[int]) -> list[Frames] | None:
    """Return the lines of these offsets in a library, or None without binutils' addr2line."""
    wanted = list(offsets)
    missing = [offset for offset in dict.fromkeys(wanted) if (library, offset) not in _known]
    command = ["addr2line", "-a", "-f", "-i", "-e", str(library)]
    try:
        text = "".join(f"{offset:#x}\n" for offset in missing)
        found = (
            subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout if missing else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    for offset, part in zip(missing, re.split(r"^0x[0-9a-f]+\n", found, flags=re.MULTILINE)[1:], strict=True):
        _known[library, offset] = _frames(part.splitlines())
    return [_known[library, offset] for offset in wanted]


def _frames(lines: Sequence[str]) -> Frames:
    """Read addr2line's answer for one address: a function and its line, by turns.

    g++ read the source from its standard input, and names that, or the file, as its debug information has it; for
    functions of the emulator's precompiled header it may name the wrong one.
    """
    places, emulators = [], []
    for function, text in zip(lines[::2], lines[1::2], strict=True):
        file, _, line = text.split(" (")[0].rpartition(":")
        own = file.startswith(str(INCLUDE)) or "instance " in file
        emulators.append(own or re.match(r"_ZZ?NK?8emulator", function) is not None)
        if file and not emulators[-1] and line.isdigit() and int(line):
            places.append(Place("" if file.endswith("<stdin>") else file, int(line)))
    return Frames(tuple(places), bool(emulators) and emulators[0])


@cache
def stretches(library: Path) -> dict[int, int]:
    """Return, of a library that records, each stretch of code without branches and its number of instructions.

    The keys are offsets as the recorder has them. Without binutils' objdump, nothing is known.
    """
    command = ["objdump", "-d", "--no-show-raw-insn", "-j", ".text", str(library)]
    try:
        listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return {}
    found: dict[int, int] = {}
    begins, start = False, None
    for address, instruction in re.findall(r"^ *([0-9a-f]+):\t(.*)$", listing, re.MULTILINE):
        if begins:
            start = int(address, 16) - 1  # as the recorder has it: the call, not what follows it
            found[start] = 0
        begins = "__sanitizer_cov_trace_pc" in instruction
        if start is not None and "__tsan" not in instruction and not begins:
            found[start] += 1
    return found
