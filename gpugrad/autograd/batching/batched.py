"""The array of a Tensor inside of vmap: it shows one example's shape and keeps all examples."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import ModuleType
from typing import Any

import numpy as np

from ...backend.device import Device, register_arrays
from ...backend.namespace import register_type
from ...errors import DeviceError, GradientError
from ..convert import asarray
from ..mode import mode
from ..table import OPS
from ..tensor import Tensor, wrap


class Batched:
    """An array of one example each of a batch: `tensor` has the batch's axis in front if `mapped`, else it is the same
    for all examples.

    It has the methods and operators of a Tensor, on arrays, as gradient rules use them.
    """

    __slots__ = ("tensor", "mapped", "device", "__weakref__")
    base = None
    strides = ()
    __array_ufunc__ = None  # NumPy's numbers leave operators to this class

    def __init__(self, tensor: Tensor, mapped: bool, device: Level):
        self.tensor, self.mapped, self.device = tensor, mapped, device

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of one example."""
        return self.tensor.shape[1:] if self.mapped else self.tensor.shape

    @property
    def dtype(self) -> np.dtype:
        return self.tensor.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    @property
    def itemsize(self) -> int:
        return self.tensor.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    @property
    def flags(self) -> Any:
        return self.tensor._array.flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(lifted(self), name)
        return _on_arrays(found) if callable(found) else lowered(found)

    def __getitem__(self, index: Any) -> Batched:
        return lowered(lifted(self)[lifted(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        made = lowered(OPS["setitem"](lifted(self), lifted(value), index=lifted(index)))
        self.tensor, self.mapped = made.tensor, made.mapped

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Any:
        return (self[i] for i in range(self.shape[0]))

    def __bool__(self) -> bool:
        raise _unknown("the truth")

    __float__ = __int__ = __index__ = __bool__

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise _unknown("the values")


def _unknown(what: str) -> GradientError:
    return GradientError(
        f"vmap: {what} of a tensor inside of vmap differs between examples and cannot be asked for; use gpugrad.where "
        "and other ops instead of if, float(), item() and numpy()"
    )


for _name in (
    "add sub mul truediv floordiv mod pow matmul and_ or_ xor lshift rshift eq ne lt le gt ge neg pos abs invert"
).split():
    _operator, _word = getattr(operator, _name), _name.rstrip("_")

    def _forward(self: Batched, *other: Any, _operator: Any = _operator) -> Any:
        return lowered(_operator(lifted(self), *map(lifted, other)))

    def _backward(self: Batched, other: Any, _operator: Any = _operator) -> Any:
        return lowered(_operator(lifted(other), lifted(self)))

    setattr(Batched, f"__{_word}__", _forward)
    setattr(Batched, f"__r{_word}__", _backward)
Batched.__hash__ = object.__hash__  # type: ignore[method-assign]


def lifted(value: Any) -> Any:
    """Return `value` with a Tensor for each Batched array."""
    if value.__class__ is Batched:
        return wrap(value, value.device, None)
    return type(value)([lifted(v) for v in value]) if value.__class__ in (tuple, list) else value


def lowered(value: Any) -> Any:
    """Return `value` with the Batched array of each Tensor, which joins the batch if it has not done so."""
    if isinstance(value, Tensor):
        return value._array if isinstance(value.device, Level) else mode.batch.adopt(value)._array
    return type(value)([lowered(v) for v in value]) if value.__class__ in (tuple, list) else value


def _on_arrays(function: Callable) -> Callable:
    def call(*args: Any, **kwargs: Any) -> Any:
        return lowered(function(*map(lifted, args), **{name: lifted(value) for name, value in kwargs.items()}))

    return call


def _like(function: Callable) -> Callable:
    """Return zeros_like and its kin for Batched arrays."""

    def call(array: Batched, *args: Any, **kwargs: Any) -> Batched:
        with array.device.left():
            return Batched(function(array.tensor, *args, **kwargs), array.mapped, array.device)

    return call


class Names:
    """A namespace of functions of Batched arrays: gpugrad's own, and all ops."""

    def __init__(self, library: Any):
        self._library = library

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._library, name, None)
        found = OPS.get(name) if found is None else found
        if found is None:
            raise AttributeError(f"gpugrad has no function {name!r} for tensors inside of vmap")
        if isinstance(found, ModuleType):
            return Names(found)
        if name.endswith("_like"):
            return _like(found)
        return _on_arrays(found) if callable(found) and not isinstance(found, type) else found


class Level(Device):
    """The place of Tensors inside of one call of vmap with a batch of `length` examples, which lie on `outside`."""

    is_only = False

    def __init__(self, length: int, outside: Device):
        super().__init__("vmap", None, f"vmap of {length} examples on {outside}")
        self.length, self.outside = length, outside
        self.parent: Level | None = mode.batch
        self.depth = 1 if self.parent is None else self.parent.depth + 1
        self.recorded = mode.grad
        self.xp = NAMES

    def adopt(self, tensor: Tensor) -> Tensor:
        """Return a Tensor of this level that is `tensor` for every example."""
        return tensor if tensor.device is self else wrap(Batched(tensor, False, self), self, None)

    def asarray(self, array: Any, dtype: np.dtype | None = None) -> Any:
        if array.__class__ is Batched and array.device is self:
            return array if dtype is None or array.dtype == dtype else array.astype(dtype)
        with self.left():
            made = lifted(array) if array.__class__ is Batched else array
            return Batched(asarray(made, dtype, None if isinstance(made, Tensor) else self.outside), False, self)

    def full(self, shape: tuple, value: Any, dtype: np.dtype) -> Any:
        if value.__class__ is Batched:
            return lowered(OPS["broadcast_to"](lifted(value), shape=shape)).astype(dtype)
        made = self.outside.full(shape, value, dtype)
        return Batched(wrap(made, self.outside, None), False, self)

    def to_host(self, array: Any, blocking: bool = True) -> np.ndarray:
        raise _unknown("the value")

    def address(self, array: Any) -> int:
        raise DeviceError("vmap: a kernel of your own needs an op around it: `gpugrad.cuda.kernel` says how")

    def selected(self) -> AbstractContextManager:
        return nullcontext()

    @contextmanager
    def left(self) -> Any:
        """Compute outside: what is recorded there is up to the call of vmap, not to the example's own graph."""
        before = mode.batch, mode.grad
        mode.batch, mode.grad = self.parent, self.recorded
        try:
            yield
        finally:
            mode.batch, mode.grad = before

    def __enter__(self) -> Level:
        mode.batch = self
        if not self.outside.depth:
            self.outside.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        mode.batch = self.parent
        if not self.outside.depth:
            self.outside.__exit__()


NAMES = Names(sys.modules[__name__.partition(".")[0]])
register_type(Batched, NAMES)
register_arrays(Batched, lambda array: array.device)
