"""Complex numbers: their parts, conjugates, sizes and angles.

The gradient of a real L for z = x + iy is dL/dx + i dL/dy, as in PyTorch.
"""

from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.op import op, xp
from ..autograd.tensor import Tensor
from ..backend.dtypes import complex_of, promote, real_of
from ..errors import DTypeError, ShapeError
from .elementwise.arithmetic import infinite_for_zero

__all__ = [
    "angle", "complex", "conj", "conjugate", "imag", "is_complex", "iscomplex", "iscomplexobj", "isreal", "isrealobj",
    "polar", "real", "sgn", "view_as_complex", "view_as_real",
]  # fmt: skip


def _cases(s: Any) -> list:
    return [s.case(s.complex(3, 4)), s.case(s.complex()), s.case(s.complex(0, 3)), s.case(s.complex(4, 3).T)]


@op(samples=_cases, view=True, exact=True, dtypes="own", complex=True)
def real_part(x):
    """Return the real parts of complex numbers, a view."""
    return x.real


real_part.vjp(x=lambda g: g)  # the engine gives a complex input a complex gradient


@op(samples=_cases, view=True, exact=True, dtypes="own", complex=True)
def imaginary_part(x):
    """Return the imaginary parts of complex numbers, a view."""
    return x.imag


imaginary_part.vjp(x=lambda g: g * 1j)


@op(samples=_cases, exact=True, dtypes="own", complex=True)
def complex_conjugate(x):
    """Return x - iy for each x + iy."""
    return x.conj()


complex_conjugate.vjp(x=lambda g: g.conj())


@op(samples=_cases, dtypes="own", complex=True)
def complex_angle(x):
    """Return the angles of complex numbers, in [-pi, pi]."""
    return xp(x).arctan2(x.imag, x.real)


def _angle_rule(g: Any, x: Any) -> Any:
    size = infinite_for_zero(xp(x).absolute(x))
    return g * (1j * (x / size) / size)


complex_angle.vjp(x=_angle_rule)


@op(
    samples=lambda s: [s.case(s.away(3, 4)), s.case(s.away()), s.case(s.complex(3, 4)), s.case(s.complex(0, 3))],
    complex=True,
)
def sgn(x):
    """Return x / |x|, and 0 for 0: the sign of real numbers, and the direction of complex ones.

    >>> gg.sgn(gg.tensor([3 + 4j, 0j]))
    tensor([0.6+0.8j, 0. +0.j ])
    """
    return xp(x).sign(x) if x.dtype.kind != "c" else x / infinite_for_zero(xp(x).absolute(x))


def _sgn_rule(g: Any, x: Any) -> Any:
    size = infinite_for_zero(xp(x).absolute(x))
    g, unit = g / size, x / size
    return g - unit * (unit.conj() * g).real


sgn.vjp(x=_sgn_rule)


@op(
    samples=lambda s: [
        s.case(s(3, 4), s(3, 4)), s.case(s(3, 1), s(4)), s.case(s(), s(2)), s.case(s(0, 3), s(3)),
    ],
    dtypes="float",
)  # fmt: skip
def complex_of_parts(x, y):
    """Return the complex numbers x + iy."""
    out = xp(x).empty(np.broadcast_shapes(x.shape, y.shape), complex_of(x.dtype))
    out.real[...], out.imag[...] = x, y
    return out


complex_of_parts.vjp(x=lambda g: g.real, y=lambda g: g.imag)


@op(
    samples=_cases,
    view=True, exact=True, dtypes="own", complex=True,
)  # fmt: skip
def real_pairs(x):
    """Return complex numbers (...) as their parts (..., 2), a view where the memory allows it."""
    rows = x if x.ndim else x.reshape(1)
    rows = rows if rows.strides[-1] == x.itemsize else xp(x).ascontiguousarray(rows)
    return rows.view(real_of(x.dtype)).reshape(*x.shape, 2)


real_pairs.vjp(x=lambda g: xp(g).complex_pairs(g))


@op(
    samples=lambda s: [s.case(s(3, 4, 2)), s.case(s(2)), s.case(s(0, 2)), s.case(s(2, 3).T)],
    view=True, dtypes="float", scalar_axis=False,
)  # fmt: skip
def complex_pairs(x):
    """Return the complex numbers (...) with the parts x (..., 2), a view where the memory allows it."""
    if x.ndim < 1 or x.shape[-1] != 2:
        raise ValueError("expected a last axis with real and imaginary part")
    x = x if x.strides[-1] == x.itemsize else xp(x).ascontiguousarray(x)
    return x.view(complex_of(x.dtype))[..., 0]


complex_pairs.vjp(x=lambda g: xp(g).real_pairs(g))


def is_complex(x: Any) -> bool:
    """Return whether the elements of x are complex numbers, by their dtype.

    >>> gg.is_complex(gg.tensor([1j])), gg.is_complex(gg.ones(1))
    (True, False)
    """
    return asarray(x).dtype.kind == "c"


def isrealobj(x: Any) -> bool:
    """Return whether the dtype of x is not a complex one.

    >>> gg.isrealobj(gg.ones(1))
    True
    """
    return not is_complex(x)


def isreal(x: Any) -> Tensor:
    """Return whether each element has no imaginary part (bool).

    >>> gg.isreal(gg.tensor([1 + 0j, 1j]))
    tensor([ True, False])
    """
    return imag(x) == 0


def iscomplex(x: Any) -> Tensor:
    """Return whether each element has an imaginary part (bool).

    >>> gg.iscomplex(gg.tensor([1 + 0j, 1j]))
    tensor([False,  True])
    """
    return imag(x) != 0


def real(x: Any) -> Tensor:
    """Return the real parts, a view; a real x itself.

    >>> gg.real(gg.tensor([1 + 2j, 3j]))
    tensor([1., 0.])
    """
    x = asarray(x)
    return real_part(x) if x.dtype.kind == "c" else x


def imag(x: Any) -> Tensor:
    """Return the imaginary parts, a view; zeros for a real x.

    >>> gg.imag(gg.tensor([1 + 2j, 3j]))
    tensor([2., 3.])
    """
    x = asarray(x)
    return imaginary_part(x) if x.dtype.kind == "c" else xp(x).zeros_like(x)


def conj(x: Any) -> Tensor:
    """Return x - iy for each x + iy; a real x itself.

    >>> gg.conj(gg.tensor([1 + 2j]))
    tensor([1.-2.j])
    """
    x = asarray(x)
    return complex_conjugate(x) if x.dtype.kind == "c" else x


def angle(x: Any, deg: bool = False) -> Tensor:
    """Return the angles of complex numbers in [-pi, pi], in degrees with `deg`; those of negative real numbers are pi.

    The gradient is 0 at 0, and for real numbers.

    >>> gg.angle(gg.tensor([1j, -1])).round(decimals=4), gg.angle(gg.tensor([1j]), deg=True)
    (tensor([1.5708, 3.1416]), tensor([90.]))
    """
    x = asarray(x)
    if x.dtype.kind == "c":
        out = complex_angle(x)
    else:
        x = x if x.dtype.kind in "fV" else x.to(dtype=promote(x.dtype, real_of(complex_of(x.dtype))))
        out = xp(x).where(x < 0, np.pi, xp(x).where(x == x, x * 0, x)).detach()
    return xp(out).rad2deg(out) if deg else out


def complex(real: Any, imag: Any) -> Tensor:
    """Return the complex numbers with these real and imaginary parts, which are broadcast.

    >>> gg.complex(gg.tensor([1.0, 2.0]), gg.tensor([0.0, 3.0]))
    tensor([1.+0.j, 2.+3.j])
    """
    real, imag = asarray(real), asarray(imag)
    if "c" in (real.dtype.kind, imag.dtype.kind):
        raise DTypeError(f"complex: real and imag must be real, got {real.dtype} and {imag.dtype}")
    return complex_of_parts(real, imag)


def polar(abs: Any, angle: Any) -> Tensor:
    """Return the complex numbers with these sizes and angles: abs * (cos(angle) + i sin(angle)).

    >>> gg.polar(gg.tensor([1.0, 2.0]), gg.tensor([0.0, gg.pi])).round(decimals=4)
    tensor([ 1.+0.j, -2.-0.j])
    """
    abs, angle = asarray(abs), asarray(angle)
    return complex(abs * xp(angle).cos(angle), abs * xp(angle).sin(angle))


def view_as_real(x: Any) -> Tensor:
    """Return complex numbers (...) as their parts (..., 2), a view where the memory allows it.

    >>> gg.view_as_real(gg.tensor([1 + 2j]))
    tensor([[1., 2.]])
    """
    x = asarray(x)
    if x.dtype.kind != "c":
        raise DTypeError(f"view_as_real: expected complex numbers, got {x.dtype}")
    return real_pairs(x)


def view_as_complex(x: Any) -> Tensor:
    """Return the complex numbers (...) with the parts x (..., 2), a view where the memory allows it.

    >>> gg.view_as_complex(gg.tensor([[1.0, 2.0]]))
    tensor([1.+2.j])
    """
    x = asarray(x)
    if x.dtype.name not in ("float32", "float64"):
        raise DTypeError(f"view_as_complex: expected float32 or float64, got {x.dtype}")
    if not x.ndim or x.shape[-1] != 2:
        raise ShapeError(f"view_as_complex: expected real and imaginary part along the last axis, got shape {x.shape}")
    return complex_pairs(x)


conjugate, iscomplexobj = conj, is_complex
