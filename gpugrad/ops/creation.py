"""New tensors: constants, ranges, and copies of the shape of another.

Sizes are given as NumPy gives them (`zeros((2, 3))`) or as PyTorch does (`zeros(2, 3)`). Every function takes `dtype`,
`device` and `requires_grad`; the default dtype is float32, the default device that of `set_default_device`.
"""

from typing import Any

import numpy as np

from ..arguments import non_negative_int, not_zero, optional
from ..autograd.convert import asarray, constant, taken_in
from ..autograd.mode import mode
from ..autograd.op import OPS
from ..autograd.signature import torch_words
from ..autograd.tensor import Tensor, wrap
from ..backend.capture import constant_array
from ..backend.devices import device as find_device
from ..backend.dtypes import as_dtype, default_dtype, is_float, promote
from ..errors import DTypeError, ShapeError

__all__ = [
    "arange", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like", "linspace", "logspace", "ones",
    "ones_like", "zeros", "zeros_like",
]  # fmt: skip


def _shape(size: tuple) -> tuple[int, ...]:
    """Return the shape that `(2, 3)`, `((2, 3),)` or `([2, 3],)` means."""
    given = size[0] if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
    try:
        shape = tuple(int(n.__index__()) for n in given)
    except (AttributeError, TypeError, ShapeError):
        raise DTypeError(f"sizes are ints, got {size!r}") from None
    if any(n < 0 for n in shape):
        raise ShapeError(f"sizes cannot be negative, got {shape}")
    return shape


def _shape_and_dtype(size: tuple, dtype: Any) -> tuple[tuple, Any]:
    """Return the shape and the dtype, which may come second by position as in NumPy: `zeros((2, 3), float64)`."""
    if len(size) == 2 and isinstance(size[0], (tuple, list)) and dtype is None:
        size, dtype = size[:1], size[1]
    return _shape(size), default_dtype() if dtype is None else as_dtype(dtype)


def _new_tensor(array: Any, where: Any, requires_grad: bool) -> Tensor:
    return wrap(array, where, None).requires_grad_(requires_grad)


def zeros(*size: Any, shape: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a tensor of the given size filled with zeros.

    >>> gg.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    shape, dtype = _shape_and_dtype(size if shape is None else (*size, shape), dtype)
    where = find_device(device)
    return _new_tensor(where.xp.zeros(shape, dtype), where, requires_grad)


def ones(*size: Any, shape: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a tensor of the given size filled with ones.

    >>> gg.ones((2, 2), dtype="int64")
    tensor([[1, 1],
            [1, 1]])
    """
    shape, dtype = _shape_and_dtype(size if shape is None else (*size, shape), dtype)
    where = find_device(device)
    return _new_tensor(where.xp.ones(shape, dtype), where, requires_grad)


def empty(*size: Any, shape: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a tensor of the given size whose memory is not initialised: its values are arbitrary.

    >>> gg.empty(2, 3).shape
    (2, 3)
    """
    shape, dtype = _shape_and_dtype(size if shape is None else (*size, shape), dtype)
    where = find_device(device)
    return _new_tensor(where.xp.empty(shape, dtype), where, requires_grad)


@torch_words
def full(shape: Any, fill_value: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a tensor filled with `fill_value`, with its gradient; its dtype is the value's unless one is given.

    >>> gg.full((2, 2), 7.0)
    tensor([[7., 7.],
            [7., 7.]])
    """
    where = find_device(device)
    return _filled(_shape((shape,)), asarray(fill_value, dtype=dtype, device=where), where, requires_grad)


def _filled(shape: tuple, value: Tensor, where: Any, requires_grad: bool) -> Tensor:
    """Return a tensor of `shape` that holds `value`, broadcast: a constant, or what continues the graph of `value`."""
    if mode.grad and value.requires_grad:
        return OPS["broadcast_to"](value, shape=shape).clone()
    return _new_tensor(where.xp.full(shape, value._array, value.dtype), where, requires_grad)


@torch_words
def arange(
    start: Any, stop: Any = None, step: Any = 1, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return the numbers from `start` (by default 0) up to, but without, `stop`, in steps of `step`.

    The dtype is int64, or the default float dtype if one of the three is a float.

    >>> gg.arange(5), gg.arange(1.0, 2.0, 0.25)
    (tensor([0, 1, 2, 3, 4]), tensor([1.  , 1.25, 1.5 , 1.75]))
    """
    if stop is None:
        start, stop = 0, start
    given = {"start": start, "stop": stop, "step": step}
    start, stop, step = (constant(n, "arange", name) for name, n in given.items())
    not_zero("arange", "step", step.item() if hasattr(step, "item") else step)
    floats = any(isinstance(n, float) for n in (start, stop, step))
    where = find_device(device)
    wanted = as_dtype(dtype) if dtype is not None else default_dtype() if floats else np.dtype("int64")
    return _new_tensor(constant_array(where, np.arange(start, stop, step), wanted), where, requires_grad)


def _float64(value: Any) -> np.ndarray:
    """An end of a range, a number or a Tensor, in the precision that ranges are computed in."""
    return np.asarray(value.detach() if isinstance(value, Tensor) else value, np.float64)


@torch_words
def linspace(
    start: float | Tensor,
    stop: float | Tensor,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Any:
    """Return `num` evenly spaced numbers from `start` to `stop`, which is left out with endpoint=False.

    retstep: the distance from one to the next comes second, NaN if there is none.

    >>> gg.linspace(0, 1, 5)
    tensor([0.  , 0.25, 0.5 , 0.75, 1.  ])
    >>> gg.linspace(0, 1, 5, retstep=True)[1]
    0.25
    """
    if retstep:
        made = linspace(start, stop, num, endpoint, dtype=dtype, device=device, requires_grad=requires_grad)
        steps = num - 1 if endpoint else num
        return made, (stop - start) / steps if steps > 0 else float("nan")
    where = find_device(device)
    non_negative_int("linspace", "num", num)
    if isinstance(start, Tensor) or isinstance(stop, Tensor):  # whose gradients the numbers have
        first, last = asarray(start, dtype, device), asarray(stop, dtype, device)
        where, wanted = first.device, promote(first.dtype, last.dtype)
        wanted = wanted if is_float(wanted) else default_dtype()
        parts = wrap(constant_array(where, np.linspace(0, 1, num, endpoint=endpoint), wanted), where, None)
        made = OPS["lerp"](first, last, parts)
        return made.requires_grad_() if requires_grad else made
    values = np.linspace(_float64(start), _float64(stop), num, endpoint=endpoint)
    dtype = default_dtype() if dtype is None else as_dtype(dtype)
    return _new_tensor(constant_array(where, values, dtype), where, requires_grad)


@torch_words
def logspace(
    start: float | Tensor,
    stop: float | Tensor,
    num: int = 50,
    endpoint: bool | float = True,
    base: float | None = None,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return `num` numbers from base**start to base**stop (base: 10), evenly spaced on a logarithmic scale.

    The fourth argument is NumPy's `endpoint` if it is a bool, and PyTorch's `base` if it is another number.

    >>> gg.logspace(0, 3, 4)
    tensor([   1.,   10.,  100., 1000.])
    """
    if not isinstance(endpoint, (bool, np.bool_)):
        if base is not None:
            raise DTypeError(f"logspace: endpoint is a bool, got {endpoint!r}")
        endpoint, base = True, endpoint
    where = find_device(device)
    non_negative_int("logspace", "num", num)
    if isinstance(start, Tensor) or isinstance(stop, Tensor):
        exponents = linspace(start, stop, num, endpoint=bool(endpoint), dtype=dtype, device=device)
        return OPS["power"](10.0 if base is None else base, exponents)
    ends = _float64(start), _float64(stop)
    values = np.logspace(*ends, num, endpoint=bool(endpoint), base=10.0 if base is None else base)
    dtype = default_dtype() if dtype is None else as_dtype(dtype)
    return _new_tensor(constant_array(where, values, dtype), where, requires_grad)


def eye(
    n: int, m: int | None = None, k: int = 0, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return an (n, m) matrix with ones on diagonal k and zeros elsewhere; m is n by default.

    >>> gg.eye(3)
    tensor([[1., 0., 0.],
            [0., 1., 0.],
            [0., 0., 1.]])
    """
    where = find_device(device)
    dtype = default_dtype() if dtype is None else as_dtype(dtype)
    non_negative_int("eye", "n", n)
    optional(non_negative_int)("eye", "m", m)
    return _new_tensor(where.xp.eye(n, m, k, dtype=dtype), where, requires_grad)


def _like(name: str, x: Any, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    """Return a tensor that NumPy's function `name` makes, with the shape, dtype, device and memory order of x."""
    if not isinstance(x, Tensor):
        x = asarray(x)
    where = x.device if device is None else find_device(device)
    wanted = x.dtype if dtype is None else as_dtype(dtype)
    source = x._array if where is x.device else where.xp.empty(x.shape, x.dtype)
    return _new_tensor(getattr(where.xp, name)(source, dtype=wanted), where, requires_grad)


def zeros_like(x: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return zeros with the shape, dtype and device of x.

    >>> gg.zeros_like(gg.tensor([1, 2]))
    tensor([0, 0])
    """
    return _like("zeros_like", x, dtype, device, requires_grad)


def ones_like(x: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return ones with the shape, dtype and device of x.

    >>> gg.ones_like(gg.tensor([1.0, 2.0]))
    tensor([1., 1.])
    """
    return _like("ones_like", x, dtype, device, requires_grad)


def empty_like(x: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a tensor with the shape, dtype and device of x, whose memory is not initialised.

    >>> gg.empty_like(gg.tensor([1.0, 2.0])).shape
    (2,)
    """
    return _like("empty_like", x, dtype, device, requires_grad)


def full_like(x: Any, fill_value: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a tensor filled with `fill_value`, whose gradient it has, with the shape, dtype and device of x.

    >>> gg.full_like(gg.tensor([1.0, 2.0]), 0.5)
    tensor([0.5, 0.5])
    """
    made = empty_like(x, dtype, device)
    value = asarray(fill_value, made.dtype, made.device)
    if mode.grad and value.requires_grad:
        return _filled(made.shape, value, made.device, requires_grad)
    made._array[...] = value._array
    return made.requires_grad_(requires_grad)


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """Return a Tensor that shares the memory of an array of any library with DLPack (NumPy, CuPy, PyTorch, JAX, ...).

    device: where the Tensor is to be, by default where x is; another device, or copy=True, means a copy. Raises
    DTypeError for an x without DLPack and for a dtype that DLPack or gpugrad lacks. Raises DeviceError for memory of
    another kind than the CPU's and CUDA's, and with copy=False if a copy is needed.

    >>> array = np.zeros(2, np.float32)
    >>> x = gg.from_dlpack(array)
    >>> array[0] = 5
    >>> x
    tensor([5., 0.])
    """
    return taken_in(x, device, copy)
