"""Cross-entropy of logits and class indices, as one op that never keeps the table of probabilities; and of
probabilities of two classes."""

import math
from typing import Any

import numpy as np

from ...autograd.convert import raw
from ...autograd.op import Fixed, op, xp

__all__ = []


def _coefficients(logits: Any, target: Any, weight: Any, ignore_index: int, label_smoothing: float) -> Any:
    """Return q (N, C) such that the loss of row n is -sum_c q[n, c] * log_softmax(logits)[n, c]."""
    ns = xp(target)
    count = logits.shape[1]
    kept = target != ignore_index
    ones = (ns.arange(count) == target[:, None]) & kept[:, None]
    q = ones * (1 - label_smoothing) + kept[:, None] * (label_smoothing / max(count, 1))
    return (q if weight is None else q * weight).astype(logits.dtype)


def check_shapes(logits: Any, target: Any, weight: Any) -> None:
    """Raise ValueError or TypeError (ShapeError, DTypeError for the caller) for inputs that do not fit."""
    if logits.ndim != 2 or target.shape != logits.shape[:1]:
        raise ValueError(f"logits must be (N, C) and target (N,), got {logits.shape} and {target.shape}")
    if target.dtype.kind not in "iu":
        raise TypeError(f"class indices must be integers, got {target.dtype}")
    if weight is not None and weight.shape != logits.shape[1:]:
        raise ValueError(f"weight must have one value per class, {logits.shape[1:]}, got {weight.shape}")


def kept_rows(logits: Any, target: Any, weight: Any, ignore_index: int) -> Any:
    """Return which rows count (N,), or None for all. Raises IndexError for a class that does not exist."""
    check_shapes(logits, target, weight)
    if not target.size:
        return None
    highest = target.view(f"u{target.itemsize}").max()  # a negative class is a very large one there
    if highest < logits.shape[1] and not 0 <= ignore_index <= highest:
        return None
    kept = target != ignore_index
    wrong = kept & ((target < 0) | (target >= logits.shape[1]))
    if wrong.any():
        raise IndexError(f"class {int(target[wrong][0])} among {logits.shape[1]} classes (ignore_index={ignore_index})")
    return kept


def check_reduction(reduction: str) -> None:
    """Raise ValueError unless the losses are to be added up or averaged."""
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")


def divisor(target: Any, weight: Any, ignore_index: int, reduction: str, dtype: Any) -> Any:
    """Return the divisor of the sum of the losses: for "mean" the weight of the rows that count, NaN if none does."""
    check_reduction(reduction)
    if reduction == "sum":
        return 1
    kept = target != ignore_index
    total = (kept if weight is None else weight[kept * target] * kept).sum().astype(dtype)
    return xp(target).where(total == 0, math.nan, total).astype(dtype)


def divided(g: Any, total: Any) -> Any:
    """Return g / total for a `divisor`; 0 where that is NaN: the mean of no losses depends on nothing."""
    return g / (xp(total).where(total != total, math.inf, total) if hasattr(total, "dtype") else total)


@op(
    samples=lambda s: [
        s.case(s(4, 5), s.ints(5, 4)),
        s.case(
            s(2, 3), s.ints(1, 2), ignore_index=0, reduction="mean", smooth=False, gradient={"logits": np.zeros((2, 3))}
        ),
        s.case(s(3, 2), s.ints(2, 3), s.uniform(0.5, 2, 2), label_smoothing=0.1),
        s.case(s(3, 4), s.ints(3, 3) * 0 + 1, ignore_index=1),
        s.case(s(0, 3), s.ints(3, 0)),
        s.case(s(2, 1), s.ints(1, 2)),
        s.case(s(8, 3).T * 30, s.ints(8, 3), label_smoothing=0.3),
        s.case(s(4, 5), s.ints(5, 4), reduction="mean"),
        s.case(s(4, 3), s.ints(2, 4), s.uniform(0.5, 2, 3), ignore_index=1, label_smoothing=0.1, reduction="mean"),
        s.case(s(3, 2), s.ints(2, 3), reduction="sum"),
    ],
    bench=lambda s: (s.case(s(n, c), s.ints(c, n)) for n, c in ((1024, 8192), (256, 10), (256, 1000), (4096, 32000))),
    flops=lambda logits: (4 * logits.size, 4 * logits.size),
    autocast="float32",
)
def cross_entropy_rows(
    logits, target: Fixed, weight: Fixed = None, *, ignore_index=-100, label_smoothing=0.0, reduction="none"
):
    """Return the loss of each row: logits (N, C), target (N,) integer, weight (C,) -> (N,).

    loss = -(1 - s) w[t] log p[t] - s/C sum_c w[c] log p[c], with p = softmax(logits) and s = label_smoothing (Szegedy
    et al. 2016, section 7). Rows of `ignore_index` give 0. With reduction "sum" the result is the sum of all, (); with
    "mean" it is this divided by the sum of w[t] over the rows that count. A class that does not exist raises
    OutOfRangeError; on cuda devices it gives NaN, because an error would have to wait for the device (without classes
    it raises there too).

    >>> from gpugrad.ops.loss import cross_entropy_rows
    >>> cross_entropy_rows(gg.tensor([[0.0, 0.0], [100.0, 0.0]]), gg.tensor([0, 1])).round(decimals=4)
    tensor([  0.6931, 100.    ])
    """
    kept_rows(logits, target, weight, ignore_index)
    if logits.size:
        q = _coefficients(logits, target, weight, ignore_index, label_smoothing)
        losses = -(q * xp(logits).log_softmax(logits, axis=1)).sum(axis=1)
    else:
        losses = xp(logits).zeros(target.shape, logits.dtype)
    if reduction == "none":
        return losses
    return losses.sum() / divisor(target, weight, ignore_index, reduction, logits.dtype)


def _logits_gradient(g, logits, target, weight, ignore_index, label_smoothing, reduction):
    target, weight = raw((target, weight))
    q = _coefficients(logits, target, weight, ignore_index, label_smoothing)
    if reduction == "none":
        g = g[:, None]
    else:
        g = divided(g, divisor(target, weight, ignore_index, reduction, logits.dtype))
    return g * (xp(logits).softmax(logits, axis=1) * q.sum(axis=1, keepdims=True) - q)


cross_entropy_rows.vjp(logits=_logits_gradient)


def _probability_cases(s: Any) -> list:
    inside = [s.case(s.uniform(0.1, 0.9, *n), s.uniform(0.1, 0.9, *n)) for n in ((3, 4), (), (0, 3))]
    broadcast = s.case(s.uniform(0.1, 0.9, 4, 3).T, s.uniform(0.1, 0.9, 4))
    saturated, target = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0, 0.0])
    slopes = {"input": [0, 0, -1e12, 1e12], "target": [100, -100, 100, -100]}
    return [*inside, broadcast, s.case(saturated, target, smooth=False, gradient=slopes)]


@op(samples=_probability_cases, dtypes="float")
def binary_cross_entropy_elements(input, target):
    """Return -(t log(p) + (1 - t) log(1 - p)) of each probability p of `input`, logarithms being at least -100.

    The gradient is (p - t) / max(p (1 - p), 1e-12), PyTorch's: 0 where p = t = 0 or 1.

    >>> from gpugrad.ops.loss import binary_cross_entropy_elements
    >>> binary_cross_entropy_elements(gg.tensor([0.5, 0.0]), gg.tensor([1.0, 0.0])).round(decimals=4)
    tensor([0.6931, 0.    ])
    """
    ones, zeros = _logarithms(input)
    return -(target * ones + (1 - target) * zeros)


def _logarithms(p: Any) -> tuple:
    """Return log(p) and log(1 - p), both at least -100; no logarithm of 0 is taken."""
    ns = xp(p)
    ones, zeros = ns.log(ns.where(p == 0, 1.0, p)), ns.log1p(-ns.where(p == 1, 0.0, p))
    return ns.where(p == 0, -100.0, ns.maximum(ones, -100.0)), ns.where(p == 1, -100.0, ns.maximum(zeros, -100.0))


def _of_probability(g: Any, input: Any, target: Any) -> Any:
    return g * ((input - target) / xp(g).maximum(input * (1 - input), 1e-12))


def _of_target(g: Any, input: Any) -> Any:
    ones, zeros = _logarithms(input)
    return g * (zeros - ones)


binary_cross_entropy_elements.vjp(input=_of_probability, target=_of_target)
