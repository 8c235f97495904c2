"""Stochastic gradient descent, and Lion."""

from collections.abc import Iterable
from typing import Any

from .optimizer import Optimizer, blend, decay_scalars, gradient, move, options, shrunk


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

    def _slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("momentum_buffer",) if group["momentum"] else ()

    def _start(self, state: dict[str, Any], group: dict[str, Any]) -> tuple:
        # The first gradient enters the buffer whole, whatever the dampening.
        first = state.get("momentum_buffer") is None
        if first:
            state.pop("momentum_buffer", None)
        return (1.0 if first else 1 - group["dampening"],)

    def _scalars(self, group: dict[str, Any], numbers: tuple) -> tuple[float, ...]:
        return group["lr"], group["momentum"], group["weight_decay"], *numbers, group["nesterov"], group["maximize"]

    def _update(
        self, ns: Any, group: dict[str, Any], numbers: tuple, p: Any, g: Any, t: Any, u: Any, *state: Any
    ) -> None:
        lr, momentum = group["lr"], group["momentum"]
        g = gradient(ns, group, p, g, t, u)
        if momentum:
            buffer = state[0]
            (share,) = numbers
            blend(ns, buffer, momentum, g, share, t)
            if group["nesterov"]:
                ns.multiply(buffer, momentum, out=t)
                g = ns.add(g, t, out=u)
            else:
                g = buffer
        blend(ns, p, 1, g, -lr, t)


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

    def _slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg",)

    def _scalars(self, group: dict[str, Any], numbers: tuple) -> tuple[float, ...]:
        beta1, beta2 = group["betas"]
        return *decay_scalars(group), group["lr"], 1 - beta1, 1 - beta2

    def _update(self, ns: Any, group: dict[str, Any], numbers: tuple, p: Any, g: Any, t: Any, u: Any, m: Any) -> None:
        g = gradient(ns, group, p, g, t, u)
        beta1, beta2 = group["betas"]
        ns.subtract(g, m, out=t)
        ns.multiply(t, 1 - beta1, out=t)
        ns.add(m, t, out=t)
        ns.sign(t, out=t)
        blend(ns, p, shrunk(group), t, -group["lr"], t)
        move(ns, m, g, 1 - beta2, t)
