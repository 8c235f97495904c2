"""Penalties of weights, and the prior distributions that they stand for."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..autograd.tensor import Tensor
from ..errors import OptionError


def penalty(parameters: Iterable[Tensor], l1: float = 0.0, l2: float = 0.0) -> Tensor:
    """Return l1 sum |w| + l2 sum w^2 over all weights: L1 with l2 = 0, L2 with l1 = 0, elastic net with both.

    The weights that minimise loss + penalty are the most probable ones, where the loss is -log p(data | w):

        -log p(w | data) = -log p(data | w) - log p(w) + const

    and the penalty is -log p(w) of a prior, up to a constant: `gaussian_log_prior` with std = 1 / sqrt(2 l2) for L2,
    `laplace_log_prior` with scale = 1 / l1 for L1 (Murphy 2022, "Probabilistic machine learning", 11.3 and 11.4). A
    loss that is the mean of n samples takes the penalty in parts of n. Raises OptionError without weights.

    >>> gg.train.penalty([gg.tensor([1.0, -2.0])], l1=1.0, l2=0.5).item()
    5.5
    """
    terms = [l1 * abs(w).sum() + l2 * (w * w).sum() for w in parameters]
    if not terms:
        raise OptionError("penalty: there are no parameters")
    return sum(terms[1:], terms[0])


def gaussian_log_prior(parameters: Iterable[Tensor], std: float) -> Tensor:
    """Return log p(w) where each weight is normal around 0: sum -w^2 / (2 std^2) - log(std sqrt(2 pi)).

    >>> round(gg.train.gaussian_log_prior([gg.zeros(1)], std=1.0).item(), 4)
    -0.9189
    """
    weights = list(parameters)
    count = sum(w.size for w in weights)
    return -penalty(weights, l2=1 / (2 * std**2)) - count * math.log(std * math.sqrt(2 * math.pi))


def laplace_log_prior(parameters: Iterable[Tensor], scale: float) -> Tensor:
    """Return log p(w) where each weight has Laplace's distribution around 0: sum -|w| / scale - log(2 scale).

    >>> round(gg.train.laplace_log_prior([gg.ones(1)], scale=1.0).item(), 4)
    -1.6931
    """
    weights = list(parameters)
    return -penalty(weights, l1=1 / scale) - sum(w.size for w in weights) * math.log(2 * scale)
