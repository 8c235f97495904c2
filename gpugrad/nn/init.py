"""Functions that fill tensors with start values, in place. Names, formulas and defaults are PyTorch's.

Random numbers come from the default generator (`gpugrad.manual_seed`). They are drawn on the host and moved, so a seed
gives the same network on every device.
"""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec

import numpy as np

from ..arguments import fraction, non_negative, number, ordered
from ..autograd.tensor import Tensor
from ..autograd.versions import changed
from ..backend.dtypes import float32, float64
from ..backend.random import Generator, default_generator
from ..errors import OptionError, ShapeError

_GAINS = {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}
_ONES = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "sigmoid")


P = ParamSpec("P")


class _SkipFlag(threading.local):
    """Says, for each thread, whether tensors are left unfilled."""

    now = False  # whether tensors are left unfilled in this thread


_skip = _SkipFlag()


@contextmanager
def skip_filling() -> Iterator[None]:
    """Fill nothing inside the block, in this thread (see `utils.skip_init`)."""
    before, _skip.now = _skip.now, True
    try:
        yield
    finally:
        _skip.now = before


def _skippable(fill: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """Return `fill` as a function that returns its tensor unchanged while filling is skipped."""

    @wraps(fill)
    def run(*args: P.args, **kwargs: P.kwargs) -> Any:
        if _skip.now:
            return args[0] if args else kwargs["tensor"]
        return fill(*args, **kwargs)

    return run


def calculate_gain(nonlinearity: str, param: Any = None) -> float:
    """Return the factor that keeps the size of values through a nonlinearity: sqrt(2) for relu, 5/3 for tanh, ...

    param: the negative slope of leaky_relu (default 0.01). Raises OptionError for an unknown name.

    >>> round(nn.init.calculate_gain("relu"), 4)
    1.4142
    """
    if nonlinearity in _ONES:
        return 1.0
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else float(param)) ** 2))
    if nonlinearity not in _GAINS:
        known = ", ".join([*_ONES, "leaky_relu", *_GAINS])
        raise OptionError(f"calculate_gain: unknown nonlinearity {nonlinearity!r}; known are {known}")
    return _GAINS[nonlinearity]


def _fill(tensor: Tensor, values: Any, name: str) -> Tensor:
    """Overwrite `tensor` outside the graph; `name` says who does it."""
    tensor._array[...] = tensor.device.asarray(np.asarray(values), tensor.dtype)
    changed(tensor._array, name)
    return tensor


def _draw(tensor: Tensor, generator: Generator | None) -> tuple[np.random.Generator, np.dtype]:
    """Return the generator to draw from, and the dtype to draw in: 16-bit floats are rounded from float32."""
    return (generator or default_generator()).numpy, float64 if tensor.dtype == float64 else float32


@_skippable
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with uniform values from [a, b).

    >>> w = nn.init.uniform_(gg.empty((100,)), -1.0, 1.0)
    >>> bool((w >= -1).all()), bool((w < 1).all())
    (True, True)
    """
    ordered("uniform_", "a", a, "b", b)
    random, dtype = _draw(tensor, generator)
    values = random.random(tensor.shape, dtype)
    return _fill(tensor, values * dtype.type(b - a) + dtype.type(a), "uniform_")


@_skippable
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with normal values.

    >>> nn.init.normal_(gg.empty((2, 3)), std=0.0).sum().item()
    0.0
    """
    number("normal_", "mean", mean)
    non_negative("normal_", "std", std)
    random, dtype = _draw(tensor, generator)
    values = random.standard_normal(tensor.shape, dtype)
    return _fill(tensor, values * dtype.type(std) + dtype.type(mean), "normal_")


@_skippable
def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with normal values that are drawn again where they fall outside [a, b].

    >>> w = nn.init.trunc_normal_(gg.empty((100,)), a=-0.5, b=0.5)
    >>> bool((abs(w) <= 0.5).all())
    True
    """
    non_negative("trunc_normal_", "std", std)
    ordered("trunc_normal_", "a", a, "b", b)
    if not (a < b and a < mean + 4 * std and b > mean - 4 * std):
        raise OptionError(f"trunc_normal_: no room between {a} and {b} for values around {mean} with std {std}")
    random, dtype = _draw(tensor, generator)
    values = random.standard_normal(math.prod(tensor.shape), dtype) * dtype.type(std) + dtype.type(mean)
    outside = np.flatnonzero((values < a) | (values > b))
    while outside.size:
        values[outside] = random.standard_normal(outside.size, dtype) * dtype.type(std) + dtype.type(mean)
        outside = outside[(values[outside] < a) | (values[outside] > b)]
    return _fill(tensor, values.reshape(tensor.shape), "trunc_normal_")


@_skippable
def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with the number `val`.

    >>> nn.init.constant_(gg.empty((2,)), 0.5)
    tensor([0.5, 0.5])
    """
    return _fill(tensor, val, "constant_")


@_skippable
def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones.

    >>> nn.init.ones_(gg.empty((2,)))
    tensor([1., 1.])
    """
    return _fill(tensor, 1, "ones_")


@_skippable
def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros.

    >>> nn.init.zeros_(gg.empty((2,)))
    tensor([0., 0.])
    """
    return _fill(tensor, 0, "zeros_")


@_skippable
def eye_(tensor: Tensor) -> Tensor:
    """Fill with the identity matrix. Raises ShapeError unless the tensor is 2-d.

    >>> nn.init.eye_(gg.empty((2, 3)))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    if tensor.ndim != 2:
        raise ShapeError(f"eye_: expected a matrix, got shape {tensor.shape}")
    return _fill(tensor, np.eye(tensor.shape[0], tensor.shape[1]), "eye_")


@_skippable
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill a convolution weight (out, in / groups, *kernel) so that it passes as many channels through as it can.

    >>> nn.init.dirac_(gg.empty((1, 1, 3)))
    tensor([[[0., 1., 0.]]])
    """
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
    """Return (fan_in, fan_out) of a weight (out, in, *kernel). Raises ShapeError for fewer than two axes."""
    if tensor.ndim < 2:
        raise ShapeError(f"fan in and fan out need a weight of at least two axes, got shape {tensor.shape}")
    kernel = math.prod(tensor.shape[2:])
    return tensor.shape[1] * kernel, tensor.shape[0] * kernel


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with uniform values from [-a, a], a = gain * sqrt(6 / (fan_in + fan_out)).

    See X. Glorot and Y. Bengio 2010, section 4.2.

    >>> w = nn.init.xavier_uniform_(gg.empty((3, 3)))
    >>> bool((abs(w) <= 1).all())
    True
    """
    bound = gain * math.sqrt(6 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with normal values of std gain * sqrt(2 / (fan_in + fan_out)).

    See X. Glorot and Y. Bengio 2010, section 4.2.

    >>> nn.init.xavier_normal_(gg.empty((3, 3)), gain=0.0).sum().item()
    0.0
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(fans(tensor))), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    """Return gain / sqrt(fan), or 0 for a fan of 0. Raises OptionError for an unknown mode."""
    if mode not in ("fan_in", "fan_out"):
        raise OptionError(f"kaiming initialisation: mode must be 'fan_in' or 'fan_out', got {mode!r}")
    fan = fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan) if fan else 0.0


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill with uniform values from [-b, b], b = gain * sqrt(3 / fan) (K. He et al. 2015, section 2.2).

    `a` is the negative slope of leaky_relu.

    >>> w = nn.init.kaiming_uniform_(gg.empty((2, 6)), nonlinearity="relu")
    >>> bool((abs(w) <= 1).all())
    True
    """
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill with normal values of std gain / sqrt(fan) (K. He et al. 2015, section 2.2).

    `a` is the negative slope of leaky_relu.

    >>> nn.init.kaiming_normal_(gg.empty((2, 6))).shape
    (2, 6)
    """
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


@_skippable
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fill with a (semi-)orthogonal matrix times gain, over the flattened trailing axes.

    See A. Saxe et al. 2013, section 3.

    >>> w = nn.init.orthogonal_(gg.empty((3, 3)))
    >>> np.allclose((w @ w.T).numpy(), np.eye(3), atol=1e-6)
    True
    """
    if tensor.ndim < 2:
        raise ShapeError(f"orthogonal_: expected at least two axes, got shape {tensor.shape}")
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    random, _ = _draw(tensor, generator)
    q, r = np.linalg.qr(random.standard_normal((max(rows, columns), min(rows, columns))))
    q *= np.sign(np.diag(r))  # uniform over all orthogonal matrices
    values = gain * (q if rows >= columns else q.T)
    return _fill(tensor, values.reshape(tensor.shape), "orthogonal_")


@_skippable
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Fill with a matrix whose columns have the fraction `sparsity` of zeros, the rest normal.

    See J. Martens 2010, section 5.

    >>> int((nn.init.sparse_(gg.empty((10, 4)), sparsity=0.5) == 0).sum())
    20
    """
    if tensor.ndim != 2:
        raise ShapeError(f"sparse_: expected a matrix, got shape {tensor.shape}")
    fraction("sparse_", "sparsity", sparsity)
    non_negative("sparse_", "std", std)
    random, dtype = _draw(tensor, generator)
    values = random.standard_normal(tensor.shape, dtype) * dtype.type(std)
    zeros = math.ceil(sparsity * tensor.shape[0])
    for column in range(tensor.shape[1]):
        values[random.permutation(tensor.shape[0])[:zeros], column] = 0
    return _fill(tensor, values, "sparse_")


def uniform_fan_in_(weight: Tensor, bias: Tensor | None) -> None:
    """Fill the weight and the bias of a linear or convolution layer with uniform values from [-1/sqrt(fan_in),
    1/sqrt(fan_in)]."""
    fan_in, _ = fans(weight)
    bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
    for tensor in (weight, bias):
        if tensor is not None:
            uniform_(tensor, -bound, bound)
