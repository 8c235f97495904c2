"""Elementwise ops in one launch: every functor of kernels/elementwise.cu becomes its op's path for floats.

A functor's name says its op (`relu_forward`, `divide_backward_y`), its parameters' names which inputs and attributes it
takes. Other dtypes than floats are left to the array library.
"""

from __future__ import annotations

import ctypes
import inspect
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from ...autograd.op import OPS, Op
from ...backend.cuda.launch import FLOATS, Kernels, Strided, ctype
from ...backend.dtypes import is_float
from ...backend.namespace import xp

THREADS, EACH, AXES = 256, 8, 8  # kThreads, kEach and kAxes of the kernel
MOST = 2**31 - 1  # elements that the kernel can locate by shape and strides
_DECLARED = re.compile(r"^(MAP|TEST)\((\w+)_(forward|backward)(?:_(\w+))?, \(([^)]*)\)", re.MULTILINE)
# An op's attribute that chooses the functor: op -> attribute and the value that takes the functor `<op>_<value>`.
_VARIANTS = {"gelu": ("approximate", "tanh")}


class Functor:
    """A functor of the source: `arrays` and `numbers` name its parameters in order, `result` is "bool" or None."""

    def __init__(self, kind: str, op: str, which: str, of: str | None, declared: str):
        self.op, self.which, self.of = op, which, of
        self.name = "_".join(filter(None, (op, which, of)))
        self.result = "bool" if kind == "TEST" else None
        owner = OPS[next(name for name in (op, op.rpartition("_")[0]) if name in OPS)]
        given = [parameter.split() for parameter in declared.split(", ")]
        arrays = {"g", "out", *owner.inputs}
        self.arrays = [name for _, name in given if name in arrays]
        assert which == "backward" or self.arrays == list(owner.inputs), f"{self.name}: the inputs are {owner.inputs}"
        self.numbers = [name for _, name in given if name not in arrays]
        self.bools = [kind == "bool" for kind, name in given if name in arrays]

    def instance(self, T: str) -> str:
        """The kernel's instance for elements of type T."""
        inputs = ["bool" if truth else T for truth in self.bools]
        return f"map<{self.name}, {self.result or T}, {', '.join(inputs)}>"

    def __call__(self, arrays: Sequence, numbers: Sequence[float] = ()) -> Any:
        """The result, broadcast from the arrays; NotImplemented for what the kernel does not take."""
        dtype: Any = getattr(arrays[self.bools.index(False)], "dtype", None)
        for array, truth in zip(arrays, self.bools, strict=True):
            if not hasattr(array, "strides") or array.dtype != (np.bool_ if truth else dtype):
                return NotImplemented
        if not is_float(dtype) or not all(isinstance(n, (int, float)) for n in numbers):
            return NotImplemented
        return mapped(elementwise, self.instance(ctype(dtype)), np.bool_ if self.result else dtype, arrays, numbers)


def mapped(kernels: Kernels, instance: str, result: Any, arrays: Sequence, numbers: Sequence[float] = ()) -> Any:
    """What an instance of `map` makes of arrays, in the dtype `result`; NotImplemented for too many axes."""
    layout, shape, order = _layout(arrays)
    if layout is None:
        return NotImplemented
    out = xp(arrays[0]).empty(shape, result)
    double = max(a.itemsize for a in arrays) == 8
    values = _numbers(double)(tuple(numbers))
    if layout.rank and out.size > MOST:
        back = range(len(shape)) if order is None else order
        arrays = [xp(a).broadcast_to(a, [shape[i] for i in back]).transpose(np.argsort(back).tolist()) for a in arrays]
        _fill_parts(kernels, instance, out, arrays, values)
    else:
        _fill(kernels, instance, out, layout, arrays, values)
    return out if order is None else out.transpose(order)


def _fill(
    kernels: Kernels, instance: str, out: Any, layout: Layout, arrays: Sequence, values: ctypes.Structure
) -> None:
    missing = [None] * (3 - len(arrays))
    args = (out, np.int64(out.size), layout, values, *map(Strided, arrays), *missing)
    kernels.launch(instance, grid=(-(-out.size // (THREADS * EACH)),), block=(THREADS,), args=args)


def _fill_parts(kernels: Kernels, instance: str, out: Any, arrays: Sequence, values: ctypes.Structure) -> None:
    """Fill halves of `out`, and of these halves, until the kernel can count their elements."""
    axis = next(i for i, n in enumerate(out.shape) if n > 1)
    middle = out.shape[axis] // 2
    for part in (slice(0, middle), slice(middle, None)):
        at = (slice(None),) * axis + (part,)
        target, parts = out[at], [a[at] for a in arrays]
        if target.size > MOST:
            _fill_parts(kernels, instance, target, parts, values)
        else:
            layout, _, _ = _layout(parts, ordered=True)
            assert layout is not None
            _fill(kernels, instance, target, layout, parts, values)


@cache
def functors() -> dict[str, Functor]:
    """Every functor of the source by its name."""
    made = [Functor(*found.groups()) for found in _DECLARED.finditer(elementwise.source.text)]
    return {functor.name: functor for functor in made}


elementwise = Kernels("elementwise.cu", lambda: [f.instance(T) for f in functors().values() for T in FLOATS])


# ---- where the inputs' elements are


@cache
def _numbers(double: bool) -> Any:
    typed = (ctypes.c_double if double else ctypes.c_float) * 3
    return type("Numbers", (ctypes.Structure,), {"_fields_": [("at", typed)]})


class Layout(ctypes.Structure):
    """The kernel's `Layout`."""

    _fields_ = [
        ("rank", ctypes.c_int), ("fixed", ctypes.c_int), ("vectors", ctypes.c_int),
        ("shape", ctypes.c_longlong * AXES), ("strides", ctypes.c_longlong * AXES * 3),
    ]  # fmt: skip


@cache
def _dense(single: int) -> Layout:
    return Layout(0, single, 1)


def _layout(arrays: Sequence, ordered: bool = False) -> tuple[Layout | None, tuple, list | None]:
    """The kernel's Layout (None: too many axes), the shape to make, and the transposition that makes it the result.

    The result gets the memory order of its inputs, as NumPy's and CuPy's does; `ordered`: they are in that order."""
    shapes = {a.shape for a in arrays if a.size != 1 or a.ndim}
    shape = shapes.pop() if len(shapes) == 1 else np.broadcast_shapes(*[a.shape for a in arrays])
    single = sum(1 << i for i, a in enumerate(arrays) if a.size == 1)
    full = [a for a in arrays if a.size != 1]
    if all(a.flags.c_contiguous and a.shape == shape for a in full):
        return _dense(single), shape, None
    strides = [_strides(a, shape) for a in arrays]
    order = list(range(len(shape)))
    if not ordered:
        order.sort(key=lambda axis: -max(abs(s[axis]) for s in strides))
    merged: list[list] = []  # [size, strides of all arrays], neighbours that step alike made one
    for axis in order:
        size, steps = shape[axis], [s[axis] for s in strides]
        if size == 1:
            continue
        if merged and merged[-1][1] == [size * step for step in steps]:
            merged[-1] = [merged[-1][0] * size, steps]
        else:
            merged.append([size, steps])
    back = None if order == list(range(len(shape))) else np.argsort(order).tolist()
    made = tuple([shape[axis] for axis in order])
    along = merged[0][1] if merged else []
    if len(merged) <= 1 and all(step == 1 or a.size == 1 for step, a in zip(along, arrays, strict=bool(merged))):
        return _dense(single), made, back
    if len(merged) > AXES:
        return None, made, back
    wide = 16 // max(a.itemsize for a in arrays)
    fixed = sum((step == 0) << i for i, step in enumerate(merged[-1][1]))
    layout = Layout(len(merged), fixed, _in_vectors(merged, wide))
    for axis, (size, steps) in enumerate(merged):
        layout.shape[axis] = size
        for i, step in enumerate(steps):
            layout.strides[i][axis] = step
    return layout, made, back


def _in_vectors(merged: list[list], wide: int) -> bool:
    """Whether `wide` elements can be moved at a time: along the innermost axis, each start a multiple of `wide`."""
    *others, (size, inner) = merged
    starts = [step for _, steps in others for step in steps]
    return size % wide == 0 and all(step in (0, 1) for step in inner) and all(step % wide == 0 for step in starts)


def _strides(array: Any, shape: tuple) -> list[int]:
    """Steps, in elements, along the axes of the broadcast `shape`."""
    first = len(shape) - array.ndim
    own = [0 if n == 1 else step // array.itemsize for n, step in zip(array.shape, array.strides, strict=True)]
    return [0] * first + own


# ---- the ops' paths


class Forward:
    """The forward of an op's cuda path."""

    def __init__(self, op: Op):
        self.op = op
        self.functor = None if op.name in _VARIANTS else functors()[f"{op.name}_forward"]

    def __call__(self, *arrays: Any, **attributes: Any) -> Any:
        functor = self.functor or functors()[f"{_chosen(self.op.name, attributes)}_forward"]
        out = functor(arrays, [attributes[name] for name in functor.numbers])
        return out if out is NotImplemented else (out, {})


class Backward:
    """The backward of an op's cuda path: for each input that needs a gradient the functor that computes it."""

    def __init__(self, op: Op, functors: dict[str, list[Functor]]):
        self.op, self.functors = op, functors
        names = {name: None for found in functors.values() for f in found for name in [*f.arrays[1:], *f.numbers]}
        extra = [_VARIANTS[op.name][0]] if op.name in _VARIANTS else []
        self.names = ["g", *names, *extra, "needs"]
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        self.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in self.names])

    def __call__(self, *values: Any) -> Any:
        given = dict(zip(self.names, values, strict=True))
        grads = []
        for name, needed in zip(self.op.inputs, given["needs"], strict=True):
            wanted = f"{_chosen(self.op.name, given)}_backward"
            functor = next((f for f in self.functors.get(name, []) if f.name in (wanted, f"{wanted}_{name}")), None)
            gx = None
            if needed and functor is not None:
                gx = functor([given[n] for n in functor.arrays], [given[n] for n in functor.numbers])
            elif needed:
                gx = NotImplemented
            if gx is NotImplemented:
                return gx
            grads.append(gx)
        return tuple(grads)


def _chosen(op: str, attributes: dict) -> str:
    """The functor of `op` for these attributes, without its ending."""
    attribute, value = _VARIANTS.get(op, (None, None))
    return f"{op}_{value}" if attribute and attributes[attribute] == value else op


def _declare() -> None:
    owners: dict[str, dict[str, list[Functor]]] = {}
    for functor in functors().values():
        variant = next((op for op, (_, value) in _VARIANTS.items() if functor.op == f"{op}_{value}"), functor.op)
        pulls = owners.setdefault(variant, {})
        if functor.which == "backward":
            pulls.setdefault(functor.of or OPS[variant].inputs[0], []).append(functor)
    for name, pulls in owners.items():
        path = OPS[name].path("cuda")(Forward(OPS[name]))
        if pulls:
            path.backward(Backward(OPS[name], pulls))


_declare()
