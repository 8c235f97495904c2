"""Recurrent layers, each direction of a layer as one op.

x (S, I) holds the rows of all steps, step after step; `sizes` holds the number of sequences at each step (see
`packed_steps`): (N,) * T for a batch of N sequences of length T. h0, c0 (N, H) are the states at the start. Weights
w_ih (G, I), w_hh (G, H) and biases b_ih, b_hh (G) are PyTorch's, G being the number of gates times H. The outputs have
the states after each step, (S, H). With `reverse` the steps are taken from the last one to the first.

The gates' sums depend on the inputs in one product, which is taken before the loop over time. Backward does not repeat
the loop: all states are known, so the gates follow from one product too, and the loop only computes

    gradient of a step's sums  =  (gradient of its state) * (a factor known beforehand).
"""

from typing import Any

from ...autograd.op import op, xp
from ..matmul import dense
from .cases import measured, products, samples
from .packed_steps import packed_steps

__all__ = []


def check_shapes(gates, x, h0, w_ih, w_hh, b_ih, b_hh, sizes, c0=None, w_hr=None) -> None:
    """Raise ValueError unless the shapes are those of one layer."""
    rows, hidden, count = w_ih.shape[0], w_ih.shape[0] // gates, sizes[0] if sizes else 0
    out = hidden if w_hr is None else w_hr.shape[0]
    wanted = {
        "x": (x, (sum(sizes), w_ih.shape[1])), "h0": (h0, (count, out)), "c0": (c0, (count, hidden)),
        "w_ih": (w_ih, (gates * hidden, w_ih.shape[1])), "w_hh": (w_hh, (rows, out)), "w_hr": (w_hr, (out, hidden)),
        "b_ih": (b_ih, (rows,)), "b_hh": (b_hh, (rows,)),
    }  # fmt: skip
    for name, (array, shape) in wanted.items():
        if array is not None and array.shape != shape:
            raise ValueError(f"{name} {array.shape} must be {shape}")


def _sums(x: Any, w: Any, *biases: Any) -> Any:
    """Compute x w^T + biases."""
    out = dense(x, w.T)
    for bias in biases:
        out = out if bias is None else out + bias
    return out


def _sigmoid(x: Any) -> Any:
    return xp(x).sigmoid(x)


def _gates(array: Any, count: int) -> Any:
    """Cut `array` (n, count * H) into `count` arrays (n, H)."""
    return xp(array).split(array, count, axis=1)


def _joined(parts: list, axis: int = 0) -> Any:
    return parts[0] if len(parts) == 1 else xp(parts[0]).concatenate(parts, axis=axis)


def _weights(pre: Any, x: Any, w: Any) -> tuple:
    """Return the gradients of x, w and a bias in `_sums`, from that of the sums."""
    return dense(pre, w), dense(pre.T, x), pre.sum(axis=0)


# LSTM


def _lstm_sums(x, h_before, w_ih, w_hh, b_ih, b_hh):
    return _sums(x, w_ih, b_ih, b_hh) + dense(h_before, w_hh.T)


@op(samples=samples(4, cells=True, projected=True), bench=measured(4, cells=True), flops=products, autocast="low")
def lstm_layer(x, h0, c0, w_ih, w_hh, b_ih=None, b_hh=None, w_hr=None, *, sizes, reverse=False):
    """Return the states h (S, P) and c (S, H) after each step of a long short-term memory, with gates in the order i,
    f, g, o:

    i, f, o = sigmoid, g = tanh of x w_ih^T + b_ih + h w_hh^T + b_hh;  c' = f c + i g;  h' = o tanh(c') [w_hr^T].
    w_hr (P, H) projects the output, else P = H. Raises ShapeError for a shape that does not fit.
    Sources: Hochreiter and Schmidhuber 1997; Gers et al. 2000; for the projection, Sak et al. 2014.

    >>> from gpugrad.ops.recurrent import lstm_layer
    >>> x, state, w = gg.ones((2, 1)), gg.zeros((1, 1)), gg.ones((4, 1))
    >>> h, c = lstm_layer(x, state, state, w, w, sizes=(1, 1))  # two steps of one sequence
    >>> h.shape, c.shape
    ((2, 1), (2, 1))
    """
    check_shapes(4, x, h0, w_ih, w_hh, b_ih, b_hh, sizes, c0, w_hr)
    steps, ns = packed_steps(sizes, reverse), xp(x)
    sums = steps.split(_sums(x, w_ih, b_ih, b_hh))

    def step(t: int, h: Any, c: Any) -> tuple:
        i, f, g, o = _gates(sums[t] + dense(h, w_hh.T), 4)
        c = _sigmoid(f) * c + _sigmoid(i) * ns.tanh(g)
        h = _sigmoid(o) * ns.tanh(c)
        h = h if w_hr is None else dense(h, w_hr.T)
        return (h, c), (h, c)

    taken, _ = steps.run(step, (h0, c0))
    return tuple(_joined(list(states)) for states in zip(*taken, strict=True))


def lstm_gradients(g, x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, out, sizes, reverse):
    steps, ns = packed_steps(sizes, reverse), xp(x)
    h_before, c_before = steps.before(h0, out[0]), steps.before(c0, out[1])
    i, f, n, o = _gates(_lstm_sums(x, h_before, w_ih, w_hh, b_ih, b_hh), 4)
    i, f, n, o, tanh_c = _sigmoid(i), _sigmoid(f), ns.tanh(n), _sigmoid(o), ns.tanh(out[1])
    of_c = _joined([n * i * (1 - i), c_before * f * (1 - f), i * (1 - n * n)], axis=1)
    factors = of_c, tanh_c * o * (1 - o), o * (1 - tanh_c * tanh_c), f
    known = list(zip(*(steps.split(a) for a in (*g, *factors)), strict=True))

    def step(t: int, dh: Any, dc: Any) -> tuple:
        gh, gc, of_c, of_o, through, f = known[t]
        dh = dh + gh
        dm = dh if w_hr is None else dense(dh, w_hr)
        dc = dc + gc + dm * through
        pre = _joined([_joined([dc, dc, dc], axis=1) * of_c, dm * of_o], axis=1)
        return (pre, dh), (dense(pre, w_hh), dc * f)

    taken, (gh0, gc0) = steps.run(step, (ns.zeros_like(h0), ns.zeros_like(c0)), back=True)
    pre, dh = (_joined(list(parts)) for parts in zip(*taken, strict=True))
    gx, gw_ih, gb = _weights(pre, x, w_ih)
    gw_hr = None if w_hr is None else dense(dh.T, o * tanh_c)
    return gx, gh0, gc0, gw_ih, dense(pre.T, h_before), gb, gb, gw_hr


def _lstm_rule(g, i, x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, out, sizes, reverse):
    return lstm_gradients(g, x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, out, sizes, reverse)[i]


lstm_layer.vjp(**dict.fromkeys(lstm_layer.inputs, _lstm_rule))


# GRU


@op(samples=samples(3), bench=measured(3), flops=products, autocast="low")
def gru_layer(x, h0, w_ih, w_hh, b_ih=None, b_hh=None, *, sizes, reverse=False):
    """Return the states h (S, H) after each step of a gated recurrent unit, with gates in the order r, z, n:

    r, z = sigmoid(x w_ih^T + b_ih + h w_hh^T + b_hh), n = tanh(x w_ih^T + b_ih + r (h w_hh^T + b_hh)), each with its
    rows of the weights;  h' = (1 - z) n + z h.  Raises ShapeError for a shape that does not fit.
    Source: Cho et al. 2014, in the form that PyTorch and cuDNN have.

    >>> from gpugrad.ops.recurrent import gru_layer
    >>> x, state, w = gg.ones((2, 1)), gg.zeros((1, 1)), gg.ones((3, 1))
    >>> gru_layer(x, state, w, w, sizes=(1, 1)).shape  # two steps of one sequence
    (2, 1)
    """
    check_shapes(3, x, h0, w_ih, w_hh, b_ih, b_hh, sizes)
    steps, ns = packed_steps(sizes, reverse), xp(x)
    sums = steps.split(_sums(x, w_ih, b_ih))

    def step(t: int, h: Any) -> tuple:
        (xr, xz, xn), (hr, hz, hn) = _gates(sums[t], 3), _gates(_sums(h, w_hh, b_hh), 3)
        n = ns.tanh(xn + _sigmoid(xr + hr) * hn)
        h = n + _sigmoid(xz + hz) * (h - n)
        return h, (h,)

    return _joined(steps.run(step, (h0,))[0])


def gru_gradients(g, x, h0, w_ih, w_hh, b_ih, b_hh, out, sizes, reverse):
    steps, ns = packed_steps(sizes, reverse), xp(x)
    h_before = steps.before(h0, out)
    (xr, xz, xn), (hr, hz, hn) = _gates(_sums(x, w_ih, b_ih), 3), _gates(_sums(h_before, w_hh, b_hh), 3)
    r, z = _sigmoid(xr + hr), _sigmoid(xz + hz)
    n = ns.tanh(xn + r * hn)
    of_n = (1 - z) * (1 - n * n)
    of_r, of_z = of_n * hn * r * (1 - r), (h_before - n) * z * (1 - z)
    factors = _joined([of_r, of_z, of_n * r], axis=1)
    known = list(zip(*(steps.split(a) for a in (g, factors, z)), strict=True))

    def step(t: int, dh: Any) -> tuple:
        gh, factor, z = known[t]
        dh = dh + gh
        pre = _joined([dh, dh, dh], axis=1) * factor
        return (pre, dh), (dh * z + dense(pre, w_hh),)

    taken, (gh0,) = steps.run(step, (ns.zeros_like(h0),), back=True)
    pre_h, dh = (_joined(list(parts)) for parts in zip(*taken, strict=True))
    gx, gw_ih, gb_ih = _weights(_joined([dh * of_r, dh * of_z, dh * of_n], axis=1), x, w_ih)
    return gx, gh0, gw_ih, dense(pre_h.T, h_before), gb_ih, pre_h.sum(axis=0)


def _gru_rule(g, i, x, h0, w_ih, w_hh, b_ih, b_hh, out, sizes, reverse):
    return gru_gradients(g, x, h0, w_ih, w_hh, b_ih, b_hh, out, sizes, reverse)[i]


gru_layer.vjp(**dict.fromkeys(gru_layer.inputs, _gru_rule))


# Elman's network


@op(
    samples=lambda s: [
        *samples(1)(s),
        *(s.case(*c.args, **c.kwargs, nonlinearity="relu") for c in samples(1)(s)[1:3]),
    ],
    bench=measured(1),
    flops=products,
    autocast="low",
)
def rnn_layer(x, h0, w_ih, w_hh, b_ih=None, b_hh=None, *, sizes, reverse=False, nonlinearity="tanh"):
    """Return the states h (S, H) after each step of a recurrent network: h' = tanh(x w_ih^T + b_ih + h w_hh^T + b_hh).

    `nonlinearity` is "tanh" or "relu". Raises ShapeError for a shape that does not fit. Source: Elman 1990.

    >>> from gpugrad.ops.recurrent import rnn_layer
    >>> x, state, w = gg.tensor([[1.0], [2.0]]), gg.zeros((1, 1)), gg.ones((1, 1))
    >>> rnn_layer(x, state, w, w, sizes=(1, 1), nonlinearity="relu")  # two steps of one sequence
    tensor([[1.],
            [3.]])
    """
    check_shapes(1, x, h0, w_ih, w_hh, b_ih, b_hh, sizes)
    steps, squash = packed_steps(sizes, reverse), getattr(xp(x), nonlinearity)
    sums = steps.split(_sums(x, w_ih, b_ih, b_hh))

    def step(t: int, h: Any) -> tuple:
        h = squash(sums[t] + dense(h, w_hh.T))
        return h, (h,)

    return _joined(steps.run(step, (h0,))[0])


def rnn_gradients(g, x, h0, w_ih, w_hh, out, sizes, reverse, nonlinearity):
    steps, ns = packed_steps(sizes, reverse), xp(x)
    factor = 1 - out * out if nonlinearity == "tanh" else (out > 0).astype(out.dtype)
    known = list(zip(steps.split(g), steps.split(factor), strict=True))

    def step(t: int, dh: Any) -> tuple:
        gh, factor = known[t]
        pre = (dh + gh) * factor
        return pre, (dense(pre, w_hh),)

    taken, (gh0,) = steps.run(step, (ns.zeros_like(h0),), back=True)
    pre = _joined(taken)
    gx, gw_ih, gb = _weights(pre, x, w_ih)
    return gx, gh0, gw_ih, dense(pre.T, steps.before(h0, out)), gb, gb


def _rnn_rule(g, i, x, h0, w_ih, w_hh, out, sizes, reverse, nonlinearity):
    return rnn_gradients(g, x, h0, w_ih, w_hh, out, sizes, reverse, nonlinearity)[i]


rnn_layer.vjp(**dict.fromkeys(rnn_layer.inputs, _rnn_rule))
