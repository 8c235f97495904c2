"""Compiled loops of optimizers: one pass over a parameter, its gradient and its state.

Each does what `_update` of its class does, by the same operations as the functor of kernels/optim.cu. `fields` holds
what `_functor_fields` returns. The states come in the order of `_state_names`.
"""

from ..backend.cpu.loops import Loop, Row, loop
from ..backend.cpu.loops.language import absolute, maximum, minimum, scalar, sqrt


@scalar
def _gradient(p, g, maximize, decay):
    """Return the gradient that the formula starts from."""
    g = -g if maximize != 0.0 else g
    return g + p * decay if decay != 0.0 else g


@scalar
def _sign(x):
    return 1.0 if x > 0.0 else -1.0 if x < 0.0 else x


@loop
def sgd(param: Row, grad: Row, fields: Row):
    lr, decay, maximize = fields[0], fields[2], fields[5]
    for i in range(param.shape[0]):
        param[i] -= _gradient(param[i], grad[i], maximize, decay) * lr


@loop
def sgd_momentum(param: Row, grad: Row, buffer: Row, fields: Row):
    lr, momentum, decay, weight, nesterov, maximize = fields[0], fields[1], fields[2], fields[3], fields[4], fields[5]
    for i in range(param.shape[0]):
        g = _gradient(param[i], grad[i], maximize, decay)
        mean = buffer[i] * momentum + g * weight
        buffer[i] = mean
        param[i] -= (g + mean * momentum if nesterov != 0.0 else mean) * lr


@loop
def lion(param: Row, grad: Row, mean: Row, fields: Row):
    maximize, decay, keep, lr, weight1, weight2 = fields[0], fields[1], fields[2], fields[3], fields[4], fields[5]
    for i in range(param.shape[0]):
        g = _gradient(param[i], grad[i], maximize, decay)
        m = mean[i]
        param[i] = param[i] * keep - _sign(m + (g - m) * weight1) * lr
        mean[i] = m + (g - m) * weight2


@loop
def adam(param: Row, grad: Row, mean: Row, square: Row, fields: Row):
    maximize, decay, keep, size, eps = fields[0], fields[1], fields[2], fields[3], fields[4]
    weight1, beta2, weight2 = fields[5], fields[6], fields[7]
    for i in range(param.shape[0]):
        g = _gradient(param[i], grad[i], maximize, decay)
        m, v = mean[i] + (g - mean[i]) * weight1, square[i] * beta2 + g * g * weight2
        mean[i], square[i] = m, v
        param[i] = param[i] * keep - m / (sqrt(v) + eps) * size


@loop
def adam_amsgrad(param: Row, grad: Row, mean: Row, square: Row, largest: Row, fields: Row):
    maximize, decay, keep, size, eps = fields[0], fields[1], fields[2], fields[3], fields[4]
    weight1, beta2, weight2 = fields[5], fields[6], fields[7]
    for i in range(param.shape[0]):
        g = _gradient(param[i], grad[i], maximize, decay)
        m, v = mean[i] + (g - mean[i]) * weight1, square[i] * beta2 + g * g * weight2
        mean[i], square[i], largest[i] = m, v, maximum(largest[i], v)
        param[i] = param[i] * keep - m / (sqrt(largest[i]) + eps) * size


@loop
def nadam(param: Row, grad: Row, mean: Row, square: Row, fields: Row):
    maximize, decay, keep, grad_factor, mean_factor = fields[0], fields[1], fields[2], fields[3], fields[4]
    correction, eps, weight1, beta2, weight2 = fields[5], fields[6], fields[7], fields[8], fields[9]
    for i in range(param.shape[0]):
        g = _gradient(param[i], grad[i], maximize, decay)
        m, v = mean[i] + (g - mean[i]) * weight1, square[i] * beta2 + g * g * weight2
        mean[i], square[i] = m, v
        root = sqrt(v / correction) + eps
        param[i] = param[i] * keep - g / root * grad_factor - m / root * mean_factor


@loop
def radam(param: Row, grad: Row, mean: Row, square: Row, fields: Row):
    maximize, decay, keep, size, adaptive, eps = fields[0], fields[1], fields[2], fields[3], fields[4], fields[5]
    weight1, beta2, weight2 = fields[6], fields[7], fields[8]
    for i in range(param.shape[0]):
        g = _gradient(param[i], grad[i], maximize, decay)
        m, v = mean[i] + (g - mean[i]) * weight1, square[i] * beta2 + g * g * weight2
        mean[i], square[i] = m, v
        param[i] = param[i] * keep - (m / (sqrt(v) + eps) if adaptive != 0.0 else m) * size


@loop
def adamax(param: Row, grad: Row, mean: Row, largest: Row, fields: Row):
    maximize, decay, keep, size, eps = fields[0], fields[1], fields[2], fields[3], fields[4]
    weight1, beta2 = fields[5], fields[6]
    for i in range(param.shape[0]):
        g = _gradient(param[i], grad[i], maximize, decay)
        m, norm = mean[i] + (g - mean[i]) * weight1, maximum(largest[i] * beta2, absolute(g) + eps)
        mean[i], largest[i] = m, norm
        param[i] = param[i] * keep - m / norm * size


@loop
def adagrad(param: Row, grad: Row, total: Row, fields: Row):
    maximize, decay, keep, size, eps = fields[0], fields[1], fields[2], fields[3], fields[4]
    for i in range(param.shape[0]):
        g = _gradient(param[i], grad[i], maximize, decay)
        square = total[i] + g * g
        total[i] = square
        param[i] = param[i] * keep - g / (sqrt(square) + eps) * size


@loop
def adadelta(param: Row, grad: Row, square: Row, change: Row, fields: Row):
    maximize, decay, keep, lr = fields[0], fields[1], fields[2], fields[3]
    rho, weight, eps = fields[4], fields[5], fields[6]
    for i in range(param.shape[0]):
        g = _gradient(param[i], grad[i], maximize, decay)
        v = square[i] * rho + g * g * weight
        d = g / sqrt(v + eps) * sqrt(change[i] + eps)
        square[i], change[i] = v, change[i] * rho + d * d * weight
        param[i] = param[i] * keep - d * lr


@loop
def rmsprop(param: Row, grad: Row, square: Row, fields: Row):
    maximize, decay, keep, lr = fields[0], fields[1], fields[2], fields[3]
    alpha, weight, eps = fields[4], fields[5], fields[6]
    for i in range(param.shape[0]):
        g = _gradient(param[i], grad[i], maximize, decay)
        v = square[i] * alpha + g * g * weight
        square[i] = v
        param[i] = param[i] * keep - g / (sqrt(v) + eps) * lr


@loop
def rprop(param: Row, grad: Row, previous: Row, size: Row, fields: Row):
    maximize, decrease, increase, least, most = fields[0], fields[1], fields[2], fields[3], fields[4]
    for i in range(param.shape[0]):
        g = -grad[i] if maximize != 0.0 else grad[i]
        turn = g * previous[i]
        factor = decrease if turn < 0.0 else increase if turn > 0.0 else 1.0
        g = g * 0.0 if turn < 0.0 else g
        step = minimum(maximum(size[i] * factor, least), most)
        size[i], previous[i] = step, g
        param[i] -= _sign(g) * step


@loop
def asgd(param: Row, grad: Row, mean: Row, fields: Row):
    maximize, decay, eta, mu, keep = fields[0], fields[1], fields[3], fields[4], fields[5]
    for i in range(param.shape[0]):
        p = param[i] * keep - _gradient(param[i], grad[i], maximize, decay) * eta
        mean[i] = p if mu == 1.0 else mean[i] + (p - mean[i]) * mu
        param[i] = p


# By the functor's name and the number of state arrays. RMSprop's rarer forms, with a momentum or centered, are NumPy's.
STEPS: dict[tuple[str | None, int], Loop] = {
    ("SGD", 0): sgd, ("SGD", 1): sgd_momentum, ("Lion", 1): lion, ("Adam", 2): adam, ("Adam", 3): adam_amsgrad,
    ("NAdam", 2): nadam, ("RAdam", 2): radam, ("Adamax", 2): adamax, ("Adagrad", 1): adagrad, ("Adadelta", 2): adadelta,
    ("RMSprop", 1): rmsprop, ("Rprop", 2): rprop, ("ASGD", 1): asgd,
}  # fmt: skip
