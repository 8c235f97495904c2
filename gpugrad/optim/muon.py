"""Muon, whose step is the momentum of a matrix, made nearly orthogonal."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..autograd.tensor import Tensor, wrap
from ..autograd.versions import changed
from ..backend.dtypes import float32, is_low
from ..errors import OptionError, ShapeError
from ..ops.norm import p_norm
from .optimizer import PerParameterOptimizer
from .options import options


class Muon(PerParameterOptimizer):
    """The momentum of a matrix, made nearly orthogonal, as the step (Jordan et al. 2024, "Muon: an optimizer for hidden
    layers in neural networks"). It is for matrices; give the other parameters of a network to AdamW.

    A step does m = momentum m + (1 - momentum) g, then p = (1 - lr weight_decay) p - lr s O(d). d is m, or with
    nesterov momentum m + (1 - momentum) g. If d = U S V^T, O(d) is about U V^T: all singular values are brought near 1.
    See `orthogonalized` for ns_coefficients, ns_steps and eps.

    s makes up for the shape (A, B). adjust_lr_fn chooses it: for None and "original", it is sqrt(max(1, A / B)). For
    "match_rms_adamw", it is 0.2 sqrt(max(A, B)), with which the lr and weight_decay of AdamW can be kept (Liu et al.
    2025, "Muon is scalable for LLM training", section 2.2).

    PyTorch computes O in bfloat16, whose rounding moves its elements by about a percent. Here it is computed in the
    parameter's dtype, and in float32 for 16-bit parameters: NumPy has no BLAS for bfloat16, and a device with such
    products would take other steps than the CPU. Raises ShapeError for a parameter that is not a matrix.

    >>> x = gg.tensor([[4.0, 0.0], [0.0, -1.0]], requires_grad=True)
    >>> optimizer = gg.optim.Muon([x], lr=0.5, weight_decay=0.0)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> [[round(value, 1) for value in row] for row in x.tolist()]
    [[3.6, 0.0], [0.0, -0.6]]
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
        super().__init__(params, options(self, locals()))

    def _check_options(self, group: dict[str, Any]) -> None:
        adjust, coefficients, steps = group["adjust_lr_fn"], group["ns_coefficients"], group["ns_steps"]
        if adjust not in (None, "original", "match_rms_adamw"):
            raise OptionError(f"Muon: adjust_lr_fn must be None, 'original' or 'match_rms_adamw', got {adjust!r}")
        if len(coefficients) != 3 or steps >= 100:
            raise OptionError(
                f"Muon: expected 3 ns_coefficients and fewer than 100 ns_steps, got {coefficients} and {steps}"
            )

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimize more matrices too, with the options that the dict holds besides "params"."""
        super().add_param_group(param_group)
        for parameter in self.param_groups[-1]["params"]:
            if parameter.ndim != 2:
                del self.param_groups[-1]
                raise ShapeError(f"Muon: a parameter must be a matrix, got one of shape {parameter.shape}")

    def _update_parameter(self, group: dict[str, Any], parameter: Tensor, state: dict[str, Any]) -> None:
        xp, array = parameter.device.xp, parameter._array
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = wrap(xp.zeros_like(array), parameter.device, None)
        buffer = state["momentum_buffer"]._array
        low = is_low(array.dtype)
        p, g, mean = (a.astype(float32) if low else a for a in (array, parameter._grad._array, buffer))  # pyright: ignore
        lr, weight = float(group["lr"]), 1 - group["momentum"]
        buffer[...] = mean = mean + (g - mean) * weight
        direction = mean + (g - mean) * weight if group["nesterov"] else mean
        update = orthogonalized(xp, direction, group["ns_coefficients"], group["ns_steps"], group["eps"])
        update *= lr * _shape_factor(group["adjust_lr_fn"], *parameter.shape)
        array[...] = p * (1 - lr * group["weight_decay"]) - update
        changed(array, "Muon.step")


def _shape_factor(adjust: str | None, rows: int, columns: int) -> float:
    """Return the factor of lr for a matrix of this shape."""
    if adjust == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1, rows / max(columns, 1)))


def orthogonalized(xp: Any, matrix: Any, coefficients: tuple[float, float, float], steps: int, eps: float) -> Any:
    """Return U f(S) V^T of a matrix U S V^T, where f brings the singular values near 1.

    X starts as matrix / |matrix|, and `steps` times X becomes a X + b (X X^T) X + c (X X^T)^2 X. This is the iteration
    of Newton and Schulz with an odd polynomial of degree 5, whose steep start brings even small singular values to
    about 1 in a few steps; Muon's coefficients leave them between 0.7 and 1.2. |matrix| is the Frobenius norm, or eps
    if that is larger.
    """
    a, b, c = coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / xp.maximum(p_norm(x), eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if tall else x
