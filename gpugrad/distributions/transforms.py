"""Invertible functions, with the logarithm of how much they stretch: what transforms distributions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..autograd.convert import asarray
from ..autograd.op import OPS
from ..autograd.tensor import Tensor
from . import constraints

__all__ = [
    "AffineTransform", "ComposeTransform", "ExpTransform", "PowerTransform", "SigmoidTransform", "SoftplusTransform",
    "TanhTransform", "Transform",
]  # fmt: skip


class Transform:
    """The base class of invertible functions y = t(x); `t.inv` is the inverse.

    >>> from gpugrad.distributions import transforms
    >>> t = transforms.ExpTransform()
    >>> t(gg.tensor([0.0])), t.inv(gg.tensor([1.0]))
    (tensor([1.]), tensor([0.]))
    """

    bijective = True
    sign = 1
    domain: Any = constraints.real
    codomain: Any = constraints.real

    def __call__(self, x: Any) -> Tensor:
        return self._call(asarray(x))

    @property
    def inv(self) -> Transform:
        """The inverse transform."""
        return _Inverse(self)

    def _call(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no function")

    def _inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no inverse")

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        """Return log |dy/dx|, given x and y = t(x)."""
        raise NotImplementedError(f"{type(self).__name__} has no log_abs_det_jacobian")

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _Inverse(Transform):
    def __init__(self, of: Transform):
        self._of, self.sign = of, of.sign
        self.domain, self.codomain = of.codomain, of.domain

    @property
    def inv(self) -> Transform:
        return self._of

    def _call(self, x: Tensor) -> Tensor:
        return self._of._inverse(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self._of(y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        return -self._of.log_abs_det_jacobian(y, x)


class AffineTransform(Transform):
    """The function loc + scale * x; the last `event_dim` axes are one value.

    >>> from gpugrad.distributions import transforms
    >>> transforms.AffineTransform(1.0, 2.0)(gg.tensor([1.0]))
    tensor([3.])
    """

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0):
        self.loc, self.scale, self.event_dim = loc, scale, event_dim
        self.sign = OPS["sign"](asarray(scale).detach())

    def _call(self, x: Tensor) -> Tensor:
        return self.loc + self.scale * x

    def _inverse(self, y: Tensor) -> Tensor:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        out = OPS["log"](abs(asarray(self.scale))) + asarray(x) * 0
        return out.sum(tuple(range(-self.event_dim, 0))) if self.event_dim else out


class ExpTransform(Transform):
    """The function exp(x).

    >>> from gpugrad.distributions import transforms
    >>> transforms.ExpTransform().log_abs_det_jacobian(gg.tensor([2.0]), None)
    tensor([2.])
    """

    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return OPS["exp"](x)

    def _inverse(self, y: Tensor) -> Tensor:
        return OPS["log"](y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        return asarray(x)


class PowerTransform(Transform):
    """The function x^exponent of positive numbers.

    >>> from gpugrad.distributions import transforms
    >>> transforms.PowerTransform(2.0)(gg.tensor([3.0]))
    tensor([9.])
    """

    domain = codomain = constraints.positive

    def __init__(self, exponent: Any):
        self.exponent = asarray(exponent)
        self.sign = OPS["sign"](self.exponent.detach())

    def _call(self, x: Tensor) -> Tensor:
        return x**self.exponent

    def _inverse(self, y: Tensor) -> Tensor:
        return y ** (1 / self.exponent)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        return OPS["log"](abs(self.exponent * y / x))


class SigmoidTransform(Transform):
    """The function 1 / (1 + exp(-x)).

    >>> from gpugrad.distributions import transforms
    >>> transforms.SigmoidTransform()(gg.tensor([0.0]))
    tensor([0.5])
    """

    codomain = constraints.unit_interval

    def _call(self, x: Tensor) -> Tensor:
        return OPS["sigmoid"](x)

    def _inverse(self, y: Tensor) -> Tensor:
        return OPS["logit"](y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        return -OPS["softplus"](-asarray(x)) - OPS["softplus"](x)


class SoftplusTransform(Transform):
    """The function log(1 + exp(x)).

    >>> from gpugrad.distributions import transforms
    >>> transforms.SoftplusTransform()(gg.tensor([0.0])).round(decimals=4)
    tensor([0.6931])
    """

    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return OPS["softplus"](x)

    def _inverse(self, y: Tensor) -> Tensor:
        return y + OPS["log"](-OPS["expm1"](-y))

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        return -OPS["softplus"](-asarray(x))


class TanhTransform(Transform):
    """The function tanh(x).

    >>> from gpugrad.distributions import transforms
    >>> transforms.TanhTransform().inv(gg.tensor([0.0]))
    tensor([0.])
    """

    codomain = constraints.interval(-1.0, 1.0)

    def _call(self, x: Tensor) -> Tensor:
        return OPS["tanh"](x)

    def _inverse(self, y: Tensor) -> Tensor:
        return OPS["arctanh"](y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        x = asarray(x)
        return 2 * (math.log(2) - x - OPS["softplus"](-2 * x))


class ComposeTransform(Transform):
    """Several transforms, one after the other.

    >>> from gpugrad.distributions import transforms as t
    >>> t.ComposeTransform([t.AffineTransform(0.0, 2.0), t.ExpTransform()])(gg.tensor([0.0]))
    tensor([1.])
    """

    def __init__(self, parts: Sequence[Transform]):
        self.parts = list(parts)
        self.sign = math.prod(part.sign for part in self.parts)
        if self.parts:
            self.domain, self.codomain = self.parts[0].domain, self.parts[-1].codomain

    def _call(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x

    def _inverse(self, y: Tensor) -> Tensor:
        for part in reversed(self.parts):
            y = part._inverse(y)
        return y

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Tensor:
        x = asarray(x)
        total = x * 0
        for part in self.parts:
            y = part(x)
            total, x = total + part.log_abs_det_jacobian(x, y), y
        return total
