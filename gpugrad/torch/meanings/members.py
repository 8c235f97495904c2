"""What only a Tensor's methods are: its type and place, its memory, and how it changes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...autograd.convert import asarray, destination, to_place
from ...autograd.op import OPS
from ...autograd.tensor import Tensor
from ...autograd.versions import changed
from ...backend.dtypes import default_dtype, is_float
from ...errors import DTypeError
from ..dtype_names import type_name
from ..language import means, sizes_of


@means("a dtype, or a Tensor type such as FloatTensor; without one the type's name", function=False)
def type_of(self: Any, dtype: Any = None, non_blocking: bool = False) -> Any:
    """Return the name of this Tensor's type, or the Tensor as another dtype."""
    if dtype is None:
        return type_name(self.dtype, self.device.type)
    if isinstance(dtype, str):
        dtype = dtype.rpartition(".")[2].removesuffix("Tensor").lower()
        dtype = {"byte": "uint8", "char": "int8", "short": "int16", "int": "int32"}.get(dtype, dtype)
    if isinstance(dtype, type) and issubclass(dtype, Tensor):
        dtype = default_dtype()
    return to_place(self, getattr(dtype, "tensor_dtype", dtype), getattr(dtype, "tensor_device", None), False)


@means("words about memory", function=False)
def to(
    self: Any,
    *args: Any,
    dtype: Any = None,
    device: Any = None,
    non_blocking: bool = False,
    copy: bool = False,
    **more: Any,
) -> Tensor:
    """Return this Tensor with another dtype or on another device, or like another Tensor."""
    other = more.pop("other", None)
    given = [*args, *([] if other is None else [other])]
    asked = destination("to", tuple(given), dtype=dtype, device=device, non_blocking=non_blocking, copy=copy)
    return to_place(self, asked.dtype, asked.device, asked.copy, asked.non_blocking)


@means("words about memory")
def clone(input: Any) -> Tensor:
    """Return a copy, in the graph."""
    return OPS["copy"](input)


@means("words about memory", function=False)
def contiguous(self: Any) -> Tensor:
    """Return this Tensor in C order: itself if it is so already."""
    return self if self._array.flags.c_contiguous else OPS["copy"](self)


@means("words about memory", function=False)
def is_contiguous(self: Any) -> bool:
    """Return whether the elements lie in C order without gaps."""
    return self._array.flags.c_contiguous


@means("words about memory", function=False)
def cuda(self: Any, device: Any = None) -> Tensor:
    """Return this Tensor in a GPU's memory."""
    return to_place(self, None, "cuda" if device is None else device, False)


@means("words about memory", function=False)
def cpu(self: Any) -> Tensor:
    """Return this Tensor in the host's memory."""
    return to_place(self, None, "cpu", False)


@means("`force` detaches first", function=False)
def numpy(self: Any, *, force: bool = False) -> np.ndarray:
    """Return the values as a NumPy array, on the memory of a Tensor on the CPU."""
    return self.device.to_host(self._array) if force else Tensor.numpy(self)


def _cast(name: str, dtype: str) -> None:
    def call(self: Any) -> Tensor:
        return to_place(self, dtype, None, False)

    call.__name__, call.__doc__ = name, f"Return this Tensor as {dtype}."
    means("words about memory", function=False)(call)


_DTYPES = {
    "float": "float32", "double": "float64", "half": "float16", "bfloat16": "bfloat16", "int": "int32", "long": "int64",
    "short": "int16", "char": "int8", "byte": "uint8", "bool": "bool",
}  # fmt: skip
for _name, _dtype in _DTYPES.items():
    _cast(_name, _dtype)


@means()
def numel(input: Any) -> int:
    """Return the number of elements."""
    return input._array.size


@means(function=False)
def nelement(self: Any) -> int:
    """Return the number of elements."""
    return self._array.size


@means(function=False)
def ndimension(self: Any) -> int:
    """Return the number of axes."""
    return self._array.ndim


@means(function=False)
def stride(self: Any, dim: int | None = None) -> Any:
    """Return the steps between neighbours along each axis, in elements."""
    steps = tuple(s // self._array.itemsize for s in self._array.strides)
    return steps if dim is None else steps[dim]


@means(function=False)
def storage_offset(self: Any) -> int:
    """Return where in the memory it shares this Tensor begins, in elements."""
    base = self._array.base
    start = 0 if base is None or not hasattr(base, "ctypes") else base.ctypes.data
    return (self._array.ctypes.data - start) // self._array.itemsize if start else 0


@means(function=False)
def data_ptr(self: Any) -> int:
    """Return the address of the first element."""
    return self._array.ctypes.data if self.device.type == "cpu" else int(self._array.data.ptr)


@means()
def is_floating_point(input: Any) -> bool:
    """Return whether the elements are floating-point numbers."""
    return is_float(input.dtype)


@means()
def is_complex(input: Any) -> bool:
    """Return whether the elements are complex numbers."""
    return input.dtype.kind == "c"


@means(function=False)
def is_signed(self: Any) -> bool:
    """Return whether the elements can be negative."""
    return self.dtype.kind not in "ub"


@means()
def is_nonzero(input: Any) -> bool:
    """Return whether the only element is not zero."""
    return bool(input)


@means()
def is_same_size(input: Any, other: Any) -> bool:
    """Return whether both have the same shape."""
    return tuple(input.shape) == tuple(other.shape)


@means(function=False)
def get_device(self: Any) -> int:
    """Return the number of the GPU, -1 on the CPU."""
    return -1 if self.device.type == "cpu" else self.device.index


@means()
def detach(input: Any) -> Tensor:
    """Return a Tensor on the same memory, outside the graph."""
    return Tensor.detach(input)


@means(function=False)
def is_pinned(self: Any) -> bool:
    """Return whether the memory is page-locked, which is not recorded."""
    return False


@means(function=False)
def is_shared(self: Any) -> bool:
    """Return whether processes share the memory, which is not recorded."""
    return False


@means(function=False)
def share_memory_(self: Any) -> Tensor:
    """Return this Tensor; a data loader's workers share memory by themselves."""
    return self


@means(function=False)
def resize_(self: Any, *sizes: Any) -> Tensor:
    """Give this Tensor another size in place; elements that are new are zeros."""
    shape = sizes_of(sizes, "resize_")
    array = self.device.xp.zeros(shape, self.dtype)
    count = min(array.size, self._array.size)
    array.reshape(-1)[:count] = self._array.reshape(-1)[:count]
    self._array = array
    return self


@means(function=False)
def set_(self: Any, source: Any = None) -> Tensor:
    """Let this Tensor use the memory of another one."""
    self._array = self.device.xp.empty(0, self.dtype) if source is None else source._array
    return self


@means("a function of each element, slow", function=False)
def apply_(self: Any, callable: Any) -> Tensor:
    """Replace each element by `callable` of it, on the CPU."""
    if self.device.type != "cpu":
        raise DTypeError("apply_: works on CPU tensors only")
    flat = np.array([callable(v) for v in self._array.reshape(-1).tolist()], self.dtype)
    self._array[...] = flat.reshape(self._array.shape)
    changed(self._array, "apply_")
    return self


@means(function=False)
def fill_(self: Any, value: Any) -> Tensor:
    """Set every element to a number."""
    self[...] = value.item() if isinstance(value, Tensor) and not value.ndim else value
    return self


def _reshaped(name: str, function: str) -> None:
    def call(self: Any, *args: Any, **kwargs: Any) -> Tensor:
        made = getattr(self, function)(*args, **kwargs)
        if self._node is None:
            self._array = made._array
            return self
        self._array, self._node, self._view = made._array, made._node, made._view
        return self

    call.__name__, call.__doc__ = name, f"Do what `{function}` does, and let this Tensor be the result."
    means(function=False)(call)


for _name in ("unsqueeze", "squeeze", "t", "transpose", "swapaxes", "swapdims"):
    _reshaped(f"{_name}_", _name)


@means(function=False)
def copy_(self: Any, src: Any, non_blocking: bool = False) -> Tensor:
    """Copy the values of `src`, broadcast, into this Tensor."""
    source = src if isinstance(src, Tensor) else asarray(src)
    self[...] = source if source.device is self.device else source.to(device=self.device)
    return self
