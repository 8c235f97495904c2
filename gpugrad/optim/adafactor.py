"""Adafactor: the means of squared gradients of a matrix kept as one column and one row."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..autograd.tensor import Tensor, wrap
from ..autograd.versions import changed
from ..backend.dtypes import finfo, float32, is_low
from .optimizer import PerParameterOptimizer, count_step, options


class Adafactor(PerParameterOptimizer):
    """p -= a u / max(1, rms(u) / d), u = g / sqrt(v), a = max(eps[1], rms(p)) min(lr, 1 / sqrt(i)) at step i
    (Shazeer and Stern 2018).

    v is the running mean of g^2 with the share i^beta2_decay of the new one; of a matrix only its means along each of
    the last two axes are kept, and v is their product. eps[0]: the least sqrt(v), of the dtype unless given.
    weight_decay shrinks p by lr weight_decay p. foreach chooses among PyTorch's implementations; here there is one.
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
        if beta2_decay > 0 or d < 1:
            raise ValueError(f"Adafactor: beta2_decay must not be positive and d at least 1, got {beta2_decay}, {d}")
        super().__init__(params, options(self, locals()))

    def _state_shape(self, name: str, parameter: Tensor) -> tuple[int, ...]:
        shape = parameter.shape
        if name == "row_var":
            return (*shape[:-1], 1)
        return (*shape[:-2], 1, shape[-1]) if name == "col_var" else shape

    def _update_parameter(self, group: dict[str, Any], parameter: Tensor, state: dict[str, Any]) -> None:
        xp, array = parameter.device.xp, parameter._array
        low = is_low(array.dtype)
        p, g = (a.astype(float32) if low else a for a in (array, parameter.grad._array))  # pyright: ignore
        step = count_step(state)
        least, scale = group["eps"]
        least = finfo(array.dtype).eps if least is None else least
        size = xp.maximum(_rms(xp, p), scale) * min(group["lr"], 1 / math.sqrt(step))
        if group["weight_decay"]:
            p = p * (1 - group["lr"] * group["weight_decay"])
        v = self._second_moment(xp, parameter, g, state, step ** group["beta2_decay"], least)
        update = g / xp.sqrt(xp.maximum(v, least * least))
        update *= size / xp.maximum(_rms(xp, update) / group["d"], 1)
        array[...] = p + update if group["maximize"] else p - update
        changed(array, "Adafactor.step")

    def _second_moment(
        self, xp: Any, parameter: Tensor, g: Any, state: dict[str, Any], new: float, least: float
    ) -> Any:
        """The estimate of the mean of g^2, after the new one has entered with the share `new`."""

        def mean(name: str, value: Any) -> Any:
            if name not in state:
                state[name] = wrap(xp.zeros_like(value, dtype=parameter.dtype), parameter.device, None)
            kept = state[name]._array
            kept[...] = kept + (value - kept) * new
            return kept

        squares = g * g
        if g.ndim < 2:
            return mean("variance", squares)
        rows = mean("row_var", squares.mean(axis=-1, keepdims=True))
        columns = mean("col_var", squares.mean(axis=-2, keepdims=True))
        return rows * columns / xp.maximum(rows.mean(axis=-2, keepdims=True), least)


def _rms(xp: Any, array: Any) -> Any:
    """The root of the mean square, on the device."""
    return xp.sqrt((array * array).sum() / max(array.size, 1))
