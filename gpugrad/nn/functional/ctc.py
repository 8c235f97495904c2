"""Connectionist temporal classification with PyTorch's arguments."""

from typing import Any

import numpy as np

from ...autograd.convert import asarray
from ...autograd.op import OPS
from ...autograd.tensor import Tensor
from ...errors import DTypeError, OutOfRangeError, ShapeError
from ...ops.ctc import ctc_losses
from .loss import reduced

__all__ = ["ctc_loss"]


def _lengths(name: str, given: Any, n: int, like: Tensor) -> Tensor:
    """Return the lengths as a Tensor (n,) of integers on the device of `like`. Raises DTypeError and ShapeError
    otherwise."""
    lengths = asarray(given, device=like.device).reshape((-1,))
    if lengths.dtype.kind not in "iu":
        raise DTypeError(f"ctc_loss: {name} must be integers, got {lengths.dtype}")
    if lengths.shape != (n,):
        raise ShapeError(f"ctc_loss: {name} must have one number for each of {n} inputs, got {lengths.shape}")
    return lengths


def _rows(targets: Tensor, lengths: Tensor) -> Tensor:
    """Return targets that come one after the other, (sum of lengths,), as rows (N, longest); elements behind an end do
    not count."""
    host = np.asarray(lengths.device.to_host(lengths._array))
    if targets.shape[0] != host.sum():
        raise ShapeError(f"ctc_loss: target_lengths add up to {host.sum()}, but targets has {targets.shape[0]}")
    places = np.cumsum(host)[:, None] - host[:, None] + np.arange(host.max(initial=0))
    places = np.minimum(places, max(targets.shape[0] - 1, 0))
    return OPS["take"](targets, asarray(places, device=targets.device), axis=0)


def _check(log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor) -> None:
    """Raise OutOfRangeError for lengths and labels that do not exist; on the CPU only: elsewhere it would wait."""
    if log_probs.device.type != "cpu":
        return
    t, n, c = log_probs.shape
    for name, lengths, most in (("input", input_lengths, t), ("target", target_lengths, targets.shape[1])):
        if n and not (0 <= lengths._array.min() and lengths._array.max() <= most):
            raise OutOfRangeError(f"ctc_loss: {name}_lengths must be from 0 to {most}, got {lengths._array.tolist()}")
    used = targets._array[np.arange(targets.shape[1]) < target_lengths._array[:, None]]
    if used.size and not (0 <= used.min() and used.max() < c):
        raise OutOfRangeError(f"ctc_loss: labels from {used.min()} to {used.max()} among {c} classes")


def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Compute -log of the probability that log_probs (T, N, C), or (T, C), spell `targets` with repeats and blanks
    removed.

    targets is (N, S), or has all targets one after the other (sum of target_lengths,). The lengths (N,) say how much of
    each row counts. reduction "none" gives (N,); "mean" divides each loss by its target's length first. A target that
    does not fit its input gives inf (0 if zero_infinity) and no gradient. The gradient is that of log_probs as free
    numbers; PyTorch's is another one, which log_softmax turns into the same. Raises ShapeError, DTypeError and
    OutOfRangeError for arguments that do not fit each other. See A. Graves et al. 2006, section 4.

    >>> log_probs = F.log_softmax(gg.zeros((5, 1, 3)), dim=2)
    >>> F.ctc_loss(log_probs, gg.tensor([[1, 2]]), gg.tensor([5]), gg.tensor([2])).round(decimals=4)
    tensor(0.9689)
    """
    log_probs = asarray(log_probs)
    if log_probs.ndim not in (2, 3):
        raise ShapeError(f"ctc_loss: expected log_probs (T, N, C) or (T, C), got {log_probs.shape}")
    single = log_probs.ndim == 2
    log_probs = log_probs.unsqueeze(1) if single else log_probs
    n, targets = log_probs.shape[1], asarray(targets, device=log_probs.device)
    input_lengths = _lengths("input_lengths", input_lengths, n, log_probs)
    target_lengths = _lengths("target_lengths", target_lengths, n, log_probs)
    targets = targets.reshape((1, -1)) if single else targets
    targets = _rows(targets, target_lengths) if targets.ndim == 1 else targets
    if targets.ndim != 2 or targets.shape[0] != n or targets.dtype.kind not in "iu":
        raise ShapeError(f"ctc_loss: expected integer targets ({n}, S), got {targets.dtype} {targets.shape}")
    _check(log_probs, targets, input_lengths, target_lengths)
    losses = ctc_losses(log_probs, targets, input_lengths, target_lengths, blank=blank)
    if zero_infinity:
        losses = OPS["where"](OPS["isinf"](losses), 0.0, losses)
    if reduction == "mean":
        losses = losses / OPS["maximum"](target_lengths, 1).to(dtype=losses.dtype)
    return reduced("ctc_loss", losses.squeeze(0) if single and reduction == "none" else losses, reduction)
