"""Conversions: make Tensors from other data, move Tensors between dtypes and devices, and take the arrays out of
them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..backend import dlpack
from ..backend.devices import CPU, Device, device
from ..backend.devices import device as device_called
from ..backend.dtypes import DTYPE_NAMES, as_dtype
from ..errors import DeviceError, DTypeError, GradientError, ShapeError
from .mode import mode
from .table import OPS
from .tensor import Tensor, method, wrap


def tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a Tensor with a copy of `data`: numbers, nested sequences, an array or a Tensor.

    Python floats become the default dtype, Python ints int64; an array keeps its dtype unless `dtype` is given.
    The result is a leaf, as in PyTorch, also where Tensors inside `data` are in a graph; `asarray` stays in it.

    >>> gg.tensor([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 2.],
            [3., 4.]])
    >>> gg.tensor([1, 2]).dtype.name, gg.tensor([1, 2], dtype="float32").dtype.name
    ('int64', 'float32')
    """
    array, where = _as_array(joined(data), dtype, device)
    return wrap(array.copy(), where, None).requires_grad_(requires_grad)


def asarray(data: Any, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Tensor:
    """Return a Tensor of `data` that shares its memory if possible; with `copy=True` it never does.

    A Tensor that needs no change is returned as it is, with its place in the graph, and Tensors inside a sequence,
    nested or not, are stacked, with theirs.

    >>> values = np.zeros(2)
    >>> shared = gg.asarray(values)
    >>> values[0] = 5.0
    >>> shared
    tensor([5., 0.], dtype=float64)
    """
    data = joined(data)
    if isinstance(data, Tensor):
        return to_place(data, dtype, device, bool(copy))
    if isinstance(data, (list, tuple)) and _in_graph(data):
        return to_place(OPS["stack"]([asarray(item) for item in data]), dtype, device, False)
    array, where = _as_array(data, dtype, device)
    return wrap(array.copy() if copy else array, where, None)


def _in_graph(data: Any) -> bool:
    """Whether there is a Tensor in nested sequences that requires a gradient."""
    return any(
        item.requires_grad if isinstance(item, Tensor) else isinstance(item, (list, tuple)) and _in_graph(item)
        for item in data
    )


def from_numpy(array: np.ndarray) -> Tensor:
    """Return a CPU Tensor that shares the memory of a NumPy array.

    >>> values = np.zeros(2)
    >>> gg.from_numpy(values).add_(1.0)
    tensor([1., 1.], dtype=float64)
    >>> values
    array([1., 1.])
    """
    if not isinstance(array, np.ndarray):
        raise DTypeError(f"from_numpy: expected a numpy.ndarray, got {type(array).__name__}")
    as_dtype(array.dtype)
    return wrap(array, CPU, None)


def joined(data: Any) -> Any:
    """`data`; if it is a sequence that holds Tensors somewhere, one Tensor of it, with their gradients and dtypes."""
    return OPS["stack"](data) if is_sequence(data) and _holds_tensor(data) else data


def is_sequence(data: Any) -> bool:
    """Whether an array is made of `data` item by item."""
    return isinstance(data, (list, tuple)) or isinstance(data, Sequence) and not isinstance(data, (str, bytes))


def _holds_tensor(data: Sequence) -> bool:
    kinds = set(map(type, data))
    if any(issubclass(kind, Tensor) for kind in kinds):
        return True
    if not any(issubclass(kind, Sequence) for kind in kinds):  # quickly said of many numbers
        return False
    return any(is_sequence(item) and _holds_tensor(item) for item in data)


def constant(value: Any, owner: str, name: str) -> Any:
    """`raw(value)`, for an argument that no gradient flows to. Raises GradientError if one would be lost there."""
    kind = value.__class__
    if kind is tuple or kind is list:
        return kind([constant(v, owner, name) for v in value])
    if not isinstance(value, Tensor):
        return value
    if mode.grad and value.requires_grad:
        raise GradientError(
            f"{owner}: no gradient flows to {name}, and the tensor given for it requires one; pass {name}.detach()"
        )
    return value._array


def raw(value: Any) -> Any:
    """Return `value` with every Tensor replaced by its array, also inside tuples and lists."""
    kind = value.__class__
    if kind is tuple or kind is list:
        return kind([raw(v) for v in value])
    return value._array if isinstance(value, Tensor) else value


def _as_array(data: Any, dtype: Any, where: Any) -> tuple[Any, Device]:
    """Return `data` as an array of a supported dtype on the device `where`."""
    if isinstance(data, Tensor):
        where = data.device if where is None else device(where)
        array = data._array if where is data.device else data.device.to_host(data._array)
        return where.asarray(array, None if dtype is None else as_dtype(dtype)), where
    target = device(where)
    if hasattr(data, "dtype") and hasattr(data, "shape"):
        if hasattr(data, "__cuda_array_interface__") and where is None:
            target = device(int(getattr(getattr(data, "device", 0), "id", 0)))
        if hasattr(data, "__dlpack__") and not isinstance(data, np.ndarray) and type(data).__module__ != "cupy":
            made = taken_in(data, where, None)
            return made.device.asarray(made._array, None if dtype is None else as_dtype(dtype)), made.device
        wanted = as_dtype(data.dtype if dtype is None else dtype)
        return target.asarray(data, wanted), target
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ShapeError(f"tensor: {error}") from None
    if dtype is None and array.dtype.char in "dD" and not hasattr(data, "__array__"):
        dtype = float if array.dtype.char == "d" else complex
    return target.asarray(array, as_dtype(array.dtype if dtype is None else dtype)), target


def taken_in(x: Any, place: Any, copy: bool | None) -> Tensor:
    """Return a Tensor on the memory of an array of another library with DLPack: `gpugrad.from_dlpack`."""
    if not hasattr(x, "__dlpack__"):
        raise DTypeError(f"from_dlpack: a {type(x).__name__} has no __dlpack__")
    kind, index = x.__dlpack_device__()
    if kind not in (1, 2, 3):  # dlpack.h: the CPU, CUDA, pinned memory of the host
        raise DeviceError(f"from_dlpack: the array is on a device of kind {int(kind)}, neither the CPU nor CUDA")
    where = device_called(int(index) if kind == 2 else "cpu")
    target = where if place is None else device_called(place)
    if copy is False and target is not where:
        raise DeviceError(f"from_dlpack: an array on {where} does not get to {target} without a copy")
    try:
        array = dlpack.imported(x, where.xp)
    except (RuntimeError, BufferError) as error:
        raise DTypeError(f"from_dlpack: {error} (got {type(x).__name__} {getattr(x, 'dtype', '')})") from None
    as_dtype(array.dtype)
    return asarray(wrap(array, where, None), device=target, copy=bool(copy))


def to_place(tensor: Tensor, dtype: Any, where: Any, copy: bool, non_blocking: bool = False) -> Tensor:
    """Return `tensor` with this dtype on this device; the tensor itself if nothing changes and no copy is asked for."""
    if dtype is None and where is None and not copy:
        return tensor
    target = tensor.device if where is None else device(where)
    made = tensor
    if dtype is not None and as_dtype(dtype) != tensor.dtype:
        made = OPS["astype"](made, dtype=as_dtype(dtype))
    if target is not made.device:
        made = OPS["transfer"](made, device=target, non_blocking=non_blocking)
    return made.clone() if copy and made is tensor else made


class Destination(NamedTuple):
    """What a call of `to` asks for; None leaves the dtype or the device as it is."""

    dtype: Any
    device: Any
    non_blocking: bool
    copy: bool


def destination(
    name: str, args: tuple, *, dtype: Any = None, device: Any = None, non_blocking: bool = False, copy: bool = False
) -> Destination:
    """Return what the arguments of `to` mean: in any order a device, a dtype or a Tensor to be like, then two bools.

    name: of the method, for errors. Raises DTypeError for anything else, and for an argument that is given twice.
    """
    given: list[tuple[str, Any]] = [("dtype", dtype), ("device", device)]
    flags = [value for value in args if isinstance(value, bool)]
    for value in args:
        if isinstance(value, Tensor):
            given += ("dtype", value.dtype), ("device", value.device)
        elif isinstance(value, (Device, int)) or isinstance(value, str) and value.split(":")[0] in ("cpu", "cuda"):
            given += [] if isinstance(value, bool) else [("device", value)]
        else:
            given.append(("dtype", value))
    given = [pair for pair in given if pair[1] is not None]
    found = dict(given)
    if len(found) < len(given) or len(flags) > 2 - non_blocking - copy:
        raise DTypeError(f"{name}: an argument is given twice, or under two names: {', '.join(map(str, args))}")
    asked = found.get("dtype")
    non_blocking, copy = (*flags, *(non_blocking, copy)[len(flags) :])
    return Destination(None if asked is None else _dtype_for(name, asked), found.get("device"), non_blocking, copy)


def _dtype_for(name: str, given: Any) -> np.dtype:
    """Return the dtype that an argument of `to` means. Raises DTypeError for what is neither a dtype nor a device."""
    try:
        return as_dtype(given)
    except DTypeError:
        raise DTypeError(
            f'{name}: expected a dtype ({DTYPE_NAMES}), a device ("cpu", "cuda", "cuda:<index>") or a Tensor, got '
            f"{given!r}"
        ) from None


# Methods of Tensor that convert it


@method("to")
def tensor_to(
    self: Tensor, *args: Any, dtype: Any = None, device: Any = None, non_blocking: bool = False, copy: bool = False
) -> Tensor:
    """Return this Tensor with another dtype, on another device, or like another Tensor; itself if nothing changes.

    >>> gg.tensor([1.5, -2.5]).to("int64")
    tensor([ 1, -2])
    """
    asked = destination("to", args, dtype=dtype, device=device, non_blocking=non_blocking, copy=copy)
    return to_place(self, asked.dtype, asked.device, asked.copy, asked.non_blocking)


@method("to_device")
def tensor_to_device(self: Tensor, device: Any, /, *, stream: Any = None) -> Tensor:
    """Return this Tensor on another device: the array API's name of `to`. stream: only None, the device's own.

    >>> gg.ones(2).to_device("cpu").device
    device('cpu')
    """
    if stream is not None:
        raise DTypeError(f"to_device: stream must be None, got {stream!r}")
    return to_place(self, None, device, False)


@method("cpu")
def tensor_cpu(self: Tensor) -> Tensor:
    """Return this Tensor in the host's memory.

    >>> gg.ones(2).cpu().device
    device('cpu')
    """
    return to_place(self, None, CPU, False)


@method("cuda")
def tensor_cuda(self: Tensor, index: int | None = None) -> Tensor:
    """Return this Tensor in a GPU's memory."""
    return to_place(self, None, "cuda" if index is None else index, False)


@method("__new__")
def new_tensor(
    cls: type[Tensor], data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    made = tensor(data, dtype, device, requires_grad)
    return wrap(made._array, made.device, None, cls).requires_grad_(requires_grad)
