"""One attention for its CUDA kernels: sizes, strides and mask in the struct of kernels/attention.cuh."""

import ctypes
from typing import Any

import numpy as np

from ....backend.capture import by_value_or_place
from ....backend.cuda.launch import Strided
from ....backend.device import device_of
from ....backend.namespace import xp

_NO_MASK, _BOOL, _OWN, _WIDE = range(4)  # MaskKind


class _Strides(ctypes.Structure):
    _fields_ = [(name, ctypes.c_longlong) for name in ("batch", "head", "row", "column")]


class _Parameters(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_longlong) for name in ("heads", "key_heads", "queries", "keys")),
        *((name, _Strides) for name in ("q", "k", "v", "out", "mask", "g", "gq", "gk", "gv")),
        *((name, ctypes.c_ulonglong) for name in ("seed", "stored_seed")),
        *((name, ctypes.c_double) for name in ("scale", "kept_scale")),
        *((name, ctypes.c_int) for name in ("width", "value_width", "causal", "mask_kind")),
        ("dropout", ctypes.c_float),
    ]


class AttentionProblem:
    """Holds the kernels' `parameters`, the `mask` broadcast to (B, H, Tq, Tk), and the `pairs` of batch and head."""

    def __init__(self, q: Any, k: Any, v: Any, mask: Any, causal: bool, scale: float, dropout_p: float, seed: Any):
        self.pairs, self.key_pairs = q.shape[0] * q.shape[1], k.shape[0] * k.shape[1]
        self.queries, self.keys, self.widest = q.shape[2], k.shape[2], max(q.shape[3], v.shape[3])
        self.accumulator = np.dtype(np.float64 if q.dtype == np.float64 else np.float32)
        self.mask, kind = _mask(mask, (*q.shape[:3], k.shape[2]), q.dtype, self.accumulator)
        key, place = by_value_or_place(seed)
        self.parameters = _Parameters(
            heads=q.shape[1], key_heads=k.shape[1], queries=self.queries, keys=self.keys,
            width=q.shape[3], value_width=v.shape[3], causal=int(causal), mask_kind=kind, scale=scale,
            dropout=dropout_p, kept_scale=1 / (1 - dropout_p) if dropout_p < 1 else 0, seed=key,
            stored_seed=0 if place is None else device_of(place).address(place),
        )  # fmt: skip
        self.strides(q=q, k=k, v=v, mask=self.mask)

    def strides(self, **arrays: Any) -> None:
        """Enter the strides of arrays, in elements."""
        for name, array in arrays.items():
            if array is not None:
                setattr(self.parameters, name, _Strides(*(s // array.itemsize for s in array.strides)))

    def args(self, *arrays: Any) -> list:
        """Return a kernel's arguments: arrays of any strides (or None), and the parameters."""
        return [*(None if array is None else Strided(array) for array in arrays), self.parameters]


def _mask(mask: Any, shape: tuple, dtype: np.dtype, accumulator: np.dtype) -> tuple[Any, int]:
    """Return the mask broadcast to `shape` (strides of 0, no copy), and its kind."""
    if mask is None:
        return None, _NO_MASK
    if mask.dtype != np.bool_ and mask.dtype != dtype:
        mask = mask.astype(accumulator)
    kind = _BOOL if mask.dtype == np.bool_ else _OWN if mask.dtype == dtype else _WIDE
    return xp(mask).broadcast_to(mask, shape), kind


def rows_like(a: Any, width: int) -> Any:
    """Make memory for (B, H, T, width), with the heads behind T if `a` has them there: joining needs no copy then."""
    batch, heads, length = a.shape[:3]
    if a.strides[1] < a.strides[2]:
        return xp(a).empty((batch, length, heads, width), a.dtype).swapaxes(1, 2)
    return xp(a).empty((batch, heads, length, width), a.dtype)
