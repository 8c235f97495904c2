"""The base class of distributions, with PyTorch's names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.op import OPS
from ..autograd.tensor import Tensor, wrap
from ..backend.dtypes import default_dtype, finfo, is_float, promote
from ..backend.random import default_generator
from ..errors import OptionError, ShapeError
from . import constraints

_validates = [__debug__]  # whether arguments are checked where a distribution is not told


class Distribution:
    """The base class of distributions: `batch_shape` independent ones over values of shape `event_shape`.

    A subclass sets its parameters, named in `arg_constraints`, before it calls `__init__`. validate_args: check
    parameters and values (on cuda devices they are not looked at, because an error would have to wait for the device).
    Raises OptionError for what lies outside of the constraints.
    """

    has_rsample = False
    arg_constraints: dict[str, constraints.Constraint] = {}
    support: Any = constraints.dependent

    def __init__(self, batch_shape: Sequence[int] = (), event_shape: Sequence[int] = (), validate_args: Any = None):
        self.batch_shape, self.event_shape = tuple(batch_shape), tuple(event_shape)
        self._validate_args = _validates[0] if validate_args is None else validate_args
        for name, constraint in self.arg_constraints.items() if self._validate_args else ():
            if name in vars(self) and constraint is not constraints.dependent:
                self._check(name, constraint, vars(self)[name])

    def _check(self, name: str, constraint: constraints.Constraint, value: Any) -> None:
        value = value.detach() if isinstance(value, Tensor) else asarray(value)
        if value.device.type == "cpu" and not bool(constraint.check(value).all()):
            raise OptionError(f"{type(self).__name__}: {name} must be {constraint}, got {value.tolist()}")

    def _checked(self, value: Any) -> Tensor:
        """Return a value as a Tensor, if it may be one of this distribution."""
        value = asarray(value)
        if not self._validate_args:
            return value
        shape = self.batch_shape + self.event_shape
        events = len(self.event_shape)
        if value.shape[value.ndim - events :] != self.event_shape:
            raise ShapeError(f"{type(self).__name__}: a value {value.shape} does not end in {self.event_shape}")
        try:
            np.broadcast_shapes(shape, value.shape)
        except ValueError:
            raise ShapeError(f"{type(self).__name__}: a value {value.shape} does not broadcast with {shape}") from None
        self._check("the value", self.support, value)
        return value

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Say whether distributions that are not told check their arguments."""
        _validates[0] = bool(value)

    def _extended_shape(self, sample_shape: Any = ()) -> tuple[int, ...]:
        sample_shape = (sample_shape,) if isinstance(sample_shape, int) else tuple(sample_shape)
        return sample_shape + self.batch_shape + self.event_shape

    def _own(self) -> list[str]:
        """Return the parameters that this distribution was made of."""
        return [name for name in self.arg_constraints if name in vars(self)]

    def expand(self, batch_shape: Sequence[int]) -> Any:
        """Return this distribution with its parameters broadcast to `batch_shape`."""
        made = {}
        for name in self._own():
            value, events = vars(self)[name], self.arg_constraints[name].event_dim
            tail = value.shape[value.ndim - events :] if isinstance(value, Tensor) else ()
            made[name] = value.expand((*batch_shape, *tail)) if isinstance(value, Tensor) else value
        return type(self)(**made, validate_args=False)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw values of shape sample_shape + batch_shape + event_shape; no gradient flows through them."""
        with no_grad():
            return self.rsample(sample_shape).detach()

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draw values that are differentiable with respect to the parameters, where that is possible."""
        raise NotImplementedError(f"{type(self).__name__} has no differentiable samples; use sample()")

    def sample_n(self, n: int) -> Tensor:
        """Draw n values for each distribution."""
        return self.sample((n,))

    def log_prob(self, value: Any) -> Tensor:
        """Return the logarithm of the density, or of the probability, of values."""
        raise NotImplementedError(f"{type(self).__name__} has no log_prob")

    def cdf(self, value: Any) -> Tensor:
        """Return the probability of what is not above the values."""
        raise NotImplementedError(f"{type(self).__name__} has no cdf")

    def icdf(self, value: Any) -> Tensor:
        """Return the values below which lie these probabilities."""
        raise NotImplementedError(f"{type(self).__name__} has no icdf")

    def entropy(self) -> Tensor:
        """Return the expectation of -log_prob."""
        raise NotImplementedError(f"{type(self).__name__} has no entropy")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return all values that there are, along a new first axis."""
        raise NotImplementedError(f"{type(self).__name__} has no finite support")

    def perplexity(self) -> Tensor:
        """Return exp(entropy)."""
        return OPS["exp"](self.entropy())

    @property
    def mean(self) -> Tensor:
        """The expectation."""
        raise NotImplementedError(f"{type(self).__name__} has no mean")

    @property
    def variance(self) -> Tensor:
        """The expectation of the squared distance from the mean."""
        raise NotImplementedError(f"{type(self).__name__} has no variance")

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        raise NotImplementedError(f"{type(self).__name__} has no mode")

    @property
    def stddev(self) -> Tensor:
        """The root of the variance."""
        return OPS["sqrt"](self.variance)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}: {_short(vars(self)[name])}" for name in self._own())
        return f"{type(self).__name__}({shown})"


def _short(value: Any) -> str:
    if isinstance(value, Tensor) and value._array.size != 1:
        return f"size {value.shape}"
    return str(value.item() if isinstance(value, Tensor) else value)


# Tools of the distributions


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Return numbers and Tensors as Tensors of one shape, dtype and device."""
    tensors = [v for v in values if isinstance(v, Tensor)]
    dtype = default_dtype()
    if tensors:
        dtypes = [t.dtype for t in tensors]
        dtype = dtypes[0]
        for other in dtypes[1:]:
            dtype = promote(dtype, other)
        dtype = dtype if is_float(dtype) else default_dtype()
    device = tensors[0].device if tensors else None
    made = [asarray(v, dtype=dtype, device=device) for v in values]
    shape = np.broadcast_shapes(*[t.shape for t in made])
    return tuple([t if t.shape == shape else OPS["broadcast_to"](t, shape=shape) for t in made])


def drawn(method: str, shape: tuple, like: Tensor, *parameters: Tensor) -> Tensor:
    """Return values that a method of NumPy's generator draws, as a Tensor like `like`; parameters are broadcast."""
    host = [p.device.to_host(p._array).astype(np.float64) for p in parameters]
    with np.errstate(all="ignore"):
        values = getattr(default_generator().numpy, method)(*host, size=shape)
    return wrap(like.device.asarray(np.asarray(values), like.dtype), like.device, None)


def normal_like(shape: tuple, like: Tensor) -> Tensor:
    """Return standard normal numbers."""
    return _uniformly("standard_normal", shape, like)


def uniform_like(shape: tuple, like: Tensor) -> Tensor:
    """Return uniform numbers from [0, 1), without the 0, so that they have a logarithm."""
    made = _uniformly("random", shape, like)
    return OPS["maximum"](made, finfo(like.dtype).tiny)


def _uniformly(method: str, shape: tuple, like: Tensor) -> Tensor:
    kind = np.float64 if like.dtype == np.float64 else np.float32
    values = np.asarray(getattr(default_generator().numpy, method)(shape, kind))
    return wrap(like.device.asarray(values, like.dtype), like.device, None)


def clamp_probs(probs: Tensor) -> Tensor:
    """Return probabilities held away from 0 and 1, so that they have log-odds."""
    eps = finfo(probs.dtype).eps
    return OPS["clip"](probs, eps, 1 - eps)


def log_factorial(x: Any) -> Tensor:
    """Return log(x!)."""
    return OPS["lgamma"](x + 1)


LOG_2PI = math.log(2 * math.pi)
