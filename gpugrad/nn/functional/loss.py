"""Losses with PyTorch's arguments. `reduction` is "mean", "sum" or "none" (the loss of each element)."""

import math
from typing import Any

import numpy as np

from ...arguments import fraction, integer, non_negative, positive, warn_user
from ...autograd.autocast import governed, in_float32
from ...autograd.convert import asarray
from ...autograd.op import OPS
from ...autograd.tensor import Tensor
from ...errors import DTypeError, OptionError, OutOfRangeError, ShapeError
from ...ops.loss import binary_cross_entropy_elements, cross_entropy_rows, divisor

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "gaussian_nll_loss", "huber_loss",
    "kl_div", "l1_loss", "linear_cross_entropy", "mse_loss", "nll_loss", "poisson_nll_loss", "smooth_l1_loss",
]  # fmt: skip


def reduced(name: str, losses: Tensor, reduction: str) -> Tensor:
    """Return the mean, the sum, or the losses themselves. Raises ShapeError for any other word."""
    if reduction not in ("mean", "sum", "none"):
        raise ShapeError(f"{name}: reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    return losses.mean() if reduction == "mean" else losses.sum() if reduction == "sum" else losses


def pair(name: str, input: Any, target: Any) -> tuple[Tensor, Tensor]:
    """Return input and target as Tensors; warn, as PyTorch does, if they have different shapes and would be broadcast.

    Raises ShapeError if they cannot be.
    """
    input = input if isinstance(input, Tensor) else asarray(input)
    target = target if isinstance(target, Tensor) else asarray(target)
    if input.shape != target.shape:
        if _broadcast_shape(input.shape, target.shape) is None:
            raise ShapeError(f"{name}: target must have input's shape {input.shape}, got {target.shape}")
        warn_user(
            f"{name}: target {target.shape} is broadcast against input {input.shape}, which compares elements that do "
            "not belong together; give them the same shape"
        )
    return input, target


def factors(name: str, argument: str, given: Any, like: Tensor) -> Tensor:
    """Return factors of losses shaped like `like` as a Tensor. Raises ShapeError if they broadcast to another shape."""
    given = asarray(given)
    if _broadcast_shape(given.shape, like.shape) != like.shape:
        raise ShapeError(f"{name}: {argument} must broadcast to {like.shape}, got {given.shape}")
    return given


def times(name: str, losses: Tensor, weight: Any) -> Tensor:
    """Return losses * weight, the losses themselves for None."""
    return losses if weight is None else losses * factors(name, "weight", weight, losses)


def _broadcast_shape(*shapes: tuple) -> tuple | None:
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        return None


def same_shape(name: str, input: Any, target: Any) -> tuple[Tensor, Tensor]:
    """Return input and target as Tensors. Raises ShapeError unless they have the same shape."""
    input, target = asarray(input), asarray(target)
    if input.shape != target.shape:
        raise ShapeError(f"{name}: target must have input's shape {input.shape}, got {target.shape}")
    return input, target


def _probabilities(name: str, argument: str, values: Tensor) -> None:
    """Raise OptionError for probabilities outside [0, 1]; on the CPU only: a GPU would have to be waited for."""
    array = values._array
    if values.device.type == "cpu" and array.size and not (array.min() >= 0 and array.max() <= 1):
        raise OptionError(
            f"{name}: {argument} must be probabilities between 0 and 1, got {float(array.min())} to "
            f"{float(array.max())}"
        )


def _classes_last(name: str, input: Tensor, target: Tensor) -> tuple[Tensor, Tensor, tuple]:
    """Return input (N, C, *S) as rows (M, C), target (N, *S) as (M,), and the shape of the target."""
    if input.ndim == 0:
        raise ShapeError(f"{name}: expected input (N, C, *S) or (C,), got {input.shape}")
    if input.ndim == 1:
        return input.reshape((1, input.shape[0])), target.reshape((1,)), ()
    expected = (input.shape[0], *input.shape[2:])
    if target.shape != expected:
        raise ShapeError(f"{name}: target must be {expected} for input {input.shape}, got {target.shape}")
    rows = input if input.ndim == 2 else input.moveaxis(1, -1).reshape((math.prod(expected), input.shape[1]))
    return rows, target if target.ndim == 1 else target.reshape((-1,)), expected


def class_weights(name: str, weight: Any, rows: Tensor) -> Tensor | None:
    """Return the factors of the classes as a Tensor like rows (N, C). Raises ShapeError unless there are C."""
    if weight is None:
        return None
    weight = asarray(weight, dtype=rows.dtype)
    if weight.shape != rows.shape[1:]:
        raise ShapeError(f"{name}: weight must have one value per class, {rows.shape[1:]}, got {weight.shape}")
    return weight


def _check_classes(name: str, classes: Tensor, count: int, ignore_index: int) -> None:
    """Raise DTypeError for classes that are no integers and OutOfRangeError for one that does not exist.

    Values are looked at on the CPU only: a GPU would have to be waited for.
    """
    if classes.dtype.kind not in "iu":
        raise DTypeError(f"{name}: class indices must be integers, got {classes.dtype}")
    if classes.device.type == "cpu":
        values = classes._array
        wrong = ((values < 0) | (values >= count)) & (values != ignore_index)
        if wrong.any():
            raise OutOfRangeError(f"{name}: class {int(values[wrong][0])} among {count} classes")


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Compute -log softmax(input)[target]: input (N, C, *S) or (C,); target class indices (N, *S), or probabilities
    like input.

    weight (C,) has a factor for each class; the mean is then weighted. The class ignore_index does not count; with
    probabilities it raises OptionError. label_smoothing is the share of the target that is spread over all classes (C.
    Szegedy et al. 2016, section 7).

    A class that does not exist raises OutOfRangeError; on cuda devices it gives NaN, because an error would have to
    wait for the device.

    >>> F.cross_entropy(gg.tensor([[2.0, 0.0], [0.0, 0.0]]), gg.tensor([0, 1])).round(decimals=4)
    tensor(0.41)
    """
    input, target = asarray(input), asarray(target)
    fraction("cross_entropy", "label_smoothing", label_smoothing)
    if target.dtype.kind not in "iu":
        if ignore_index >= 0:
            raise OptionError(
                f"cross_entropy: ignore_index={ignore_index} names a class, and target {target.dtype} has probabilities"
            )
        return _soft_cross_entropy(input, target, weight, reduction, label_smoothing)
    rows, classes, shape = _classes_last("cross_entropy", input, target)
    weight = None if weight is None else asarray(weight, dtype=rows.dtype)
    loss = cross_entropy_rows(
        rows, classes, weight, ignore_index=ignore_index, label_smoothing=label_smoothing, reduction=reduction
    )
    return loss.reshape(shape) if reduction == "none" else loss


def _soft_cross_entropy(input: Tensor, target: Tensor, weight: Any, reduction: str, label_smoothing: float) -> Tensor:
    """Compute `cross_entropy` of a target of probabilities."""
    if target.shape != input.shape:
        raise ShapeError(f"cross_entropy: probabilities must have input's shape {input.shape}, got {target.shape}")
    axis = 0 if input.ndim == 1 else 1
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / input.shape[axis]
    terms = target * OPS["log_softmax"](input, axis=axis)
    if weight is not None:
        terms = terms * asarray(weight).reshape((-1, *(1,) * (input.ndim - axis - 1)))
    losses = -terms.sum(axis=axis)
    if reduction == "mean":
        return losses.sum() / max(math.prod(losses.shape), 1)
    return reduced("cross_entropy", losses, reduction)


def linear_cross_entropy(
    input: Any,
    linear_weight: Any,
    target: Any,
    *,
    linear_bias: Any = None,
    weight: Any = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """Compute `cross_entropy` of input linear_weight^T + linear_bias: input (N, in) or (in,), linear_weight (C, *K,
    in).

    target is like cross_entropy's for logits (N, C, *K). `options`, which choose PyTorch's chunks, change nothing here.

    >>> F.linear_cross_entropy(gg.ones((2, 3)), gg.zeros((5, 3)), gg.tensor([0, 4])).round(decimals=4)
    tensor(1.6094)
    """
    input, table, target = asarray(input), asarray(linear_weight), asarray(target)
    if input.ndim not in (1, 2) or table.ndim < 2 or (input.ndim == 1 and table.ndim > 2):
        raise ShapeError(
            f"linear_cross_entropy: expected input (N, in) and linear_weight (C, *K, in), got {input.shape} and "
            f"{table.shape}"
        )
    rows = table.reshape((-1, table.shape[-1]))
    bias = None if linear_bias is None else asarray(linear_bias).reshape((-1,))
    logits = OPS["linear"](input, rows, bias).reshape((*input.shape[:-1], *table.shape[:-1]))
    ignored = -100 if ignore_index is None else ignore_index
    return cross_entropy(logits, target, weight, ignored, reduction, label_smoothing)


@governed("float32")
def nll_loss(input: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> Tensor:
    """Compute -input[target] of log-probabilities input (N, C, *S) or (C,) and class indices target (N, *S).

    A class that does not exist raises OutOfRangeError; on cuda devices it gives NaN, because an error would have to
    wait for the device.

    >>> F.nll_loss(gg.tensor([[-0.5, -1.0], [-2.0, -0.25]]), gg.tensor([0, 1])).item()
    0.375
    """
    input, target = asarray(input), asarray(target)
    integer("nll_loss", "ignore_index", ignore_index)
    rows, classes, shape = _classes_last("nll_loss", input, target)
    weight = class_weights("nll_loss", weight, rows)
    _check_classes("nll_loss", classes, rows.shape[1], ignore_index)
    kept = classes != ignore_index
    scale = kept.to(dtype=rows.dtype)
    if rows.device.type != "cpu":  # NaN for a class that does not exist: an error would have to wait for the device
        exists = (classes >= 0) & (classes < rows.shape[1])
        scale, kept = OPS["where"](exists | ~kept, scale, math.nan), kept & exists
    safe = classes * kept
    if weight is not None:
        scale = scale * OPS["take"](weight, safe, axis=0)
    losses = -OPS["take_along_axis"](rows, safe.reshape((-1, 1)), axis=1).squeeze(1) * scale
    if reduction != "mean":
        return reduced("nll_loss", losses.reshape(shape), reduction)
    w = None if weight is None else weight._array
    total = asarray(divisor(classes._array, w, ignore_index, reduction, rows.dtype), device=rows.device)
    return losses.sum() / OPS["where"](OPS["isnan"](total), math.inf, total) + 0 * total  # NaN, but with gradient 0


def _weighted(name: str, losses: Tensor, weight: Any, reduction: str, mean_of_weights: bool = True) -> Tensor:
    """Return `reduced` of losses * weight; the mean is over the weights, or over the elements."""
    if weight is None:
        return reduced(name, losses, reduction)
    weight = asarray(weight)
    if weight.shape != losses.shape:
        raise ShapeError(f"{name}: weight must have the losses' shape {losses.shape}, got {weight.shape}")
    if reduction == "mean" and mean_of_weights:
        return (losses * weight).sum() / weight.sum()
    return reduced(name, losses * weight, reduction)


@governed("float32")
def mse_loss(input: Any, target: Any, reduction: str = "mean", weight: Any = None) -> Tensor:
    """Compute (input - target)**2, times weight; the mean is then the weighted one.

    >>> F.mse_loss(gg.tensor([1.0, 3.0]), gg.tensor([1.0, 1.0]))
    tensor(2.)
    """
    input, target = pair("mse_loss", input, target)
    difference = input - target
    return _weighted("mse_loss", difference * difference, weight, reduction)


@governed("float32")
def l1_loss(input: Any, target: Any, reduction: str = "mean", weight: Any = None) -> Tensor:
    """Compute |input - target|, times weight; the mean is then the weighted one.

    >>> F.l1_loss(gg.tensor([1.0, 3.0]), gg.tensor([1.0, 1.0]))
    tensor(1.)
    """
    input, target = pair("l1_loss", input, target)
    return _weighted("l1_loss", abs(input - target), weight, reduction)


@governed("float32")
def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Tensor:
    """Compute d**2 / 2 where d = |input - target| is at most delta, else delta * (d - delta / 2), times weight.

    See P. Huber 1964.

    >>> F.huber_loss(gg.tensor([1.0, 4.0]), gg.tensor([0.0, 0.0]), delta=2.0).item()
    3.25
    """
    positive("huber_loss", "delta", delta)
    input, target = pair("huber_loss", input, target)
    terms = _huber_terms(input, target, delta)
    return _weighted("huber_loss", terms, weight, reduction, mean_of_weights=False)


def _huber_terms(input: Tensor, target: Tensor, delta: float) -> Tensor:
    """Return d**2 / 2 where d = |input - target| is at most delta, else delta * (d - delta / 2)."""
    difference = input - target
    near = OPS["clip"](difference, -delta, delta)  # not |difference|, whose kink would cost the second derivative at 0
    return near * (difference - near * 0.5)


@governed("float32")
def smooth_l1_loss(input: Any, target: Any, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """Compute d**2 / (2 beta) where d = |input - target| is less than beta, else d - beta / 2; beta = 0 gives
    `l1_loss`.

    See R. Girshick, "Fast R-CNN", 2015, section 2.3.

    >>> F.smooth_l1_loss(gg.tensor([0.5, 3.0]), gg.tensor([0.0, 0.0])).item()
    1.3125
    """
    non_negative("smooth_l1_loss", "beta", beta)
    input, target = pair("smooth_l1_loss", input, target)
    if beta == 0:
        return reduced("smooth_l1_loss", abs(input - target), reduction)
    return reduced("smooth_l1_loss", _huber_terms(input, target, beta), reduction) / beta


@governed({"cpu": "float32", "cuda": "refused"})
def binary_cross_entropy(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Tensor:
    """Compute -(target log(input) + (1 - target) log(1 - input)) of probabilities.

    As in PyTorch, logarithms are cut off at -100, and the gradient (input - target) / (input (1 - input)) has a divisor
    of at least 1e-12.

    Raises OptionError for inputs and targets outside [0, 1]; on cuda devices these are not looked at, because an error
    would have to wait for the device.

    >>> F.binary_cross_entropy(gg.tensor([0.5, 0.25]), gg.tensor([1.0, 0.0])).round(decimals=4)
    tensor(0.4904)
    """
    input, target = same_shape("binary_cross_entropy", input, target)
    _probabilities("binary_cross_entropy", "input", input)
    _probabilities("binary_cross_entropy", "target", target)
    losses = binary_cross_entropy_elements(input, target)
    return reduced("binary_cross_entropy", times("binary_cross_entropy", losses, weight), reduction)


@governed("float32")
def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, reduction: str = "mean", pos_weight: Any = None
) -> Tensor:
    """Compute `binary_cross_entropy` of sigmoid(input), stable for any input; pos_weight scales the loss of positives.

    >>> F.binary_cross_entropy_with_logits(gg.tensor([0.0, -2.0]), gg.tensor([1.0, 0.0])).round(decimals=4)
    tensor(0.41)
    """
    input, target = same_shape("binary_cross_entropy_with_logits", input, target)
    of_ones = OPS["softplus"](-input)  # -log sigmoid(input)
    if pos_weight is not None:
        pos_weight = factors("binary_cross_entropy_with_logits", "pos_weight", pos_weight, input)
        of_ones = of_ones * ((pos_weight - 1) * target + 1)
    losses = times("binary_cross_entropy_with_logits", (1 - target) * input + of_ones, weight)
    return reduced("binary_cross_entropy_with_logits", losses, reduction)


@governed("float32")
def kl_div(input: Any, target: Any, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """Compute target * (log target - input), input being log-probabilities; "batchmean" divides the sum by the first
    axis, if there is one.

    >>> F.kl_div(gg.tensor([[0.5, 0.5]]).log(), gg.tensor([[1.0, 0.0]]), reduction="batchmean").round(decimals=4)
    tensor(0.6931)
    """
    if reduction not in ("mean", "sum", "none", "batchmean"):
        raise ShapeError(f"kl_div: reduction must be 'mean', 'sum', 'none' or 'batchmean', got {reduction!r}")
    input, target = pair("kl_div", input, target)
    if log_target:
        losses = OPS["exp"](target) * (target - input)
    else:
        some = target != 0
        losses = OPS["where"](some, target * OPS["log"](OPS["where"](some, target, 1.0)), 0.0) - target * input
    if reduction == "batchmean":
        return losses.sum() / (input.shape[0] if input.ndim else 1)
    return reduced("kl_div", losses, reduction)


@governed("float32")
def poisson_nll_loss(
    input: Any, target: Any, log_input: bool = True, full: bool = False, eps: float = 1e-8, reduction: str = "mean"
) -> Tensor:
    """Compute exp(input) - target * input (log_input), or input - target * log(input + eps); full adds Stirling's term.

    >>> F.poisson_nll_loss(gg.tensor([0.0, 1.0]), gg.tensor([1.0, 2.0])).round(decimals=4)
    tensor(0.8591)
    """
    non_negative("poisson_nll_loss", "eps", eps)
    input, target = pair("poisson_nll_loss", input, target)
    losses = OPS["exp"](input) - target * input if log_input else input - target * OPS["log"](input + eps)
    if full:
        large = OPS["maximum"](target, 1.0)
        stirling = large * OPS["log"](large) - large + 0.5 * OPS["log"](2 * math.pi * large)
        losses = losses + OPS["where"](target > 1, stirling, 0.0)
    return reduced("poisson_nll_loss", losses, reduction)


def _variances(input: Tensor, var: Any) -> Tensor:
    """Return var, to be broadcast to input. Raises ShapeError if it does not fit or, on the CPU, if it is negative."""
    number = isinstance(var, (int, float))
    var = asarray(var, dtype=input.dtype if number else None, device=input.device)
    if not number and var.shape == input.shape[:-1] and input.ndim:
        var = var.reshape((*var.shape, 1))
    others = [m for n, m in zip(input.shape, var.shape, strict=False) if n != m]
    if not number and (var.ndim != input.ndim or others not in ([], [1])):
        raise ShapeError(f"gaussian_nll_loss: var must be {input.shape}, or that with one axis of 1, got {var.shape}")
    if var.device.type == "cpu" and (var._array < 0).any():
        raise ShapeError("gaussian_nll_loss: var has negative elements")
    return var


@in_float32
def gaussian_nll_loss(
    input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """Compute (log var + (input - target)**2 / var) / 2, var being at least eps (its gradient passes as if it were not
    cut).

    var is a number, or shaped like input, or has one axis of 1, or lacks input's last axis; ShapeError otherwise. See
    D. Nix and A. Weigend 1994.

    >>> F.gaussian_nll_loss(gg.tensor([1.0]), gg.tensor([3.0]), gg.tensor([4.0])).round(decimals=4)
    tensor(1.1931)
    """
    non_negative("gaussian_nll_loss", "eps", eps)
    input, target = pair("gaussian_nll_loss", input, target)
    var = _variances(input, var)
    cut = var + (OPS["maximum"](var.detach(), eps) - var.detach())
    losses = 0.5 * (OPS["log"](cut) + (input - target) ** 2 / cut)
    return reduced("gaussian_nll_loss", losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)
