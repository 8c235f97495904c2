"""CUDA graphs on the emulated device: work is taken down instead of being done, and done by each replay.

As on a GPU, nothing is computed while a step is captured: kernels, products and calls of the array library are noted
with the memory that they read and write, and a replay does them in the same order on the same memory. What a capturing
stream refuses is refused: waits for values, copies from the host, results whose shape depends on values.

A call of the array library runs once while it is captured, on whatever the memory holds, because its result's shape and
dtype must be known; only its memory counts, which replays write. Calls that change an array in place do not run.
"""

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from ....errors import CaptureError
from .arrays import EmulatedArray, recorded_by

_IN_PLACE = {"setitem", "fill", "put", "copyto", "place", "putmask", "put_along_axis", "at", "fill_diagonal"}
_BY_VALUE = {"nonzero", "argwhere", "flatnonzero", "unique", "unique_values", "unique_counts", "unique_inverse",
             "unique_all", "compress", "extract", "bincount", "union1d", "intersect1d", "setdiff1d", "setxor1d",
             "trim_zeros"}  # fmt: skip
# CuPy hands these to libraries that it does not let a stream capture: thrust waits, cuBLAS and cuSOLVER are refused.
_SORTS = {"sort", "argsort", "lexsort", "partition", "argpartition"}
_PRODUCTS = {"dot", "matmul", "vdot", "inner", "tensordot", "einsum"}


class Work(NamedTuple):
    """One piece of captured work: "kernel", "product" or "call", its name, the addresses of its arrays, and itself."""

    kind: str
    name: str
    addresses: tuple[int, ...]
    do: Callable[[], Any]


class EmulatedGraph:
    """Captured work, in order. `work` lists it."""

    refusals = (CaptureError,)  # the exceptions that say that something cannot be captured

    def __init__(self) -> None:
        self.work: list[Work] = []
        self.kept: list[np.ndarray] = []  # the memory that was allocated while it captured: its private pool

    @contextmanager
    def running(self) -> Iterator[None]:
        """Do the work of the block where this graph's work is done."""
        yield

    @contextmanager
    def capturing(self) -> Iterator[None]:
        """Take down the work of the block instead of doing it."""
        self.work, self.kept = [], []
        with recorded_by(self):
            yield

    def upload(self, array: EmulatedArray, host: np.ndarray) -> None:
        """Copy `host` to `array`, in order with replays."""
        array.host[...] = host

    def replay(self) -> None:
        """Do the captured work."""
        for work in self.work:
            work.do()

    # What the device and its arrays call while this graph captures

    def refuse(self, what: str) -> None:
        """Raise CaptureError: the step does what a graph cannot repeat."""
        raise CaptureError(what)

    def note(self, kind: str, name: str, arrays: Sequence, do: Callable[[], Any]) -> None:
        """Take down one piece of work on these arrays (others among them are passed over)."""
        addresses = tuple(a.__array_interface__["data"][0] for a in arrays if isinstance(a, np.ndarray))
        self.work.append(Work(kind, name, addresses, do))

    def launch(self, function: Any, grid: tuple, block: tuple, args: list, shared: int) -> None:
        """Take down a kernel's launch, with the structures among its arguments as they are now."""
        args = [type(a).from_buffer_copy(a) if isinstance(a, ctypes.Structure) else a for a in args]
        self.note("kernel", function.name, args, lambda: function.launch(grid, block, args, shared))

    def call(self, function: Any, args: tuple, kwargs: dict) -> Any:
        """Take down a call of NumPy's, unless it only makes a view, and return the memory of its result."""
        owner = getattr(function, "__self__", None)
        name = getattr(function, "__name__", str(function))
        name = owner.__name__ if isinstance(owner, np.ufunc) and name == "__call__" else name
        given = [*_arrays((args, kwargs)), *_arrays(owner)]
        self._check(name, function, args, kwargs)

        def again() -> Any:
            return function(*args, **kwargs)

        if (out := kwargs.get("out")) is not None:
            self.note("call", name, given, again)
            return out[0] if isinstance(out, tuple) and len(out) == 1 else out
        if name in _IN_PLACE:
            self.note("call", name, given, again)
            return None
        made = _as_arrays(_on_anything(function, args, kwargs))
        fresh = [not any(np.may_share_memory(array, other) for other in given) for array in _arrays(made)]
        if any(fresh):

            def do() -> None:
                for array, new, is_fresh in zip(_arrays(made), _arrays(_as_arrays(again())), fresh, strict=True):
                    if is_fresh:
                        array[...] = new

            self.note("call", name, [*_arrays(made), *given], do)
        return made

    def _check(self, name: str, function: Any, args: tuple, kwargs: dict) -> None:
        """Refuse calls whose result has a shape that depends on values, and those of libraries that do not capture."""
        if name in _SORTS:
            self.refuse(f"{name} waits for the device")
        if name in _PRODUCTS or "linalg" in (getattr(function, "__module__", None) or ""):
            self.refuse(f"{name} calls a library of NVIDIA's that CuPy does not let a stream capture")
        mask = name == "getitem" and any(array.dtype == np.bool_ and array.ndim for array in _arrays(args[1]))
        where = name == "where" and len(args) == 1
        counts = name == "repeat" and any(_arrays([*args[1:], *kwargs.values()]))
        if name in _BY_VALUE or mask or where or counts:
            what = "an index by a mask" if mask else name
            self.refuse(f"needs the number of elements that {what} will give, which only the device knows")


def _arrays(value: Any) -> list[np.ndarray]:
    """Return the arrays in nested tuples, lists and dicts."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [array for item in value for array in _arrays(item)] if isinstance(value, (tuple, list)) else []


def _as_arrays(value: Any) -> Any:
    """Return a result with arrays for NumPy's scalars, as a device has them in memory."""
    if isinstance(value, np.generic):
        return np.asarray(value)
    if isinstance(value, tuple) and hasattr(value, "_make"):
        return value._make(_as_arrays(item) for item in value)  # type: ignore[attr-defined]
    return value.__class__(_as_arrays(item) for item in value) if value.__class__ in (tuple, list) else value


def _on_anything(function: Any, args: tuple, kwargs: dict) -> Any:
    """Call a function of which only the result's shape matters; indices that nobody has computed yet become zeros."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return function(*args, **kwargs)
        except IndexError:
            return function(*_zeroed(args), **_zeroed(kwargs))


def _zeroed(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind in "iu":
        return np.zeros_like(value)
    if isinstance(value, dict):
        return {key: _zeroed(item) for key, item in value.items()}
    return value.__class__(_zeroed(item) for item in value) if value.__class__ in (tuple, list) else value
