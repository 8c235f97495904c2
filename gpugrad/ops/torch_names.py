"""The words of a call decide between PyTorch's and NumPy's meanings of a name.

A call that only PyTorch would accept (`dim=`, `keepdim=`, `split(sizes, dim=)`, `transpose(1, 2)`, `size(0)`) has
PyTorch's meaning; every other call has NumPy's. `CLASHES` is the whole list. `gpugrad` shows the functions of this
module in place of the ops that have the same names.
"""

from collections.abc import Callable
from functools import wraps
from itertools import accumulate
from typing import Any, NamedTuple

from ..autograd.convert import asarray
from ..autograd.explain import told
from ..autograd.op import OPS
from ..autograd.tensor import Tensor
from ..backend.dtypes import is_float
from ..errors import ShapeError
from .join import array_split
from .join import split as numpy_split
from .reduce import max as numpy_max
from .reduce import min as numpy_min
from .reduce import std as numpy_std
from .reduce import var as numpy_var
from .shape import axis_of
from .sort import sort as numpy_sort
from .statistics import median as numpy_median

__all__ = ["max", "median", "min", "sort", "split", "std", "var"]


class Extremum(NamedTuple):
    """The result of PyTorch's `max(dim=)`, `min(dim=)`, `median(dim=)` and `sort(dim=)`."""

    values: Tensor
    indices: Tensor


def _extremum(name: str) -> Callable:
    def extremum(x: Any, dim: int, keepdim: bool = False) -> Extremum:
        x = asarray(x)
        indices = OPS[f"arg{name}"](x, axis=dim, keepdims=True)
        values = OPS["take_along_axis"](x, indices, axis=dim)
        return Extremum(values, indices) if keepdim else Extremum(values.squeeze(dim), indices.squeeze(dim))

    return extremum


def _median(x: Any, dim: int, keepdim: bool = False) -> Extremum:
    x = asarray(x)
    order = OPS["argsort"](x, axis=dim)
    indices = OPS["expand_dims"](OPS["take"](order, (x.shape[dim] - 1) // 2, axis=dim), axis=dim)
    if is_float(x.dtype):
        nans = OPS["isnan"](x.detach())
        first = OPS["argmax"](nans, axis=dim, keepdims=True)
        indices = OPS["where"](OPS["any"](nans, axis=dim, keepdims=True), first, indices)
    values = OPS["take_along_axis"](x, indices, axis=dim)
    return Extremum(values, indices) if keepdim else Extremum(values.squeeze(dim), indices.squeeze(dim))


def _sort(x: Any, dim: int = -1, descending: bool = False, stable: bool = True) -> Extremum:
    x = asarray(x)
    indices = OPS["argsort"](x, axis=dim, descending=descending)
    return Extremum(OPS["take_along_axis"](x, indices, axis=dim), indices)


def _variance(name: str) -> Callable:
    def moment(
        x: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: int | None = None
    ) -> Tensor:
        ddof = int(unbiased) if correction is None else correction
        return OPS[name](x, axis=dim, ddof=ddof, keepdims=keepdim)

    return moment


def _with_an_axis(call: Callable) -> Callable:
    """`call` for what needs an axis; a 0-d x has one element along it, and stays 0-d."""

    def with_axis(x: Any, *, dim: int = -1, **options: Any) -> Extremum:
        x = asarray(x)
        if x.ndim:
            return call(x, dim=dim, **options)
        values, indices = call(x.reshape((1,)), dim=dim, **options)
        return Extremum(values.reshape(()), indices.reshape(()))

    return with_axis


def _split(x: Any, split_size: Any = None, *, dim: int = 0, split_size_or_sections: Any = None) -> tuple[Tensor, ...]:
    x = asarray(x)
    sizes = split_size if split_size is not None else split_size_or_sections
    length = x.shape[axis_of("split", x, dim)]
    if isinstance(sizes, int):
        if sizes < 1:
            raise ShapeError(f"split: expected a positive size, got {sizes}")
        ends = list(range(sizes, length, sizes))
    elif sum(sizes) == length:
        ends = list(accumulate(sizes))[:-1]
    else:
        raise ShapeError(f"split: sizes {list(sizes)} do not add up to {length}, the length of axis {dim} of {x.shape}")
    return tuple(array_split(x, ends, axis=dim))


# name -> (the PyTorch words that show whose call it is, what it then does)
CLASHES: dict[str, tuple[frozenset[str], Callable]] = {
    "max": (frozenset({"dim", "keepdim"}), _with_an_axis(_extremum("max"))),
    "min": (frozenset({"dim", "keepdim"}), _with_an_axis(_extremum("min"))),
    "median": (frozenset({"dim", "keepdim"}), _with_an_axis(_median)),
    "sort": (frozenset({"dim", "descending"}), _with_an_axis(_sort)),
    "var": (frozenset({"dim", "unbiased", "keepdim"}), _variance("var")),
    "std": (frozenset({"dim", "unbiased", "keepdim"}), _variance("std")),
    "split": (frozenset({"dim", "split_size", "split_size_or_sections"}), _split),
}


def _by_words(name: str, numpy_meaning: Callable) -> Any:
    """Return a function that does what NumPy's does, unless the call has words of PyTorch only."""
    words, torch_meaning = CLASHES[name]
    torch_meaning.__name__ = name
    meant = told(torch_meaning)

    @wraps(numpy_meaning)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs and not words.isdisjoint(kwargs) and "axis" not in kwargs:
            return meant(*args, **kwargs)
        return numpy_meaning(*args, **kwargs)

    return call


max, min = _by_words("max", numpy_max), _by_words("min", numpy_min)
var, std = _by_words("var", numpy_var), _by_words("std", numpy_std)
median, sort, split = _by_words("median", numpy_median), _by_words("sort", numpy_sort), _by_words("split", numpy_split)
