"""Every outermost call of CuPy also as a call of NumPy on the same memory.

CuPy's own kernels do nothing here. So its result is compared with NumPy's in what it has before any kernel runs
(exception, type, shape, dtype, memory layout), and then gets NumPy's values, with which the program goes on. Calls that
CuPy makes itself, within a call, are left alone.
"""

from __future__ import annotations

import ctypes
import functools
import inspect
import operator
from collections.abc import Callable
from types import ModuleType
from typing import Any

import cupy
import cupyx
import ml_dtypes
import numpy as np

from gpugrad.backend.cuda.emulator.manners import LIKE_CUPY, wrapped

from .findings import FOUND

_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
_NOTHING = object()
_as_cupy, _real_get = cupy.asarray, cupy.ndarray.get
_is_inside = False


# ---- arrays


class _Memory:
    """What NumPy needs to see an array of CuPy's as its own, with another type of element."""

    def __init__(self, array: Any, element: str):
        self.array = array  # which keeps the memory alive
        self.__array_interface__ = {
            "shape": array.shape, "typestr": element, "data": (array.data.ptr, False), "strides": array.strides,
            "version": 3,
        }  # fmt: skip


def host(array: Any) -> np.ndarray:
    """Return a NumPy array that is CuPy's array, in the same memory."""
    if array.size == 0:
        return np.empty(array.shape, array.dtype)
    if array.dtype == _BFLOAT16:
        return np.asarray(_Memory(array, "<u2")).view(_BFLOAT16)
    return np.asarray(_Memory(array, array.dtype.str))


def _plain(value: Any) -> Any:
    """Return NumPy's counterpart of an argument."""
    if isinstance(value, cupy.ndarray):
        return host(value)
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    if type(value) is dict:
        return {name: _plain(v) for name, v in value.items()}
    return getattr(np, value.name.replace("cupy_", ""), value) if isinstance(value, cupy.ufunc) else value


def _device(value: Any) -> Any:
    """Return CuPy's counterpart of a result of NumPy's, to go on with where CuPy has no usable result."""
    if isinstance(value, (np.ndarray, np.generic)):
        return _as_cupy(np.ascontiguousarray(value).reshape(np.shape(value)))
    return _each(value, map(_device, value)) if isinstance(value, (list, tuple)) else value


def _each(like: Any, items: Any) -> Any:
    return like._make(items) if hasattr(like, "_make") else type(like)(items)


# ---- calls


def shadow(name: str, function: Callable, reference: Callable, writes: bool = False) -> Callable:
    """Return `function` of CuPy's such that it is compared with `reference`. writes: it changes its first argument."""

    def call(*args: Any, **kwargs: Any) -> Any:
        global _is_inside
        if _is_inside:
            return function(*args, **kwargs)
        _is_inside = True
        FOUND.calls += 1
        try:
            return _compared(name, function, reference, writes, args, kwargs)
        finally:
            _is_inside = False

    functools.update_wrapper(call, function, assigned=("__name__", "__doc__"), updated=())
    return call


def _compared(name: str, function: Callable, reference: Callable, writes: bool, args: tuple, kwargs: dict) -> Any:
    plain, plain_kwargs = _plain(args), _plain(kwargs)
    if writes:  # CuPy may have read these when NumPy writes
        plain = (plain[0], *(np.array(v) if isinstance(v, np.ndarray) else v for v in plain[1:]))
    got, error = _NOTHING, None
    try:
        got = function(*args, **kwargs)
    except Exception as raised:
        error = raised
    if got is NotImplemented:
        return got
    try:
        with np.errstate(all="ignore"):
            want = reference(*plain, **plain_kwargs)
    except Exception as raised:
        if error is not None:
            raise error from None
        return _silent(name, got, raised, args, kwargs)
    if error is not None:
        FOUND.add("CuPy raises", name, args, kwargs, f"{type(error).__name__}: {error}")
        got = args[0] if writes else _device(want)
    if writes:
        return None if name == "__setitem__" else got
    return got if error is not None else _filled(name, got, want, args, kwargs)


def _silent(name: str, got: Any, raised: Exception, args: tuple, kwargs: dict) -> Any:
    """Return CuPy's result where NumPy raises. CuPy says nothing of failed linear algebra and of indices outside."""
    if isinstance(raised, np.linalg.LinAlgError) and cupyx.geterr()["linalg"] == "raise":
        raise raised  # as CuPy would, which reads cuSOLVER's status then
    is_known = isinstance(raised, (np.linalg.LinAlgError, IndexError))
    FOUND.add("silent" if is_known else "NumPy raises", name, args, kwargs, f"{type(raised).__name__}: {raised}")
    if isinstance(got, cupy.ndarray) and got.dtype.kind in "fc":
        host(got)[...] = np.nan
    return got


def _filled(name: str, got: Any, want: Any, args: tuple, kwargs: dict) -> Any:
    """Compare a result with NumPy's and return it with NumPy's values."""
    if isinstance(want, (tuple, list)) and isinstance(got, (tuple, list)):
        if len(got) != len(want):
            FOUND.add("length", name, args, kwargs, f"{len(got)} for {len(want)}")
            return _device(want)
        return _each(got, [_filled(name, g, w, args, kwargs) for g, w in zip(got, want, strict=True)])
    if not isinstance(want, (np.ndarray, np.generic)) or isinstance(got, (np.ndarray, np.generic)):
        return got
    if not isinstance(got, cupy.ndarray):
        FOUND.add("type", name, args, kwargs, f"{type(got).__name__} for {type(want).__name__}")
        return _device(want)
    if got.shape != np.shape(want):
        FOUND.add("shape", name, args, kwargs, f"{got.ndim} axes for {np.ndim(want)}, or another length")
        return _device(want)
    if got.dtype != want.dtype:
        FOUND.add("dtype", name, args, kwargs, f"{got.dtype} for {want.dtype}")
    if got.size and not any(step == 0 and n > 1 for step, n in zip(got.strides, got.shape, strict=True)):
        _fill(name, got, np.asarray(want), args, kwargs)
    return got


def _fill(name: str, got: Any, want: np.ndarray, args: tuple, kwargs: dict) -> None:
    memory = host(got)
    if memory.ctypes.data == want.ctypes.data and memory.strides == want.strides:
        return  # a view
    with np.errstate(all="ignore"):
        memory[...] = want.astype(got.dtype)
    steps = zip(got.strides, want.strides, got.shape, strict=True)
    if want.base is None and got.dtype == want.dtype and any(n > 1 and a != b for a, b, n in steps):
        FOUND.add("layout", name, args, kwargs, "another order of axes")


# ---- namespaces

_UNSHADOWED = {"get_default_memory_pool", "may_share_memory", "shares_memory", "get_array_module"}
_SPACES = ("linalg", "fft")


class Space(ModuleType):
    """A namespace of CuPy's whose functions are shadowed by those of a namespace of NumPy's."""

    def __init__(self, real: Any, reference: Any, path: str = ""):
        super().__init__(real.__name__)
        self._real, self._reference, self._path = real, reference, path

    def __getattr__(self, name: str) -> Any:
        real, reference = getattr(self._real, name), getattr(self._reference, name, None)
        made = self._made(name, real, reference)
        setattr(self, name, made)
        return made

    def _made(self, name: str, real: Any, reference: Any) -> Any:
        if isinstance(real, ModuleType):
            return Space(real, reference, f"{self._path}{name}.") if name in _SPACES else real
        if isinstance(real, type) or not callable(real) or name in _UNSHADOWED:
            return real
        if name == "asnumpy":
            return _asnumpy
        if name in ("empty", "empty_like"):
            return _nan_filled(real)
        if isinstance(real, cupy.ufunc):
            return _Ufunc(self._path + name, real, reference)
        if reference is None:
            FOUND.add("only CuPy's", self._path + name, (), {}, "NumPy has no such function")
            return real
        if name in ("array", "asarray"):
            return shadow(name, real, lambda array, dtype=None, *rest, **options: np.asarray(array, dtype))
        if name == "take":
            reference = LIKE_CUPY.take
        if self._path == "fft." and name.endswith(("fft", "fftn")):
            return _transform(real, reference)
        return shadow(self._path + name, real, reference)


def _transform(real: Callable, reference: Callable) -> Callable:
    """Return NumPy's transform with the signature of CuPy's: cuFFT itself asks the driver for what is not there."""
    signature = inspect.signature(real)

    def call(*args: Any, **kwargs: Any) -> Any:
        signature.bind(*args, **kwargs)
        FOUND.calls += 1
        return _device(reference(*_plain(args), **_plain(kwargs)))

    return call


def _get(self: Any, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> np.ndarray:
    """`ndarray.get`: an array that is not contiguous is copied by a kernel first."""
    made = _real_get(self, stream, order, out, blocking)
    made[...] = host(self)
    return made


def _asnumpy(array: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True) -> Any:
    if isinstance(array, cupy.ndarray):
        return _get(array, stream, order, out, blocking)
    return cupy.asnumpy(array, stream, order, out, blocking=blocking)


def _nan_filled(real: Callable) -> Callable:
    """Return `empty` such that its memory is NaN, which shows what nobody wrote."""

    def make(*args: Any, **kwargs: Any) -> Any:
        made = real(*args, **kwargs)
        if made.size and made.flags.c_contiguous:
            ctypes.memset(made.data.ptr, 0xFF, made.nbytes)
        return made

    return make


class _Ufunc:
    """A ufunc of CuPy's with its methods."""

    def __init__(self, name: str, real: Any, reference: Any):
        self._name, self._real, self._reference = name, real, reference
        self._call = shadow(name, real, reference) if reference is not None else real

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._real, name)
        if name not in ("at", "reduce", "accumulate", "outer", "reduceat"):
            return value
        return shadow(f"{self._name}.{name}", value, getattr(self._reference, name), writes=name == "at")


# ---- the array's own methods

_WORDS = "add sub mul truediv floordiv mod pow and or xor lshift rshift matmul".split()
_BINARY = {f"__{side}{word}__": (word, side) for word in [*_WORDS, "divmod"] for side in ("", "r")}
_COMPARISONS = {f"__{word}__": (word, "") for word in ("lt", "le", "eq", "ne", "gt", "ge")}
_WRITERS = {f"__i{word}__" for word in _WORDS} | {"__setitem__", "fill", "sort", "put", "partition"}
_OTHERS = ["__neg__", "__pos__", "__abs__", "__invert__", "__getitem__"]
# They leave the device (as `get` does, on which they rest), or have no counterpart.
_NOT_METHODS = {"get", "set", "item", "tolist", "tobytes", "tofile", "dump", "dumps", "toDlpack", "view", "device"}
_OPERATORS = {"and": "and_", "or": "or_"}


def shadow_methods() -> None:
    """Shadow the methods and operators of CuPy's array class, and NumPy's functions on its arrays."""
    base = cupy._core.core._ndarray_base
    methods = [n for n in dir(base) if not n.startswith("_") and callable(getattr(base, n)) and hasattr(np.ndarray, n)]
    names = [n for n in methods if n not in _NOT_METHODS]
    for name in [*names, *_BINARY, *_COMPARISONS, *_OTHERS, *_WRITERS]:
        if hasattr(base, name):
            setattr(cupy.ndarray, name, shadow(name, getattr(base, name), _reference(name), name in _WRITERS))
    cupy.ndarray.get = _get
    by_ufunc, by_function = base.__array_ufunc__, base.__array_function__

    def array_ufunc(self: Any, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        def real(*inputs: Any, **kwargs: Any) -> Any:
            return by_ufunc(self, ufunc, method, *inputs, **kwargs)

        return shadow(f"np.{ufunc.__name__}.{method}", real, getattr(ufunc, method))(*inputs, **kwargs)

    def array_function(self: Any, function: Any, types: Any, args: tuple, kwargs: dict) -> Any:
        def real(*args: Any, **kwargs: Any) -> Any:
            return by_function(self, function, types, args, kwargs)

        return shadow(f"np.{function.__name__}", real, function)(*args, **kwargs)

    cupy.ndarray.__array_ufunc__, cupy.ndarray.__array_function__ = array_ufunc, array_function


def _reference(name: str) -> Callable:
    if name == "__getitem__":
        return lambda array, index: np.asarray(array)[wrapped(index, array.shape)]
    if name == "__setitem__":
        return lambda array, index, value: array.__setitem__(wrapped(index, array.shape), value)
    if name not in _BINARY and name not in _COMPARISONS:
        return getattr(np.ndarray, name)
    word, side = (_BINARY | _COMPARISONS)[name]
    function = divmod if word == "divmod" else getattr(operator, _OPERATORS.get(word, word))
    return (lambda a, b: function(b, a)) if side else function
