"""`gpugrad.autograd` in PyTorch's language."""

from __future__ import annotations

from functools import wraps
from typing import Any

from ..autograd.functional import grad as gpugrads
from ..autograd.mode import Switch, mode
from ..autograd.op import OPS
from ..autograd.tensor import Tensor as NumPyTensor
from .language import Tensor, passed_through, passing, speak

_HOW = frozenset(("strict", "vectorize", "strategy", "outer_jacobian_strategy"))  # PyTorch is to go about it


def _adapted(value: Any) -> Any:
    """Return a function of `gpugrad.autograd` in PyTorch's language, without the words that say how to go about it."""
    made = passed_through(value)
    if isinstance(value, type) or not callable(value):
        return made

    @wraps(made)
    def call(*args: Any, **kwargs: Any) -> Any:
        return made(*args, **{name: given for name, given in kwargs.items() if name not in _HOW})

    return call


_find = passing(__name__, "gpugrad.autograd", adapt=_adapted)


def __getattr__(name: str) -> Any:
    return _find(name)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple:
    """Return the gradients of `outputs` with respect to `inputs`, a tuple.

    materialize_grads: zeros, not None, for inputs that were not used. is_grads_batched: `grad_outputs` have a leading
    axis, and the gradients are those of each of its slices.
    """
    if is_grads_batched:
        upstream = grad_outputs if isinstance(grad_outputs, (tuple, list)) else (grad_outputs,)
        rows = [
            grad(outputs, inputs, row, True, create_graph, only_inputs, allow_unused, False, materialize_grads)
            for row in zip(*upstream, strict=True)
        ]
        return tuple(None if parts[0] is None else OPS["stack"](list(parts)) for parts in zip(*rows, strict=True))
    unused = bool(allow_unused) or materialize_grads
    found = gpugrads(outputs, inputs, grad_outputs, retain_graph, create_graph, unused)
    if not materialize_grads:
        return found
    given = (inputs,) if isinstance(inputs, NumPyTensor) else inputs
    return tuple(OPS["multiply"](x.detach(), 0) if g is None else g for g, x in zip(found, given, strict=True))


def Variable(data: Any, requires_grad: bool = False, volatile: bool = False) -> Tensor:
    """Return a Tensor on the memory of `data`: in PyTorch, too, Variables are Tensors now."""
    made = speak(data, (data,))
    if not requires_grad:
        return made
    made = made.detach()
    return made.requires_grad_()


class set_detect_anomaly(Switch):
    """Start or stop looking for NaN gradients, at once; as a `with` block it restores the old state at the end."""

    def __init__(self, mode: bool = True, check_nan: bool = True):
        super().__init__(anomaly=bool(mode))
        self._before = {"anomaly": _anomaly()}
        _set_anomaly(bool(mode))

    def __enter__(self) -> None:
        self._keep(self._before)


def _anomaly() -> bool:
    return mode.anomaly


def _set_anomaly(value: bool) -> None:
    mode.anomaly = value
