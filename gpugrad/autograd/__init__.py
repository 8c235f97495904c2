"""Tensor, graph, derivatives, and the declaration of ops."""

from .function import Function
from .functional import backward, grad, hessian, hvp, jacobian, jvp, vhp, vjp
from .gradcheck import gradcheck, gradgradcheck
from .mode import detect_anomaly, enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = [
    "Function", "backward", "detect_anomaly", "enable_grad", "grad", "gradcheck", "gradgradcheck", "hessian", "hvp",
    "inference_mode", "jacobian", "jvp", "no_grad", "set_grad_enabled", "vhp", "vjp",
]  # fmt: skip
