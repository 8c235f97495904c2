"""gpugrad: automatic differentiation for NumPy and CuPy code, with hand-written CUDA kernels.

    import gpugrad as gg
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    x.grad                      # tensor([2., 4.])

`gpugrad` is an array namespace (NumPy's names); `gpugrad.nn`, `gpugrad.optim` and `gpugrad.autograd` follow PyTorch.
"""

import importlib as _importlib
import math as _math
import sys as _sys
from typing import Any as _Any

from . import ops as _ops
from .autograd.autocast import autocast, get_autocast_dtype, is_autocast_enabled
from .autograd.checkpoint import checkpoint
from .autograd.convert import asarray, from_numpy, tensor
from .autograd.function import Function
from .autograd.functional import grad
from .autograd.mode import (
    detect_anomaly,
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .autograd.op import op, xp
from .autograd.tensor import Tensor
from .backend.cpu.memory import keep_heap as _keep_heap
from .backend.cpu.threads import get_num_threads, set_num_threads
from .backend.devices import Device, default_device, device, set_default_device
from .backend.devices import when_cuda_is_used as _when_cuda_is_used
from .backend.dtypes import bfloat16 as _bfloat16
from .backend.dtypes import (
    bool_,
    default_dtype,
    finfo,
    float16,
    float32,
    float64,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    promote,
    set_default_dtype,
    uint8,
)
from .backend.namespace import Namespace as _Namespace
from .backend.namespace import register_type as _register_type
from .backend.precision import get as get_float32_matmul_precision
from .backend.precision import set as set_float32_matmul_precision
from .backend.random import Generator, default_generator, get_rng_state, manual_seed, set_rng_state
from .ops import methods as _methods
from .ops.activation import *
from .ops.arithmetic import *
from .ops.arrange import *
from .ops.attention import *
from .ops.comparison import *
from .ops.conv import *
from .ops.creation import *
from .ops.ctc import *
from .ops.cumulative import *
from .ops.decompose import *
from .ops.diagonal import *
from .ops.einsum import *
from .ops.embedding import *
from .ops.fold import *
from .ops.fused import *
from .ops.index import *
from .ops.inplace import *
from .ops.join import *
from .ops.linalg import *
from .ops.linear import *
from .ops.loss import *
from .ops.matmul import *
from .ops.moving import *
from .ops.norm import *
from .ops.normalization import *
from .ops.pad import *
from .ops.pool import *
from .ops.random import *
from .ops.recurrent import *
from .ops.reduce import *
from .ops.resample import *
from .ops.rounding import *
from .ops.selection import *
from .ops.shape import *
from .ops.softmax import *
from .ops.sort import *
from .ops.special import *
from .ops.statistics import *
from .ops.transcendental import *

__version__ = "0.1.0"

half, double, long = float16, float64, int64
pi, e, inf, nan, newaxis = _math.pi, _math.e, _math.inf, _math.nan, None

# What is public besides the functions of the op families, by subject.
_SUBJECTS = {
    "Tensors": "Tensor tensor asarray from_numpy",
    "Element types": "bool_ uint8 int8 int16 int32 int64 long float16 half bfloat16 float32 float64 double finfo iinfo "
    "default_dtype set_default_dtype promote",
    "Devices, threads and precision": "Device device default_device set_default_device get_num_threads set_num_threads "
    "get_float32_matmul_precision set_float32_matmul_precision",
    "Gradients, and what is recorded for them": "grad checkpoint no_grad enable_grad set_grad_enabled is_grad_enabled "
    "inference_mode is_inference_mode_enabled detect_anomaly",
    "Mixed precision": "autocast is_autocast_enabled get_autocast_dtype",
    "Ops of your own": "op xp Function",
    "The state of random numbers": "Generator default_generator manual_seed get_rng_state set_rng_state",
    "Constants": "pi e inf nan newaxis",
    "Subpackages": "amp autograd cuda data errors io linalg models nn optim train typing viz",
}
_LAZY = frozenset(_SUBJECTS["Subpackages"].split())
_FAMILIES = [module for module in vars(_ops).values() if hasattr(module, "__all__")]
_NAMES = " ".join(_SUBJECTS.values()).split() + [name for family in _FAMILIES for name in family.__all__]

__all__ = list(dict.fromkeys(_NAMES))  # pyright: ignore[reportUnsupportedDunderAll]

_methods.attach(globals())
_register_type(Tensor, _Namespace(_sys.modules[__name__], "tensor"))  # xp(tensor): all that is public, then all ops
_keep_heap()
_when_cuda_is_used(lambda: _importlib.import_module(".ops.cuda", __name__))


def __getattr__(name: str) -> _Any:
    if name == "bfloat16":  # ml_dtypes is imported when it is needed
        return _bfloat16()
    if name in _LAZY:
        return _importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module 'gpugrad' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("__"))]
