"""Random tensors, drawn from the default generator (`gpugrad.manual_seed`) or a given one."""

from __future__ import annotations  # numpy.random, which annotations name, is slow to import

from typing import Any

import numpy as np

from ..arguments import integer, non_negative, non_negative_int, ordered, positive_int
from ..autograd.convert import asarray
from ..autograd.tensor import Tensor, wrap
from ..backend.devices import device as find_device
from ..backend.dtypes import as_dtype, default_dtype
from ..backend.random import Generator, default_generator
from ..errors import OptionError, ShapeError
from .creation import _shape

__all__ = [
    "bernoulli", "multinomial", "normal", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like",
    "randperm", "uniform",
]  # fmt: skip


def _stream(generator: Generator | None) -> np.random.Generator:
    return (default_generator() if generator is None else generator).numpy


def _placed(values: Any, dtype: Any, device: Any, requires_grad: bool = False) -> Tensor:
    where = find_device(device)
    return wrap(where.asarray(values, dtype), where, None).requires_grad_(requires_grad)


def _drawn(name: str, shape: tuple, dtype: Any, generator: Generator | None) -> tuple[np.ndarray, Any]:
    """Floats from the generator's method `name`: in float32 where that is enough."""
    dtype = default_dtype() if dtype is None else as_dtype(dtype)
    draw = np.float64 if dtype == np.float64 else np.float32
    return np.asarray(getattr(_stream(generator), name)(shape, draw)), dtype


def rand(
    *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, generator: Generator | None = None
) -> Tensor:
    """Uniform numbers in [0, 1)."""
    values, dtype = _drawn("random", _shape(size), dtype, generator)
    return _placed(values, dtype, device, requires_grad)


def randn(
    *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, generator: Generator | None = None
) -> Tensor:
    """Standard normal numbers."""
    values, dtype = _drawn("standard_normal", _shape(size), dtype, generator)
    return _placed(values, dtype, device, requires_grad)


def uniform(
    low: float = 0.0,
    high: float = 1.0,
    size: Any = (),
    dtype: Any = None,
    device: Any = None,
    generator: Generator | None = None,
) -> Tensor:
    """Uniform numbers in [low, high)."""
    ordered("uniform", "low", low, "high", high)
    values, dtype = _drawn("random", _shape((size,)), dtype, generator)
    return _placed(values * (high - low) + low, dtype, device)


def normal(
    mean: float = 0.0,
    std: float = 1.0,
    size: Any = (),
    dtype: Any = None,
    device: Any = None,
    generator: Generator | None = None,
) -> Tensor:
    """Normal numbers with this mean and standard deviation."""
    non_negative("normal", "std", std)
    values, dtype = _drawn("standard_normal", _shape((size,)), dtype, generator)
    return _placed(values * std + mean, dtype, device)


def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    dtype: Any = None,
    device: Any = None,
    generator: Generator | None = None,
) -> Tensor:
    """Integers in [low, high), or [0, low) for `randint(low, size=...)` and PyTorch's `randint(high, (2, 3))`."""
    if size is None and isinstance(high, (tuple, list)):
        high, size = None, high
    low, high = (0, low) if high is None else (low, high)
    integer("randint", "low", low), integer("randint", "high", high)
    shape = () if size is None else _shape((size,))
    if high <= low:
        raise ShapeError(f"randint: expected low < high, got [{low}, {high})")
    wanted = np.dtype("int64") if dtype is None else as_dtype(dtype)
    return _placed(_stream(generator).integers(low, high, shape), wanted, device)


def randperm(n: int, dtype: Any = None, device: Any = None, generator: Generator | None = None) -> Tensor:
    """The integers from 0 to n - 1 in random order."""
    non_negative_int("randperm", "n", n)
    return _placed(_stream(generator).permutation(n), np.dtype("int64") if dtype is None else as_dtype(dtype), device)


def _like(x: Tensor, dtype: Any, device: Any) -> dict[str, Any]:
    """The dtype and device given, else those of x; a device may be 0."""
    return {"dtype": x.dtype if dtype is None else dtype, "device": x.device if device is None else device}


def rand_like(x: Tensor, dtype: Any = None, device: Any = None) -> Tensor:
    """`rand` with the shape, dtype and device of x."""
    return rand(*x.shape, **_like(x, dtype, device))


def randn_like(x: Tensor, dtype: Any = None, device: Any = None) -> Tensor:
    """`randn` with the shape, dtype and device of x."""
    return randn(*x.shape, **_like(x, dtype, device))


def randint_like(x: Tensor, low: int, high: int | None = None) -> Tensor:
    """`randint` with the shape, dtype and device of x."""
    return randint(low, high, size=x.shape, dtype=x.dtype, device=x.device)


def bernoulli(p: Any, generator: Generator | None = None) -> Tensor:
    """Ones with the probabilities in p, else zeros; p's shape and dtype.

    Raises OptionError for numbers outside [0, 1]; on a cuda device they are not looked at, because an error would have
    to wait for the device.
    """
    p = asarray(p)
    if p.device.type == "cpu" and not ((p._array >= 0) & (p._array <= 1)).all():
        raise OptionError(f"bernoulli: p must be probabilities between 0 and 1, got {p.tolist() if not p.ndim else p}")
    values, _ = _drawn("random", p.shape, None, generator)
    return wrap((p.device.asarray(values) < p._array).astype(p.dtype), p.device, None)


def multinomial(
    weights: Any, num_samples: int, replacement: bool = False, generator: Generator | None = None
) -> Tensor:
    """int64 indices drawn in proportion to the last axis of `weights`: (..., C) -> (..., num_samples)."""
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
    return _placed(picked.reshape(*host.shape[:-1], num_samples), np.dtype("int64"), weights.device)
