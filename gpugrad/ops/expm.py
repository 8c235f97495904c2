"""The exponential of a matrix; `gpugrad.linalg` calls it matrix_exp."""

from typing import Any

import numpy as np

from ..autograd.op import op, xp
from .in_turn import InTurn

__all__ = []

# Coefficients of the diagonal Pade approximant of order 13 to exp.
_PADE = (
    64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600,
    670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1,
)  # fmt: skip


@op(
    samples=lambda s: [
        s.case(s(3, 3)),
        s.case(s(2, 2, 2)),
        s.case(s(2, 2) * 8),
        s.case(s(3, 3).T),
        s.case(s(0, 0)),
    ],
    dtypes="float",
    make=InTurn,
    complex="holomorphic",
)
def expm(x):
    """Return the matrix exponential sum_k x^k / k! of square matrices.

    It is computed by scaling and squaring with a Pade approximant (N. Higham, 2005). The gradient is a block of the
    exponential of [[x^T, g], [0, x^T]] (R. Mathias, 1996).

    >>> gg.matrix_exp(gg.zeros(2, 2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError("expected square matrices (..., N, N)")
    ns = xp(x)
    if not x.size:
        return x.copy()
    # The norm decides the scaling, one for all matrices; the host needs to know it.
    size = float(ns.abs(x).sum(axis=-2).max())
    squarings = max(0, int(np.ceil(np.log2(size / 5.37)))) if size > 5.37 and np.isfinite(size) else 0
    a = x / x.dtype.type(2.0**squarings)
    identity = ns.broadcast_to(ns.eye(x.shape[-1], dtype=x.dtype), x.shape)
    even, odd, power = _PADE[0] * identity, _PADE[1] * identity, identity
    square = a @ a
    for low, high in zip(_PADE[2::2], _PADE[3::2], strict=True):
        power = power @ square
        even, odd = even + low * power, odd + high * power
    odd = a @ odd
    out = ns.linalg.solve(even - odd, even + odd)
    for _ in range(squarings):
        out = out @ out
    return out


def _expm_rule(g: Any, x: Any) -> Any:
    ns, n, x = xp(g), g.shape[-1], x.swapaxes(-1, -2)
    top = ns.concatenate([x, g], axis=-1)
    bottom = ns.concatenate([g * 0, x], axis=-1)
    return ns.expm(ns.concatenate([top, bottom], axis=-2))[..., :n, n:]


expm.vjp(x=_expm_rule)
