"""`gpugrad.autograd` in PyTorch's language."""

from __future__ import annotations

from typing import Any

from ..autograd.mode import Switch, mode
from .language import Tensor, passing, speak

_find = passing(__name__, "gpugrad.autograd")


def __getattr__(name: str) -> Any:
    return _find(name)


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
