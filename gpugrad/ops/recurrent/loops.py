"""Compiled loops of recurrent layers: what a step does beside its product with the states' weights.

Arrays hold a row for each sequence of a step, the gates of a row one after the other. `product` is that of the states
before with the weights. Formulas are in the docstrings of the ops.
"""

from ...backend.cpu.loops import Row, Rows, loop
from ...backend.cpu.loops.mathematics import sigmoid_weight, tanh


@loop
def rnn_step(h: Rows, product: Rows):
    """Make states of sums, for tanh."""
    for r in range(h.shape[0]):
        for k in range(h.shape[1]):
            h[r, k] = tanh(h[r, k] + product[r, k])


@loop
def lstm_step(gates: Rows, product: Rows, before: Rows, c: Rows, squashed: Rows, h: Rows):
    """Turn the gates' sums into gates, and make c, tanh(c) and h."""
    hidden = c.shape[1]
    for r in range(gates.shape[0]):
        i, f, g, o = (
            gates[r, :hidden],
            gates[r, hidden : 2 * hidden],
            gates[r, 2 * hidden : 3 * hidden],
            gates[r, 3 * hidden :],
        )
        for k in range(2 * hidden):
            gates[r, k] = sigmoid_weight(gates[r, k] + product[r, k])
        for k in range(hidden):
            g[k] = tanh(g[k] + product[r, 2 * hidden + k])
        for k in range(hidden):
            o[k] = sigmoid_weight(o[k] + product[r, 3 * hidden + k])
        for k in range(hidden):
            c[r, k] = f[k] * before[r, k] + i[k] * g[k]
        for k in range(hidden):
            squashed[r, k] = tanh(c[r, k])
        for k in range(hidden):
            h[r, k] = o[k] * squashed[r, k]


@loop
def lstm_gradient(gates: Rows, squashed: Rows, before: Rows, dh: Rows, gc: Rows, dc: Rows, sums: Rows):
    """Make the gradients of the gates' sums, and take dc, that of c behind the step, to that before it."""
    hidden = dc.shape[1]
    for r in range(gates.shape[0]):
        i, f, g, o = (
            gates[r, :hidden],
            gates[r, hidden : 2 * hidden],
            gates[r, 2 * hidden : 3 * hidden],
            gates[r, 3 * hidden :],
        )
        di, df, dg, do = (
            sums[r, :hidden],
            sums[r, hidden : 2 * hidden],
            sums[r, 2 * hidden : 3 * hidden],
            sums[r, 3 * hidden :],
        )
        for k in range(hidden):
            do[k] = dh[r, k] * squashed[r, k] * o[k] * (1.0 - o[k])
        for k in range(hidden):
            dc[r, k] += gc[r, k] + dh[r, k] * o[k] * (1.0 - squashed[r, k] * squashed[r, k])
        for k in range(hidden):
            di[k] = dc[r, k] * g[k] * i[k] * (1.0 - i[k])
        for k in range(hidden):
            df[k] = dc[r, k] * before[r, k] * f[k] * (1.0 - f[k])
        for k in range(hidden):
            dg[k] = dc[r, k] * i[k] * (1.0 - g[k] * g[k])
        for k in range(hidden):
            dc[r, k] *= f[k]


@loop
def gru_step(gates: Rows, product: Rows, bias: Row, before: Rows, inner: Rows, h: Rows):
    """Turn the gates' sums into gates, and make h and `inner`, the states' part of the sums of gate n."""
    hidden = h.shape[1]
    for r in range(gates.shape[0]):
        reset, z, n = gates[r, :hidden], gates[r, hidden : 2 * hidden], gates[r, 2 * hidden :]
        for k in range(2 * hidden):
            gates[r, k] = sigmoid_weight(gates[r, k] + (product[r, k] + bias[k]))
        for k in range(hidden):
            inner[r, k] = product[r, 2 * hidden + k] + bias[2 * hidden + k]
        for k in range(hidden):
            n[k] = tanh(n[k] + reset[k] * inner[r, k])
        for k in range(hidden):
            h[r, k] = n[k] + (before[r, k] - n[k]) * z[k]


@loop
def gru_gradient(gates: Rows, inner: Rows, before: Rows, dh: Rows, sums_x: Rows, sums_h: Rows):
    """Make the gradients of the inputs' and the states' parts of the sums, and multiply dh by z."""
    hidden = dh.shape[1]
    for r in range(gates.shape[0]):
        reset, z, n = gates[r, :hidden], gates[r, hidden : 2 * hidden], gates[r, 2 * hidden :]
        dr, dz, dn = sums_x[r, :hidden], sums_x[r, hidden : 2 * hidden], sums_x[r, 2 * hidden :]
        inner_n = sums_h[r, 2 * hidden :]
        for k in range(hidden):
            dn[k] = (1.0 - z[k]) * dh[r, k] * (1.0 - n[k] * n[k])
        for k in range(hidden):
            dz[k] = (1.0 - z[k]) * z[k] * (before[r, k] - n[k]) * dh[r, k]
        for k in range(hidden):
            dr[k] = (1.0 - reset[k]) * reset[k] * inner[r, k] * dn[k]
        for k in range(2 * hidden):
            sums_h[r, k] = sums_x[r, k]
        for k in range(hidden):
            inner_n[k] = dn[k] * reset[k]
        for k in range(hidden):
            dh[r, k] *= z[k]
