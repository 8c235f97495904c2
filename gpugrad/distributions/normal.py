"""Normal distributions: of numbers and of vectors."""

import math
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.op import OPS
from ..autograd.tensor import Tensor
from ..errors import DTypeError, ShapeError
from ..ops.linalg import matmul, solve_triangular
from . import constraints
from .distribution import LOG_2PI, Distribution, broadcast_all, normal_like

__all__ = ["HalfNormal", "MultivariateNormal", "Normal"]


class Normal(Distribution):
    """The normal distribution with mean `loc` and standard deviation `scale`.

    >>> d = gg.distributions.Normal(0.0, 1.0)
    >>> d.log_prob(0.0).round(decimals=4), d.cdf(0.0)
    (tensor(-0.9189), tensor(0.5))
    """

    has_rsample = True
    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None):
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.loc + self.scale * normal_like(self._extended_shape(sample_shape), self.loc)

    def log_prob(self, value: Any) -> Tensor:
        z = (self._checked(value) - self.loc) / self.scale
        return -0.5 * (z * z) - OPS["log"](self.scale) - 0.5 * LOG_2PI

    def cdf(self, value: Any) -> Tensor:
        return OPS["ndtr"]((self._checked(value) - self.loc) / self.scale)

    def icdf(self, value: Any) -> Tensor:
        return self.loc + self.scale * OPS["ndtri"](value)

    def entropy(self) -> Tensor:
        return 0.5 + 0.5 * LOG_2PI + OPS["log"](self.scale)

    @property
    def mean(self) -> Tensor:
        return self.loc

    mode = mean

    @property
    def stddev(self) -> Tensor:
        return self.scale

    @property
    def variance(self) -> Tensor:
        return self.scale * self.scale


class HalfNormal(Distribution):
    """The distribution of |X|, where X is normal with mean 0 and standard deviation `scale`.

    >>> gg.distributions.HalfNormal(1.0).mean.round(decimals=4)
    tensor(0.7979)
    """

    has_rsample = True
    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, scale: Any, validate_args: bool | None = None):
        (self.scale,) = broadcast_all(scale)
        super().__init__(self.scale.shape, (), validate_args)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return abs(self.scale * normal_like(self._extended_shape(sample_shape), self.scale))

    def log_prob(self, value: Any) -> Tensor:
        value = self._checked(value)
        z = value / self.scale
        out = math.log(2) - 0.5 * (z * z) - OPS["log"](self.scale) - 0.5 * LOG_2PI
        return OPS["where"](value >= 0, out, -math.inf)

    def cdf(self, value: Any) -> Tensor:
        return 2 * OPS["ndtr"](self._checked(value) / self.scale) - 1

    def icdf(self, value: Any) -> Tensor:
        return self.scale * OPS["ndtri"]((asarray(value) + 1) / 2)

    def entropy(self) -> Tensor:
        return 0.5 + 0.5 * LOG_2PI + OPS["log"](self.scale) - math.log(2)

    @property
    def mean(self) -> Tensor:
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def mode(self) -> Tensor:
        return self.scale * 0

    @property
    def variance(self) -> Tensor:
        return self.scale * self.scale * (1 - 2 / math.pi)


class MultivariateNormal(Distribution):
    """The normal distribution of vectors (K,), by its covariance matrix, its inverse, or a Cholesky factor L of it.

    >>> d = gg.distributions.MultivariateNormal(gg.zeros(2), gg.eye(2))
    >>> d.log_prob(gg.zeros(2)).round(decimals=4)
    tensor(-1.8379)
    """

    has_rsample = True
    arg_constraints = {
        "loc": constraints.real_vector, "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite, "scale_tril": constraints.lower_cholesky,
    }  # fmt: skip
    support = constraints.real_vector

    def __init__(
        self,
        loc: Any,
        covariance_matrix: Any = None,
        precision_matrix: Any = None,
        scale_tril: Any = None,
        validate_args: bool | None = None,
    ):
        given = {"covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix, "scale_tril": scale_tril}
        given = {name: asarray(value) for name, value in given.items() if value is not None}
        if len(given) != 1:
            raise DTypeError("MultivariateNormal: give one of covariance_matrix, precision_matrix and scale_tril")
        ((name, matrix),) = given.items()
        loc = asarray(loc)
        if loc.ndim < 1 or matrix.ndim < 2:
            raise ShapeError(f"MultivariateNormal: expected loc (..., K) and {name} (..., K, K), got {loc.shape}")
        batch = np.broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        self.loc = loc.expand((*batch, loc.shape[-1]))
        self._given, matrix = name, matrix.expand((*batch, *matrix.shape[-2:]))
        vars(self)[name] = matrix
        super().__init__(batch, loc.shape[-1:], validate_args)
        self._factor = matrix if name == "scale_tril" else _factor_of(name, matrix)

    def __getattr__(self, name: str) -> Any:
        if name == "scale_tril":
            return self._factor
        if name == "covariance_matrix":
            return matmul(self._factor, self._factor.mT)
        if name == "precision_matrix":
            return OPS["inv"](self.covariance_matrix)
        raise AttributeError(f"MultivariateNormal has no attribute {name!r}")

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        eps = normal_like(self._extended_shape(sample_shape), self.loc)
        return self.loc + matmul(self._factor, eps[..., None])[..., 0]

    def _half_log_det(self) -> Tensor:
        return OPS["log"](self._factor.diagonal(0, -2, -1)).sum(-1)

    def log_prob(self, value: Any) -> Tensor:
        z = solve_triangular(self._factor, (self._checked(value) - self.loc)[..., None], upper=False)[..., 0]
        return -0.5 * (self.event_shape[0] * LOG_2PI + (z * z).sum(-1)) - self._half_log_det()

    def entropy(self) -> Tensor:
        return 0.5 * self.event_shape[0] * (1 + LOG_2PI) + self._half_log_det()

    @property
    def mean(self) -> Tensor:
        return self.loc

    mode = mean

    @property
    def variance(self) -> Tensor:
        return (self._factor * self._factor).sum(-1)


def _factor_of(name: str, matrix: Tensor) -> Tensor:
    """Return the Cholesky factor of a covariance matrix, given as it is or by its inverse."""
    if name == "covariance_matrix":
        return OPS["cholesky"](matrix)
    # P = F F^T with F upper triangular, from the factor of P with rows and columns reversed; then L = F^-T
    reverse = OPS["flip"](OPS["cholesky"](OPS["flip"](matrix, axis=(-2, -1))), axis=(-2, -1))
    identity = asarray(matrix.device.xp.eye(matrix.shape[-1], dtype=matrix.dtype), device=matrix.device)
    return solve_triangular(reverse.mT, identity.expand(matrix.shape), upper=False)
