"""L-BFGS, a Newton method whose curvature is estimated from the last gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..autograd.mode import enable_grad, no_grad
from ..autograd.tensor import Tensor, wrap
from ..errors import OptionError
from ..nn.state_dict import as_tensor
from ..nn.utils import parameters_to_vector, vector_to_parameters
from .line_search import Point, strong_wolfe
from .optimizer import Optimizer, require_one_group
from .options import options

_LISTS = ("old_dirs", "old_stps")


class LBFGS(Optimizer):
    """Newton's method with an inverse curvature that is estimated from the last steps (Liu and Nocedal 1989, "On the
    limited memory BFGS method for large scale optimization"; Nocedal and Wright, algorithm 7.4). One group only.

    `step(closure)` does up to max_iter iterations p += t d with up to max_eval calls of the closure (by default 5/4
    max_iter). d is the product of the inverse curvature with -g. The iterations end when no element of the gradient is
    above tolerance_grad, or when a step or the change of the loss is below tolerance_change.

    history_size limits the number of past steps that are used. line_search_fn is "strong_wolfe", or None for t = lr.
    The loss is read in every iteration, which waits for the device.

    >>> x = gg.tensor([4.0, -1.0], requires_grad=True)
    >>> optimizer = gg.optim.LBFGS([x], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((x - 3) ** 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).item()
    17.0
    >>> [round(value, 4) for value in x.tolist()]
    [3.0, 3.0]
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ):
        if max_eval is None:
            max_eval = max_iter * 5 // 4
        super().__init__(params, options(self, locals()))
        self._params = self.param_groups[0]["params"]

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Take the only group. Raises OptionError for a second one."""
        require_one_group(self)
        super().add_param_group(param_group)

    def _check_options(self, group: dict[str, Any]) -> None:
        line_search = group["line_search_fn"]
        if line_search not in (None, "strong_wolfe"):
            raise OptionError(f"LBFGS: line_search_fn must be None or 'strong_wolfe', got {line_search!r}")

    @no_grad()
    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Iterate and return the first loss. `closure` clears the gradients, computes them and returns the loss."""
        group, state = self.param_groups[0], self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first, loss, gradient = self._evaluate(closure)
        evaluations = 1
        if _max_abs(gradient) <= group["tolerance_grad"]:
            return first
        for i in range(group["max_iter"]):
            state["n_iter"] += 1
            d = state["d"] = self._direction(state, gradient, group["history_size"])
            state["prev_flat_grad"], state["prev_loss"] = gradient, loss
            initial = state["n_iter"] == 1
            t = min(1.0, 1.0 / gradient.abs().sum().item()) * group["lr"] if initial else group["lr"]
            slope = _dot(gradient, d)
            if slope > -group["tolerance_change"]:
                state["t"] = t
                break
            last = i + 1 == group["max_iter"]
            start = Point(0.0, loss, gradient, slope)
            point, used = self._take_step(closure, group, start, t, d, last, group["max_eval"] - evaluations)
            state["t"], loss, gradient = point.t, point.loss, point.gradient
            evaluations += used
            if last or evaluations >= group["max_eval"] or self._converged(group, state, loss, gradient):
                break
        return first

    def _evaluate(self, closure: Callable[[], Any]) -> tuple[Any, float, Tensor]:
        """Return the loss as the closure gives it and as a number, and the gradient of all parameters as one vector."""
        self.state[self._params[0]]["func_evals"] += 1
        with enable_grad():
            loss = closure()
        zeros = [wrap(p.device.xp.zeros_like(p._array), p.device, None) for p in self._params if p.grad is None]
        gradients = [p.grad if p.grad is not None else zeros.pop(0) for p in self._params]
        return loss, float(loss), parameters_to_vector(gradients)

    def _direction(self, state: dict[str, Any], gradient: Tensor, history_size: int) -> Tensor:
        """Add the last step to the history and return -(inverse curvature) gradient, by the two-loop recursion."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return -gradient
        changes, steps, ro = state["old_dirs"], state["old_stps"], state["ro"]
        y, s = gradient - state["prev_flat_grad"], state["d"] * state["t"]
        curvature = _dot(y, s)
        if curvature > 1e-10:
            if len(changes) == history_size:
                for oldest_first in (changes, steps, ro):
                    oldest_first.pop(0)
            changes.append(y)
            steps.append(s)
            ro.append(1.0 / curvature)
            state["H_diag"] = curvature / _dot(y, y)
        q, alphas = -gradient, []
        for y, s, r in zip(reversed(changes), reversed(steps), reversed(ro), strict=True):
            alphas.append(_dot(s, q) * r)
            q = q - y * alphas[-1]
        q = q * state["H_diag"]
        for y, s, r in zip(changes, steps, ro, strict=True):
            q = q + s * (alphas.pop() - _dot(y, q) * r)
        return q

    def _take_step(
        self,
        closure: Callable[[], Any],
        group: dict[str, Any],
        start: Point,
        t: float,
        d: Tensor,
        last: bool,
        max_evaluations: int,
    ) -> tuple[Point, int]:
        """Move the parameters along d; return the point that this leads to and the number of evaluations."""
        x = parameters_to_vector(self._params)

        def evaluate(t: float) -> Point:
            vector_to_parameters(x + d * t, self._params)
            _, loss, gradient = self._evaluate(closure)
            return Point(t, loss, gradient, _dot(gradient, d))

        if group["line_search_fn"] is None:
            if not last:
                return evaluate(t), 1
            vector_to_parameters(x + d * t, self._params)  # the next step() will evaluate the loss there
            return start._replace(t=t), 0
        tolerance = group["tolerance_change"]
        point, used = strong_wolfe(evaluate, start, t, _max_abs(d), tolerance, max_evaluations)
        vector_to_parameters(x + d * point.t, self._params)
        return point, used

    def _converged(self, group: dict[str, Any], state: dict[str, Any], loss: float, gradient: Tensor) -> bool:
        tolerance = group["tolerance_change"]
        return (
            _max_abs(gradient) <= group["tolerance_grad"]
            or _max_abs(state["d"]) * abs(state["t"]) <= tolerance
            or abs(loss - state["prev_loss"]) < tolerance
        )

    def _load_value(self, index: int, parameter: Tensor, name: str, value: Any) -> Any:
        if name in _LISTS:
            return [self._vector(v) for v in value]
        if name in ("d", "prev_flat_grad"):
            return self._vector(value)
        if name == "ro":
            return [float(r) for r in value]
        if name == "al":  # PyTorch keeps its scratch
            return [None] * len(value)
        return int(value) if name in ("func_evals", "n_iter") else float(value)

    def _vector(self, value: Any) -> Tensor:
        first = self._params[0]
        return as_tensor(value).detach().to(device=first.device, dtype=first.dtype, copy=True)


def _dot(a: Tensor, b: Tensor) -> float:
    return (a @ b).item()


def _max_abs(vector: Tensor) -> float:
    return vector.abs().max().item()
