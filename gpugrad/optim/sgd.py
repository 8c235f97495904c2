"""Stochastic gradient descent."""

from collections.abc import Iterable
from typing import Any

from .optimizer import Optimizer


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
        fused: bool | None = None,
    ):
        if lr < 0 or momentum < 0 or weight_decay < 0:
            raise ValueError(f"SGD: lr {lr}, momentum {momentum} and weight_decay {weight_decay} must not be negative")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("SGD: nesterov needs a momentum and no dampening")
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
            },
        )

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
        lr, momentum, decay = group["lr"], group["momentum"], group["weight_decay"]
        if group["maximize"]:
            g = ns.negative(g, out=u)
        if decay:
            ns.multiply(p, decay, out=t)
            g = ns.add(g, t, out=u)
        if momentum:
            buffer = state[0]
            ns.multiply(buffer, momentum, out=buffer)
            (share,) = numbers
            ns.add(buffer, g if share == 1 else ns.multiply(g, share, out=t), out=buffer)
            if group["nesterov"]:
                ns.multiply(buffer, momentum, out=t)
                g = ns.add(g, t, out=u)
            else:
                g = buffer
        ns.multiply(g, lr, out=t)
        ns.subtract(p, t, out=p)
