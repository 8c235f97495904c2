"""In-place changes: `x += y`, `x[i] = y`, `x.add_(y)`, `x.copy_(y)`, `x.zero_()`.

An in-place op computes its result like any op, writes it into x's memory, and makes x continue the graph from there. If
x is a view, its base is rebased too: it becomes `put_view(base, x)`, whose gradient splits between the elements that
were overwritten and those that were written. Arrays that the op itself saved are copied before they are overwritten.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.explain import explain
from ..autograd.graph import OpNode
from ..autograd.mode import mode
from ..autograd.op import OPS, Op, op, xp
from ..autograd.tensor import Tensor, wrap
from ..autograd.versions import changed, owner
from ..errors import DTypeError, InplaceError, OutOfRangeError, ShapeError
from .index import _checked, getitem, setitem

__all__ = []


@op(
    samples=lambda s: [
        s.case(s(3, 4), s(4), chain=((getitem, {"index": 1}),)),
        s.case(s(3, 4), s(2), chain=((getitem, {"index": 1}), (getitem, {"index": slice(0, 2)}))),
    ],
    exact=True,
    complex=True,
)
def put_view(x, value, *, chain):
    """Return a copy of x in which the view that `chain`, a sequence of (op, attributes), leads to holds `value`."""
    out = x.copy()
    _look(out, chain)[...] = value
    return out


def _look(array: Any, chain: tuple) -> Any:
    for view, attributes in chain:
        array = view.forward(array, **attributes) if not isinstance(array, Tensor) else view(array, **attributes)
    return array


def _outside(g: Any, chain: tuple) -> Any:
    """Return g with zeros in the view that `chain` leads to."""
    return xp(g).put_view(g, xp(g).zeros_like(_look(g, chain)), chain=chain)


put_view.vjp(x=_outside, value=lambda g, chain: _look(g, chain))


def replace(x: Tensor, compute: Callable[[], Tensor], name: str) -> Tensor:
    """Write the Tensor that `compute()` gives into x's memory and its place in the graph; `name` is for errors."""
    recording = mode.grad
    if recording and x._edge() is not None:
        _check_leaf(x, name)
    new = compute()
    if new.shape != x.shape:
        raise ShapeError(f"{name}: the result has shape {new.shape}, which does not fit in place into {x.shape}")
    if not np.can_cast(new.dtype, x.dtype, "same_kind") and new.dtype.name != "bfloat16" != x.dtype.name:
        raise DTypeError(f"{name}: the result is {new.dtype}, which does not fit in place into {x.dtype}")
    new = new.to(dtype=x.dtype)
    if recording and new._node is not None and new._requires_grad:
        _check_leaf(x, name)
        _unshare(new._node, x)
    x._array[...] = new._array
    number = changed(x._array, name)
    if recording:
        rebase(x, new, number)
    return x


def rebase(x: Tensor, new: Tensor, number: int) -> None:
    """Let x, whose memory now holds the values of `new`, continue the graph as `new` does."""
    view = x._view
    if view is not None:
        base = view.base
        if base._edge() is not None or new._requires_grad:
            arrays = (base._array, x._array)
            node = put_view.record(x.device, (base, new), arrays, {"chain": view.chain}, base._array)
            base._node, base._requires_grad = node, node is not None
            base._changed = view.number = number
    x._node, x._requires_grad = new._node, new._requires_grad
    x._changed = number


def _check_leaf(x: Tensor, name: str) -> None:
    base = x if x._view is None else x._view.base
    if base._node is None and base._requires_grad:
        what = "a leaf that requires a gradient" if base is x else "a view of a leaf that requires a gradient"
        raise InplaceError(f"{name}: {what} cannot be changed in place; do it under gpugrad.no_grad(), or on a clone()")


def _unshare(node: Any, x: Tensor) -> None:
    """Copy the arrays in x's memory that `node` saved, since that memory is about to be overwritten."""
    memory = owner(x._array)
    if isinstance(node, OpNode) and node.saved:
        node.saved = {
            name: value.copy() if hasattr(value, "base") and owner(value) is memory else value
            for name, value in node.saved.items()
        }


def named_as_method(function: Callable, name: str) -> None:
    """Give a function the name of a method of Tensor, by which Python's errors show it and pickle finds it."""
    function.__name__, function.__qualname__, function.__module__ = name, f"Tensor.{name}", Tensor.__module__


def _inplace(name: str, op: Op, function: Callable) -> Callable:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return replace(self, lambda: function(self, *args, **kwargs), f"{name}_")

    named_as_method(method, f"{name}_")
    method.__doc__ = f"`{op.name}` in place; returns the tensor."
    vars(method)["__wrapped__"] = op  # `help` shows its signature
    return method


def _operator(name: str, symbol: str) -> Callable:
    def method(self: Tensor, other: Any) -> Tensor:
        return replace(self, lambda: OPS[name](self, other), symbol)

    return method


def _setitem(self: Tensor, index: Any, value: Any) -> None:
    index = tuple(_raw_index(i) for i in index) if isinstance(index, tuple) else _raw_index(index)
    try:
        _checked(index, self.shape)
    except TypeError as error:
        raise DTypeError(f"setitem: {error}") from None
    except IndexError as error:
        raise OutOfRangeError(f"setitem: {error}") from None
    if not isinstance(value, Tensor):
        try:
            value = asarray(value, self.dtype, self.device)
        except (ValueError, TypeError, OverflowError) as error:
            raise DTypeError(f"setitem: the value cannot become {self.dtype} ({error}), got {value!r}") from None
    recording = mode.grad and (self._edge() is not None or value._edge() is not None)
    if recording:
        _check_leaf(self, "setitem")
    value = value.to(dtype=self.dtype)
    node = None
    if recording:
        node = setitem.record(self.device, (self, value), (self._array, value._array), {"index": index}, self._array)
    try:
        self._array[index] = value._array
    except (ValueError, IndexError) as error:
        raise explain(setitem, error, [self._array, value._array], {"index": index}) from None
    number = changed(self._array, "setitem")
    if recording:
        rebase(self, wrap(self._array, self.device, node, self._language), number)


def _raw_index(part: Any) -> Any:
    return part._array if isinstance(part, Tensor) else part


def _copy_(self: Tensor, source: Any, non_blocking: bool = False) -> Tensor:
    """Copy the values of `source`, broadcast, into this Tensor; differentiable with respect to `source`.

    >>> gg.zeros(2).copy_([1.0, 2.0])
    tensor([1., 2.])
    """
    if isinstance(source, Tensor) and source.device is not self.device:
        source = source.to(device=self.device)
    self[...] = source
    return self


def _fill_(self: Tensor, value: Any) -> Tensor:
    """Set every element to `value`."""
    self[...] = value
    return self


def _zero_(self: Tensor) -> Tensor:
    """Set every element to zero."""
    return _fill_(self, 0)


def attach(aliases: dict[str, str], functions: dict[str, Callable]) -> None:
    """Give Tensor its in-place operators, and `name_` for each op that is declared to have it and for its aliases.

    functions: what the ops of these names are called through."""
    for symbol, (word, name) in OPERATORS.items():
        setattr(Tensor, f"__{word}__", _operator(name, f"{symbol}="))
    names = {name: name for name in OPS} | {alias: name for alias, name in aliases.items() if name in OPS}
    for word, name in names.items():
        if OPS[name].inplace:
            setattr(Tensor, f"{word}_", _inplace(word, OPS[name], functions.get(name, OPS[name])))
    Tensor.__setitem__ = _setitem
    for name, method in {"copy_": _copy_, "fill_": _fill_, "zero_": _zero_}.items():
        setattr(Tensor, name, method)


OPERATORS = {
    "+": ("iadd", "add"), "-": ("isub", "subtract"), "*": ("imul", "multiply"), "/": ("itruediv", "divide"),
    "//": ("ifloordiv", "floor_divide"), "%": ("imod", "remainder"), "**": ("ipow", "power"),
    "@": ("imatmul", "matmul"), "&": ("iand", "bitwise_and"), "|": ("ior", "bitwise_or"),
    "^": ("ixor", "bitwise_xor"), "<<": ("ilshift", "left_shift"), ">>": ("irshift", "right_shift"),
}  # fmt: skip
