"""Dropout (N. Srivastava et al. 2014): zero elements at random in training, and scale the rest to keep the mean.

What is dropped together: nothing, the elements of a channel, of a sample, or all.
"""

import math
from typing import Any

import numpy as np

from ...autograd.convert import asarray
from ...autograd.tensor import Tensor
from ...backend.dtypes import float32
from ...backend.random import default_generator, draw_seed
from ...errors import DTypeError, OptionError
from ...ops.dropout import apply_mask, drop_scale, seeded_dropout
from ...ops.dropout import loops as compiled

__all__ = [
    "alpha_dropout",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_alpha_dropout",
    "stochastic_depth",
]


def check_probability(name: str, p: float, argument: str = "p") -> None:
    """Raise DTypeError unless 0 <= p <= 1."""
    if not isinstance(p, (int, float, np.floating)) or not 0 <= p <= 1:
        raise DTypeError(f"{name}: expected a probability {argument} in [0, 1], got {p!r}")


def _keep_mask(x: Tensor, p: float, shape: tuple) -> Any:
    """Return a random array that is True where an element is kept."""
    return x.device.asarray(default_generator().numpy.random(shape, np.float32) >= p)


def _dropout(name: str, input: Any, p: float, training: bool, inplace: bool, axes: int | None = None) -> Tensor:
    """Check the arguments of `dropout`, or of one that drops together what differs beyond the first `axes` axes only,
    and apply it."""
    x = asarray(input)
    check_probability(name, p)
    if not training or p == 0:
        return x
    axes = x.ndim if axes is None else axes
    if x.device.type == "cpu" and not (axes == x.ndim and compiled.dropout.sized(x._array.size, float32)):
        shape = x.shape[:axes] + (1,) * (x.ndim - axes)
        made = apply_mask(x, _keep_mask(x, p, shape), scale=drop_scale(p))
    else:  # drawn where it is used, which moves nothing; without a compiled loop NumPy's own generator is faster
        made = seeded_dropout(x, p=p, seed=draw_seed(), share=math.prod(x.shape[axes:]))
    return x.copy_(made) if inplace else made


def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero each element with probability p in training, and scale the rest by 1 / (1 - p).

    The same seed drops other elements on cuda than on the CPU, and there others with compiled loops than without. See
    N. Srivastava et al. 2014, section 4.

    >>> F.dropout(gg.ones(3), p=0.5, training=False)
    tensor([1., 1., 1.])
    """
    return _dropout("dropout", input, p, training, inplace)


def dropout1d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Drop whole channels of (N, C, L) as `dropout` drops elements (J. Tompson et al. 2015, section 3.2).

    >>> F.dropout1d(gg.ones((1, 2, 3)), p=1.0).sum().item()
    0.0
    """
    return _dropout("dropout1d", input, p, training, inplace, 2)


def dropout2d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Drop whole channels of (N, C, H, W) as `dropout` drops elements (J. Tompson et al. 2015, section 3.2).

    >>> F.dropout2d(gg.ones((1, 2, 3, 3)), p=1.0).sum().item()
    0.0
    """
    return _dropout("dropout2d", input, p, training, inplace, 2)


def dropout3d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Drop whole channels of (N, C, D, H, W) as `dropout` drops elements (J. Tompson et al. 2015, section 3.2).

    >>> F.dropout3d(gg.ones((1, 2, 3, 3, 3)), p=1.0).sum().item()
    0.0
    """
    return _dropout("dropout3d", input, p, training, inplace, 2)


def stochastic_depth(input: Any, p: float, mode: str, training: bool = True) -> Tensor:
    """Drop, as `dropout` drops elements, whole samples (mode "row") or the whole batch (mode "batch").

    input is what a residual branch computed, (N, ...); the rest is scaled by 1 / (1 - p). See G. Huang et al. 2016,
    "Deep networks with stochastic depth", section 3. Raises OptionError for another mode.

    >>> F.stochastic_depth(gg.ones((2, 3)), p=1.0, mode="row").sum().item()
    0.0
    """
    if mode not in ("row", "batch"):
        raise OptionError(f"stochastic_depth: mode must be 'row' or 'batch', got {mode!r}")
    return _dropout("stochastic_depth", input, p, training, False, 1 if mode == "row" else 0)


def _alpha_dropout(name: str, input: Any, p: float, training: bool, inplace: bool, per_channel: bool) -> Tensor:
    """Check the arguments of `alpha_dropout`, or of `alpha_dropout` per channel, and apply it."""
    x = asarray(input)
    check_probability(name, p)
    if not training or p == 0:
        return x
    low = -1.7580993408473766  # SELU's limit at minus infinity
    shape = x.shape[:2] + (1,) * (x.ndim - 2) if per_channel else x.shape
    kept = asarray(_keep_mask(x, p, shape), device=x.device).to(dtype=x.dtype)
    if p == 1:
        made = x * 0.0
    else:
        a = ((1 - p) * (1 + p * low**2)) ** -0.5
        made = (x * kept + (1 - kept) * low) * a - a * p * low
    return x.copy_(made) if inplace else made


def alpha_dropout(input: Any, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Drop elements in SELU networks so that mean and variance stay (G. Klambauer et al. 2017, section 2).

    >>> F.alpha_dropout(gg.ones(3), p=0.2, training=False)
    tensor([1., 1., 1.])
    """
    return _alpha_dropout("alpha_dropout", input, p, training, inplace, False)


def feature_alpha_dropout(input: Any, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Drop whole channels of (N, C, *S) as `alpha_dropout` drops elements.

    >>> F.feature_alpha_dropout(gg.ones((1, 2, 3)), p=0.2, training=False).shape
    (1, 2, 3)
    """
    return _alpha_dropout("feature_alpha_dropout", input, p, training, inplace, True)
