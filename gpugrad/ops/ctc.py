"""Connectionist temporal classification (A. Graves et al. 2006): the loss of an unsegmented labelling.

A target l_1 .. l_S becomes the 2 S + 1 states blank, l_1, blank, ..., l_S, blank; a path moves on by no, one or (past a
blank between different labels) two states each step. All states of all samples are computed at once; the one loop is
over time. Logarithms stop at -1e30 instead of -inf, so that no difference of infinities arises.
"""

import math
from typing import Any

import numpy as np

from ..autograd.functional import grad
from ..autograd.op import Fixed, op, xp
from ..autograd.tensor import Tensor, wrap

__all__ = []

_NEVER = -1e30


def _states(targets: Any, lengths: Any, blank: int) -> tuple[Any, Any, Any]:
    """Return three arrays (N, 2 S + 1) about the states of each target.

    They hold the label of each state; 0 where a path may skip a state to get there (come from two states before),
    else _NEVER; and 0 where a path may end, else _NEVER.
    """
    ns, (n, s) = xp(targets), targets.shape
    last, state = 2 * lengths[:, None], xp(targets).arange(2 * s + 1)
    targets = ns.where(ns.arange(s) < lengths[:, None], targets, blank)
    labels = ns.full((n, 2 * s + 1), blank, targets.dtype)
    labels[:, 1::2] = targets
    closed = ns.ones(labels.shape, bool)
    closed[:, 3::2] = targets[:, 1:] == targets[:, :-1]
    ends = (state == last) | (state == last - 1)
    return labels, ns.where(closed, _NEVER, 0.0), ns.where(ends, 0.0, _NEVER)


def _shifted(alpha: Any, by: int) -> Any:
    """Return alpha (N, L) with each state's value moved on by `by` states, backwards if that is negative."""
    padded = xp(alpha).pad(alpha, ((0, 0), (by, 0) if by > 0 else (0, -by)), constant_values=_NEVER)
    return padded[:, : alpha.shape[1]] if by > 0 else padded[:, -by:]


def _logaddexp3(a: Any, b: Any, c: Any) -> Any:
    """Return log(exp a + exp b + exp c)."""
    return xp(a).logaddexp(xp(a).logaddexp(a, b), c)


def _constant(array: Any, like: Any) -> Any:
    """Return a constant array as an array or a Tensor, as `like` is; a floating-point one gets the dtype of `like`."""
    array = array.astype(like.dtype) if array.dtype.kind == "f" else array
    return wrap(array, like.device, None) if isinstance(like, Tensor) else array


def _label_log_probs(log_probs: Any, labels: Any) -> Any:
    """Return the log-probability of each state's label at each time: (T, N, 2 S + 1)."""
    index = xp(labels).broadcast_to(labels, (log_probs.shape[0], *labels.shape))
    return xp(log_probs).maximum(xp(log_probs).take_along_axis(log_probs, _constant(index, log_probs), axis=2), _NEVER)


def _alphas(emitted: Any, skip: Any, input_lengths: Any) -> list:
    """Return the forward variables (N, 2 S + 1) of each time, in a list.

    They are the log of the probability of all paths that are in a state at that time. After an input's end they keep
    their values.
    """
    ns, states = xp(emitted), xp(skip).arange(skip.shape[1])
    begin = _constant(xp(skip).where(states < 2, 0.0, _NEVER), emitted)
    alphas = [ns.maximum(emitted[0] + begin, _NEVER)]
    for t in range(1, len(emitted)):
        a = alphas[-1]
        moved = _logaddexp3(a, _shifted(a, 1), _shifted(a, 2) + _constant(skip, emitted)) + emitted[t]
        running = _constant(input_lengths[:, None] > t, emitted)
        alphas.append(ns.where(running, ns.maximum(moved, _NEVER), a))
    return alphas


def _losses_at_end(last: Any, ends: Any) -> Any:
    """Return the losses (N,), inf if no path gets through."""
    ns = xp(last)
    last = ns.maximum(last + _constant(ends, last), _NEVER)
    top = last.max(axis=1, keepdims=True)
    losses = -(ns.log(ns.exp(last - top).sum(axis=1)) + top.squeeze(1))
    return ns.where(losses > -0.1 * _NEVER, math.inf, losses)


def _losses(log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int) -> Any:
    """Return the losses, computed by functions that arrays and Tensors have, so that log_probs may be either."""
    labels, skip, ends = _states(targets, target_lengths, blank)
    losses = _losses_at_end(_alphas(_label_log_probs(log_probs, labels), skip, input_lengths)[-1], ends)
    nothing = _constant(xp(targets).where(target_lengths == 0, 0.0, math.inf), losses)  # what no input spells
    return xp(losses).where(_constant(input_lengths > 0, losses), losses, nothing)


@op(
    samples=lambda s: [
        s.case(np.log(s.uniform(0.1, 1, 6, 3, 3)), 1 + s.ints(2, 3, 2), np.array([6, 5, 3]), np.array([2, 1, 1])),
        s.case(np.log(s.uniform(0.1, 1, 3, 1, 2)), np.array([[1, 1]]), np.array([3]), np.array([2])),
        s.case(np.log(s.uniform(0.1, 1, 2, 2, 2)), np.zeros((2, 0), np.int64), np.array([2, 1]), np.array([0, 0])),
        s.case(np.log(s.uniform(0.1, 1, 2, 1, 3)), np.array([[0, 1]]), np.array([2]), np.array([2]), blank=2),
        s.case(np.log(s.uniform(0.1, 1, 2, 2, 3)), np.array([[1], [1]]), np.array([0, 2]), np.array([0, 1])),
        s.case(np.log(s.uniform(0.1, 1, 1, 0, 4)), np.zeros((0, 2), np.int64), np.zeros(0, int), np.zeros(0, int)),
    ],
    autocast={"cpu": "float32"},
)
def ctc_losses(log_probs, targets: Fixed, input_lengths: Fixed, target_lengths: Fixed, *, blank=0):
    """Return -log of the probability of all alignments: log_probs (T, N, C), targets (N, S), lengths (N,) -> (N,).

    It is inf, with a gradient of zero, if a target does not fit its input; an input of length 0 spells the empty target
    alone. Raises ShapeError for shapes that do not
    agree.
    """
    t, n, c = log_probs.shape
    if t < 1 or targets.ndim != 2 or not len(targets) == len(input_lengths) == len(target_lengths) == n:
        raise ValueError("expected log_probs (T, N, C) with T > 0, targets (N, S) and lengths (N,)")
    if not 0 <= blank < c:
        raise ValueError(f"blank must be one of the {c} classes, got {blank}")
    return _losses(log_probs, targets, input_lengths, target_lengths, blank)


def _log_probs_gradient(g, log_probs, targets, input_lengths, target_lengths, out, blank):
    """Return minus the probability to be in a state of each class at each time (eq. 15 of the paper)."""
    if isinstance(g, Tensor):  # to be differentiated again: by the ops that the losses are made of
        targets, input_lengths, target_lengths = (t._array for t in (targets, input_lengths, target_lengths))
        losses = _losses(log_probs, targets, input_lengths, target_lengths, blank)
        return grad(losses, log_probs, g, create_graph=True)[0]
    labels, skip, ends = _states(targets, target_lengths, blank)
    ns, emitted, lengths = xp(g), _label_log_probs(log_probs, labels), input_lengths[:, None]
    skip, ends = skip.astype(emitted.dtype), ends.astype(emitted.dtype)
    alphas, loss = _alphas(emitted, skip, input_lengths), ns.where(ns.isinf(out), 2 * _NEVER, out)[:, None]
    occupied, beta = ns.empty(emitted.shape, emitted.dtype), ends
    for t in range(len(alphas) - 1, -1, -1):
        if t + 1 < len(alphas):
            after = beta + emitted[t + 1]
            moved = ns.maximum(_logaddexp3(after, _shifted(after, -1), _shifted(after + skip, -2)), _NEVER)
            beta = ns.where(lengths > t + 1, moved, ends)
        occupied[t] = ns.where(lengths > t, ns.exp(ns.minimum(alphas[t] + beta + loss, 0)), 0)
    index = ns.broadcast_to(labels, emitted.shape)
    return -ns.put_along(occupied * g[:, None], index, axis=2, shape=log_probs.shape)


ctc_losses.vjp(log_probs=_log_probs_gradient)
