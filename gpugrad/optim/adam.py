"""Adam and its kin: running means of the gradient and of its square, or of its largest value."""

import math
from collections.abc import Iterable
from typing import Any

from .formulas import axpby, decay_factor, decay_scalars, effective_gradient, update_mean, update_mean_square
from .optimizer import Optimizer, count_step, options


class Adam(Optimizer):
    """p -= lr m^ / (sqrt(v^) + eps), m and v the running means of g and g^2, ^ without their bias (Kingma and Ba 2015).

    weight_decay: adds weight_decay p to the gradient, or with decoupled_weight_decay shrinks p by lr weight_decay p.
    amsgrad: the largest v so far is used (Reddi et al. 2018). maximize: the gradient's sign is turned. foreach, fused
    and capturable choose among PyTorch's implementations; here there is one.
    """

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
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ):
        super().__init__(params, options(self, locals()))

    def _state_names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if group["amsgrad"] else ("exp_avg", "exp_avg_sq")

    def _step_scalars(self, state: dict[str, Any], group: dict[str, Any]) -> tuple:
        step = count_step(state)
        beta1, beta2 = group["betas"]
        # lr m^ / (sqrt(v^) + eps) = lr root / (1 - beta1^step) * m / (sqrt(v) + eps root), root = sqrt(1 - beta2^step)
        root = math.sqrt(1 - beta2**step)
        return group["lr"] * root / (1 - beta1**step), group["eps"] * root

    def _functor_fields(self, group: dict[str, Any], scalars: tuple) -> tuple[float, ...]:
        beta1, beta2 = group["betas"]
        return *decay_scalars(group), *scalars, 1 - beta1, beta2, 1 - beta2, group["amsgrad"]

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
        size, eps = scalars
        beta1, beta2 = group["betas"]
        exp_avg, exp_avg_sq = state[:2]
        grad = effective_gradient(xp, group, param, grad, scratch1, scratch2)
        update_mean(xp, exp_avg, grad, 1 - beta1, scratch1)
        update_mean_square(xp, exp_avg_sq, grad, beta2, scratch1)
        if group["amsgrad"]:
            exp_avg_sq = xp.maximum(state[2], exp_avg_sq, out=state[2])
        xp.sqrt(exp_avg_sq, out=scratch1)
        xp.add(scratch1, eps, out=scratch1)
        xp.divide(exp_avg, scratch1, out=scratch1)
        axpby(xp, -size, scratch1, decay_factor(group), param, scratch1)


class AdamW(Adam):
    """Adam whose weight_decay shrinks the parameters by lr weight_decay p instead (Loshchilov and Hutter 2019)."""

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
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        Optimizer.__init__(self, params, {**options(self, locals()), "decoupled_weight_decay": True})


class _Moments(Optimizer):
    """What keeps the running means of g and g^2, and takes eps and their shares into its kernel."""

    def _state_names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return "exp_avg", "exp_avg_sq"

    def _functor_fields(self, group: dict[str, Any], scalars: tuple) -> tuple[float, ...]:
        beta1, beta2 = group["betas"]
        return *decay_scalars(group), *scalars, group["eps"], 1 - beta1, beta2, 1 - beta2


class NAdam(_Moments):
    """Adam with Nesterov's momentum: p -= lr (a g + b m) / (sqrt(v^) + eps) (Dozat 2016).

    With mu(i) = beta1 (1 - 0.96^(i momentum_decay) / 2): a = (1 - mu(i)) / (1 - mu(1) ... mu(i)) and
    b = mu(i+1) / (1 - mu(1) ... mu(i+1)) at step i.
    """

    _functor = "NAdam"
    _scalar_state = ("step", "mu_product")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ):
        super().__init__(params, options(self, locals()))

    def _step_scalars(self, state: dict[str, Any], group: dict[str, Any]) -> tuple:
        step = count_step(state)
        (beta1, beta2), lr = group["betas"], group["lr"]
        now, then = (beta1 * (1 - 0.5 * 0.96 ** (i * group["momentum_decay"])) for i in (step, step + 1))
        state["mu_product"] = product = state.get("mu_product", 1.0) * now
        return lr * (1 - now) / (1 - product), lr * then / (1 - product * then), 1 - beta2**step

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
        exp_avg_sq: Any,
    ) -> None:
        of_g, of_m, correction = scalars
        beta1, beta2 = group["betas"]
        grad = effective_gradient(xp, group, param, grad, scratch1, scratch2)
        update_mean(xp, exp_avg, grad, 1 - beta1, scratch1)
        update_mean_square(xp, exp_avg_sq, grad, beta2, scratch1)
        xp.divide(exp_avg_sq, correction, out=scratch1)
        xp.sqrt(scratch1, out=scratch1)
        xp.add(scratch1, group["eps"], out=scratch1)
        for value, share, kept in ((grad, of_g, decay_factor(group)), (exp_avg, of_m, 1)):
            xp.divide(value, scratch1, out=scratch2)
            axpby(xp, -share, scratch2, kept, param, scratch2)


class RAdam(_Moments):
    """Adam that uses m^ alone while v^ is not to be relied on, and later a factor r besides (Liu et al. 2020).

    r^2 = (rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho) with rho_inf = 2 / (1 - beta2) - 1 and
    rho = rho_inf - 2 i beta2^i / (1 - beta2^i), once rho is above 5.
    """

    _functor = "RAdam"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ):
        super().__init__(params, options(self, locals()))

    def _step_scalars(self, state: dict[str, Any], group: dict[str, Any]) -> tuple:
        step = count_step(state)
        beta1, beta2 = group["betas"]
        size, correction, most = group["lr"] / (1 - beta1**step), 1 - beta2**step, 2 / (1 - beta2) - 1
        rho = most - 2 * step * beta2**step / correction
        if rho <= 5:
            return size, False
        rectified = (rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho)
        return size * math.sqrt(correction) * math.sqrt(rectified), True

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
        exp_avg_sq: Any,
    ) -> None:
        size, adaptive = scalars
        beta1, beta2 = group["betas"]
        grad = effective_gradient(xp, group, param, grad, scratch1, scratch2)
        update_mean(xp, exp_avg, grad, 1 - beta1, scratch1)
        update_mean_square(xp, exp_avg_sq, grad, beta2, scratch1)
        if adaptive:
            xp.sqrt(exp_avg_sq, out=scratch1)
            xp.add(scratch1, group["eps"], out=scratch1)
            exp_avg = xp.divide(exp_avg, scratch1, out=scratch1)
        axpby(xp, -size, exp_avg, decay_factor(group), param, scratch1)


class Adamax(Optimizer):
    """p -= lr m^ / s, m^ as in Adam and s = max(beta2 s, |g| + eps) (Kingma and Ba 2015, section 7.1)."""

    _functor = "Adamax"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ):
        super().__init__(params, options(self, locals()))

    def _state_names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return "exp_avg", "exp_inf"

    def _step_scalars(self, state: dict[str, Any], group: dict[str, Any]) -> tuple:
        step = count_step(state)
        return (group["lr"] / (1 - group["betas"][0] ** step),)

    def _functor_fields(self, group: dict[str, Any], scalars: tuple) -> tuple[float, ...]:
        beta1, beta2 = group["betas"]
        return *decay_scalars(group), *scalars, group["eps"], 1 - beta1, beta2

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
        exp_inf: Any,
    ) -> None:
        beta1, beta2 = group["betas"]
        grad = effective_gradient(xp, group, param, grad, scratch1, scratch2)
        update_mean(xp, exp_avg, grad, 1 - beta1, scratch1)
        xp.absolute(grad, out=scratch1)
        xp.add(scratch1, group["eps"], out=scratch1)
        xp.multiply(exp_inf, beta2, out=exp_inf)
        xp.maximum(exp_inf, scratch1, out=exp_inf)
        xp.divide(exp_avg, exp_inf, out=scratch1)
        (size,) = scalars
        axpby(xp, -size, scratch1, 1, param, scratch1)
