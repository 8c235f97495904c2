"""Gradients where central differences say nothing: at kinks, at the edges of a domain, at infinities."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...backend.devices import CPU
from ...backend.dtypes import is_float
from ...backend.namespace import xp
from ..mode import no_grad
from ..tensor import wrap
from .sample_call import CheckFailure, SampleCall, agree, host

STEP, TOLERANCE = 1e-6, 1e-4
MOST = 48  # elements of an input that are moved


def check_special_point(call: SampleCall) -> None:
    """Raise CheckFailure unless the gradients are those declared, or lie between the slopes on both sides."""
    if call.case.gradient is None:
        for i, gradient in call.gradients().items():
            if not np.isfinite(host(gradient)).all():
                raise CheckFailure(f"the gradient of {call.name(i)} is not finite, and the case declares none")
            _check_slopes(call, i, host(gradient))
        return
    given = {call.op.input_name(i): i for i in call.checked}
    if set(given) != set(call.case.gradient):
        raise CheckFailure(f"the case declares gradients of {sorted(call.case.gradient)}, there are {sorted(given)}")
    got = call.gradients(upstream=lambda a: xp(a).full(a.shape, 1, a.dtype))
    for name, value in call.case.gradient.items():
        like = call.inputs[given[name]]
        expected = np.broadcast_to(np.asarray(value, like.dtype), like.shape)
        found = got.get(given[name], wrap(like.device.xp.zeros(like.shape, like.dtype), like.device, None))
        agree(found, wrap(expected, CPU, None), f"gradient of {name} against the declared one")


def _check_slopes(call: SampleCall, i: int, gradient: np.ndarray) -> None:
    """Raise CheckFailure if an element of the gradient for input i is not between the slopes left and right of it."""
    middle = _weighted_sum(call, i, None)
    for index in _indices(gradient.shape):
        steps = _steps(index, gradient.shape, call.case.symmetric)
        right = (_weighted_sum(call, i, steps) - middle) / STEP
        left = (middle - _weighted_sum(call, i, -steps)) / STEP
        found = float((gradient * (steps / STEP)).sum())
        slack = TOLERANCE * max(1.0, abs(left), abs(right))
        if not min(left, right) - slack <= found <= max(left, right) + slack:
            raise CheckFailure(
                f"the gradient of {call.name(i)} at {index} is {found:.6g}, the slopes there are {left:.6g} from the "
                f"left and {right:.6g} from the right"
            )


def _indices(shape: tuple) -> Iterator[tuple]:
    count = int(np.prod(shape))
    for k in range(0, count, max(1, -(-count // MOST))):
        yield tuple(int(n) for n in np.unravel_index(k, shape))


def _steps(index: tuple, shape: tuple, symmetric: bool) -> np.ndarray:
    """A step of one element, or of it and its mirror image."""
    steps = np.zeros(shape)
    steps[index] = STEP
    if symmetric:
        steps[(*index[:-2], index[-1], index[-2])] = STEP
    return steps


def _weighted_sum(call: SampleCall, i: int, steps: np.ndarray | None) -> float:
    """The sum of the outputs, weighted by the upstream gradients of `call.gradients`, with input i moved by `steps`."""
    inputs = list(call.inputs)
    if steps is not None:
        given = call.inputs[i]
        inputs[i] = wrap(given._array + given.device.asarray(steps), given.device, None)
    with no_grad():
        outputs = [o for o in call(inputs) if is_float(o.dtype)]
        return sum(float((host(o) * host(call.upstream(o))).sum()) for o in outputs)
