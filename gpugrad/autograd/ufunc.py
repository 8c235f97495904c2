"""Elementwise ops: one function applied to each element, with a fast call for the common case.

A small network spends its time on Python's overhead, not on arithmetic. So if every input is a CPU Tensor of one
floating-point dtype (or one of two is a Python number), the functions below do all that `Op.__call__` does, written out
for one and two inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from ..backend.cpu import memory, rows
from ..backend.devices import CPU
from ..backend.dtypes import float32, float64
from ..backend.namespace import CPU as CPU_NAMESPACE
from ..backend.namespace import xp
from .explain import explain
from .graph import EMPTY, OpNode
from .mode import mode
from .op import Op, op
from .tensor import Tensor, wrap

_ndarray = np.ndarray
_LARGE = 1 << 20  # bytes of an array from which a call may take longer to save time
_NUMBERS = frozenset((float, int))
_MISSING: Any = object()  # an operand that was not given by position
_CONSTANT = wrap(np.zeros(()), CPU, None)  # stands for a Python number, which needs no place in the graph


class Elementwise(Op):
    """An Op that applies its body to each element. `direct` is the function behind it, which operators call.

    Its rules name only x, y and out; its CPU path keeps no residuals and never declines.
    """

    def __init__(self, forward: Callable, **flags: Any):
        super().__init__(forward, **flags)
        self.direct: Callable = super().__call__
        short = {1: _unary, 2: _binary}.get(len(self.inputs))
        if short and not self.attributes:
            self.direct = short(self, self.on_cpu(), super().__call__)

    def on_cpu(self) -> Callable:
        """Return the function that computes the op on NumPy arrays."""
        return self.forward

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.direct(*args, **kwargs)


class Ufunc(Elementwise):
    """An Elementwise op that calls the namespace's function of the same name."""

    def on_cpu(self) -> Callable:
        name = self.name
        self.forward = wraps(self.forward)(lambda *arrays: getattr(xp(arrays[0]), name)(*arrays))
        return getattr(CPU_NAMESPACE, name)


def ufunc(body: Callable | None = None, **flags: Any) -> Any:
    """Declare an elementwise op that the namespace's function of that name computes; the body is only a docstring."""
    return op(body, make=Ufunc, **flags)


def elementwise(body: Callable | None = None, **flags: Any) -> Any:
    """Declare an elementwise op that its body computes."""
    return op(body, make=Elementwise, **flags)


def _unary(op: Elementwise, function: Any, general: Callable) -> Callable:
    paths = op.paths

    def call(x: Any = _MISSING, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(x, Tensor) or args or kwargs:
            return general(*args, **kwargs) if x is _MISSING else general(x, *args, **kwargs)
        a = x._array
        if (a.dtype is not float32 and a.dtype is not float64) or x.device is not CPU:
            return general(x)
        path = paths["cpu"]
        if path is not None:
            path.runs += 1
            out = path.forward(a)[0]
        else:
            try:
                out = function(a) if a.nbytes < _LARGE else _call_large(function, a)
            except TypeError as error:
                raise explain(op, error, [a], EMPTY) from None
        if out.__class__ is not _ndarray:
            out = np.asarray(out)
        node = None
        if mode.grad and x.requires_grad and op.rules:
            plan = op.plan((True,), path)
            names = plan.names
            saved = {name: a if name == "x" else out for name in names} if names else EMPTY
            node = OpNode(plan, (x._edge(),), saved, None, CPU)
        return wrap(out, CPU, node, x._language)

    call.__name__ = call.__qualname__ = op.name
    return call


def _binary(op: Elementwise, function: Any, general: Callable) -> Callable:
    plans: dict = {}

    def call(x: Any = _MISSING, y: Any = _MISSING, *args: Any, **kwargs: Any) -> Any:
        if args or kwargs:
            return general(*[v for v in (x, y) if v is not _MISSING], *args, **kwargs)
        if y.__class__ in _NUMBERS and (b := _number(y, x)) is not None:
            a, y = x._array, _CONSTANT
        elif x.__class__ in _NUMBERS and (a := _number(x, y)) is not None:
            b, x = y._array, _CONSTANT
        else:
            try:
                a, b = x._array, y._array
            except AttributeError:
                return general(*[v for v in (x, y) if v is not _MISSING])
        dtype = a.dtype
        if (
            dtype is not b.dtype
            or (dtype is not float32 and dtype is not float64)
            or x.device is not CPU
            or y.device is not CPU
        ):
            return general(x, y)
        try:
            out = function(a, b) if a.nbytes < _LARGE else _call_large(function, a, b)
        except (ValueError, TypeError) as error:
            raise explain(op, error, [a, b], EMPTY) from None
        if out.__class__ is not _ndarray:
            out = np.asarray(out)
        node = None
        if mode.grad:
            ex = x._edge() if x._view is not None else x._node or (x if x._requires_grad else None)
            ey = y._edge() if y._view is not None else y._node or (y if y._requires_grad else None)
            if ex is not None or ey is not None:
                mask = (ex is not None, ey is not None)
                plan = plans.get(mask) or plans.setdefault(mask, op.plan(mask, None))
                if op.rules:
                    names = plan.names
                    saved = {n: a if n == "x" else b if n == "y" else out for n in names} if names else EMPTY
                    same = a.shape == b.shape or y is _CONSTANT or x is _CONSTANT
                    node = OpNode(plan, (ex, ey), saved, None if same else (a.shape, b.shape), CPU)
        language = x._language
        return wrap(out, CPU, node, y._language if language is Tensor else language)

    call.__name__ = call.__qualname__ = op.name
    return call


def _number(value: Any, other: Any) -> Any:
    """Return a Python number as an array of the dtype of `other`; None unless `other` is a float Tensor on the CPU."""
    if not isinstance(other, Tensor) or other.device is not CPU:
        return None
    dtype = other._array.dtype
    try:
        return np.array(value, dtype) if dtype is float32 or dtype is float64 else None
    except OverflowError:
        return None


def _call_large(function: Any, a: Any, *rest: Any) -> Any:
    """Return `function` of arrays that are large enough for NumPy's time to count.

    Some functions have a compiled loop. Wide rows are broadcast without NumPy's buffer, and a very large result like
    `a` goes into reused memory, as fresh pages would cost more than the arithmetic.
    """
    if not rest:
        from ..backend.cpu.loops import ufuncs  # late: only large arrays need it

        out = ufuncs.call(function, a)
        if out is not None:
            return out
    if not all([b.shape == a.shape or b.ndim == 0 for b in rest]):
        with rows.unbuffered(a.shape[-1] if a.shape else 1):
            return function(a, *rest)
    if a.nbytes < memory.LARGE or not isinstance(function, np.ufunc) or function.types[0].endswith("?"):
        return function(a, *rest)
    return function(a, *rest, out=memory.empty_like(a))
