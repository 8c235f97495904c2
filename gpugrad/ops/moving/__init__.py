"""Copies: to another dtype, to other memory, to another device."""

from typing import Any

import numpy as np

from ...autograd.mode import mode
from ...autograd.op import Many, Op, op, xp
from ...autograd.place import place
from ...autograd.tensor import Tensor, wrap
from ...backend.cpu.loops.conversions import converted
from ...backend.devices import CPU, device_of
from ...backend.devices import device as find_device
from ...backend.dtypes import as_dtype

__all__ = ["astype", "clone", "copy"]


@op(
    samples=lambda s: [
        s.case(s(3, 4), dtype="float64"), s.case(s(3, 4), dtype="int64"), s.case(s(), dtype="bool"),
        s.case(s.ints(9, 0, 3), dtype="float32"),
        s.case(s(4, 3).T, dtype="float64"),
    ],
    exact=True, dtypes="own",
    complex=True,
)  # fmt: skip
def astype(x, *, dtype):
    """Return a copy of x as `dtype`; of complex numbers the real part, unless that is complex too.

    The gradient comes back in x's dtype; an integer or bool result has none.

    >>> gg.astype(gg.tensor([1.5, 2.5]), dtype="int64")
    tensor([1, 2])
    """
    dtype = as_dtype(dtype)
    return converted(_part(x, dtype), dtype)


def _part(x: Any, dtype: np.dtype) -> Any:
    """Return what becomes `dtype` of x: of complex numbers the real part, unless that is complex or bool."""
    return x.real if x.dtype.kind == "c" and dtype.kind not in "cb" else x


astype.vjp(x=lambda g, x_dtype: _part(g, x_dtype).astype(x_dtype))


@op(
    samples=lambda s: [
        s.case([s(3, 4), s(2), s(0, 3), s()], dtype="float64"), s.case([s(4, 3).T], dtype="float64"),
    ],
    exact=True, dtypes="own",
)  # fmt: skip
def cast_all(arrays: Many, *, dtype):
    """Return copies of all arrays as `dtype`; on a cuda device one launch makes them.

    >>> from gpugrad.ops.moving import cast_all
    >>> cast_all([gg.ones(2), gg.zeros(1)], dtype="float64")[1]
    tensor([0.], dtype=float64)
    """
    return tuple([converted(x, as_dtype(dtype)) for x in arrays])


cast_all.vjp(arrays=lambda g, i, arrays_dtype: g[i].astype(arrays_dtype[i]))


@op(
    samples=lambda s: [s.case(s(3, 4)), s.case(s()), s.case(s(0, 3)), s.case(s(4, 3).T)],
    exact=True,
    dtypes="own",
    complex=True,
)
def copy(x):
    """Return the values of x in memory of their own, in C order.

    >>> x = gg.ones(2)
    >>> y = gg.copy(x)
    >>> y[0] = 5
    >>> x
    tensor([1., 1.])
    """
    return x.copy()


copy.vjp(x=lambda g: g)
clone = copy


class Transfer(Op):
    """Moves its input to another device. The node of a call keeps, as `device`, the one to which the gradient goes
    back.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
        inputs, attributes = self.signature.bind(args, kwargs)
        here, tensors, arrays = place(self, inputs)
        target = find_device(attributes["device"])
        with here.selected():
            out = self.forward(*arrays, **attributes)
        node = self.record(target, tensors, arrays, {**attributes, "device": here}, out) if mode.grad else None
        return wrap(out, target, node, tensors[0]._language)


def _transfer_cases(s: Any) -> list:
    return [s.case(s(3, 4), device="cpu"), s.case(s(0, 3), device="cpu", non_blocking=True)]


@op(samples=_transfer_cases, exact=True, dtypes="own", make=Transfer, complex=True)
def transfer(x, *, device, non_blocking=False):
    """Return a copy of x on `device`. The gradient is moved back.

    non_blocking: a copy to the host does not wait for the values; synchronize the device before reading them.
    """
    target, here = find_device(device), device_of(x)
    if target is CPU and here is not CPU:
        return here.to_host(x, blocking=not non_blocking)
    return target.asarray(x.copy() if target is here else x)


transfer.vjp(x=lambda g, device: xp(g).transfer(g, device=device))
