"""Distributions of counts and of yes and no."""

import math
from typing import Any

from ..autograd.convert import asarray
from ..autograd.op import OPS
from ..autograd.tensor import Tensor
from ..errors import DTypeError
from . import constraints
from .distribution import Distribution, broadcast_all, clamp_probs, constant_like, drawn, log_factorial, uniform_like

__all__ = ["Bernoulli", "Binomial", "Geometric", "NegativeBinomial", "Poisson"]


class _ByProbability(Distribution):
    """Is a distribution of one probability, given as such or by its log-odds."""

    def _set(self, probs: Any, logits: Any, *others: Any) -> tuple[Tensor, ...]:
        if (probs is None) == (logits is None):
            raise DTypeError(f"{type(self).__name__}: give one of probs and logits")
        self._is_logits = logits is not None
        *rest, value = broadcast_all(*others, probs if logits is None else logits)
        vars(self)["probs" if logits is None else "logits"] = value
        self._param = value
        return tuple(rest)

    def __getattr__(self, name: str) -> Any:
        if name == "probs":
            self.probs = OPS["sigmoid"](vars(self)["logits"])
            return self.probs
        if name == "logits":
            self.logits = OPS["logit"](clamp_probs(vars(self)["probs"]))
            return self.logits
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def _own(self) -> list[str]:
        left_out = "probs" if self._is_logits else "logits"
        return [name for name in super()._own() if name != left_out]


class Bernoulli(_ByProbability):
    """The distribution of 1 with probability `probs` (or by its log-odds, `logits`) and 0 otherwise.

    >>> d = gg.distributions.Bernoulli(gg.tensor([0.25]))
    >>> d.mean, d.log_prob(gg.tensor([1.0])).exp()
    (tensor([0.25]), tensor([0.25]))
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.boolean

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        self._set(probs, logits)
        super().__init__(self._param.shape, (), validate_args)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        probs = self.probs.detach()
        return (uniform_like(self._extended_shape(sample_shape), probs) < probs).to(dtype=probs.dtype)

    def log_prob(self, value: Any) -> Tensor:
        value, logits = self._checked(value), self.logits
        return value * logits - OPS["softplus"](logits)

    def entropy(self) -> Tensor:
        return OPS["softplus"](self.logits) - self.probs * self.logits

    def enumerate_support(self, expand: bool = True) -> Tensor:
        return _counts(self, 2, expand)

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        ahead = (self.probs.detach() >= 0.5).to(dtype=self.probs.dtype)
        return OPS["where"](self.probs.detach() == 0.5, math.nan, ahead)

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)


def _counts(distribution: Distribution, count: int, expand: bool) -> Tensor:
    """Return 0, 1, ... along a new first axis, for each distribution of the batch if `expand`."""
    like = distribution._param  # type: ignore[attr-defined]
    values = asarray(like.device.xp.arange(count, dtype=like.dtype), device=like.device)
    values = values.reshape((count, *[1] * len(distribution.batch_shape)))
    return values.expand((count, *distribution.batch_shape)) if expand else values


class Binomial(_ByProbability):
    """The distribution of the number of successes in `total_count` trials of probability `probs` (log-odds `logits`).

    >>> gg.distributions.Binomial(4, gg.tensor([0.5])).mean
    tensor([2.])
    """

    arg_constraints = {
        "total_count": constraints.nonnegative_integer, "probs": constraints.unit_interval, "logits": constraints.real,
    }  # fmt: skip

    def __init__(self, total_count: Any = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        (self.total_count,) = self._set(probs, logits, total_count)
        self.support = constraints.integer_interval(0, self.total_count)
        super().__init__(self._param.shape, (), validate_args)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        trials = self.total_count.to(dtype="int64")
        return drawn("binomial", self._extended_shape(sample_shape), self._param, trials, self.probs)

    def log_prob(self, value: Any) -> Tensor:
        value, n, logits = self._checked(value), self.total_count, self.logits
        ways = log_factorial(n) - log_factorial(value) - log_factorial(n - value)
        return value * logits - n * OPS["softplus"](logits) + ways

    def entropy(self) -> Tensor:
        values = self.enumerate_support(False)
        log_probs = self.log_prob(values)
        return -(OPS["exp"](log_probs) * log_probs).sum(0)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        total = self.total_count.device.to_host(self.total_count._array)
        if total.min() != total.max():
            raise NotImplementedError("Binomial: numbers of trials that differ have no common support")
        return _counts(self, int(total.max()) + 1, expand)

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.probs

    @property
    def mode(self) -> Tensor:
        return OPS["minimum"](OPS["floor"]((self.total_count + 1) * self.probs), self.total_count)

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)


class Geometric(_ByProbability):
    """The distribution of the number of failures before the first success, of probability `probs`.

    >>> gg.distributions.Geometric(gg.tensor([0.25])).mean
    tensor([3.])
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.nonnegative_integer

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        self._set(probs, logits)
        super().__init__(self._param.shape, (), validate_args)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        probs = self.probs.detach()
        u = uniform_like(self._extended_shape(sample_shape), probs)
        return OPS["floor"](OPS["log"](u) / OPS["log1p"](-probs))

    def log_prob(self, value: Any) -> Tensor:
        value = self._checked(value)
        log_success = -OPS["softplus"](-self.logits) if self._is_logits else OPS["log"](self.probs)
        log_failure = -OPS["softplus"](self.logits) if self._is_logits else OPS["log1p"](-self.probs)
        return OPS["where"]((value == 0) & (log_failure == -math.inf), 0, value * log_failure) + log_success

    def entropy(self) -> Tensor:
        return Bernoulli(probs=self.probs, validate_args=False).entropy() / self.probs

    @property
    def mean(self) -> Tensor:
        return 1 / self.probs - 1

    @property
    def mode(self) -> Tensor:
        return constant_like(self._param, 0.0)

    @property
    def variance(self) -> Tensor:
        return (1 / self.probs - 1) / self.probs


class NegativeBinomial(_ByProbability):
    """The distribution of the number of successes, of probability `probs`, before `total_count` failures.

    >>> gg.distributions.NegativeBinomial(2.0, gg.tensor([0.5])).mean
    tensor([2.])
    """

    arg_constraints = {
        "total_count": constraints.nonnegative, "probs": constraints.unit_interval, "logits": constraints.real,
    }  # fmt: skip
    support = constraints.nonnegative_integer

    def __init__(self, total_count: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        (self.total_count,) = self._set(probs, logits, total_count)
        super().__init__(self._param.shape, (), validate_args)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        rate = drawn("standard_gamma", shape, self._param, self.total_count) * OPS["exp"](self.logits.detach())
        return drawn("poisson", shape, self._param, rate)

    def log_prob(self, value: Any) -> Tensor:
        value, n = self._checked(value), self.total_count
        free = -n * OPS["softplus"](self.logits) - value * OPS["softplus"](-self.logits)
        ways = OPS["lgamma"](n + value) - log_factorial(value) - OPS["lgamma"](n)
        return free + OPS["where"](n + value == 0, 0, ways)

    @property
    def mean(self) -> Tensor:
        return self.total_count * OPS["exp"](self.logits)

    @property
    def mode(self) -> Tensor:
        return OPS["maximum"](OPS["floor"]((self.total_count - 1) * OPS["exp"](self.logits)), 0)

    @property
    def variance(self) -> Tensor:
        return self.mean / OPS["sigmoid"](-self.logits)


class Poisson(Distribution):
    """The distribution of the number of events of which there are `rate` on average.

    >>> gg.distributions.Poisson(gg.tensor([2.0])).variance
    tensor([2.])
    """

    arg_constraints = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer

    def __init__(self, rate: Any, validate_args: bool | None = None):
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, (), validate_args)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return drawn("poisson", self._extended_shape(sample_shape), self.rate, self.rate)

    def log_prob(self, value: Any) -> Tensor:
        value = self._checked(value)
        return OPS["xlogy"](value, self.rate) - self.rate - log_factorial(value)

    @property
    def mean(self) -> Tensor:
        return self.rate

    @property
    def mode(self) -> Tensor:
        return OPS["floor"](self.rate)

    variance = mean
