"""Bring an op's inputs together: on one device, in one dtype."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend.devices import Device, default_device
from ..backend.dtypes import as_dtype, complex_of, default_dtype, is_float, is_inexact, promote, weak
from ..errors import DeviceError, DTypeError
from .convert import asarray, joined
from .mode import mode
from .tensor import Tensor, wrap

if TYPE_CHECKING:
    from .op import Op

_SCALARS = (bool, int, float, complex)


def place(op: Op, inputs: Sequence) -> tuple[Device, Sequence, list]:
    """Bring the inputs of `op` to one device and, unless `op` declares "own", to one dtype.

    Returns the device, the inputs as Tensors (or None) on it, and their arrays.
    """
    if mode.autocast is not None:
        inputs = mode.autocast.inputs(op.name, op.autocast, [joined(value) for value in inputs])
    device, dtype, arrays = None, None, []
    for i, t in enumerate(inputs):  # usually there is nothing to do: all are Tensors, on one device and of one dtype
        if t is None:
            if op.input_name(i) in op.signature.required:
                raise DTypeError(f"{op.name}: {op.input_name(i)} must be a tensor, got None")
            arrays.append(None)
            continue
        if not isinstance(t, Tensor) or device is not None and t.device is not device:
            break
        device, array = t.device, t._array
        arrays.append(array)
        if array.dtype is not dtype and i not in op.fixed and op.dtypes != "own":
            if dtype is not None or op.dtypes == "float" and not is_inexact(array.dtype):
                break
            dtype = array.dtype
    else:
        if device is not None:
            return device, inputs, arrays
    device, tensors = _moved(op, inputs)
    return device, tensors, [None if t is None else t._array for t in tensors]


def _moved(op: Op, inputs: Sequence) -> tuple[Device, list]:
    """Do the work of `place` when an input has to be moved, cast or wrapped."""
    inputs = [joined(value) for value in inputs]
    device = _common_device(op, inputs)
    free = [i for i in range(len(inputs)) if i not in op.fixed]
    scalars = [i for i in free if type(inputs[i]) in _SCALARS]
    tensors: list[Any] = list(inputs)
    for i, value in enumerate(inputs):
        if value is not None and i not in scalars:
            tensors[i] = _as_tensor(op, i, value, device)
    given = [tensors[i] for i in free if i not in scalars and tensors[i] is not None]
    if op.dtypes == "own":
        for i in scalars:
            tensors[i] = asarray(inputs[i], device=device)
        return device, tensors
    path = op.paths[device.type] if given and scalars else None
    as_numbers = path is not None and path.numbers
    dtype = _common_dtype(op, [t.dtype for t in given], [inputs[i] for i in scalars])
    for i in free:
        if i in scalars:
            tensors[i] = _scalar(op, inputs[i], dtype, device, as_numbers)
        elif tensors[i] is not None and tensors[i].dtype != dtype:
            tensors[i] = tensors[i].to(dtype=dtype)
    return device, tensors


def _common_device(op: Op, inputs: Sequence) -> Device:
    device = None
    for value in inputs:
        if isinstance(value, Tensor):
            if device is None:
                device = value.device
            elif value.device is not device:
                if mode.batch is not None:  # a tensor from outside is the same for all examples
                    device = max(device, value.device, key=lambda d: d.depth)
                    if device.depth:
                        continue
                raise DeviceError(
                    f"{op.name}: tensors on {device} and {value.device}; move one, as with .to({str(device)!r})"
                )
    return default_device() if device is None else device


def _as_tensor(op: Op, i: int, value: Any, device: Device) -> Tensor:
    if isinstance(value, Tensor):
        return value if value.device is device else device.adopt(value)
    if isinstance(value, np.ndarray) and device.type == "cuda" and value.ndim:
        raise DeviceError(f"{op.name}: a NumPy array meets a tensor on {device}; make it a tensor there first")
    try:
        return asarray(value, device=device)
    except (TypeError, ValueError) as error:
        name = op.input_name(i)
        raise DTypeError(f"{op.name}: {name} cannot be a tensor: {type(value).__name__} ({error})") from None


def _common_dtype(op: Op, dtypes: list[np.dtype], scalars: list) -> np.dtype:
    if dtypes:
        dtype = dtypes[0]
        for other in dtypes[1:]:
            dtype = promote(dtype, other)
    else:
        dtype = as_dtype(np.result_type(*[type(s) for s in scalars])) if scalars else default_dtype()
        dtype = default_dtype() if is_float(dtype) else complex_of(default_dtype()) if dtype.kind == "c" else dtype
    for scalar in scalars:
        dtype = weak(dtype, scalar)
    return default_dtype() if op.dtypes == "float" and not is_inexact(dtype) else dtype


def _scalar(op: Op, value: Any, dtype: np.dtype, device: Device, as_number: bool) -> Tensor:
    """Return a Python number as a Tensor on `device`; as_number: in a NumPy scalar, which no device fills."""
    try:
        return wrap(np.asarray(value, dtype)[()] if as_number else device.full((), value, dtype), device, None)
    except OverflowError:
        raise DTypeError(f"{op.name}: the number {value!r} does not fit {dtype}") from None
