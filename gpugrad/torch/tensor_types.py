"""The classes by which old programs make and convert Tensors: `FloatTensor(2, 3)`, `x.type(LongTensor)`."""

from __future__ import annotations

from typing import Any

from ..backend.dtypes import as_dtype, default_dtype
from .dtype_names import TENSOR_TYPES
from .language import Tensor, speak
from .meanings.creation import made_of


class TensorType(type):
    """The class of `FloatTensor` and its kin: Tensors of its dtype and kind of device are its instances."""

    tensor_dtype: Any
    tensor_device: str

    def __call__(cls, *args: Any, device: Any = None) -> Tensor:
        return speak(made_of(args, cls.tensor_dtype, cls.tensor_device if device is None else device), args)

    def __instancecheck__(cls, value: Any) -> bool:
        right = isinstance(value, Tensor) and value.dtype == cls.tensor_dtype
        return right and value.device.type == cls.tensor_device


def tensor_type(name: str, kind: str = "cpu") -> TensorType:
    """Return the class `name`, such as "FloatTensor", of Tensors on a kind of device."""
    made = TensorType(name, (), {"__module__": __name__})
    made.tensor_dtype, made.tensor_device = as_dtype(TENSOR_TYPES[name]), kind
    return made


def new_tensor(cls: type[Tensor], *args: Any, device: Any = None) -> Any:
    """Return `Tensor(2, 3)`, which is not initialised, or `Tensor([1, 2])`, in the default dtype."""
    made = made_of(args, default_dtype(), device)
    if any(made is a for a in args):
        made = made.detach()
    made.__class__ = cls
    return made


Tensor.__new__ = new_tensor  # pyright: ignore[reportAttributeAccessIssue]
