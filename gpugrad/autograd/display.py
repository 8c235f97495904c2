"""What is shown of a Tensor of many elements: its corners as text, its statistics and corners in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend.devices import Device
from ..backend.dtypes import is_inexact, is_low

if TYPE_CHECKING:
    from .tensor import Tensor

MANY = 1000  # elements: above, NumPy shows the corners alone
_EDGE = 3  # elements at each end of an axis, NumPy's number


def values_text(array: Any, device: Device, prefix: str = "") -> str:
    """Return the elements as NumPy writes them; of an array of many elements only the corners come to the host."""
    if array.size > MANY:
        return _corners_text(array, device, prefix=prefix)
    return np.array2string(device.to_host(array), separator=", ", prefix=prefix)


def _corners_text(array: Any, device: Device, **how: Any) -> str:
    return np.array2string(device.to_host(_corners(array, device)), separator=", ", threshold=0, **how)


def _corners(array: Any, device: Device) -> Any:
    """Return an array whose corners are those of `array`; its axes have one element more than both ends, or fewer."""
    with device.selected():
        for axis, size in enumerate(array.shape):
            if size > 2 * _EDGE + 1:
                first, last = ((slice(None),) * axis + (part,) for part in (slice(_EDGE + 1), slice(-_EDGE, None)))
                array = device.xp.concatenate([array[first], array[last]], axis)
    return array


def html(tensor: Tensor) -> str | None:
    """Return what a notebook shows of many elements: kind, shape, dtype, device, statistics, corners. Else None."""
    array, device = tensor._array, tensor.device
    if device.depth or array.size <= MANY:
        return None
    matrix = array[(0,) * (array.ndim - 2)] if array.ndim > 2 else array
    where = f"[{', '.join('0' * (array.ndim - 2))}] =\n" if array.ndim > 2 else ""
    place = "" if tensor._node is None else f"grad_fn={tensor._node.name}"
    facts = [
        f"<b>{type(tensor).__name__}</b> {array.shape}", array.dtype.name, str(device),
        place or ("requires_grad" if tensor._requires_grad else ""), _bytes(array.nbytes),
    ]  # fmt: skip
    with device.selected():
        numbers = _statistics(array, device.xp)
    text = _corners_text(matrix, device, precision=4, max_line_width=200)
    return (
        f"<div>{' &middot; '.join(filter(None, facts))}<br>{' &middot; '.join(numbers)}"
        f'<pre style="margin: 0; font-size: 90%">{where}{text}</pre></div>'
    )


def _statistics(array: Any, xp: Any) -> list[str]:
    """Return the extremes and the mean of the finite elements, and how many are not finite, each with its name."""
    if array.dtype.kind == "b":
        return [f"{int(xp.count_nonzero(array))} of {array.size} true"]
    values, found = array.astype(np.float32) if is_low(array.dtype) else array, []
    if is_inexact(array.dtype):
        nan, infinite = int(xp.count_nonzero(xp.isnan(values))), int(xp.count_nonzero(xp.isinf(values)))
        found = [f"{count} {name}" for count, name in ((nan, "NaN"), (infinite, "infinite")) if count]
        values = values[xp.isfinite(values)] if found else values
    if not values.size:
        return found
    if values.dtype.kind == "c":
        return [f"mean {values.mean().item():.4g}", f"mean of |x| {xp.abs(values).mean().item():.4g}", *found]
    mean = values.mean(dtype=np.float64).item()
    low, high = (f"{extreme.item():.4g}" if values.dtype.kind == "f" else f"{extreme.item()}"
                 for extreme in (values.min(), values.max()))  # fmt: skip
    return [f"min {low}", f"mean {mean:.4g}", f"max {high}", *found]


def _bytes(count: float) -> str:
    """Return a number of bytes in the largest unit of which there is one."""
    units = ["TiB", "GiB", "MiB", "KiB", "B"]
    while count >= 1000 and len(units) > 1:
        count, _ = count / 1024, units.pop()
    return f"{count:.3g} {units[-1]}"
