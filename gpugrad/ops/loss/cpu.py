"""The CPU path of cross-entropy: logits (N, V) against integer targets (N,).

V may be a whole vocabulary, so the (N, V) probabilities are never kept: forward takes a few rows at a time, with their
exponentials in scratch, and keeps two numbers a row, a shift (its largest logit, or 0) and the sum of the shifted
exponentials. From these backward makes the probabilities again, straight into the gradient. Their combination
m + log(s) would be one number less, but it loses log(s) next to a large m, and with it every digit of the gradient.
"""

import numpy as np

from ...backend.cpu import memory
from ...backend.cpu.loops import each_part
from ...backend.cpu.rows import BLOCK, over_parts
from . import cross_entropy_rows, divided, divisor, kept_rows, loops

SAFE = 40.0  # neither exp(x) nor its sum over a row leaves the numbers with all digits if no |x| is larger
NARROW = 64  # classes of which NumPy finds the largest one slowly, row by row


@cross_entropy_rows.path("cpu")
def cross_entropy_cpu(logits, target, weight, *, ignore_index, label_smoothing, reduction):
    kept = kept_rows(logits, target, weight, ignore_index)
    losses, lse = _losses(logits, target, kept, weight, label_smoothing)
    if reduction == "none":
        return losses, {"lse": lse, "kept": kept, "total": None}
    if reduction == "mean" and weight is None and kept is None and target.size:
        total = logits.dtype.type(target.size)
    else:
        total = divisor(target, weight, ignore_index, reduction, logits.dtype)
    return losses.sum() / total, {"lse": lse, "kept": kept, "total": total}


def _losses(logits, target, kept, weight, label_smoothing: float):
    """Return (losses, lse) of the rows.

    target (N,) holds classes, which exist where `kept` (N,) is true, or everywhere if that is None; weight is (V,) or
    None. losses (N,) is 0 where not `kept`. lse (2, N) holds the shift m of each row and s = sum(exp(logits - m)), so
    that m + log(s) is the row's log-sum-exp.
    """
    count, classes = logits.shape
    safe, own, whole = _targets(logits, target, kept, weight, label_smoothing)
    losses, lse = np.zeros(count, logits.dtype), np.zeros((2, count), logits.dtype)
    smooth = label_smoothing / max(1, classes)
    if (compiled := _loop(loops.row_sums, logits, weight, smooth)) is not None:
        logits, plain = np.ascontiguousarray(logits), np.empty(count, logits.dtype)
        each_part(lambda part: compiled(lse[0, part], lse[1, part], plain[part], logits[part]), count, classes)
        chosen = _weighted(logits[np.arange(count), safe] - lse[0], own, slice(None))
        np.subtract(_weighted(np.log(lse[1]), whole, slice(None)), chosen + smooth * plain, out=losses)
        if kept is not None:
            losses[~kept] = 0
        return losses, lse

    def measure(block: slice, scratch: np.ndarray) -> None:
        rows = logits[block]
        scratch = scratch[: len(rows)]
        peak = _peaks(rows)
        if peak is None:
            shifted = rows
        else:
            lse[0, block] = peak
            shifted = np.subtract(rows, peak[:, None], out=scratch)
        chosen = _weighted(shifted[np.arange(len(rows)), safe[block]], own, block)
        if smooth:
            chosen += smooth * (np.einsum("ij->i", shifted) if weight is None else shifted @ weight)
        total = lse[1, block] = np.einsum("ij->i", np.exp(shifted, out=scratch))
        np.subtract(_weighted(np.log(total), whole, block), chosen, out=losses[block])

    _over_blocks(measure, logits, scratch=True)
    if kept is not None:
        losses[~kept] = 0
    return losses, lse


@cross_entropy_cpu.backward
def cross_entropy_cpu_backward(g, logits, target, weight, label_smoothing, lse, kept, total):
    """Return the gradient of the logits (N, V); g is (N,), or () for all rows alike."""
    if total is not None:
        g = divided(g, total)
    classes = logits.shape[1]
    safe, own, whole = _targets(logits, target, kept, weight, label_smoothing)
    if kept is not None:
        g = np.where(kept, g, logits.dtype.type(0))
    smooth = label_smoothing / max(1, classes)
    out = memory.empty(logits.shape, logits.dtype)
    if (compiled := _loop(loops.gradient, logits, weight, smooth)) is not None:
        logits, g = np.ascontiguousarray(logits), np.broadcast_to(g, len(logits)).astype(logits.dtype)
        rows = out, logits, lse[0], _weighted(g, whole, slice(None)) / lse[1], g * logits.dtype.type(smooth)
        each_part(lambda part: compiled(*[a[part] for a in rows]), *logits.shape)
        out[np.arange(len(logits)), safe] -= _weighted(g, own, slice(None))
        return out

    def differentiate(block: slice, _) -> None:
        rows, result = logits[block], out[block]
        grad = g[block] if g.ndim else g
        peak, total = lse[:, block]
        np.exp(np.subtract(rows, peak[:, None], out=result) if peak.any() else rows, out=result)
        np.multiply(result, (_weighted(grad, whole, block) / total)[:, None], out=result)
        if smooth:
            share = (grad * smooth)[..., None]
            result -= share if weight is None else share * weight
        result[np.arange(len(rows)), safe[block]] -= _weighted(grad, own, block)

    _over_blocks(differentiate, logits, scratch=False)
    return out


def _loop(loop, logits, weight, smooth: float):
    """Return the compiled loop for these logits, None if NumPy is to do the work: smoothing by weights it does."""
    return None if smooth and weight is not None else loop.chosen(logits)


def _targets(logits, target, kept, weight, label_smoothing: float):
    """Return the targets, with 0 where not `kept`, and the weights of each row's target class and log-sum-exp.

    Without class weights these are one number for all rows, or None for 1."""
    safe = target if kept is None else np.where(kept, target, 0)
    if weight is None:
        return safe, logits.dtype.type(1 - label_smoothing) if label_smoothing else None, None
    own = logits.dtype.type(1 - label_smoothing) * weight[safe]
    mean = weight.sum(dtype=np.float64) / max(1, len(weight))
    return safe, own, own + logits.dtype.type(label_smoothing * mean) if label_smoothing else own


def _weighted(values, factor, block: slice):
    """Return values * factor, where the factor may be one number for all rows, or None for 1."""
    if factor is None:
        return values
    return values * (factor[block] if factor.ndim else factor)


def _peaks(x: np.ndarray) -> np.ndarray | None:
    """Return the shifts of the rows of x with which exp(x) stays finite: their maxima, or None if x is small.

    The shift cancels out, and leaving it out saves a pass.
    """
    if x.shape[1] < NARROW and -SAFE <= x.min() and x.max() <= SAFE:
        return None
    peak = np.maximum.reduce(x, axis=1)
    return None if 0 <= peak.min() and peak.max() <= SAFE else peak


def _over_blocks(task, logits: np.ndarray, *, scratch: bool) -> None:
    """Run `task(block, scratch)` over slices of rows, each thread with its own scratch of one block if asked for."""
    if logits.size == 0:
        return
    count, classes = logits.shape
    step = min(count, max(1, BLOCK // classes))

    def run(part: slice) -> None:
        space = np.empty((step, classes), logits.dtype) if scratch else None
        for i in range(part.start, part.stop, step):
            task(slice(i, min(i + step, part.stop)), space)

    over_parts(run, count, classes, classes)
