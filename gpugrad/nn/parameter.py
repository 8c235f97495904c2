"""Parameter and Buffer: Tensors that a Module registers when they are assigned to an attribute."""

from typing import Any

from ..autograd.convert import tensor
from ..autograd.tensor import Tensor, wrap
from ..backend.devices import device as find_device
from ..backend.dtypes import as_dtype, default_dtype


class Parameter(Tensor):
    """A leaf Tensor over the memory of `data` (a Tensor, or anything that `tensor` copies) that requires gradients.

    Raises DTypeError if gradients are required of data that is not floating-point.
    """

    __slots__ = ()
    grad: Tensor | None

    def __new__(cls, data: Any, requires_grad: bool = True) -> "Parameter":
        source = data if isinstance(data, Tensor) else tensor(data)
        return wrap(source._array, source.device, None, cls).requires_grad_(requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Buffer(Tensor):
    """A Tensor that a Module registers as a buffer when it is assigned to an attribute.

    It shares the memory of `data` and requires no gradient; `persistent=False` keeps it out of state dicts.
    """

    __slots__ = ()
    persistent: bool

    def __new__(cls, data: Any, persistent: bool = True) -> "Buffer":
        source = data if isinstance(data, Tensor) else tensor(data)
        made = wrap(source._array, source.device, None, cls)
        made.persistent = persistent
        return made


def empty(shape: tuple[int, ...], device: Any = None, dtype: Any = None) -> Parameter:
    """A parameter whose values are not set yet, on the default device and of the default dtype unless given."""
    where = find_device(device)
    array = where.xp.empty(shape, default_dtype() if dtype is None else as_dtype(dtype))
    return Parameter(wrap(array, where, None))
