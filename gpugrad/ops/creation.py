"""New tensors: constants, ranges, and copies of the shape of another.

Sizes are given as NumPy gives them (`zeros((2, 3))`) or as PyTorch does (`zeros(2, 3)`). Every function takes `dtype`,
`device` and `requires_grad`; the default dtype is float32, the default device that of `set_default_device`.
"""

from typing import Any

import numpy as np

from ..autograd.convert import asarray, constant
from ..autograd.mode import mode
from ..autograd.op import OPS
from ..autograd.tensor import Tensor, wrap
from ..backend.devices import device as find_device
from ..backend.dtypes import as_dtype, default_dtype, is_float, promote
from ..errors import DeviceError, DTypeError, ShapeError

__all__ = [
    "arange", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like", "linspace", "logspace", "ones",
    "ones_like", "zeros", "zeros_like",
]  # fmt: skip


def _shape(size: tuple) -> tuple[int, ...]:
    """The shape that `(2, 3)`, `((2, 3),)` or `([2, 3],)` means."""
    given = size[0] if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
    try:
        shape = tuple(int(n.__index__()) for n in given)
    except AttributeError:
        raise DTypeError(f"sizes are ints, got {size!r}") from None
    if any(n < 0 for n in shape):
        raise ShapeError(f"sizes cannot be negative, got {shape}")
    return shape


def _size_and_dtype(size: tuple, dtype: Any) -> tuple[tuple, Any]:
    """NumPy's positional dtype: `zeros((2, 3), float64)`."""
    if len(size) == 2 and isinstance(size[0], (tuple, list)) and dtype is None:
        size, dtype = size[:1], size[1]
    return _shape(size), default_dtype() if dtype is None else as_dtype(dtype)


def _made(array: Any, where: Any, requires_grad: bool) -> Tensor:
    return wrap(array, where, None).requires_grad_(requires_grad)


def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of the given size."""
    shape, dtype = _size_and_dtype(size, dtype)
    where = find_device(device)
    return _made(where.xp.zeros(shape, dtype), where, requires_grad)


def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of the given size."""
    shape, dtype = _size_and_dtype(size, dtype)
    where = find_device(device)
    return _made(where.xp.ones(shape, dtype), where, requires_grad)


def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Uninitialised memory of the given size."""
    shape, dtype = _size_and_dtype(size, dtype)
    where = find_device(device)
    return _made(where.xp.empty(shape, dtype), where, requires_grad)


def full(size: Any, fill_value: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """`fill_value` everywhere, with its gradient; the dtype is the value's unless given."""
    where = find_device(device)
    return _filled(_shape((size,)), asarray(fill_value, dtype=dtype, device=where), where, requires_grad)


def _filled(shape: tuple, value: Tensor, where: Any, requires_grad: bool) -> Tensor:
    """A tensor of `shape` that holds `value`, broadcast: a constant, or what continues the graph of `value`."""
    if mode.grad and value.requires_grad:
        return OPS["broadcast_to"](value, shape=shape).clone()
    return _made(where.xp.full(shape, value._array, value.dtype), where, requires_grad)


def arange(
    start: Any, stop: Any = None, step: Any = 1, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Numbers from `start` (0) to before `stop` by `step`: int64, or the default float if one of them is a float."""
    if stop is None:
        start, stop = 0, start
    given = {"start": start, "stop": stop, "step": step}
    start, stop, step = (constant(n, "arange", name) for name, n in given.items())
    floats = any(isinstance(n, float) for n in (start, stop, step))
    where = find_device(device)
    wanted = as_dtype(dtype) if dtype is not None else default_dtype() if floats else np.dtype("int64")
    return _made(where.asarray(np.arange(start, stop, step), wanted), where, requires_grad)


def linspace(
    start: float,
    stop: float,
    num: int = 50,
    *,
    endpoint: bool = True,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`num` evenly spaced numbers from `start` to `stop`."""
    where = find_device(device)
    if isinstance(start, Tensor) or isinstance(stop, Tensor):  # whose gradients the numbers have
        start, stop = asarray(start, dtype, device), asarray(stop, dtype, device)
        where, wanted = start.device, promote(start.dtype, stop.dtype)
        wanted = wanted if is_float(wanted) else default_dtype()
        parts = asarray(np.linspace(0, 1, num, endpoint=endpoint), wanted, where)
        made = OPS["lerp"](start, stop, parts)
        return made.requires_grad_() if requires_grad else made
    values = np.linspace(start, stop, num, endpoint=endpoint)
    return _made(where.asarray(values, default_dtype() if dtype is None else as_dtype(dtype)), where, requires_grad)


def logspace(
    start: float, stop: float, num: int = 50, base: float = 10.0, *, dtype: Any = None, device: Any = None
) -> Tensor:
    """`num` numbers from base**start to base**stop, evenly spaced on a logarithmic scale."""
    where = find_device(device)
    if isinstance(start, Tensor) or isinstance(stop, Tensor):
        return OPS["power"](base, linspace(start, stop, num, dtype=dtype, device=device))
    values = np.logspace(start, stop, num, base=base)
    return _made(where.asarray(values, default_dtype() if dtype is None else as_dtype(dtype)), where, False)


def eye(
    n: int, m: int | None = None, k: int = 0, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Ones on the k-th diagonal of an (n, m) matrix, zeros elsewhere."""
    where = find_device(device)
    dtype = default_dtype() if dtype is None else as_dtype(dtype)
    return _made(where.xp.eye(n, m, k, dtype=dtype), where, requires_grad)


def _like(name: str, x: Any, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    """`name`(shape) with the dtype, device and memory order of x."""
    if not isinstance(x, Tensor):
        x = asarray(x)
    where = x.device if device is None else find_device(device)
    wanted = x.dtype if dtype is None else as_dtype(dtype)
    source = x._array if where is x.device else where.xp.empty(x.shape, x.dtype)
    return _made(getattr(where.xp, name)(source, dtype=wanted), where, requires_grad)


def zeros_like(x: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros with the shape, dtype and device of x."""
    return _like("zeros_like", x, dtype, device, requires_grad)


def ones_like(x: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones with the shape, dtype and device of x."""
    return _like("ones_like", x, dtype, device, requires_grad)


def empty_like(x: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Uninitialised memory with the shape, dtype and device of x."""
    return _like("empty_like", x, dtype, device, requires_grad)


def full_like(x: Any, fill_value: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """`fill_value`, with its gradient, in the shape, dtype and device of x."""
    made = empty_like(x, dtype, device)
    value = asarray(fill_value, made.dtype, made.device)
    if mode.grad and value.requires_grad:
        return _filled(made.shape, value, made.device, requires_grad)
    made._array[...] = value._array
    return made.requires_grad_(requires_grad)


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A Tensor of an array of any library with DLPack (NumPy, CuPy, PyTorch, JAX, ...), sharing its memory.

    device: where the Tensor is to be (default: where x is); another device, or copy=True, means a copy. Raises
    DTypeError for an x without DLPack and for a dtype that DLPack or gpugrad lacks; DeviceError for memory of another
    kind than the CPU's and CUDA's, and with copy=False where a copy is needed.
    """
    if not hasattr(x, "__dlpack__"):
        raise DTypeError(f"from_dlpack: a {type(x).__name__} has no __dlpack__")
    kind, index = x.__dlpack_device__()
    if kind not in (1, 2, 3):  # dlpack.h: the CPU, CUDA, pinned memory of the host
        raise DeviceError(f"from_dlpack: the array is on a device of kind {int(kind)}, neither the CPU nor CUDA")
    where = find_device(int(index) if kind == 2 else "cpu")
    target = where if device is None else find_device(device)
    if copy is False and target is not where:
        raise DeviceError(f"from_dlpack: an array on {where} does not get to {target} without a copy")
    try:
        array = where.xp.from_dlpack(x)
    except (RuntimeError, BufferError) as error:
        raise DTypeError(f"from_dlpack: {error} (got {type(x).__name__} {getattr(x, 'dtype', '')})") from None
    as_dtype(array.dtype)
    return asarray(wrap(array, where, None), device=target, copy=bool(copy))
