"""Writes ops as short Triton kernels, as one does who needs one op fast: a program for each row, or BLOCK numbers.

Triton compiles them for a GPU; with TRITON_INTERPRET=1 in the environment it runs them, slowly, anywhere.
"""

import torch
import triton
import triton.language as tl

from .contender import Absent

BLOCK = 1024  # numbers of a program of an elementwise kernel


@triton.jit
def _softmax(out, x, columns, BLOCK: tl.constexpr):
    column = tl.arange(0, BLOCK)
    inside, at = column < columns, tl.program_id(0).to(tl.int64) * columns + column
    row = tl.load(x + at, inside, other=-float("inf")).to(tl.float32)
    e = tl.exp(row - tl.max(row, 0))
    tl.store(out + at, e / tl.sum(e, 0), inside)


@triton.jit
def _layer_norm(out, x, columns, weight, bias, eps, BLOCK: tl.constexpr):
    column = tl.arange(0, BLOCK)
    inside, at = column < columns, tl.program_id(0).to(tl.int64) * columns + column
    row = tl.load(x + at, inside, other=0.0).to(tl.float32)
    centred = tl.where(inside, row - tl.sum(row, 0) / columns, 0.0)
    xhat = centred / tl.sqrt(tl.sum(centred * centred, 0) / columns + eps)
    w = tl.load(weight + column, inside, other=0.0).to(tl.float32)
    b = tl.load(bias + column, inside, other=0.0).to(tl.float32)
    tl.store(out + at, xhat * w + b, inside)


@triton.jit
def _rms_norm(out, x, columns, weight, eps, BLOCK: tl.constexpr):
    column = tl.arange(0, BLOCK)
    inside, at = column < columns, tl.program_id(0).to(tl.int64) * columns + column
    row = tl.load(x + at, inside, other=0.0).to(tl.float32)
    w = tl.load(weight + column, inside, other=0.0).to(tl.float32)
    tl.store(out + at, row / tl.sqrt(tl.sum(row * row, 0) / columns + eps) * w, inside)


@triton.jit
def _gelu(out, x, size, TANH: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    v = tl.load(x + at, inside, other=0.0).to(tl.float32)
    if TANH:  # (1 + tanh u) / 2 = sigmoid(2 u), with u = sqrt(2 / pi) (v + 0.044715 v^3)
        y = v * tl.sigmoid(1.5957691216057308 * (v + 0.044715 * v * v * v))
    else:
        y = 0.5 * v * (1 + tl.erf(v * 0.7071067811865476))
    tl.store(out + at, y, inside)


def _by_rows(kernel, x, columns, *rest):
    """Launches `kernel` on every row of `columns` numbers."""
    out = torch.empty_like(x)
    kernel[(x.numel() // columns,)](out, x, columns, *rest, BLOCK=triton.next_power_of_2(columns))
    return out


def _by_blocks(kernel, x, *rest):
    """Launches `kernel` on BLOCK numbers at a time."""
    out = torch.empty_like(x)
    kernel[(triton.cdiv(x.numel(), BLOCK),)](out, x, x.numel(), *rest, BLOCK=BLOCK)
    return out


def softmax(_, x, axis):
    """Takes the softmax over the last axis."""
    if axis not in (-1, x.ndim - 1):
        raise Absent("the Triton kernel of softmax takes the last axis")
    return _by_rows(_softmax, x, x.shape[-1])


def layer_norm(_, x, weight, bias, ndim, eps):
    """Normalises over the last `ndim` axes."""
    return _by_rows(_layer_norm, x, x.shape[-ndim:].numel(), weight, bias, eps)


def rms_norm(_, x, weight, ndim, eps):
    """Divides by the root of the mean square over the last `ndim` axes."""
    return _by_rows(_rms_norm, x, x.shape[-ndim:].numel(), weight, eps)


def gelu(_, x, approximate):
    """Computes GELU exactly, or in its tanh form."""
    return _by_blocks(_gelu, x, approximate == "tanh")


TRITON = {"softmax": softmax, "layer_norm": layer_norm, "rms_norm": rms_norm, "gelu": gelu}
