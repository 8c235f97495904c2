"""Stochastic gradient descent, and Lion."""

from collections.abc import Iterable
from typing import Any

from .formulas import axpby, decay_factor, decay_scalars, effective_gradient, update_mean
from .optimizer import Optimizer, options


class SGD(Optimizer):
    """p -= lr * d, with d = g + weight_decay p and, with momentum, d = buf = momentum buf + (1 - dampening) d.

    nesterov: d = d + momentum buf instead (Sutskever et al. 2013). maximize: the gradient's sign is
    turned. foreach and fused choose among PyTorch's implementations; here there is one.
    """

    _functor = "SGD"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("SGD: nesterov needs a momentum and no dampening")
        super().__init__(params, options(self, locals()))

    def _state_names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("momentum_buffer",) if group["momentum"] else ()

    def _step_scalars(self, state: dict[str, Any], group: dict[str, Any]) -> tuple:
        # The first gradient enters the buffer whole, whatever the dampening.
        first = state.get("momentum_buffer") is None
        if first:
            state.pop("momentum_buffer", None)
        return (1.0 if first else 1 - group["dampening"],)

    def _functor_fields(self, group: dict[str, Any], scalars: tuple) -> tuple[float, ...]:
        return group["lr"], group["momentum"], group["weight_decay"], *scalars, group["nesterov"], group["maximize"]

    def _update(
        self,
        xp: Any,
        group: dict[str, Any],
        scalars: tuple,
        param: Any,
        grad: Any,
        scratch1: Any,
        scratch2: Any,
        *state: Any,
    ) -> None:
        lr, momentum = group["lr"], group["momentum"]
        grad = effective_gradient(xp, group, param, grad, scratch1, scratch2)
        if momentum:
            buffer = state[0]
            (share,) = scalars
            axpby(xp, share, grad, momentum, buffer, scratch1)
            if group["nesterov"]:
                xp.multiply(buffer, momentum, out=scratch1)
                grad = xp.add(grad, scratch1, out=scratch2)
            else:
                grad = buffer
        axpby(xp, -lr, grad, 1, param, scratch1)


class Lion(Optimizer):
    """p -= lr sign(beta1 m + (1 - beta1) g), then m = beta2 m + (1 - beta2) g (Chen et al. 2023).

    weight_decay shrinks p by lr weight_decay p. Steps are larger than Adam's: take a third to a tenth of Adam's lr, and
    as much more weight_decay.
    """

    _functor = "Lion"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
    ):
        super().__init__(params, {**options(self, locals()), "decoupled_weight_decay": True})

    def _state_names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg",)

    def _functor_fields(self, group: dict[str, Any], scalars: tuple) -> tuple[float, ...]:
        beta1, beta2 = group["betas"]
        return *decay_scalars(group), group["lr"], 1 - beta1, 1 - beta2

    def _update(
        self,
        xp: Any,
        group: dict[str, Any],
        scalars: tuple,
        param: Any,
        grad: Any,
        scratch1: Any,
        scratch2: Any,
        exp_avg: Any,
    ) -> None:
        grad = effective_gradient(xp, group, param, grad, scratch1, scratch2)
        beta1, beta2 = group["betas"]
        xp.subtract(grad, exp_avg, out=scratch1)
        xp.multiply(scratch1, 1 - beta1, out=scratch1)
        xp.add(exp_avg, scratch1, out=scratch1)
        xp.sign(scratch1, out=scratch1)
        axpby(xp, -group["lr"], scratch1, decay_factor(group), param, scratch1)
        update_mean(xp, exp_avg, grad, 1 - beta2, scratch1)
