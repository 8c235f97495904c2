"""Sums, means, extremes and deviations over axes, in PyTorch's order of arguments: (input, dim, keepdim)."""

from __future__ import annotations

from typing import Any

from ...autograd.op import OPS
from ...autograd.tensor import Tensor
from ...ops import torch_meanings
from ...ops.norm import matrix_norm
from ..language import means

_ORDER = "arguments are (input, dim, keepdim)"


def axes_of(dim: Any) -> Any:
    """Return the axes that `dim` means: None and () mean all."""
    return tuple(dim) or None if isinstance(dim, (tuple, list)) else dim


def _cast(x: Any, dtype: Any) -> Any:
    return x if dtype is None else x.to(dtype=dtype)


@means(_ORDER)
def sum(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Return the sum over the axes `dim`."""
    return OPS["sum"](_cast(input, dtype), axis=axes_of(dim), keepdims=keepdim)


@means(_ORDER)
def mean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Return the mean over the axes `dim`."""
    return OPS["mean"](_cast(input, dtype), axis=axes_of(dim), keepdims=keepdim)


@means(_ORDER)
def prod(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Return the product over the axis `dim`."""
    return OPS["prod"](_cast(input, dtype), axis=axes_of(dim), keepdims=keepdim)


@means(_ORDER)
def nansum(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Return the sum over `dim` of what is not NaN."""
    x = _cast(input, dtype)
    return sum(OPS["where"](OPS["isnan"](x), 0, x), dim, keepdim)


@means(_ORDER)
def nanmean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Return the mean over `dim` of what is not NaN."""
    counted = OPS["logical_not"](OPS["isnan"](input))
    return nansum(input, dim, keepdim, dtype=dtype) / sum(counted, dim, keepdim)


@means(_ORDER)
def any(input: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Return whether an element over the axes `dim` is true."""
    return OPS["any"](input, axis=axes_of(dim), keepdims=keepdim)


@means(_ORDER)
def all(input: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Return whether all elements over the axes `dim` are true."""
    return OPS["all"](input, axis=axes_of(dim), keepdims=keepdim)


@means(_ORDER)
def amax(input: Any, dim: Any = (), keepdim: bool = False) -> Tensor:
    """Return the largest elements over the axes `dim`, without their places."""
    return OPS["max"](input, axis=axes_of(dim), keepdims=keepdim)


@means(_ORDER)
def amin(input: Any, dim: Any = (), keepdim: bool = False) -> Tensor:
    """Return the smallest elements over the axes `dim`, without their places."""
    return OPS["min"](input, axis=axes_of(dim), keepdims=keepdim)


@means(_ORDER)
def argmax(input: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Return where along `dim` the largest element is."""
    return OPS["argmax"](input, axis=dim, keepdims=keepdim)


@means(_ORDER)
def argmin(input: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Return where along `dim` the smallest element is."""
    return OPS["argmin"](input, axis=dim, keepdims=keepdim)


@means(_ORDER)
def logsumexp(input: Any, dim: Any, keepdim: bool = False) -> Tensor:
    """Return log(sum(exp(input))) over the axes `dim`."""
    return OPS["logsumexp"](input, axis=axes_of(dim), keepdims=keepdim)


@means(_ORDER)
def count_nonzero(input: Any, dim: Any = None) -> Tensor:
    """Return how many elements over the axes `dim` are not zero."""
    return OPS["sum"](OPS["not_equal"](input, 0), axis=axes_of(dim))


def _extremum(name: str, whole: str) -> Any:
    over_axis = torch_meanings.extremum(name)

    def call(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
        if dim is None and other is None:
            return OPS[name](input)
        return over_axis(input, dim, keepdim, other=other)

    call.__name__ = name
    call.__doc__ = (
        f"Return the {whole} element; over an axis also where it is; of two Tensors the {whole} of each pair."
    )
    return means("over an axis it gives (values, indices); of two Tensors it is elementwise")(call)


max = _extremum("max", "largest")
min = _extremum("min", "smallest")


class MinMax(tuple):
    """The result of `aminmax`."""

    min = property(lambda self: self[0])
    max = property(lambda self: self[1])


@means()
def aminmax(input: Any, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the smallest and the largest elements over `dim`."""
    return MinMax((amin(input, dim, keepdim), amax(input, dim, keepdim)))


def _deviation(name: str) -> Any:
    deviate = torch_meanings.deviation(name)

    def call(
        input: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None
    ) -> Tensor:
        return deviate(input, axes_of(dim), unbiased, keepdim, correction=correction)

    call.__name__ = name
    call.__doc__ = f"Return the {name} over the axes `dim`."
    return means("it divides by n - 1 unless told otherwise")(call)


var, std = _deviation("var"), _deviation("std")


@means()
def var_mean(
    input: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None
) -> tuple:
    """Return the variance and the mean over the axes `dim`."""
    over = None if isinstance(dim, bool) else dim
    return var(input, dim, unbiased, keepdim, correction=correction), mean(input, over, keepdim)


@means()
def std_mean(
    input: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Any = None
) -> tuple:
    """Return the standard deviation and the mean over the axes `dim`."""
    over = None if isinstance(dim, bool) else dim
    return std(input, dim, unbiased, keepdim, correction=correction), mean(input, over, keepdim)


@means("it is the 2-norm of all elements unless `p` and `dim` say otherwise")
def norm(input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Return the p-norm of vectors over `dim`, or of all elements; "nuc" is the sum of singular values."""
    x = _cast(input, dtype)
    if p == "nuc":
        return matrix_norm(x, "nuc", (-2, -1) if dim is None else dim, keepdim)
    order = 2 if p in ("fro", None) else float(p)
    return OPS["vector_norm"](x, ord=order, axis=axes_of(dim), keepdims=keepdim)


@means()
def dist(input: Any, other: Any, p: float = 2) -> Tensor:
    """Return the p-norm of the difference."""
    return norm(input - other, float(p))


@means("the sum along an axis, which must be given", in_place=True)
def cumsum(input: Any, dim: int, *, dtype: Any = None) -> Tensor:
    """Return the running sums along `dim`."""
    return OPS["cumsum"](_cast(input, dtype), axis=dim)


@means("the product along an axis, which must be given", in_place=True)
def cumprod(input: Any, dim: int, *, dtype: Any = None) -> Tensor:
    """Return the running products along `dim`."""
    return OPS["cumprod"](_cast(input, dtype), axis=dim)


@means("it gives (values, indices)")
def cummax(input: Any, dim: int) -> Any:
    """Return the running maxima along `dim` and where they are."""
    return torch_meanings.running_extremum("cummax")(input, dim)


@means("it gives (values, indices)")
def cummin(input: Any, dim: int) -> Any:
    """Return the running minima along `dim` and where they are."""
    return torch_meanings.running_extremum("cummin")(input, dim)


@means(in_place=True)
def renorm(input: Any, p: float, dim: int, maxnorm: float) -> Tensor:
    """Return the slices along `dim` scaled down to a p-norm of at most `maxnorm`."""
    rest = tuple(i for i in range(input.ndim) if i != dim % input.ndim)
    size = norm(input, p, rest, True)
    return OPS["where"](size > maxnorm, input * (maxnorm / (size + 1e-7)), input)
