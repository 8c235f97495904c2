"""Batch norm by the statistics of the batch, and channels scaled and shifted."""

import math
from typing import Any, NamedTuple

import numpy as np

from ...autograd.op import op
from ...autograd.plan import raised
from ..standardize import mean_over, standardize, standardize_gradient

__all__ = ["batch_norm"]


def _channels(x: Any) -> tuple[tuple, tuple]:
    """Return the axes that batch norm averages over, and the shape with which a per-channel array is broadcast."""
    return (0, *range(2, x.ndim)), (1, -1, *(1,) * (x.ndim - 2))


def check_channels(x: Any, **arrays: Any) -> None:
    """Raise ValueError unless the arrays have one value for each channel of x (N, C, *S)."""
    for name, array in arrays.items():
        if array is not None and array.shape != (x.shape[1],):
            raise ValueError(f"{name} {array.shape} must have one value per channel, x {x.shape} has {x.shape[1]}")


class Running(NamedTuple):
    """Holds statistics over batches, which a call moves: arrays (C,) in any float dtype and the number of batches ().

    Each may be None. `momentum` is the weight of the batch.
    """

    mean: Any
    var: Any
    batches: Any
    momentum: float

    def move(self, mean: Any, var: Any, count: int) -> None:
        """Move the statistics in place, given the mean and the biased variance of a batch of `count` values each.

        An empty batch is only counted.
        """
        keep = 1 - self.momentum
        for running, value in ((self.mean, mean), (self.var, var * (count / max(count - 1, 1)))):
            if running is not None and count:
                running[...] = raised(running) * keep + value * self.momentum
        if self.batches is not None:
            self.batches[...] = self.batches + 1


@op(
    samples=lambda s: [
        s.case(s(4, 3), s(3), s(3), eps=1e-5), s.case(s(2, 3, 2, 3), s(3), s(3), eps=1e-3),
        s.case(s(3, 2, 4), None, None, eps=1e-5), s.case(s(2, 3, 2, 2).transpose(0, 3, 1, 2), s(2), s(2), eps=1e-5),
        s.case(s(2, 2, 1, 1, 2), s(2), None, eps=1e-2), s.case(
            s(0, 3, 2), s(3), s(3), eps=1e-5, smooth=False,
            gradient={"x": np.zeros((0, 3, 2)), "weight": 0, "bias": 0},
        ),
    ],
    bench=lambda s: (s.case(s(n, 64, 56, 56), s(64), s(64), eps=1e-5) for n in (32, 1, 8, 128)),
    flops=lambda x: (8 * x.size, 12 * x.size), autocast="first",
)  # fmt: skip
def batch_norm(x, weight=None, bias=None, *, eps, running=None):
    """Normalise each channel by the statistics of this batch: x (N, C, *S), weight and bias (C,).

    Statistics of an empty batch are NaN. `running`: a `Running`, which is moved by a batch that is not empty.

    Returns (out, mean (C,), biased variance (C,)). S. Ioffe and C. Szegedy, "Batch normalization: accelerating deep
    network training by reducing internal covariate shift" (2015).

    >>> gg.batch_norm(gg.tensor([[0.0, 1.0], [2.0, 7.0]]), eps=0.0)
    (tensor([[-1., -1.],
            [ 1.,  1.]]), tensor([1., 4.]), tensor([1., 9.]))
    """
    axes, wide = _channels(x)
    check_channels(x, weight=weight, bias=bias)
    out, _ = standardize(x, axes, eps)
    out = out if weight is None else out * weight.reshape(wide)
    out = out if bias is None else out + bias.reshape(wide)
    mean = mean_over(x, axes)
    centred = x - mean
    mean, var = mean.reshape(-1), mean_over(centred * centred, axes).reshape(-1)
    if running is not None:
        running.move(mean, var, x.size // x.shape[1] if x.size else 0)
    return out, mean, var


def _batch_norm_x(g, x, weight, eps):
    g, g_mean, g_var = g
    axes, wide = _channels(x)
    xhat, rstd = standardize(x, axes, eps)
    gx = standardize_gradient(g if weight is None else g * weight.reshape(wide), xhat, rstd, axes)
    return gx + statistics_gradient(x, g_mean, g_var)


def statistics_gradient(x, g_mean, g_var):
    """Return the gradient that x gets from the mean and the variance, which are outputs too."""
    axes, wide = _channels(x)
    share = x.shape[1] / max(math.prod(x.shape), 1)
    return (g_mean.reshape(wide) + g_var.reshape(wide) * 2 * (x - mean_over(x, axes))) * share


batch_norm.vjp(
    x=_batch_norm_x,
    weight=lambda g, x, eps: (g[0] * standardize(x, _channels(x)[0], eps)[0]).sum(axis=_channels(x)[0]),
    bias=lambda g: g[0].sum(axis=(0, *range(2, g[0].ndim))),
)


@op(
    samples=lambda s: [
        s.case(s(4, 3), s(3), s(3)), s.case(s(2, 3, 2, 3), s(3), None), s.case(s(2, 4, 3), None, s(4)),
        s.case(s(2, 3, 2, 2).transpose(0, 3, 1, 2), s(2), s(2)), s.case(s(0, 3), s(3), s(3)), s.case(s(3, 2, 4)),
    ], autocast="first",
)  # fmt: skip
def channel_affine(x, scale=None, shift=None):
    """Return x * scale + shift, where every channel has its own: x (N, C, *S), scale and shift (C,)."""
    check_channels(x, scale=scale, shift=shift)
    wide = _channels(x)[1]
    out = x * (1 if scale is None else scale.reshape(wide))
    return out if shift is None else out + shift.reshape(wide)


channel_affine.vjp(
    x=lambda g, scale: g if scale is None else g * scale.reshape(_channels(g)[1]),
    scale=lambda g, x: (g * x).sum(axis=_channels(x)[0]),
    shift=lambda g: g.sum(axis=_channels(g)[0]),
)
