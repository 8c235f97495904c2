"""Elementwise activations: blocks that stay in cache through all passes of a formula, over two threads when large.

Elementwise work does not care about the shape, so an array that is contiguous in any order of its axes is walked flat,
and the result gets the same memory order.

erf(x) is tanh(x * R(x^2)): atanh(erf(x)) / x is a smooth, even function, so a rational R of low degree gives it to full
precision, and NumPy's tanh is vectorised. A relative error of the argument never grows in tanh. R was fitted (weighted
minimax) up to |x| = 4 in float32 and 6 in float64; beyond, erf is 1 to the last digit and R is held at its end value.
"""

import math
from contextlib import nullcontext
from typing import Any

import numpy as np

from . import gemm, memory, threads

BLOCK = 1 << 18  # elements of a block: few enough for the caches, yet few calls, at each of which threads may wait
SHARE = 1 << 16  # elements that are worth a thread
LIGHT = 1 << 18  # the same for a single pass or two

# fmt: off
# erf(x) = tanh(x * P(u) / Q(u)), u = min(x^2, cap): cap, then P and Q from the constant term up.
_ERF = {
    np.dtype(np.float32): (16.0, np.array([
        [1.12837917, 0.27980759, 0.0426470709, 0.00217833734],
        [1.0, 0.156893252, 0.0236903218, 0.000324936322],
    ], np.float32)),
    np.dtype(np.float64): (36.0, np.array([
        [
            1.1283791670955123, 0.48746939856161542, 0.13726364097982757, 0.023980235424126181,
            0.0030184728565072079, 0.00025656406061338218, 1.4566112761517924e-05, 4.3401406753642209e-07,
            2.6967236604462535e-09,
        ],
        [
            1.0, 0.3409286580944918, 0.090780398003651563, 0.013569854477992667, 0.0015770637576793354,
            0.00011114219010389174, 5.4170085554084577e-06, 8.8270466323758669e-08, 1.4340836573386808e-10,
        ],
    ])),
}
# fmt: on
# The normal distribution is Phi(x) = (1 + erf(x / sqrt(2))) / 2: the same R with x / sqrt(2) put in.
_HALF = math.sqrt(0.5)
_PHI = {
    dtype: (2 * cap, (rational * [[_HALF], [1]] * 0.5 ** np.arange(rational.shape[1])).astype(dtype))
    for dtype, (cap, rational) in _ERF.items()
}
_DENSITY = 1 / math.sqrt(2 * math.pi)
_TANH_SCALE, _TANH_CUBE = math.sqrt(2 / math.pi), 0.044715


def erf(x: np.ndarray) -> np.ndarray:
    """The error function, elementwise."""
    return _blockwise(_erf, x)


def gelu_forward(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x * Phi(x), and Phi(x), Phi being the normal distribution."""
    return _blockwise(_gelu, x, outputs=2)


def gelu_backward(g: np.ndarray, x: np.ndarray, distribution: np.ndarray | None) -> np.ndarray:
    """The gradient of `gelu_forward`'s input, or without a distribution of `gelu_tanh_forward`'s."""
    return _blockwise(_gelu_tanh_grad, x, g) if distribution is None else _blockwise(_gelu_grad, x, distribution, g)


def gelu_tanh_forward(x: np.ndarray) -> np.ndarray:
    """`gelu_forward` with Phi's usual approximation by tanh."""
    return _blockwise(_gelu_tanh, x)


def sigmoid_forward(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)): where the exponential overflows, this is 0 as it should be."""
    return _blockwise(_sigmoid, x)


def silu_forward(x: np.ndarray) -> np.ndarray:
    """x * sigmoid(x)."""
    return _blockwise(_silu, x)


def silu_backward(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The gradient of `silu_forward`'s input."""
    return _blockwise(_silu_grad, x, g)


def relu_forward(x: np.ndarray) -> np.ndarray:
    """max(x, 0); NaN stays NaN."""
    return _blockwise(relu_into, x, share=LIGHT)


def relu_backward(g: np.ndarray, out: np.ndarray) -> np.ndarray:
    """g where out > 0 (or NaN, as PyTorch has it), else 0, even if g is infinite there."""
    return _blockwise(_relu_grad, out, g, share=LIGHT)


# Kernels: fill `out` from arrays of its shape.


def _erf(out, x):
    np.tanh(_rational_argument(x, *_ERF[x.dtype]), out=out)


def _gelu(out, distribution, x):
    np.tanh(_rational_argument(x, *_PHI[x.dtype]), out=distribution)
    np.add(distribution, 1, out=distribution)
    np.multiply(distribution, 0.5, out=distribution)
    np.multiply(distribution, x, out=out)


def _gelu_grad(gx, x, distribution, g):
    """g * (Phi(x) + x * phi(x)), phi the density of the normal distribution."""
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


def _gelu_tanh_grad(gx, x, g):
    """g * h * (1 + (1 - h) * 2 * x * a'), where a is the argument of tanh and h = (1 + tanh(a)) / 2.

    h is computed as sigmoid(2 * a), which keeps its digits where it is small and the other factor large.
    """
    half = _tanh_argument(x)
    np.multiply(half, 2, out=half)
    _sigmoid(half, half)
    slope = np.multiply(x, x)
    np.multiply(slope, 6 * _TANH_SCALE * _TANH_CUBE, out=slope)
    np.add(slope, 2 * _TANH_SCALE, out=slope)
    np.multiply(slope, x, out=slope)
    np.multiply(slope, 1 - half, out=slope)
    np.add(slope, 1, out=slope)
    np.multiply(slope, half, out=slope)
    np.multiply(slope, g, out=gx)


def _tanh_argument(x):
    """sqrt(2 / pi) * (x + 0.044715 * x^3), in new memory."""
    argument = np.multiply(x, x)
    np.multiply(argument, _TANH_SCALE * _TANH_CUBE, out=argument)
    np.add(argument, _TANH_SCALE, out=argument)
    return np.multiply(argument, x, out=argument)


def _rational_argument(x, cap: float, coefficients: np.ndarray):
    """x * P(u) / Q(u) with u = min(x^2, cap), in new memory: both polynomials are one product with the powers of u."""
    powers = np.empty((coefficients.shape[1] - 1, *x.shape), x.dtype)  # of u, from the first up
    np.multiply(x, x, out=powers[0])
    powers[0].clip(0, cap, out=powers[0])
    for i in range(2, len(powers) + 1):
        np.multiply(powers[i // 2 - 1], powers[i - i // 2 - 1], out=powers[i - 1])
    values = np.empty((2, *x.shape), x.dtype)
    with threads.one_blas_thread if x.size * coefficients.size > gemm.ALONE else nullcontext():
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


def _silu_grad(gx, x, g):
    """g * s * (1 + x * (1 - s)), s = sigmoid(x)."""
    s = np.empty_like(x)
    _sigmoid(s, x)
    slope = np.subtract(1, s)
    np.multiply(slope, x, out=slope)
    np.add(slope, 1, out=slope)
    np.multiply(slope, s, out=slope)
    np.multiply(slope, g, out=gx)


def relu_into(out, x):
    # With a scalar, clip() has a fast loop where maximum() has none.
    x.clip(0, np.inf, out=out)


def _relu_grad(gx, out, g):
    # Bits are cleared rather than multiplied by 0: inf * 0 would be NaN. True - 1 is 0, False - 1 is all ones.
    keep = np.less_equal(out, 0).view(np.int8)
    np.subtract(keep, 1, out=keep)
    bits = np.int32 if g.dtype.itemsize == 4 else np.int64
    mask = gx.view(bits)
    np.copyto(mask, keep)
    np.bitwise_and(g.view(bits), mask, out=mask)


def _blockwise(kernel, *arrays: np.ndarray, share: int = SHARE, outputs: int = 1) -> Any:
    """A new array like the first (or so many), filled by `kernel(*outputs, *arrays)` over blocks."""
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
            for block in threads.blocks(part, BLOCK):
                kernel(*(array[block] for array in flat))

    if first.size < 2 * min(share, BLOCK):
        with np.errstate(all="ignore"):
            kernel(*flat)
    else:
        threads.parallel(fill, threads.chunks(first.size, share))
    return made[0] if outputs == 1 else tuple(made)
