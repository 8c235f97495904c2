"""Samples with complex numbers, made of those that an op declares."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...backend.devices import CPU, Device
from ...backend.dtypes import float32, float64
from ...errors import DTypeError
from ..mode import no_grad
from ..op import Op
from .numerical import gradcheck, gradgradcheck
from .sample_call import CheckFailure, SampleCall, all_agree, typed_like_inputs
from .samples import Case


def has_complex(value: Any) -> bool:
    """Return whether there is a complex array in `value`."""
    if isinstance(value, (list, tuple)):
        return any(map(has_complex, value))
    return isinstance(value, np.ndarray) and value.dtype.kind == "c"


def _made_complex(value: Any, rng: np.random.Generator) -> Any:
    """Return `value` with imaginary parts added to the float arrays in it."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return value + 1j * rng.uniform(-0.6, 0.6, value.shape)
    return [_made_complex(v, rng) for v in value] if type(value) in (list, tuple) else value


def check_complex_inputs(op: Op, case: Case, device: Device) -> bool:
    """Check `case` with complex numbers for its real ones; returns False if there are none, or it is for real ones.

    Gradients are compared with differences along one random direction of all real and imaginary parts.
    """
    rng = np.random.default_rng(4)
    args = tuple([arg if i in op.fixed else _made_complex(arg, rng) for i, arg in enumerate(case.args)])
    if not case.smooth or case.real_only or has_complex(case.args) or not has_complex(args):
        return False
    made = Case(args, case.kwargs)
    if not op.complex:
        _check_refusal(SampleCall(op, made, device, float64))
        return True
    for dtype in (float64, float32):
        call = SampleCall(op, made, device, dtype)
        with no_grad():
            all_agree(call(), SampleCall(op, made, CPU, dtype)(generic=True), "value against the generic body")
        typed_like_inputs(call, call.gradients())
    call = SampleCall(op, made, device, float64)
    if call.has_gradient():
        function, tensors = call.function()
        gradcheck(function, tensors, fast_mode=True)
        gradgradcheck(function, tensors, fast_mode=True)
    return True


def _check_refusal(call: SampleCall) -> None:
    try:
        call()
    except DTypeError:
        return
    raise CheckFailure("it takes complex numbers, but is not declared to")
