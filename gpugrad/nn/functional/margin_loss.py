"""Losses that want a margin between right and wrong, with PyTorch's arguments; `reduction` is as in `loss`."""

import math
from collections.abc import Callable
from typing import Any

from ...arguments import number
from ...arguments import positive as above_zero
from ...autograd.autocast import governed
from ...autograd.convert import asarray
from ...autograd.op import OPS
from ...autograd.tensor import Tensor, wrap
from ...errors import ShapeError
from .distance import pairwise_distance
from .loss import class_weights, pair, reduced, same_shape, times

__all__ = [
    "cosine_embedding_loss", "hinge_embedding_loss", "margin_ranking_loss", "multi_margin_loss",
    "multilabel_margin_loss", "multilabel_soft_margin_loss", "soft_margin_loss", "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]  # fmt: skip


def _hinge(x: Tensor) -> Tensor:
    """Return max(0, x); at 0 its gradient is 1, as in PyTorch, so that what just reaches the margin is still moved."""
    return OPS["clip"](x, 0.0)


@governed("float32")
def hinge_embedding_loss(input: Any, target: Any, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """Compute input where target is 1, and max(0, margin - input) where it is -1.

    >>> F.hinge_embedding_loss(gg.tensor([0.5, 0.25]), gg.tensor([1, -1])).item()
    0.625
    """
    number("hinge_embedding_loss", "margin", margin)
    input, target = pair("hinge_embedding_loss", input, target)
    near = OPS["where"](target != -1, input, 0.0)
    return reduced("hinge_embedding_loss", near + OPS["where"](target != 1, _hinge(margin - input), 0.0), reduction)


@governed("float32")
def margin_ranking_loss(input1: Any, input2: Any, target: Any, margin: float = 0, reduction: str = "mean") -> Tensor:
    """Compute max(0, -target (input1 - input2) + margin): target 1 wants input1 to be the larger one, -1 the other.

    >>> F.margin_ranking_loss(gg.tensor([1.0, 1.0]), gg.tensor([2.0, 0.0]), gg.tensor([1, 1]), margin=0.5).item()
    0.75
    """
    number("margin_ranking_loss", "margin", margin)
    input1, input2, target = asarray(input1), asarray(input2), asarray(target)
    if not input1.ndim == input2.ndim == target.ndim:
        raise ShapeError(
            "margin_ranking_loss: the inputs and the target must have the same number of axes, got "
            f"{input1.shape}, {input2.shape} and {target.shape}"
        )
    return reduced("margin_ranking_loss", _hinge(-target * (input1 - input2) + margin), reduction)


@governed("float32")
def cosine_embedding_loss(input1: Any, input2: Any, target: Any, margin: float = 0, reduction: str = "mean") -> Tensor:
    """Compute 1 - cos where target is 1, and max(0, cos - margin) where it is -1: inputs (N, D) and target (N,), or
    without N.

    >>> F.cosine_embedding_loss(gg.tensor([[1.0, 0.0]]), gg.tensor([[1.0, 1.0]]), gg.tensor([1])).round(decimals=4)
    tensor(0.2929)
    """
    number("cosine_embedding_loss", "margin", margin)
    input1, input2, target = asarray(input1), asarray(input2), asarray(target)
    if target.ndim > 1 or input1.ndim != target.ndim + 1 or input2.ndim != target.ndim + 1:
        raise ShapeError(
            f"cosine_embedding_loss: expected inputs (N, D) and target (N,), or (D,) and (), got {input1.shape}, "
            f"{input2.shape} and {target.shape}"
        )
    tiny = 1e-12
    dot, first, second = ((a * b).sum(axis=-1) for a, b in ((input1, input2), (input1, input1), (input2, input2)))
    cosine = dot / OPS["sqrt"]((first + tiny) * (second + tiny))
    losses = OPS["where"](target == 1, 1 - cosine, 0.0) + OPS["where"](target == -1, _hinge(cosine - margin), 0.0)
    return reduced("cosine_embedding_loss", losses, reduction)


@governed("float32")
def soft_margin_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Compute log(1 + exp(-target * input)), target being 1 or -1.

    >>> F.soft_margin_loss(gg.tensor([0.0, 2.0]), gg.tensor([1.0, -1.0])).round(decimals=4)
    tensor(1.41)
    """
    input, target = same_shape("soft_margin_loss", input, target)
    return reduced("soft_margin_loss", OPS["softplus"](-target * input), reduction)


@governed("float32")
def multilabel_soft_margin_loss(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Tensor:
    """Compute the mean over the last axis of weight * binary cross-entropy with logits: input and target (N, C) give
    (N,).

    >>> F.multilabel_soft_margin_loss(gg.tensor([[0.0, 2.0]]), gg.tensor([[1.0, 0.0]])).round(decimals=4)
    tensor(1.41)
    """
    input, target = pair("multilabel_soft_margin_loss", input, target)
    losses = target * OPS["softplus"](-input) + (1 - target) * OPS["softplus"](input)
    if not input.ndim:
        raise ShapeError(f"multilabel_soft_margin_loss: expected input (..., C), got {input.shape}")
    losses = times("multilabel_soft_margin_loss", losses, weight)
    return reduced("multilabel_soft_margin_loss", losses.mean(axis=-1), reduction)


def _rows(input: Tensor) -> Tensor:
    """Return input (N, C), (C,) or () as (N, C)."""
    classes = input.shape[-1] if input.ndim else 1
    return input.reshape((math.prod(input.shape[:-1]), classes))


@governed("float32")
def multi_margin_loss(
    input: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean"
) -> Tensor:
    """Compute sum_{i != t} w[t] max(0, margin - input[t] + input[i])**p / C: input (N, C), classes t (N,); or (C,) and
    (); or both ().

    weight (C,) has a factor for each class; p is 1 or 2. Raises ShapeError for other p and shapes that do not agree.

    >>> F.multi_margin_loss(gg.tensor([[0.1, 0.2, 0.8]]), gg.tensor([2])).round(decimals=4)
    tensor(0.2333)
    """
    input, target = asarray(input), asarray(target)
    if p not in (1, 2):
        raise ShapeError(f"multi_margin_loss: p must be 1 or 2, got {p!r}")
    number("multi_margin_loss", "margin", margin)
    rows, classes = _rows(input), target.reshape((math.prod(target.shape), 1))
    fits = target.shape == input.shape[:-1] or input.ndim < 2 and target.shape == (1,)
    if input.ndim > 2 or not fits:
        raise ShapeError(f"multi_margin_loss: target must be {input.shape[:-1]} for {input.shape}, got {target.shape}")
    weight = class_weights("multi_margin_loss", weight, rows)
    terms = OPS["relu"](margin - OPS["take_along_axis"](rows, classes, axis=1) + rows)
    terms = terms if p == 1 else terms * terms
    others = asarray(rows.device.xp.arange(rows.shape[1]), device=rows.device) != classes
    if weight is not None:
        terms = terms * OPS["take"](weight, classes, axis=0)
    losses = OPS["where"](others, terms, 0.0).sum(axis=1) / max(rows.shape[1], 1)
    return reduced("multi_margin_loss", losses.reshape(target.shape), reduction)


@governed("float32")
def multilabel_margin_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Compute the sum over labels t and other classes i of max(0, 1 - input[t] + input[i]) / C: input (N, C) or (C,).

    target is shaped like input; each row holds the labels of its sample, and ends at the first -1. Raises ShapeError.

    >>> F.multilabel_margin_loss(gg.tensor([[0.1, 0.2, 0.8]]), gg.tensor([[2, -1, 0]])).round(decimals=4)
    tensor(0.2333)
    """
    input, target = asarray(input), asarray(target)
    if input.ndim > 2 or target.shape != input.shape:
        raise ShapeError(
            f"multilabel_margin_loss: expected input (N, C) or (C,) and a target like it, got {input.shape} and "
            f"{target.shape}"
        )
    rows, xp = _rows(input), input.device.xp
    labels = target._array.reshape(rows.shape)
    used = (xp.cumsum(labels < 0, axis=1) == 0).astype(rows.dtype)
    labels = xp.where(used > 0, labels, 0)
    is_label = ((labels[:, :, None] == xp.arange(rows.shape[1])) & (used[:, :, None] > 0)).any(axis=1)
    counted = wrap(used[:, :, None] * ~is_label[:, None, :], rows.device, None)
    wanted = OPS["take_along_axis"](rows, wrap(labels, rows.device, None), axis=1)
    terms = OPS["relu"](1 - wanted.unsqueeze(2) + rows.unsqueeze(1)) * counted
    losses = terms.sum(axis=(1, 2)) / max(rows.shape[1], 1)
    return reduced("multilabel_margin_loss", losses if input.ndim == 2 else losses.squeeze(0), reduction)


@governed("float32")
def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """Compute max(0, ||anchor - positive + eps||_p - ||anchor - negative + eps||_p + margin), all (N, D) or (D,).

    With swap, the negative counts from the positive where that is nearer (V. Balntas et al. 2016, section 2).

    >>> a, p, n = gg.tensor([[0.0, 0.0]]), gg.tensor([[3.0, 4.0]]), gg.tensor([[0.0, 1.0]])
    >>> F.triplet_margin_loss(a, p, n).round(decimals=4)
    tensor(5.)
    """
    return triplet_margin_with_distance_loss(
        anchor, positive, negative, distance_function=lambda a, b: pairwise_distance(a, b, p, eps), margin=margin,
        swap=swap, reduction=reduction,
    )  # fmt: skip


@governed("float32")
def triplet_margin_with_distance_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """Compute max(0, d(anchor, positive) - d(anchor, negative) + margin), d being `pairwise_distance` unless given.

    The other arguments are those of `triplet_margin_loss`.

    >>> a, p, n = gg.tensor([[0.0, 0.0]]), gg.tensor([[3.0, 4.0]]), gg.tensor([[0.0, 1.0]])
    >>> F.triplet_margin_with_distance_loss(a, p, n, distance_function=lambda x, y: (x - y).abs().sum(axis=1)).item()
    7.0
    """
    above_zero("triplet_margin_loss", "margin", margin)
    anchor, positive, negative = asarray(anchor), asarray(positive), asarray(negative)
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise ShapeError(
            "triplet_margin_loss: anchor, positive and negative must have the same number of axes, got "
            f"{anchor.shape}, {positive.shape} and {negative.shape}"
        )
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = OPS["minimum"](far, distance(positive, negative))
    return reduced("triplet_margin_loss", _hinge(near - far + margin), reduction)
