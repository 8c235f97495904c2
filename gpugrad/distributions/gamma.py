"""The gamma distribution and those that are made of it. Samples are differentiable with respect to the shape, too."""

import math
from typing import Any

from ..autograd.convert import asarray
from ..autograd.op import OPS
from ..autograd.tensor import Tensor
from ..backend.dtypes import finfo
from ..errors import ShapeError
from ..ops.embedding import one_hot
from . import constraints
from .distribution import Distribution, broadcast_all, drawn, normal_like

__all__ = ["Beta", "Chi2", "Dirichlet", "Gamma", "StudentT"]


def standard_gamma(concentration: Tensor, shape: tuple) -> Tensor:
    """Return gamma variables of rate 1, with the gradient for their shape parameter (see `ops.gamma_sample`)."""
    wide = concentration.expand(shape)
    draws = drawn("standard_gamma", shape, concentration.detach(), wide.detach())
    draws = OPS["maximum"](draws, finfo(draws.dtype).tiny)  # of a small shape they are too small for a number
    return OPS["gamma_sample"](wide, draws)


class Gamma(Distribution):
    """The gamma distribution, with density proportional to x^(concentration - 1) exp(-rate x).

    >>> d = gg.distributions.Gamma(gg.tensor([2.0]), gg.tensor([4.0]))
    >>> d.mean, d.variance
    (tensor([0.5]), tensor([0.125]))
    """

    has_rsample = True
    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None):
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.concentration.shape, (), validate_args)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return standard_gamma(self.concentration, self._extended_shape(sample_shape)) / self.rate

    def log_prob(self, value: Any) -> Tensor:
        value, a, rate = self._checked(value), self.concentration, self.rate
        return OPS["xlogy"](a, rate) + OPS["xlogy"](a - 1, value) - rate * value - OPS["lgamma"](a)

    def cdf(self, value: Any) -> Tensor:
        return OPS["gammainc"](self.concentration.detach(), self.rate * self._checked(value))

    def entropy(self) -> Tensor:
        a = self.concentration
        return a - OPS["log"](self.rate) + OPS["lgamma"](a) + (1 - a) * OPS["digamma"](a)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.rate

    @property
    def mode(self) -> Tensor:
        return OPS["maximum"]((self.concentration - 1) / self.rate, 0)

    @property
    def variance(self) -> Tensor:
        return self.concentration / (self.rate * self.rate)


class Chi2(Gamma):
    """The distribution of the sum of the squares of `df` standard normal variables.

    >>> gg.distributions.Chi2(gg.tensor([3.0])).mean
    tensor([3.])
    """

    arg_constraints = {"df": constraints.positive}

    def __init__(self, df: Any, validate_args: bool | None = None):
        (df,) = broadcast_all(df)
        super().__init__(0.5 * df, 0.5, validate_args)
        self.df = df


class Dirichlet(Distribution):
    """The distribution of probabilities (C,), with density proportional to the product of x_i^(concentration_i - 1).

    >>> gg.distributions.Dirichlet(gg.tensor([1.0, 3.0])).mean
    tensor([0.25, 0.75])
    """

    has_rsample = True
    arg_constraints = {"concentration": constraints.Constraint("positive", lambda x: (x > 0).all(-1), 1)}
    support = constraints.simplex

    def __init__(self, concentration: Any, validate_args: bool | None = None):
        self.concentration = asarray(concentration)
        if not self.concentration.ndim:
            raise ShapeError("Dirichlet: concentration must have at least one axis")
        shape = self.concentration.shape
        super().__init__(shape[:-1], shape[-1:], validate_args)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        parts = standard_gamma(self.concentration, self._extended_shape(sample_shape))
        return parts / parts.sum(-1, keepdims=True)

    def log_prob(self, value: Any) -> Tensor:
        value, a = self._checked(value), self.concentration
        return OPS["xlogy"](a - 1, value).sum(-1) + OPS["lgamma"](a.sum(-1)) - OPS["lgamma"](a).sum(-1)

    def entropy(self) -> Tensor:
        a = self.concentration
        total, k = a.sum(-1), a.shape[-1]
        spread = ((a - 1) * OPS["digamma"](a)).sum(-1)
        return OPS["lgamma"](a).sum(-1) - OPS["lgamma"](total) - (k - total) * OPS["digamma"](total) - spread

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.concentration.sum(-1, keepdims=True)

    @property
    def mode(self) -> Tensor:
        a, count = OPS["maximum"](self.concentration - 1, 0.0), self.event_shape[0]
        corner = one_hot(OPS["argmax"](self.concentration, axis=-1), count).to(dtype=a.dtype)
        total = a.sum(-1, keepdims=True)
        return OPS["where"](total > 0, a / OPS["where"](total > 0, total, 1), corner)

    @property
    def variance(self) -> Tensor:
        total = self.concentration.sum(-1, keepdims=True)
        return self.concentration * (total - self.concentration) / (total * total * (total + 1))


class Beta(Distribution):
    """The distribution with density proportional to x^(concentration1 - 1) (1 - x)^(concentration0 - 1), from 0 to 1.

    >>> gg.distributions.Beta(gg.tensor([1.0]), gg.tensor([3.0])).mean
    tensor([0.25])
    """

    has_rsample = True
    arg_constraints = {"concentration1": constraints.positive, "concentration0": constraints.positive}
    support = constraints.unit_interval

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None):
        self.concentration1, self.concentration0 = broadcast_all(concentration1, concentration0)
        self._dirichlet = Dirichlet(OPS["stack"]([self.concentration1, self.concentration0], axis=-1), False)
        super().__init__(self.concentration1.shape, (), validate_args)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self._dirichlet.rsample(sample_shape)[..., 0]

    def log_prob(self, value: Any) -> Tensor:
        value = self._checked(value)
        a, b = self.concentration1, self.concentration0
        total = OPS["lgamma"](a + b) - OPS["lgamma"](a) - OPS["lgamma"](b)
        return total + OPS["xlogy"](a - 1, value) + OPS["xlog1py"](b - 1, -value)

    def entropy(self) -> Tensor:
        return self._dirichlet.entropy()

    @property
    def mean(self) -> Tensor:
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def mode(self) -> Tensor:
        return (self.concentration1 - 1) / (self.concentration1 + self.concentration0 - 2)

    @property
    def variance(self) -> Tensor:
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total * total * (total + 1))


class StudentT(Distribution):
    """Student's t distribution with `df` degrees of freedom, moved by `loc` and stretched by `scale`.

    >>> gg.distributions.StudentT(3.0).variance
    tensor(3.)
    """

    has_rsample = True
    arg_constraints = {"df": constraints.positive, "loc": constraints.real, "scale": constraints.positive}
    support = constraints.real

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None):
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        self._chi2 = Chi2(self.df, False)
        super().__init__(self.df.shape, (), validate_args)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return self.loc + self.scale * normal_like(shape, self.df) * OPS["rsqrt"](
            self._chi2.rsample(sample_shape) / self.df
        )

    def log_prob(self, value: Any) -> Tensor:
        y, df = (self._checked(value) - self.loc) / self.scale, self.df
        size = OPS["log"](self.scale) + 0.5 * OPS["log"](df) + 0.5 * math.log(math.pi)
        size = size + OPS["lgamma"](0.5 * df) - OPS["lgamma"](0.5 * (df + 1))
        return -0.5 * (df + 1) * OPS["log1p"](y * y / df) - size

    def entropy(self) -> Tensor:
        half, more = 0.5 * self.df, 0.5 * (self.df + 1)
        log_beta = OPS["lgamma"](half) + OPS["lgamma"](asarray(0.5)) - OPS["lgamma"](more)
        spread = more * (OPS["digamma"](more) - OPS["digamma"](half))
        return OPS["log"](self.scale) + spread + 0.5 * OPS["log"](self.df) + log_beta

    @property
    def mean(self) -> Tensor:
        return OPS["where"](self.df <= 1, float("nan"), self.loc)

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        df = self.df
        out = self.scale * self.scale * df / OPS["where"](df > 2, df - 2, 1)
        return OPS["where"](df > 2, out, OPS["where"](df > 1, float("inf"), float("nan")))
