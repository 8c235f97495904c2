"""`vmap`: map a function of examples over batches of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ...backend.devices import default_device
from ...errors import DTypeError, ShapeError
from ..convert import asarray
from ..nests import map_tensors, tensors_in
from ..table import OPS
from ..tensor import Tensor, wrap
from . import rules
from .batched import Batched, Level


def vmap(function: Callable, in_axes: Any = 0, out_axes: Any = 0, *, chunk_size: int | None = None) -> Callable:
    """Return a function that maps `function` over an axis of its arguments, as if called in a loop and stacked.

    in_axes: the axis of each positional argument that holds the examples: an int for all arguments, or a tuple with an
    int, None (the same for all examples), or a nest of them for each. out_axes: likewise, where results have it.
    Keyword arguments are the same for all examples. chunk_size: so many examples at a time, for less memory.

    Most ops run once for the whole batch; an op that has no rule for it runs for each example. Calls nest, and compose
    with `grad` and all other derivatives both ways. What depends on values (`if x > 0`, `item()`) is an error.
    Raises ShapeError if the axes have different lengths.

    >>> a, b = gg.tensor([[1.0, 2.0], [3.0, 4.0]]), gg.tensor([10.0, 1.0])
    >>> gg.vmap(gg.dot, in_axes=(0, None))(a, b)
    tensor([12., 34.])
    >>> gg.vmap(gg.grad(lambda x: (x**3).sum()))(a)
    tensor([[ 3., 12.],
            [27., 48.]])
    """
    if not callable(function):
        raise DTypeError(f"vmap: expected a function, got a {type(function).__name__}")

    @wraps(function)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        axes = in_axes if isinstance(in_axes, (tuple, list)) else (in_axes,) * len(args)
        if len(axes) != len(args):
            raise ShapeError(f"vmap: in_axes={in_axes!r} has {len(axes)} entries for {len(args)} positional arguments")
        lengths: list[int] = []
        given = [_front(arg, axis, lengths) for arg, axis in zip(args, axes, strict=True)]
        if len(set(lengths)) != 1:
            found = ", ".join(map(str, lengths)) or "no axis at all"
            raise ShapeError(f"vmap: the mapped axes must have one length, got {found}")
        length, chunk = lengths[0], chunk_size or max(lengths[0], 1)
        parts = []
        for start in range(0, max(length, 1), chunk):
            part = [_chunk(arg, start, chunk) for arg in given]
            parts.append(_called(function, part, kwargs, min(chunk, length - start)))
        whole = parts[0]
        if len(parts) > 1:
            columns = zip(*map(tensors_in, parts), strict=True)
            joined = iter([OPS["concatenate"](list(column), axis=0) for column in columns])
            whole = map_tensors(lambda _: next(joined), whole)
        return _placed(whole, out_axes)

    return mapped


class _Mapped:
    """A Tensor of an argument with the mapped axis in front."""

    def __init__(self, tensor: Tensor):
        self.tensor = tensor


def _front(arg: Any, axis: Any, lengths: list[int]) -> Any:
    """Return an argument with its mapped Tensors as _Mapped ones; their lengths are added to `lengths`."""
    if axis is None:
        return arg
    if isinstance(arg, dict):
        axes = axis if isinstance(axis, dict) else dict.fromkeys(arg, axis)
        return {key: _front(value, axes[key], lengths) for key, value in arg.items()}
    if isinstance(arg, (tuple, list)):
        axes = axis if isinstance(axis, (tuple, list)) else (axis,) * len(arg)
        items = [_front(item, one, lengths) for item, one in zip(arg, axes, strict=True)]
        return getattr(arg, "_make", type(arg))(items)
    tensor = asarray(arg)
    if not isinstance(axis, int) or not -tensor.ndim <= axis < tensor.ndim:
        raise ShapeError(f"vmap: axis {axis!r} is outside an argument of shape {tensor.shape}; None for no axis")
    lengths.append(tensor.shape[axis])
    return _Mapped(tensor if axis == 0 else OPS["moveaxis"](tensor, source=axis, destination=0))


def _each(change: Callable[[_Mapped], Any], arg: Any) -> Any:
    if isinstance(arg, _Mapped):
        return change(arg)
    if isinstance(arg, dict):
        return {key: _each(change, value) for key, value in arg.items()}
    if isinstance(arg, (tuple, list)):
        return getattr(arg, "_make", type(arg))([_each(change, item) for item in arg])
    return arg


def _chunk(arg: Any, start: int, size: int) -> Any:
    return _each(lambda m: m if size >= m.tensor.shape[0] else _Mapped(m.tensor[start : start + size]), arg)


def _called(function: Callable, args: list, kwargs: dict, length: int) -> Any:
    """Call the function once for all examples; the results have the batch's axis in front."""
    tensors: list[Tensor] = []
    _each(lambda m: tensors.append(m.tensor), args)
    level = Level(length, tensors[0].device if tensors else default_device())
    inside = [
        _each(lambda m: wrap(Batched(m.tensor, True, level), level, None, m.tensor._language), arg) for arg in args
    ]
    with level:
        out = function(*map_tensors(level.adopt, inside), **map_tensors(level.adopt, kwargs))
        made = map_tensors(level.adopt, out)
    return map_tensors(lambda t: rules.front((t._array.tensor, t._array.mapped), length), made)


def _placed(nest: Any, axes: Any) -> Any:
    """Return the results with the batch's axis, which is in front, where `axes` says."""
    if isinstance(nest, Tensor):
        if axes is None:
            return nest[0]
        return nest if axes == 0 else OPS["moveaxis"](nest, source=0, destination=axes)
    if isinstance(nest, dict):
        return {k: _placed(v, axes[k] if isinstance(axes, dict) else axes) for k, v in nest.items()}
    if isinstance(nest, (tuple, list)):
        several = axes if isinstance(axes, (tuple, list)) else (axes,) * len(nest)
        return getattr(nest, "_make", type(nest))([_placed(v, a) for v, a in zip(nest, several, strict=True)])
    return nest
