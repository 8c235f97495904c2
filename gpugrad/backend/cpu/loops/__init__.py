"""Compiled loops: what NumPy computes in many passes over an array, Numba can compile to one.

They are an extra, `pip install 'gpugrad[fast]'`; without Numba, or if it fails, the NumPy paths run. A family's
`ops/<family>/loops.py` declares them as plain functions over rows, which are written like C, number by number:

    from ...backend.cpu.loops import Rows, loop
    from ...backend.cpu.loops.mathematics import exp

    @loop
    def softmax(x: Rows, out: Rows):
        for i in range(x.shape[0]):
            total = 0.0
            for j in range(x.shape[1]):
                out[i, j] = exp(x[i, j])
                total += out[i, j]
            scale = 1.0 / total
            for j in range(x.shape[1]):
                out[i, j] *= scale

The family's `cpu.py` asks for the compiled function, which is None where NumPy is to do the work (`choice` says for
which sizes), and calls it once per thread, each with its own rows; the GIL is free meanwhile:

    fill = loops.softmax.chosen(x)
    if fill is not None:
        each_part(lambda part: fill(x[part], out[part]), *x.shape)

How to write one:

- Parameters are annotated with kinds (`language`): arrays are C-contiguous, of the loop's precision unless the kind
  says else, and do not overlap. A loop returns nothing and makes no arrays: results and scratch are parameters. Sizes
  may be 0.
- One function serves float32 and float64. Numbers are written with a point (2.0, not 2: an integer makes Numba compute
  in float64); `real(n)` converts an integer; constants of a module take the precision too, `per_precision(a, b)` gives
  two.
- `language` and `mathematics` hold what may be called, beside arithmetic, comparisons, `range` and `a if b else c`.
- A loop of constant length around others, `range(4)`, is unrolled and takes long to compile: `range(rows.shape[0])`.
- The inner loop runs along the last axis, and nothing in it branches. Sums and `maximum` over it become vectors (their
  order is the compiler's, but always the same). tests/backend/test_loops.py reads the assembly of every loop and
  fails where one is scalar.
- Bits must not depend on the number of threads: a row's result depends on the row alone; a sum over rows is made in
  pieces of a fixed size (`pieces`).

`GPUGRAD_LOOPS=off` turns loops off; `always` takes them at every size, for the checks. 16-bit floats come here as
float32.
"""

import math
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from .. import threads
from . import choice
from .language import (
    Cube,
    Flags,
    Int,
    Ints,
    Kind,
    Real,
    Row,
    Rows,
    Words,
    per_precision,
    polynomial,
    real,
    scalar,
)

__all__ = [
    "LOOPS", "SHARE", "Cube", "Flags", "Int", "Ints", "Kind", "Loop", "Real", "Row", "Rows", "Words", "each_part",
    "loop", "per_precision", "pieces", "polynomial", "problem", "real", "scalar", "switched",
]  # fmt: skip

PRECISIONS = "float32", "float64"
SHARE = 1 << 16  # elements that are worth a thread
LOOPS: dict[str, "Loop"] = {}  # all that have been declared, by name: "softmax.softmax"

_lock = threading.RLock()
_setting = os.environ.get("GPUGRAD_LOOPS", "on")
_failures: list[str] = []  # what went wrong, if something did: no loop is compiled after that
_UNKNOWN: Any = object()


class Loop:
    """A loop that is compiled, once per precision, when it is first chosen."""

    def __init__(self, function: Callable, scalar: int, precisions: tuple[str, ...]) -> None:
        family = function.__module__.split(".")[-2]
        self.function, self.name, self.__doc__ = function, f"{family}.{function.__name__}", function.__doc__
        self.scalar, self.precisions = scalar, tuple(np.dtype(name) for name in precisions)
        self.least = choice.least(self.name, _setting)  # elements from which NumPy does not do the work
        self._compiled: dict[np.dtype, Callable | None] = {}
        LOOPS[self.name] = self

    @property
    def kinds(self) -> dict[str, Kind]:
        """Return the kinds of the parameters by name."""
        return {name: kind.__metadata__[0] for name, kind in self.function.__annotations__.items()}

    def chosen(self, array: np.ndarray) -> Callable | None:
        """Return the compiled function for work on an array of this dtype and size; None if NumPy is to do it."""
        return self.sized(array.size, array.dtype)

    def sized(self, size: int, dtype: np.dtype) -> Callable | None:
        """Return the compiled function for work on this many elements; None if NumPy is to do it."""
        if size < self.least:
            return None
        found = self._compiled.get(dtype, _UNKNOWN)
        return self._find(dtype) if found is _UNKNOWN else found

    def assembly(self, dtype: np.dtype) -> str:
        """Return the assembly text of the compiled function, for the tests."""
        from . import compiler

        return compiler.assembly(self.name, self.function, self.kinds, dtype)

    def _find(self, dtype: np.dtype) -> Callable | None:
        with _lock:
            if dtype not in self._compiled:
                self._compiled[dtype] = self._load(dtype) if dtype in self.precisions else None
        return self._compiled[dtype]

    def _load(self, dtype: np.dtype) -> Callable | None:
        if problem() is not None:
            return None
        try:
            from . import compiler

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return compiler.load(self.name, self.function, self.kinds, dtype)
        except Exception as error:  # whatever Numba, LLVM or the system has against it: NumPy does the work
            _failures.append(f"{self.name} was not compiled: {type(error).__name__}: {error}")
            return None


def loop(function: Callable | None = None, *, scalar: int = 0, precisions: tuple[str, ...] = PRECISIONS) -> Any:
    """Declare a loop; see the head of this module.

    scalar: how many of its innermost loops cannot be vector code. precisions: those that it exists in.
    """
    if function is None:
        return partial(Loop, scalar=scalar, precisions=precisions)
    return Loop(function, scalar, precisions)


def problem() -> str | None:
    """Return why loops are not compiled here, or None if they are."""
    if _setting not in ("on", "always"):
        return f"GPUGRAD_LOOPS={_setting} turns them off"
    if not _failures:
        from .compiler import diagnose

        found = diagnose()
        if found is not None:
            _failures.append(found)
    return _failures[0] if _failures else None


@contextmanager
def switched(setting: str) -> Iterator[None]:
    """Compute with GPUGRAD_LOOPS set to "on", "off" or "always", in all threads, for the tests."""
    before = _setting
    _set(setting)
    try:
        yield
    finally:
        _set(before)


def _set(setting: str) -> None:
    global _setting
    _setting = setting
    for declared in LOOPS.values():
        declared.least = choice.least(declared.name, setting)


def each_part(task: Callable[[slice], Any], count: int, width: int = 1, share: int = SHARE) -> None:
    """Run `task(part)` on slices of range(count), one per thread.

    width: the elements of one item. share: the elements that are worth a thread.
    """
    if count:
        threads.parallel(task, threads.chunks(count, 1 + (share - 1) // max(1, width)))


def pieces(count: int, size: int) -> int:
    """Return into how many pieces of `size` items range(count) is cut, for sums whose order threads do not change."""
    return math.ceil(count / size)
