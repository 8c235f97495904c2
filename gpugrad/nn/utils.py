"""Clipping of gradients, and parameters as one vector."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..autograd.tensor import Tensor, wrap
from ..autograd.versions import changed
from ..backend.devices import default_device
from ..errors import GradientError, ShapeError


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    given = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in given if p.grad is not None]


def _norm(ns: Any, array: Any, p: float) -> Any:
    """The p-norm of all elements, a 0-d array."""
    flat = array.reshape(-1)
    if p == float("inf"):
        return ns.abs(flat).max() if flat.size else ns.zeros((), flat.dtype)
    if p == 2:
        return ns.sqrt(ns.dot(flat, flat))
    return (ns.abs(flat) ** p).sum() ** (1 / p)


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """Scale the gradients, in place, so that the norm of all together is at most max_norm; returns the norm before.

    norm_type: the p of the p-norm, float("inf") for the largest absolute value. The device is not waited for, unless
    error_if_nonfinite asks for a GradientError where the norm is NaN or infinite.
    """
    gradients = _gradients(parameters)
    device = gradients[0].device if gradients else default_device()
    ns = device.xp
    norms = [_norm(ns, g._array, norm_type) for g in gradients]
    total = ns.asarray(_norm(ns, ns.stack(norms), norm_type)) if norms else ns.zeros((), np.float32)
    if error_if_nonfinite and not np.isfinite(float(total)):
        raise GradientError(f"clip_grad_norm_: the norm of the gradients is {float(total)}")
    factor = ns.minimum(max_norm / (total + 1e-6), 1.0)
    for gradient in gradients:
        ns.multiply(gradient._array, factor.astype(gradient.dtype), out=gradient._array)
        changed(gradient._array, "clip_grad_norm_")
    return wrap(total, device, None)


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit every gradient, in place, to [-clip_value, clip_value]."""
    for gradient in _gradients(parameters):
        gradient.device.xp.clip(gradient._array, -clip_value, clip_value, out=gradient._array)
        changed(gradient._array, "clip_grad_value_")


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters flattened into one vector, outside the graph."""
    given = list(parameters)
    device = given[0].device
    return wrap(device.xp.concatenate([p._array.reshape(-1) for p in given]), device, None)


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Overwrite the parameters with consecutive pieces of a vector. Raises ShapeError if the sizes do not add up."""
    given = list(parameters)
    sizes = [p._array.size for p in given]
    if vec.shape != (sum(sizes),):
        raise ShapeError(f"vector_to_parameters: {sum(sizes)} values expected, got shape {vec.shape}")
    start = 0
    for parameter, size in zip(given, sizes, strict=True):
        parameter._array[...] = vec._array[start : start + size].reshape(parameter.shape)
        changed(parameter._array, "vector_to_parameters")
        start += size
