"""The resources that kernels take of a multiprocessor: registers, spills, shared memory and stack, from the assembler's
log."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from .nvrtc import Cubin

STATIC_SHARED = 48 * 1024  # bytes of static shared memory that every GPU gives a block

_ENTRY = re.compile(r"Compiling entry function '(\w+)'")
_FUNCTION = re.compile(r"Function properties for (\w+)")
_STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_USED = re.compile(r"Used (\d+) registers")
_SHARED = re.compile(r"(\d+) bytes smem")


@dataclass(frozen=True)
class Resources:
    """Registers per thread, bytes of spill stores and loads in the code, static shared bytes per block, stack bytes."""

    registers: int = 0
    spill_bytes: int = 0
    shared_bytes: int = 0
    stack_bytes: int = 0


def resources(cubin: Cubin) -> dict[str, Resources]:
    """Return the resources of each instance in `cubin`.

    A device function that was not inlined has its own row, under its mangled name: its spills are in no kernel's row.
    """
    found: dict[str, Resources] = {}
    entries: set[str] = set()
    entry = function = ""
    for line in cubin.log.splitlines():
        if match := _ENTRY.search(line):
            entry = match[1]
            entries.add(entry)
        elif match := _FUNCTION.search(line):
            function = match[1]
        elif match := _STACK.search(line):
            stack, stores, loads = map(int, match.groups())
            row = found.get(function, Resources())
            found[function] = replace(row, stack_bytes=stack, spill_bytes=stores + loads)
        elif match := _USED.search(line):
            shared = _SHARED.search(line)
            row = found.get(entry, Resources())
            found[entry] = replace(row, registers=int(match[1]), shared_bytes=int(shared[1]) if shared else 0)
    functions = {name: row for name, row in found.items() if name not in entries}
    return {instance: found[name] for instance, name in cubin.names.items()} | functions
