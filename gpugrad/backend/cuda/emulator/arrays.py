"""The arrays of an emulated cuda device: they behave like CuPy's, over host memory.

An `EmulatedArray` holds a NumPy array but is none. Functions of the `library` below and NumPy's ufuncs take and return
EmulatedArrays. They refuse a NumPy array among them, as CuPy does, and arrays of two devices or of a device that is not
the current one. Reductions return arrays without axes, never scalars; `manners.py` has what else is CuPy's. So code
that runs here moves everything between host and device that it must move on a GPU.
"""

from __future__ import annotations

import operator
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from .. import counting
from .manners import LIKE_CUPY, refuse, wrapped
from .memory import watch
from .pools import pools

_current = threading.local()


def current_device() -> int:
    """Return the index of the device on which this thread makes arrays and launches kernels."""
    return getattr(_current, "index", 0)


@contextmanager
def use_device(index: int) -> Iterator[None]:
    """Make `index` the current device."""
    before, _current.index = current_device(), index
    try:
        yield
    finally:
        _current.index = before


def waits() -> int:
    """Return how often this thread has waited for values of a device so far; each time would stall a GPU's queue."""
    return getattr(_current, "waits", 0)


def recorder() -> Any:
    """Return the `graphs.Recording` that takes down this thread's work instead of its being done; or None."""
    return getattr(_current, "recorder", None)


@contextmanager
def recorded_by(taker: Any) -> Iterator[None]:
    """Let `taker` take down the work of the block."""
    _current.recorder = taker
    try:
        yield
    finally:
        _current.recorder = None


def uploads() -> int:
    """Return how often this thread has copied values from the host to a device so far; a graph cannot capture that."""
    return getattr(_current, "uploads", 0)


class EmulatedArray(NDArrayOperatorsMixin):
    """An array in an emulated device's memory, with NumPy's methods. `base` is the array that owns the memory."""

    __slots__ = ("_array", "_index", "base", "__weakref__")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, array: np.ndarray, index: int, base: EmulatedArray | None = None):
        self._array, self._index, self.base = array, index, base
        if base is None:
            watch(self)

    def __getattr__(self, name: str) -> Any:
        # Shape, dtype and the like are the array's own; methods take and give device arrays.
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(self._array, name)
        if isinstance(value, np.ndarray):
            return _wrapped(value, [self])
        return Function(value, self) if callable(value) else value

    @property
    def host(self) -> np.ndarray:
        """Return the memory itself, as the emulator and transfers see it."""
        return self._array

    @property
    def device_index(self) -> int:
        return self._index

    @property
    def T(self) -> EmulatedArray:
        return _wrapped(self._array.T, [self])

    def get(self) -> np.ndarray:
        """Return a copy on the host."""
        return self._arrived().copy(order="K")

    def _arrived(self) -> np.ndarray:
        """Return the values on the host, for which a program on a GPU waits."""
        if (taker := recorder()) is not None:
            taker.refuse("waits for a value of the device")
        _current.waits = waits() + 1
        if counting.active:
            counting.note_call("waits", "wait")
        return self._array

    def item(self, *index: Any) -> Any:
        """Return one element as a Python number."""
        return self._arrived().item(*index)

    def tolist(self) -> Any:
        """Return the values as nested lists."""
        return self._arrived().tolist()

    def __len__(self) -> int:
        return len(self._array)

    def __iter__(self) -> Iterator:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> EmulatedArray:
        plain, parents = _plain(index)
        index, taker = wrapped(plain, self._array.shape), recorder()
        found = self._array[index] if taker is None else taker.call(operator.getitem, (self._array, index), {})
        return _wrapped(found, [self, *parents])

    def __setitem__(self, index: Any, value: Any) -> None:
        plain, parents = _plain((index, value))
        _check([self, *parents])
        index = wrapped(plain[0], self._array.shape)
        if (taker := recorder()) is None:
            self._array[index] = plain[1]
        else:
            taker.call(operator.setitem, (self._array, index, plain[1]), {})
        if counting.active:
            fills = not isinstance(value, EmulatedArray)
            counting.note_call("fills" if fills else "arrays", f"{'fill' if fills else 'setitem'} {self.dtype}")

    def __bool__(self) -> bool:
        return bool(self._arrived())

    def __int__(self) -> int:
        return int(self._arrived())

    def __float__(self) -> float:
        return float(self._arrived())

    def __index__(self) -> int:
        return self._arrived().__index__()

    def __repr__(self) -> str:
        return f"emulated {self._array!r}"

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError("a cuda array does not become a NumPy array by itself; move it to the host first")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return _call(getattr(ufunc, method), inputs, kwargs)

    def __array_function__(self, function: Callable, types: Any, args: tuple, kwargs: dict) -> Any:
        return _call(function, args, kwargs)


class Function:
    """A function of NumPy's that takes device arrays; `owner` is the array whose method it is."""

    def __init__(self, function: Callable, owner: EmulatedArray | None = None):
        self._function, self._owner = function, owner

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _call(self._function, args, kwargs, self._owner)

    def __getattr__(self, name: str) -> Any:
        return Function(getattr(self._function, name))


class _Library:
    """A module of NumPy's whose functions take and return device arrays."""

    def __init__(self, module: ModuleType):
        self.__name__ = module.__name__
        self._module = module

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        if isinstance(value, ModuleType):
            return _Library(value)
        return value if isinstance(value, type) or not callable(value) else Function(value)


class _Arrays(_Library):
    """NumPy itself, but new arrays start as NaN, which shows an element that a kernel did not write."""

    ndarray = EmulatedArray

    def empty(self, shape: Any, dtype: Any = float, order: str = "C") -> EmulatedArray:
        shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        dtype = np.dtype(dtype)
        index, size = current_device(), int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        memory = pools[index].allocate(size).view(dtype)
        if (taker := recorder()) is not None:
            taker.kept.append(memory)
        made = EmulatedArray(memory.reshape(shape, order="F" if order == "F" else "C"), index)
        weakref.finalize(made, pools[index].give_back, size).atexit = False
        return made

    def empty_like(self, array: EmulatedArray, dtype: Any = None, shape: Any = None) -> EmulatedArray:
        return self.empty(array.shape if shape is None else shape, array.dtype if dtype is None else dtype)

    def full(self, shape: Any, value: Any, dtype: Any = None) -> EmulatedArray:
        """Return an array of one value."""
        made = self.empty(shape, np.asarray(value).dtype if dtype is None else dtype)
        made[...] = value
        return made

    def zeros(self, shape: Any, dtype: Any = float) -> EmulatedArray:
        return self.full(shape, 0, dtype)

    def ones(self, shape: Any, dtype: Any = float) -> EmulatedArray:
        return self.full(shape, 1, dtype)

    def asarray(self, array: Any, dtype: Any = None) -> EmulatedArray:
        """Return `array` in device memory; it is copied from the host or another device, or to change its dtype."""
        if isinstance(array, EmulatedArray):
            if array._index == current_device() and dtype in (None, array.dtype):
                return array
            if counting.active:
                counting.note_call("arrays", f"asarray {array.dtype if dtype is None else np.dtype(dtype)}")
            return self._copied(array, array.dtype if dtype is None else np.dtype(dtype))
        if (taker := recorder()) is not None:
            taker.refuse(f"copies an array of shape {np.shape(array)} from the host")
        _current.uploads = uploads() + 1
        if counting.active:
            counting.note_call("uploads", f"asarray {np.shape(array)}")
        array = np.asarray(array, dtype)
        made = self.empty(array.shape, array.dtype)
        made._array[...] = array
        return made

    array = asarray

    def ascontiguousarray(self, array: EmulatedArray) -> EmulatedArray:
        if array._array.flags.c_contiguous:
            return array
        if counting.active:
            counting.note_call("arrays", f"ascontiguousarray {array.dtype}")
        return self._copied(array, array.dtype)

    def _copied(self, array: EmulatedArray, dtype: np.dtype) -> EmulatedArray:
        made = self.empty(array.shape, dtype)
        if (taker := recorder()) is None:
            made._array[...] = array._array
        else:
            taker.call(operator.setitem, (made._array, ..., array._array), {})
        return made


library = _Arrays(LIKE_CUPY)


def _call(function: Callable, args: tuple, kwargs: dict, owner: EmulatedArray | None = None) -> Any:
    """Call `function` on the memory behind device arrays, and return its results as device arrays."""
    refuse(function, kwargs)
    (args, kwargs), parents = _plain((args, kwargs))
    parents = parents if owner is None else [owner, *parents]
    _check(parents)
    taker = recorder()
    made = function(*args, **kwargs) if taker is None else taker.call(function, args, kwargs)
    made = _wrapped(made, parents)
    if counting.active:
        _note(function, made, parents, "out" in kwargs)
    return made


def _note(function: Callable, made: Any, parents: list[EmulatedArray], into: bool) -> None:
    """Count a call that gave `made`, unless it only looked at arrays: views, shapes and questions cost nothing."""
    results = [m for m in (made if isinstance(made, (tuple, list)) else (made,)) if isinstance(m, EmulatedArray)]
    owner = getattr(function, "__self__", None)
    name = owner.__name__ if isinstance(owner, np.ufunc) else getattr(function, "__name__", str(function))
    memories = [_memory(parent._array) for parent in parents]
    copies = [m for m in results if not any(_memory(m._array) is memory for memory in memories)]
    if name == "fill":
        counting.note_call("fills", f"fill {parents[0].dtype}")
    elif copies or into:
        counting.note_call("arrays", f"{name} {(copies or results)[0].dtype}")


def _plain(value: Any) -> tuple[Any, list[EmulatedArray]]:
    """Return `value` with NumPy arrays for device arrays (also inside tuples, lists and dicts), and those arrays."""
    found: list[EmulatedArray] = []
    return _walk(value, found), found


def _walk(item: Any, found: list[EmulatedArray]) -> Any:
    if isinstance(item, EmulatedArray):
        found.append(item)
        return item._array
    if isinstance(item, np.ndarray):
        raise TypeError(f"a NumPy array {item.shape} meets a cuda device's function; move it there first")
    if item.__class__ is dict:
        return {key: _walk(v, found) for key, v in item.items()}
    return item.__class__(_walk(v, found) for v in item) if item.__class__ in (tuple, list) else item


def _check(arrays: list[EmulatedArray]) -> None:
    for array in arrays:
        if array._index != current_device():
            raise TypeError(f"an array of cuda:{array._index} is used while cuda:{current_device()} is selected")


def _wrapped(value: Any, parents: list[EmulatedArray]) -> Any:
    """Return `value` with device arrays for NumPy's arrays and scalars; a view belongs to the array with its memory."""
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        for parent in parents:
            if array is parent._array:
                return parent
            if array.base is not None and _memory(array) is _memory(parent._array):
                return EmulatedArray(array, parent._index, parent if parent.base is None else parent.base)
        return EmulatedArray(array, current_device())
    if isinstance(value, tuple) and hasattr(value, "_make"):
        return value._make(_wrapped(v, parents) for v in value)  # type: ignore[attr-defined]
    return value.__class__(_wrapped(v, parents) for v in value) if value.__class__ in (tuple, list) else value


def _memory(array: Any) -> Any:
    while isinstance(array, np.ndarray) and array.base is not None:
        array = array.base
    return array
