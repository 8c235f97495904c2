"""The checks that follow from an op's declaration: values, gradients, dtypes, layouts, memory, determinism.

Each check is a function of (op, cases, device) that yields (case, problem). The problem is empty if the case passes; a
case that the check does not apply to yields nothing. `check_op` runs them; `gpugrad check` and the tests show the
results.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ...backend.devices import CPU, Device
from ...backend.devices import device as find_device
from ...backend.dtypes import bfloat16, default_dtype, float16, float32, float64, is_float
from ...backend.namespace import xp
from ...errors import GpugradError
from ..mode import no_grad
from ..op import Op
from ..tensor import Tensor
from ..ufunc import Elementwise
from .complex_inputs import check_complex_inputs, has_complex
from .kept import check_memory
from .numerical import gradcheck, gradgradcheck
from .sample_call import (
    TOLERANCES,
    CheckFailure,
    SampleCall,
    agree,
    all_agree,
    all_finite,
    fortran,
    gradients_agree,
    strided,
    typed_like_inputs,
)
from .samples import Case, Sampler
from .sizes import check_small, small_cases
from .special import check_special_point

SMALL = 48  # elements: below, every derivative is compared; above, one random direction


class Result(NamedTuple):
    """The result of one check of one case of an op; `case` is None if the check is about the op as a whole."""

    op: str
    case: Case | None
    check: str
    passed: bool
    message: str
    seconds: float


def check_op(op: Op, device: Any = "cpu", checks: Iterable[str] | None = None) -> list[Result]:
    """Run the checks (all, or those named) of `op` on its samples.

    >>> from gpugrad.autograd.check.checks import check_op
    >>> all(result.passed for result in check_op(gg.softmax))
    True
    """
    device, results = find_device(device), []
    for name in CHECKS if checks is None else checks:
        start = time.perf_counter()
        try:
            cases = list(op.samples(Sampler())) if op.samples else []
            for case, problem in CHECKS[name](op, cases, device):
                results.append(Result(op.name, case, name, not problem, problem, time.perf_counter() - start))
                start = time.perf_counter()
        except Exception as error:
            results.append(Result(op.name, None, name, False, _text(error), time.perf_counter() - start))
    return results


def _each(cases: Iterable[Case], body: Callable[[Case], Any], strict: bool = False) -> Iterator[tuple[Case, str]]:
    """Run `body` on each case; it returns False if it does not apply. strict: NumPy's warnings are failures too."""
    for case in cases:
        ignored: dict = {"under": "ignore"} if strict and case.smooth else {"all": "ignore"}
        try:
            with warnings.catch_warnings(), np.errstate(**ignored):
                warnings.simplefilter("error")
                applies = body(case)
        except Exception as error:
            yield case, _text(error)
        else:
            if applies is not False:
                yield case, ""


def _text(error: Exception) -> str:
    text = str(error) if isinstance(error, (CheckFailure, GpugradError)) else f"{type(error).__name__}: {error}"
    return "; ".join([text, *getattr(error, "__notes__", [])])


# The checks


def check_declaration(op: Op, cases: list[Case], device: Device) -> Iterator[tuple[Case | None, str]]:
    """Check that the op has a docstring and samples."""
    yield None, "" if (op.__doc__ or "").strip() else "it has no docstring"
    yield None, "" if cases else "it has no samples"


def check_forward(op: Op, cases: list[Case], device: Device) -> Iterator[tuple[Case | None, str]]:
    """Check that values are finite, that each path and device gives the generic body's, and that no input changes."""
    path = op.paths[device.type]
    before = path.runs if path else 0

    def body(case: Case) -> None:
        for dtype in (float64, float32):
            call = SampleCall(op, case, device, dtype)
            with no_grad():
                got = call()
                call.unchanged("forward")
                if case.smooth and _finite(call.inputs) and not _finite(got):
                    raise CheckFailure("its value is not finite for finite inputs")
                expected = SampleCall(op, case, CPU, dtype)(generic=True)
            what = "device path" if path else "value"
            all_agree(got, expected, f"{what} against the generic body")

    yield from _each(cases, body, strict=True)
    if path and cases and path.runs == before:
        yield None, f"its device path for {device.type} ran for no sample"


def _finite(values: Iterable) -> bool:
    return all(all_finite(t) for t in values if isinstance(t, Tensor))


def check_gradient(op: Op, cases: list[Case], device: Device) -> Iterator[tuple[Case | None, str]]:
    """Check that gradients are right in value, shape and dtype, and that device paths agree with the generic rules."""

    def body(case: Case) -> bool | None:
        call = SampleCall(op, case, device, float64)
        if not call.has_gradient():
            return False
        for dtype in (float64, float32):
            call = SampleCall(op, case, device, dtype)
            got = call.gradients()
            typed_like_inputs(call, got)
            if op.paths[device.type] or device is not CPU:
                generic = SampleCall(op, case, CPU, dtype).gradients(generic=True)
                gradients_agree(call, got, generic, "gradient against the generic rule")
            for i in call.checked if len(call.checked) > 1 else ():
                single = call.gradients(only=i)
                gradients_agree(call, single, {i: got[i]} if i in got else {}, "gradient when no other is needed")
        if case.smooth:
            function, tensors = SampleCall(op, case, device, float64).function()
            _numbered(call, gradcheck, function, tensors)
        else:
            check_special_point(SampleCall(op, case, device, float64))
        return None

    yield from _each(cases, body, strict=True)


def _numbered(call: SampleCall, check: Callable, function: Callable, tensors: list) -> None:
    """Run gradcheck or gradgradcheck; if it raises, the error also says which inputs it counted."""
    try:
        check(function, tensors, fast_mode=_is_large(call))
    except Exception as error:
        error.add_note("inputs counted: " + ", ".join(f"{n} = {call.name(i)}" for n, i in enumerate(call.checked)))
        raise


def _is_large(call: SampleCall) -> bool:
    with no_grad():
        outputs = sum(o._array.size for o in call())
    return max(outputs, sum(call.inputs[i]._array.size for i in call.checked)) > SMALL


def check_sizes(op: Op, cases: list[Case], device: Device) -> Iterator[tuple[Case | None, str]]:
    """Check that 0-d and empty inputs give values and gradients of the right shapes, or are refused by a named error.

    Along an axis, a 0-d input may be refused only if the op declares so (`scalar_axis=False`). A warning of the array
    library ("Mean of empty slice") is no refusal.
    """

    def body(case: Case) -> None:
        call = SampleCall(op, case, device, float64)
        try:
            call()
        except GpugradError as error:
            missing = op.scalar_axis and isinstance(error.__cause__, np.exceptions.AxisError)
            if missing or isinstance(error.__cause__, ZeroDivisionError):
                raise
            return
        check_small(call)

    yield from _each(small_cases(cases), body)


def check_second_order(op: Op, cases: list[Case], device: Device) -> Iterator[tuple[Case | None, str]]:
    """Check the gradients of the gradients."""

    def body(case: Case) -> bool | None:
        call = SampleCall(op, case, device, float64)
        if not case.smooth or not call.has_gradient():
            return False
        function, tensors = call.function()
        _numbered(call, gradgradcheck, function, tensors)
        return None

    yield from _each(cases, body)


def check_dtypes(op: Op, cases: list[Case], device: Device) -> Iterator[tuple[Case | None, str]]:
    """Check that 16-bit floats are computed in float32 and rounded once, and that mixed dtypes are promoted."""

    def body(case: Case) -> bool | None:
        if has_complex(case.args):
            return False
        for dtype in (float16, bfloat16()):
            _check_low(op, case, device, dtype)
        if op.dtypes != "own":
            _check_promotion(op, case, device)
        return None

    yield from _each(cases, body)


def _check_low(op: Op, case: Case, device: Device, dtype: np.dtype) -> None:
    call = SampleCall(op, case, device, dtype)
    exactly = Case(*_rounded((case.args, case.kwargs), dtype), smooth=case.smooth)
    reference = SampleCall(op, exactly, device, float32)
    with no_grad():
        got, expected = call(), reference()
        wide = SampleCall(op, case, device, float64)()
    for a, b, w in zip(got, expected, wide, strict=True):
        if b.dtype.kind == "c" and a.dtype != b.dtype:
            raise CheckFailure(f"{dtype} inputs give {a.dtype} and float32 inputs {b.dtype}")
        fixed = not is_float(b.dtype) or call.attributes.get("dtype") is not None or not call.floats
        if (not fixed or is_float(b.dtype) and b.dtype != w.dtype) and (a.dtype, b.dtype) != (dtype, float32):
            raise CheckFailure(f"{dtype} inputs give {a.dtype} and float32 inputs {b.dtype}")
        agree(a, b, f"{dtype} against float32")
    if case.smooth and call.has_gradient():
        gradients = call.gradients()
        typed_like_inputs(call, gradients)
        tolerance = 4 * TOLERANCES[dtype.name]  # a rule may use an output that was rounded already
        gradients_agree(call, gradients, reference.gradients(), f"{dtype} gradient against float32", tolerance)


def _rounded(value: Any, dtype: np.dtype) -> Any:
    """Return `value` with the float arrays in it rounded to `dtype`."""
    if isinstance(value, np.ndarray):
        return value.astype(dtype).astype(float64) if is_float(value.dtype) else value
    if type(value) is dict:
        return {name: _rounded(v, dtype) for name, v in value.items()}
    return type(value)(_rounded(v, dtype) for v in value) if type(value) in (list, tuple) else value


def _check_promotion(op: Op, case: Case, device: Device) -> None:
    """Check int32 with float32 (float32), a Python scalar (weak), and ints alone (default float if dtypes="float")."""
    call = SampleCall(op, case, device, float32)
    floats = call.floats
    if len(floats) < (1 if op.dtypes == "float" else 2) or default_dtype() != float32:
        return
    changed = floats[0]
    ints, same = list(call.inputs), list(call.inputs)
    ints[changed] = call.inputs[changed].detach().to(dtype="int32")
    same[changed] = ints[changed].to(dtype=float32)
    all_agree(call(ints), call(same), f"int32 {call.name(changed)} against the same in float32")
    if isinstance(op, Elementwise) and len(op.inputs) == 2:
        for i in floats:
            number, array = call.given(i, 2), call.given(i, Tensor(np.array(2, np.float32), device=device))
            all_agree(number(), array(), f"the Python number 2 for {call.name(i)} against the same in float32")
            gradients_agree(call, number.gradients(), array.gradients(), f"gradient with 2 for {call.name(i)},")


def check_complex(op: Op, cases: list[Case], device: Device) -> Iterator[tuple[Case | None, str]]:
    """Check values and gradients for complex inputs, made of the real ones; an op that takes none must refuse them."""

    def body(case: Case) -> bool:
        return check_complex_inputs(op, case, device)

    yield from _each(cases if op.complex else cases[:2], body)


def check_layout(op: Op, cases: list[Case], device: Device) -> Iterator[tuple[Case | None, str]]:
    """Check that values and gradients do not depend on the strides of inputs and upstream gradients."""

    def body(case: Case) -> None:
        plain = SampleCall(op, case, device, float32, arrange=lambda a: a.copy(order="C"))
        with no_grad():
            values = plain()
        for arrange in (strided, fortran):
            call = SampleCall(op, case, device, float32, arrange)
            with no_grad():
                all_agree(call(), values, f"{arrange.__name__} inputs against contiguous ones")
            got = call.gradients(upstream=arrange)
            gradients_agree(call, got, plain.gradients(), f"{arrange.__name__} gradient against contiguous")
        broadcast = plain.gradients(upstream=lambda a: xp(a).broadcast_to(xp(a).full((), 0.7, a.dtype), a.shape))
        filled = plain.gradients(upstream=lambda a: xp(a).full(a.shape, 0.7, a.dtype))
        gradients_agree(plain, broadcast, filled, "gradient of a broadcast upstream")

    yield from _each(cases, body)


def check_determinism(op: Op, cases: list[Case], device: Device) -> Iterator[tuple[Case | None, str]]:
    """Check that two runs give the same bits."""

    def body(case: Case) -> None:
        call = SampleCall(op, case, device, float32)
        with no_grad():
            all_agree(call(), call(), "a second run", 0.0)
        gradients_agree(call, call.gradients(), call.gradients(), "a second backward", 0.0)

    yield from _each(cases, body)


def check_kept(op: Op, cases: list[Case], device: Device) -> Iterator[tuple[Case | None, str]]:
    """Check that a node keeps for backward only what its gradient rules name, and that they read all of it."""
    unread: dict[str, bool] = {}

    def body(case: Case) -> bool | None:
        call = SampleCall(op, case, device, float32)
        if not call.has_gradient():
            return False
        for name, was_read in check_memory(call).items():
            unread[name] = unread.get(name, True) and not was_read
        return None

    yield from _each(cases, body)
    for name in sorted(n for n, never in unread.items() if never):
        yield None, f"its rules name {name}, which is kept until backward, but never read its values"


CHECKS: dict[str, Callable[[Op, list[Case], Device], Iterator[tuple[Case | None, str]]]] = {
    "declared": check_declaration, "forward": check_forward, "gradient": check_gradient, "sizes": check_sizes,
    "second order": check_second_order, "dtypes": check_dtypes, "complex": check_complex, "layout": check_layout,
    "memory": check_kept, "deterministic": check_determinism,
}  # fmt: skip
