"""Kullback-Leibler divergences, registered by pairs of distributions."""

import math
from collections.abc import Callable
from typing import Any

from ..autograd.op import OPS
from ..autograd.tensor import Tensor
from ..errors import ShapeError
from ..ops.linalg import solve_triangular
from .categorical import Categorical, OneHotCategorical
from .continuous import Exponential, Laplace, Uniform
from .discrete import Bernoulli, Binomial, Geometric, Poisson
from .distribution import Distribution
from .gamma import Beta, Dirichlet, Gamma
from .normal import HalfNormal, MultivariateNormal, Normal
from .transformed import Independent, TransformedDistribution, sum_rightmost

__all__ = ["kl_divergence", "register_kl"]

_RULES: dict[tuple[type, type], Callable] = {}


def register_kl(type_p: type, type_q: type) -> Callable:
    """Let the decorated function (p, q) compute `kl_divergence` of these types, and of those that inherit from them.

    >>> class Mine(gg.distributions.Normal): pass
    >>> @gg.distributions.register_kl(Mine, Mine)
    ... def _(p, q):
    ...     return p.loc - q.loc
    >>> gg.distributions.kl_divergence(Mine(3.0, 1.0), Mine(1.0, 1.0))
    tensor(2.)
    """

    def enter(rule: Callable) -> Callable:
        _RULES[type_p, type_q] = rule
        return rule

    return enter


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """Return the expectation under p of log p - log q. Raises NotImplementedError for pairs that nobody registered.

    >>> p, q = gg.distributions.Normal(0.0, 1.0), gg.distributions.Normal(1.0, 1.0)
    >>> gg.distributions.kl_divergence(p, q)
    tensor(0.5)
    """
    for type_p in type(p).__mro__:
        for type_q in type(q).__mro__:
            if (type_p, type_q) in _RULES:
                return _RULES[type_p, type_q](p, q)
    raise NotImplementedError(f"kl_divergence: none is registered for {type(p).__name__} and {type(q).__name__}")


def _log(x: Any) -> Tensor:
    return OPS["log"](x)


@register_kl(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - _log(ratio))


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p: HalfNormal, q: HalfNormal) -> Tensor:
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio - 1 - _log(ratio))


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_normal(p: Any, q: Any) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ShapeError(f"kl_divergence: values of {p.event_shape} and of {q.event_shape}")
    moved = solve_triangular(q.scale_tril, p.scale_tril, upper=False)
    apart = solve_triangular(q.scale_tril, (p.loc - q.loc)[..., None], upper=False)[..., 0]
    spread = (moved * moved).sum((-2, -1)) + (apart * apart).sum(-1) - p.event_shape[0]
    return q._half_log_det() - p._half_log_det() + 0.5 * spread


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Any, q: Any) -> Tensor:
    first = OPS["xlogy"](p.probs, p.probs) - OPS["xlogy"](p.probs, q.probs)
    other = OPS["xlogy"](1 - p.probs, 1 - p.probs) - OPS["xlogy"](1 - p.probs, 1 - q.probs)
    return first + other


@register_kl(Binomial, Binomial)
def _binomial(p: Any, q: Any) -> Tensor:
    if bool((p.total_count < q.total_count).any()):
        raise NotImplementedError("kl_divergence: a Binomial of fewer trials than the other's")
    kl = p.total_count * _bernoulli(p, q)
    return OPS["where"](p.total_count > q.total_count, math.inf, kl)


@register_kl(Categorical, Categorical)
def _categorical(p: Any, q: Any) -> Tensor:
    probs = p.probs
    terms = probs * (p.logits - q.logits)
    terms = OPS["where"](q.probs == 0, math.inf, terms)
    return OPS["where"](probs == 0, 0, terms).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p: Any, q: Any) -> Tensor:
    return _categorical(p._categorical, q._categorical)


@register_kl(Poisson, Poisson)
def _poisson(p: Poisson, q: Poisson) -> Tensor:
    return OPS["xlogy"](p.rate, p.rate / q.rate) - (p.rate - q.rate)


@register_kl(Geometric, Geometric)
def _geometric(p: Any, q: Any) -> Tensor:
    return -p.entropy() - OPS["log1p"](-q.probs) / p.probs - q.logits


@register_kl(Exponential, Exponential)
def _exponential(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return -_log(ratio) + ratio - 1


@register_kl(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Tensor:
    ratio, apart = p.scale / q.scale, abs(p.loc - q.loc)
    return -_log(ratio) + apart / q.scale + ratio * OPS["exp"](-apart / p.scale) - 1


@register_kl(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Tensor:
    kl = _log((q.high - q.low) / (p.high - p.low))
    return OPS["where"]((q.low > p.low) | (q.high < p.high), math.inf, kl)


@register_kl(Uniform, Normal)
def _uniform_normal(p: Uniform, q: Normal) -> Tensor:
    width = p.high - p.low
    apart = ((p.high + p.low - 2 * q.loc) / 2) ** 2
    return _log(math.sqrt(2 * math.pi) * q.scale / width) + 0.5 * (width**2 / 12 + apart) / q.scale**2


@register_kl(Gamma, Gamma)
def _gamma(p: Gamma, q: Gamma) -> Tensor:
    a, b = p.concentration, q.concentration
    sizes = OPS["lgamma"](b) - OPS["lgamma"](a) + b * _log(p.rate / q.rate)
    return sizes + (a - b) * OPS["digamma"](a) + a * (q.rate / p.rate - 1)


@register_kl(Exponential, Gamma)
def _exponential_gamma(p: Exponential, q: Gamma) -> Tensor:
    return _gamma(Gamma(p.rate * 0 + 1, p.rate, validate_args=False), q)


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    total = OPS["digamma"](a.sum(-1))
    sizes = OPS["lgamma"](a.sum(-1)) - OPS["lgamma"](b.sum(-1)) + (OPS["lgamma"](b) - OPS["lgamma"](a)).sum(-1)
    return sizes + ((a - b) * (OPS["digamma"](a) - total[..., None])).sum(-1)


@register_kl(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Tensor:
    return _dirichlet(p._dirichlet, q._dirichlet)


@register_kl(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError("kl_divergence: Independent ones with different numbers of axes")
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: TransformedDistribution, q: TransformedDistribution) -> Tensor:
    if [type(t) for t in p.transforms] != [type(t) for t in q.transforms] or p.event_shape != q.event_shape:
        raise NotImplementedError("kl_divergence: distributions with different transforms")
    return kl_divergence(p.base_dist, q.base_dist)
