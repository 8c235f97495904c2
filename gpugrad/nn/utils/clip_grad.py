"""Functions that measure and clip gradients."""

from collections.abc import Iterable

import numpy as np

from ...autograd.tensor import Tensor, wrap
from ...autograd.versions import changed
from ...backend.devices import default_device
from ...errors import GradientError
from ...ops.norm import p_norm


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    """Return the gradients of the parameters that have one."""
    given = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in given if p.grad is not None]


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Return the norm of all elements of all tensors together, as a 0-d Tensor outside the graph.

    norm_type is the p of the p-norm; float("inf") and -float("inf") stand for the largest and the least absolute value.
    As in PyTorch, the result is the norm of the tensors' norms, so that 0 counts the tensors that are not all 0. The
    norm of 16-bit tensors is in float32. The device is not waited for, unless error_if_nonfinite asks for a
    GradientError if the norm is NaN or infinite. foreach changes nothing.

    >>> nn.utils.get_total_norm([gg.tensor([3.0]), gg.tensor([4.0])])
    tensor(5.)
    """
    given = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    device = given[0].device if given else default_device()
    xp = device.xp
    norms = [p_norm(t._array, norm_type) for t in given if t._array.size]  # an empty one adds nothing to any norm
    total = xp.asarray(p_norm(xp.stack(norms), norm_type)) if norms else xp.zeros((), np.float32)
    if error_if_nonfinite and not np.isfinite(float(total)):
        raise GradientError(f"clip_grad_norm_: the norm of the gradients is {float(total)}")
    return wrap(total, device, None)


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale the gradients, in place, by max_norm / total_norm if that is less than 1."""
    for gradient in _gradients(parameters):
        xp = gradient.device.xp
        total = total_norm.to(device=gradient.device)._array
        factor = xp.minimum(max_norm / (total + 1e-6), 1.0)
        xp.multiply(gradient._array, factor.astype(gradient.dtype), out=gradient._array)
        changed(gradient._array, "clip_grad_norm_")


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale the gradients, in place, so that the norm of all together is at most max_norm; returns the norm before.

    The arguments are those of `get_total_norm` (R. Pascanu et al. 2013, section 3.2).

    >>> w = nn.Parameter(gg.tensor([3.0, 4.0]))
    >>> (w * w).sum().backward()
    >>> nn.utils.clip_grad_norm_([w], max_norm=1.0), w.grad.round(decimals=4)
    (tensor(10.), tensor([0.6, 0.8]))
    """
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    total = get_total_norm(_gradients(given), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(given, max_norm, total)
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Limit every gradient, in place, to [-clip_value, clip_value].

    >>> w = nn.Parameter(gg.tensor([3.0, 0.25]))
    >>> (w * w).sum().backward()
    >>> nn.utils.clip_grad_value_([w], clip_value=1.0)
    >>> w.grad
    tensor([1. , 0.5])
    """
    for gradient in _gradients(parameters):
        gradient.device.xp.clip(gradient._array, -clip_value, clip_value, out=gradient._array)
        changed(gradient._array, "clip_grad_value_")
