"""The sample call: a case of an op's samples, to be called in any dtype, layout and place, with or without device
paths."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...backend.devices import Device
from ...backend.dtypes import as_dtype, complex_of, finfo, is_float, is_inexact, is_low
from ...backend.namespace import xp
from ..functional import grad
from ..op import Op
from ..tensor import Tensor, wrap
from .parts import parts, random_like
from .samples import Case

# The allowed difference between two ways to compute a value, relative to the largest value (at least 1).
TOLERANCES = {"float64": 1e-10, "float32": 1e-5, "float16": 4e-3, "bfloat16": 3e-2}
TOLERANCES |= {"complex128": 1e-10, "complex64": 1e-5}


class CheckFailure(AssertionError):
    """An exception that says why a check failed."""


class SampleCall:
    """A call of `op` with the arguments of `case` on `device`. `dtype` is that of floats, `arrange` sets the layout."""

    def __init__(self, op: Op, case: Case, device: Device, dtype: Any, arrange: Callable | None = None):
        given, attributes = op.signature.bind(case.args, dict(case.kwargs))
        self.op, self.case, self.device, self.dtype, self.arrange = op, case, device, as_dtype(dtype), arrange
        self.inputs = [self._placed(v) for v in given]
        self.attributes = {name: self._placed(v) for name, v in attributes.items()}
        free = [(i, t) for i, t in enumerate(self.inputs) if i not in op.fixed and isinstance(t, Tensor)]
        self.floats = [i for i, t in free if is_inexact(t.dtype)]
        self.checked = [i for i in self.floats if op.input_name(i) in op.rules]
        for i in self.checked:
            self.inputs[i].requires_grad_()
        self._before = self._bytes()

    def _placed(self, value: Any) -> Any:
        if isinstance(value, (np.ndarray, np.inexact)):
            value = np.asarray(value)
            wanted = self.dtype if is_float(value.dtype) else complex_of(self.dtype)
            array = value.astype(wanted) if is_inexact(value.dtype) and value.dtype != wanted else value
            array = self.device.asarray(array.copy(order="K") if array is value else array)
            return wrap(self.arrange(array) if self.arrange else array, self.device, None)
        return type(value)(self._placed(v) for v in value) if type(value) in (list, tuple) else value

    def __call__(self, inputs: Sequence | None = None, generic: bool = False) -> tuple:
        """Return the outputs, always a tuple. `generic`: compute them by the op's body, without device paths."""
        inputs = self.inputs if inputs is None else inputs
        args = (list(inputs),) if self.op.many else inputs
        with without_paths(self.op) if generic else _nothing():
            out = Op.__call__(self.op, *args, **self.attributes) if generic else self.op(*args, **self.attributes)
        return out if isinstance(out, tuple) else (out,)

    def function(self) -> tuple[Callable, list]:
        """Return (f, tensors): the call as a function of its differentiable inputs, and these inputs."""

        def f(*tensors: Tensor) -> tuple:
            inputs = list(self.inputs)
            for i, t in zip(self.checked, tensors, strict=True):
                inputs[i] = t
            return self(inputs)

        return f, [self.inputs[i] for i in self.checked]

    def gradients(self, generic: bool = False, only: int | None = None, upstream: Callable | None = None) -> dict:
        """Return {input number: gradient}, from upstream gradients that depend on the shapes of the outputs alone.

        only: the one input that requires a gradient. upstream: a function that changes the array of an upstream
        gradient.
        """
        for i in self.checked:
            self.inputs[i].requires_grad_(only is None or i == only)
        outputs = [o for o in self(generic=generic) if o.requires_grad]
        vectors = [self.upstream(o, upstream) for o in outputs]
        before = [host(v).tobytes() for v in vectors]
        wanted = [i for i in self.checked if only is None or i == only]
        found: Sequence = [None] * len(wanted)
        if outputs:
            found = grad(outputs, [self.inputs[i] for i in wanted], vectors, allow_unused=True)
        for i in self.checked:
            self.inputs[i].requires_grad_()
        if before != [host(v).tobytes() for v in vectors]:
            raise CheckFailure("its backward changed the upstream gradient in place")
        self.unchanged("backward")
        return {i: g for i, g in zip(wanted, found, strict=True) if g is not None}

    def has_gradient(self) -> bool:
        """Return whether a gradient flows from an output to an input."""
        return bool(self.checked) and any(o.requires_grad for o in self())

    def upstream(self, output: Tensor, make: Callable | None = None) -> Tensor:
        """The upstream gradient of an output; `make` changes its array."""
        array = np.asarray(random_like(np.random.default_rng(3), output.shape, output.dtype)).astype(output.dtype)
        return wrap(make(self.device.asarray(array)) if make else self.device.asarray(array), self.device, None)

    def given(self, i: int, value: Any) -> SampleCall:
        """Return this call with `value`, a constant, for input i."""
        made = copy.copy(self)
        made.inputs = [value if j == i else t for j, t in enumerate(self.inputs)]
        made.checked = [j for j in self.checked if j != i]
        made._before = made._bytes()
        return made

    def name(self, i: int) -> str:
        """Return the name of input i for messages."""
        return f"{self.op.inputs[0]}[{i}]" if self.op.many else self.op.input_name(i)

    def _bytes(self) -> list[bytes]:
        return [host(t).tobytes() for t in self.inputs if isinstance(t, Tensor)]

    def unchanged(self, what: str) -> None:
        """Raise CheckFailure if an input has changed."""
        tensors = [i for i, t in enumerate(self.inputs) if isinstance(t, Tensor)]
        for i, before, now in zip(tensors, self._before, self._bytes(), strict=True):
            if before != now:
                raise CheckFailure(f"its {what} changed the input {self.name(i)} in place")


def host(tensor: Tensor) -> np.ndarray:
    """Return the values of any Tensor as a NumPy array."""
    return np.asarray(tensor.device.to_host(tensor._array))


def typed_like_inputs(call: SampleCall, gradients: dict) -> None:
    """Raise CheckFailure unless each gradient has the shape and the dtype of its input."""
    for i, g in gradients.items():
        given = call.inputs[i]
        if (g.shape, g.dtype) != (given.shape, given.dtype):
            raise CheckFailure(f"the gradient of {call.name(i)} {given.shape} {given.dtype} is {g.shape} {g.dtype}")


def all_finite(tensor: Tensor) -> bool:
    """Return whether all values of a Tensor are finite."""
    return bool(np.isfinite(parts(host(tensor))).all())


@contextmanager
def without_paths(op: Op) -> Iterator[None]:
    """Strip `op` of its device paths within a `with` block."""
    paths, op.paths = op.paths, defaultdict(lambda: None)
    try:
        yield
    finally:
        op.paths = paths


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def agree(got: Tensor, expected: Tensor, what: str, tolerance: float | None = None) -> None:
    """Raise CheckFailure unless the values agree as well as their dtype allows (or bit for bit, with tolerance 0)."""
    if got.shape != expected.shape:
        raise CheckFailure(f"{what}: shape {got.shape}, expected {expected.shape}")
    if tolerance is None:
        names = {got.dtype.name, expected.dtype.name}
        tolerance = max((TOLERANCES.get(name, 0.0) for name in names), default=0.0)
    a, b = (host(t) for t in (got, expected))
    if a.dtype.kind != b.dtype.kind and "c" in (a.dtype.kind, b.dtype.kind):
        a, b = (values.astype(np.complex128) for values in (a, b))
    a, b = parts(a), parts(b)
    finite = np.abs(b[np.isfinite(b)])
    allowed = tolerance * (max(1.0, finite.max()) if finite.size else 1.0)
    right = (np.abs(a - b) <= allowed) | (a == b) | (np.isnan(a) & np.isnan(b))
    if is_low(got.dtype):  # a value beyond its range may become infinite or its largest number
        limit = finfo(got.dtype).max
        right |= (np.abs(b) >= limit) & (np.abs(a) >= limit) & (np.sign(a) == np.sign(b))
    wrong = ~right
    if wrong.any():
        error = np.where(wrong, np.nan_to_num(np.abs(a - b), nan=np.inf), -1.0)
        at = tuple(int(k) for k in np.unravel_index(np.argmax(error), a.shape))
        raise CheckFailure(
            f"{what}: {a[at]:.9g} at {at}, expected {b[at]:.9g}, may differ by {allowed:.2g} ({got.dtype})"
        )


def all_agree(got: Sequence, expected: Sequence, what: str, tolerance: float | None = None) -> None:
    """Raise CheckFailure unless the outputs agree (see `agree`) and have the same dtypes."""
    if len(got) != len(expected):
        raise CheckFailure(f"{what}: {len(got)} outputs, expected {len(expected)}")
    for j, (a, b) in enumerate(zip(got, expected, strict=True)):
        name = what if len(got) == 1 else f"{what}, output {j}"
        if a.dtype != b.dtype:
            raise CheckFailure(f"{name}: dtype {a.dtype}, expected {b.dtype}")
        agree(a, b, name, tolerance)


def gradients_agree(call: SampleCall, got: dict, expected: dict, what: str, tolerance: float | None = None) -> None:
    """Raise CheckFailure unless two results of `SampleCall.gradients` agree; a gradient in only one must be zero."""
    for i in sorted(got.keys() | expected.keys()):
        zeros = wrap(np.zeros(call.inputs[i].shape, np.float32), call.device, None)
        agree(got.get(i, zeros), expected.get(i, zeros), f"{what} for {call.name(i)}", tolerance)


# Layouts


def strided(array: Any) -> Any:
    """Return the same values as every second element of a larger array, in reverse."""
    if not array.ndim:
        return array
    wide = xp(array).zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    view = wide[..., ::-2]
    view[...] = array
    return view


def fortran(array: Any) -> Any:
    """Return the same values with the first axis innermost."""
    return xp(array).asfortranarray(array) if array.ndim > 1 else strided(array)
