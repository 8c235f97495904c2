"""Compiled loops of softmax, log-softmax and masked softmax, over rows. Those of a row of -inf give NaN, as NumPy's do."""

from math import log

from ...backend.cpu.loops import Rows, loop
from ...backend.cpu.loops.language import larger
from ...backend.cpu.loops.mathematics import exp_weight


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
