"""Muon: the momentum of a matrix, made nearly orthogonal, as the step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..autograd.tensor import Tensor, wrap
from ..autograd.versions import changed
from ..backend.dtypes import float32, is_low
from ..errors import ShapeError
from .optimizer import PerParameterOptimizer, options


class Muon(PerParameterOptimizer):
    """p = (1 - lr weight_decay) p - lr s O(d), with m = momentum m + (1 - momentum) g, and d = m or, with nesterov,
    d = momentum m + (1 - momentum) g (Jordan et al. 2024). For matrices; give the rest of a network to AdamW.

    O(d) is about U V^T where d = U S V^T: all singular values are brought near 1 (see `orthogonalized`, which has
    ns_coefficients, ns_steps and eps). s evens out the shapes (A, B) by adjust_lr_fn: None and "original" are
    sqrt(max(1, A / B)); with "match_rms_adamw", 0.2 sqrt(max(A, B)), AdamW's lr and weight_decay can be kept
    (Liu et al. 2025).

    PyTorch computes O in bfloat16, whose rounding moves its elements by about a percent. Here it is computed in the
    parameter's dtype, and in float32 for 16-bit parameters: NumPy has no BLAS for bfloat16, and a device that has
    such products would take other steps than the CPU. Raises ShapeError for a parameter that is not a matrix.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ):
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Muon: adjust_lr_fn must be None, 'original' or 'match_rms_adamw', got {adjust_lr_fn!r}")
        if len(ns_coefficients) != 3 or ns_steps >= 100:
            raise ValueError(
                f"Muon: expected 3 ns_coefficients and fewer than 100 ns_steps, got {ns_coefficients} and {ns_steps}"
            )
        super().__init__(params, options(self, locals()))

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimize more matrices, with options of their own."""
        super().add_param_group(param_group)
        for parameter in self.param_groups[-1]["params"]:
            if parameter.ndim != 2:
                del self.param_groups[-1]
                raise ShapeError(f"Muon: a parameter must be a matrix, got one of shape {parameter.shape}")

    def _update_parameter(self, group: dict[str, Any], parameter: Tensor, state: dict[str, Any]) -> None:
        xp, array = parameter.device.xp, parameter._array
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = wrap(xp.zeros_like(array), parameter.device, None)
        kept = state["momentum_buffer"]._array
        low = is_low(array.dtype)
        p, g, mean = (a.astype(float32) if low else a for a in (array, parameter.grad._array, kept))  # pyright: ignore
        lr, new = group["lr"], 1 - group["momentum"]
        kept[...] = mean = mean + (g - mean) * new
        direction = mean + (g - mean) * new if group["nesterov"] else mean
        update = orthogonalized(xp, direction, group["ns_coefficients"], group["ns_steps"], group["eps"])
        update *= lr * _factor(group["adjust_lr_fn"], *parameter.shape)
        array[...] = p * (1 - lr * group["weight_decay"]) - update
        changed(array, "Muon.step")


def _factor(adjust: str | None, rows: int, columns: int) -> float:
    """What lr is multiplied by for a matrix of this shape."""
    if adjust == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1, rows / max(columns, 1)))


def orthogonalized(xp: Any, matrix: Any, coefficients: tuple[float, float, float], steps: int, eps: float) -> Any:
    """U f(S) V^T of a matrix U S V^T: `steps` times X = a X + b (X X^T) X + c (X X^T)^2 X, from X = matrix / |matrix|.

    The iteration of Newton and Schulz with an odd polynomial of degree 5, whose steep start brings even small singular
    values to about 1 in a few steps; Muon's coefficients leave them between 0.7 and 1.2. eps: the least |matrix|, which
    is the Frobenius norm.
    """
    a, b, c = coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / xp.maximum(xp.sqrt((x * x).sum()), eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if tall else x
