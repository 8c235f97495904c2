"""Optimizers that scale each element by the gradients it has seen, without a running mean of the gradient itself."""

from collections.abc import Iterable
from typing import Any

from .formulas import axpby, decay_scalars, effective_gradient, update_mean, update_mean_square
from .optimizer import Optimizer, count_step, options


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

    def _state_names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("sum",)

    def _initial_value(self, name: str, group: dict[str, Any]) -> float:
        return group["initial_accumulator_value"]

    def _step_scalars(self, state: dict[str, Any], group: dict[str, Any]) -> tuple:
        step = count_step(state)
        return (group["lr"] / (1 + (step - 1) * group["lr_decay"]),)

    def _functor_fields(self, group: dict[str, Any], scalars: tuple) -> tuple[float, ...]:
        return *decay_scalars(group), *scalars, group["eps"]

    def _update(
        self,
        xp: Any,
        group: dict[str, Any],
        scalars: tuple,
        param: Any,
        grad: Any,
        scratch1: Any,
        scratch2: Any,
        total: Any,
    ) -> None:
        grad = effective_gradient(xp, group, param, grad, scratch1, scratch2)
        xp.multiply(grad, grad, out=scratch1)
        xp.add(total, scratch1, out=total)
        xp.sqrt(total, out=scratch1)
        xp.add(scratch1, group["eps"], out=scratch1)
        xp.divide(grad, scratch1, out=scratch1)
        (size,) = scalars
        axpby(xp, -size, scratch1, 1, param, scratch1)


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

    def _state_names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return "square_avg", "acc_delta"

    def _functor_fields(self, group: dict[str, Any], scalars: tuple) -> tuple[float, ...]:
        return *decay_scalars(group), group["lr"], group["rho"], 1 - group["rho"], group["eps"]

    def _update(
        self,
        xp: Any,
        group: dict[str, Any],
        scalars: tuple,
        param: Any,
        grad: Any,
        scratch1: Any,
        scratch2: Any,
        square_avg: Any,
        acc_delta: Any,
    ) -> None:
        grad = effective_gradient(xp, group, param, grad, scratch1, scratch2)
        update_mean_square(xp, square_avg, grad, group["rho"], scratch1)
        xp.add(square_avg, group["eps"], out=scratch1)
        xp.sqrt(scratch1, out=scratch1)
        xp.divide(grad, scratch1, out=scratch1)
        xp.add(acc_delta, group["eps"], out=scratch2)
        xp.sqrt(scratch2, out=scratch2)
        xp.multiply(scratch1, scratch2, out=scratch1)
        update_mean_square(xp, acc_delta, scratch1, group["rho"], scratch2)
        axpby(xp, -group["lr"], scratch1, 1, param, scratch1)


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

    def _state_names(self, group: dict[str, Any]) -> tuple[str, ...]:
        momentum = ("momentum_buffer",) if group["momentum"] else ()
        return "square_avg", *momentum, *(("grad_avg",) if group["centered"] else ())

    def _functor_fields(self, group: dict[str, Any], scalars: tuple) -> tuple[float, ...]:
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
        grad = effective_gradient(xp, group, param, grad, scratch1, scratch2)
        v = state[0]
        update_mean_square(xp, v, grad, group["alpha"], scratch1)
        if group["centered"]:
            mean = state[-1]
            update_mean(xp, mean, grad, 1 - group["alpha"], scratch1)
            xp.multiply(mean, mean, out=scratch1)
            v = xp.subtract(v, scratch1, out=scratch1)
        xp.sqrt(v, out=scratch1)
        xp.add(scratch1, group["eps"], out=scratch1)
        xp.divide(grad, scratch1, out=scratch1)
        if group["momentum"]:
            axpby(xp, 1, scratch1, group["momentum"], state[1], scratch1)
            scratch1 = state[1]
        axpby(xp, -group["lr"], scratch1, 1, param, scratch2)


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

    def _state_names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return "prev", "step_size"

    def _initial_value(self, name: str, group: dict[str, Any]) -> float:
        return group["lr"] if name == "step_size" else 0

    def _functor_fields(self, group: dict[str, Any], scalars: tuple) -> tuple[float, ...]:
        return group["maximize"], *group["etas"], *group["step_sizes"]

    def _update(
        self,
        xp: Any,
        group: dict[str, Any],
        scalars: tuple,
        param: Any,
        grad: Any,
        scratch1: Any,
        scratch2: Any,
        prev: Any,
        step_size: Any,
    ) -> None:
        grad = effective_gradient(xp, group, param, grad, scratch1, scratch2)
        shrink, grow = group["etas"]
        xp.multiply(grad, prev, out=scratch1)
        turned = scratch1 < 0
        step_size *= xp.where(turned, shrink, xp.where(scratch1 > 0, grow, 1)).astype(param.dtype)
        xp.clip(step_size, *group["step_sizes"], out=step_size)
        xp.multiply(grad, ~turned, out=prev)
        xp.sign(prev, out=scratch1)
        xp.multiply(scratch1, step_size, out=scratch1)
        xp.subtract(param, scratch1, out=param)


class ASGD(Optimizer):
    """p = (1 - lambd eta) p - eta g, eta = lr / (1 + lambd lr i)^alpha at step i (Polyak and Juditsky 1992).

    The mean of all p from step t0 on is kept in state, as "ax".
    """

    _functor = "ASGD"
    _scalar_state = ("step", "eta", "mu")

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

    def _state_names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("ax",)

    def _step_scalars(self, state: dict[str, Any], group: dict[str, Any]) -> tuple:
        step = count_step(state)
        now = state.get("eta", group["lr"]), state.get("mu", 1.0)
        state["eta"] = group["lr"] / (1 + group["lambd"] * group["lr"] * step) ** group["alpha"]
        state["mu"] = 1 / max(1, step - group["t0"])
        return now

    def _functor_fields(self, group: dict[str, Any], scalars: tuple) -> tuple[float, ...]:
        eta, mu = scalars
        return *decay_scalars(group), eta, mu, 1 - group["lambd"] * eta

    def _update(
        self,
        xp: Any,
        group: dict[str, Any],
        scalars: tuple,
        param: Any,
        grad: Any,
        scratch1: Any,
        scratch2: Any,
        ax: Any,
    ) -> None:
        eta, mu = scalars
        grad = effective_gradient(xp, group, param, grad, scratch1, scratch2)
        axpby(xp, -eta, grad, 1 - group["lambd"] * eta, param, scratch1)
        if mu == 1:
            ax[...] = param
        else:
            update_mean(xp, ax, param, mu, scratch1)
