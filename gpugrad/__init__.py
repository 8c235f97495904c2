"""gpugrad: automatic differentiation for NumPy and CuPy code, with hand-written CUDA kernels.

    import gpugrad as gg
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    x.grad                      # tensor([2., 4.])

`gpugrad` is an array namespace (NumPy's names); `gpugrad.nn`, `gpugrad.optim` and `gpugrad.autograd` follow PyTorch.
By subject:

Tensors
    Tensor, tensor, asarray, from_numpy
Element types
    bool_, uint8, uint16, uint32, uint64, int8, int16, int32, int64, long, float16, half, bfloat16, float32,
    float64, double, complex64, cfloat, complex128, cdouble, finfo, iinfo, default_dtype, set_default_dtype,
    promote
Devices, threads and precision
    Device, device, default_device, set_default_device, get_num_threads, set_num_threads,
    get_float32_matmul_precision, set_float32_matmul_precision
Derivatives of functions, and functions over batches
    elementwise_grad, grad, hessian, jacfwd, jacobian, jacrev, jvp, value_and_grad, vjp, vmap
Gradients and their recording
    checkpoint, no_grad, enable_grad, set_grad_enabled, is_grad_enabled, inference_mode,
    is_inference_mode_enabled, detect_anomaly
Mixed precision
    autocast, is_autocast_enabled, get_autocast_dtype
Ops of your own
    op, xp, Function
The state of random numbers
    Generator, default_generator, manual_seed, get_rng_state, set_rng_state
Constants
    pi, e, inf, nan, newaxis
Subpackages
    amp, autograd, cuda, data, distributed, distributions, errors, export, fft, io, linalg, models, nn, optim,
    random, recipes, rl, special, torch, train, typing, viz
A bias and an activation as one op, so that a device passes over memory once
    bias_activation
Activation functions of several pieces, as PyTorch defines them
    celu, elu, hardshrink, hardsigmoid, hardswish, hardtanh, leaky_relu, relu, relu6, selu, softshrink,
    threshold
Arrays cut along named axes and put together in blocks, sets, partitions, and what is written into an array
    argpartition, array_equiv, block, copyto, corrcoef, cov, dsplit, fill_diagonal, histogram2d, hsplit,
    intersect1d, lexsort, partition, place, put, put_along_axis, putmask, rollaxis, setdiff1d, setxor1d,
    union1d, vsplit
Batch norm by the statistics of the batch, and channels scaled and shifted
    batch_norm
Complex numbers
    angle, complex, conj, conjugate, imag, is_complex, iscomplex, iscomplexobj, isreal, isrealobj, polar, real,
    sgn, view_as_complex, view_as_real
Convolution in one, two and three dimensions
    convolution
Copies
    astype, clone, copy
Decompositions of matrices
    cholesky, eigh, eigvalsh, qr, svd, svdvals
Diagonals and triangles of matrices
    diag, diag_embed, diagflat, diagonal, trace, tril, triu
Einstein summation
    einsum
Elements put in, taken out and chosen, as NumPy's functions do it
    append, apply_along_axis, apply_over_axes, c_, choose, compress, delete, ediff1d, extract, insert,
    piecewise, ptp, r_, resize, select, trim_zeros
Elementwise arithmetic
    abs, absolute, add, cbrt, divide, floor_divide, fmod, hypot, lerp, mod, multiply, negative, positive, pow,
    power, reciprocal, remainder, rsqrt, sqrt, square, subtract, true_divide
Elementwise choices between values
    clip, copysign, fmax, fmin, heaviside, maximum, minimum, nan_to_num, where
Elementwise comparisons, predicates, logic and bits
    allclose, array_equal, bitwise_and, bitwise_invert, bitwise_left_shift, bitwise_not, bitwise_or,
    bitwise_right_shift, bitwise_xor, equal, greater, greater_equal, invert, isclose, isfinite, isinf, isnan,
    left_shift, less, less_equal, logical_and, logical_not, logical_or, logical_xor, not_equal, right_shift,
    signbit
Elementwise functions under NumPy's names
    bitwise_count, divmod, fabs, fix, float_power, frexp, gcd, isneginf, isposinf, lcm, ldexp, logaddexp2, modf,
    spacing
Exponentials and logarithms
    exp, exp2, expm1, log, log10, log1p, log2, logaddexp
Extremes over axes, where they are, and the truth of elements
    all, amax, amin, any, argmax, argmin, count_nonzero, max, min
Indexing, gathering and scattering
    gather, index_add, index_select, masked_fill, scatter_add, take, take_along_axis
Indices of triangles, diagonals and grids, and new tensors, under NumPy's names
    array, asanyarray, ascontiguousarray, asfortranarray, diag_indices, diag_indices_from, fromfunction,
    geomspace, identity, indices, isscalar, ix_, mask_indices, ndim, ravel_multi_index, shape, size, tri,
    tril_indices, tril_indices_from, triu_indices, triu_indices_from, unravel_index
Joining arrays, cutting them and repeating them
    array_split, cat, chunk, column_stack, concat, concatenate, dstack, hstack, narrow, row_stack, split, stack,
    unbind, unstack, vstack
Layer norm and RMS norm over trailing axes, also of a sum of two arrays
    add_layer_norm, add_rms_norm, layer_norm, rms_norm
Linear algebra
    cross, det, inv, inverse, logdet, lstsq, matrix_power, matrix_rank, multi_dot, pinv, slogdet, solve,
    solve_triangular
Looking rows up in a table, and adding up rows that share an id
    embedding, one_hot, segment_sum
Modified Bessel functions of the first kind
    i0, i0e, i1, i1e
New tensors
    arange, empty, empty_like, eye, from_dlpack, full, full_like, linspace, logspace, ones, ones_like, zeros,
    zeros_like
Norms of vectors and matrices
    matrix_norm, norm, vector_norm
Order statistics and weighted means
    average, median, nanmean, nansum, percentile, quantile
Padding
    pad
Pooling over windows in one to three spatial dimensions
    max_pool, sum_pool
Products of matrices and vectors
    addmm, baddbmm, bmm, dot, inner, kron, matmul, matvec, mm, mv, outer, tensordot, vdot, vecdot, vecmat
Products with logarithms that are 0 where a factor is, log-odds, and the normalised sinc
    entr, logit, sinc, xlog1py, xlogy
Questions about dtypes, as NumPy and the array API ask them
    can_cast, isdtype, issubdtype, promote_types, result_type
Random tensors, drawn from the default generator (`gpugrad.manual_seed`) or a given one
    bernoulli, multinomial, normal, rand, rand_like, randint, randint_like, randn, randn_like, randperm, uniform
Rearranging along axes
    flip, fliplr, flipud, repeat, repeat_interleave, roll, rot90, tile
Reductions that leave NaN out
    nanargmax, nanargmin, nancumprod, nancumsum, nanmax, nanmedian, nanmin, nanpercentile, nanprod, nanquantile,
    nanstd, nanvar
Regions of interest
    nms, roi_align, roi_pool
Rounding and signs
    around, ceil, floor, nextafter, rint, round, sign, trunc
Running sums, products and extremes along an axis, and differences
    cummax, cummin, cumprod, cumsum, cumulative_prod, cumulative_sum, diff, linear_scan, logcumsumexp, trapezoid
Sampled functions
    bartlett, blackman, convolve, correlate, gradient, hamming, hanning, interp, kaiser, polyadd, polyder,
    polyfit, polyint, polymul, polysub, polyval, unwrap, vander
Scaled dot-product attention
    attention
Shape
    atleast_1d, atleast_2d, atleast_3d, broadcast_arrays, broadcast_shapes, broadcast_to, expand, expand_dims,
    flatten, matrix_transpose, meshgrid, moveaxis, movedim, permute, permute_dims, ravel, reshape, squeeze,
    swapaxes, swapdims, t, transpose, unflatten, unsqueeze
Smooth activation functions, as PyTorch defines them
    gelu, logsigmoid, mish, silu, softplus, softsign, tanhshrink
Softmax, its logarithm, and the softmax of masked scores
    log_softmax, masked_softmax, softmax
Sorting, searching and counting
    argsort, argwhere, bincount, digitize, flatnonzero, histogram, isin, nonzero, searchsorted, sort, topk,
    unique, unique_all, unique_counts, unique_inverse, unique_values
Sums, means, products and logsumexp over axes
    logsumexp, mean, prod, sum
The error function and its relatives, and the sigmoid
    erf, erfc, erfinv, sigmoid
The exponential of a matrix
    matrix_exp
The gamma function's logarithm and its derivatives, the zeta function behind them, and the incomplete gamma function
    digamma, gammainc, gammaincc, gammaln, lgamma, mvlgamma, polygamma, psi, zeta
The linear layer, alone and with the activation after it
    linear, linear_gelu, linear_relu
The normal distribution function, its logarithm and its inverse, and the scaled error function behind them
    erfcx, log_ndtr, ndtr, ndtri
Trigonometric and hyperbolic functions and their inverses
    acos, acosh, arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh, asin, asinh, atan, atan2, atanh,
    cos, cosh, deg2rad, degrees, rad2deg, radians, sin, sinh, tan, tanh
Variances and standard deviations over axes
    std, var
Windows that slide along one axis, and the short-time Fourier transform on them
    istft, stft
"""

import importlib as _importlib
import math as _math
import sys as _sys
from types import FunctionType as _FunctionType
from typing import Any as _Any

from . import ops as _ops
from .autograd.autocast import autocast, get_autocast_dtype, is_autocast_enabled
from .autograd.checkpoint import checkpoint
from .autograd.convert import asarray, from_numpy, tensor
from .autograd.explain import told as _told
from .autograd.function import Function
from .autograd.mode import (
    detect_anomaly,
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .autograd.op import op, xp
from .autograd.tensor import Tensor
from .backend.cpu.memory import keep_heap as _keep_heap
from .backend.cpu.threads import get_num_threads, set_num_threads
from .backend.devices import Device, default_device, device, set_default_device
from .backend.dtypes import bfloat16 as _bfloat16
from .backend.dtypes import (
    bool_,
    complex64,
    complex128,
    default_dtype,
    finfo,
    float16,
    float32,
    float64,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    promote,
    set_default_dtype,
    uint8,
    uint16,
    uint32,
    uint64,
)
from .backend.namespace import Namespace as _Namespace
from .backend.namespace import register_type as _register_type
from .backend.precision import get_float32_matmul_precision, set_float32_matmul_precision
from .backend.random import Generator, default_generator, get_rng_state, manual_seed, set_rng_state
from .interop import watch as _watch
from .ops import eigen as _eigen
from .ops import gamma_sample as _gamma_sample
from .ops import lu as _lu
from .ops import methods as _methods
from .ops import numpy_calls as _numpy_calls
from .ops.arrange import *
from .ops.attention import *
from .ops.batch_norm import *
from .ops.complex import *
from .ops.conv import *
from .ops.creation import *
from .ops.ctc import *
from .ops.cumulative import *
from .ops.decompose import *
from .ops.diagonal import *
from .ops.dropout import *
from .ops.einsum import *
from .ops.elementwise import *
from .ops.embedding import *
from .ops.fold import *
from .ops.index import *
from .ops.inplace import *
from .ops.join import *
from .ops.layer_norm import *
from .ops.linalg import *
from .ops.linear import *
from .ops.loss import *
from .ops.matmul import *
from .ops.moving import *
from .ops.norm import *
from .ops.pad import *
from .ops.pool import *
from .ops.random import *
from .ops.recurrent import *
from .ops.reduce import *
from .ops.resample import *
from .ops.roi import *
from .ops.shape import *
from .ops.softmax import *
from .ops.sort import *
from .ops.statistics import *
from .ops.torch_names import *  # last, since it replaces ops of the same names
from .ops.windows import *

__version__ = "0.1.0"
__array_api_version__ = "2024.12"

half, double, long = float16, float64, int64
cfloat, cdouble = complex64, complex128
pi, e, inf, nan, newaxis = _math.pi, _math.e, _math.inf, _math.nan, None

# What is public besides the functions of the op families, by subject.
_SUBJECTS = {
    "Tensors": "Tensor tensor asarray from_numpy",
    "Element types": "bool_ uint8 uint16 uint32 uint64 int8 int16 int32 int64 long float16 half bfloat16 float32 "
    "float64 double complex64 cfloat complex128 cdouble finfo iinfo default_dtype set_default_dtype promote",
    "Devices, threads and precision": "Device device default_device set_default_device get_num_threads set_num_threads "
    "get_float32_matmul_precision set_float32_matmul_precision",
    "Derivatives of functions, and functions over batches": "elementwise_grad grad hessian jacfwd jacobian jacrev jvp "
    "value_and_grad vjp vmap",
    "Gradients and their recording": "checkpoint no_grad enable_grad set_grad_enabled is_grad_enabled "
    "inference_mode is_inference_mode_enabled detect_anomaly",
    "Mixed precision": "autocast is_autocast_enabled get_autocast_dtype",
    "Ops of your own": "op xp Function",
    "The state of random numbers": "Generator default_generator manual_seed get_rng_state set_rng_state",
    "Constants": "pi e inf nan newaxis",
    "Subpackages": "amp autograd cuda data distributed distributions errors export fft io linalg models nn optim "
    "random recipes rl special torch train typing viz",
}
_LAZY = {name: "" for name in _SUBJECTS["Subpackages"].split()}  # name -> the module that holds it; "": it is one
_LAZY |= dict.fromkeys(_SUBJECTS["Derivatives of functions, and functions over batches"].split(), "autograd.transforms")
_LAZY["vmap"] = "autograd.batching"
# Modules of `ops` that are made of other ops and imported when one of their functions is first asked for.
_LATER = {
    "arranging": "argpartition array_equiv block copyto corrcoef cov dsplit fill_diagonal histogram2d hsplit "
    "intersect1d lexsort partition place put put_along_axis putmask rollaxis row_stack setdiff1d "
    "setxor1d union1d vsplit",
    "editing": "append apply_along_axis apply_over_axes c_ choose compress delete ediff1d extract insert "
    "piecewise ptp r_ resize select trim_zeros",
    "grids": "array asanyarray ascontiguousarray asfortranarray diag_indices diag_indices_from fromfunction "
    "geomspace identity indices isscalar ix_ mask_indices ndim ravel_multi_index shape size tri "
    "tril_indices tril_indices_from triu_indices triu_indices_from unravel_index",
    "nan": "nanargmax nanargmin nancumprod nancumsum nanmax nanmedian nanmin nanpercentile nanprod "
    "nanquantile nanstd nanvar",
    "parts": "around bitwise_count degrees divmod fabs fix float_power frexp gcd isneginf isposinf lcm ldexp "
    "logaddexp2 mod modf radians spacing",
    "querying": "can_cast isdtype issubdtype promote_types result_type",
    "sampled": "bartlett blackman convolve correlate gradient hamming hanning interp kaiser polyadd polyder "
    "polyfit polyint polymul polysub polyval unwrap vander",
}
_LAZY |= {name: f"ops.{family}" for family, names in _LATER.items() for name in names.split()}
_FAMILIES = [module for module in vars(_ops).values() if hasattr(module, "__all__")]
_NAMES = " ".join([*_SUBJECTS.values(), *_LATER.values()]).split() + [
    name for family in _FAMILIES for name in family.__all__
]

__all__ = sorted(set(_NAMES))  # pyright: ignore[reportUnsupportedDunderAll]


def _shown(name: str, value: _Any) -> _Any:
    """Return what is public under a name: a function tells its errors by it."""
    if isinstance(value, _FunctionType):  # an op names itself in its errors
        value = _told(value)
        value.__module__, value.__qualname__ = __name__, name  # where pickle finds it
    return value


for _name in ("tensor", "asarray", "from_numpy", *(name for family in _FAMILIES for name in family.__all__)):
    globals()[_name] = _shown(_name, globals()[_name])
_methods.attach(globals())
_register_type(Tensor, _Namespace(_sys.modules[__name__], "tensor"))  # xp(tensor): all that is public, then all ops
_keep_heap()
_watch()


def __getattr__(name: str) -> _Any:
    if name == "bfloat16":  # ml_dtypes is imported when it is needed
        return _bfloat16()
    if name == "bool":  # not among the globals, where it would hide Python's
        return bool_
    if name == "__array_namespace_info__":
        return _importlib.import_module(".ops.querying", __name__).NamespaceInfo
    if name in _LAZY:
        module = _importlib.import_module(f".{_LAZY[name] or name}", __name__)
        value = globals()[name] = _shown(name, getattr(module, name)) if _LAZY[name] else module
        return value
    raise AttributeError(f"module 'gpugrad' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("__"))]
