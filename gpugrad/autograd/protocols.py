"""The protocols of Python, NumPy and other array libraries, implemented for Tensor."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from opcode import opmap
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import dlpack
from ..backend.devices import CPU, Device
from ..errors import DeviceError, DTypeError, GradientError, ShapeError
from .display import html, values_text

if TYPE_CHECKING:
    from .attached import Attached  # a stub: the methods that `gpugrad.ops` adds to Tensor
    from .tensor import Tensor
else:
    Attached = object


class Protocols(Attached):
    """A base class of Tensor that implements protocols of Python (`len`, `float`, iteration, ...), NumPy and DLPack."""

    __slots__ = ()

    if TYPE_CHECKING:
        _array: Any
        _node: Any
        _requires_grad: bool
        device: Device

        @property
        def shape(self) -> tuple[int, ...]: ...
        @property
        def dtype(self) -> np.dtype: ...
        @property
        def requires_grad(self) -> bool: ...
        def item(self) -> Any: ...
        def numpy(self) -> np.ndarray: ...

    def __len__(self) -> int:
        if not self._array.ndim:
            raise DTypeError("len() of a 0-d tensor")
        return self._array.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self._array.ndim:
            raise DTypeError("iteration over a 0-d tensor")
        _not_a_pair(self._array.shape, sys._getframe(1))
        return (self[i] for i in range(self._array.shape[0]))

    def __bool__(self) -> bool:
        if self._array.size != 1:
            raise ShapeError(f"the truth of a tensor of shape {self.shape} is ambiguous; use any() or all()")
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise DTypeError(f"only integer tensors can be an index, got {self.dtype}")
        return self.item()

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec and self._array.size == 1 else str(self)

    def __repr__(self) -> str:
        if self.device.depth:  # inside of vmap
            return f"an example of {self._array.tensor!r}"
        values = values_text(self._array, self.device, "tensor(")
        notes = "" if self.dtype in (np.float32, np.int64, np.bool_, np.complex64) else f", dtype={self.dtype.name}"
        notes += "" if self.device is CPU else f", device='{self.device}'"
        if self._node is not None:
            notes += f", grad_fn={self._node.name}"
        elif self._requires_grad:
            notes += ", requires_grad=True"
        return f"tensor({values}{notes})"

    def _repr_html_(self) -> str | None:
        return html(self)  # type: ignore[arg-type]

    # NumPy and other libraries

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self.device is not CPU:
            raise DeviceError(f"a tensor on {self.device} does not become a NumPy array by itself; call .cpu() first")
        return np.array(self.numpy(), dtype, copy=copy)

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        return sys.modules[__name__.partition(".")[0]]

    def __dlpack__(
        self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None
    ) -> Any:
        if self.requires_grad:
            raise GradientError("__dlpack__: this tensor requires a gradient; call detach() first")
        given = {"stream": stream, "max_version": max_version, "dl_device": dl_device, "copy": copy}
        return dlpack.exported(self._array, **{name: value for name, value in given.items() if value is not None})

    def __dlpack_device__(self) -> tuple:
        return self._array.__dlpack_device__()

    @property
    def __array_interface__(self) -> Any:
        if self.device is not CPU or self.dtype.kind == "V":  # then NumPy calls `__array__`
            raise AttributeError("__array_interface__: only of tensors on the CPU with a dtype that NumPy knows")
        return self.numpy().__array_interface__

    @property
    def __cuda_array_interface__(self) -> Any:
        if self.device.type == "cuda" and self.requires_grad:
            raise GradientError("__cuda_array_interface__: this tensor requires a gradient; call detach() first")
        return self._array.__cuda_array_interface__


_UNPACK = opmap["UNPACK_SEQUENCE"]


def _not_a_pair(shape: tuple[int, ...], frame: FrameType) -> None:
    """Raise ShapeError if `frame` unpacks a tensor of this shape, which has not two rows, into two names, as PyTorch's
    programs do with `values, indices = x.max(1)`."""
    code, here = frame.f_code.co_code, frame.f_lasti
    if code[here] == _UNPACK and code[here + 1] == 2 != shape[0]:
        raise ShapeError(
            f"a tensor of shape {shape} cannot be unpacked into two; x.max(1), min, sort, median and cummax give "
            "NumPy's values alone: PyTorch's (values, indices) are x.max(dim=1), or x.max(1) of `import gpugrad.torch`"
        )
