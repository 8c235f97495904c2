"""Layer norm and RMS norm over trailing axes, also of a sum of two arrays.

The gradients of weight and bias are sums over the axes along which those were broadcast; the engine takes these sums.
"""

from typing import Any

from ...autograd.op import op, xp
from ..standardize import mean_over, standardize, standardize_gradient

__all__ = ["add_layer_norm", "add_rms_norm", "layer_norm", "rms_norm"]


def _last(ndim: int) -> tuple:
    return tuple(range(-ndim, 0))


def check_affine(x: Any, ndim: int, **arrays: Any) -> None:
    """Raise ValueError unless the arrays have the shape of the last `ndim` axes of x."""
    if ndim > x.ndim:
        raise ValueError(f"x {x.shape} does not have {ndim} axes to normalise over")
    for name, array in arrays.items():
        if array is not None and array.shape != x.shape[x.ndim - ndim :]:
            raise ValueError(f"{name} {array.shape} must have the normalised shape {x.shape[x.ndim - ndim :]}")


def _layer_cases(s):
    return [
        s.case(s(3, 5), s(5), s(5), ndim=1, eps=1e-5), s.case(s(2, 3, 4), s(3, 4), s(3, 4), ndim=2, eps=1e-3),
        s.case(s(4, 6), None, None, ndim=1, eps=1e-5), s.case(s(3, 5), s(5), None, ndim=1, eps=1e-5),
        s.case(s(0, 5), s(5), s(5), ndim=1, eps=1e-5), s.case(s(3, 1), s(1), s(1), ndim=1, eps=0.1),
        s.case(s(2, 3, 8)[..., ::2], s(4), s(4), ndim=1, eps=1e-5),
    ]  # fmt: skip


def _layer_rows(s):
    return (s.case(s(n, 1024), s(1024), s(1024), ndim=1, eps=1e-5) for n in (4096, 64, 512, 32768))


@op(
    samples=_layer_cases,
    bench=_layer_rows,
    flops=lambda x: (8 * x.size, 12 * x.size),
    autocast={"cpu": "first", "cuda": "float32"},
)
def layer_norm(x, weight=None, bias=None, *, ndim, eps):
    """Return xhat * weight + bias, with xhat = (x - mean) / sqrt(var + eps) over the last `ndim` axes.

    x is (..., *M), weight and bias are (*M) or None. J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization"
    (2016).

    >>> gg.layer_norm(gg.tensor([[1.0, 3.0], [4.0, 8.0]]), ndim=1, eps=0.0)
    tensor([[-1.,  1.],
            [-1.,  1.]])
    """
    check_affine(x, ndim, weight=weight, bias=bias)
    out, _ = standardize(x, _last(ndim), eps)
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


def _layer_norm_x(g, x, weight, ndim, eps):
    return standardize_gradient(g if weight is None else g * weight, *standardize(x, _last(ndim), eps), _last(ndim))


layer_norm.vjp(
    x=_layer_norm_x, weight=lambda g, x, ndim, eps: g * standardize(x, _last(ndim), eps)[0], bias=lambda g: g
)


def _without(bias, cases):
    return lambda s: (s.case(*c.args[:bias], **c.kwargs) for c in cases(s))


@op(
    samples=_without(2, _layer_cases),
    bench=_without(2, _layer_rows),
    flops=lambda x: (5 * x.size, 10 * x.size),
    autocast={"cpu": "first", "cuda": "float32"},
)
def rms_norm(x, weight=None, *, ndim, eps):
    """Return x * weight / sqrt(mean(x^2) + eps) over the last `ndim` axes: x (..., *M), weight (*M).

    B. Zhang and R. Sennrich, "Root mean square layer normalization" (2019).

    >>> gg.rms_norm(gg.tensor([[1.0, 7.0]]), ndim=1, eps=0.0)
    tensor([[0.2, 1.4]])
    """
    check_affine(x, ndim, weight=weight)
    out = x * _rrms(x, ndim, eps)
    return out if weight is None else out * weight


def _rrms(x: Any, ndim: int, eps: float) -> Any:
    """Return 1 / sqrt(mean(x^2) + eps)."""
    return 1 / xp(x).sqrt(mean_over(x * x, _last(ndim)) + eps)


def _rms_norm_x(g, x, weight, ndim, eps):
    rstd, h = _rrms(x, ndim, eps), g if weight is None else g * weight
    return rstd * (h - x * rstd * rstd * mean_over(h * x, _last(ndim)))


rms_norm.vjp(x=_rms_norm_x, weight=lambda g, x, ndim, eps: g * x * _rrms(x, ndim, eps))


def check_sum(x: Any, residual: Any) -> None:
    """Raise ValueError unless the two have one shape."""
    if x.shape != residual.shape:
        raise ValueError(f"residual {residual.shape} must have the shape of x {x.shape}")


def _summed(cases):
    return lambda s: (s.case(c.args[0], s(*c.args[0].shape), *c.args[1:], **c.kwargs) for c in cases(s))


_sum_cases, _sum_rows = _summed(_layer_cases), _summed(_layer_rows)


@op(
    samples=_sum_cases,
    bench=_sum_rows,
    flops=lambda x: (9 * x.size, 13 * x.size),
    autocast={"cpu": "first", "cuda": "float32"},
)
def add_layer_norm(x, residual, weight=None, bias=None, *, ndim, eps):
    """Return the `layer_norm` of x + residual, and that sum: x, residual (..., *M), weight, bias (*M).

    >>> gg.add_layer_norm(gg.tensor([0.0, 1.0]), gg.tensor([1.0, 2.0]), ndim=1, eps=0.0)
    (tensor([-1.,  1.]), tensor([1., 3.]))
    """
    check_sum(x, residual)
    total = x + residual
    return layer_norm.forward(total, weight, bias, ndim=ndim, eps=eps), total


def _add_layer_norm_x(g, out, weight, ndim, eps):
    return _layer_norm_x(g[0], out[1], weight, ndim, eps) + g[1]


add_layer_norm.vjp(
    x=_add_layer_norm_x,
    residual=_add_layer_norm_x,
    weight=lambda g, out, ndim, eps: g[0] * standardize(out[1], _last(ndim), eps)[0],
    bias=lambda g: g[0],
)


@op(
    samples=_without(3, _sum_cases),
    bench=_without(3, _sum_rows),
    flops=lambda x: (6 * x.size, 11 * x.size),
    autocast={"cpu": "first", "cuda": "float32"},
)
def add_rms_norm(x, residual, weight=None, *, ndim, eps):
    """Return the `rms_norm` of x + residual, and that sum: x, residual (..., *M), weight (*M).

    >>> gg.add_rms_norm(gg.tensor([0.0, 4.0]), gg.tensor([1.0, 3.0]), ndim=1, eps=0.0)
    (tensor([0.2, 1.4]), tensor([1., 7.]))
    """
    check_sum(x, residual)
    total = x + residual
    return rms_norm.forward(total, weight, ndim=ndim, eps=eps), total


def _add_rms_norm_x(g, out, weight, ndim, eps):
    return _rms_norm_x(g[0], out[1], weight, ndim, eps) + g[1]


add_rms_norm.vjp(
    x=_add_rms_norm_x,
    residual=_add_rms_norm_x,
    weight=lambda g, out, ndim, eps: g[0] * out[1] * _rrms(out[1], ndim, eps),
)
