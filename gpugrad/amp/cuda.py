"""One launch unscales the gradients of an optimizer on a cuda device (kernels/amp.cu)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backend.cuda.launch import FLOATS, Kernels, ctype
from ..backend.cuda.tensors import THREADS, batches
from ..backend.devices import Device

_kernels = Kernels("amp.cu", lambda: [f"unscale<{T}>" for T in FLOATS])


def unscale(device: Device, gradients: Sequence, factor: float, found: Any, number: int, place: Any) -> None:
    """Multiply contiguous gradients of one dtype by `factor`, in place.

    `found`, an int32 array (1,), becomes `number` if an element is not finite. place: where a captured step has the
    factor, a float64 array (1,), else None.
    """
    name = f"unscale<{ctype(gradients[0])}>"
    for tensors, blocks in batches(device, gradients, gradients):
        args = (tensors, found, np.int32(number), np.float64(factor), place)
        _kernels.launch(name, grid=(blocks,), block=(THREADS,), args=args)
