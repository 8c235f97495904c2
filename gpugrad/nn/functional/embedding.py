"""Functions that look rows up in a table, one by one or summed in bags, with PyTorch's arguments."""

from typing import Any

from ...arguments import integer, number, positive
from ...autograd.convert import asarray
from ...autograd.mode import no_grad
from ...autograd.op import OPS
from ...autograd.tensor import Tensor, wrap
from ...errors import DTypeError, OutOfRangeError, ShapeError
from ...ops import embedding as ops
from ...ops.norm import p_norm

__all__ = ["embedding", "embedding_bag"]


def _limit_norms(weight: Tensor, index: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale the rows of `weight` that are looked up, in place, to a norm of at most max_norm."""
    with no_grad():
        used = weight.device.xp.zeros((weight.shape[0], 1), bool)
        used[index._array.reshape(-1)] = True
        norm = wrap(p_norm(weight._array, norm_type, axis=1, keepdims=True), weight.device, None)
        long = (norm > max_norm) & wrap(used, weight.device, None)
        weight.copy_(weight * OPS["where"](long, max_norm / (norm + 1e-7), 1.0))


def _divide_gradient_by_count(rows: Tensor, index: Tensor, count: int) -> Tensor:
    """Return rows whose gradient is divided by how often their index occurs."""
    often = rows.device.xp.bincount(index._array.reshape(-1), minlength=count)[index._array]
    share = wrap((1 / often[..., None]).astype(rows.dtype), rows.device, None)
    return rows.detach() + (rows - rows.detach()) * share


def embedding(
    input: Any,
    weight: Any,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Return rows of `weight` (V, D) at the indices `input` (...): (..., D).

    The row padding_idx gets no gradient. With max_norm, rows that are used and whose norm_type-norm is larger are first
    scaled to it, in place. scale_grad_by_freq divides gradients by how often a row is used. sparse is accepted;
    gradients are dense. An index outside of the table raises OutOfRangeError; on cuda it gives NaN. A weight that has
    not two axes raises ShapeError.

    >>> F.embedding(gg.tensor([2, 0]), gg.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    tensor([[5., 6.],
            [1., 2.]])
    """
    index, weight = asarray(input), asarray(weight)
    if weight.ndim != 2:
        raise ShapeError(f"embedding: weight must be a table (V, D), got {weight.shape}")
    if padding_idx is not None:
        integer("embedding", "padding_idx", padding_idx)
        if not -weight.shape[0] <= padding_idx < weight.shape[0]:
            raise OutOfRangeError(f"embedding: padding_idx {padding_idx} is outside a table of {weight.shape[0]} rows")
        padding_idx %= weight.shape[0]
    if max_norm is not None:
        positive("embedding", "max_norm", max_norm)
        number("embedding", "norm_type", norm_type)
        _limit_norms(weight, index, max_norm, norm_type)
    rows = ops.embedding(index, weight, padding_idx=padding_idx)
    return _divide_gradient_by_count(rows, index, weight.shape[0]) if scale_grad_by_freq else rows


def _flat_bags(index: Tensor, offsets: Any, weights: Any, include_last_offset: bool) -> tuple[Tensor, Any, Any]:
    """Return flat indices, the array of positions where the bags start, and flat weights."""
    if weights is not None and asarray(weights).shape != index.shape:
        raise ShapeError(f"embedding_bag: per_sample_weights must have input's shape {index.shape}")
    if index.ndim not in (1, 2) or (index.ndim == 2) != (offsets is None):
        raise ShapeError(
            f"embedding_bag: expected input (N,) with offsets, or (B, N) without; got {index.shape} "
            f"{'without' if offsets is None else 'with'} offsets"
        )
    if offsets is None:
        starts = index.device.xp.arange(index.shape[0]) * index.shape[1]
        return index.reshape((-1,)), starts, None if weights is None else asarray(weights).reshape((-1,))
    starts = asarray(offsets, device=index.device)._array
    if starts.ndim != 1 or starts.dtype.kind not in "iu":
        raise DTypeError(f"embedding_bag: offsets must be integers (B,), got {starts.dtype} {starts.shape}")
    return index, starts[:-1] if include_last_offset else starts, weights


def _bag_maxima(rows: Tensor, starts: Any, kept: Any, longest: int | None) -> Tensor:
    """Return the largest values of each bag, zeros for those without rows; `kept` says which rows count.

    longest is the size of the largest bag; if it is None, the device is asked for it.
    """
    xp, device, n = rows.device.xp, rows.device, rows.shape[0]
    sizes = xp.diff(xp.concatenate([starts, xp.full(1, n, starts.dtype)]))
    longest = (int(sizes.max()) if len(sizes) else 0) if longest is None else longest
    places = starts[:, None] + xp.arange(longest)
    if not places.size:
        return OPS["segment_sum"](rows[:0], wrap(xp.zeros(0, int), device, None), num_segments=len(starts))
    there = places < (starts + sizes)[:, None]
    places = xp.minimum(places, n - 1)
    there = wrap((there & kept[places])[:, :, None], device, None)
    values = OPS["where"](there, OPS["take"](rows, wrap(places, device, None), axis=0), -float("inf"))
    best = OPS["argmax"](values.detach(), axis=1, keepdims=True)
    return OPS["where"](there.any(axis=1), OPS["take_along_axis"](values, best, axis=1).squeeze(1), 0.0)


def embedding_bag(
    input: Any,
    weight: Any,
    offsets: Any = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Return sums ("sum"), means ("mean") or largest values ("max") of bags of rows of `weight` (V, D): (B, D).

    input is (B, N), with a bag in each row; or (N,), with the bags one after the other, starting at `offsets` (B,),
    which with include_last_offset ends in N. per_sample_weights, shaped like input, are factors for the rows (mode
    "sum"). Rows padding_idx do not count; empty bags give zeros. The other arguments are those of `embedding`. Raises
    ShapeError and DTypeError.

    >>> F.embedding_bag(gg.tensor([0, 1, 1]), gg.tensor([[1.0], [3.0]]), gg.tensor([0, 2]))
    tensor([[2.],
            [3.]])
    """
    index, weight = asarray(input), asarray(weight)
    if mode not in ("sum", "mean", "max"):
        raise ShapeError(f"embedding_bag: mode must be 'sum', 'mean' or 'max', got {mode!r}")
    if per_sample_weights is not None and mode != "sum":
        raise ShapeError(f"embedding_bag: per_sample_weights are for mode 'sum', got {mode!r}")
    if mode == "max" and scale_grad_by_freq:
        raise ShapeError("embedding_bag: scale_grad_by_freq is not for mode 'max'")
    index, starts, factors = _flat_bags(index, offsets, per_sample_weights, include_last_offset)
    rows = embedding(index, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq)
    xp, device = rows.device.xp, rows.device
    kept = xp.ones(index.shape, bool) if padding_idx is None else index._array != padding_idx % weight.shape[0]
    if mode == "max":
        return _bag_maxima(rows, starts, kept, asarray(input).shape[1] if offsets is None else None)
    bag = wrap(xp.searchsorted(starts, xp.arange(index.shape[0]), side="right") - 1, device, None)
    counted = wrap(kept.astype(rows.dtype), device, None)
    factors = counted if factors is None else asarray(factors) * counted
    sums = OPS["segment_sum"](rows * factors.unsqueeze(1), bag, num_segments=len(starts))
    if mode == "sum":
        return sums
    sizes = OPS["segment_sum"](counted, bag, num_segments=len(starts))
    return sums / OPS["maximum"](sizes, 1).unsqueeze(1)
