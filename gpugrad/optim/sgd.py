"""Stochastic gradient descent, and Lion."""

from collections.abc import Iterable
from typing import Any

from ..errors import OptionError
from .formulas import axpby, decay_factor, decay_scalars, effective_gradient, update_mean
from .optimizer import Optimizer
from .options import options


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if it is asked for (Sutskever et al. 2013, "On the importance of
    initialization and momentum in deep learning", section 2).

    A step does p -= lr d with d = g + weight_decay p. With momentum it first does
    buf = momentum buf + (1 - dampening) d, which the first d enters whole, and then p -= lr buf, or with nesterov
    p -= lr (d + momentum buf).

    maximize turns the sign of the gradient. foreach and fused choose among PyTorch's implementations; here there is
    one.

    >>> x = gg.tensor([4.0], requires_grad=True)
    >>> optimizer = gg.optim.SGD([x], lr=0.25, momentum=0.5)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (x * x).sum().backward()
    ...     optimizer.step()
    >>> x.tolist()
    [0.0]
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
        super().__init__(params, options(self, locals()))

    def _check_options(self, group: dict[str, Any]) -> None:
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise OptionError(
                "SGD: nesterov needs a momentum above 0 and a dampening of 0, got "
                f"momentum={group['momentum']} and dampening={group['dampening']}"
            )

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
            (grad_weight,) = scalars
            axpby(xp, grad_weight, grad, momentum, buffer, scratch1)
            if group["nesterov"]:
                xp.multiply(buffer, momentum, out=scratch1)
                grad = xp.add(grad, scratch1, out=scratch2)
            else:
                grad = buffer
        axpby(xp, -lr, grad, 1, param, scratch1)


class Lion(Optimizer):
    """The sign of a momentum, as the step (Chen et al. 2023, "Symbolic discovery of optimization algorithms",
    algorithm 2).

    A step does p -= lr sign(beta1 m + (1 - beta1) g), then m = beta2 m + (1 - beta2) g. weight_decay multiplies p by
    1 - lr weight_decay. Its steps are larger than Adam's: the paper takes a lr 3 to 10 times smaller than AdamW's and a
    weight_decay as many times larger.

    >>> x = gg.tensor([4.0, -1.0], requires_grad=True)
    >>> optimizer = gg.optim.Lion([x], lr=0.5)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x.tolist()
    [3.5, -0.5]
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
