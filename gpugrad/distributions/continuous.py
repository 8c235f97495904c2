"""Distributions of numbers whose samples come from uniform numbers by the inverse of their distribution function."""

import math
from typing import Any

from ..autograd.convert import asarray
from ..autograd.op import OPS
from ..autograd.tensor import Tensor
from . import constraints
from .distribution import Distribution, broadcast_all, uniform_like

__all__ = ["Cauchy", "Exponential", "Gumbel", "Laplace", "Uniform"]

_EULER = 0.57721566490153286


class Uniform(Distribution):
    """The distribution of numbers from `low` up to `high`, none more likely than another.

    >>> d = gg.distributions.Uniform(0.0, 4.0)
    >>> d.mean, d.cdf(1.0)
    (tensor(2.), tensor(0.25))
    """

    has_rsample = True
    arg_constraints = {"low": constraints.dependent, "high": constraints.dependent}

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None):
        self.low, self.high = broadcast_all(low, high)
        self.support = constraints.interval(self.low.detach(), self.high.detach())
        super().__init__(self.low.shape, (), validate_args)
        if self._validate_args:
            self._check("high", constraints.greater_than(self.low.detach()), self.high)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.low + uniform_like(self._extended_shape(sample_shape), self.low) * (self.high - self.low)

    def log_prob(self, value: Any) -> Tensor:
        value = self._checked(value)
        inside = ((value >= self.low) & (value < self.high)).to(dtype=self.low.dtype)
        return OPS["log"](inside) - OPS["log"](self.high - self.low)

    def cdf(self, value: Any) -> Tensor:
        return OPS["clip"]((self._checked(value) - self.low) / (self.high - self.low), 0.0, 1.0)

    def icdf(self, value: Any) -> Tensor:
        return asarray(value) * (self.high - self.low) + self.low

    def entropy(self) -> Tensor:
        return OPS["log"](self.high - self.low)

    @property
    def mean(self) -> Tensor:
        return (self.high + self.low) / 2

    @property
    def mode(self) -> Tensor:
        return self.low * float("nan")

    @property
    def variance(self) -> Tensor:
        return (self.high - self.low) ** 2 / 12


class Exponential(Distribution):
    """The distribution of the time to the next of events that come at a constant `rate`.

    >>> gg.distributions.Exponential(gg.tensor([2.0])).mean
    tensor([0.5])
    """

    has_rsample = True
    arg_constraints = {"rate": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, rate: Any, validate_args: bool | None = None):
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, (), validate_args)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return -OPS["log"](uniform_like(self._extended_shape(sample_shape), self.rate)) / self.rate

    def log_prob(self, value: Any) -> Tensor:
        return OPS["log"](self.rate) - self.rate * self._checked(value)

    def cdf(self, value: Any) -> Tensor:
        return -OPS["expm1"](-self.rate * self._checked(value))

    def icdf(self, value: Any) -> Tensor:
        return -OPS["log1p"](-asarray(value)) / self.rate

    def entropy(self) -> Tensor:
        return 1 - OPS["log"](self.rate)

    @property
    def mean(self) -> Tensor:
        return 1 / self.rate

    @property
    def stddev(self) -> Tensor:
        return 1 / self.rate

    @property
    def mode(self) -> Tensor:
        return self.rate * 0

    @property
    def variance(self) -> Tensor:
        return self.rate**-2


class _LocationScale(Distribution):
    """Is a distribution of loc + scale * z, z from a distribution without parameters."""

    has_rsample = True
    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None):
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)

    def _standard(self, value: Any) -> Tensor:
        return (self._checked(value) - self.loc) / self.scale

    @property
    def mode(self) -> Tensor:
        return self.loc


class Laplace(_LocationScale):
    """The distribution with density exp(-|x - loc| / scale) / (2 scale).

    >>> gg.distributions.Laplace(0.0, 1.0).variance
    tensor(2.)
    """

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.icdf(uniform_like(self._extended_shape(sample_shape), self.loc))

    def log_prob(self, value: Any) -> Tensor:
        return -OPS["log"](2 * self.scale) - abs(self._standard(value))

    def cdf(self, value: Any) -> Tensor:
        z = self._standard(value)
        return 0.5 - 0.5 * OPS["sign"](z) * OPS["expm1"](-abs(z))

    def icdf(self, value: Any) -> Tensor:
        term = asarray(value) - 0.5
        return self.loc - self.scale * OPS["sign"](term) * OPS["log1p"](-2 * abs(term))

    def entropy(self) -> Tensor:
        return 1 + OPS["log"](2 * self.scale)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def stddev(self) -> Tensor:
        return self.scale * math.sqrt(2)

    @property
    def variance(self) -> Tensor:
        return 2 * self.scale * self.scale


class Cauchy(_LocationScale):
    """The distribution with density 1 / (pi scale (1 + ((x - loc) / scale)^2)), which has neither mean nor variance.

    >>> gg.distributions.Cauchy(0.0, 1.0).cdf(1.0)
    tensor(0.75)
    """

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.icdf(uniform_like(self._extended_shape(sample_shape), self.loc))

    def log_prob(self, value: Any) -> Tensor:
        z = self._standard(value)
        return -math.log(math.pi) - OPS["log"](self.scale) - OPS["log1p"](z * z)

    def cdf(self, value: Any) -> Tensor:
        return OPS["arctan"](self._standard(value)) / math.pi + 0.5

    def icdf(self, value: Any) -> Tensor:
        return OPS["tan"](math.pi * (asarray(value) - 0.5)) * self.scale + self.loc

    def entropy(self) -> Tensor:
        return math.log(4 * math.pi) + OPS["log"](self.scale)

    @property
    def mean(self) -> Tensor:
        return self.loc * float("nan")

    @property
    def variance(self) -> Tensor:
        return self.loc * float("inf")


class Gumbel(_LocationScale):
    """The distribution of the largest of many numbers: exp(-exp(-(x - loc) / scale)) lies below x.

    >>> gg.distributions.Gumbel(0.0, 1.0).mean.round(decimals=4)
    tensor(0.5772)
    """

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.icdf(uniform_like(self._extended_shape(sample_shape), self.loc))

    def log_prob(self, value: Any) -> Tensor:
        z = -self._standard(value)
        return z - OPS["exp"](z) - OPS["log"](self.scale)

    def cdf(self, value: Any) -> Tensor:
        return OPS["exp"](-OPS["exp"](-self._standard(value)))

    def icdf(self, value: Any) -> Tensor:
        return self.loc - self.scale * OPS["log"](-OPS["log"](value))

    def entropy(self) -> Tensor:
        return OPS["log"](self.scale) + (1 + _EULER)

    @property
    def mean(self) -> Tensor:
        return self.loc + self.scale * _EULER

    @property
    def stddev(self) -> Tensor:
        return self.scale * (math.pi / math.sqrt(6))

    @property
    def variance(self) -> Tensor:
        return self.stddev**2
