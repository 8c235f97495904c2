"""The elementwise formulas that optimizers share. Each works in place on one block of a parameter and its state."""

from __future__ import annotations

from typing import Any

from ..backend.cpu import blas
from ..backend.devices import CPU


def axpby(xp: Any, a: float, x: Any, b: float, y: Any, scratch: Any) -> None:
    """Set y to a x + b y, in place. `scratch` is overwritten and may be x itself."""
    if xp is CPU.xp and blas.axpby(a, x, b, y):
        return
    xp.multiply(x, a, out=scratch)
    if b != 1:
        xp.multiply(y, b, out=y)
    xp.add(y, scratch, out=y)


def update_mean(xp: Any, mean: Any, value: Any, weight: float, scratch: Any) -> None:
    """Set mean to weight value + (1 - weight) mean, in place."""
    axpby(xp, weight, value, 1 - weight, mean, scratch)


def update_mean_square(xp: Any, mean: Any, value: Any, decay: float, scratch: Any) -> None:
    """Set mean to decay mean + (1 - decay) value^2, in place."""
    xp.multiply(value, value, out=scratch)
    axpby(xp, 1 - decay, scratch, decay, mean, scratch)


def effective_gradient(xp: Any, group: dict[str, Any], param: Any, grad: Any, scratch1: Any, scratch2: Any) -> Any:
    """Return the gradient that the formula starts from: negated to maximize, and with weight_decay param added.

    The result may lie in `scratch2`; `scratch1` is free again. A decoupled weight decay is left to `decay_factor`.
    """
    maximize, decay, _ = decay_scalars(group)
    if maximize:
        grad = xp.negative(grad, out=scratch2)
    if decay:
        xp.multiply(param, decay, out=scratch1)
        grad = xp.add(grad, scratch1, out=scratch2)
    return grad


def decay_factor(group: dict[str, Any]) -> float:
    """Return 1 - lr weight_decay, by which a decoupled weight decay multiplies the parameter; 1 without one."""
    return decay_scalars(group)[2]


def decay_scalars(group: dict[str, Any]) -> tuple[bool, float, float]:
    """Return the fields that most functors begin with: maximize, the weight decay that is added to the gradient, and
    the factor by which a decoupled weight decay multiplies the parameter."""
    decay, decoupled = group.get("weight_decay", 0), group.get("decoupled_weight_decay")
    return group["maximize"], 0.0 if decoupled else decay, 1 - group["lr"] * decay if decoupled else 1.0
