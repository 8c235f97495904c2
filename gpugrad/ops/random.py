"""Random tensors, drawn from the default generator (`gpugrad.manual_seed`) or a given one."""

from __future__ import annotations  # numpy.random, which annotations name, is slow to import

import math
from typing import Any

import numpy as np

from ..arguments import integer, non_negative, non_negative_int, ordered, positive_int
from ..autograd.convert import asarray
from ..autograd.tensor import Tensor, language_of, wrap
from ..backend.devices import device as find_device
from ..backend.dtypes import as_dtype, default_dtype, real_of
from ..backend.random import Generator, default_generator
from ..errors import OptionError, ShapeError
from .creation import _shape

__all__ = [
    "bernoulli", "multinomial", "normal", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like",
    "randperm", "uniform",
]  # fmt: skip


def _stream(generator: Generator | None) -> np.random.Generator:
    return (default_generator() if generator is None else generator).numpy


def _to_device(values: Any, dtype: Any, device: Any, requires_grad: bool = False, like: tuple = ()) -> Tensor:
    """Return drawn values as a Tensor, in the language of the Tensors among `like`."""
    where = find_device(device)
    language = language_of([x for x in like if isinstance(x, Tensor)])
    return wrap(where.asarray(values, dtype), where, None, language).requires_grad_(requires_grad)


def _draw_floats(name: str, shape: tuple, dtype: Any, generator: Generator | None) -> tuple[np.ndarray, Any]:
    """Return floats from the generator's method `name`, drawn in float32 unless float64 is asked for, and the dtype.

    Of complex numbers both parts are drawn; normal ones then have the variance 1 together.
    """
    dtype = default_dtype() if dtype is None else as_dtype(dtype)
    draw, method = np.float64 if real_of(dtype) == np.float64 else np.float32, getattr(_stream(generator), name)
    if dtype.kind != "c":
        return np.asarray(method(shape, draw)), dtype
    numbers = method((*shape, 2), draw).view(dtype)[..., 0]
    return numbers * dtype.type(math.sqrt(0.5)) if name == "standard_normal" else numbers, dtype


def _parameters(first: Any, second: Any, size: Any) -> tuple[Any, Any, tuple]:
    """The parameters of a distribution, Tensors as arrays on the host, and the shape to draw."""
    first, second = (p.device.to_host(p._array) if isinstance(p, Tensor) else p for p in (first, second))
    return first, second, np.broadcast_shapes(np.shape(first), np.shape(second)) if size is None else _shape((size,))


def rand(
    *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, generator: Generator | None = None
) -> Tensor:
    """Return uniform random numbers in [0, 1).

    >>> gg.rand(2, 3, generator=gg.Generator().manual_seed(0)).shape
    (2, 3)
    """
    values, dtype = _draw_floats("random", _shape(size), dtype, generator)
    return _to_device(values, dtype, device, requires_grad)


def randn(
    *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, generator: Generator | None = None
) -> Tensor:
    """Return standard normal random numbers.

    >>> gg.randn(2, 3, generator=gg.Generator().manual_seed(0)).shape
    (2, 3)
    """
    values, dtype = _draw_floats("standard_normal", _shape(size), dtype, generator)
    return _to_device(values, dtype, device, requires_grad)


def uniform(
    low: Any = 0.0,
    high: Any = 1.0,
    size: Any = None,
    dtype: Any = None,
    device: Any = None,
    generator: Generator | None = None,
) -> Tensor:
    """Return uniform random numbers in [low, high), which may be arrays.

    >>> x = gg.uniform(-1, 1, size=100)
    >>> x.shape, bool((x.abs() <= 1).all())
    ((100,), True)
    """
    if np.ndim(low) == np.ndim(high) == 0 and not isinstance(low, Tensor) and not isinstance(high, Tensor):
        ordered("uniform", "low", low, "high", high)
    given = low, high
    low, high, size = _parameters(low, high, size)
    values, dtype = _draw_floats("random", size, dtype, generator)
    return _to_device(values * (high - low) + low, dtype, device, like=given)


def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    dtype: Any = None,
    device: Any = None,
    generator: Generator | None = None,
) -> Tensor:
    """Return normal random numbers with this mean and standard deviation, which may be arrays.

    >>> gg.normal(5.0, 0.1, size=(2, 2)).shape
    (2, 2)
    """
    if not isinstance(std, Tensor) and np.ndim(std) == 0:
        non_negative("normal", "std", std)
    given = mean, std
    mean, std, size = _parameters(mean, std, size)
    values, dtype = _draw_floats("standard_normal", size, dtype, generator)
    return _to_device(values * std + mean, dtype, device, like=given)


def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    dtype: Any = None,
    device: Any = None,
    generator: Generator | None = None,
) -> Tensor:
    """Return random integers in [low, high).

    With one bound, as in `randint(5, size=3)` or PyTorch's `randint(5, (2, 3))`, they lie in [0, bound).

    >>> gg.randint(10, 20, size=(2, 3)).shape, gg.randint(1, size=3)
    ((2, 3), tensor([0, 0, 0]))
    """
    if size is None and isinstance(high, (tuple, list)):
        high, size = None, high
    low, high = (0, low) if high is None else (low, high)
    integer("randint", "low", low)
    integer("randint", "high", high)
    shape = () if size is None else _shape((size,))
    if high <= low:
        raise ShapeError(f"randint: expected low < high, got [{low}, {high})")
    wanted = np.dtype("int64") if dtype is None else as_dtype(dtype)
    return _to_device(_stream(generator).integers(low, high, shape), wanted, device)


def randperm(n: int, dtype: Any = None, device: Any = None, generator: Generator | None = None) -> Tensor:
    """Return the integers from 0 to n - 1 in random order.

    >>> gg.sort(gg.randperm(4))
    tensor([0, 1, 2, 3])
    """
    non_negative_int("randperm", "n", n)
    return _to_device(
        _stream(generator).permutation(n), np.dtype("int64") if dtype is None else as_dtype(dtype), device
    )


def _like(x: Tensor, dtype: Any, device: Any) -> dict[str, Any]:
    """Return the dtype and device given, else those of x; a device may be 0, so both are compared with None."""
    return {"dtype": x.dtype if dtype is None else dtype, "device": x.device if device is None else device}


def rand_like(x: Tensor, dtype: Any = None, device: Any = None) -> Tensor:
    """Return uniform random numbers (`rand`) with the shape, dtype and device of x.

    >>> gg.rand_like(gg.ones(2, 3)).shape
    (2, 3)
    """
    return rand(*x.shape, **_like(x, dtype, device))


def randn_like(x: Tensor, dtype: Any = None, device: Any = None) -> Tensor:
    """Return standard normal random numbers (`randn`) with the shape, dtype and device of x.

    >>> gg.randn_like(gg.ones(2, 3)).shape
    (2, 3)
    """
    return randn(*x.shape, **_like(x, dtype, device))


def randint_like(x: Tensor, low: int, high: int | None = None, dtype: Any = None, device: Any = None) -> Tensor:
    """Return random integers (`randint`) with the shape, dtype and device of x.

    >>> gg.randint_like(gg.ones(3), 1)
    tensor([0., 0., 0.])
    """
    return randint(low, high, size=x.shape, **_like(x, dtype, device))


def bernoulli(p: Any, generator: Generator | None = None) -> Tensor:
    """Return ones with the probabilities in p, else zeros, in p's shape and dtype.

    Raises OptionError for numbers outside [0, 1]; on a cuda device they are not looked at, because an error would have
    to wait for the device.

    >>> gg.bernoulli(gg.tensor([0.0, 1.0, 1.0]))
    tensor([0., 1., 1.])
    """
    p = asarray(p)
    if p.device.type == "cpu" and not ((p._array >= 0) & (p._array <= 1)).all():
        raise OptionError(f"bernoulli: p must be probabilities between 0 and 1, got {p.tolist() if not p.ndim else p}")
    values, _ = _draw_floats("random", p.shape, None, generator)
    return wrap((p.device.asarray(values) < p._array).astype(p.dtype), p.device, None, p._language)


def multinomial(
    weights: Any, num_samples: int, replacement: bool = False, generator: Generator | None = None
) -> Tensor:
    """Return int64 indices drawn in proportion to the last axis of `weights`: (..., C) -> (..., num_samples).

    Raises ShapeError for weights that are negative, not finite or all zero, and for too few of them without
    `replacement`.

    >>> gg.multinomial(gg.tensor([0.0, 1.0, 0.0]), 3, replacement=True)
    tensor([1, 1, 1])
    """
    weights = asarray(weights)
    positive_int("multinomial", "num_samples", num_samples)
    if weights.ndim < 1:
        raise ShapeError("multinomial: weights must have an axis, got a number")
    host = np.asarray(weights.device.to_host(weights._array), np.float64)
    rows = host.reshape(-1, host.shape[-1])
    if (rows < 0).any() or not np.isfinite(rows).all() or (rows.sum(1) <= 0).any():
        raise ShapeError("multinomial: weights must be finite, not negative, and not all zero in a row")
    if not replacement and (np.count_nonzero(rows, axis=1) < num_samples).any():
        raise ShapeError(f"multinomial: cannot draw {num_samples} without replacement from fewer positive weights")
    stream = _stream(generator)
    if replacement:
        edges = np.cumsum(rows, 1)
        points = stream.random((len(rows), num_samples, 1)) * edges[:, None, -1:]
        picked = (points >= edges[:, None, :]).sum(-1)
    else:  # the largest of w^(1/e), e exponential, are a draw without replacement (Efraimidis and Spirakis 2006)
        with np.errstate(divide="ignore"):
            keys = np.log(rows) + stream.gumbel(size=rows.shape)
        picked = np.argsort(-keys, 1, kind="stable")[:, :num_samples]
    picked = picked.reshape(*host.shape[:-1], num_samples)
    return _to_device(picked, np.dtype("int64"), weights.device, like=(weights,))
