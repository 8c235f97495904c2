"""A bias and an activation as one op, so that a device passes over memory once."""

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ...autograd.op import Op, op, xp
from ...autograd.paths import rule_names
from .activation import gelu, silu
from .piecewise import relu
from .special import sigmoid
from .trigonometric import tanh

__all__ = ["bias_activation"]

ACTIVATIONS: dict[str, tuple[Op, dict]] = {
    "relu": (relu, {}), "gelu": (gelu, {"approximate": "none"}), "gelu_tanh": (gelu, {"approximate": "tanh"}),
    "silu": (silu, {}), "sigmoid": (sigmoid, {}), "tanh": (tanh, {}),
}  # fmt: skip


def _sum(x: Any, bias: Any, axis: int) -> Any:
    """Return x + bias, the bias lying along `axis`."""
    at = normalize_axis_index(axis, x.ndim)
    if bias.ndim != 1 or bias.shape[0] != x.shape[at]:
        raise ValueError(f"expected a bias ({x.shape[at]},) along axis {axis}")
    return x + bias.reshape([-1 if i == at else 1 for i in range(x.ndim)])


def _cases(s: Any) -> list:
    plain = [s.case(s(3, 4), s(4), activation=name) for name in ACTIVATIONS if name != "relu"]
    shapes = [s.case(s(2, 3, 4), s(3), activation="gelu", axis=1), s.case(s(0, 3), s(3), activation="silu")]
    layouts = [s.case(s(4, 3).T, s(4), activation="silu"), s.case(s(70, 33), s(33), activation="silu", smooth=False)]
    return [*plain, s.case(s.away(3, 4), np.zeros(4), activation="relu"), *shapes, *layouts]


def _hidden(s):
    return (s.case(s(n, 3072), s(3072), activation="gelu") for n in (1024, 64, 8192))


@op(samples=_cases, dtypes="float", bench=_hidden, flops=lambda x: (15 * x.size, 20 * x.size), autocast="first")
def bias_activation(x, bias, *, activation, axis=-1):
    """Return activation(x + bias), where the bias (C,) lies along the axis of x that has C elements.

    activation: "relu", "gelu", "gelu_tanh", "silu", "sigmoid" or "tanh". Raises ShapeError for others, and for a bias
    that does not fit.

    >>> gg.bias_activation([[1.0, 2.0]], [-3.0, 1.0], activation="relu")
    tensor([[0., 3.]])
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"unknown activation {activation!r}; known: {', '.join(ACTIVATIONS)}")
    chosen, options = ACTIVATIONS[activation]
    return chosen.forward(_sum(x, bias, axis), **options)


def _bias_activation_x(g: Any, x: Any, bias: Any, activation: str, axis: int) -> Any:
    chosen, options = ACTIVATIONS[activation]
    rule, given = chosen.rules["x"], {"x": _sum(x, bias, axis), **options}
    names = rule_names(rule)
    if "out" in names:
        given["out"] = getattr(xp(x), chosen.name)(given["x"], **options)
    return rule(g, *[given[name] for name in names])


def _bias_activation_bias(g: Any, x: Any, bias: Any, activation: str, axis: int) -> Any:
    at = normalize_axis_index(axis, len(x.shape))
    gx = _bias_activation_x(g, x, bias, activation, axis)
    return gx.sum(axis=tuple(i for i in range(len(x.shape)) if i != at))


bias_activation.vjp(x=_bias_activation_x, bias=_bias_activation_bias)
