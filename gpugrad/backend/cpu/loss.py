"""Cross-entropy of logits (N, V) against integer targets (N,), forward and backward.

V may be a whole vocabulary, so the (N, V) probabilities are never kept: forward takes a few rows at a time, with their
exponentials in scratch, and keeps two numbers a row, a shift (its largest logit, or 0) and the sum of the shifted
exponentials. From these backward makes the probabilities again, straight into the gradient. Their combination
m + log(s) would be one number less, but it loses log(s) next to a large m, and with it every digit of the gradient.
"""

import numpy as np

from . import memory, threads
from .softmax import peaks, shifted

BLOCK = 1 << 19  # elements of a block: a share of the caches, and few enough calls for threads to overlap
SHARE = 1 << 17  # elements that are worth a thread


def cross_entropy_forward(logits, target, *, ignore_index: int, label_smoothing: float, weight=None):
    """The loss of each row, and what backward needs of it.

    weight is (V,) or None. Returns (losses, lse): losses (N,), 0 where target is `ignore_index`; lse (2, N), the
    largest logit m of each row and s = sum(exp(logits - m)), so that m + log(s) is the row's log-sum-exp.
    """
    count, classes = logits.shape
    safe, coefficient = _coefficients(logits, target, ignore_index, label_smoothing, weight)
    losses, lse = np.zeros(count, logits.dtype), np.zeros((2, count), logits.dtype)
    smooth = label_smoothing / max(1, classes)

    def measure(block: slice, scratch: np.ndarray) -> None:
        rows = logits[block]
        peak = peaks(rows, 1)
        moved = shifted(rows, peak, scratch[: len(rows)])
        loss = -coefficient[block] * moved[np.arange(len(rows)), safe[block]]
        if smooth:
            loss -= smooth * (np.einsum("ij->i", moved) if weight is None else moved @ weight)
        total = np.einsum("ij->i", np.exp(moved, out=scratch[: len(rows)]))
        loss += _row_weight(coefficient[block], smooth, classes, weight) * np.log(total)
        losses[block] = loss
        lse[:, block] = peak[:, 0], total

    _over_rows(measure, logits, scratch=True)
    losses[target == ignore_index] = 0
    return losses, lse


def cross_entropy_backward(g, logits, target, lse, *, ignore_index: int, label_smoothing: float, weight=None):
    """The gradient of the logits (N, V), where g (N,) is the gradient of the losses."""
    classes = logits.shape[1]
    safe, coefficient = _coefficients(logits, target, ignore_index, label_smoothing, weight)
    g = np.where(target == ignore_index, logits.dtype.type(0), g)
    smooth = label_smoothing / max(1, classes)
    out = memory.empty(logits.shape, logits.dtype)

    def differentiate(block: slice, _) -> None:
        rows, result, grad = logits[block], out[block], g[block]
        peak, total = lse[:, block]
        np.exp(shifted(rows, peak[:, None], result), out=result)
        scale = grad * _row_weight(coefficient[block], smooth, classes, weight) / total
        np.multiply(result, scale[:, None], out=result)
        if smooth:
            result -= (grad * smooth)[:, None] if weight is None else (grad * smooth)[:, None] * weight
        result[np.arange(len(rows)), safe[block]] -= grad * coefficient[block]

    _over_rows(differentiate, logits, scratch=False)
    return out


def _coefficients(logits, target, ignore_index: int, label_smoothing: float, weight):
    """Targets with the ignored ones set to 0, and what each row's target class counts: (1 - smoothing) * weight."""
    ignored = target == ignore_index
    safe = np.where(ignored, 0, target)
    classes = logits.shape[1]
    if safe.size and not (0 <= safe.min() and safe.max() < classes):
        wrong = safe[(safe < 0) | (safe >= classes)][0]
        raise IndexError(f"cross_entropy: target {wrong} is not a class index below {classes}")
    one = logits.dtype.type(1 - label_smoothing)
    return safe, np.full(len(safe), one) if weight is None else one * weight[safe]


def _row_weight(coefficient, smooth: float, classes: int, weight):
    """The factor of each row's log-sum-exp in its loss: the weights of its target and of the smoothed classes."""
    if not smooth:
        return coefficient
    return coefficient + smooth * (classes if weight is None else float(weight.sum(dtype=np.float64)))


def _over_rows(task, logits: np.ndarray, *, scratch: bool) -> None:
    """`task(block, scratch)` over slices of rows, each thread with its own scratch of one block if asked for."""
    if logits.size == 0:
        return
    count, classes = logits.shape
    step = min(count, max(1, BLOCK // classes))

    def run(part: slice) -> None:
        space = np.empty((step, classes), logits.dtype) if scratch else None
        with np.errstate(all="ignore"):
            for i in range(part.start, part.stop, step):
                task(slice(i, min(i + step, part.stop)), space)

    threads.parallel(run, threads.chunks(count, 1 + SHARE // classes))
