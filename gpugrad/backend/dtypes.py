"""Data types and their promotion, with PyTorch's results on every device.

A dtype is a `numpy.dtype`; `bfloat16` is `ml_dtypes.bfloat16`, imported when it is first asked for. Python scalars are
weak: they change the kind of a result (int to float), never its width. Tensors of any rank promote alike.
"""

from functools import cache
from types import SimpleNamespace

import numpy as np

from ..errors import DTypeError

bool_ = np.dtype("bool")
uint8, uint16, uint32, uint64 = (np.dtype(f"uint{n}") for n in (8, 16, 32, 64))
int8, int16, int32, int64 = (np.dtype(f"int{n}") for n in (8, 16, 32, 64))
float16, float32, float64 = (np.dtype(f"float{n}") for n in (16, 32, 64))
complex64, complex128 = np.dtype("complex64"), np.dtype("complex128")

_INTEGERS = (uint8, uint16, uint32, uint64, int8, int16, int32, int64)
_INEXACT = (float16, float32, float64, complex64, complex128)
_NAMES = {d.name: d for d in (bool_, *_INTEGERS, *_INEXACT)} | {"half": float16, "float": float32, "double": float64}
_NAMES |= {"int": int64, "long": int64, "short": int16, "cfloat": complex64, "cdouble": complex128}
_DTYPES = {d: d for d in (bool_, *_INTEGERS, *_INEXACT)}
DTYPE_NAMES = "bool, uint8..uint64, int8..int64, float16, bfloat16, float32, float64, complex64, complex128"
_settings = SimpleNamespace(default=float32)  # of all threads


@cache
def bfloat16() -> np.dtype:
    """Return bfloat16: the 16-bit float with float32's exponent."""
    import ml_dtypes

    return np.dtype(ml_dtypes.bfloat16)


def as_dtype(given) -> np.dtype:
    """Return the supported dtype that `given` (a dtype, a type or a name) means. Raises DTypeError for any other.

    >>> gg.zeros(1, dtype="float16").dtype, gg.zeros(1, dtype=int).dtype
    (dtype('float16'), dtype('int64'))
    """
    if given.__class__ is str and given in ("bfloat16", *_NAMES):
        return bfloat16() if given == "bfloat16" else _NAMES[given]
    if isinstance(given, np.dtype) and given in _DTYPES:
        return _DTYPES[given]  # always the same object: hot paths compare dtypes by `is`
    if given is float:
        return default_dtype()
    if given is complex:
        return complex_of(default_dtype())
    try:
        dtype = np.dtype(given)
    except TypeError:
        dtype = None
    if dtype is None or dtype.name not in _NAMES and dtype.name != "bfloat16":
        raise DTypeError(f"unsupported dtype {given!r}: expected one of {DTYPE_NAMES}")
    return bfloat16() if dtype.name == "bfloat16" else _NAMES[dtype.name]


FLOAT_KINDS = "fV"  # the kinds of floating-point dtypes; V is bfloat16, for which NumPy has no kind of its own


def is_float(dtype: np.dtype) -> bool:
    """Return whether `dtype` is one of the four floating-point dtypes."""
    return dtype.kind in FLOAT_KINDS


INEXACT_KINDS = FLOAT_KINDS + "c"  # the kinds of dtypes that gradients flow through


def is_inexact(dtype: np.dtype) -> bool:
    """Return whether `dtype` is a floating-point or a complex one, and so may have gradients."""
    return dtype.kind in INEXACT_KINDS


def is_complex_dtype(dtype: np.dtype) -> bool:
    """Return whether `dtype` is complex64 or complex128."""
    return dtype.kind == "c"


def complex_of(dtype: np.dtype) -> np.dtype:
    """Return the complex dtype that numbers of `dtype` become: complex128 for float64, complex64 for other floats.

    Integers go by the default float dtype; a complex dtype stays.
    """
    if dtype.kind == "c":
        return dtype
    return complex128 if (dtype if is_float(dtype) else default_dtype()) == float64 else complex64


def real_of(dtype: np.dtype) -> np.dtype:
    """Return the dtype of the real part of numbers of `dtype`: float32 for complex64, float64 for complex128."""
    return dtype if dtype.kind != "c" else float64 if dtype == complex128 else float32


def is_low(dtype: np.dtype) -> bool:
    """Return whether `dtype` is a 16-bit float ("low" precision); generic ops compute in float32 and round once."""
    return dtype.itemsize == 2 and dtype.kind in FLOAT_KINDS


def default_dtype() -> np.dtype:
    """Return the dtype of Python floats and of creation functions: float32 unless set otherwise.

    >>> gg.default_dtype()
    dtype('float32')
    """
    return _settings.default


def set_default_dtype(dtype) -> None:
    """Make `dtype`, a floating-point dtype, the default in all threads, and in the workers of data loaders made later.

    >>> gg.set_default_dtype("float64")
    >>> gg.tensor(1.5).dtype
    dtype('float64')
    >>> gg.set_default_dtype("float32")
    """
    try:
        given, dtype = dtype, as_dtype(dtype)
    except DTypeError as error:
        raise DTypeError(f"set_default_dtype: {error}") from None
    if not is_float(dtype):
        raise DTypeError(f"set_default_dtype: expected a floating-point dtype, got {given}")
    _settings.default = dtype


def weak(dtype: np.dtype, scalar: bool | int | float | complex) -> np.dtype:
    """Return the dtype of the result of an array of `dtype` and a Python scalar."""
    if isinstance(scalar, complex):
        return complex_of(dtype)
    if isinstance(scalar, bool) or is_inexact(dtype):
        return dtype
    if isinstance(scalar, int):
        return int64 if dtype == bool_ else dtype
    return default_dtype()


@cache
def promote(a: np.dtype, b: np.dtype) -> np.dtype:
    """Return the dtype of the result of two arrays of dtypes `a` and `b`.

    >>> gg.promote(gg.int32, gg.float16), gg.promote(gg.float16, gg.float32), gg.promote(gg.uint8, gg.int8)
    (dtype('float16'), dtype('float32'), dtype('int16'))
    """
    if a == b or b == bool_:
        return a
    if a == bool_:
        return b
    if is_inexact(a) != is_inexact(b):
        return a if is_inexact(a) else b
    if "c" in (a.kind, b.kind):
        return complex128 if real_of(a) == float64 or real_of(b) == float64 else complex64
    if is_float(a):
        return float32 if a.itemsize == b.itemsize else max(a, b, key=lambda d: d.itemsize)
    if a.kind != b.kind:  # signed and unsigned: a signed dtype that holds both
        signed, unsigned = (a, b) if a.kind == "i" else (b, a)
        return as_dtype(np.promote_types(signed, unsigned))
    return max(a, b, key=lambda d: d.itemsize)


class finfo:
    """The limits of a floating-point dtype, or of the parts of a complex one: `eps`, `max`, `min`, `tiny`, `bits`.

    >>> gg.finfo("float32").eps == 2.0**-23, gg.finfo(gg.bfloat16).bits
    (True, 16)
    """

    def __init__(self, dtype):
        dtype = real_of(as_dtype(dtype))
        if not is_float(dtype):
            raise DTypeError(f"finfo: expected a floating-point dtype, got {dtype}")
        if dtype.kind == "f":
            info = np.finfo(dtype)
        else:
            import ml_dtypes

            info = ml_dtypes.finfo(dtype)
        self.dtype, self.bits = dtype, dtype.itemsize * 8
        self.eps, self.max, self.min = float(info.eps), float(info.max), float(info.min)
        self.tiny = self.smallest_normal = float(info.smallest_normal)


iinfo = np.iinfo
