"""Adam and its variants, which keep running means of the gradient and of its square (or its largest value)."""

import math
from collections.abc import Iterable
from typing import Any

from .formulas import axpby, decay_factor, decay_scalars, effective_gradient, update_mean, update_mean_square
from .optimizer import Optimizer, count_step
from .options import options


class Adam(Optimizer):
    """Adaptive moments: each element's step is scaled by the size of its gradients (Kingma and Ba 2015, "Adam: a method
    for stochastic optimization", algorithm 1).

    A step does p -= lr m^ / (sqrt(v^) + eps). m and v are the running means of g and g^2 with the decays `betas`. m^
    and v^ are m and v divided by 1 - beta^step, which removes their bias towards 0.

    weight_decay adds weight_decay p to the gradient; with decoupled_weight_decay it multiplies p by 1 - lr weight_decay
    instead. amsgrad divides by the largest v so far (Reddi et al. 2018, algorithm 2). maximize turns the sign of the
    gradient. foreach, fused and capturable choose among PyTorch's implementations; here there is one.

    >>> x = gg.tensor([4.0, -1.0], requires_grad=True)
    >>> optimizer = gg.optim.Adam([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> [round(value, 4) for value in x.tolist()]
    [3.9, -0.9]
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
        # With root = sqrt(1 - beta2^step), the step lr m^ / (sqrt(v^) + eps) is equal to
        # lr root / (1 - beta1^step) * m / (sqrt(v) + eps root), which needs no arrays for m^ and v^.
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
    """Adam with a decoupled weight decay (Loshchilov and Hutter 2019, "Decoupled weight decay regularization",
    algorithm 2): a step first multiplies p by 1 - lr weight_decay.

    >>> x = gg.tensor([4.0, -1.0], requires_grad=True)
    >>> optimizer = gg.optim.AdamW([x], lr=0.1, weight_decay=0.5)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> [round(value, 4) for value in x.tolist()]
    [3.7, -0.85]
    """

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
    """The base of optimizers that keep the running means of g and g^2."""

    def _state_names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return "exp_avg", "exp_avg_sq"

    def _functor_fields(self, group: dict[str, Any], scalars: tuple) -> tuple[float, ...]:
        beta1, beta2 = group["betas"]
        return *decay_scalars(group), *scalars, group["eps"], 1 - beta1, beta2, 1 - beta2


class NAdam(_Moments):
    """Adam with Nesterov's momentum (Dozat 2016, "Incorporating Nesterov momentum into Adam").

    Step i does p -= lr (a g + b m) / (sqrt(v^) + eps). With mu(i) = beta1 (1 - 0.96^(i momentum_decay) / 2),
    a = (1 - mu(i)) / (1 - mu(1) ... mu(i)) and b = mu(i+1) / (1 - mu(1) ... mu(i+1)).

    >>> x = gg.tensor([4.0, -1.0], requires_grad=True)
    >>> optimizer = gg.optim.NAdam([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> [round(value, 4) for value in x.tolist()]
    [3.8944, -0.8944]
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
        mu, next_mu = (beta1 * (1 - 0.5 * 0.96 ** (i * group["momentum_decay"])) for i in (step, step + 1))
        state["mu_product"] = product = state.get("mu_product", 1.0) * mu
        return lr * (1 - mu) / (1 - product), lr * next_mu / (1 - product * next_mu), 1 - beta2**step

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
        grad_factor, mean_factor, correction = scalars
        beta1, beta2 = group["betas"]
        grad = effective_gradient(xp, group, param, grad, scratch1, scratch2)
        update_mean(xp, exp_avg, grad, 1 - beta1, scratch1)
        update_mean_square(xp, exp_avg_sq, grad, beta2, scratch1)
        xp.divide(exp_avg_sq, correction, out=scratch1)
        xp.sqrt(scratch1, out=scratch1)
        xp.add(scratch1, group["eps"], out=scratch1)
        for value, factor, decay in ((grad, grad_factor, decay_factor(group)), (exp_avg, mean_factor, 1)):
            xp.divide(value, scratch1, out=scratch2)
            axpby(xp, -factor, scratch2, decay, param, scratch2)


class RAdam(_Moments):
    """Adam whose first steps leave out the second moment, which has a large variance then (Liu et al. 2020, "On the
    variance of the adaptive learning rate and beyond", algorithm 2).

    With rho_inf = 2 / (1 - beta2) - 1 and rho = rho_inf - 2 i beta2^i / (1 - beta2^i), step i does p -= lr m^ while rho
    is at most 5. Later it does p -= lr r m^ / (sqrt(v^) + eps) with
    r^2 = (rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho).

    >>> x = gg.tensor([4.0, -1.0], requires_grad=True)
    >>> optimizer = gg.optim.RAdam([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> [round(value, 4) for value in x.tolist()]
    [3.2, -0.8]
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
        size, correction, rho_inf = group["lr"] / (1 - beta1**step), 1 - beta2**step, 2 / (1 - beta2) - 1
        rho = rho_inf - 2 * step * beta2**step / correction
        if rho <= 5:
            return size, False
        rectified = (rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)
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
    """Adam with a maximum in place of the second moment (Kingma and Ba 2015, section 7.1).

    A step does p -= lr m^ / s with m^ as in Adam and s = max(beta2 s, |g| + eps).

    >>> x = gg.tensor([4.0, -1.0], requires_grad=True)
    >>> optimizer = gg.optim.Adamax([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> [round(value, 4) for value in x.tolist()]
    [3.9, -0.9]
    """

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
