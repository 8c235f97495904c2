"""Filling tensors with start values, in place. Names, formulas and defaults are PyTorch's.

Random numbers come from the default generator (`gpugrad.manual_seed`), drawn on the host and moved, so a seed gives the
same network on every device.
"""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec

import numpy as np

from ..autograd.tensor import Tensor
from ..autograd.versions import changed
from ..backend.dtypes import float32, float64
from ..backend.random import Generator, default_generator
from ..errors import ShapeError

_GAINS = {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}
_ONES = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "sigmoid")


P = ParamSpec("P")


class _Skipping(threading.local):
    now = False


_skipping = _Skipping()


@contextmanager
def skipped() -> Iterator[None]:
    """Nothing is filled inside, in this thread (see `utils.skip_init`)."""
    before, _skipping.now = _skipping.now, True
    try:
        yield
    finally:
        _skipping.now = before


def _filling(fill: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """`fill`, unless it is skipped."""

    @wraps(fill)
    def run(*args: P.args, **kwargs: P.kwargs) -> Any:
        if _skipping.now:
            return args[0] if args else kwargs["tensor"]
        return fill(*args, **kwargs)

    return run


def calculate_gain(nonlinearity: str, param: Any = None) -> float:
    """The factor that keeps the size of values through a nonlinearity: sqrt(2) for relu, 5/3 for tanh, ...

    param: the negative slope of leaky_relu (default 0.01). Raises ValueError for an unknown name.
    """
    if nonlinearity in _ONES:
        return 1.0
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else float(param)) ** 2))
    if nonlinearity not in _GAINS:
        known = ", ".join([*_ONES, "leaky_relu", *_GAINS])
        raise ValueError(f"calculate_gain: unknown nonlinearity {nonlinearity!r}; known are {known}")
    return _GAINS[nonlinearity]


def _fill(tensor: Tensor, values: Any, name: str) -> Tensor:
    """Overwrite `tensor`, outside the graph."""
    tensor._array[...] = tensor.device.asarray(np.asarray(values), tensor.dtype)
    changed(tensor._array, name)
    return tensor


def _draw(tensor: Tensor, generator: Generator | None) -> tuple[np.random.Generator, np.dtype]:
    """The random numbers to draw from, and the dtype to draw in: 16-bit floats are rounded from float32."""
    return (generator or default_generator()).numpy, float64 if tensor.dtype == float64 else float32


@_filling
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform values from [a, b)."""
    random, dtype = _draw(tensor, generator)
    values = random.random(tensor.shape, dtype)
    return _fill(tensor, values * dtype.type(b - a) + dtype.type(a), "uniform_")


@_filling
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal values."""
    random, dtype = _draw(tensor, generator)
    values = random.standard_normal(tensor.shape, dtype)
    return _fill(tensor, values * dtype.type(std) + dtype.type(mean), "normal_")


@_filling
def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Normal values that are drawn again where they fall outside [a, b]."""
    if not (a < b and a < mean + 4 * std and b > mean - 4 * std):
        raise ValueError(f"trunc_normal_: no room between {a} and {b} for values around {mean} with std {std}")
    random, dtype = _draw(tensor, generator)
    values = random.standard_normal(math.prod(tensor.shape), dtype) * dtype.type(std) + dtype.type(mean)
    outside = np.flatnonzero((values < a) | (values > b))
    while outside.size:
        values[outside] = random.standard_normal(outside.size, dtype) * dtype.type(std) + dtype.type(mean)
        outside = outside[(values[outside] < a) | (values[outside] > b)]
    return _fill(tensor, values.reshape(tensor.shape), "trunc_normal_")


@_filling
def constant_(tensor: Tensor, val: float) -> Tensor:
    """The number `val` everywhere."""
    return _fill(tensor, val, "constant_")


@_filling
def ones_(tensor: Tensor) -> Tensor:
    """Ones."""
    return _fill(tensor, 1, "ones_")


@_filling
def zeros_(tensor: Tensor) -> Tensor:
    """Zeros."""
    return _fill(tensor, 0, "zeros_")


@_filling
def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix. Raises ShapeError unless 2-d."""
    if tensor.ndim != 2:
        raise ShapeError(f"eye_: expected a matrix, got shape {tensor.shape}")
    return _fill(tensor, np.eye(tensor.shape[0], tensor.shape[1]), "eye_")


@_filling
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A convolution weight (out, in / groups, *kernel) that passes as many channels through as it can."""
    if tensor.ndim not in (3, 4, 5):
        raise ShapeError(f"dirac_: expected a convolution weight of 3 to 5 axes, got shape {tensor.shape}")
    out = tensor.shape[0]
    if out % groups:
        raise ShapeError(f"dirac_: {out} output channels cannot be divided into {groups} groups")
    values = np.zeros(tensor.shape)
    middle = tuple(n // 2 for n in tensor.shape[2:])
    for group in range(groups):
        for channel in range(min(out // groups, tensor.shape[1])):
            values[(group * (out // groups) + channel, channel, *middle)] = 1
    return _fill(tensor, values, "dirac_")


def fans(tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight (out, in, *kernel). Raises ShapeError for fewer than two axes."""
    if tensor.ndim < 2:
        raise ShapeError(f"fan in and fan out need a weight of at least two axes, got shape {tensor.shape}")
    kernel = math.prod(tensor.shape[2:])
    return tensor.shape[1] * kernel, tensor.shape[0] * kernel


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform in [-a, a], a = gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""
    bound = gain * math.sqrt(6 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with std gain * sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(fans(tensor))), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"kaiming initialisation: mode must be 'fan_in' or 'fan_out', got {mode!r}")
    fan = fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan) if fan else 0.0


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Uniform in [-b, b], b = gain * sqrt(3 / fan) (He et al. 2015); a is the negative slope of leaky_relu."""
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal with std gain / sqrt(fan) (He et al. 2015); a is the negative slope of leaky_relu."""
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


@_filling
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """A (semi-)orthogonal matrix times gain, over the flattened trailing axes (Saxe et al. 2013)."""
    if tensor.ndim < 2:
        raise ShapeError(f"orthogonal_: expected at least two axes, got shape {tensor.shape}")
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    random, _ = _draw(tensor, generator)
    q, r = np.linalg.qr(random.standard_normal((max(rows, columns), min(rows, columns))))
    q *= np.sign(np.diag(r))  # uniform over all orthogonal matrices
    values = gain * (q if rows >= columns else q.T)
    return _fill(tensor, values.reshape(tensor.shape), "orthogonal_")


@_filling
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """A matrix whose columns have the fraction `sparsity` of zeros, the rest normal (Martens 2010)."""
    if tensor.ndim != 2:
        raise ShapeError(f"sparse_: expected a matrix, got shape {tensor.shape}")
    random, dtype = _draw(tensor, generator)
    values = random.standard_normal(tensor.shape, dtype) * dtype.type(std)
    zeros = math.ceil(sparsity * tensor.shape[0])
    for column in range(tensor.shape[1]):
        values[random.permutation(tensor.shape[0])[:zeros], column] = 0
    return _fill(tensor, values, "sparse_")


def uniform_fan_in_(weight: Tensor, bias: Tensor | None) -> None:
    """The start of linear and convolution layers: weight and bias uniform in [-1/sqrt(fan_in), 1/sqrt(fan_in)]."""
    fan_in, _ = fans(weight)
    bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
    for tensor in (weight, bias):
        if tensor is not None:
            uniform_(tensor, -bound, bound)
