"""New Tensors: of data, of sizes, and like another."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...autograd import convert
from ...autograd.op import OPS
from ...autograd.tensor import Tensor
from ...backend.dtypes import as_dtype, default_dtype
from ...errors import ShapeError
from ...ops import creation as numpys
from ...ops import random as randoms
from ..language import Size, means, sizes_of


@means(method=False)
def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a Tensor with a copy of `data`."""
    return convert.tensor(data, dtype, device, requires_grad)


@means(method=False)
def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """Return a Tensor of `data`, which shares its memory if possible."""
    return convert.asarray(data, dtype, device)


@means(method=False)
def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool = False
) -> Tensor:
    """Return a Tensor of `obj`, which shares its memory unless `copy`."""
    made = convert.asarray(obj, dtype, device, copy)
    return made.detach().requires_grad_() if requires_grad else made


@means(method=False)
def scalar_tensor(s: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a 0-d Tensor of a number, of the default dtype."""
    return convert.tensor(s, default_dtype() if dtype is None else dtype, device, requires_grad)


def _sized(name: str) -> Any:
    make = getattr(numpys, name, None) or getattr(randoms, name)

    def call(
        *size: Any,
        dtype: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        generator: Any = None,
        **more: Any,
    ) -> Tensor:
        shape = sizes_of((more.pop("size"),) if "size" in more else size, name)
        options = {} if generator is None else {"generator": generator}
        return make(shape, dtype=dtype, device=device, requires_grad=requires_grad, **options)

    call.__name__, call.__doc__ = name, f"Return a Tensor of a size, apart or in one sequence: `gpugrad.{name}`."
    return means("`size` by name, and words about memory", method=False)(call)


zeros, ones, empty, rand, randn = map(_sized, ("zeros", "ones", "empty", "rand", "randn"))


@means("arguments are (size, fill_value)", method=False)
def full(size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a Tensor of a size, filled with one value."""
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    return numpys.full(
        sizes_of((size,) if isinstance(size, (tuple, list)) else (size,)), value, dtype, device, requires_grad
    )


def _like(name: str) -> Any:
    make = getattr(numpys, name, None) or getattr(randoms, name)

    def call(input: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
        return make(input, dtype=dtype, device=device).requires_grad_(requires_grad)

    call.__name__, call.__doc__ = name, f"Return `{name[:-5]}` with the size, dtype and device of another Tensor."
    return means("words about memory", method=False)(call)


for _name in ("zeros_like", "ones_like", "empty_like", "rand_like", "randn_like"):
    _like(_name)


@means("words about memory", method=False)
def full_like(
    input: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return a Tensor like another one, filled with one value."""
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    return numpys.full_like(input, value, dtype, device, requires_grad)


@means("ends are numbers or Tensors; `step` may come by name", method=False)
def arange(
    start: Any = 0,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return the numbers from `start` to `end`, without it."""
    start, end, step = (v.item() if isinstance(v, Tensor) else v for v in (start, end, step))
    start, end = (0, start) if end is None else (start, end)
    made = numpys.arange(start, end, step, dtype=dtype, device=device)
    return made.requires_grad_(requires_grad)


@means("the end belongs to it", method=False)
def range_of(start: Any = 0, end: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Return the numbers from `start` to `end`, with it."""
    start, end = (0, start) if end is None else (start, end)
    count = int((end - start) / step) + 1
    return convert.asarray(start + step * np.arange(count), default_dtype() if dtype is None else dtype, device)


@means("arguments are (start, end, steps)", method=False)
def linspace(
    start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return `steps` numbers from `start` to `end`, in equal steps."""
    return numpys.linspace(start, end, int(steps), dtype=dtype, device=device).requires_grad_(requires_grad)


@means("arguments are (start, end, steps, base)", method=False)
def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return `steps` powers of `base`, from that of `start` to that of `end`."""
    made = numpys.logspace(start, end, int(steps), base=base, dtype=dtype, device=device)
    return made.requires_grad_(requires_grad)


@means("arguments are (n, m)", method=False)
def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a matrix with ones on its diagonal."""
    return numpys.eye(n, m, dtype=dtype, device=device, requires_grad=requires_grad)


@means(method=False)
def empty_strided(
    size: Any, stride: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return a Tensor that is not initialised, in C order whatever `stride` says."""
    return empty(size, dtype=dtype, device=device, requires_grad=requires_grad)


@means(method=False)
def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """Return a Tensor on the memory of a buffer."""
    made = convert.asarray(np.frombuffer(buffer, as_dtype(dtype), count, offset))
    return made.requires_grad_(requires_grad)


def _new(name: str) -> Any:
    make = globals()[name]

    def call(self: Any, *size: Any, dtype: Any = None, device: Any = None, **more: Any) -> Tensor:
        kind = self.dtype if dtype is None else dtype
        return make(*size, dtype=kind, device=self.device if device is None else device, **more)

    call.__name__, call.__doc__ = f"new_{name}", f"Return `{name}` of a size, of this Tensor's dtype and device."
    return means(function=False)(call)


for _name in ("zeros", "ones", "empty", "full"):
    _new(_name)


@means(function=False)
def new_tensor(self: Any, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Return a Tensor with a copy of `data`, of this Tensor's dtype and device."""
    kind = self.dtype if dtype is None else dtype
    return convert.tensor(data, kind, self.device if device is None else device, requires_grad)


@means(function=False)
def new(self: Any, *args: Any, device: Any = None) -> Tensor:
    """Return a Tensor of sizes or data, of this Tensor's dtype and device, as `Tensor(...)` does."""
    return made_of(args, self.dtype, self.device if device is None else device)


def made_of(args: tuple[Any, ...], dtype: Any, device: Any) -> Tensor:
    """Return what the call of a Tensor class means: sizes are not initialised, anything else is data."""
    if all(isinstance(n, (int, np.integer)) for n in args):
        return numpys.empty(args or (0,), dtype=dtype, device=device)
    data, *more = args
    if more:
        raise ShapeError(f"Tensor: expected sizes or one sequence or array of data, got {args!r}")
    return numpys.empty(data, dtype=dtype, device=device) if type(data) is Size else convert.tensor(data, dtype, device)


@means("operands may be Tensors of any kind; one sequence, along `dim`", method=False)
def cat(tensors: Any, dim: int = 0) -> Tensor:
    """Return the Tensors joined along an axis; an empty vector is left out."""
    kept = [t for t in tensors if t.ndim != 1 or t.shape[0] or len({u.ndim for u in tensors}) == 1]
    return OPS["concatenate"](list(kept), axis=dim)


@means(method=False)
def concat(tensors: Any, dim: int = 0) -> Tensor:
    """Return the Tensors joined along an axis."""
    return cat(tensors, dim)


@means(method=False)
def concatenate(tensors: Any, dim: int = 0) -> Tensor:
    """Return the Tensors joined along an axis."""
    return cat(tensors, dim)


@means(method=False)
def stack(tensors: Any, dim: int = 0) -> Tensor:
    """Return the Tensors joined along a new axis."""
    return OPS["stack"](list(tensors), axis=dim)
