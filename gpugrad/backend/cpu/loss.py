"""Cross-entropy of logits (N, V) against integer targets (N,), forward and backward.

V may be a whole vocabulary, so the (N, V) probabilities are never kept: forward takes a few rows at a time, with their
exponentials in scratch, and keeps two numbers a row, a shift (its largest logit, or 0) and the sum of the shifted
exponentials. From these backward makes the probabilities again, straight into the gradient. Their combination
m + log(s) would be one number less, but it loses log(s) next to a large m, and with it every digit of the gradient.
"""

import numpy as np

from . import memory, threads
from .rows import unbuffered

BLOCK = 1 << 19  # elements of a block: a share of the caches, and few enough calls for threads to overlap
SHARE = 1 << 17  # elements that are worth a thread
SAFE = 40.0  # neither exp(x) nor its sum over a row leaves the numbers with all digits if no |x| is larger
NARROW = 64  # classes of which NumPy finds the largest one slowly, row by row


def cross_entropy_forward(logits, target, kept, weight, label_smoothing: float):
    """The loss of each row, and what backward needs of it.

    target (N,): classes, which exist where `kept`; kept (N,) bool, or None: all; weight (V,) or None. Returns (losses,
    lse): losses (N,), 0 where not `kept`; lse (2, N), the shift m of each row and s = sum(exp(logits - m)), so that
    m + log(s) is the row's log-sum-exp.
    """
    count, classes = logits.shape
    safe, own, whole = _targets(logits, target, kept, weight, label_smoothing)
    losses, lse = np.zeros(count, logits.dtype), np.zeros((2, count), logits.dtype)
    smooth = label_smoothing / max(1, classes)

    def measure(block: slice, scratch: np.ndarray) -> None:
        rows = logits[block]
        scratch = scratch[: len(rows)]
        peak = _peaks(rows)
        if peak is None:
            moved = rows
        else:
            lse[0, block] = peak
            moved = np.subtract(rows, peak[:, None], out=scratch)
        chosen = _times(moved[np.arange(len(rows)), safe[block]], own, block)
        if smooth:
            chosen += smooth * (np.einsum("ij->i", moved) if weight is None else moved @ weight)
        total = lse[1, block] = np.einsum("ij->i", np.exp(moved, out=scratch))
        np.subtract(_times(np.log(total), whole, block), chosen, out=losses[block])

    _over_rows(measure, logits, scratch=True)
    if kept is not None:
        losses[~kept] = 0
    return losses, lse


def cross_entropy_backward(g, logits, target, kept, weight, label_smoothing: float, lse):
    """The gradient of the logits (N, V), where g, (N,) or () for all rows alike, is the gradient of the losses."""
    classes = logits.shape[1]
    safe, own, whole = _targets(logits, target, kept, weight, label_smoothing)
    if kept is not None:
        g = np.where(kept, g, logits.dtype.type(0))
    smooth = label_smoothing / max(1, classes)
    out = memory.empty(logits.shape, logits.dtype)

    def differentiate(block: slice, _) -> None:
        rows, result = logits[block], out[block]
        grad = g[block] if g.ndim else g
        peak, total = lse[:, block]
        np.exp(np.subtract(rows, peak[:, None], out=result) if peak.any() else rows, out=result)
        np.multiply(result, (_times(grad, whole, block) / total)[:, None], out=result)
        if smooth:
            spread = grad * smooth
            result -= spread[..., None] if weight is None else spread[..., None] * weight
        result[np.arange(len(rows)), safe[block]] -= _times(grad, own, block)

    _over_rows(differentiate, logits, scratch=False)
    return out


def _targets(logits, target, kept, weight, label_smoothing: float):
    """Targets with 0 where not `kept`, and what each row's target class and its log-sum-exp count: one number for all
    without weights, None for 1."""
    safe = target if kept is None else np.where(kept, target, 0)
    if weight is None:
        return safe, logits.dtype.type(1 - label_smoothing) if label_smoothing else None, None
    own = logits.dtype.type(1 - label_smoothing) * weight[safe]
    mean = weight.sum(dtype=np.float64) / max(1, len(weight))
    return safe, own, own + logits.dtype.type(label_smoothing * mean) if label_smoothing else own


def _times(values, factor, block: slice):
    """values * factor, where the factor may be one number for all rows, or None for 1."""
    if factor is None:
        return values
    return values * (factor[block] if factor.ndim else factor)


def _peaks(x: np.ndarray) -> np.ndarray | None:
    """What to shift the rows of x by so that exp(x) stays finite: their maxima, or None where x is small anyway.

    The shift is a factor that cancels, and no shift saves a pass.
    """
    if x.shape[1] < NARROW and -SAFE <= x.min() and x.max() <= SAFE:
        return None
    peak = np.maximum.reduce(x, axis=1)
    return None if 0 <= peak.min() and peak.max() <= SAFE else peak


def _over_rows(task, logits: np.ndarray, *, scratch: bool) -> None:
    """`task(block, scratch)` over slices of rows, each thread with its own scratch of one block if asked for."""
    if logits.size == 0:
        return
    count, classes = logits.shape
    step = min(count, max(1, BLOCK // classes))

    def run(part: slice) -> None:
        space = np.empty((step, classes), logits.dtype) if scratch else None
        with unbuffered(classes, all="ignore"):
            for i in range(part.start, part.stop, step):
                task(slice(i, min(i + step, part.stop)), space)

    threads.parallel(run, threads.chunks(count, 1 + SHARE // classes))
