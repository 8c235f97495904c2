"""Adam and AdamW."""

import math
from collections.abc import Iterable
from typing import Any

from .optimizer import Optimizer


class Adam(Optimizer):
    """p -= lr m^ / (sqrt(v^) + eps), m and v the running means of g and g^2, ^ without their bias (Kingma and Ba 2015).

    weight_decay: adds weight_decay p to the gradient. amsgrad: the largest v so far is used (Reddi et al. 2018).
    maximize: the gradient's sign is turned. foreach and fused choose among PyTorch's implementations; here there is
    one.
    """

    decoupled = False
    _functor = "Adam"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
    ):
        if lr < 0 or eps < 0 or weight_decay < 0:
            raise ValueError(
                f"{type(self).__name__}: lr {lr}, eps {eps} and weight_decay {weight_decay} must not be negative"
            )
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"{type(self).__name__}: betas must be at least 0 and below 1, got {betas}")
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
            },
        )

    def _slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if group["amsgrad"] else ("exp_avg", "exp_avg_sq")

    def _start(self, state: dict[str, Any], group: dict[str, Any]) -> tuple:
        state["step"] = step = state.get("step", 0) + 1
        beta1, beta2 = group["betas"]
        # lr m^ / (sqrt(v^) + eps) = lr root / (1 - beta1^step) * m / (sqrt(v) + eps root), root = sqrt(1 - beta2^step)
        root = math.sqrt(1 - beta2**step)
        return group["lr"] * root / (1 - beta1**step), group["eps"] * root

    def _scalars(self, group: dict[str, Any], numbers: tuple) -> tuple[float, ...]:
        (beta1, beta2), decay = group["betas"], group["weight_decay"]
        added, shrink = (0.0, 1 - group["lr"] * decay) if self.decoupled else (decay, 1.0)
        return *numbers, 1 - beta1, beta2, 1 - beta2, added, shrink, group["amsgrad"], group["maximize"]

    def _update(
        self, ns: Any, group: dict[str, Any], numbers: tuple, p: Any, g: Any, t: Any, u: Any, *state: Any
    ) -> None:
        size, eps = numbers
        beta1, beta2 = group["betas"]
        m, v = state[:2]
        if group["maximize"]:
            g = ns.negative(g, out=u)
        if group["weight_decay"] and self.decoupled:
            ns.multiply(p, 1 - group["lr"] * group["weight_decay"], out=p)
        elif group["weight_decay"]:
            ns.multiply(p, group["weight_decay"], out=t)
            g = ns.add(g, t, out=u)
        ns.subtract(g, m, out=t)
        ns.multiply(t, 1 - beta1, out=t)
        ns.add(m, t, out=m)
        ns.multiply(g, g, out=t)
        ns.multiply(t, 1 - beta2, out=t)
        ns.multiply(v, beta2, out=v)
        ns.add(v, t, out=v)
        if group["amsgrad"]:
            v = ns.maximum(state[2], v, out=state[2])
        ns.sqrt(v, out=t)
        ns.add(t, eps, out=t)
        ns.divide(m, t, out=t)
        ns.multiply(t, size, out=t)
        ns.subtract(p, t, out=p)


class AdamW(Adam):
    """Adam whose weight_decay shrinks the parameters by lr weight_decay p instead (Loshchilov and Hutter 2019)."""

    decoupled = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
    ):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)
