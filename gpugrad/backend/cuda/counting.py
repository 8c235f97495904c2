"""Counts of what a program makes cuda devices do: launches, matrix products, calls of the array library, transfers.

Whoever starts such work says so with `note`, if anybody counts. The emulated device sees every call of the array
library; a GPU's array library, CuPy, does not say what it launches, so there only our own work is counted.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).parents[2]
KINDS = ("kernels", "products", "arrays", "fills", "uploads", "waits")


class Launches:
    """The work of cuda devices inside a `with gpugrad.cuda.launches() as ran:` block, as counters by name.

    kernels: launches of our kernels, by instance: its name and the types that it was compiled for.
    products: matrix products of cuBLASLt, by epilogue and dtype.
    arrays: calls of the array library that compute or copy, by name, dtype and place in the code.
    fills: arrays filled with one value, by dtype and place. uploads: copies from the host, by shape and place.
    waits: values that the host waited for, by place.

    Views are not work. On a GPU `arrays`, `fills`, `uploads` and `waits` stay empty: CuPy does not report them.

    >>> with gg.cuda.launches() as ran:
    ...     x = gg.ones(3)  # on the CPU
    >>> ran.totals()
    {'kernels': 0, 'products': 0, 'arrays': 0, 'fills': 0, 'uploads': 0, 'waits': 0}
    """

    def __init__(self) -> None:
        self.kernels: Counter[str] = Counter()
        self.products: Counter[str] = Counter()
        self.arrays: Counter[str] = Counter()
        self.fills: Counter[str] = Counter()
        self.uploads: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()

    def totals(self) -> dict[str, int]:
        """Return the number of each kind."""
        return {kind: getattr(self, kind).total() for kind in KINDS}

    def __str__(self) -> str:
        lines = []
        for kind in KINDS:
            counter: Counter[str] = getattr(self, kind)
            lines.append(f"{kind}: {counter.total()}")
            lines += [f"{count:6} {name}" for name, count in counter.most_common()]
        return "\n".join(lines)


active: list[Launches] = []  # those that count now


def note(kind: str, name: str) -> None:
    """Count one piece of work of this kind."""
    for launches in active:
        getattr(launches, kind)[name] += 1


def note_call(kind: str, name: str) -> None:
    """Count one piece of work of this kind, with the place in the package, or outside, that asked for it."""
    frame = sys._getframe(1)
    while frame is not None and (frame.f_code.co_filename.startswith(_BELOW) or "numpy" in frame.f_code.co_filename):
        frame = frame.f_back
    where = "?"
    if frame is not None:
        path = Path(frame.f_code.co_filename)
        where = path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else path.name
        where = f"{where}:{frame.f_lineno}"
    note(kind, f"{name} at {where}")


_BELOW = str(PACKAGE / "backend")
