"""PyTorch's functions about the library itself, and predicates of values."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.mode import set_grad_enabled as numpy_set_grad_enabled
from ..backend.cpu.threads import get_num_threads
from ..backend.dtypes import as_dtype, default_dtype, promote, set_default_dtype, weak
from ..backend.dtypes import finfo as numpy_finfo
from ..backend.dtypes import iinfo as numpy_iinfo
from ..errors import DeviceError
from .dtype_names import TENSOR_TYPES, type_name
from .dtypes import dtype
from .inert import _nothing
from .language import Tensor

use_deterministic_algorithms = set_deterministic_debug_mode = set_num_interop_threads = _nothing
set_warn_always = set_flush_denormal = _nothing
OutOfMemoryError = DeviceError


def is_tensor(obj: Any) -> bool:
    """Return whether `obj` is a Tensor."""
    return isinstance(obj, Tensor)


def is_storage(obj: Any) -> bool:
    """Return False: memory has no class of its own."""
    return False


def are_deterministic_algorithms_enabled() -> bool:
    """Return True: the same program gives the same bits."""
    return True


def get_num_interop_threads() -> int:
    """Return the number of threads."""
    return get_num_threads()


def set_default_tensor_type(t: Any) -> None:
    """Make the dtype of a Tensor type, or of its name, the default."""
    name = t if isinstance(t, str) else t.__name__
    set_default_dtype(TENSOR_TYPES[name.rpartition(".")[2]])


def set_printoptions(
    precision: int | None = None,
    threshold: int | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Choose how Tensors are printed: `numpy.set_printoptions`."""
    options = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    np.set_printoptions(**{name: value for name, value in options.items() if value is not None})  # pyright: ignore


def get_default_dtype() -> dtype:
    """Return the dtype of Python floats and of creation functions."""
    return dtype(default_dtype())


def promote_types(type1: Any, type2: Any) -> dtype:
    """Return the dtype of the result of two Tensors of these dtypes."""
    return dtype(promote(as_dtype(type1), as_dtype(type2)))


def result_type(tensor1: Any, tensor2: Any) -> dtype:
    """Return the dtype of the result of two Tensors or numbers."""
    if isinstance(tensor1, Tensor) and isinstance(tensor2, Tensor):
        return promote_types(tensor1.dtype, tensor2.dtype)
    tensor, number = (tensor1, tensor2) if isinstance(tensor1, Tensor) else (tensor2, tensor1)
    return dtype(weak(as_dtype(tensor.dtype), number))


def finfo(type: Any = None) -> Any:
    """Return the limits of a floating-point dtype, by default of the default dtype."""
    return numpy_finfo(as_dtype(default_dtype() if type is None else type))


def iinfo(type: Any) -> Any:
    """Return the limits of an integer dtype."""
    return numpy_iinfo(as_dtype(type))


def can_cast(from_: Any, to: Any) -> bool:
    """Return whether a dtype becomes another without a change of kind."""
    return np.can_cast(from_, to, "same_kind")


def _assert(condition: Any, message: str) -> None:
    """Raise AssertionError with `message` unless the condition holds."""
    assert condition, message


def _check(condition: Any, message: Any = None) -> None:
    if not condition:
        raise RuntimeError(message() if callable(message) else message)


def typename(obj: Any) -> str:
    """Return the name of the type of `obj`."""
    if isinstance(obj, Tensor):
        return type_name(obj.dtype, obj.device.type)
    return f"{type(obj).__module__}.{type(obj).__qualname__}"


class set_grad_enabled(numpy_set_grad_enabled):
    """Start or stop recording at once; as a `with` block it restores the old state at the end."""

    def __init__(self, mode: bool):
        super().__init__(mode)


def broadcast_shapes(*shapes: Any) -> Any:
    """Return the shape that all broadcast to."""
    from .language import Size

    return Size(np.broadcast_shapes(*[(s,) if isinstance(s, int) else tuple(s) for s in shapes]))
