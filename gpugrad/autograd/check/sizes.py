"""Samples with nothing in them, or without axes: derived from those that an op declares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..functional import grad
from .sample_call import CheckFailure, SampleCall, all_finite
from .samples import Case


def small_cases(cases: list[Case]) -> Iterator[Case]:
    """Each case with its arrays as 0-d ones, and with the axes of each length that occurs emptied; no case twice."""
    seen = set()
    for case in cases:
        for made in (*_scalar(case), *_emptied(case)):
            if repr(made) not in seen:
                seen.add(repr(made))
                yield made


def _arrays(value: Any) -> Iterator[np.ndarray]:
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _arrays(item)


def _mapped(value: Any, change: Callable) -> Any:
    """`value` with its arrays, also those inside sequences, changed."""
    if isinstance(value, np.ndarray):
        return np.asarray(change(value))
    return type(value)(_mapped(v, change) for v in value) if type(value) in (list, tuple) else value


def _scalar(case: Case) -> Iterator[Case]:
    """The call of the first elements, along the axis -1 if it is along one."""
    if any(not a.size for a in _arrays(case.args)):
        return
    kwargs = {name: _mapped(v, lambda a: a.reshape(-1)[0]) for name, v in case.kwargs.items()}
    if kwargs.get("axis") is not None:
        kwargs["axis"] = -1 if isinstance(kwargs["axis"], int) else (-1,) * min(1, len(kwargs["axis"]))
    yield Case(_mapped(case.args, lambda a: a.reshape(-1)[0]), kwargs)


def _emptied(case: Case) -> Iterator[Case]:
    """The call without elements along all axes of one length, which is taken to be one dimension of the op."""
    for length in sorted({n for a in _arrays(case.args) for n in a.shape if n > 1}):

        def cut(a: np.ndarray, length: int = length) -> np.ndarray:
            return a[tuple(slice(0 if n == length else None) for n in a.shape)]

        kwargs = {name: _mapped(value, cut) for name, value in case.kwargs.items()}
        if isinstance(kwargs.get("shape"), tuple):
            kwargs["shape"] = tuple(0 if n == length else n for n in kwargs["shape"])
        yield Case(_mapped(case.args, cut), kwargs)


def check_small(call: SampleCall) -> None:
    """Raise CheckFailure unless value and gradients have their shapes, by paths and rules alike, in two orders."""
    outputs, generic = call(), call(generic=True)
    for a, b in zip(outputs, generic, strict=True):
        if (a.shape, a.dtype) != (b.shape, b.dtype):
            raise CheckFailure(f"it gives {a.shape} {a.dtype}, and its generic body {b.shape} {b.dtype}")
    if not call.checked or not any(o.requires_grad for o in outputs):
        return
    finite = all(map(all_finite, outputs))
    for found in (call.gradients(), call.gradients(generic=True)):
        for i, gradient in found.items():
            if gradient.shape != call.inputs[i].shape:
                raise CheckFailure(f"the gradient of {call.name(i)} {call.inputs[i].shape} is {gradient.shape}")
            if finite and not all_finite(gradient):
                raise CheckFailure(f"the gradient of {call.name(i)} is not finite, and all values are")
    _check_second_order(call)


def _check_second_order(call: SampleCall) -> None:
    function, tensors = call.function()
    outputs = [o for o in function(*tensors) if o.requires_grad]
    vectors = [call.upstream(o).requires_grad_() for o in outputs]
    first = [g for g in grad(outputs, tensors, vectors, create_graph=True, allow_unused=True) if g is not None]
    first = [g for g in first if g.requires_grad]
    if not first:
        return
    given = [*tensors, *vectors]
    for x, second in zip(given, grad(first, given, [call.upstream(g) for g in first], allow_unused=True), strict=True):
        if second is not None and second.shape != x.shape:
            raise CheckFailure(f"the second derivative of an input {x.shape} is {second.shape}")
