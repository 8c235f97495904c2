"""Collectives of which one rank has the beginning or the end: reduce, gather and scatter, as in torch.distributed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..autograd.tensor import Tensor
from ..errors import OptionError
from .collectives import _array, _averaging, _check_list, _done, _reduction, _within
from .group import ProcessGroup, of
from .transport import Work


def reduce(tensor: Tensor, dst: int, op: str = "sum", group: ProcessGroup | None = None, async_op: bool = False) -> Any:
    """Replace `tensor`, on rank `dst`, by the reduction of the tensors of all ranks; the others keep theirs.

    op: see `ReduceOp`. Raises what `all_reduce` raises, and OptionError for a `dst` outside of the group.

    >>> x = gg.tensor([1.0, 2.0])
    >>> gg.distributed.reduce(x, dst=0)
    >>> x
    tensor([1., 2.])
    """
    array, group = _array("reduce", tensor), of(group)
    plain, target = _reduction("reduce", op, array), _within("reduce", dst, group)
    taken = array if group.rank == target else array.copy()
    work = group.begin(f"reduce({op}, dst={dst})", array).all_reduce(taken, plain)
    return _done(work, async_op, [tensor], "reduce", _averaging(op, taken, group))


def gather(
    tensor: Tensor,
    gather_list: Sequence[Tensor] | None = None,
    dst: int = 0,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Any:
    """Fill `gather_list`, which rank `dst` gives, with the tensors of all ranks, which have one shape.

    Raises OptionError for a `gather_list` on another rank or none on `dst`, ShapeError and DTypeError for one that does
    not fit.

    >>> rows = [gg.zeros(2)]
    >>> gg.distributed.gather(gg.ones(2), rows)
    >>> rows
    [tensor([1., 1.])]
    """
    group = of(group)
    array, root = _array("gather", tensor), _within("gather", dst, group)
    outs = _listed("gather", "gather_list", gather_list, root, group, array)
    transport = group.begin(f"gather(dst={dst})", array)
    if outs is None:
        return _done(transport.send(array, root, 0), async_op, [], "gather")
    works = [transport.exchange(outs[root], root, array, root)]
    works += [transport.receive(out, rank, 0) for rank, out in enumerate(outs) if rank != root]
    return _all_done(works, async_op, gather_list or (), "gather")


def scatter(
    tensor: Tensor,
    scatter_list: Sequence[Tensor] | None = None,
    src: int = 0,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Any:
    """Replace `tensor`, on each rank, by the one of `scatter_list`, which rank `src` gives, that has its number.

    Raises OptionError for a `scatter_list` on another rank or none on `src`, ShapeError and DTypeError for one that
    does not fit.

    >>> x = gg.zeros(2)
    >>> gg.distributed.scatter(x, [gg.ones(2)])
    >>> x
    tensor([1., 1.])
    """
    group = of(group)
    array, root = _array("scatter", tensor), _within("scatter", src, group)
    given = _listed("scatter", "scatter_list", scatter_list, root, group, array)
    transport = group.begin(f"scatter(src={src})", array)
    if given is None:
        return _done(transport.receive(array, root, 0), async_op, [tensor], "scatter")
    works = [transport.exchange(array, root, given[root], root)]
    works += [transport.send(part, rank, 0) for rank, part in enumerate(given) if rank != root]
    return _all_done(works, async_op, [tensor], "scatter")


def _listed(
    name: str, argument: str, tensors: Sequence[Tensor] | None, root: int, group: ProcessGroup, like: Any
) -> list | None:
    """Return the arrays that the root, and nobody else, gives for all ranks."""
    if (group.rank == root) != bool(tensors):
        which = f"rank {group.ranks[root]} gives {argument}, and no other rank"
        raise OptionError(f"{name}: {which}; got {'none' if not tensors else 'one'} on rank {group.ranks[group.rank]}")
    if not tensors:
        return None
    _check_list(name, argument, tensors, group, like)
    return [t._array for t in tensors]


def _all_done(works: list[Work], async_op: bool, outs: Sequence[Tensor], name: str) -> Any:
    def finish() -> None:
        for work in works[1:]:
            work.wait()

    return _done(works[0], async_op, outs, name, finish)
