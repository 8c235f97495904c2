"""Complex numbers as pairs of real ones, so that gradients of both are compared with differences in one way."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...backend.dtypes import real_of
from ..tensor import Tensor


def parts(values: Any) -> np.ndarray:
    """Return numbers as float64, complex ones as (..., 2): real and imaginary parts."""
    if values.dtype.kind != "c":
        return values.astype(np.float64)
    return np.stack([values.real, values.imag], axis=-1).astype(np.float64)


def whole(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return the numbers of `dtype` whose `parts` are given."""
    if dtype.kind != "c":
        return values.astype(dtype)
    pairs = np.ascontiguousarray(values, real_of(dtype))
    return pairs.view(dtype).reshape(pairs.shape[:-1])


def shape_of_parts(tensor: Tensor) -> tuple[int, ...]:
    """Return the shape of the parts of the tensor's numbers."""
    return (*tensor.shape, 2) if tensor.dtype.kind == "c" else tensor.shape


def random_like(rng: np.random.Generator, shape: tuple, dtype: np.dtype) -> np.ndarray:
    """Return numbers from -1 to 1, complex ones with both parts."""
    values = rng.uniform(-1, 1, shape)
    return values + 1j * rng.uniform(-1, 1, shape) if dtype.kind == "c" else values
