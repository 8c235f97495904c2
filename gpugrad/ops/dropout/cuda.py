"""Dropout on cuda in one pass; the backward draws the same mask again (kernels/dropout.cu)."""

from typing import Any

import numpy as np

from ...backend.capture import by_value_or_place
from ...backend.cuda.launch import FLOATS, Block, Kernels, ctype, dense
from ...backend.dtypes import is_float
from ...backend.namespace import xp
from . import drop_limit, drop_scale, seeded_dropout

_THREADS, _EACH = 256, 8  # kThreads and kEach of the kernel

kernels = Kernels(
    "dropout.cu",
    lambda: [f"dropout<{T}>" for T in FLOATS],
    typical=lambda: {f"dropout<{T}>": Block(_THREADS) for T in ("float", "__nv_bfloat16")},
)


def _dropout(x: Any, p: float, seed: Any, share: int) -> Any:
    x = dense(x)
    out = xp(x).empty(x.shape, x.dtype)
    scale = (np.float64 if x.itemsize == 8 else np.float32)(drop_scale(p))
    key, stored_key = by_value_or_place(seed)
    args = (out, x, np.int64(x.size), np.int64(share), np.uint32(drop_limit(p)), scale, np.uint64(key), stored_key)
    kernels.launch(f"dropout<{ctype(x)}>", grid=(-(-x.size // (_THREADS * _EACH)),), block=(_THREADS,), args=args)
    return out


@seeded_dropout.path("cuda")
def dropout_cuda(x, *, p, seed, share):
    return (_dropout(x, p, seed, share), {}) if is_float(x.dtype) else NotImplemented


@dropout_cuda.backward
def dropout_cuda_backward(g, p, seed, share):
    return _dropout(g, p, seed, share)
