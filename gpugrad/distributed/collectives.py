"""Collectives that overwrite Tensors, with the names and arguments of torch.distributed. Nothing here is recorded.

A rank in an argument (src, dst) is a number among all ranks, also where `group` is a part of them. With async_op=True a
call returns a Work at once, and the Tensors belong to it until it is waited for. The differentiable forms are in
`functional`.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..autograd.tensor import Tensor
from ..autograd.versions import changed
from ..backend.dtypes import is_float
from ..errors import DTypeError, OptionError, ShapeError
from .group import ProcessGroup, of
from .transport import REDUCTIONS, Finished, Work


class ReduceOp:
    """The reductions: SUM, AVG (the mean), PRODUCT, MAX and MIN, which are also given as "sum", "avg", "prod", "max"
    and "min".

    >>> gg.distributed.ReduceOp.SUM
    'sum'
    """

    SUM, AVG, PRODUCT, MAX, MIN = "sum", "avg", "prod", "max", "min"


def all_reduce(tensor: Tensor, op: str = "sum", group: ProcessGroup | None = None, async_op: bool = False) -> Any:
    """Replace `tensor`, on every rank, by the reduction of the tensors of all ranks. op: see `ReduceOp`.

    Raises DTypeError for anything but a Tensor and for reductions that its dtype does not have, OptionError for other
    words.

    >>> x = gg.tensor([1.0, 2.0])
    >>> gg.distributed.all_reduce(x)
    >>> x
    tensor([1., 2.])
    """
    array, group = _array("all_reduce", tensor), of(group)
    plain = _reduction("all_reduce", op, array)
    work = group.begin(f"all_reduce({op})", array).all_reduce(array, plain)
    return _done(work, async_op, [tensor], "all_reduce", _averaging(op, array, group))


def broadcast(tensor: Tensor, src: int, group: ProcessGroup | None = None, async_op: bool = False) -> Any:
    """Replace `tensor` on every rank by that of rank `src`.

    >>> gg.distributed.broadcast(gg.ones(2), src=0)
    """
    array, group = _array("broadcast", tensor), of(group)
    work = group.begin(f"broadcast(src={src})", array).broadcast(array, _within("broadcast", src, group))
    return _done(work, async_op, [tensor], "broadcast")


def all_gather(
    tensor_list: Sequence[Tensor], tensor: Tensor, group: ProcessGroup | None = None, async_op: bool = False
) -> Any:
    """Fill `tensor_list` with the tensors of all ranks, which have one shape.

    >>> rows = [gg.zeros(2)]
    >>> gg.distributed.all_gather(rows, gg.ones(2))
    >>> rows
    [tensor([1., 1.])]
    """
    array, group = _array("all_gather", tensor), of(group)
    _check_list("all_gather", "tensor_list", tensor_list, group, array)
    rows = tensor.device.xp.empty((group.size, *array.shape), array.dtype)
    work = group.begin("all_gather", array).all_gather(rows, array)
    return _done(work, async_op, tensor_list, "all_gather", lambda: _fill(tensor_list, rows))


def all_gather_into_tensor(
    output_tensor: Tensor, input_tensor: Tensor, group: ProcessGroup | None = None, async_op: bool = False
) -> Any:
    """Fill `output_tensor` (size * n, ...) with the tensors (n, ...) of all ranks, one after the other.

    >>> out = gg.zeros(2)
    >>> gg.distributed.all_gather_into_tensor(out, gg.ones(2))
    >>> out
    tensor([1., 1.])
    """
    out, array = _array("all_gather_into_tensor", output_tensor), _array("all_gather_into_tensor", input_tensor)
    group = of(group)
    rows = _rows("all_gather_into_tensor", "output_tensor", out, group, array.shape, array)
    work = group.begin("all_gather_into_tensor", array).all_gather(rows, array)
    return _done(work, async_op, [output_tensor], "all_gather_into_tensor")


def reduce_scatter(
    output: Tensor,
    input_list: Sequence[Tensor],
    op: str = "sum",
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Any:
    """Replace `output` by the reduction, over all ranks, of the tensor in their lists that is this rank's.

    >>> out = gg.zeros(2)
    >>> gg.distributed.reduce_scatter(out, [gg.ones(2)])
    >>> out
    tensor([1., 1.])
    """
    out, group = _array("reduce_scatter", output), of(group)
    _check_list("reduce_scatter", "input_list", input_list, group, out)
    plain = _reduction("reduce_scatter", op, out)
    rows = output.device.xp.stack([_array("reduce_scatter", t) for t in input_list])
    work = group.begin(f"reduce_scatter({op})", out).reduce_scatter(out, rows, plain)
    return _done(work, async_op, [output], "reduce_scatter", _averaging(op, out, group))


def reduce_scatter_tensor(
    output: Tensor, input: Tensor, op: str = "sum", group: ProcessGroup | None = None, async_op: bool = False
) -> Any:
    """Replace `output` (n, ...) by this rank's part of the reduction of the inputs (size * n, ...) of all ranks.

    >>> out = gg.zeros(2)
    >>> gg.distributed.reduce_scatter_tensor(out, gg.ones(2))
    >>> out
    tensor([1., 1.])
    """
    out, array, group = _array("reduce_scatter_tensor", output), _array("reduce_scatter_tensor", input), of(group)
    plain = _reduction("reduce_scatter_tensor", op, out)
    rows = _rows("reduce_scatter_tensor", "input", array, group, out.shape, out)
    work = group.begin(f"reduce_scatter_tensor({op})", out).reduce_scatter(out, rows, plain)
    return _done(work, async_op, [output], "reduce_scatter_tensor", _averaging(op, out, group))


def all_to_all(
    output_tensor_list: Sequence[Tensor],
    input_tensor_list: Sequence[Tensor],
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Any:
    """Give rank i the tensor i of `input_tensor_list`, and fill `output_tensor_list` with what the ranks gave this one.

    The tensors may differ in shape.

    >>> out = [gg.zeros(2)]
    >>> gg.distributed.all_to_all(out, [gg.ones(2)])
    >>> out
    [tensor([1., 1.])]
    """
    group = of(group)
    _check_list("all_to_all", "output_tensor_list", output_tensor_list, group, None)
    _check_list("all_to_all", "input_tensor_list", input_tensor_list, group, None)
    outs, given = [[_array("all_to_all", t) for t in ts] for ts in (output_tensor_list, input_tensor_list)]
    transport = group.begin("all_to_all")
    works = []
    for step in range(group.size):
        source, target = (group.rank - step) % group.size, (group.rank + step) % group.size
        works.append(transport.exchange(outs[source], source, given[target], target))

    def finish() -> None:
        for work in works[1:]:
            work.wait()

    return _done(works[0], async_op, output_tensor_list, "all_to_all", finish)


def all_to_all_single(output: Tensor, input: Tensor, group: ProcessGroup | None = None, async_op: bool = False) -> Any:
    """Cut `input` (size * n, ...) into one part for each rank, and fill `output` with the parts for this one.

    >>> out = gg.zeros(2)
    >>> gg.distributed.all_to_all_single(out, gg.ones(2))
    >>> out
    tensor([1., 1.])
    """
    out, array, group = _array("all_to_all_single", output), _array("all_to_all_single", input), of(group)
    if out.shape != array.shape or not array.ndim or array.shape[0] % group.size:
        raise ShapeError(
            f"all_to_all_single: output and input must have one shape (size * n, ...) for {group.size} ranks, got "
            f"{out.shape} and {array.shape}"
        )
    shape = (group.size, array.shape[0] // group.size, *array.shape[1:])
    rows = _rows("all_to_all_single", "output", out, group, shape[1:], array)
    work = group.begin("all_to_all_single", array).all_to_all(rows, array.reshape(shape))
    return _done(work, async_op, [output], "all_to_all_single")


def isend(tensor: Tensor, dst: int, group: ProcessGroup | None = None, tag: int = 0) -> Work:
    """Start to send `tensor` to rank `dst`; it may be changed after the Work's `wait()`.

    >>> gg.distributed.isend(gg.ones(2), dst=0)
    Traceback (most recent call last):
    gpugrad.errors.DistributedError: send: there is one process only; start several with `gpugrad launch -n 2 SCRIPT`
    """
    array, group = _array("send", tensor), of(group)
    return group.begin_pair(f"send(dst={dst})", array).send(array, _within("send", dst, group), tag)


def irecv(tensor: Tensor, src: int, group: ProcessGroup | None = None, tag: int = 0) -> Work:
    """Start to fill `tensor` with what rank `src` sends with this tag.

    >>> gg.distributed.irecv(gg.ones(2), src=0)
    Traceback (most recent call last):
    gpugrad.errors.DistributedError: recv: there is one process only; start several with `gpugrad launch -n 2 SCRIPT`
    """
    array, group = _array("recv", tensor), of(group)
    work = group.begin_pair(f"recv(src={src})", array).receive(array, _within("recv", src, group), tag)
    return _done(work, True, [tensor], "recv")


def send(tensor: Tensor, dst: int, group: ProcessGroup | None = None, tag: int = 0) -> None:
    """Send `tensor` to rank `dst`, and wait until it may be changed.

    >>> gg.distributed.send(gg.ones(2), dst=1)
    Traceback (most recent call last):
    gpugrad.errors.OptionError: send: expected a rank of the group of ranks 0, got 1
    """
    isend(tensor, dst, group, tag).wait()


def recv(tensor: Tensor, src: int, group: ProcessGroup | None = None, tag: int = 0) -> None:
    """Fill `tensor` with what rank `src` sends with this tag.

    >>> gg.distributed.recv(gg.ones(2), src=1)
    Traceback (most recent call last):
    gpugrad.errors.OptionError: recv: expected a rank of the group of ranks 0, got 1
    """
    irecv(tensor, src, group, tag).wait()


def barrier(group: ProcessGroup | None = None) -> None:
    """Wait until all ranks have called this.

    >>> gg.distributed.barrier()
    """
    of(group).begin("barrier").barrier().wait()


def all_gather_object(object_list: list, obj: Any, group: ProcessGroup | None = None) -> None:
    """Fill `object_list` with the objects of all ranks, which are pickled.

    >>> objects = [None]
    >>> gg.distributed.all_gather_object(objects, {"step": 3})
    >>> objects
    [{'step': 3}]
    """
    group = of(group)
    if len(object_list) != group.size:
        raise ShapeError(f"all_gather_object: expected a list of {group.size} items, got {len(object_list)}")
    object_list[:] = gathered(obj, group)


def gathered(obj: Any, group: ProcessGroup) -> list:
    """Return the objects of all ranks."""
    if group.size == 1:
        return [obj]
    content = np.frombuffer(pickle.dumps(obj), np.uint8)
    sizes = np.zeros((group.size, 1), np.int64)
    group.begin("all_gather_object").all_gather(sizes, np.array([content.size])).wait()
    row, rows = np.zeros(sizes.max(), np.uint8), np.zeros((group.size, sizes.max()), np.uint8)
    row[: content.size] = content
    group.begin("all_gather_object").all_gather(rows, row).wait()
    return [pickle.loads(bytes(r[: n[0]])) for r, n in zip(rows, sizes, strict=True)]


def broadcast_object_list(object_list: list, src: int = 0, group: ProcessGroup | None = None) -> None:
    """Replace the objects in `object_list` by those of rank `src`, which are pickled.

    >>> gg.distributed.broadcast_object_list([1, "two"], src=0)
    """
    group = of(group)
    source = _within("broadcast_object_list", src, group)
    content = np.frombuffer(pickle.dumps(object_list), np.uint8).copy() if group.rank == source else np.zeros(0, "u1")
    size = np.array([content.size])
    group.begin("broadcast_object_list").broadcast(size, source).wait()
    content = content if group.rank == source else np.zeros(size[0], np.uint8)
    group.begin("broadcast_object_list").broadcast(content, source).wait()
    object_list[:] = pickle.loads(bytes(content))


def _array(name: str, tensor: Any) -> Any:
    """Return a Tensor's array. Raises DTypeError for anything else."""
    if not isinstance(tensor, Tensor):
        raise DTypeError(f"{name}: expected a Tensor, got {type(tensor).__name__}")
    return tensor._array


def _reduction(name: str, op: str, array: Any) -> str:
    """Return the transport's word for a reduction: an average is a sum first."""
    if op not in (*REDUCTIONS, "avg"):
        raise OptionError(f"{name}: op must be 'sum', 'avg', 'prod', 'max' or 'min', got {op!r}")
    if op == "avg" and not is_float(array.dtype) or array.dtype == np.bool_ and op in ("sum", "prod"):
        raise DTypeError(f"{name}: op={op!r} is not for {array.dtype}")
    return "sum" if op == "avg" else op


def _averaging(op: str, array: Any, group: ProcessGroup) -> Callable | None:
    if op != "avg":
        return None

    def divide() -> None:
        array[...] = array / group.size

    return divide


def _within(name: str, rank: int, group: ProcessGroup) -> int:
    """Return the number within the group of a rank of all."""
    if rank not in group.ranks:
        raise OptionError(f"{name}: expected a rank of {group!r}, got {rank!r}")
    return group.ranks.index(rank)


def _check_list(name: str, argument: str, tensors: Sequence, group: ProcessGroup, like: Any) -> None:
    """Raise ShapeError or DTypeError unless there is a Tensor for each rank, of the shape and dtype of `like`."""
    arrays = [_array(name, t) for t in tensors]
    shapes = [a.shape for a in arrays]
    if len(shapes) != group.size or like is not None and any(s != like.shape for s in shapes):
        what = "Tensors" if like is None else f"Tensors of shape {tuple(like.shape)}"
        raise ShapeError(f"{name}: {argument} must hold {group.size} {what}, one for each rank, got shapes {shapes}")
    for array in arrays:
        _check_dtype(name, argument, array, arrays[0] if like is None else like)


def _check_dtype(name: str, argument: str, array: Any, like: Any) -> None:
    if array.dtype != like.dtype:
        raise DTypeError(f"{name}: {argument} has dtype {array.dtype}, expected {like.dtype}; both must have one dtype")


def _rows(name: str, argument: str, array: Any, group: ProcessGroup, part: tuple, like: Any) -> Any:
    """Return `array` as a view with a row, of the shape `part` and the dtype of `like`, for each rank."""
    if not part or array.shape != (group.size * part[0], *part[1:]):
        raise ShapeError(f"{name}: {argument} must have {group.size} times as many rows as {part}, got {array.shape}")
    _check_dtype(name, argument, array, like)
    if array.size and not array.flags.c_contiguous:
        raise ShapeError(f"{name}: {argument} must be contiguous; use .contiguous() or a new Tensor")
    return array.reshape(group.size, *part)


def _fill(tensors: Sequence[Tensor], rows: Any) -> None:
    for tensor, row in zip(tensors, rows, strict=True):
        tensor._array[...] = row


def _done(work: Work, async_op: bool, outs: Sequence[Tensor], name: str, finish: Callable | None = None) -> Any:
    """Return a Work that finishes, or finish and return None."""

    def end() -> None:
        if finish is not None:
            finish()
        for out in outs:
            changed(out._array, name)

    whole = Finished(work, end)
    if async_op:
        return whole
    whole.wait()
    return None
