"""Optimizers that scale the step of each element by its past gradients, or average the parameters."""

from collections.abc import Iterable
from typing import Any

from ..errors import OptionError
from .formulas import axpby, decay_scalars, effective_gradient, update_mean, update_mean_square
from .optimizer import Optimizer, count_step
from .options import options


class Adagrad(Optimizer):
    """Each element's step is divided by the root of the sum of its squared gradients (Duchi et al. 2011, "Adaptive
    subgradient methods for online learning and stochastic optimization", section 1.1).

    Step i does p -= lr_i g / (sqrt(sum of g^2) + eps) with lr_i = lr / (1 + (i - 1) lr_decay).

    >>> x = gg.tensor([4.0, -1.0], requires_grad=True)
    >>> optimizer = gg.optim.Adagrad([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> [round(value, 4) for value in x.tolist()]
    [3.9, -0.9]
    """

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
    """Steps in the units of the parameter, from the sizes of past steps and gradients (Zeiler 2012, "Adadelta: an
    adaptive learning rate method", algorithm 1).

    A step does p -= lr d with d = g sqrt(a + eps) / sqrt(v + eps). a and v are the running means of d^2 and g^2 with
    the decay rho.

    >>> x = gg.tensor([4.0, -1.0], requires_grad=True)
    >>> optimizer = gg.optim.Adadelta([x], eps=0.25)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> [round(value, 4) for value in x.tolist()]
    [2.4489, 0.2403]
    """

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
        super().__init__(params, options(self, locals()))

    def _check_options(self, group: dict[str, Any]) -> None:
        if not 0 <= group["rho"] <= 1:
            raise OptionError(f"Adadelta: rho must be between 0 and 1, got {group['rho']}")

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
    """The gradient divided by the root of its mean square (Hinton 2012, "Neural networks for machine learning", lecture
    6e).

    A step does p -= lr g / (sqrt(v) + eps). v is the running mean of g^2 with the decay alpha; centered subtracts the
    square of the running mean of g from it (Graves 2013, "Generating sequences with recurrent neural networks",
    equations 38 to 45). With momentum, a step does buf = momentum buf + g / (sqrt(v) + eps) and p -= lr buf.

    >>> x = gg.tensor([4.0, -1.0], requires_grad=True)
    >>> optimizer = gg.optim.RMSprop([x], lr=0.1, alpha=0.75)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> [round(value, 4) for value in x.tolist()]
    [3.8, -0.8]
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
        alpha, eps, momentum, centered = group["alpha"], group["eps"], group["momentum"], group["centered"]
        return *decay_scalars(group), group["lr"], alpha, 1 - alpha, eps, momentum, centered

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
        variance = state[0]
        update_mean_square(xp, variance, grad, group["alpha"], scratch1)
        if group["centered"]:
            mean = state[-1]
            update_mean(xp, mean, grad, 1 - group["alpha"], scratch1)
            xp.multiply(mean, mean, out=scratch1)
            variance = xp.subtract(variance, scratch1, out=scratch1)
        xp.sqrt(variance, out=scratch1)
        xp.add(scratch1, group["eps"], out=scratch1)
        step = xp.divide(grad, scratch1, out=scratch1)
        if group["momentum"]:
            axpby(xp, 1, step, group["momentum"], state[1], step)
            step = state[1]
        axpby(xp, -group["lr"], step, 1, param, scratch2)


class Rprop(Optimizer):
    """Steps that use only the signs of the gradients, for gradients of all data at once (Riedmiller and Braun 1993, "A
    direct adaptive method for faster backpropagation learning: the RPROP algorithm").

    Each element has a step size s, which is lr at first. s is multiplied by etas[1] if the sign of the gradient is that
    of the step before, and by etas[0] if it has turned; step_sizes bounds it. Then p -= sign(g) s, except that p waits
    for one step after a turn.

    >>> x = gg.tensor([4.0, -1.0], requires_grad=True)
    >>> optimizer = gg.optim.Rprop([x], lr=0.5)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> [round(value, 4) for value in x.tolist()]
    [3.5, -0.5]
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
        super().__init__(params, options(self, locals()))

    def _check_options(self, group: dict[str, Any]) -> None:
        etas, step_sizes = group["etas"], group["step_sizes"]
        if len(etas) != 2 or not 0 < etas[0] < 1 < etas[1]:
            raise OptionError(f"Rprop: etas must be a number between 0 and 1 and one above 1, got {etas}")
        if len(step_sizes) != 2 or not 0 <= step_sizes[0] <= step_sizes[1]:
            raise OptionError(f"Rprop: step_sizes must be a least and a largest step, got {step_sizes}")

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
        decrease, increase = group["etas"]
        xp.multiply(grad, prev, out=scratch1)
        turned = scratch1 < 0
        step_size *= xp.where(turned, decrease, xp.where(scratch1 > 0, increase, 1)).astype(param.dtype)
        xp.clip(step_size, *group["step_sizes"], out=step_size)
        xp.multiply(grad, ~turned, out=prev)
        xp.sign(prev, out=scratch1)
        xp.multiply(scratch1, step_size, out=scratch1)
        xp.subtract(param, scratch1, out=param)


class ASGD(Optimizer):
    """Averaged stochastic gradient descent (Polyak and Juditsky 1992, "Acceleration of stochastic approximation by
    averaging").

    Step i does p = (1 - lambd eta) p - eta g with eta = lr / (1 + lambd lr i)^alpha. The mean of all p from step t0 on
    is kept in the state, as "ax".

    >>> x = gg.tensor([4.0, -1.0], requires_grad=True)
    >>> optimizer = gg.optim.ASGD([x], lr=0.25, lambd=0.0)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> [round(value, 4) for value in x.tolist()]
    [2.0, -0.5]
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
