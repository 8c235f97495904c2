"""Compiled loops of elementwise ops and their gradients, over flat arrays."""

from ...backend.cpu.loops import Real, Row, loop
from ...backend.cpu.loops.mathematics import erf as erf_of
from ...backend.cpu.loops.mathematics import erfc as erfc_of
from ...backend.cpu.loops.mathematics import exp, exp_weight, expm1_below, normal, sigmoid_weight
from ...backend.cpu.loops.mathematics import sigmoid as sigmoid_of
from ...backend.cpu.loops.mathematics import softplus as softplus_of
from .activation import TANH_CUBE, TANH_SCALE

_DENSITY = 0.3989422804014327  # 1 / sqrt(2 pi)
_TWICE, _TWICE_CUBE = 2 * TANH_SCALE, 2 * TANH_SCALE * TANH_CUBE
_SLOPE_CUBE = 6 * TANH_SCALE * TANH_CUBE


@loop
def erf(out: Row, x: Row):
    for i in range(x.shape[0]):
        out[i] = erf_of(x[i])


@loop
def erfc(out: Row, x: Row):
    for i in range(x.shape[0]):
        out[i] = erfc_of(x[i])


@loop
def sigmoid(out: Row, x: Row):
    for i in range(x.shape[0]):
        out[i] = sigmoid_of(x[i])


@loop
def sigmoid_gradient(gx: Row, g: Row, out: Row):
    for i in range(g.shape[0]):
        gx[i] = g[i] * (out[i] * (1.0 - out[i]))


@loop
def gelu(out: Row, x: Row):
    for i in range(x.shape[0]):
        distribution, _ = normal(x[i])
        out[i] = x[i] * distribution


@loop
def gelu_gradient(gx: Row, x: Row, g: Row):
    for i in range(x.shape[0]):
        distribution, weight = normal(x[i])
        gx[i] = g[i] * (distribution + x[i] * (weight * _DENSITY))


@loop
def gelu_tanh(out: Row, x: Row):
    """(1 + tanh(a)) / 2 is sigmoid(2 a), which keeps its digits where it is small."""
    for i in range(x.shape[0]):
        out[i] = x[i] * sigmoid_weight(x[i] * (_TWICE + _TWICE_CUBE * (x[i] * x[i])))


@loop
def gelu_tanh_gradient(gx: Row, x: Row, g: Row):
    for i in range(x.shape[0]):
        square = x[i] * x[i]
        half = sigmoid_weight(x[i] * (_TWICE + _TWICE_CUBE * square))
        gx[i] = g[i] * (half * (1.0 + (1.0 - half) * (x[i] * (_TWICE + _SLOPE_CUBE * square))))


@loop
def silu(out: Row, x: Row):
    for i in range(x.shape[0]):
        out[i] = x[i] * sigmoid_weight(x[i])


@loop
def silu_gradient(gx: Row, x: Row, g: Row):
    for i in range(x.shape[0]):
        s = sigmoid_weight(x[i])
        gx[i] = g[i] * (s * (1.0 + x[i] * (1.0 - s)))


@loop
def softplus(out: Row, x: Row, beta: Real, threshold: Real):
    for i in range(x.shape[0]):
        steep = x[i] * beta
        out[i] = x[i] if steep > threshold else softplus_of(steep) / beta


@loop
def softplus_gradient(gx: Row, x: Row, g: Row, beta: Real, threshold: Real):
    for i in range(x.shape[0]):
        steep = x[i] * beta
        gx[i] = g[i] if steep > threshold else g[i] * sigmoid_weight(steep)


@loop
def logsigmoid(out: Row, x: Row):
    for i in range(x.shape[0]):
        out[i] = -softplus_of(-x[i])


@loop
def logsigmoid_gradient(gx: Row, x: Row, g: Row):
    for i in range(x.shape[0]):
        gx[i] = g[i] * sigmoid_weight(-x[i])


@loop
def mish(out: Row, x: Row):
    """tanh(log(1 + e)) = (e^2 + 2 e) / (e^2 + 2 e + 2), which is 1 from x = 20 on."""
    for i in range(x.shape[0]):
        e = exp_weight(20.0 if x[i] > 20.0 else x[i])
        n = e * (e + 2.0)
        out[i] = x[i] * (n / (n + 2.0))


@loop
def mish_gradient(gx: Row, x: Row, g: Row):
    for i in range(x.shape[0]):
        e = exp_weight(20.0 if x[i] > 20.0 else x[i])
        n = e * (e + 2.0)
        t = n / (n + 2.0)
        gx[i] = g[i] * (t + x[i] * ((e / (1.0 + e)) * (1.0 - t * t)))


@loop
def elu(out: Row, x: Row, alpha: Real, scale: Real, sharpness: Real):
    for i in range(x.shape[0]):
        below = expm1_below((0.0 if x[i] > 0.0 else x[i]) * sharpness) * (scale * alpha)
        out[i] = scale * (x[i] if x[i] > 0.0 else 0.0) + below


@loop
def elu_gradient(gx: Row, x: Row, g: Row, alpha: Real, scale: Real, sharpness: Real):
    for i in range(x.shape[0]):
        steep = exp((0.0 if x[i] > 0.0 else x[i]) * sharpness) * (scale * alpha * sharpness)
        gx[i] = g[i] * (scale if x[i] > 0.0 else steep)


@loop
def relu(out: Row, x: Row):
    for i in range(x.shape[0]):
        out[i] = 0.0 if x[i] < 0.0 else x[i]


@loop
def relu_gradient(gx: Row, out: Row, g: Row):
    for i in range(g.shape[0]):
        gx[i] = 0.0 if out[i] <= 0.0 else g[i]
