"""Optimizers that scale each element by the gradients it has seen, without a running mean of the gradient itself."""

from collections.abc import Iterable
from typing import Any

from .optimizer import Optimizer, blend, count_step, decay_scalars, gradient, move, move_squared, options


class Adagrad(Optimizer):
    """p -= lr_i g / (sqrt(sum of g^2) + eps), lr_i = lr / (1 + (i - 1) lr_decay) at step i (Duchi et al. 2011)."""

    _functor = "Adagrad"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        super().__init__(params, options(self, locals()))

    def _slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("sum",)

    def _initial(self, name: str, group: dict[str, Any]) -> float:
        return group["initial_accumulator_value"]

    def _start(self, state: dict[str, Any], group: dict[str, Any]) -> tuple:
        step = count_step(state)
        return (group["lr"] / (1 + (step - 1) * group["lr_decay"]),)

    def _scalars(self, group: dict[str, Any], numbers: tuple) -> tuple[float, ...]:
        return *decay_scalars(group), *numbers, group["eps"]

    def _update(
        self, ns: Any, group: dict[str, Any], numbers: tuple, p: Any, g: Any, t: Any, u: Any, total: Any
    ) -> None:
        g = gradient(ns, group, p, g, t, u)
        ns.multiply(g, g, out=t)
        ns.add(total, t, out=total)
        ns.sqrt(total, out=t)
        ns.add(t, group["eps"], out=t)
        ns.divide(g, t, out=t)
        (size,) = numbers
        blend(ns, p, 1, t, -size, t)


class Adadelta(Optimizer):
    """p -= lr d, d = g sqrt(a + eps) / sqrt(v + eps), a and v the running means of d^2 and g^2 (Zeiler 2012)."""

    _functor = "Adadelta"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        if not 0 <= rho <= 1:
            raise ValueError(f"Adadelta: rho must be between 0 and 1, got {rho}")
        super().__init__(params, options(self, locals()))

    def _slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        return "square_avg", "acc_delta"

    def _scalars(self, group: dict[str, Any], numbers: tuple) -> tuple[float, ...]:
        return *decay_scalars(group), group["lr"], group["rho"], 1 - group["rho"], group["eps"]

    def _update(
        self, ns: Any, group: dict[str, Any], numbers: tuple, p: Any, g: Any, t: Any, u: Any, v: Any, a: Any
    ) -> None:
        g = gradient(ns, group, p, g, t, u)
        move_squared(ns, v, g, group["rho"], t)
        ns.add(v, group["eps"], out=t)
        ns.sqrt(t, out=t)
        ns.divide(g, t, out=t)
        ns.add(a, group["eps"], out=u)
        ns.sqrt(u, out=u)
        ns.multiply(t, u, out=t)
        move_squared(ns, a, t, group["rho"], u)
        blend(ns, p, 1, t, -group["lr"], t)


class RMSprop(Optimizer):
    """p -= lr g / (sqrt(v) + eps), v the running mean of g^2 with the share alpha kept (Hinton 2012, lecture 6e).

    centered: the variance is used, v minus the square of the running mean of g (Graves 2013). momentum: the step goes
    into a buffer, buf = momentum buf + g / (...), and p -= lr buf.
    """

    _functor = "RMSprop"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        super().__init__(params, options(self, locals()))

    def _slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        momentum = ("momentum_buffer",) if group["momentum"] else ()
        return "square_avg", *momentum, *(("grad_avg",) if group["centered"] else ())

    def _scalars(self, group: dict[str, Any], numbers: tuple) -> tuple[float, ...]:
        new = 1 - group["alpha"]
        return (
            *decay_scalars(group),
            group["lr"],
            group["alpha"],
            new,
            group["eps"],
            group["momentum"],
            group["centered"],
        )

    def _update(
        self, ns: Any, group: dict[str, Any], numbers: tuple, p: Any, g: Any, t: Any, u: Any, *state: Any
    ) -> None:
        g = gradient(ns, group, p, g, t, u)
        v = state[0]
        move_squared(ns, v, g, group["alpha"], t)
        if group["centered"]:
            mean = state[-1]
            move(ns, mean, g, 1 - group["alpha"], t)
            ns.multiply(mean, mean, out=t)
            v = ns.subtract(v, t, out=t)
        ns.sqrt(v, out=t)
        ns.add(t, group["eps"], out=t)
        ns.divide(g, t, out=t)
        if group["momentum"]:
            blend(ns, state[1], group["momentum"], t, 1, t)
            t = state[1]
        blend(ns, p, 1, t, -group["lr"], u)


class Rprop(Optimizer):
    """p -= sign(g) s: the step s of an element grows by etas[1] while its gradient keeps its sign, shrinks by etas[0]
    when the sign turns, and p then waits for one step (Riedmiller and Braun 1993). For gradients of all data.

    lr: the first s. step_sizes: the bounds of s.
    """

    _functor = "Rprop"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        if not 0 < etas[0] < 1 < etas[1]:
            raise ValueError(f"Rprop: etas must be a number below 1 and one above, got {etas}")
        super().__init__(params, options(self, locals()))

    def _slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        return "prev", "step_size"

    def _initial(self, name: str, group: dict[str, Any]) -> float:
        return group["lr"] if name == "step_size" else 0

    def _scalars(self, group: dict[str, Any], numbers: tuple) -> tuple[float, ...]:
        return group["maximize"], *group["etas"], *group["step_sizes"]

    def _update(
        self, ns: Any, group: dict[str, Any], numbers: tuple, p: Any, g: Any, t: Any, u: Any, prev: Any, size: Any
    ) -> None:
        g = gradient(ns, group, p, g, t, u)
        shrink, grow = group["etas"]
        ns.multiply(g, prev, out=t)
        turned = t < 0
        size *= ns.where(turned, shrink, ns.where(t > 0, grow, 1)).astype(p.dtype)
        ns.clip(size, *group["step_sizes"], out=size)
        ns.multiply(g, ~turned, out=prev)
        ns.sign(prev, out=t)
        ns.multiply(t, size, out=t)
        ns.subtract(p, t, out=p)


class ASGD(Optimizer):
    """p = (1 - lambd eta) p - eta g, eta = lr / (1 + lambd lr i)^alpha at step i (Polyak and Juditsky 1992).

    The mean of all p from step t0 on is kept in state, as "ax".
    """

    _functor = "ASGD"
    _numbers = ("step", "eta", "mu")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ):
        super().__init__(params, options(self, locals()))

    def _slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("ax",)

    def _start(self, state: dict[str, Any], group: dict[str, Any]) -> tuple:
        step = count_step(state)
        now = state.get("eta", group["lr"]), state.get("mu", 1.0)
        state["eta"] = group["lr"] / (1 + group["lambd"] * group["lr"] * step) ** group["alpha"]
        state["mu"] = 1 / max(1, step - group["t0"])
        return now

    def _scalars(self, group: dict[str, Any], numbers: tuple) -> tuple[float, ...]:
        eta, mu = numbers
        return *decay_scalars(group), eta, mu, 1 - group["lambd"] * eta

    def _update(
        self, ns: Any, group: dict[str, Any], numbers: tuple, p: Any, g: Any, t: Any, u: Any, mean: Any
    ) -> None:
        eta, mu = numbers
        g = gradient(ns, group, p, g, t, u)
        blend(ns, p, 1 - group["lambd"] * eta, g, -eta, t)
        if mu == 1:
            mean[...] = p
        else:
            move(ns, mean, p, mu, t)
