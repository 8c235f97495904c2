"""Tensor, graph, derivatives, and the declaration of ops."""

from typing import TYPE_CHECKING, Any

from .function import Function
from .functional import after_backward, backward, grad, hessian, hvp, jacobian, jvp, vhp, vjp
from .mode import detect_anomaly, enable_grad, inference_mode, no_grad, set_grad_enabled

if TYPE_CHECKING:
    from .check.numerical import gradcheck, gradgradcheck

__all__ = [
    "Function", "after_backward", "backward", "detect_anomaly", "enable_grad", "grad", "gradcheck", "gradgradcheck",
    "hessian", "hvp", "inference_mode", "jacobian", "jvp", "no_grad", "set_grad_enabled", "vhp", "vjp",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in ("gradcheck", "gradgradcheck"):  # imported when they are used
        from .check import numerical

        return getattr(numerical, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
