"""Convolution in one, two and three dimensions.

There are three bilinear ops. They are each other's gradients, so every derivative of one is made of these three:

    convolution(x, w)                    y[n,k,o] = sum_cf x[n,c, o*stride + f*dilation - pad] w[k,c,f]
    convolution_input_gradient(y, w)     the adjoint in x, which is also the transposed convolution
    convolution_weight_gradient(y, x)    the adjoint in w

Shapes: x (N, C, *S), w (K, C/groups, *F), y (N, K, *O); `padding` holds a (low, high) pair per spatial axis.
`nn.functional` has the functions that take PyTorch's arguments. An output size is floor((S + padding - dilation * (F -
1) - 1) / stride) + 1: positions at the end that a whole step no longer reaches are left out.
"""

import itertools
from collections.abc import Iterator
from typing import Any

from ...autograd.graph import op_for
from ...autograd.op import op, xp

__all__ = ["convolution"]


def _windows(x: Any, kernel: tuple, stride: tuple, padding: tuple, dilation: tuple) -> Any:
    """Return the windows (N, C, *O, *F) of x padded with zeros, as a view."""
    ns = xp(x)
    x = ns.pad(x, ((0, 0), (0, 0), *padding))
    extent = tuple((f - 1) * d + 1 for f, d in zip(kernel, dilation, strict=True))
    view = ns.lib.stride_tricks.sliding_window_view(x, extent, axis=tuple(range(2, x.ndim)))
    steps = [slice(None, None, s) for s in (*stride, *dilation)]
    return view[(slice(None), slice(None), *steps)]


def _split_groups(array: Any, axis: int, groups: int) -> Any:
    """Take the channels on `axis` apart into (groups, channels of a group)."""
    shape = array.shape
    return array.reshape(*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :])


def output_size(size: tuple, kernel: tuple, stride: tuple, padding: tuple, dilation: tuple) -> tuple[int, ...]:
    """Return the spatial sizes of the output. Raises ValueError if the kernel does not fit the padded input."""
    if 0 in kernel:
        raise ValueError(f"a kernel has at least one element along each axis, got {tuple(kernel)}")
    parts = zip(size, kernel, stride, padding, dilation, strict=True)
    out = tuple((n + low + high - d * (f - 1) - 1) // s + 1 for n, f, s, (low, high), d in parts)
    if any(n < 1 for n in out):
        padded = tuple(n + low + high for n, (low, high) in zip(size, padding, strict=True))
        raise ValueError(
            f"the kernel {kernel} with dilation {dilation} does not fit the padded input {padded}: output {out}"
        )
    return out


def check_shapes(x_shape: tuple, w_shape: tuple, groups: int) -> None:
    """Raise ValueError unless x (N, C, *S) and the weight (K, C/groups, *F) fit each other."""
    if len(x_shape) != len(w_shape):
        raise ValueError(f"x {x_shape} and weight {w_shape} must have the same number of axes")
    if x_shape[1] != w_shape[1] * groups or w_shape[0] % groups:
        raise ValueError(
            f"x has {x_shape[1]} channels; weight {w_shape} with groups={groups} takes {w_shape[1] * groups} "
            f"and its {w_shape[0]} outputs must divide by groups"
        )


def _check_adjoint(
    y_shape: tuple, x_shape: tuple, w_shape: tuple, stride: tuple, padding: tuple, dilation: tuple, groups: int
) -> None:
    """Raise ValueError unless y (N, K, *O) fits the convolution of the two others; more of its input may lie behind."""
    check_shapes(x_shape, w_shape, groups)
    size = output_size(x_shape[2:], w_shape[2:], stride, padding, dilation)
    if y_shape[:2] != (x_shape[0], w_shape[0]) or any(not 0 < n <= m for n, m in zip(y_shape[2:], size, strict=True)):
        raise ValueError(f"y {y_shape} does not fit x {tuple(x_shape)} and weight {tuple(w_shape)}")


_CASES = [
    dict(x=(2, 3, 5), w=(4, 3, 2)), dict(x=(2, 4, 7), w=(6, 2, 3), stride=(2,), padding=((1, 2),), groups=2),
    dict(x=(1, 2, 4, 5), w=(3, 2, 2, 3)), dict(x=(2, 2, 5, 4), w=(2, 2, 1, 1)),
    dict(x=(2, 2, 6, 5), w=(4, 2, 3, 2), stride=(2, 3), padding=((1, 0), (0, 2)), dilation=(2, 1)),
    dict(x=(1, 3, 4, 4), w=(6, 1, 3, 3), padding=((1, 1), (1, 1)), groups=3), dict(x=(0, 2, 3, 3), w=(1, 2, 2, 2)),
    dict(x=(1, 2, 3, 4, 3), w=(2, 2, 2, 2, 2), stride=(1, 2, 1), padding=((1, 1), (0, 0), (0, 1))),
    # A y that is smaller than x has windows for, as the input of a transposed convolution with output padding is.
    dict(x=(1, 2, 7), w=(3, 2, 2), dilation=(4,), y=(1,)), dict(x=(2, 2, 5, 6), w=(2, 2, 2, 1), y=(3, 5)),
]  # fmt: skip


def _arguments(case: dict) -> dict:
    dims = len(case["x"]) - 2
    return dict(
        stride=case.get("stride", (1,) * dims), padding=case.get("padding", ((0, 0),) * dims),
        dilation=case.get("dilation", (1,) * dims), groups=case.get("groups", 1),
    )  # fmt: skip


def _output_shape(case: dict) -> tuple:
    a = _arguments(case)
    size = case.get("y") or output_size(case["x"][2:], case["w"][2:], a["stride"], a["padding"], a["dilation"])
    return (case["x"][0], case["w"][0], *size)


def _layers(s: Any) -> Iterator:
    """Yield 3x3 convolutions as in ResNets."""
    same = {"stride": [1, 1], "padding": [[1, 1], [1, 1]], "dilation": [1, 1], "groups": 1}
    for n, c, size in ((32, 64, 32), (1, 64, 56), (8, 128, 28), (64, 256, 14), (64, 64, 56)):
        yield s.case(s(n, c, size, size), s(c, c, 3, 3), s(c), **same)


@op(
    samples=lambda s: [
        s.case(s(*c["x"]), s(*c["w"]), s(c["w"][0]) if i % 2 else None, **_arguments(c)) for i, c in enumerate(_CASES)
    ],
    bench=_layers,
    flops=lambda weight, out: 2 * out.size * weight[0].size,
    exact_gradient=True, autocast="low",
    complex="holomorphic",
)  # fmt: skip
def convolution(x, weight, bias=None, *, stride, padding, dilation, groups):
    """Return the convolution of x (N, C, *S) with weight (K, C/groups, *F), plus bias (K,): (N, K, *O).

    y[n, k, o] = sum over c and f of x[n, c, o * stride + f * dilation - pad] weight[k, c, f], where `padding` has a
    pair (low, high) for each spatial axis. A guide: Dumoulin and Visin, arXiv:1603.07285.

    >>> x, w = gg.tensor([[[1.0, 2.0, 3.0, 4.0]]]), gg.tensor([[[1.0, -1.0]]])
    >>> gg.convolution(x, w, stride=(1,), padding=((0, 0),), dilation=(1,), groups=1)
    tensor([[[-1., -1., -1.]]])
    """
    check_shapes(x.shape, weight.shape, groups)
    output_size(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    d = x.ndim - 2
    windows = _split_groups(_windows(x, weight.shape[2:], stride, padding, dilation), 1, groups)
    spatial, kernel = "opq"[:d], "fgh"[:d]
    out = xp(x).einsum(
        f"nzc{spatial}{kernel},zkc{kernel}->nzk{spatial}", windows, _split_groups(weight, 0, groups), optimize=True
    )
    out = out.reshape(x.shape[0], weight.shape[0], *out.shape[3:])
    return out if bias is None else out + bias.reshape(-1, *(1,) * d)


def _channel_sums(g: Any) -> Any:
    return op_for("sum", g)(g, axis=(0, *range(2, g.ndim)))


convolution.vjp(
    x=lambda g, weight, x_shape, stride, padding, dilation, groups: xp(g).convolution_input_gradient(
        g, weight, shape=x_shape, stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
    weight=lambda g, x, weight_shape, stride, padding, dilation, groups: xp(g).convolution_weight_gradient(
        g, x, shape=weight_shape, stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
    bias=_channel_sums,
)


@op(
    samples=lambda s: [s.case(s(*_output_shape(c)), s(*c["w"]), shape=c["x"], **_arguments(c)) for c in _CASES],
    exact_gradient=True,
    autocast="low",
    complex="holomorphic",
)
def convolution_input_gradient(y, weight, *, shape, stride, padding, dilation, groups):
    """Return the adjoint of `convolution` in its input: y (N, K, *O), weight (K, C/groups, *F) -> `shape` (N, C, *S).

    It gives the gradient of the input, and is also the transposed convolution.

    >>> from gpugrad.ops.conv import convolution_input_gradient
    >>> y, w = gg.tensor([[[1.0, 10.0]]]), gg.tensor([[[2.0, 3.0]]])
    >>> window = dict(stride=(1,), padding=((0, 0),), dilation=(1,), groups=1)
    >>> convolution_input_gradient(y, w, shape=(1, 1, 3), **window)
    tensor([[[ 2., 23., 30.]]])
    """
    _check_adjoint(y.shape, shape, weight.shape, stride, padding, dilation, groups)
    ns, d = xp(y), y.ndim - 2
    padded = [n + low + high for n, (low, high) in zip(shape[2:], padding, strict=True)]
    out = ns.zeros((shape[0], groups, shape[1] // groups, *padded), y.dtype)
    g, w = _split_groups(y, 1, groups), _split_groups(weight, 0, groups)
    for offset in itertools.product(*map(range, weight.shape[2:])):
        at = tuple(
            slice(o * step, o * step + s * (n - 1) + 1, s)
            for o, step, s, n in zip(offset, dilation, stride, y.shape[2:], strict=True)
        )
        spatial = "opq"[:d]
        part = ns.einsum(f"nzk{spatial},zkc->nzc{spatial}", g, w[(..., *offset)], optimize=True)
        out[(slice(None), slice(None), slice(None), *at)] += part
    inside = tuple(slice(low, low + n) for n, (low, _) in zip(shape[2:], padding, strict=True))
    return out[(slice(None), slice(None), slice(None), *inside)].reshape(shape)


def _cropped_convolution(g: Any, weight: Any, y_shape: tuple, **window: Any) -> Any:
    """Return the convolution of g as far as y goes: more windows than y has may fit into x."""
    y = xp(g).convolution(g, weight, None, **window)
    return y if y.shape == y_shape else y[tuple([slice(0, n) for n in y_shape])]


convolution_input_gradient.vjp(
    y=lambda g, weight, y_shape, stride, padding, dilation, groups: _cropped_convolution(
        g, weight, y_shape, stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
    weight=lambda g, y, weight_shape, stride, padding, dilation, groups: xp(g).convolution_weight_gradient(
        y, g, shape=weight_shape, stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
)


@op(
    samples=lambda s: [s.case(s(*_output_shape(c)), s(*c["x"]), shape=c["w"], **_arguments(c)) for c in _CASES],
    exact_gradient=True,
    complex="holomorphic",
)
def convolution_weight_gradient(y, x, *, shape, stride, padding, dilation, groups):
    """Return the adjoint of `convolution` in its weight: y (N, K, *O), x (N, C, *S) -> `shape` (K, C/groups, *F).

    >>> from gpugrad.ops.conv import convolution_weight_gradient
    >>> y, x = gg.tensor([[[1.0, 10.0]]]), gg.tensor([[[1.0, 2.0, 3.0]]])
    >>> window = dict(stride=(1,), padding=((0, 0),), dilation=(1,), groups=1)
    >>> convolution_weight_gradient(y, x, shape=(1, 1, 2), **window)
    tensor([[[21., 32.]]])
    """
    _check_adjoint(y.shape, x.shape, shape, stride, padding, dilation, groups)
    d = x.ndim - 2
    windows = _windows(x, shape[2:], stride, padding, dilation)[(slice(None), slice(None), *map(slice, y.shape[2:]))]
    spatial, kernel = "opq"[:d], "fgh"[:d]
    out = xp(x).einsum(
        f"nzc{spatial}{kernel},nzk{spatial}->zkc{kernel}",
        _split_groups(windows, 1, groups),
        _split_groups(y, 1, groups),
        optimize=True,
    )
    return out.reshape(shape)


convolution_weight_gradient.vjp(
    y=lambda g, x, y_shape, stride, padding, dilation, groups: _cropped_convolution(
        x, g, y_shape, stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
    x=lambda g, y, x_shape, stride, padding, dilation, groups: xp(g).convolution_input_gradient(
        y, g, shape=x_shape, stride=stride, padding=padding, dilation=dilation, groups=groups
    ),
)
