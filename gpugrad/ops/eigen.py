"""Eigenvalues and eigenvectors of general square matrices, which are complex numbers.

Source: M. Giles, "An extended collection of matrix derivative results ..." (2008), section 3.1.
"""

from typing import Any

import numpy as np

from ..autograd.op import op, xp
from ..backend.devices import device_of
from ..backend.dtypes import complex_of
from .decompose import adjoint, identity_like
from .in_turn import InTurn

__all__ = []


def _decompose(name: str, x: Any) -> Any:
    """Return NumPy's `eig` or `eigvals`, computed on the host: cuSOLVER has them only since CUDA 12.6."""
    device = device_of(x)
    found = getattr(np.linalg, name)(device.to_host(x))
    return tuple(map(device.asarray, found)) if isinstance(found, tuple) else device.asarray(found)


@op(
    samples=lambda s: [
        s.case(np.diag([1.0, 2.0]), smooth=False, gradient={"x": [[1, 1], [-1, 1]]}),
        s.case(np.diag([1.0, 2.0]) + 0j, smooth=False, gradient={"x": [[1, 1], [-1, 1]]}),
        s.case(np.zeros((0, 0)), smooth=False),
    ],
    dtypes="float",
    autocast={"cpu": "float32"},
    complex=True,
    make=InTurn,
)
def eig(x):
    """Return (w, V), the eigenvalues and the eigenvectors (columns, of length 1) of square matrices: x V = V diag(w).

    Both are complex, also where x is real and so are they, and in no particular order. The eigenvectors are determined
    up to a factor exp(i phi), on which a function of them must not depend for its gradient to make sense.

    >>> w, v = gg.linalg.eig(gg.tensor([[0.0, -1.0], [1.0, 0.0]]))
    >>> w
    tensor([0.+1.j, 0.-1.j])
    """
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError("expected square matrices (..., N, N)")
    w, v = _decompose("eig", x)
    return w.astype(complex_of(x.dtype)), v.astype(complex_of(x.dtype))


def _eig_rule(g: Any, out: Any) -> Any:
    (gw, gv), (w, v) = g, out
    ns, back = xp(gw), adjoint(v)
    one = identity_like(w, w.shape[-1])
    inner = back @ gv
    turned = inner - (back @ v) * ns.diagonal(inner, axis1=-2, axis2=-1).real[..., None, :]  # columns keep the length 1
    apart = (w[..., None, :] - w[..., :, None]).conj()
    inner = turned * (1 - one) / (apart + one) + one * gw[..., None, :]
    return ns.linalg.solve(back, inner @ back)


eig.vjp(x=_eig_rule)


@op(
    samples=lambda s: [
        s.case(np.diag([1.0, 2.0, 4.0]) + 0.2 * s(3, 3)),
        s.case(np.array([[0.0, -2.0], [1.0, 0.5]]) + 0.1 * s(2, 2, 2)),
        s.case((np.diag([1.0, 2.0]) + 0.2 * s(2, 2)).T),
        s.case(s(0, 0)),
    ],
    dtypes="float",
    autocast={"cpu": "float32"},
    complex=True,
    make=InTurn,
)
def eigvals(x):
    """Return the eigenvalues of square matrices (..., N, N) -> (..., N), complex and in no particular order.

    >>> gg.linalg.eigvals(gg.tensor([[0.0, -1.0], [1.0, 0.0]]))
    tensor([0.+1.j, 0.-1.j])
    """
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError("expected square matrices (..., N, N)")
    return _decompose("eigvals", x).astype(complex_of(x.dtype))


def _eigvals_rule(g: Any, x: Any) -> Any:
    back = adjoint(xp(g).eig(x)[1])
    return xp(g).linalg.solve(back, g[..., :, None] * back)


eigvals.vjp(x=_eigvals_rule)
