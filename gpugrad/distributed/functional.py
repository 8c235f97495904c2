"""Collectives as ops: they return new Tensors, and gradients of every order flow through them to all ranks.

The first group takes the sum of all ranks' losses as what is differentiated, as torch.distributed.nn.functional does.
So each rule is the adjoint: gathering becomes summing parts, a shift goes back the other way.

The second group (`copy_to_group`, `reduce_from_group`, `gather_from_group`, `own_part`) is for values that are the same
on all ranks, of which each computes one and the same loss, as tensor parallelism has them (M. Shoeybi et al. 2019,
"Megatron-LM", section 3). `group` is the group of all ranks by default.
"""

from __future__ import annotations

from typing import Any

from ..autograd.op import op, xp
from .group import of

__all__ = [
    "all_gather", "all_reduce", "all_to_all", "broadcast_from", "copy_to_group", "gather_from_group", "own_part",
    "reduce_from_group", "reduce_scatter", "reduce_to", "shift",
]  # fmt: skip


def _whole(s: Any) -> list:
    return [s.case(s(4)), s.case(s(2, 3)), s.case(s(3, 2).transpose(1, 0)), s.case(s(0, 2)), s.case(s(1))]


def _from_rank(s: Any) -> list:
    return [s.case(s(4), source=0), s.case(s(2, 3), source=0), s.case(s(0), source=0)]


def _sum(name: str, x: Any, group: Any) -> Any:
    out = x.copy()
    of(group).begin(name, out).all_reduce(out, "sum").wait()
    return out


@op(samples=_whole, exact=True, complex=True)
def all_reduce(x, *, group=None):
    """Return the sum of x over all ranks; a gradient is summed as well.

    >>> gg.distributed.functional.all_reduce(gg.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """
    return _sum("all_reduce", x, group)


all_reduce.vjp(x=lambda g, group: xp(g).all_reduce(g, group=group))


@op(samples=_whole, exact=True, complex=True)
def all_gather(x, *, group=None):
    """Return x (n, ...) of all ranks, one after the other: (size * n, ...).

    >>> gg.distributed.functional.all_gather(gg.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """
    return _gathered("all_gather", x, of(group))


def _gathered(name: str, x: Any, group: Any) -> Any:
    if not x.ndim:
        raise ValueError("x must have an axis along which the ranks' values are joined, got a scalar")
    rows = xp(x).empty((group.size, *x.shape), x.dtype)
    group.begin(name, x).all_gather(rows, xp(x).ascontiguousarray(x)).wait()
    return rows.reshape(group.size * x.shape[0], *x.shape[1:])


all_gather.vjp(x=lambda g, group: xp(g).reduce_scatter(g, group=group))


def _rows(x: Any, size: int) -> Any:
    """Return x (size * n, ...) as (size, n, ...)."""
    if not x.ndim or x.shape[0] % size:
        raise ValueError(f"axis 0 of x must be a multiple of the {size} ranks, got shape {x.shape}")
    return xp(x).ascontiguousarray(x).reshape(size, x.shape[0] // size, *x.shape[1:])


@op(samples=_whole, exact=True, complex=True)
def reduce_scatter(x, *, group=None):
    """Sum x (size * n, ...) over all ranks and return this rank's part (n, ...) of it.

    >>> gg.distributed.functional.reduce_scatter(gg.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """
    group = of(group)
    rows = _rows(x, group.size)
    out = xp(x).empty(rows.shape[1:], x.dtype)
    group.begin("reduce_scatter", x).reduce_scatter(out, rows, "sum").wait()
    return out


reduce_scatter.vjp(x=lambda g, group: xp(g).all_gather(g, group=group))


@op(samples=_whole, exact=True, complex=True)
def all_to_all(x, *, group=None):
    """Give each rank its part of x (size * n, ...), and return this rank's parts of all, in the order of ranks.

    >>> gg.distributed.functional.all_to_all(gg.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """
    group = of(group)
    rows = _rows(x, group.size)
    out = xp(x).empty(rows.shape, x.dtype)
    group.begin("all_to_all", x).all_to_all(out, rows).wait()
    return out.reshape(x.shape)


all_to_all.vjp(x=lambda g, group: xp(g).all_to_all(g, group=group))


@op(samples=_from_rank, exact=True, complex=True)
def broadcast_from(x, *, source, group=None):
    """Return x of the rank `source` of the group on all ranks; its gradient there is the sum of all.

    >>> gg.distributed.functional.broadcast_from(gg.tensor([1.0, 2.0]), source=0)
    tensor([1., 2.])
    """
    out = x.copy()
    of(group).begin(f"broadcast_from(source={source})", out).broadcast(out, source).wait()
    return out


broadcast_from.vjp(x=lambda g, source, group: xp(g).reduce_to(g, source=source, group=group))


@op(samples=_from_rank, exact=True, complex=True)
def reduce_to(x, *, source, group=None):
    """Return the sum of x over all ranks on the rank `source` of the group, and zeros on the others.

    >>> gg.distributed.functional.reduce_to(gg.tensor([1.0, 2.0]), source=0)
    tensor([1., 2.])
    """
    out = _sum(f"reduce_to(source={source})", x, group)
    return out if of(group).rank == source else out * 0


reduce_to.vjp(x=lambda g, source, group: xp(g).broadcast_from(g, source=source, group=group))


@op(samples=lambda s: [s.case(s(4)), s.case(s(2, 3), by=2), s.case(s(0), by=-1)], exact=True, complex=True)
def shift(x, *, by=1, group=None):
    """Send x to the rank that is `by` further on, around the ring of ranks, and return what came in the same way.

    >>> gg.distributed.functional.shift(gg.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """
    group = of(group)
    given = xp(x).ascontiguousarray(x)
    out = xp(x).empty(x.shape, x.dtype)
    source, target = (group.rank - by) % group.size, (group.rank + by) % group.size
    group.begin(f"shift(by={by})", x).exchange(out, source, given, target).wait()
    return out


shift.vjp(x=lambda g, by, group: xp(g).shift(g, by=-by, group=group))


# Values that are the same on all ranks


@op(samples=_whole, exact=True, complex=True)
def copy_to_group(x, *, group=None):
    """Return x, which is the same on all ranks; each uses it in another way, so its gradient is summed.

    >>> gg.distributed.functional.copy_to_group(gg.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """
    return x.copy()


copy_to_group.vjp(x=lambda g, group: xp(g).reduce_from_group(g, group=group))


@op(samples=_whole, exact=True, complex=True)
def reduce_from_group(x, *, group=None):
    """Return the sum of x over all ranks, of which all go on in the same way: a gradient is handed on as it is.

    >>> gg.distributed.functional.reduce_from_group(gg.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """
    return _sum("reduce_from_group", x, group)


reduce_from_group.vjp(x=lambda g, group: xp(g).copy_to_group(g, group=group))


@op(samples=_whole, exact=True, complex=True)
def gather_from_group(x, *, group=None):
    """Return x (n, ...) of all ranks as (size * n, ...); all go on in the same way, so each takes its own gradient.

    >>> gg.distributed.functional.gather_from_group(gg.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """
    return _gathered("gather_from_group", x, of(group))


gather_from_group.vjp(x=lambda g, group: xp(g).own_part(g, group=group))


@op(samples=_whole, exact=True, complex=True)
def own_part(x, *, group=None):
    """Return this rank's part (n, ...) of x (size * n, ...), which is the same on all ranks.

    >>> gg.distributed.functional.own_part(gg.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """
    group = of(group)
    return _rows(x, group.size)[group.rank].copy()


own_part.vjp(x=lambda g, group: xp(g).gather_from_group(g, group=group))
