"""Gradients against finite differences: `gradcheck` and `gradgradcheck`, with PyTorch's names and defaults."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ...backend.dtypes import float64, is_inexact, real_of
from ...errors import DTypeError, GradcheckError, GradientError
from ..functional import grad
from ..mode import enable_grad, is_grad_enabled, no_grad
from ..tensor import Tensor, wrap
from .parts import parts, random_like, shape_of_parts, whole

DEFAULTS = (1e-6, 1e-5, 1e-3)


def gradcheck(
    func: Callable,
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    fast_mode: bool = False,
    check_grad_dtypes: bool = False,
) -> bool:
    """Compare the gradients of `func` with central differences: |analytic - numerical| <= atol + rtol * |numerical|.

    Every element of each input that requires a gradient is checked against every element of each floating-point output;
    `fast_mode` compares one random direction instead.

    func: takes `inputs`, returns a Tensor or a tuple of them.
    inputs: a Tensor or a sequence; float64 or complex128 unless you set the tolerances. Other arguments are passed
    through. A complex number counts as two real ones, along a last axis.
    nondet_tol: how far two backward passes may differ.
    check_grad_dtypes: gradients must have their input's dtype.
    Returns True; raises GradcheckError (or returns False if not `raise_exception`) naming the element that differs,
    GradientError if no input requires a gradient, DTypeError for inputs less precise than the tolerances.

    >>> x = gg.tensor([0.5, 1.0], dtype="float64", requires_grad=True)
    >>> gg.autograd.gradcheck(gg.tanh, x)
    True
    """
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    checked = [i for i, t in enumerate(inputs) if isinstance(t, Tensor) and t.requires_grad]
    if not checked:
        raise GradientError("gradcheck: no input requires a gradient; pass float64 tensors with requires_grad=True")
    for i in checked:
        if real_of(inputs[i].dtype) != float64 and (eps, atol, rtol) == DEFAULTS:
            raise DTypeError(
                f"gradcheck: input {i} is {inputs[i].dtype}, too coarse for eps={eps} and the default tolerances; "
                "pass float64 inputs, or your own eps, atol and rtol"
            )
    check = _Check(func, inputs, checked, eps, atol, rtol)
    try:
        outputs = check.record()
        check.same_twice(outputs, nondet_tol)
        check.gradient_types(outputs, check_grad_dtypes)
        (check.direction if fast_mode else check.elements)(outputs)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable,
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    fast_mode: bool = False,
    check_grad_dtypes: bool = False,
) -> bool:
    """Run `gradcheck` on the gradients of `func`, as functions of `inputs` and of the upstream gradients.

    grad_outputs: an upstream gradient for each floating-point output; random if None. The rest is as in `gradcheck`; in
    a message, input numbers beyond those of `inputs` are upstream gradients, and output k is the k-th gradient.

    >>> x = gg.tensor([0.5, 1.0], dtype="float64", requires_grad=True)
    >>> gg.autograd.gradgradcheck(gg.tanh, x)
    True
    """
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    count = len(inputs)
    if grad_outputs is None:
        upstream = _random_like(func, inputs)
    else:
        upstream = (grad_outputs,) if isinstance(grad_outputs, Tensor) else tuple(grad_outputs)

    def gradients(*given: Any) -> tuple:
        values, vectors = given[:count], given[count:]
        recording = is_grad_enabled()
        with enable_grad():
            outputs = _floats(func(*values))
            pairs = [(o, v) for o, v in zip(outputs, vectors, strict=True) if o.requires_grad]
            wanted = [t for t in values if isinstance(t, Tensor) and t.requires_grad]
            if not pairs or not wanted:
                raise GradientError("gradgradcheck: no output depends on an input that requires a gradient")
            outputs, vectors = zip(*pairs, strict=True)
            found = grad(outputs, wanted, vectors, create_graph=recording, allow_unused=True)
        return tuple(t for t in found if t is not None)

    tolerances = dict(eps=eps, atol=atol, rtol=rtol, nondet_tol=nondet_tol)
    flags = dict(raise_exception=raise_exception, fast_mode=fast_mode, check_grad_dtypes=check_grad_dtypes)
    return gradcheck(gradients, inputs + upstream, **tolerances, **flags)


def _random_like(func: Callable, inputs: tuple) -> tuple:
    """Return random upstream gradients for the outputs of `func`; they require gradients themselves."""
    with no_grad():
        outputs = _floats(func(*inputs))
    rng = np.random.default_rng(0)
    arrays = [o.device.asarray(random_like(rng, o.shape, o.dtype), o.dtype) for o in outputs]
    return tuple(wrap(a, o.device, None).requires_grad_() for a, o in zip(arrays, outputs, strict=True))


def _floats(outputs: Any) -> tuple:
    outputs = (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
    return tuple(o for o in outputs if is_inexact(o.dtype))


class _Check(NamedTuple):
    func: Callable
    inputs: tuple
    checked: list[int]
    eps: float
    atol: float
    rtol: float

    def record(self) -> tuple:
        with enable_grad():
            outputs = _floats(self.func(*self.inputs))
        if not outputs:
            raise GradientError("gradcheck: the function has no floating-point output")
        return outputs

    def values(self) -> list[np.ndarray]:
        """Return the outputs on the host, computed without recording."""
        with no_grad():
            return [parts(np.array(o.device.to_host(o._array))) for o in _floats(self.func(*self.inputs))]

    def gradient_of(self, output: Tensor, vector: np.ndarray) -> list[Tensor | None]:
        """Return the gradients of one output from upstream `vector`; None for an input that it does not depend on."""
        if not output.requires_grad:
            return [None] * len(self.checked)
        upstream = wrap(output.device.asarray(whole(vector, output.dtype)), output.device, None)
        wanted = [self.inputs[i] for i in self.checked]
        return list(grad([output], wanted, [upstream], retain_graph=True, allow_unused=True))

    def host(self, gradient: Tensor | None, i: int) -> np.ndarray:
        if gradient is None:
            return np.zeros(shape_of_parts(self.inputs[i]))
        return parts(gradient.device.to_host(gradient._array))

    def same_twice(self, outputs: Sequence, tolerance: float) -> None:
        rng = np.random.default_rng(1)
        for j, output in enumerate(outputs):
            vector = rng.uniform(-1, 1, shape_of_parts(output))
            runs = self.gradient_of(output, vector), self.gradient_of(output, vector)
            for i, a, b in zip(self.checked, *runs, strict=True):
                first, second = self.host(a, i), self.host(b, i)
                if np.array_equal(first, second, equal_nan=True) or first.shape != second.shape:
                    continue
                difference = abs(first - second).max()
                if not difference <= tolerance:
                    raise GradcheckError(
                        f"gradcheck: two backward passes from output {j} differ by {difference:.3g} for "
                        f"input {i} {self.inputs[i].shape}; nondet_tol={tolerance:g}"
                    )

    def gradient_types(self, outputs: Sequence, dtypes: bool) -> None:
        for j, output in enumerate(outputs):
            for i, gradient in zip(
                self.checked, self.gradient_of(output, np.ones(shape_of_parts(output))), strict=True
            ):
                given, which = self.inputs[i], f"gradcheck: output {j}, input {i}"
                if gradient is not None and gradient.shape != given.shape:
                    raise GradcheckError(f"{which} has shape {given.shape}, its gradient {gradient.shape}")
                if dtypes and gradient is not None and gradient.dtype != given.dtype:
                    raise GradcheckError(f"{which} is {given.dtype}, its gradient {gradient.dtype}")

    def elements(self, outputs: Sequence) -> None:
        """Compare every derivative of every output."""
        shapes = [shape_of_parts(o) for o in outputs]
        analytic = [[np.zeros((prod(s), *shape_of_parts(self.inputs[i]))) for i in self.checked] for s in shapes]
        for j, output in enumerate(outputs):
            for k in range(prod(shapes[j])):
                vector = np.zeros(shapes[j])
                vector.reshape(-1)[k] = 1
                for table, i, gradient in zip(analytic[j], self.checked, self.gradient_of(output, vector), strict=True):
                    table[k] = self.host(gradient, i)
        for n, i in enumerate(self.checked):
            step = np.zeros(shape_of_parts(self.inputs[i]))
            for index in np.ndindex(step.shape):
                step[index] = 1
                numerical = self.differences(i, step)
                step[index] = 0
                for j, values in enumerate(numerical):
                    self.compare(i, j, analytic[j][n][(slice(None), *index)].reshape(values.shape), values, index)

    def direction(self, outputs: Sequence) -> None:
        """Compare one random combination of the derivatives for each pair of input and output."""
        rng = np.random.default_rng(2)
        steps = [_random(rng, shape_of_parts(self.inputs[i])) for i in self.checked]
        vectors = [_random(rng, shape_of_parts(o)) for o in outputs]
        rows = [self.gradient_of(o, v) for o, v in zip(outputs, vectors, strict=True)]
        for n, i in enumerate(self.checked):
            for j, values in enumerate(self.differences(i, steps[n])):
                analytic = np.asarray((self.host(rows[j][n], i) * steps[n]).sum())
                self.compare(i, j, analytic, np.asarray((values * vectors[j]).sum()), None)

    def differences(self, i: int, step: np.ndarray) -> list[np.ndarray]:
        """Return the derivative of each output along `step` in input i, by central differences."""
        if not step.size:
            return [np.zeros_like(v) for v in self.values()]
        with _moved(self.inputs[i], self.eps * step):
            above = self.values()
        with _moved(self.inputs[i], -self.eps * step):
            below = self.values()
        return [(a - b) / (2 * self.eps) for a, b in zip(above, below, strict=True)]

    def compare(self, i: int, j: int, analytic: np.ndarray, numerical: np.ndarray, index: tuple | None) -> None:
        error, allowed = abs(analytic - numerical), self.atol + self.rtol * abs(numerical)
        wrong = ~(error <= allowed)  # NaN is wrong too
        if not wrong.any():
            return
        at = tuple(int(k) for k in np.argwhere(wrong)[np.argmax(np.nan_to_num(error[wrong], nan=np.inf))])
        where = "along a random direction" if index is None else f"element {index}, for element {at} of the output"
        raise GradcheckError(
            f"gradcheck: output {j} with respect to input {i} {self.inputs[i].shape} {where}: "
            f"analytic {analytic[at]:.8g}, numerical {numerical[at]:.8g}, differ by {error[at]:.3g}, "
            f"allowed {allowed[at]:.3g} (atol={self.atol:g}, rtol={self.rtol:g})"
        )


def _random(rng: np.random.Generator, shape: tuple) -> np.ndarray:
    """Return random numbers away from zero, so that every derivative counts."""
    return rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape)


@contextmanager
def _moved(tensor: Tensor, step: np.ndarray) -> Iterator[None]:
    """Return `tensor` with its array replaced by a copy moved along `step`; the array itself stays as it is."""
    kept = tensor._array
    try:
        tensor._array = kept + tensor.device.asarray(whole(step, kept.dtype))
        yield
    finally:
        tensor._array = kept
