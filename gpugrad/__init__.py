"""gpugrad: automatic differentiation for NumPy and CuPy code, with hand-written CUDA kernels.

    import gpugrad as gg
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    x.grad                      # tensor([2., 4.])

`gpugrad` is an array namespace (NumPy's names); `gpugrad.nn`, `gpugrad.optim` and `gpugrad.autograd` follow PyTorch.
"""

import importlib
import math
import sys
from typing import Any

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
from .autograd.op import op
from .autograd.tensor import Tensor
from .backend.cpu.memory import keep_heap
from .backend.cpu.threads import get_num_threads, set_num_threads
from .backend.devices import Device, default_device, device, set_default_device, when_cuda_is_used
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
from .backend.namespace import register_type
from .backend.precision import get as get_float32_matmul_precision
from .backend.precision import set as set_float32_matmul_precision
from .backend.random import Generator, default_generator, get_rng_state, manual_seed, set_rng_state
from .ops import methods
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
from .ops.dropout import *
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
pi, e, inf, nan, newaxis = math.pi, math.e, math.inf, math.nan, None

_LAZY = ("amp", "autograd", "cuda", "data", "io", "linalg", "models", "nn", "optim", "train", "viz")

methods.attach(globals())
register_type(Tensor, sys.modules[__name__])  # xp(tensor) is gpugrad
keep_heap()
when_cuda_is_used(lambda: importlib.import_module(".ops.cuda", __name__))


def __getattr__(name: str) -> Any:
    if name == "bfloat16":  # ml_dtypes is imported when it is needed
        return _bfloat16()
    if name in _LAZY:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module 'gpugrad' has no attribute {name!r}")
