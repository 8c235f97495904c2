"""The CPU paths of elementwise ops: blocks that stay in cache through all passes of a formula, on two threads if large.

Elementwise work does not depend on the shape, so an array that is contiguous in any order of its axes is walked flat,
and the result gets the same memory order.
"""

import math
from contextlib import nullcontext
from typing import Any

import numpy as np

from ...backend.cpu import gemm, memory, threads
from .activation import TANH_CUBE, TANH_SCALE, gelu, silu
from .piecewise import relu
from .selection import keep_where
from .special import ERF, erf, sigmoid

# Elements that are worth a thread, and those of a block: few enough for a core's own cache with what a formula leaves
# between its passes, yet few calls, at each of which threads may wait.
SHARE = 1 << 16
LIGHT = 1 << 18  # the same for a single pass or two
SMALL = 1 << 10  # elements below which cutting into blocks does not pay
MASK_SMALL = 1 << 12  # elements below which `where` itself is the quickest for `keep_where`

# The normal distribution is Phi(x) = (1 + erf(x / sqrt(2))) / 2 = 1 / (1 + exp(-2 y)) where erf(x / sqrt(2)) = tanh(y):
# -2 y is the same rational function with x / sqrt(2) put in. NumPy's exp is as fast as its tanh with AVX-512 and twice
# as fast with AVX2, and small values of Phi keep their digits.
_HALF = math.sqrt(0.5)
_PHI = {
    dtype: (2 * cap, (rational * [[-2 * _HALF], [1]] * 0.5 ** np.arange(rational.shape[1])).astype(dtype))
    for dtype, (cap, rational) in ERF.items()
}
_DENSITY = 1 / math.sqrt(2 * math.pi)


@erf.path("cpu")
def erf_cpu(x):
    return _blockwise(_erf, x), {}


@sigmoid.path("cpu")
def sigmoid_cpu(x):
    return _blockwise(_sigmoid, x), {}


@gelu.path("cpu")
def gelu_cpu(x, *, approximate):
    if approximate == "none":
        out, distribution = _blockwise(_gelu, x, outputs=2)
        return out, {"distribution": distribution}
    if approximate == "tanh":
        return _blockwise(_gelu_tanh, x), {"distribution": None}
    return NotImplemented


@gelu_cpu.backward
def gelu_cpu_backward(g, x, distribution):
    return (
        _blockwise(_gelu_tanh_gradient, x, g)
        if distribution is None
        else _blockwise(_gelu_gradient, x, distribution, g)
    )


@silu.path("cpu")
def silu_cpu(x):
    return _blockwise(_silu, x), {}


@silu_cpu.backward
def silu_cpu_backward(g, x):
    return _blockwise(_silu_gradient, x, g)


@relu.path("cpu")
def relu_cpu(x):
    return np.maximum(x, 0) if x.size < SMALL else _blockwise(relu_into, x, share=LIGHT), {}


@relu_cpu.backward
def relu_cpu_backward(g, out):
    return np.where(out <= 0, 0, g) if out.size < SMALL else relu_backward(g, out)


def relu_backward(g: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Return g where out > 0 (or NaN, as PyTorch has it), else 0, even where g is infinite."""
    return _blockwise(_relu_gradient, out, g, share=LIGHT)


@keep_where.path("cpu")
def keep_where_cpu(x, mask):
    if x.size < MASK_SMALL or mask.shape != x.shape or x.itemsize not in (4, 8):
        return NotImplemented
    bits = np.dtype(f"i{x.itemsize}")
    out = mask.astype(bits)
    np.negative(out, out=out)  # True becomes all ones
    np.bitwise_and(out, x.view(bits), out=out)
    return out.view(x.dtype), {}


# Kernels: fill `out` from arrays of its shape.


def _erf(out, x):
    np.tanh(_rational_argument(x, *ERF[x.dtype]), out=out)


def _gelu(out, distribution, x):
    np.exp(_rational_argument(x, *_PHI[x.dtype]), out=distribution)
    np.add(distribution, 1, out=distribution)
    np.divide(1, distribution, out=distribution)
    np.multiply(distribution, x, out=out)


def _gelu_gradient(gx, x, distribution, g):
    """Compute g * (Phi(x) + x * phi(x)), phi the density of the normal distribution."""
    density = np.multiply(x, x)
    np.multiply(density, -0.5, out=density)
    np.exp(density, out=density)
    np.multiply(density, _DENSITY, out=density)
    np.multiply(density, x, out=density)
    np.add(density, distribution, out=density)
    np.multiply(density, g, out=gx)


def _gelu_tanh(out, x):
    np.tanh(_tanh_argument(x), out=out)
    np.add(out, 1, out=out)
    np.multiply(out, x, out=out)
    np.multiply(out, 0.5, out=out)


def _gelu_tanh_gradient(gx, x, g):
    """Compute g * h * (1 + (1 - h) * 2 * x * a'), where a is the argument of tanh and h = (1 + tanh(a)) / 2.

    h is computed as sigmoid(2 * a), which keeps its digits if it is small and the other factor large.
    """
    half = _tanh_argument(x)
    np.multiply(half, 2, out=half)
    _sigmoid(half, half)
    slope = np.multiply(x, x)
    np.multiply(slope, 6 * TANH_SCALE * TANH_CUBE, out=slope)
    np.add(slope, 2 * TANH_SCALE, out=slope)
    np.multiply(slope, x, out=slope)
    np.multiply(slope, 1 - half, out=slope)
    np.add(slope, 1, out=slope)
    np.multiply(slope, half, out=slope)
    np.multiply(slope, g, out=gx)


def _tanh_argument(x):
    """Return sqrt(2 / pi) * (x + 0.044715 * x^3), in new memory."""
    argument = np.multiply(x, x)
    np.multiply(argument, TANH_SCALE * TANH_CUBE, out=argument)
    np.add(argument, TANH_SCALE, out=argument)
    return np.multiply(argument, x, out=argument)


def _rational_argument(x, cap: float, coefficients: np.ndarray):
    """Return x * P(u) / Q(u), u = min(x^2, cap), in new memory: one product with the powers of u makes P and Q."""
    powers = np.empty((coefficients.shape[1] - 1, *x.shape), x.dtype)  # of u, from the first up
    np.multiply(x, x, out=powers[0])
    powers[0].clip(0, cap, out=powers[0])
    for i in range(2, len(powers) + 1):
        np.multiply(powers[i // 2 - 1], powers[i - i // 2 - 1], out=powers[i - 1])
    values = np.empty((2, *x.shape), x.dtype)
    with threads.one_blas_thread if x.size * coefficients.size > gemm.ONE_THREAD else nullcontext():
        for part in threads.blocks(slice(0, x.shape[-1]), gemm.TILE // coefficients.size):
            np.matmul(coefficients[:, 1:], powers[:, part], out=values[:, part])
    np.add(values, coefficients[:, :1], out=values)
    ratio = np.divide(values[0], values[1], out=values[0, ...])
    return np.multiply(ratio, x, out=ratio)


def _sigmoid(out, x):
    np.negative(x, out=out)
    np.exp(out, out=out)
    np.add(out, 1, out=out)
    np.divide(1, out, out=out)  # half the time of reciprocal()


def _silu(out, x):
    np.negative(x, out=out)
    np.exp(out, out=out)
    np.add(out, 1, out=out)
    np.divide(x, out, out=out)


def _silu_gradient(gx, x, g):
    """Compute g * s * (1 + x * (1 - s)), s = sigmoid(x)."""
    s = np.empty_like(x)
    _sigmoid(s, x)
    slope = np.subtract(1, s)
    np.multiply(slope, x, out=slope)
    np.add(slope, 1, out=slope)
    np.multiply(slope, s, out=slope)
    np.multiply(slope, g, out=gx)


def relu_into(out, x):
    """Fill out = max(x, 0); NaN stays NaN. With a scalar, clip() has a fast loop where maximum() has none."""
    x.clip(0, np.inf, out=out)


def _relu_gradient(gx, out, g):
    # Bits are cleared rather than multiplied by 0: inf * 0 would be NaN. True - 1 is 0, False - 1 is all ones.
    keep = np.less_equal(out, 0).view(np.int8)
    np.subtract(keep, 1, out=keep)
    bits = np.int32 if g.dtype.itemsize == 4 else np.int64
    mask = gx.view(bits)
    np.copyto(mask, keep)
    np.bitwise_and(g.view(bits), mask, out=mask)


def _blockwise(kernel, *arrays: np.ndarray, share: int = SHARE, outputs: int = 1) -> Any:
    """Make `outputs` arrays like the first, filled by `kernel(*outputs, *arrays)` over blocks."""
    first = arrays[0]
    if first.flags.c_contiguous:
        made = [memory.empty(first.shape, first.dtype) for _ in range(outputs)]
        flat = [array.reshape(-1) for array in (*made, *arrays)]
    else:
        # Axes sorted as they lie in memory: reshape(-1) is a view of every array that is dense in this order.
        order = sorted(range(first.ndim), key=lambda axis: -abs(first.strides[axis]))
        sorted_shape = tuple(first.shape[axis] for axis in order)
        dense = [memory.empty(sorted_shape, first.dtype) for _ in range(outputs)]
        made = [array.transpose(np.argsort(order)) for array in dense]
        flat = [array.reshape(-1) for array in (*dense, *(array.transpose(order) for array in arrays))]

    def fill(part: slice) -> None:
        with np.errstate(all="ignore"):
            for block in threads.blocks(part, share):
                kernel(*(array[block] for array in flat))

    if first.size < 2 * share:
        with np.errstate(all="ignore"):
            kernel(*flat)
    else:
        threads.parallel(fill, threads.chunks(first.size, share))
    return made[0] if outputs == 1 else tuple(made)
