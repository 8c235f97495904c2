"""Copies: to another dtype, to other memory, to another device."""

from typing import Any

import numpy as np

from ..autograd.mode import mode
from ..autograd.op import Op, op, xp
from ..autograd.tensor import wrap
from ..backend.devices import CPU, Device
from ..backend.devices import device as find_device
from ..backend.dtypes import as_dtype

__all__ = ["astype", "clone", "copy", "transfer"]


@op(
    samples=lambda s: [
        s.case(s(3, 4), dtype="float64"), s.case(s(3, 4), dtype="int64"), s.case(s(), dtype="bool"),
        s.case(s.ints(9, 0, 3), dtype="float32"),
        s.case(s(4, 3).T, dtype="float64"),
    ],
    exact=True, dtypes="own",
)  # fmt: skip
def astype(x, *, dtype):
    """A copy of x as `dtype`. The gradient comes back in x's dtype; an integer or bool result has none."""
    return x.astype(as_dtype(dtype))


astype.vjp(x=lambda g, x_dtype: g.astype(x_dtype))


@op(samples=lambda s: [s.case(s(3, 4)), s.case(s()), s.case(s(0, 3)), s.case(s(4, 3).T)], exact=True, dtypes="own")
def copy(x):
    """The values of x in memory of their own, in C order."""
    return x.copy()


copy.vjp(x=lambda g: g)
clone = copy


class Transfer(Op):
    """An op whose result is on another device than its input. Its node keeps, as `device`, the one to go back to."""

    def _record(self, device: Device, tensors: list, arrays: list, attributes: dict, out: Any, *rest: Any) -> Any:
        target = find_device(attributes["device"])
        node = self.node(target, tensors, arrays, {"device": device}, out) if mode.grad else None
        return wrap(out, target, node)


def _transfer_cases(s: Any) -> list:
    return [s.case(s(3, 4), device="cpu"), s.case(s(0, 3), device="cpu")]


@op(samples=_transfer_cases, exact=True, dtypes="own", make=Transfer)
def transfer(x, *, device):
    """A copy of x on `device`. The gradient is moved back."""
    target = find_device(device)
    x = x.copy() if isinstance(x, np.ndarray) or target is not CPU else x.get()
    return target.asarray(x)


transfer.vjp(x=lambda g, device: xp(g).transfer(g, device=device))
