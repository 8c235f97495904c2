"""Newton's method without a matrix, by conjugate gradients on products with the Hessian."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..autograd.functional import grad
from ..autograd.mode import enable_grad, no_grad
from ..autograd.tensor import Tensor
from ..errors import GradientError
from ..nn.utils import parameters_to_vector, vector_to_parameters
from ..ops.join import concatenate
from .optimizer import Optimizer, require_one_group
from .options import options


class NewtonCG(Optimizer):
    """Newton's method that solves for the direction by conjugate gradients (Nocedal and Wright, "Numerical
    optimization", algorithm 7.1). One group only.

    A step does p += t d with d from (H + damping) d = -g. No Hessian is formed: H v is the gradient of g v (Pearlmutter
    1994, "Fast exact multiplication by the Hessian"). The conjugate gradients end after cg_iter products, when the
    residual is below min(0.5, sqrt(|g|)) |g|, or at a direction along which the loss curves down. t starts at lr and is
    halved up to max_halvings times, until the loss falls by 1e-4 t |g d| (Armijo). Reading the loss waits for the
    device.

    `step(closure)`: the closure returns the loss and does not call backward. The gradients are left in `.grad`.

    >>> x = gg.tensor([4.0, -1.0], requires_grad=True)
    >>> optimizer = gg.optim.NewtonCG([x])
    >>> optimizer.step(lambda: ((x - 3) ** 2).sum()).item()
    17.0
    >>> x.tolist()
    [3.0, 3.0]
    """

    def __init__(
        self, params: Iterable[Any], lr: float = 1.0, cg_iter: int = 50, damping: float = 0.0, max_halvings: int = 20
    ):
        super().__init__(params, options(self, locals()))

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Take the only group. Raises OptionError for a second one."""
        require_one_group(self)
        super().add_param_group(param_group)

    @no_grad()
    def step(self, closure: Callable[[], Tensor]) -> Tensor:  # type: ignore[override]
        """Take one step and return the loss before it. Raises GradientError if the closure has called backward."""
        group = self.param_groups[0]
        params = group["params"]
        with enable_grad():
            loss = closure()
            if not isinstance(loss, Tensor) or not loss.requires_grad:
                raise GradientError("NewtonCG.step: the closure must return a loss that depends on the parameters")
            gradients = _gradients(loss, params, create_graph=True)
        for p, g in zip(params, gradients, strict=True):
            p.grad = g.detach()
        flat = _flat(gradients)

        def product(v: Tensor) -> Tensor:
            with enable_grad():
                slope = _flat(gradients) @ v
                hv = _flat(_gradients(slope, params, retain_graph=True)) if slope.requires_grad else v * 0
            return hv + v * group["damping"] if group["damping"] else hv

        d = _conjugate_gradients(product, flat, group["cg_iter"])
        x, slope, t = parameters_to_vector(params), _dot(flat, d), group["lr"]
        for _ in range(group["max_halvings"] + 1):
            vector_to_parameters(x + d * t, params)
            if closure().item() <= loss.item() + 1e-4 * t * slope:
                return loss.detach()
            t /= 2
        vector_to_parameters(x, params)
        return loss.detach()


def _conjugate_gradients(product: Callable[[Tensor], Tensor], gradient: Tensor, max_products: int) -> Tensor:
    """Return an approximate solution of H d = -gradient, a direction along which the loss falls."""
    r = -gradient
    square = _dot(r, r)
    norm = math.sqrt(square)
    d, direction, tolerance = gradient * 0, r, min(0.5, math.sqrt(norm)) * norm
    for i in range(max_products):
        if math.sqrt(square) <= tolerance and i:
            break
        hp = product(direction)
        curvature = _dot(direction, hp)
        if curvature <= 0:
            return d if i else r
        step = square / curvature
        d, r = d + direction * step, r - hp * step
        square, before = _dot(r, r), square
        direction = r + direction * (square / before)
    return d


def _gradients(output: Any, params: Sequence[Tensor], **how: bool) -> list[Tensor]:
    """Return the gradients with respect to the parameters: zeros for those that `output` does not depend on."""
    found = grad(output, params, allow_unused=True, **how)
    return [p.detach() * 0 if g is None else g for p, g in zip(params, found, strict=True)]


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    """Return all elements as one vector, in the graph."""
    return concatenate([t.reshape(-1) for t in tensors])


def _dot(a: Tensor, b: Tensor) -> float:
    return (a @ b).item()
