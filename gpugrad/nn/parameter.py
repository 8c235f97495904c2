"""Parameter and Buffer: Tensors that a Module registers when they are assigned to an attribute."""

from typing import Any

from ..autograd.convert import tensor
from ..autograd.tensor import Tensor, wrap
from ..backend.devices import device as find_device
from ..backend.dtypes import as_dtype, default_dtype


class Parameter(Tensor):
    """Is a leaf Tensor that requires gradients, over the memory of `data` (a Tensor, or anything that `tensor` copies).

    Raises DTypeError if gradients are required of data that is not floating-point.

    >>> weight = nn.Parameter(gg.ones((2, 3)))
    >>> weight.requires_grad, weight.is_leaf
    (True, True)
    """

    __slots__ = ()

    def __new__(cls, data: Any, requires_grad: bool = True) -> "Parameter":
        source = data if isinstance(data, Tensor) else tensor(data)
        made: Any = wrap(source._array, source.device, None, cls)
        return made.requires_grad_(requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Buffer(Tensor):
    """Is a Tensor that a Module registers as a buffer when it is assigned to an attribute.

    It shares the memory of `data` and requires no gradient; `persistent=False` keeps it out of state dicts.

    >>> net = nn.Module()
    >>> net.mean = nn.Buffer(gg.zeros(3))
    >>> list(net.state_dict()), list(net.parameters())
    (['mean'], [])
    """

    __slots__ = ()
    persistent: bool

    def __new__(cls, data: Any, persistent: bool = True) -> "Buffer":
        source = data if isinstance(data, Tensor) else tensor(data)
        made: Any = wrap(source._array, source.device, None, cls)
        made.persistent = persistent
        return made


def empty(shape: tuple[int, ...], device: Any = None, dtype: Any = None) -> Parameter:
    """Return a parameter whose values are not set yet, on the default device and of the default dtype unless given."""
    device = find_device(device)
    array = device.xp.empty(shape, default_dtype() if dtype is None else as_dtype(dtype))
    return Parameter(wrap(array, device, None))
