"""Recurrent layers on the CPU, whose steps work in buffers that exist already.

Each step multiplies the state into one buffer and turns the gates' sums into gates in place, by a compiled loop (see
loops.py) or by NumPy. For NumPy, a sigmoid is computed as (1 + tanh(x / 2)) / 2: the half is put into the weights, so
one call of tanh does all gates of a step. The formulas are in the docstrings of the ops.
"""

import numpy as np

from ....backend.cpu import gemm, memory
from .. import check_shapes, gru_layer, loops, lstm_layer, rnn_layer
from ..packed_steps import packed_steps
from .time_loop import Optional, Step, deferred_gradients, deferred_linear, run_steps, sum_of_pieces


def _fit(state: np.ndarray, start: np.ndarray, count: int) -> np.ndarray:
    """Extend or cut `state` to `count` sequences; those that only begin now have `start`."""
    if len(state) < count:
        return np.concatenate([state, start[len(state) : count]])
    return state[:count]


def _scaled_transposed(w: np.ndarray, scale: Optional) -> np.ndarray:
    """Return the transpose of `w`, with its columns times `scale`, C-contiguous."""
    return np.ascontiguousarray((w if scale is None else w * scale[:, None]).T)


def _halved(hidden: int, sigmoids: list[bool], dtype: np.dtype) -> np.ndarray:
    """Return the factors of the gates' sums: 1/2 for a sigmoid."""
    return np.repeat(np.where(sigmoids, 0.5, 1.0), hidden).astype(dtype)


def _times(x: np.ndarray, w: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Compute out = x w and return it."""
    gemm.multiply(x, w, out)
    return out


def _sum(a: Optional, b: Optional) -> Optional:
    """Add two biases of which each may be missing."""
    return a if b is None else b if a is None else a + b


# LSTM: gates i, f, g, o


@lstm_layer.path("cpu")
def lstm_cpu(x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, *, sizes, reverse):
    check_shapes(4, x, h0, w_ih, w_hh, b_ih, b_hh, sizes, c0, w_hr)
    steps, hidden, c0 = packed_steps(sizes, reverse), c0.shape[1], np.ascontiguousarray(c0)
    loop = loops.lstm_step.sized(len(x) * len(w_ih), x.dtype)
    scale = None if loop else _halved(hidden, [True, True, False, True], x.dtype)
    shift = None if scale is None else 1 - scale
    gates, fill = deferred_linear(x, w_ih, _sum(b_ih, b_hh), scale)
    w = _scaled_transposed(w_hh, scale)
    c, squashed = (memory.empty((steps.total, hidden), x.dtype) for _ in range(2))
    h = memory.empty((steps.total, h0.shape[1]), x.dtype)

    def start(part: slice) -> Step:
        first, c_first = h0[part], c0[part]
        sums, new = np.empty((len(first), 4 * hidden), x.dtype), np.empty_like(c_first, order="C")
        last, c_last = first[:0], c_first[:0]

        def step(rows: slice) -> None:
            nonlocal last, c_last
            gate, count = gates[rows], rows.stop - rows.start
            last, c_last = _fit(last, first, count), _fit(c_last, c_first, count)
            product, made = _times(last, w, sums[:count]), h[rows] if w_hr is None else new[:count]
            if loop:
                loop(gate, product, c_last, c[rows], squashed[rows], made)
                c_last = c[rows]
            else:
                gate += product
                np.tanh(gate, out=gate)
                gate *= scale
                gate += shift
                i, f, g, o = (gate[:, k * hidden : (k + 1) * hidden] for k in range(4))
                c_last = np.multiply(f, c_last, out=c[rows])
                c_last += np.multiply(i, g, out=new[:count])
                np.tanh(c_last, out=squashed[rows])
                np.multiply(o, squashed[rows], out=made)
            last = made if w_hr is None else _times(made, w_hr.T, h[rows])

        return step

    run_steps(start, steps, w_hh, ahead=fill)
    return (h, c), {"gates": gates, "squashed": squashed}


@lstm_cpu.backward
def lstm_cpu_backward(g, x, h0, c0, w_ih, w_hh, w_hr, out, gates, squashed, sizes, reverse, needs):
    steps, (gh, gc), (h, c), hidden, dtype = packed_steps(sizes, reverse), g, out, c0.shape[1], gates.dtype
    loop = loops.lstm_gradient.sized(gates.size, dtype)
    shift = 1 - 2 * _halved(hidden, [True, True, False, True], dtype)  # 0 for sigmoids, -1 for tanh
    pre, c_before = memory.empty(gates.shape, dtype), np.ascontiguousarray(steps.before(c0, c))
    gc = np.ascontiguousarray(gc)
    gh0, gc0 = np.zeros(h0.shape, dtype), np.zeros(c0.shape, dtype)
    total = None if w_hr is None else memory.empty(gh.shape, dtype)
    gx, of_inputs = deferred_gradients(pre, x, w_ih, (needs[0], needs[3], needs[5] or needs[6]))
    _, of_states = deferred_gradients(pre, steps.before(h0, h), w_hh, (False, needs[4], False))

    def start(part: slice) -> Step:
        dh_all, dc_all = gh0[part], gc0[part]
        wide, narrow = np.empty((len(dh_all), 4 * hidden), dtype), np.empty_like(dc_all)

        def step(rows: slice) -> None:
            count = rows.stop - rows.start
            gate, d, tanh_c = gates[rows], pre[rows], squashed[rows]
            dh, dc, one, all4 = dh_all[:count], dc_all[:count], narrow[:count], wide[:count]
            dh += gh[rows]
            dm = dh
            if total is not None:
                total[rows] = dh
                dm = dh @ w_hr
            if loop:
                loop(gate, tanh_c, c_before[rows], dm, gc[rows], dc, d)
            else:
                i, f, g, o = (gate[:, k * hidden : (k + 1) * hidden] for k in range(4))
                di, df, dg, do = (d[:, k * hidden : (k + 1) * hidden] for k in range(4))
                np.multiply(dm, tanh_c, out=do)
                np.subtract(1, np.multiply(tanh_c, tanh_c, out=one), out=one)
                one *= o
                one *= dm
                dc += one
                dc += gc[rows]
                np.multiply(dc, g, out=di)
                np.multiply(dc, c_before[rows], out=df)
                np.multiply(dc, i, out=dg)
                d *= np.subtract(gate, shift, out=all4)
                d *= np.subtract(1, gate, out=all4)
                dc *= f
            _times(d, w_hh, dh)

        return step

    pieces = run_steps(start, steps, w_hh, after=lambda rows: (*of_inputs(rows), of_states(rows)[0]), back=True)
    gw_ih, gb, gw_hh = sum_of_pieces(pieces)
    gw_hr = None if total is None else gemm.product(total.T, gates[:, 3 * hidden :] * squashed)
    return gx, gh0, gc0, gw_ih, gw_hh, gb, gb, gw_hr


# GRU: gates r, z, n


@gru_layer.path("cpu")
def gru_cpu(x, h0, w_ih, w_hh, b_ih, b_hh, *, sizes, reverse):
    check_shapes(3, x, h0, w_ih, w_hh, b_ih, b_hh, sizes)
    steps, hidden, h0 = packed_steps(sizes, reverse), h0.shape[1], np.ascontiguousarray(h0)
    loop = loops.gru_step.sized(len(x) * len(w_ih), x.dtype)
    scale = None if loop else _halved(hidden, [True, True, False], x.dtype)
    gates, fill = deferred_linear(x, w_ih, b_ih, scale)
    w = _scaled_transposed(w_hh, scale)
    if loop:
        bias = np.zeros(len(w_hh), x.dtype) if b_hh is None else np.ascontiguousarray(b_hh)
    else:
        bias = None if b_hh is None else b_hh * scale
    h, inner = (memory.empty((steps.total, hidden), x.dtype) for _ in range(2))

    def start(part: slice) -> Step:
        first = h0[part]
        sums, new = np.empty((len(first), 3 * hidden), x.dtype), np.empty_like(first, order="C")
        last = first[:0]

        def step(rows: slice) -> None:
            nonlocal last
            count = rows.stop - rows.start
            last = _fit(last, first, count)
            product = _times(last, w, sums[:count])
            if loop:
                loop(gates[rows], product, bias, last, inner[rows], h[rows])
                last = h[rows]
                return
            both, n = gates[rows, : 2 * hidden], gates[rows, 2 * hidden :]
            if bias is not None:
                product += bias
            both += product[:, : 2 * hidden]
            np.tanh(both, out=both)
            both *= 0.5
            both += 0.5
            inner[rows] = product[:, 2 * hidden :]
            n += np.multiply(both[:, :hidden], inner[rows], out=new[:count])
            np.tanh(n, out=n)
            mixed = np.subtract(last, n, out=new[:count])
            mixed *= both[:, hidden:]
            last = np.add(n, mixed, out=h[rows])

        return step

    run_steps(start, steps, w_hh, ahead=fill)
    return h, {"gates": gates, "inner": inner}


@gru_cpu.backward
def gru_cpu_backward(g, x, h0, w_ih, w_hh, out, gates, inner, sizes, reverse, needs):
    steps, hidden, dtype = packed_steps(sizes, reverse), h0.shape[1], gates.dtype
    pre_x, pre_h = memory.empty(gates.shape, dtype), memory.empty(gates.shape, dtype)
    h_before, gh0 = np.ascontiguousarray(steps.before(h0, out)), np.zeros(h0.shape, dtype)
    loop = loops.gru_gradient.sized(gates.size, dtype)
    gx, of_inputs = deferred_gradients(pre_x, x, w_ih, (needs[0], needs[2], needs[4]))
    _, of_states = deferred_gradients(pre_h, h_before, w_hh, (False, needs[3], needs[5]))

    def start(part: slice) -> Step:
        dh_all = gh0[part]
        buffer, product = np.empty_like(dh_all), np.empty_like(dh_all)

        def step(rows: slice) -> None:
            count = rows.stop - rows.start
            dh, one = dh_all[:count], buffer[:count]
            dh += g[rows]
            if loop:
                loop(gates[rows], inner[rows], h_before[rows], dh, pre_x[rows], pre_h[rows])
                dh += _times(pre_h[rows], w_hh, product[:count])
                return
            r, z, n = (gates[rows, k * hidden : (k + 1) * hidden] for k in range(3))
            dr, dz, dn = (pre_x[rows, k * hidden : (k + 1) * hidden] for k in range(3))
            np.subtract(1, z, out=one)
            np.multiply(one, dh, out=dn)
            np.multiply(one, z, out=dz)
            dz *= np.subtract(h_before[rows], n, out=one)
            dz *= dh
            np.multiply(n, n, out=one)
            dn *= np.subtract(1, one, out=one)
            np.subtract(1, r, out=dr)
            dr *= r
            dr *= inner[rows]
            dr *= dn
            pre_h[rows] = pre_x[rows]
            pre_h[rows, 2 * hidden :] *= r
            dh *= z
            dh += _times(pre_h[rows], w_hh, product[:count])

        return step

    pieces = run_steps(start, steps, w_hh, after=lambda rows: (*of_inputs(rows), *of_states(rows)), back=True)
    gw_ih, gb_ih, gw_hh, gb_hh = sum_of_pieces(pieces)
    return gx, gh0, gw_ih, gw_hh, gb_ih, gb_hh


# Elman's network


@rnn_layer.path("cpu")
def rnn_cpu(x, h0, w_ih, w_hh, b_ih, b_hh, *, sizes, reverse, nonlinearity):
    check_shapes(1, x, h0, w_ih, w_hh, b_ih, b_hh, sizes)
    (h, fill), w = deferred_linear(x, w_ih, _sum(b_ih, b_hh)), np.ascontiguousarray(w_hh.T)
    loop = loops.rnn_step.chosen(h) if nonlinearity == "tanh" else None

    def start(part: slice) -> Step:
        first = h0[part]
        sums, last = np.empty_like(first, order="C"), first[:0]

        def step(rows: slice) -> None:
            nonlocal last
            count = rows.stop - rows.start
            state = h[rows]
            product = _times(_fit(last, first, count), w, sums[:count])
            if loop:
                loop(state, product)
                last = state
                return
            state += product
            last = np.tanh(state, out=state) if nonlinearity == "tanh" else np.maximum(state, 0, out=state)

        return step

    run_steps(start, packed_steps(sizes, reverse), w_hh, ahead=fill)
    return h, {}


@rnn_cpu.backward
def rnn_cpu_backward(g, x, h0, w_ih, w_hh, out, sizes, reverse, nonlinearity, needs):
    steps = packed_steps(sizes, reverse)
    pre = 1 - out * out if nonlinearity == "tanh" else (out > 0).astype(out.dtype)
    gh0 = np.zeros(h0.shape, out.dtype)
    gx, of_inputs = deferred_gradients(pre, x, w_ih, (needs[0], needs[2], needs[4] or needs[5]))
    _, of_states = deferred_gradients(pre, steps.before(h0, out), w_hh, (False, needs[3], False))

    def start(part: slice) -> Step:
        def step(rows: slice) -> None:
            dh = gh0[part][: rows.stop - rows.start]
            dh += g[rows]
            pre[rows] *= dh
            _times(pre[rows], w_hh, dh)

        return step

    pieces = run_steps(start, steps, w_hh, after=lambda rows: (*of_inputs(rows), of_states(rows)[0]), back=True)
    gw_ih, gb, gw_hh = sum_of_pieces(pieces)
    return gx, gh0, gw_ih, gw_hh, gb, gb
