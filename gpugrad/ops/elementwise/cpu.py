"""The CPU paths of elementwise ops: compiled loops, or blocks that stay in cache through all passes of a formula.

Elementwise work does not depend on the shape, so an array that is contiguous in any order of its axes is walked flat,
and the result gets the same memory order.
"""

import math
from contextlib import nullcontext
from typing import Any

import numpy as np

from ...autograd.ufunc import Elementwise
from ...backend.cpu import gemm, memory, threads
from ...backend.cpu.loops import Loop, each_part
from . import loops
from .activation import TANH_CUBE, TANH_SCALE, gelu, logsigmoid, mish, silu, softplus
from .piecewise import SELU, celu, elu, relu, selu
from .selection import keep_where
from .special import ERF, erf, erfc, sigmoid

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
    return _blockwise(_erf, x, loop=loops.erf), {}


@sigmoid.path("cpu")
def sigmoid_cpu(x):
    return _blockwise(_sigmoid, x, loop=loops.sigmoid), {}


@sigmoid_cpu.backward
def sigmoid_cpu_backward(g, out):
    return _blockwise(_sigmoid_gradient, g, out, loop=loops.sigmoid_gradient)


@gelu.path("cpu")
def gelu_cpu(x, *, approximate):
    if approximate == "tanh":
        return _blockwise(_gelu_tanh, x, loop=loops.gelu_tanh), {"distribution": None}
    if approximate != "none":
        return NotImplemented
    out = _looped(loops.gelu, (x,))
    if out is not None:  # its gradient computes the distribution again, in less time than it takes to read it
        return out, {"distribution": None}
    out, distribution = _blockwise(_gelu, x, outputs=2)
    return out, {"distribution": distribution}


@gelu_cpu.backward
def gelu_cpu_backward(g, x, distribution, approximate):
    if approximate == "tanh":
        return _blockwise(_gelu_tanh_gradient, x, g, loop=loops.gelu_tanh_gradient)
    if distribution is None:
        return _looped(loops.gelu_gradient, (x, g))
    return _blockwise(_gelu_gradient, x, distribution, g)


@silu.path("cpu")
def silu_cpu(x):
    return _blockwise(_silu, x, loop=loops.silu), {}


@silu_cpu.backward
def silu_cpu_backward(g, x):
    return _blockwise(_silu_gradient, x, g, loop=loops.silu_gradient)


@relu.path("cpu")
def relu_cpu(x):
    return np.maximum(x, 0) if x.size < SMALL else _blockwise(relu_into, x, share=LIGHT, loop=loops.relu), {}


@relu_cpu.backward
def relu_cpu_backward(g, out):
    return np.where(out <= 0, 0, g) if out.size < SMALL else relu_backward(g, out)


def relu_backward(g: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Return g where out > 0 (or NaN, as PyTorch has it), else 0, even where g is infinite."""
    return _blockwise(_relu_gradient, out, g, share=LIGHT, loop=loops.relu_gradient)


@softplus.path("cpu")
def softplus_cpu(x, *, beta, threshold):
    return _looped_or_generic(softplus, loops.softplus, x, (beta, threshold), beta=beta, threshold=threshold), {}


@softplus_cpu.backward
def softplus_cpu_backward(g, x, beta, threshold):
    out = _looped(loops.softplus_gradient, (x, g), beta, threshold)
    return softplus.rules["x"](g, x, beta, threshold) if out is None else out


@logsigmoid.path("cpu")
def logsigmoid_cpu(x):
    return _looped_or_generic(logsigmoid, loops.logsigmoid, x), {}


@logsigmoid_cpu.backward
def logsigmoid_cpu_backward(g, x):
    out = _looped(loops.logsigmoid_gradient, (x, g))
    return logsigmoid.rules["x"](g, x) if out is None else out


@mish.path("cpu")
def mish_cpu(x):
    return _looped_or_generic(mish, loops.mish, x), {}


@mish_cpu.backward
def mish_cpu_backward(g, x):
    out = _looped(loops.mish_gradient, (x, g))
    return mish.rules["x"](g, x) if out is None else out


@elu.path("cpu")
def elu_cpu(x, *, alpha):
    return _looped_or_generic(elu, loops.elu, x, (alpha, 1.0, 1.0), alpha=alpha), {}


@elu_cpu.backward
def elu_cpu_backward(g, x, alpha):
    out = _looped(loops.elu_gradient, (x, g), alpha, 1.0, 1.0)
    return elu.rules["x"](g, x, alpha) if out is None else out


@celu.path("cpu")
def celu_cpu(x, *, alpha):
    return _looped_or_generic(celu, loops.elu, x, (alpha, 1.0, 1 / alpha), alpha=alpha), {}


@celu_cpu.backward
def celu_cpu_backward(g, x, alpha):
    out = _looped(loops.elu_gradient, (x, g), alpha, 1.0, 1 / alpha)
    return celu.rules["x"](g, x, alpha) if out is None else out


@selu.path("cpu")
def selu_cpu(x):
    return _looped_or_generic(selu, loops.elu, x, SELU), {}


@selu_cpu.backward
def selu_cpu_backward(g, x):
    out = _looped(loops.elu_gradient, (x, g), *SELU)
    return selu.rules["x"](g, x) if out is None else out


@erfc.path("cpu")
def erfc_cpu(x):
    return _looped_or_generic(erfc, loops.erfc, x), {}


def _looped_or_generic(op: Elementwise, loop: Loop, x: np.ndarray, numbers: tuple = (), **attributes: Any) -> Any:
    """Return the loop's values, or those of the op's body where there is none."""
    out = _looped(loop, (x,), *numbers)
    return op.forward(x, **attributes) if out is None else out


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


def _sigmoid_gradient(gx, g, out):
    np.subtract(1, out, out=gx)
    np.multiply(gx, out, out=gx)
    np.multiply(gx, g, out=gx)


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


def _blockwise(kernel, *arrays: np.ndarray, share: int = SHARE, outputs: int = 1, loop: Loop | None = None) -> Any:
    """Make `outputs` arrays like the first, filled by the loop or by `kernel(*outputs, *arrays)` over blocks."""
    if loop is not None and (out := _looped(loop, arrays)) is not None:
        return out
    made, flat = _flat(arrays, outputs)
    size = arrays[0].size

    def fill(part: slice) -> None:
        with np.errstate(all="ignore"):
            for block in threads.blocks(part, share):
                kernel(*(array[block] for array in flat))

    if size < 2 * share:
        with np.errstate(all="ignore"):
            kernel(*flat)
    else:
        threads.parallel(fill, threads.chunks(size, share))
    return made[0] if outputs == 1 else tuple(made)


def _looped(loop: Loop, arrays: tuple, *numbers: float) -> np.ndarray | None:
    """Make an array like the first that a loop fills; None where NumPy is to do it."""
    size = arrays[0].size
    compiled = loop.chosen(arrays[0]) if size >= loop.least else None
    if compiled is None:
        return None
    (out,), flat = _flat(arrays, 1)
    flat = [np.ascontiguousarray(array) for array in flat]
    each_part(lambda part: compiled(*[array[part] for array in flat], *numbers), size)
    return out


def _flat(arrays: tuple, outputs: int) -> tuple[list, list]:
    """Make arrays like the first, and return them, and all in one dimension, the new ones first."""
    first = arrays[0]
    if first.flags.c_contiguous:
        made = [memory.empty(first.shape, first.dtype) for _ in range(outputs)]
        return made, [array.reshape(-1) for array in (*made, *arrays)]
    # Axes sorted as they lie in memory: reshape(-1) is a view of every array that is dense in this order.
    order = sorted(range(first.ndim), key=lambda axis: -abs(first.strides[axis]))
    sorted_shape = tuple(first.shape[axis] for axis in order)
    dense = [memory.empty(sorted_shape, first.dtype) for _ in range(outputs)]
    made = [array.transpose(np.argsort(order)) for array in dense]
    return made, [array.reshape(-1) for array in (*dense, *(array.transpose(order) for array in arrays))]
