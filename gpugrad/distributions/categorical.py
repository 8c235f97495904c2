"""Distributions over a finite number of categories."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.op import OPS
from ..autograd.tensor import Tensor
from ..errors import DTypeError, ShapeError
from ..ops.embedding import one_hot
from ..ops.random import multinomial
from . import constraints
from .distribution import Distribution, clamp_probs, log_factorial

__all__ = ["Categorical", "Multinomial", "OneHotCategorical", "OneHotCategoricalStraightThrough"]


class Categorical(Distribution):
    """The distribution of the number of a category: `probs` (..., C) in any scale, or their logarithms, `logits`.

    >>> d = gg.distributions.Categorical(probs=gg.tensor([1.0, 3.0]))
    >>> d.probs, d.log_prob(gg.tensor(1)).exp()
    (tensor([0.25, 0.75]), tensor(0.75))
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        if (probs is None) == (logits is None):
            raise DTypeError(f"{type(self).__name__}: give one of probs and logits")
        given = asarray(probs if logits is None else logits)
        if not given.ndim:
            raise ShapeError(f"{type(self).__name__}: expected at least one axis, that of the categories")
        self._is_logits = logits is not None
        if logits is None:
            self.probs = given / given.sum(-1, keepdims=True)
        else:
            self.logits = given - OPS["logsumexp"](given, axis=-1, keepdims=True)
        self._num_events = given.shape[-1]
        self.support = constraints.integer_interval(0, self._num_events - 1)
        super().__init__(given.shape[:-1], (), validate_args)

    @property
    def _param(self) -> Tensor:
        return self.logits if self._is_logits else self.probs

    def __getattr__(self, name: str) -> Any:
        if name == "probs":
            self.probs = OPS["softmax"](vars(self)["logits"], axis=-1)
            return self.probs
        if name == "logits":
            self.logits = OPS["log"](clamp_probs(vars(self)["probs"]))
            return self.logits
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def _own(self) -> list[str]:
        return ["logits" if self._is_logits else "probs"]

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape, probs = self._extended_shape(sample_shape), self.probs.detach()
        count = int(np.prod(shape)) // max(int(np.prod(self.batch_shape)), 1)
        found = multinomial(probs.reshape((-1, self._num_events)), count, replacement=True)
        return OPS["swapaxes"](found, axis1=0, axis2=1).reshape(shape)

    def log_prob(self, value: Any) -> Tensor:
        value = self._checked(value).to(dtype="int64")
        shape = np.broadcast_shapes(value.shape, self.batch_shape)
        logits = self.logits.expand((*shape, self._num_events))
        return OPS["take_along_axis"](logits, value.expand(shape)[..., None], axis=-1)[..., 0]

    def entropy(self) -> Tensor:
        probs = self.probs
        return -(probs * OPS["where"](probs > 0, self.logits, 0)).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        values = asarray(self._param.device.xp.arange(self._num_events), device=self._param.device)
        values = values.reshape((-1, *[1] * len(self.batch_shape)))
        return values.expand((self._num_events, *self.batch_shape)) if expand else values

    @property
    def mean(self) -> Tensor:
        return self.probs[..., 0] * float("nan")

    variance = mean

    @property
    def mode(self) -> Tensor:
        return OPS["argmax"](self.probs, axis=-1)


class OneHotCategorical(Distribution):
    """The distribution of a category as a vector with a 1 at its place: `probs` (..., C), or logarithms, `logits`.

    >>> gg.distributions.OneHotCategorical(probs=gg.tensor([1.0, 3.0])).mean
    tensor([0.25, 0.75])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.one_hot

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        self._categorical = Categorical(probs, logits, validate_args)
        super().__init__(self._categorical.batch_shape, (self._categorical._num_events,), validate_args)

    def __getattr__(self, name: str) -> Any:
        if name in ("probs", "logits", "_param"):
            return getattr(self._categorical, name)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def _own(self) -> list[str]:
        return []

    def expand(self, batch_shape: Any) -> Any:
        inner = self._categorical.expand(batch_shape)
        return type(self)(**{inner._own()[0]: inner._param}, validate_args=False)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        count = self.event_shape[0]
        return one_hot(self._categorical.sample(sample_shape), count).to(dtype=self.probs.dtype)

    def log_prob(self, value: Any) -> Tensor:
        return self._categorical.log_prob(OPS["argmax"](self._checked(value), axis=-1))

    def entropy(self) -> Tensor:
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        count = self.event_shape[0]
        values = asarray(self.probs.device.xp.eye(count, dtype=self.probs.dtype), device=self.probs.device)
        values = values.reshape((count, *[1] * len(self.batch_shape), count))
        return values.expand((count, *self.batch_shape, count)) if expand else values

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        return one_hot(self._categorical.mode, self.event_shape[0]).to(dtype=self.probs.dtype)

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """A `OneHotCategorical` whose samples have the gradient of the probabilities (Bengio et al. 2013).

    >>> d = gg.distributions.OneHotCategoricalStraightThrough(probs=gg.tensor([0.0, 1.0]))
    >>> d.rsample()
    tensor([0., 1.])
    """

    has_rsample = True

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.sample(sample_shape) + (self.probs - self.probs.detach())


class Multinomial(Distribution):
    """The distribution of how often each category occurs in `total_count` draws: `probs` (..., C), or `logits`.

    >>> d = gg.distributions.Multinomial(4, gg.tensor([1.0, 3.0]))
    >>> d.mean, d.sample().sum()
    (tensor([1., 3.]), tensor(4.))
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}

    def __init__(self, total_count: int = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None):
        if not isinstance(total_count, int):
            raise NotImplementedError("Multinomial: total_count is one int for all distributions of the batch")
        self.total_count = total_count
        self._categorical = Categorical(probs, logits, validate_args)
        self.support = constraints.Constraint(
            f"counts that add up to {total_count}",
            lambda x: (x >= 0).all(-1) & (x % 1 == 0).all(-1) & (x.sum(-1) == total_count), 1, is_discrete=True,
        )  # fmt: skip
        super().__init__(self._categorical.batch_shape, (self._categorical._num_events,), validate_args)

    def __getattr__(self, name: str) -> Any:
        if name in ("probs", "logits", "_param"):
            return getattr(self._categorical, name)
        raise AttributeError(f"Multinomial has no attribute {name!r}")

    def _own(self) -> list[str]:
        return []

    def expand(self, batch_shape: Any) -> Multinomial:
        inner = self._categorical.expand(batch_shape)
        return Multinomial(self.total_count, **{inner._own()[0]: inner._param}, validate_args=False)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = (sample_shape,) if isinstance(sample_shape, int) else tuple(sample_shape)
        found = self._categorical.sample((self.total_count, *shape))
        return one_hot(found, self.event_shape[0]).sum(0).to(dtype=self.probs.dtype)

    def log_prob(self, value: Any) -> Tensor:
        value = self._checked(value)
        logits = OPS["where"]((value == 0) & (self.logits == float("-inf")), 0, self.logits)
        ways = log_factorial(value.sum(-1)) - log_factorial(value).sum(-1)
        return ways + (logits * value).sum(-1)

    @property
    def mean(self) -> Tensor:
        return self.probs * self.total_count

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)
