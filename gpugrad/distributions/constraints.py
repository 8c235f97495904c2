"""The sets that parameters and values of distributions lie in."""

from collections.abc import Callable
from typing import Any

from ..autograd.tensor import Tensor
from ..ops.checked import cholesky_ex

__all__ = [
    "boolean", "dependent", "greater_than", "greater_than_eq", "integer_interval", "interval", "lower_cholesky",
    "nonnegative", "nonnegative_integer", "one_hot", "positive", "positive_definite", "positive_integer", "real",
    "real_vector", "simplex", "unit_interval",
]  # fmt: skip


class Constraint:
    """Is a set of values; `event_dim` axes at the end of a tensor make one value.

    >>> from gpugrad.distributions import constraints
    >>> constraints.positive, constraints.positive.check(gg.tensor([1.0, -1.0]))
    (positive, tensor([ True, False]))
    """

    def __init__(self, name: str, check: Callable[[Any], Any], event_dim: int = 0, is_discrete: bool = False):
        self.name, self.check, self.event_dim, self.is_discrete = name, check, event_dim, is_discrete

    def __repr__(self) -> str:
        return self.name


def greater_than(lower_bound: Any) -> Constraint:
    """Return the numbers above a bound.

    >>> from gpugrad.distributions import constraints
    >>> constraints.greater_than(2.0).check(gg.tensor([2.0, 3.0]))
    tensor([False,  True])
    """
    return Constraint(f"greater than {lower_bound}", lambda x: x > lower_bound)


def greater_than_eq(lower_bound: Any) -> Constraint:
    """Return the numbers that are not below a bound.

    >>> from gpugrad.distributions import constraints
    >>> constraints.greater_than_eq(2.0).check(gg.tensor([2.0, 1.0]))
    tensor([ True, False])
    """
    return Constraint(f"at least {lower_bound}", lambda x: x >= lower_bound)


def interval(lower_bound: Any, upper_bound: Any) -> Constraint:
    """Return the numbers from one bound to another.

    >>> from gpugrad.distributions import constraints
    >>> constraints.interval(0.0, 1.0).check(gg.tensor([1.0, 1.5]))
    tensor([ True, False])
    """
    return Constraint(f"between {lower_bound} and {upper_bound}", lambda x: (x >= lower_bound) & (x <= upper_bound))


def integer_interval(lower_bound: Any, upper_bound: Any) -> Constraint:
    """Return the integers from one bound to another.

    >>> from gpugrad.distributions import constraints
    >>> constraints.integer_interval(0, 2).check(gg.tensor([1.0, 1.5]))
    tensor([ True, False])
    """
    return Constraint(
        f"integers between {lower_bound} and {upper_bound}",
        lambda x: (x % 1 == 0) & (x >= lower_bound) & (x <= upper_bound),
        is_discrete=True,
    )


def _is_simplex(x: Tensor) -> Any:
    return (x >= 0).all(-1) & (abs(x.sum(-1) - 1) < 1e-5)


def _is_lower_cholesky(x: Tensor) -> Any:
    return (x.tril() == x).all(-1).all(-1) & (x.diagonal(0, -2, -1) > 0).all(-1)


def _is_positive_definite(x: Tensor) -> Any:
    return (abs(x - x.mT) < 1e-5).all(-1).all(-1) & (cholesky_ex(x).info == 0)


real = Constraint("real", lambda x: x == x)
real_vector = Constraint("a vector of real numbers", lambda x: (x == x).all(-1), 1)
positive = Constraint("positive", lambda x: x > 0)
nonnegative = Constraint("at least 0", lambda x: x >= 0)
unit_interval = Constraint("between 0 and 1", lambda x: (x >= 0) & (x <= 1))
boolean = Constraint("0 or 1", lambda x: (x == 0) | (x == 1), is_discrete=True)
nonnegative_integer = Constraint("integers of at least 0", lambda x: (x % 1 == 0) & (x >= 0), is_discrete=True)
positive_integer = Constraint("positive integers", lambda x: (x % 1 == 0) & (x > 0), is_discrete=True)
simplex = Constraint("probabilities that add up to 1 along the last axis", _is_simplex, 1)
one_hot = Constraint(
    "one 1 and zeros along the last axis",
    lambda x: ((x == 0) | (x == 1)).all(-1) & (x.sum(-1) == 1), 1, is_discrete=True,
)  # fmt: skip
lower_cholesky = Constraint("lower triangular with a positive diagonal", _is_lower_cholesky, 2)
positive_definite = Constraint("symmetric positive definite", _is_positive_definite, 2)
dependent = Constraint("a set that depends on parameters", lambda x: x == x)
