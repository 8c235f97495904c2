"""Adafactor, which keeps the mean squared gradients of a matrix as one column and one row."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..autograd.tensor import Tensor, wrap
from ..autograd.versions import changed
from ..backend.dtypes import finfo, float32, is_low
from ..errors import OptionError
from .optimizer import PerParameterOptimizer, count_step
from .options import options


class Adafactor(PerParameterOptimizer):
    """Adam's second moment for the memory of a row and a column (Shazeer and Stern 2018, "Adafactor: adaptive learning
    rates with sublinear memory cost", algorithms 4 and 5).

    Step i does p -= a u / max(1, rms(u) / d) with u = g / sqrt(v) and a = max(eps[1], rms(p)) min(lr, 1 / sqrt(i)).
    v is the running mean of g^2, which the new g^2 enters with the weight i^beta2_decay. Of a matrix, only the means of
    v along each of the last two axes are kept, and v is their product.

    eps[0] is the least sqrt(v), by default the epsilon of the dtype. weight_decay multiplies p by 1 - lr weight_decay.
    foreach chooses among PyTorch's implementations; here there is one.

    >>> x = gg.tensor([4.0, -1.0], requires_grad=True)
    >>> optimizer = gg.optim.Adafactor([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> [round(value, 4) for value in x.tolist()]
    [3.7085, -0.7085]
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ):
        super().__init__(params, options(self, locals()))

    def _check_options(self, group: dict[str, Any]) -> None:
        beta2_decay, d = group["beta2_decay"], group["d"]
        if beta2_decay > 0 or d < 1:
            raise OptionError(f"Adafactor: beta2_decay must not be positive and d at least 1, got {beta2_decay}, {d}")

    def _state_shape(self, name: str, parameter: Tensor) -> tuple[int, ...]:
        shape = parameter.shape
        if name == "row_var":
            return (*shape[:-1], 1)
        return (*shape[:-2], 1, shape[-1]) if name == "col_var" else shape

    def _update_parameter(self, group: dict[str, Any], parameter: Tensor, state: dict[str, Any]) -> None:
        xp, array = parameter.device.xp, parameter._array
        low = is_low(array.dtype)
        p, g = (a.astype(float32) if low else a for a in (array, parameter._grad._array))  # pyright: ignore
        step, lr = count_step(state), float(group["lr"])
        min_root, min_rms = group["eps"]
        min_root = finfo(array.dtype).eps if min_root is None else min_root
        size = xp.maximum(_rms(xp, p), min_rms) * min(lr, 1 / math.sqrt(step))
        if group["weight_decay"]:
            p = p * (1 - lr * group["weight_decay"])
        v = self._second_moment(xp, parameter, g, state, step ** group["beta2_decay"], min_root)
        update = g / xp.sqrt(xp.maximum(v, min_root * min_root))
        update *= size / xp.maximum(_rms(xp, update) / group["d"], 1)
        array[...] = p + update if group["maximize"] else p - update
        changed(array, "Adafactor.step")

    def _second_moment(
        self, xp: Any, parameter: Tensor, g: Any, state: dict[str, Any], weight: float, minimum: float
    ) -> Any:
        """Return the running mean of g^2, which the new g^2 has entered with this weight."""

        def updated_mean(name: str, value: Any) -> Any:
            if name not in state:
                state[name] = wrap(xp.zeros_like(value, dtype=parameter.dtype), parameter.device, None)
            mean = state[name]._array
            mean[...] = mean + (value - mean) * weight
            return mean

        squares = g * g
        if g.ndim < 2:
            return updated_mean("variance", squares)
        rows = updated_mean("row_var", squares.mean(axis=-1, keepdims=True))
        columns = updated_mean("col_var", squares.mean(axis=-2, keepdims=True))
        return rows * columns / xp.maximum(rows.mean(axis=-2, keepdims=True), minimum)


def _rms(xp: Any, array: Any) -> Any:
    """Return the root of the mean square, as an array on the device."""
    return xp.sqrt((array * array).sum() / max(array.size, 1))
