"""Norms and clipping of gradients."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ...autograd.tensor import Tensor, wrap
from ...autograd.versions import changed
from ...backend.devices import default_device
from ...errors import GradientError


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


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all elements of all tensors together, a 0-d Tensor outside the graph.

    norm_type: the p of the p-norm, float("inf") for the largest absolute value. The device is not waited for, unless
    error_if_nonfinite asks for a GradientError where the norm is NaN or infinite. foreach changes nothing.
    """
    given = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    device = given[0].device if given else default_device()
    ns = device.xp
    norms = [_norm(ns, t._array, norm_type) for t in given]
    total = ns.asarray(_norm(ns, ns.stack(norms), norm_type)) if norms else ns.zeros((), np.float32)
    if error_if_nonfinite and not np.isfinite(float(total)):
        raise GradientError(f"clip_grad_norm_: the norm of the gradients is {float(total)}")
    return wrap(total, device, None)


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale the gradients, in place, by max_norm / total_norm if that is less than 1."""
    for gradient in _gradients(parameters):
        ns = gradient.device.xp
        total = total_norm.to(device=gradient.device)._array
        factor = ns.minimum(max_norm / (total + 1e-6), 1.0)
        ns.multiply(gradient._array, factor.astype(gradient.dtype), out=gradient._array)
        changed(gradient._array, "clip_grad_norm_")


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale the gradients, in place, so that the norm of all together is at most max_norm; returns the norm before.

    Arguments as for `get_total_norm`.
    """
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    total = get_total_norm(_gradients(given), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(given, max_norm, total)
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Limit every gradient, in place, to [-clip_value, clip_value]."""
    for gradient in _gradients(parameters):
        gradient.device.xp.clip(gradient._array, -clip_value, clip_value, out=gradient._array)
        changed(gradient._array, "clip_grad_value_")
