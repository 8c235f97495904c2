"""Distributions made of others: transformed, and with axes of the batch taken for axes of the values."""

from collections.abc import Sequence
from typing import Any

from ..autograd.convert import asarray
from ..autograd.op import OPS
from ..autograd.tensor import Tensor
from ..errors import ShapeError
from . import constraints
from .distribution import Distribution
from .normal import Normal
from .transforms import ExpTransform, Transform

__all__ = ["Independent", "LogNormal", "TransformedDistribution"]


def sum_rightmost(x: Tensor, count: int) -> Tensor:
    """Return the sums over the last `count` axes."""
    return x.sum(tuple(range(-count, 0))) if count else x


class TransformedDistribution(Distribution):
    """The distribution of t(X): X from `base_distribution`, t one transform or several in turn.

    >>> base, t = gg.distributions.Normal(0.0, 1.0), gg.distributions.transforms.ExpTransform()
    >>> gg.distributions.TransformedDistribution(base, t).log_prob(1.0).round(decimals=4)
    tensor(-0.9189)
    """

    def __init__(
        self,
        base_distribution: Distribution,
        transforms: Transform | Sequence[Transform],
        validate_args: bool | None = None,
    ):
        self.base_dist = base_distribution
        self.transforms = [transforms] if isinstance(transforms, Transform) else list(transforms)
        if self.transforms:
            self.support = self.transforms[-1].codomain
        super().__init__(base_distribution.batch_shape, base_distribution.event_shape, validate_args)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        return self.base_dist.has_rsample

    def expand(self, batch_shape: Sequence[int]) -> Any:
        return TransformedDistribution(self.base_dist.expand(batch_shape), self.transforms, validate_args=False)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return self._after(self.base_dist.sample(sample_shape)).detach()

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self._after(self.base_dist.rsample(sample_shape))

    def _after(self, x: Tensor) -> Tensor:
        for transform in self.transforms:
            x = transform(x)
        return x

    def log_prob(self, value: Any) -> Tensor:
        y, total, events = self._checked(value), 0.0, len(self.event_shape)
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            stretch = transform.log_abs_det_jacobian(x, y)
            y, total = x, total - sum_rightmost(stretch, events - getattr(transform, "event_dim", 0))
        return self.base_dist.log_prob(y) + total

    def _turned(self, probability: Any) -> Tensor:
        """Return a probability of the base for one of this, and the other way: falling transforms turn them around."""
        sign = 1
        for transform in self.transforms:
            sign = sign * transform.sign
        return sign * (asarray(probability) - 0.5) + 0.5

    def cdf(self, value: Any) -> Tensor:
        value = self._checked(value)
        for transform in reversed(self.transforms):
            value = transform.inv(value)
        return self._turned(self.base_dist.cdf(value))

    def icdf(self, value: Any) -> Tensor:
        return self._after(self.base_dist.icdf(self._turned(value)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_dist!r}, {self.transforms})"


class LogNormal(TransformedDistribution):
    """The distribution of exp(X), where X is normal with mean `loc` and standard deviation `scale`.

    >>> gg.distributions.LogNormal(0.0, 1.0).mode.round(decimals=4)
    tensor(0.3679)
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.positive

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None):
        super().__init__(Normal(loc, scale, validate_args), ExpTransform(), validate_args)

    def expand(self, batch_shape: Sequence[int]) -> Any:
        base: Any = self.base_dist.expand(batch_shape)
        return LogNormal(base.loc, base.scale, validate_args=False)

    @property
    def loc(self) -> Tensor:
        """The mean of the logarithm."""
        return self.base_dist.loc  # type: ignore[attr-defined]

    @property
    def scale(self) -> Tensor:
        """The standard deviation of the logarithm."""
        return self.base_dist.scale  # type: ignore[attr-defined]

    def entropy(self) -> Tensor:
        return self.base_dist.entropy() + self.loc

    @property
    def mean(self) -> Tensor:
        return OPS["exp"](self.loc + 0.5 * self.scale**2)

    @property
    def mode(self) -> Tensor:
        return OPS["exp"](self.loc - self.scale**2)

    @property
    def variance(self) -> Tensor:
        square = self.scale**2
        return OPS["expm1"](square) * OPS["exp"](2 * self.loc + square)


class Independent(Distribution):
    """A distribution whose last `reinterpreted_batch_ndims` axes of the batch are axes of the values.

    >>> normal = gg.distributions.Normal(gg.zeros(3), gg.ones(3))
    >>> gg.distributions.Independent(normal, 1).log_prob(gg.zeros(3)).round(decimals=4)
    tensor(-2.7568)
    """

    def __init__(
        self, base_distribution: Distribution, reinterpreted_batch_ndims: int, validate_args: bool | None = None
    ):
        count, batch = reinterpreted_batch_ndims, base_distribution.batch_shape
        if not 0 <= count <= len(batch):
            raise ShapeError(f"Independent: {count} axes of the batch {batch} cannot become axes of the values")
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, count
        self.support = base_distribution.support
        at = len(batch) - count
        super().__init__(batch[:at], batch[at:] + base_distribution.event_shape, False)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        return self.base_dist.has_rsample

    def expand(self, batch_shape: Sequence[int]) -> Any:
        moved = self.event_shape[: self.reinterpreted_batch_ndims]
        return Independent(self.base_dist.expand((*batch_shape, *moved)), self.reinterpreted_batch_ndims)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Any) -> Tensor:
        return sum_rightmost(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self) -> Tensor:
        return sum_rightmost(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    @property
    def mean(self) -> Tensor:
        return self.base_dist.mean

    @property
    def mode(self) -> Tensor:
        return self.base_dist.mode

    @property
    def variance(self) -> Tensor:
        return self.base_dist.variance

    def __repr__(self) -> str:
        return f"Independent({self.base_dist!r}, {self.reinterpreted_batch_ndims})"
