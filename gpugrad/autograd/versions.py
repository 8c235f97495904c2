"""A record of which arrays changed in place, and when.

The graph has one clock: every node takes a number from it, and so does every in-place change. A saved array is stale if
its memory changed after the node that saved it was numbered. Views need no bookkeeping, because a change is filed under
the array that owns the memory. Arrays that never change cost nothing.
"""

import os
import sys
import weakref
from collections.abc import Iterable
from itertools import count
from types import CodeType
from typing import Any

clock = count(1)
_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep


class _Inside(dict):
    """A dictionary that says of a file name whether the file is one of gpugrad's own, in which users do not look."""

    def __missing__(self, file: str) -> bool:
        self[file] = inside = file.startswith(_PACKAGE)
        return inside


INSIDE = _Inside()


def _source_line(file: str, line: int) -> str:
    import linecache

    return linecache.getline(file, line).strip()


def user_site() -> tuple[CodeType, int] | None:
    """Return the innermost line outside gpugrad on the call stack, in its cheapest form: (code, instruction)."""
    frame: Any = sys._getframe(2)
    while frame is not None and INSIDE[frame.f_code.co_filename]:
        frame = frame.f_back
    return None if frame is None else (frame.f_code, frame.f_lasti)


def describe(site: tuple[CodeType, int] | None) -> str:
    """Return `site` as text; only an error spells it out."""
    if site is None:
        return "an unknown line"
    code, instruction = site
    line = list(code.co_positions())[instruction // 2][0] if instruction >= 0 else code.co_firstlineno
    source = _source_line(code.co_filename, line or 0)
    return f"{code.co_filename}:{line} in {code.co_name}" + (f": {source}" if source else "")


class Change:
    """The latest in-place change of one piece of memory."""

    __slots__ = ("number", "op", "site", "owner")

    def __init__(self, number: int, op: str, site: tuple[CodeType, int] | None, owner: weakref.ref):
        self.number, self.op, self.site, self.owner = number, op, site, owner


changes: dict[int, Change] = {}


def owner(array: Any) -> Any:
    """Return the array that owns the memory of `array`."""
    base = array.base
    while base is not None and hasattr(base, "base") and hasattr(base, "dtype"):
        array, base = base, base.base
    return array


def changed(array: Any, op: str) -> int:
    """File an in-place change of `array` by the op named `op`; returns its number."""
    return all_changed((array,), op)


def all_changed(arrays: Iterable, op: str) -> int:
    """File that the op named `op` changed `arrays` in place; returns the number of the change."""
    number, site = next(clock), user_site()
    for array in arrays:
        memory = owner(array)
        key = id(memory)
        have = changes.get(key)
        ref = have.owner if have else weakref.ref(memory, lambda _, key=key: changes.pop(key, None))
        changes[key] = Change(number, op, site, ref)
    return number


def change_since(array: Any, number: int) -> Change | None:
    """Return the change of `array` that came after `number`; None if there was none."""
    change = changes.get(id(owner(array)))
    return change if change is not None and change.number > number else None
