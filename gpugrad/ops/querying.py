"""Questions about dtypes, as NumPy and the array API ask them."""

from typing import Any

import numpy as np

from ..autograd.tensor import Tensor
from ..backend.device import CONNECTED, Device, default_device
from ..backend.dtypes import as_dtype, complex_of, default_dtype, is_float, promote, weak
from ..errors import DTypeError

__all__ = ["can_cast", "isdtype", "issubdtype", "promote_types", "result_type"]


class NamespaceInfo:
    """What the array API asks of a namespace: `gpugrad.__array_namespace_info__()`.

    >>> info = gg.__array_namespace_info__()
    >>> info.default_device(), sorted(info.dtypes(kind="real floating"))
    (device('cpu'), ['float32', 'float64'])
    """

    def capabilities(self) -> dict[str, Any]:
        """Return what is there beyond the minimum."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> Device:
        """Return the device on which new tensors are made."""
        return default_device()

    def devices(self) -> list[Device]:
        """Return the CPU and the GPUs in use."""
        return list(dict.fromkeys(CONNECTED.values()))

    def default_dtypes(self, *, device: Any = None) -> dict[str, np.dtype]:
        """Return the dtypes of numbers for which none is given, by kind."""
        real = default_dtype()
        return {
            "real floating": real, "complex floating": complex_of(real), "integral": np.dtype("int64"),
            "indexing": np.dtype("int64"),
        }  # fmt: skip

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, np.dtype]:
        """Return the dtypes of the standard by name, or those of a kind of `isdtype`."""
        return {name: np.dtype(name) for name in _STANDARD if kind is None or isdtype(name, kind)}


_STANDARD = ("bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128").split()
_KINDS = {
    "bool": "b", "signed integer": "i", "unsigned integer": "u", "integral": "iu", "real floating": "fV",
    "complex floating": "c", "numeric": "iufVc",
}  # fmt: skip


def isdtype(dtype: Any, kind: Any) -> bool:
    """Return whether a dtype is `kind`: another dtype, "bool", "signed integer", "unsigned integer", "integral", "real
    floating", "complex floating" or "numeric", or one of a tuple of these.

    >>> gg.isdtype(gg.float32, "real floating"), gg.isdtype(gg.float32, (gg.int32, "bool"))
    (True, False)
    """
    dtype = as_dtype(dtype)
    if isinstance(kind, tuple):
        return any([isdtype(dtype, one) for one in kind])
    if isinstance(kind, str):
        if kind not in _KINDS:
            raise DTypeError(f"isdtype: kind is a dtype or one of {', '.join(_KINDS)}, got {kind!r}")
        return dtype.kind in _KINDS[kind]
    return dtype == as_dtype(kind)


def issubdtype(arg1: Any, arg2: Any) -> bool:
    """Return whether the dtype `arg1` lies below another or below one of NumPy's abstract types, such as `np.floating`.

    >>> gg.issubdtype(gg.float32, np.floating)
    True
    """
    dtype = as_dtype(arg1)
    if dtype.kind == "V":  # bfloat16, which NumPy does not know to be a float
        return arg2 in (np.floating, np.inexact, np.number, np.generic) or arg2 == dtype
    return bool(np.issubdtype(dtype, arg2))


def result_type(*arrays_and_dtypes: Any) -> np.dtype:
    """Return the dtype of the result of an op on these Tensors, dtypes and Python numbers.

    >>> gg.result_type(gg.int32, gg.ones(2), 1.5)
    dtype('float32')
    """
    if not arrays_and_dtypes:
        raise DTypeError("result_type: expected at least one array, dtype or number")
    numbers = [a for a in arrays_and_dtypes if type(a) in (bool, int, float, complex)]
    dtypes = [as_dtype(a.dtype if hasattr(a, "dtype") and hasattr(a, "shape") and not isinstance(a, np.dtype) else a)
              for a in arrays_and_dtypes if type(a) not in (bool, int, float, complex)]  # fmt: skip
    if not dtypes:
        found = as_dtype(np.result_type(*[type(number) for number in numbers]))
        dtypes = [default_dtype() if is_float(found) else found]
    dtype = dtypes[0]
    for other in dtypes[1:]:
        dtype = promote(dtype, other)
    for number in numbers:
        dtype = weak(dtype, number)
    return dtype


def promote_types(type1: Any, type2: Any) -> np.dtype:
    """Return the dtype of the result of two arrays of these dtypes: `promote`.

    >>> gg.promote_types("int32", "float32")
    dtype('float32')
    """
    return promote(as_dtype(type1), as_dtype(type2))


def can_cast(from_: Any, to: Any, casting: str = "safe") -> bool:
    """Return whether values of a dtype (or a Tensor) can become another without loss; `casting` is NumPy's rule.

    >>> gg.can_cast(gg.int32, gg.float64), gg.can_cast(gg.float64, gg.int32)
    (True, False)
    """
    given = from_.dtype if isinstance(from_, (Tensor, np.ndarray)) else as_dtype(from_)
    return bool(np.can_cast(given, as_dtype(to), casting))  # type: ignore[arg-type]
