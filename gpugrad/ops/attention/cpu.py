"""The CPU path of attention, without the (Tq, Tk) scores of the whole batch.

The work is cut into tasks of a few heads (one head if it is long, many if they are short, so that no step is too small
for NumPy), and each task into blocks of query rows. Only the scores of one block exist at a time, in scratch that stays
in cache. With `causal`, a block of rows i..j multiplies the keys up to j alone: half of the products are never made.
Forward keeps each row's log-sum-exp, from which backward makes the probabilities again.

A row that may attend to nothing has lse = -inf, output 0 and no part in any gradient. Dropout draws the same numbers in
both directions (Philox), so that its mask is not kept either.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...backend.cpu import memory, threads
from ...backend.cpu.rows import over_parts
from ...backend.philox import kept
from . import attention, check_shapes, loops

ROWS = 64  # queries of a block
BLOCK = 1 << 18  # scores of a task's block, where its heads are short: 1 MB in float32
SHARE = 1 << 15  # scores that are worth a thread
CLEAR = 1e-10  # sums of exponentials from here to its inverse need no shift


@attention.path("cpu")
def attention_cpu(q, k, v, mask, *, causal, scale, dropout_p, seed):
    """Return out (B, H, Tq, Dv), and the residual lse (B, H, Tq); query head h reads key head h // (H / Hkv)."""
    check_shapes(q, k, v)
    plan = _Plan(q, k, mask, causal, dropout_p, seed)
    k, v = _for_blas(k), _for_blas(v)
    out = _empty_like(q, v.shape[3])
    lse = np.empty(q.shape[:3], q.dtype)
    loop = loops.exponentials.sized(plan.size, q.dtype)

    def attend(task, scratch) -> None:
        keys, values = k[task], v[task]
        for heads, rows, stop in plan.blocks(task):
            make = functools.partial(plan.scores, q[heads][:, :, rows] * scale, keys, heads, rows, stop, scratch[0])
            scores = make()
            if loop is not None:
                total, peaks = (np.empty(scores.shape[:3], q.dtype) for _ in range(2))
                loop(_rows(scores), total.reshape(-1), peaks.reshape(-1))
                np.add(peaks, np.log(total), out=lse[heads][:, :, rows])
            else:
                total, lse[heads][:, :, rows] = _exponentials(scores, make)
            weighted = _dropped(scores, plan.kept(heads, rows, stop)) @ values[:, :, :stop]
            np.divide(weighted, total[..., None], out=out[heads][:, :, rows])

    if plan.keys:
        plan.run(attend, scratches=1)
    else:
        out[...], lse[...] = 0, -np.inf
    return out, {"lse": lse}


@attention_cpu.backward
def attention_cpu_backward(g, q, k, v, mask, out, lse, causal, scale, dropout_p, seed, needs):
    """Return (gq, gk, gv, None), None where `needs` is false.

    With p the probabilities and dp = g v^T: gv = p^T g, and the scores' gradient is ds = p * (dp - sum(g * out)), from
    which gq = scale * ds k and gk = scale * ds^T q.
    """
    plan = _Plan(q, k, mask, causal, dropout_p, seed)
    g, k, v = _for_blas(g), _for_blas(k), _for_blas(v)
    need_q, need_k, need_v, _ = needs
    grads: list[Any] = [
        _empty_like(a, a.shape[3]) if need else None for a, need in zip((q, k, v), needs[:3], strict=True)
    ]
    gq, gk, gv = grads
    shifts = np.where(lse == -np.inf, 0, lse)[..., None]
    loop, derive = loops.probabilities.sized(plan.size, q.dtype), loops.gradient.sized(plan.size, q.dtype)

    def differentiate(task, scratch) -> None:
        keys, values = k[task], v[task]
        key_sum, value_sum = _Sum(keys), _Sum(values)
        for heads, rows, stop in reversed(list(plan.blocks(task))):  # from the block that sees the most keys
            scaled, grad = q[heads][:, :, rows] * scale, g[heads][:, :, rows]
            p = plan.scores(scaled, keys, heads, rows, stop, scratch[0])
            shift = shifts[heads][:, :, rows]
            if loop is not None:
                loop(_rows(p), np.ascontiguousarray(shift).reshape(-1))
            else:
                np.subtract(p, shift, out=p)
                np.exp(p, out=p)
            factor = plan.kept(heads, rows, stop)
            if need_v:
                value_sum.add(_dropped(p, factor).swapaxes(2, 3), grad)
            if not (need_q or need_k):
                continue
            ds = np.matmul(grad, values[:, :, :stop].swapaxes(2, 3), out=_take(scratch[1], p.shape))
            ds, delta = _dropped(ds, factor), np.vecdot(grad, out[heads][:, :, rows])
            if derive is not None:
                derive(_rows(ds), _rows(p), delta.reshape(-1))
            else:
                np.subtract(ds, delta[..., None], out=ds)
                np.multiply(ds, p, out=ds)
            if need_q:
                np.multiply(ds @ keys[:, :, :stop], scale, out=gq[heads][:, :, rows])
            if need_k:
                key_sum.add(ds.swapaxes(2, 3), scaled)
        if need_k:
            gk[task] = key_sum.total
        if need_v:
            gv[task] = value_sum.total

    if plan.keys and plan.queries:
        plan.run(differentiate, scratches=2)
    else:
        for grad in grads:
            if grad is not None:
                grad[...] = 0
    return gq, gk, gv, None


class _Sum:
    """Sums products over blocks and heads, each for the first `stop` keys, in contiguous memory."""

    def __init__(self, like: np.ndarray):
        self.total, self.begun = np.empty(like.shape, like.dtype), False

    def add(self, x: np.ndarray, y: np.ndarray) -> None:
        """Add x (..., stop, rows) @ y (..., rows, D)."""
        stop = x.shape[2]
        if self.begun:
            self.total[:, :, :stop] += x @ y
        else:
            np.matmul(x, y, out=self.total[:, :, :stop])
            self.total[:, :, stop:] = 0
            self.begun = True


class _Plan:
    """Cuts one attention into tasks (slices of the batch and of the key heads) and tasks into blocks of queries."""

    def __init__(self, q, k, mask, causal: bool, dropout_p: float, seed: int):
        self.batch, self.heads, self.queries = q.shape[:3]
        self.key_heads, self.keys = k.shape[1:3]
        self.group = self.heads // max(1, self.key_heads)
        self.mask = None if mask is None else np.broadcast_to(mask, (*q.shape[:3], self.keys))
        self.causal, self.dropout_p, self.seed = causal, dropout_p, seed
        self.dtype, self.size = q.dtype, math.prod(q.shape[:3]) * self.keys
        self.head_block = max(1, min(ROWS, self.queries) * self.keys)  # scores of one head's block
        share = -(-self.batch * self.key_heads // threads.get_num_threads())  # heads for each thread
        self.together = max(1, min(BLOCK // self.head_block, share))

    def tasks(self) -> list[tuple[slice, slice]]:
        head_step = max(1, min(self.together, self.key_heads))
        batch_step = max(1, self.together // max(1, self.key_heads))
        return [
            (slice(b, min(b + batch_step, self.batch)), slice(h, min(h + head_step, self.key_heads)))
            for b in range(0, self.batch, batch_step)
            for h in range(0, self.key_heads, head_step)
        ]

    def run(self, step, scratches: int) -> None:
        """Run `step(task, scratch)` for all tasks; each thread has its own scratch, `scratches` flat arrays."""
        tasks = self.tasks()
        work = self.queries * self.keys * self.group * self.together

        def share(part: slice) -> None:
            scratch = np.empty((scratches, self.head_block * self.together), self.dtype)
            for task in tasks[part]:
                step(task, scratch)

        over_parts(share, len(tasks), max(1, work), self.keys, SHARE)

    def blocks(self, task):
        """Yield the index of the query heads, the query rows and the number of keys they may see, block by block."""
        batch, head = task
        for member in range(self.group):
            heads = batch, slice(head.start * self.group + member, head.stop * self.group, self.group)
            for start in range(0, self.queries, ROWS):
                rows = slice(start, min(start + ROWS, self.queries))
                yield heads, rows, min(rows.stop, self.keys) if self.causal else self.keys

    def scores(self, q, keys, heads, rows: slice, stop: int, scratch) -> np.ndarray:
        """Fill scratch with one block of q k^T, masked: (b, h, rows, stop)."""
        out = _take(scratch, (*q.shape[:3], stop))
        np.matmul(q, keys[:, :, :stop].swapaxes(2, 3), out=out)
        if self.causal and rows.start < stop:
            diagonal = out[..., rows.start :]
            np.add(diagonal, _causal_bias(ROWS, self.dtype)[: q.shape[2], : stop - rows.start], out=diagonal)
        if self.mask is not None:
            mask = self.mask[heads][:, :, rows, :stop]
            np.add(out, _bias(mask, self.dtype) if mask.dtype == bool else mask, out=out, casting="same_kind")
        return out

    def kept(self, heads, rows: slice, stop: int) -> np.ndarray | None:
        """Return dropout's factors of one block of weights, (b, h, rows, stop), or None without dropout."""
        p = self.dropout_p
        if p == 0:
            return None
        batch, head, row = (np.arange(s.start, s.stop, s.step or 1, dtype=np.uint64) for s in (*heads, rows))
        number = (batch[:, None, None] * self.heads + head[:, None]) * self.queries + row
        counter = number[..., None] * -(-self.keys // 4) + np.arange(-(-stop // 4), dtype=np.uint64)
        return kept(counter, p, self.seed)[..., :stop].astype(self.dtype) * self.dtype.type(1 / (1 - p) if p < 1 else 0)


def _dropped(weights: np.ndarray, factor: np.ndarray | None) -> np.ndarray:
    return weights if factor is None else weights * factor


@functools.cache
def _causal_bias(size: int, dtype) -> np.ndarray:
    """Return (size, size) with -inf above the diagonal and 0 elsewhere."""
    return np.triu(np.full((size, size), -np.inf, dtype), 1)


def _bias(mask: np.ndarray, dtype) -> np.ndarray:
    """Return 0 where mask (bool) is True, -inf elsewhere: from bits, since where() takes three times as long."""
    bits = np.int32 if dtype.itemsize == 4 else np.int64
    chosen = (mask.view(np.int8) - np.int8(1)).astype(bits)  # True becomes 0, False all ones
    return np.bitwise_and(chosen, np.array(-np.inf, dtype).view(bits), out=chosen).view(dtype)


def _take(scratch: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the start of flat `scratch` in the given shape: contiguous, unlike a corner of a larger block."""
    return scratch[: math.prod(shape)].reshape(shape)


def _exponentials(scores: np.ndarray, make: Callable[[], Any]) -> tuple[np.ndarray, np.ndarray]:
    """Make exp(scores - peak) in place; return the divisor of each row, and its log-sum-exp.

    It first tries without a peak, which saves two passes if the sums are in range; if not, `make` restores the scores.
    """
    total = _row_sums(np.exp(scores, out=scores))
    if total.min() >= CLEAR and total.max() <= 1 / CLEAR:
        return total, np.log(total)
    make()
    peak = np.maximum.reduce(scores, axis=-1)
    # A row of -inf is shifted by 0: its exponentials are 0 then, not NaN.
    np.subtract(scores, np.where(peak == -np.inf, 0, peak)[..., None], out=scores)
    total = _row_sums(np.exp(scores, out=scores))
    return np.where(total == 0, 1, total), peak + np.log(total)


def _rows(a: np.ndarray) -> np.ndarray:
    return a.reshape(-1, a.shape[-1])


def _row_sums(a: np.ndarray) -> np.ndarray:
    return np.einsum("ij->i", _rows(a)).reshape(a.shape[:-1])


def _for_blas(a: np.ndarray) -> np.ndarray:
    """Return `a` itself if BLAS can read its matrices (rows contiguous and apart), else a copy."""
    inside, across = a.strides[-1], a.strides[-2]
    return a if inside == a.itemsize and across >= a.shape[-1] * inside else np.ascontiguousarray(a)


def _empty_like(a: np.ndarray, width: int) -> np.ndarray:
    """Make memory for (B, H, T, width), with the heads behind T if `a` has them there: joining needs no copy then."""
    batch, heads, length = a.shape[:3]
    if a.strides[1] < a.strides[2]:
        return memory.empty((batch, length, heads, width), a.dtype).swapaxes(1, 2)
    return memory.empty((batch, heads, length, width), a.dtype)
