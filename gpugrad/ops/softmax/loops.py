"""Compiled loops of softmax, log-softmax and masked softmax, over rows. Those of a row of -inf give NaN, as NumPy's
do."""

from math import log

from ...backend.cpu.loops import Ints, Real, Rows, loop
from ...backend.cpu.loops.language import larger
from ...backend.cpu.loops.mathematics import exp_weight

_INFINITY = float("inf")


@loop
def softmax(out: Rows, x: Rows):
    for i in range(x.shape[0]):
        peak = x[i, 0]
        for j in range(x.shape[1]):
            peak = larger(x[i, j], peak)
        total = 0.0
        for j in range(x.shape[1]):
            e = exp_weight(x[i, j] - peak)
            out[i, j] = e
            total += e
        scale = 1.0 / total
        for j in range(x.shape[1]):
            out[i, j] *= scale


@loop
def softmax_gradient(gx: Rows, g: Rows, out: Rows):
    for i in range(g.shape[0]):
        dot = 0.0
        for j in range(g.shape[1]):
            dot += g[i, j] * out[i, j]
        for j in range(g.shape[1]):
            gx[i, j] = (g[i, j] - dot) * out[i, j]


@loop
def log_softmax(out: Rows, x: Rows):
    for i in range(x.shape[0]):
        peak = x[i, 0]
        for j in range(x.shape[1]):
            peak = larger(x[i, j], peak)
        total = 0.0
        for j in range(x.shape[1]):
            total += exp_weight(x[i, j] - peak)
        rest = log(total)
        for j in range(x.shape[1]):
            out[i, j] = (x[i, j] - peak) - rest


@loop
def log_softmax_gradient(gx: Rows, g: Rows, out: Rows):
    for i in range(g.shape[0]):
        total = 0.0
        for j in range(g.shape[1]):
            total += g[i, j]
        for j in range(g.shape[1]):
            gx[i, j] = g[i, j] - exp_weight(out[i, j]) * total


@loop
def masked_softmax(out: Rows, x: Rows, seen: Ints, which: Ints, mask: Rows, scale: Real):
    """Take softmax(scale x + mask): row i sees its first seen[i] keys, and -inf in its mask, which[i], hides one."""
    for i in range(x.shape[0]):
        m = which[i]
        peak = -_INFINITY
        for j in range(seen[i]):
            peak = larger(mask[m, j] if mask[m, j] == -_INFINITY else scale * x[i, j] + mask[m, j], peak)
        peak = 0.0 if peak == -_INFINITY else peak
        total = 0.0
        for j in range(seen[i]):
            e = 0.0 if mask[m, j] == -_INFINITY else exp_weight(scale * x[i, j] + mask[m, j] - peak)
            out[i, j] = e
            total += e
        factor = 0.0 if total == 0.0 else 1.0 / total
        for j in range(seen[i]):
            out[i, j] *= factor
        for j in range(seen[i], x.shape[1]):
            out[i, j] = 0.0


@loop
def masked_softmax_gradient(gx: Rows, g: Rows, out: Rows, scale: Real):
    for i in range(g.shape[0]):
        dot = 0.0
        for j in range(g.shape[1]):
            dot += g[i, j] * out[i, j]
        for j in range(g.shape[1]):
            gx[i, j] = (g[i, j] - dot) * (out[i, j] * scale)
